//! DUMP and RESTORE: one value as a portable payload (an RDB value, the RDB version and a CRC64).
//!
//! Called through their rows. Always: a payload is decoded completely before anything is stored, and the stream gets
//! absolute deadlines.

use crate::base::ids::UnixMs;
use crate::codec::rdb::Dialect;
use crate::codec::rdb::dump::{dump_payload, verify_dump, version_of};
use crate::commands::generic::keys::clear;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::config::Config;
use crate::keyspace::entry::Entry;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::types::{Value, rdb};

const BASE: Row =
    Row { keys: Keys::ONE, categories: &["keyspace"], group: Group::Generic, since: "2.6.0", ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "dump",
        arity: 2,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        tips: &["nondeterministic_output"],
        summary: "Returns a serialized representation of the value stored at a key.",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size.",
        run: Run::Keyed(dump),
        ..BASE
    },
    Row {
        name: "restore",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["OW", "update"],
        categories: &["keyspace", "dangerous"],
        summary: "Creates a key from the serialized representation of a value.",
        complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size.",
        run: Run::Keyed(restore),
        ..BASE
    },
];

fn dump(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let Some(entry) = ctx.space.read(ctx.args.get(1)) else {
        ctx.reply.null();
        return Ok(Effect::None);
    };
    ctx.reply.bulk(&payload_of(entry));
    Ok(Effect::None)
}

/// An entry's value as RESTORE takes it.
pub fn payload_of(entry: &Entry) -> Vec<u8> {
    let value = entry.value();
    let mut body = Vec::new();
    // Valkey 9 loads deadlines of fields from a payload; no other kind of server loads ours with them.
    let dialect = if entry.elements_due().is_some() { Dialect::Valkey80 } else { Dialect::Common };
    rdb::encode(&mut body, value, dialect, None);
    dump_payload(dialect, rdb::type_of(value, dialect), &body)
}

#[derive(Default)]
struct RestoreOptions {
    replaces: bool,
    is_absolute: bool,
    idle_seconds: Option<i64>,
    frequency: Option<u8>,
}

fn options(ctx: &Ctx<'_, '_>) -> Result<RestoreOptions, Failure> {
    let mut options = RestoreOptions::default();
    let mut at = 4;
    while at < ctx.args.len() {
        let has_value = at + 1 < ctx.args.len();
        if ctx.args.is(at, "replace") {
            options.replaces = true;
        } else if ctx.args.is(at, "absttl") {
            options.is_absolute = true;
        } else if ctx.args.is(at, "idletime") && has_value {
            let seconds = ctx.args.int(at + 1)?;
            if seconds < 0 {
                return Err(Failure::text("ERR Invalid IDLETIME value, must be >= 0"));
            }
            options.idle_seconds = Some(seconds);
            at += 1;
        } else if ctx.args.is(at, "freq") && has_value {
            let counter = u8::try_from(ctx.args.int(at + 1)?);
            options.frequency =
                Some(counter.map_err(|_| Failure::text("ERR Invalid FREQ value, must be >= 0 and <= 255"))?);
            at += 1;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

fn restore(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let options = options(ctx)?;
    if !options.replaces && ctx.space.peek(key).is_some() {
        return Err(Failure::text("BUSYKEY Target key name already exists."));
    }
    let ttl = ctx.args.int(2)?;
    if ttl < 0 {
        return Err(Failure::text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = decode(ctx.args.get(3), ctx.config)?;
    let now = ctx.now();
    let at = match (ttl, options.is_absolute) {
        (0, _) => None,
        (ttl, true) => Some(UnixMs(ttl)),
        (ttl, false) => {
            Some(UnixMs(ttl.checked_add(now.0).ok_or_else(|| Failure::invalid_expire("restore"))?))
        }
    };
    let replaced = clear(ctx, ctx.space.db(), key);
    ctx.reply.ok();
    if at.is_some_and(|at| at <= now) && !ctx.from_primary {
        // It would be gone at once; what it would have replaced is.
        if !replaced {
            return Ok(Effect::None);
        }
        ctx.space.notify(Classes::GENERIC, "del", key);
        return Ok(Effect::rewritten(&[b"DEL", key]));
    }
    if let Slot::Vacant(slot) = ctx.space.slot(key) {
        slot.insert_value(value, at);
    }
    if let (Some(seconds), Slot::Occupied(mut slot)) = (options.idle_seconds, ctx.space.slot(key)) {
        slot.set_idle(seconds);
    }
    if let (Some(counter), Slot::Occupied(mut slot)) = (options.frequency, ctx.space.slot(key)) {
        slot.set_frequency(counter);
    }
    ctx.space.notify(Classes::GENERIC, "restore", key);
    Ok(effect(ctx, at.filter(|_| !options.is_absolute)))
}

/// What replicas get: with the deadline itself if the request had a time to live, and with a payload of our own if the request's is
/// of a version that they need not know.
fn effect(ctx: &mut Ctx<'_, '_>, deadline: Option<UnixMs>) -> Effect {
    let (key, payload) = (ctx.args.get(1), ctx.args.get(3));
    let is_newer = version_of(payload) > Dialect::Common.version() && ctx.space.around().is_followed;
    let own = if is_newer { ctx.space.peek(key).map(payload_of) } else { None };
    if own.is_none() && deadline.is_none() {
        return Effect::Verbatim;
    }
    let at = deadline.map(|at| at.0.to_string());
    let mut words: Vec<&[u8]> = ctx.args.iter().collect();
    if let Some(own) = &own {
        words[3] = own;
    }
    if let Some(at) = &at {
        words[2] = at.as_bytes();
        words.push(b"ABSTTL");
    }
    Effect::rewritten(&words)
}

const BAD_FORMAT: Failure = Failure::text("ERR Bad data format");

fn decode(payload: &[u8], config: &Config) -> Result<Value, Failure> {
    let dump = verify_dump(payload).ok_or(Failure::text("ERR DUMP payload version or checksum are wrong"))?;
    let (kind, mut body) = dump.split().ok_or(BAD_FORMAT)?;
    let value = rdb::decode(&mut body, kind, config).map_err(|_| BAD_FORMAT)?;
    // Bytes behind the value are no value, and neither is an empty collection.
    if body.is_empty() && !value.is_empty_collection() { Ok(value) } else { Err(BAD_FORMAT) }
}
