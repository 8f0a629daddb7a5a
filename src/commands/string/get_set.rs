//! GET, SET and the older spellings of SET: reading and replacing whole values.
//!
//! Called through their rows. GET and SET without options are what a server does all day: they allocate nothing.
//! Always: an expiry goes into the stream as `SET key value PXAT ms`, without conditions; a SET without one goes as it
//! came, conditions included, but for GET and IFEQ, which not every replica knows.

use crate::base::ids::UnixMs;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::commands::string::options::{Condition, Of, Options, Ttl, Unit, deadline};
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::resp::reply::Reply;
use crate::types::Str;

pub const ROWS: &[Row] = &[
    Row {
        name: "get",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO", "access"],
        summary: "Returns the string value of a key.",
        run: Run::Keyed(get),
        ..STRING
    },
    Row {
        name: "set",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "access", "update", "variable_flags"],
        key_notes: "read only with the option GET",
        summary: "Sets the string value of a key, whatever it held. Conditions, an expiry and the old value as options.",
        run: Run::Keyed(set),
        ..STRING
    },
    Row {
        name: "delifeq",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RM", "delete"],
        since: "9.0.0",
        summary: "Deletes a key if its string value is the given one.",
        run: Run::Keyed(delifeq),
        ..STRING
    },
    Row {
        name: "setnx",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["OW", "insert"],
        summary: "Sets the string value of a key if the key doesn't exist.",
        run: Run::Keyed(setnx),
        ..STRING
    },
    Row {
        name: "setex",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["OW", "update"],
        since: "2.0.0",
        summary: "Sets the string value of a key together with its expiry in seconds.",
        run: Run::Keyed(setex),
        ..STRING
    },
    Row {
        name: "psetex",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["OW", "update"],
        since: "2.6.0",
        summary: "Sets the string value of a key together with its expiry in milliseconds.",
        run: Run::Keyed(psetex),
        ..STRING
    },
    Row {
        name: "getset",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "access", "update"],
        summary: "Returns the string value of a key and sets a new one. Older spelling of SET with GET.",
        run: Run::Keyed(getset),
        ..STRING
    },
];

/// What nearly all string commands have in common.
pub(super) const STRING: Row =
    Row { keys: Keys::ONE, categories: &["string"], group: Group::String, ..Row::BASE };

fn get(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    reply_value(ctx)?;
    Ok(Effect::None)
}

/// Answers the value of the key at argument 1.
#[inline]
pub(super) fn reply_value(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    match ctx.space.read(ctx.args.get(1)) {
        None => ctx.reply.null(),
        Some(entry) => bulk(ctx.reply, entry.as_str().ok_or(Failure::WRONG_TYPE)?),
    }
    Ok(())
}

/// A string value as a bulk string.
#[inline]
pub(super) fn bulk(reply: &mut Reply, value: Str<'_>) {
    match value {
        Str::Bytes(bytes) => reply.bulk(bytes),
        Str::Int(number) => reply.bulk_int(number),
    }
}

fn set(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    ctx.space.put(ctx.args.get(1), Str::encode(ctx.args.get(2)), None);
    ctx.space.notify(Classes::STRING, "set", ctx.args.get(1));
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

#[cold]
fn set_with_options(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = Options::parse(&ctx.args, 3, Of::Set)?;
    let deadline = match options.ttl {
        Ttl::New { unit, at } => Some(deadline(ctx, unit, at)?),
        Ttl::Default | Ttl::Keep | Ttl::Persist => None,
    };
    let (key, value) = (ctx.args.get(1), ctx.args.get(2));
    if options.get {
        reply_value(ctx)?;
    }
    let is_there = ctx.space.peek(key).is_some();
    let is_set = match options.condition {
        Condition::Always => true,
        Condition::IfMissing => !is_there,
        Condition::IfPresent => is_there,
        Condition::IfEqual { at } => holds(ctx, key, ctx.args.get(at))?,
    };
    if is_set {
        let value = Str::encode(value);
        match ctx.space.slot(key) {
            Slot::Occupied(mut slot) if options.ttl == Ttl::Keep => slot.set_string(value),
            Slot::Occupied(_) | Slot::Vacant(_) => ctx.space.put(key, value, deadline),
        }
        notify_set(ctx, key, deadline);
    }
    if !options.get {
        if is_set { ctx.reply.ok() } else { ctx.reply.null() }
    }
    Ok(match (is_set, deadline) {
        (false, _) => Effect::None,
        (true, Some(deadline)) => set_until(key, value, deadline),
        (true, None) if matches!(options.condition, Condition::IfEqual { .. }) => {
            let words: [&[u8]; 4] = [b"SET", key, value, b"KEEPTTL"];
            Effect::rewritten(if options.ttl == Ttl::Keep { &words } else { &words[..3] })
        }
        (true, None) if options.get => without_get(&ctx.args),
        (true, None) => Effect::Verbatim,
    })
}

/// Does `key` hold exactly `expected`?
fn holds(ctx: &mut Ctx<'_, '_>, key: &[u8], expected: &[u8]) -> Result<bool, Failure> {
    let Some(entry) = ctx.space.peek(key) else { return Ok(false) };
    Ok(match entry.as_str().ok_or(Failure::WRONG_TYPE)? {
        Str::Bytes(bytes) => bytes == expected,
        Str::Int(number) => itoa::Buffer::new().format(number).as_bytes() == expected,
    })
}

/// Deletes the key if it holds what the client believes: how a lock is given back.
fn delifeq(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let is_gone = holds(ctx, key, ctx.args.get(2))? && ctx.space.delete_for(key, Why::Deleted);
    ctx.reply.int(i64::from(is_gone));
    if !is_gone {
        return Ok(Effect::None);
    }
    ctx.space.notify(Classes::GENERIC, "del", key);
    Ok(Effect::rewritten(&[b"DEL", key]))
}

fn notify_set(ctx: &mut Ctx<'_, '_>, key: &[u8], deadline: Option<UnixMs>) {
    ctx.space.notify(Classes::STRING, "set", key);
    if deadline.is_some() {
        ctx.space.notify(Classes::GENERIC, "expire", key);
    }
}

/// The form in which a value with a deadline travels.
fn set_until(key: &[u8], value: &[u8], deadline: UnixMs) -> Effect {
    let mut digits = itoa::Buffer::new();
    Effect::rewritten(&[b"SET", key, value, b"PXAT", digits.format(deadline.0).as_bytes()])
}

/// The request without GET, whose reply nobody downstream wants.
fn without_get(args: &Args<'_>) -> Effect {
    let is_kept = |index: usize| index < 3 || !args.is(index, "get");
    let words: Vec<&[u8]> =
        (0..args.len()).filter(|index| is_kept(*index)).map(|index| args.get(index)).collect();
    Effect::rewritten(&words)
}

fn setnx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let is_set = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Occupied(_) => false,
        Slot::Vacant(slot) => {
            slot.insert_string(Str::encode(ctx.args.get(2)), None);
            true
        }
    };
    if is_set {
        notify_set(ctx, ctx.args.get(1), None);
    }
    ctx.reply.int(i64::from(is_set));
    Ok(Effect::verbatim_if(is_set))
}

fn setex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_for(ctx, Unit::Seconds)
}

fn psetex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_for(ctx, Unit::Milliseconds)
}

/// `SETEX key time value`.
fn set_for(ctx: &mut Ctx<'_, '_>, unit: Unit) -> Result<Effect, Failure> {
    let deadline = deadline(ctx, unit, 2)?;
    let (key, value) = (ctx.args.get(1), ctx.args.get(3));
    ctx.space.put(key, Str::encode(value), Some(deadline));
    notify_set(ctx, key, Some(deadline));
    ctx.reply.ok();
    Ok(set_until(key, value, deadline))
}

fn getset(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    reply_value(ctx)?;
    let (key, value) = (ctx.args.get(1), ctx.args.get(2));
    ctx.space.put(key, Str::encode(value), None);
    notify_set(ctx, key, None);
    Ok(Effect::rewritten(&[b"SET", key, value]))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::{Harness, NOW};
    use crate::keyspace::space::{Expiry, Tally};

    #[test]
    fn set_replaces_what_there_is_and_goes_into_the_stream_as_it_came() {
        let mut h = Harness::new();
        h.reads("get k", "$-1");
        h.check("set k hello", "+OK", "set k hello");
        h.reads("get k", "$5 hello");
        h.check("SET k 17", "+OK", "SET k 17");
        h.reads("get k", "$2 17");
        h.check("set k \"\"", "+OK", "set k ");
        h.reads("get k", "$0");
        h.check("set k v nx", "$-1", "");
        h.check("set k v xx", "+OK", "set k v xx");
        h.check("set other v XX", "$-1", "");
        h.check("set other v NX", "+OK", "set other v NX");
        h.reads("set k v nx xx", "-ERR syntax error");
        h.reads("set k", "-ERR wrong number of arguments for 'set' command");
        assert_eq!(h.run("set k v").tally, Tally { dirty: 1, ..Tally::default() });
        assert_eq!(h.run("get nothing").tally, Tally { misses: 1, ..Tally::default() });
        assert_eq!(h.run("get k").tally, Tally { hits: 1, ..Tally::default() });
    }

    #[test]
    fn get_answers_the_old_value_and_is_not_sent_on() {
        let mut h = Harness::new();
        h.check("set k 1 get", "$-1", "set k 1");
        h.check("set k 2 GET get", "$1 1", "set k 2");
        h.check("set k 3 nx get", "$1 2", "");
        h.check("set k 3 xx get keepttl", "$1 2", "set k 3 xx keepttl");
        h.check("set other 3 nx get", "$-1", "set other 3 nx");
        h.check("set missing 3 get xx", "$-1", "");
        h.check("set k get get px 5", "$1 3", &format!("SET k get PXAT {}", NOW + 5));
        h.check("set get get get", "$-1", "set get get");
    }

    #[test]
    fn a_value_is_replaced_or_deleted_only_if_it_is_the_expected_one() {
        let mut h = Harness::new();
        h.check("set k v ifeq a", "$-1", "");
        h.run("set k a");
        h.check("set k b ifeq b", "$-1", "");
        h.check("set k 10 ifeq a", "+OK", "SET k 10");
        h.check("set k 11 ifeq 010 get", "$2 10", "");
        h.check("set k 11 get ifeq 10 ex 5", "$2 10", &format!("SET k 11 PXAT {}", NOW + 5000));
        h.check("set k 12 ifeq 11 keepttl", "+OK", "SET k 12 KEEPTTL");
        h.check("delifeq k 11", ":0", "");
        h.check("delifeq k 12", ":1", "DEL k");
        h.check("delifeq k 12", ":0", "");
        h.run("lpush l a");
        h.reads("set l v ifeq a", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.reads("delifeq l a", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    }

    #[test]
    fn an_expiry_is_sent_as_an_absolute_time_without_conditions() {
        let mut h = Harness::new();
        h.check("set k v ex 10", "+OK", &format!("SET k v PXAT {}", NOW + 10_000));
        h.check("set k v xx px 10", "+OK", &format!("SET k v PXAT {}", NOW + 10));
        h.check("set k v get exat 1700000001", "$1 v", "SET k v PXAT 1700000001000");
        h.check("set k v pxat 1700000002000", "+OK", "SET k v PXAT 1700000002000");
        h.check("setex k 3 v", "+OK", &format!("SET k v PXAT {}", NOW + 3000));
        h.check("psetex k 3 v", "+OK", &format!("SET k v PXAT {}", NOW + 3));
        h.advance_ms(3);
        h.reads("get k", "$1 v");
        h.advance_ms(1);
        h.check("get k", "$-1", "DEL k");
        h.reads("get k", "$-1");
    }

    #[test]
    fn a_deadline_goes_with_the_value_unless_it_is_kept() {
        let mut h = Harness::new();
        h.run("set k v px 5");
        h.check("set k w keepttl", "+OK", "set k w keepttl");
        h.advance_ms(6);
        h.check("set k x xx", "$-1", "DEL k");
        h.run("set k v px 5");
        h.check("set k x", "+OK", "set k x");
        h.advance_ms(6);
        h.reads("get k", "$1 x");
        h.run("set k v px 5");
        h.check("getset k x", "$1 v", "SET k x");
        h.advance_ms(6);
        h.reads("get k", "$1 x");
        h.check("set new x keepttl", "+OK", "set new x keepttl");
    }

    #[test]
    fn a_past_time_is_set_and_the_key_expires_when_it_is_met() {
        let mut h = Harness::new();
        h.check("set k v pxat 1", "+OK", "SET k v PXAT 1");
        h.check("get k", "$-1", "DEL k");
        h.expiry = Expiry::Hide;
        h.check("set k v exat 1", "+OK", "SET k v PXAT 1000");
        h.reads("get k", "$-1");
        h.expiry = Expiry::Ignore;
        h.reads("get k", "$1 v");
    }

    #[test]
    fn times_that_make_no_sense_are_refused_before_anything_else() {
        let mut h = Harness::new();
        for time in ["0", "-1", "9223372036854775807", "9223372036854775"] {
            h.reads(&format!("set k v ex {time}"), "-ERR invalid expire time in 'set' command");
            h.reads(&format!("setex k {time} v"), "-ERR invalid expire time in 'setex' command");
        }
        h.reads("set k v px 9223372036854775807", "-ERR invalid expire time in 'set' command");
        h.reads("set k v pxat 0", "-ERR invalid expire time in 'set' command");
        h.reads("set k v exat 9223372036854776", "-ERR invalid expire time in 'set' command");
        h.reads("psetex k 0 v", "-ERR invalid expire time in 'psetex' command");
        h.reads("set k v ex 1.5", "-ERR value is not an integer or out of range");
        h.reads("setex k x v", "-ERR value is not an integer or out of range");
        h.reads("set k v ex", "-ERR syntax error");
        h.check("set k v pxat 9223372036854775807", "+OK", "SET k v PXAT 9223372036854775807");
    }

    #[test]
    fn setnx_and_getset_are_older_spellings() {
        let mut h = Harness::new();
        h.check("setnx k 1", ":1", "setnx k 1");
        h.check("setnx k 2", ":0", "");
        h.check("getset k 2", "$1 1", "SET k 2");
        h.check("GETSET new 2", "$-1", "SET new 2");
    }
}
