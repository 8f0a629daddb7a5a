//! MIGRATE: keys go to another server, and leave this one when that one has acknowledged them.
//!
//! Called through its row. The handler checks the request and hands it to `Host`; a thread of the server's talks to the target
//! (`server::migrate`) while the client waits as one that is blocked, and `exec::migration` has what happens to the keys here.
//! Always: the handler touches no key, so its row is that of a control command although it names keys.

use std::time::Duration;

use crate::commands::spec::host::Migration;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Keys, Next, Row, Run, flags, keys};

pub const ROWS: &[Row] = &[Row {
    name: "migrate",
    arity: -6,
    flags: flags(&[Flags::WRITE, Flags::MOVABLE_KEYS, Flags::ALONE]),
    keys: Keys::Moved,
    access: &["RW", "access", "delete"],
    second_access: &["RW", "access", "delete", "incomplete"],
    categories: &["keyspace", "dangerous"],
    tips: &["nondeterministic_output"],
    group: Group::Generic,
    since: "2.6.0",
    summary: "Moves keys to another server, or copies them.",
    complexity: "That of DUMP and DEL here and of RESTORE there, and O(N) for sending N bytes.",
    run: Run::Control(migrate),
    ..Row::BASE
}];

/// Where the options begin.
const OPTIONS: usize = 6;
/// What a time-out of nothing or less means.
const DEFAULT_TIMEOUT_MS: i64 = 1000;

#[derive(Default)]
struct Options {
    copies: bool,
    replaces: bool,
    credentials: Vec<Vec<u8>>,
}

fn options(args: &Args<'_>) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut at = OPTIONS;
    while at < args.len() {
        let left = args.len() - at - 1;
        if args.is(at, "copy") {
            options.copies = true;
        } else if args.is(at, "replace") {
            options.replaces = true;
        } else if args.is(at, "auth") && left >= 1 {
            options.credentials = vec![args.get(at + 1).to_vec()];
            at += 1;
        } else if args.is(at, "auth2") && left >= 2 {
            options.credentials = vec![args.get(at + 1).to_vec(), args.get(at + 2).to_vec()];
            at += 2;
        } else if args.is(at, "keys") {
            if !args.get(3).is_empty() {
                return Err(Failure::text(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                ));
            }
            // Whatever follows is a key.
            break;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

fn migrate(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let options = options(args)?;
    let timeout_ms = match args.int(5)? {
        ..=0 => DEFAULT_TIMEOUT_MS,
        ms => ms,
    };
    let to_db = args.int(4)?;
    let text = |index: usize| String::from_utf8_lossy(args.get(index)).into_owned();
    control.host.migrate(Migration {
        host: text(1),
        port: text(2),
        to_db,
        timeout: Duration::from_millis(timeout_ms.unsigned_abs()),
        copies: options.copies,
        replaces: options.replaces,
        credentials: options.credentials,
        from_db: control.session.db,
        keys: keys::positions(Keys::Moved, args).into_iter().map(|at| args.get(at).to_vec()).collect(),
        words: args.to_vec(),
        client: control.session.client.clone(),
        is_silent: control.reply.suppressed(),
    })?;
    control.next = Next::Block;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::commands::harness::Harness;
    use crate::commands::spec::Next;
    use crate::commands::spec::host::Migration;

    fn asked(request: &str) -> Migration {
        let mut h = Harness::new();
        let outcome = h.run(request);
        assert_eq!((outcome.reply_text().as_str(), outcome.next), ("", Next::Block), "{request}");
        let mut migrations = h.host.migrations.lock().expect("no test panics while holding it");
        migrations.pop().expect("it was asked for")
    }

    #[test]
    fn a_request_is_read_with_all_its_options() {
        let plain = asked("migrate host 7000 k 9 0");
        assert_eq!(
            (plain.host.as_str(), plain.port.as_str(), plain.to_db, plain.timeout),
            ("host", "7000", 9, Duration::from_secs(1))
        );
        assert_eq!((plain.copies, plain.replaces, plain.credentials.len()), (false, false, 0));
        assert_eq!(plain.keys, [b"k"]);

        let full = asked("migrate h 1 \"\" -1 5000 copy REPLACE auth2 keys word KEYS a copy");
        assert_eq!(
            (full.to_db, full.timeout, full.copies, full.replaces),
            (-1, Duration::from_secs(5), true, true)
        );
        assert_eq!(full.credentials, [b"keys".to_vec(), b"word".to_vec()]);
        assert_eq!(full.keys, [b"a".to_vec(), b"copy".to_vec()]);
        assert_eq!(asked("migrate h 1 k 0 9 auth word").credentials, [b"word"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_redis_words() {
        let mut h = Harness::new();
        h.reads("migrate h 1 k x 5", "-ERR value is not an integer or out of range");
        h.reads("migrate h 1 k 0 x", "-ERR value is not an integer or out of range");
        for options in ["auth", "auth2 user", "nonsense"] {
            h.reads(&format!("migrate h 1 k 0 5 {options}"), "-ERR syntax error");
        }
        h.reads(
            "migrate h 1 k 0 5 keys a",
            "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
        );
    }

    #[test]
    fn its_keys_are_found() {
        let mut h = Harness::new();
        h.reads("command getkeys migrate h 1 k 0 5", "*1 $1 k");
        h.reads("command getkeys migrate h 1 k 0 5 keys a", "-ERR Invalid arguments specified for command");
        h.reads(
            "command getkeysandflags migrate h 1 \"\" 0 5 keys a b",
            "*2 *2 $1 a *3 +RW +access +delete *2 $1 b *3 +RW +access +delete",
        );
    }
}
