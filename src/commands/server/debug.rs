//! DEBUG: what tests and people in search of a fault ask for. Only what is real here; the rest is an honest error.
//!
//! Called through its row; PROTOCOL's sample values are in `debug_protocol`, what looks into tables is in `debug_tables`.
//! Always: refused unless `enable-debug-command` allows it; keys are looked at one shard at a time, or while the world
//! stands still.

use std::sync::Arc;
use std::time::Duration;

use crate::base::digest::Digest;
use crate::base::hash::hash_key;
use crate::codec::rdb::dump;
use crate::codec::rdb::encode::{write_integer, write_string};
use crate::commands::server::debug_protocol::protocol;
use crate::commands::server::debug_tables;
use crate::commands::spec::effect::encode;
use crate::commands::spec::help::help;
use crate::commands::spec::host::Reloading;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run, flags};
use crate::config::units;
use crate::each_collection;
use crate::keyspace::db::Db;
use crate::keyspace::digest::{of_keyspace, of_value};
use crate::keyspace::entry::Entry;
use crate::keyspace::space::access_clock;
use crate::session::traffic::{REPLY_ROOM, REPLY_ROOM_KEPT_MS};
use crate::types::list::limits;
use crate::types::{Collection, Str};

pub const ROWS: &[Row] = &[Row {
    name: "debug",
    arity: -2,
    flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    group: Group::Server,
    summary: "A container for debugging commands.",
    complexity: "Depends on subcommand.",
    run: Run::Control(debug),
    ..Row::BASE
}];

/// DEBUG SLEEP sleeps no longer than this: a slip of the finger must not stop a server for good.
const SLEEP_SECONDS_MAX: f64 = 86_400.0;

/// DEBUG POPULATE makes no longer values, as no string can be longer.
const VALUE_BYTES_MAX: u64 = 512 * 1024 * 1024;

const NOT_POSITIVE: Failure = Failure::text("ERR value is out of range, must be positive");

const NOT_ALLOWED: Failure = Failure::text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

/// A subcommand: its word, its number of arguments with both names, what it does.
type Subcommand = (&'static str, std::ops::RangeInclusive<usize>, Handler);
type Handler = fn(&Args<'_>, &mut Control<'_>) -> Result<(), Failure>;

const SUBCOMMANDS: &[Subcommand] = &[
    ("change-repl-id", 2..=2, change_replication_id),
    ("config-rewrite-force-all", 2..=2, rewrite_everything),
    ("digest", 2..=2, digest),
    ("digest-value", 2..=usize::MAX, digest_value),
    ("error", 3..=3, error),
    ("help", 2..=2, debug_help),
    ("htstats", 3..=3, debug_tables::database),
    ("htstats-key", 3..=3, debug_tables::value),
    ("listpack", 3..=3, debug_tables::listpack),
    ("log", 3..=3, log_message),
    ("object", 3..=3, object),
    ("pause-cron", 3..=3, pause_cron),
    ("populate", 3..=5, populate),
    ("protocol", 3..=3, protocol),
    ("quicklist-packed-threshold", 3..=3, packed_threshold),
    ("reload", 2..=usize::MAX, reload),
    ("replicate", 3..=usize::MAX, replicate),
    ("replybuffer", 4..=4, reply_buffer),
    ("set-active-expire", 3..=3, set_active_expire),
    ("set-skip-checksum-validation", 3..=3, set_skip_checksum),
    ("sleep", 3..=3, sleep),
    ("stringmatch-len", 4..=4, stringmatch),
];

fn debug(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let permission = control.host.config().load().enable_debug_command;
    if !permission.allows(control.session.client.is_local()) {
        return Err(NOT_ALLOWED);
    }
    let is_called = |(word, count, _): &&Subcommand| args.is(1, word) && count.contains(&args.len());
    let Some((_, _, handler)) = SUBCOMMANDS.iter().find(is_called) else {
        let word = args.get(1);
        let word = String::from_utf8_lossy(&word[..word.len().min(128)]).into_owned();
        return Err(Failure::new(format!(
            "ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
        )));
    };
    handler(args, control)
}

fn digest(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut digest = Digest::default();
    let host = control.host;
    host.stand_still(&mut || digest = of_keyspace(&host.keyspace()));
    control.reply.simple(&digest.hex());
    Ok(())
}

fn digest_value(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let db = current_db(control);
    control.reply.array(args.len() - 2);
    for key in args.from(2) {
        let digest = with_entry(&db, key, of_value).unwrap_or_default();
        control.reply.simple(&digest.hex());
    }
    Ok(())
}

fn current_db(control: &Control<'_>) -> Arc<Db> {
    control.host.keyspace().db(control.session.db).clone()
}

/// Looks at an entry under its shard's lock, past its deadline or not.
fn with_entry<R>(db: &Db, key: &[u8], look: impl FnOnce(&Entry) -> R) -> Option<R> {
    let hash = hash_key(key);
    let guard = db.lock(db.shard_of(hash));
    let at = guard.find(hash, key)?;
    Some(look(guard.get(at)))
}

/// Looks at an entry of the client's database under its shard's lock.
pub(super) fn with_entry_here<R>(
    control: &Control<'_>,
    key: &[u8],
    look: impl FnOnce(&Entry) -> R,
) -> Option<R> {
    with_entry(&current_db(control), key, look)
}

fn object(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let now = control.now;
    let describe = |entry: &Entry| {
        let idle = idle_seconds(entry, now.0 / 1000);
        format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle}",
            entry.address(),
            entry.encoding().name(),
            serialized_len(entry),
            entry.clock(),
        )
    };
    let line = with_entry_here(control, args.get(2), describe).ok_or(Failure::NO_SUCH_KEY)?;
    control.reply.simple(&line);
    Ok(())
}

/// Seconds since the last access; the clock has 24 bits and wraps.
fn idle_seconds(entry: &Entry, now_seconds: i64) -> u32 {
    (now_seconds as u32).wrapping_sub(entry.clock()) & 0x00ff_ffff
}

/// Creates keys, here only: neither replicas nor the count of changes hear of them.
fn populate(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let number = |at: usize| args.int(at).ok().and_then(|number| u64::try_from(number).ok());
    let count = number(2).ok_or(NOT_POSITIVE)?;
    let size = if args.len() > 4 { Some(number(4).ok_or(NOT_POSITIVE)?) } else { None };
    let size = size.map(|size| size.min(VALUE_BYTES_MAX) as usize);
    let prefix = if args.len() > 3 { args.get(3) } else { b"key" };
    let (host, index, clock) = (control.host, control.session.db, access_clock(control.now));
    host.stand_still(&mut || {
        let (keyspace, stamp) = (host.keyspace(), host.stamp());
        let db = keyspace.db(index);
        for number in 0..count {
            let key = [prefix, format!(":{number}").as_bytes()].concat();
            let hash = hash_key(&key);
            let mut guard = db.lock(db.shard_of(hash));
            if guard.find(hash, &key).is_some() {
                continue;
            }
            let mut value = format!("value:{number}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            guard.insert(hash, Entry::string(&key, Str::Bytes(&value), None, stamp, clock));
            host.watches().touch(index, &key, true);
        }
    });
    control.reply.ok();
    Ok(())
}

/// Bytes of the value in an RDB file without compression.
fn serialized_len(entry: &Entry) -> usize {
    let mut bytes = Vec::new();
    match entry.as_str() {
        Some(Str::Int(number)) => write_integer(&mut bytes, number),
        Some(Str::Bytes(value)) => write_string(&mut bytes, value, None),
        None => each_collection!(entry.value(),
            _string => (),
            collection => collection.encode(&mut bytes, None)),
    }
    bytes.len()
}

/// Holds everybody up, the link to a primary included.
fn sleep(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let seconds: f64 =
        std::str::from_utf8(args.get(2)).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let seconds = if seconds > 0.0 { seconds.min(SLEEP_SECONDS_MAX) } else { 0.0 };
    control.host.stand_still(&mut || std::thread::sleep(Duration::from_secs_f64(seconds)));
    control.reply.ok();
    Ok(())
}

fn set_active_expire(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.set_active_expiry(args.get(2) != b"0");
    control.reply.ok();
    Ok(())
}

fn set_skip_checksum(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    dump::set_skip_checksum(args.get(2) != b"0");
    control.reply.ok();
    Ok(())
}

fn pause_cron(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.pause_cron(args.get(2) != b"0");
    control.reply.ok();
    Ok(())
}

/// Sends replicas what no command has done. Nothing happens if nobody follows, or if we follow somebody.
fn replicate(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    encode(&mut bytes, args.len() - 2, args.from(2));
    control.host.feed_replicas(&bytes);
    control.reply.ok();
    Ok(())
}

/// `PEAK-RESET-TIME ms|NEVER|RESET` and `RESIZING 0|1`: when connections give back room for replies.
fn reply_buffer(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.is(2, "peak-reset-time") {
        let kept_ms = match args.get(3).to_ascii_lowercase().as_slice() {
            b"never" => u64::MAX,
            b"reset" => REPLY_ROOM_KEPT_MS,
            _ => u64::try_from(args.int(3)?).unwrap_or(u64::MAX),
        };
        REPLY_ROOM.keep_for_ms(kept_ms);
    } else if args.is(2, "resizing") {
        REPLY_ROOM.set_shrinking(args.get(3) != b"0");
    } else {
        return Err(Failure::text(
            "ERR unknown subcommand or wrong number of arguments for 'replybuffer'. Try DEBUG HELP.",
        ));
    }
    control.reply.ok();
    Ok(())
}

fn packed_threshold(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let bytes = units::memory(args.get(2)).and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.filter(|bytes| *bytes <= 1 << 32);
    limits::set_plain_from(bytes.ok_or(Failure::text("ERR argument must be a memory value not above 4gb"))?);
    control.reply.ok();
    Ok(())
}

fn error(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.error(&String::from_utf8_lossy(args.get(2)));
    Ok(())
}

fn log_message(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.get(2)));
    control.reply.ok();
    Ok(())
}

fn stringmatch(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let is_match = crate::base::glob::glob_match(args.get(2), args.get(3), false);
    control.reply.int(i64::from(is_match));
    Ok(())
}

fn rewrite_everything(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control
        .host
        .config()
        .rewrite_everything()
        .map_err(|error| Failure::new(format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {error}")))?;
    control.reply.ok();
    Ok(())
}

fn reload(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut saves_first = true;
    for at in 2..args.len() {
        if !args.is(at, "nosave") {
            return Err(Failure::text("ERR DEBUG RELOAD only supports the NOSAVE option."));
        }
        saves_first = false;
    }
    match control.host.reload(saves_first, &control.session.client, control.now)? {
        Reloading::Done => control.reply.ok(),
        Reloading::UnderWay => control.next = Next::Block,
    }
    Ok(())
}

fn change_replication_id(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.rename_history();
    control.reply.ok();
    Ok(())
}

fn debug_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "debug",
        &[
            "CHANGE-REPL-ID",
            "    Give the replication history a new name, so that no replica can continue it.",
            "CONFIG-REWRITE-FORCE-ALL",
            "    CONFIG REWRITE with every directive written out.",
            "DIGEST",
            "    Show a digest of all keys and values, equal to that of Redis with the same data.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Show a digest of each value.",
            "ERROR <string>",
            "    Answer with <string> as an error.",
            "HTSTATS <dbid>",
            "    Show how large the hash table of a database is, and how full.",
            "HTSTATS-KEY <key>",
            "    The same of the value at <key>, if it is kept in a hash table.",
            "LISTPACK <key>",
            "    Print the listpack at <key> to the standard output, element by element.",
            "LOG <message>",
            "    Write <message> to the log.",
            "OBJECT <key>",
            "    Show how the value of <key> is stored.",
            "PAUSE-CRON <0|1>",
            "    1: nothing happens by the clock: no expiry, no eviction, no save points, and no end at a signal.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> string keys named <prefix>:<num>, of <size> bytes; without telling replicas. The prefix is",
            "    'key' if none is given.",
            "PROTOCOL <type>",
            "    Answer with a sample of: string, integer, double, bignum, null, array, set, map, attrib, push,",
            "    verbatim, true, false.",
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    Give list elements of <size> bytes or more a node of their own. 0: those larger than a node, the default.",
            "RELOAD [NOSAVE]",
            "    Save the data set to disk and load it again.",
            "REPLICATE <command> [<arg> ...]",
            "    Send <command> to the replicas without running it here.",
            "REPLYBUFFER PEAK-RESET-TIME <ms|NEVER|RESET>",
            "    After how long an idle connection gives back what it held for large replies; RESET is the default.",
            "REPLYBUFFER RESIZING <0|1>",
            "    0: connections keep what they held for large replies.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    0: delete expired keys only when somebody meets them. 1: also by the clock.",
            "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
            "    1: RESTORE takes payloads whose checksum is wrong.",
            "SLEEP <seconds>",
            "    Stop all threads that run commands for <seconds>, which may be a fraction.",
            "STRINGMATCH-LEN <pattern> <string>",
            "    Show whether a glob-style pattern matches.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::config::Permission;

    #[test]
    fn populate_makes_the_keys_that_are_missing_and_tells_no_replica() {
        let mut server = Harness::new();
        server.configure(|config| config.enable_debug_command = Permission::Yes);
        server.check("SET p:1 mine", "+OK", "SET p:1 mine");
        server.reads("DEBUG POPULATE 3 p 9", "+OK");
        server.reads("DBSIZE", ":3");
        server.reads("STRLEN p:1", ":4");
        server.reads("STRLEN p:2", ":9");
        server.reads("DEBUG POPULATE -1", "-ERR value is out of range, must be positive");
    }
}
