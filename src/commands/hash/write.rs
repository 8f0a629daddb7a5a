//! HSET, HMSET, HSETNX, HDEL: fields by name.
//!
//! Called through their rows. Always: a field that gets a value this way has no deadline any more; a field past its deadline
//! counts as missing, and a replica, for whom it is still there, is told what it has to become.

use crate::commands::hash::{HASH, clock};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::hash::{Deadline, Limits, NEVER, Removed};
use crate::types::{Collection, Hash};

pub const ROWS: &[Row] = &[
    Row {
        name: "hset",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "update"],
        summary: "Gives fields of a hash their values; the hash is created if there is none.",
        complexity: "O(1) for each field, so O(N) for N fields.",
        run: Run::Keyed(hset),
        ..HASH
    },
    Row {
        name: "hmset",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "update"],
        summary: "Gives several fields of a hash their values, as HSET does.",
        complexity: "O(N) where N is the number of fields.",
        run: Run::Keyed(hmset),
        ..HASH
    },
    Row {
        name: "hsetnx",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "insert"],
        summary: "Gives a field of a hash a value if there is no such field.",
        run: Run::Keyed(hsetnx),
        ..HASH
    },
    Row {
        name: "hdel",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "delete"],
        summary: "Removes fields of a hash; the last one takes the hash with it.",
        complexity: "O(N) where N is the number of fields to be removed.",
        run: Run::Keyed(hdel),
        ..HASH
    },
];

fn hset(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let added = set_fields(ctx)?;
    ctx.reply.int(added);
    Ok(Effect::Verbatim)
}

fn hmset(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_fields(ctx)?;
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

/// The longest word from the argument at `from` on, and the bytes of all of them.
pub(super) fn measure(args: &Args<'_>, from: usize) -> (usize, usize) {
    args.from(from).fold((0, 0), |(longest, all), word| (word.len().max(longest), all + word.len()))
}

/// Sets all fields of the request; returns how many are new.
fn set_fields(ctx: &mut Ctx<'_, '_>) -> Result<i64, Failure> {
    let (args, now, limits) = (ctx.args, clock(ctx), Limits::of(ctx.config));
    if !args.len().is_multiple_of(2) {
        return Err(Failure::wrong_arity(ctx.full_name));
    }
    let count = args.len() / 2 - 1;
    let (longest, bytes) = measure(&args, 2);
    let mut edit = ctx.space.edit_or_insert(args.get(1), Hash::default)?;
    let hash = edit.change();
    hash.expect(count, longest, bytes, limits);
    let mut added = 0;
    for at in (2..args.len()).step_by(2) {
        added += i64::from(hash.set(args.get(at), args.get(at + 1), Deadline::Clear, now, limits));
    }
    edit.changed(count as u64);
    edit.notify(Classes::HASH, "hset");
    Ok(added)
}

fn hsetnx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now, limits) = (ctx.args, clock(ctx), Limits::of(ctx.config));
    let (key, name, value) = (args.get(1), args.get(2), args.get(3));
    let mut edit = ctx.space.edit_or_insert(key, Hash::default)?;
    if edit.contains(name, now) {
        ctx.reply.int(0);
        return Ok(Effect::None);
    }
    let is_timed = edit.next_due().is_some();
    let hash = edit.change();
    hash.expect(1, name.len().max(value.len()), name.len() + value.len(), limits);
    hash.set(name, value, Deadline::Clear, now, limits);
    edit.changed(1);
    edit.notify(Classes::HASH, "hset");
    ctx.reply.int(1);
    // A replica may still have the field, past its deadline.
    Ok(if is_timed { Effect::rewritten(&[b"HSET", key, name, value]) } else { Effect::Verbatim })
}

fn hdel(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    let Some(mut edit) = ctx.space.edit::<Hash>(args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    if !args.from(2).any(|name| edit.contains(name, NEVER)) {
        ctx.reply.int(0);
        return Ok(Effect::None);
    }
    let hash = edit.change();
    let (mut live, mut due) = (0, 0);
    for name in args.from(2) {
        match hash.remove(name, now) {
            Removed::Live => live += 1,
            Removed::Due => due += 1,
            Removed::No => {}
        }
    }
    edit.changed(live + due);
    if live > 0 {
        edit.notify(Classes::HASH, "hdel");
    }
    ctx.reply.int(live as i64);
    Ok(Effect::Verbatim)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::notify::Classes;

    const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn fields_come_and_go() {
        let mut h = Harness::new();
        h.check("hset h a 1 b 2", ":2", "hset h a 1 b 2");
        h.check("hset h a 3 c 4", ":1", "hset h a 3 c 4");
        h.check("hmset h a 5 d 6", "+OK", "hmset h a 5 d 6");
        h.check("hsetnx h a 9", ":0", "");
        h.check("hsetnx h e \"\"", ":1", "hsetnx h e \"\"".replace("\"\"", "").as_str());
        h.reads("hgetall h", "*10 $1 a $1 5 $1 b $1 2 $1 c $1 4 $1 d $1 6 $1 e $0");
        h.check("hdel h x y", ":0", "");
        h.check("hdel h a a b x", ":2", "hdel h a a b x");
        h.check("hdel h c d e", ":3", "hdel h c d e");
        h.reads("exists h", ":0");
        h.reads("hdel h a", ":0");
    }

    #[test]
    fn wrong_requests_change_nothing() {
        let mut h = Harness::new();
        h.run("set s v");
        h.reads("hset h a", "-ERR wrong number of arguments for 'hset' command");
        h.reads("hset h a 1 b", "-ERR wrong number of arguments for 'hset' command");
        h.reads("hmset h a 1 b", "-ERR wrong number of arguments for 'hmset' command");
        for request in ["hset s a 1", "hmset s a 1", "hsetnx s a 1", "hdel s a"] {
            h.reads(request, WRONG);
        }
        h.reads("exists h", ":0");
    }

    #[test]
    fn changes_are_counted_and_told() {
        let mut h = Harness::new();
        h.notify = Classes::HASH.with(Classes::GENERIC);
        let mut names = |request: &str| {
            let outcome = h.run(request);
            (outcome.tally.dirty, outcome.events.iter().map(|event| event.name).collect::<Vec<_>>())
        };
        assert_eq!(names("hset h a 1 b 2"), (2, vec!["hset"]));
        assert_eq!(names("hsetnx h a 1"), (0, vec![]));
        assert_eq!(names("hsetnx h c 1"), (1, vec!["hset"]));
        assert_eq!(names("hdel h z"), (0, vec![]));
        assert_eq!(names("hdel h a b c d"), (3, vec!["hdel", "del"]));
    }

    #[test]
    fn a_field_past_its_deadline_is_new_again() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2 c 3 d 4");
        h.run("hpexpire h 10 fields 3 a b c");
        h.advance_ms(11);
        h.check("hset h a 5", ":1", "hset h a 5");
        h.check("hsetnx h b 6", ":1", "HSET h b 6");
        h.check("hdel h c", ":0", "hdel h c");
        h.reads("httl h fields 4 a b c d", "*4 :-1 :-1 :-2 :-1");
    }
}
