//! GETEX and GETDEL: reads that change the key that they read.
//!
//! Called through their rows. Always: only the change goes into the stream, as PEXPIREAT, PERSIST or DEL; a read that
//! changes nothing leaves no trace there.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::string::get_set::{STRING, bulk, reply_value};
use crate::commands::string::options::{Of, Options, Ttl, Unit, deadline};
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, Slot};

pub const ROWS: &[Row] = &[
    Row {
        name: "getdel",
        arity: 2,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "access", "delete"],
        since: "6.2.0",
        summary: "Returns the string value of a key and deletes the key.",
        run: Run::Keyed(getdel),
        ..STRING
    },
    Row {
        name: "getex",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "access", "update"],
        key_notes: "an update because the deadline may change",
        since: "6.2.0",
        summary: "Returns the string value of a key and sets or removes its expiry.",
        run: Run::Keyed(getex),
        ..STRING
    },
];

fn getdel(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    reply_value(ctx)?;
    let key = ctx.args.get(1);
    if !ctx.space.delete_for(key, Why::Deleted) {
        return Ok(Effect::None);
    }
    ctx.space.notify(Classes::GENERIC, "del", key);
    Ok(Effect::rewritten(&[b"DEL", key]))
}

fn getex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = Options::parse(&ctx.args, 2, Of::GetEx)?;
    let key = ctx.args.get(1);
    // A missing key is answered before the time is looked at, a wrong type as well.
    let Some(entry) = ctx.space.read(key) else {
        ctx.reply.null();
        return Ok(Effect::None);
    };
    bulk(ctx.reply, entry.as_str().ok_or(Failure::WRONG_TYPE)?);
    match options.ttl {
        Ttl::Default | Ttl::Keep => Ok(Effect::None),
        Ttl::Persist => Ok(persist(ctx, key)),
        Ttl::New { unit, at } => expire(ctx, key, unit, at),
    }
}

fn persist(ctx: &mut Ctx<'_, '_>, key: &[u8]) -> Effect {
    let has_deadline = ctx.space.peek(key).is_some_and(|entry| entry.deadline().is_some());
    if !has_deadline {
        return Effect::None;
    }
    if let Slot::Occupied(mut slot) = ctx.space.slot(key) {
        slot.set_deadline(None);
    }
    ctx.space.notify(Classes::GENERIC, "persist", key);
    Effect::rewritten(&[b"PERSIST", key])
}

fn expire(ctx: &mut Ctx<'_, '_>, key: &[u8], unit: Unit, at: usize) -> Result<Effect, Failure> {
    let deadline = deadline(ctx, unit, at)?;
    // Whoever only hides expired keys, or takes them as they come, waits for its primary's DEL.
    let is_over = deadline <= ctx.now() && ctx.space.around().expiry == Expiry::Delete;
    if is_over {
        ctx.space.delete_for(key, Why::Expired);
        ctx.space.notify(Classes::GENERIC, "del", key);
        return Ok(Effect::rewritten(&[b"DEL", key]));
    }
    if let Slot::Occupied(mut slot) = ctx.space.slot(key) {
        slot.set_deadline(Some(deadline));
    }
    ctx.space.notify(Classes::GENERIC, "expire", key);
    let mut digits = itoa::Buffer::new();
    Ok(Effect::rewritten(&[b"PEXPIREAT", key, digits.format(deadline.0).as_bytes()]))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::{Harness, NOW};
    use crate::keyspace::space::{Expiry, Tally};

    #[test]
    fn getdel_sends_a_del_only_if_there_was_something() {
        let mut h = Harness::new();
        h.reads("getdel k", "$-1");
        h.run("set k 5");
        h.check("getdel k", "$1 5", "DEL k");
        h.reads("get k", "$-1");
    }

    #[test]
    fn getex_sends_the_change_of_the_deadline_only() {
        let mut h = Harness::new();
        h.reads("getex k ex 0", "$-1");
        h.run("set k v");
        h.reads("getex k", "$1 v");
        h.reads("getex k persist", "$1 v");
        h.check("getex k ex 10", "$1 v", &format!("PEXPIREAT k {}", NOW + 10_000));
        h.check("getex k PX 10", "$1 v", &format!("PEXPIREAT k {}", NOW + 10));
        h.check("getex k persist", "$1 v", "PERSIST k");
        h.check("getex k exat 1700000001", "$1 v", "PEXPIREAT k 1700000001000");
        h.check("getex k pxat 1700000000001", "$1 v", "PEXPIREAT k 1700000000001");
        assert_eq!(h.run("getex k persist").tally, Tally { hits: 1, dirty: 1, ..Tally::default() });
        assert_eq!(h.run("getex k").tally, Tally { hits: 1, ..Tally::default() });
        h.check("getex k pxat 1700000000000", "$1 v", "DEL k");
        h.reads("getex k pxat 1", "$-1");
    }

    #[test]
    fn a_time_that_has_passed_is_kept_where_a_primary_decides() {
        let mut h = Harness::new();
        h.run("set k v");
        h.expiry = Expiry::Hide;
        h.check("getex k pxat 1", "$1 v", "PEXPIREAT k 1");
        h.reads("get k", "$-1");
        h.expiry = Expiry::Ignore;
        h.reads("get k", "$1 v");
    }

    #[test]
    fn a_wrong_option_or_time_changes_nothing() {
        let mut h = Harness::new();
        h.run("set k v");
        h.reads("getex k foo", "-ERR syntax error");
        h.reads("getex k ex", "-ERR syntax error");
        h.reads("getex k ex 0", "-ERR invalid expire time in 'getex' command");
        h.reads("getex k ex 10000000000000000", "-ERR invalid expire time in 'getex' command");
        h.reads("getex k px x", "-ERR value is not an integer or out of range");
        h.reads("get k", "$1 v");
    }
}
