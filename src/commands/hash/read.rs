//! HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN: asking a hash.
//!
//! Called through their rows. Always: fields past their deadline are not shown; HLEN counts them until they are taken out,
//! as in Redis and Valkey.

use crate::commands::hash::{HASH, clock, write_found, write_item};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::types::{Collection, Hash};

const READ: Row = Row { flags: Flags::READONLY, access: &["RO", "access"], ..HASH };

pub const ROWS: &[Row] = &[
    Row {
        name: "hget",
        arity: 3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        summary: "Returns the value of a field of a hash.",
        run: Run::Keyed(hget),
        ..READ
    },
    Row {
        name: "hmget",
        arity: -3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        summary: "Returns the values of several fields of a hash.",
        complexity: "O(N) where N is the number of fields asked for.",
        run: Run::Keyed(hmget),
        ..READ
    },
    Row {
        name: "hgetall",
        arity: 2,
        tips: &["nondeterministic_output_order"],
        summary: "Returns all fields of a hash with their values.",
        complexity: "O(N) where N is the number of fields.",
        run: Run::Keyed(hgetall),
        ..READ
    },
    Row {
        name: "hkeys",
        arity: 2,
        tips: &["nondeterministic_output_order"],
        summary: "Returns the names of all fields of a hash.",
        complexity: "O(N) where N is the number of fields.",
        run: Run::Keyed(hkeys),
        ..READ
    },
    Row {
        name: "hvals",
        arity: 2,
        tips: &["nondeterministic_output_order"],
        summary: "Returns the values of all fields of a hash.",
        complexity: "O(N) where N is the number of fields.",
        run: Run::Keyed(hvals),
        ..READ
    },
    Row {
        name: "hlen",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Returns the number of fields of a hash.",
        run: Run::Keyed(hlen),
        ..READ
    },
    Row {
        name: "hexists",
        arity: 3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Tells whether a hash has a field.",
        run: Run::Keyed(hexists),
        ..READ
    },
    Row {
        name: "hstrlen",
        arity: 3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        since: "3.2.0",
        summary: "Returns the length of the value of a field of a hash.",
        run: Run::Keyed(hstrlen),
        ..READ
    },
];

fn hget(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let hash = ctx.space.read_as::<Hash>(ctx.args.get(1))?;
    write_found(ctx.reply, hash.and_then(|hash| hash.get(ctx.args.get(2), now)));
    Ok(Effect::None)
}

fn hmget(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let hash = ctx.space.read_as::<Hash>(ctx.args.get(1))?;
    ctx.reply.array(ctx.args.len() - 2);
    for name in ctx.args.from(2) {
        write_found(ctx.reply, hash.and_then(|hash| hash.get(name, now)));
    }
    Ok(Effect::None)
}

fn hgetall(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let Some(hash) = ctx.space.read_as::<Hash>(ctx.args.get(1))? else {
        ctx.reply.map(0);
        return Ok(Effect::None);
    };
    ctx.reply.map(hash.live_len(now));
    for (name, value) in hash.iter(now) {
        write_item(ctx.reply, name);
        write_item(ctx.reply, value);
    }
    Ok(Effect::None)
}

fn hkeys(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let Some(hash) = ctx.space.read_as::<Hash>(ctx.args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    ctx.reply.array(hash.live_len(now));
    hash.iter(now).for_each(|(name, _)| write_item(ctx.reply, name));
    Ok(Effect::None)
}

fn hvals(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let Some(hash) = ctx.space.read_as::<Hash>(ctx.args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    ctx.reply.array(hash.live_len(now));
    hash.iter(now).for_each(|(_, value)| write_item(ctx.reply, value));
    Ok(Effect::None)
}

fn hlen(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let len = ctx.space.read_as::<Hash>(ctx.args.get(1))?.map_or(0, Hash::len);
    ctx.reply.int(len as i64);
    Ok(Effect::None)
}

fn hexists(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let hash = ctx.space.read_as::<Hash>(ctx.args.get(1))?;
    let exists = hash.is_some_and(|hash| hash.contains(ctx.args.get(2), now));
    ctx.reply.int(i64::from(exists));
    Ok(Effect::None)
}

fn hstrlen(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let hash = ctx.space.read_as::<Hash>(ctx.args.get(1))?;
    let len = hash.and_then(|hash| hash.get(ctx.args.get(2), now)).map_or(0, |value| value.len());
    ctx.reply.int(len as i64);
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn a_hash_answers_in_both_forms() {
        let mut h = Harness::new();
        h.run("hset small a 1 b two");
        h.run(&format!("hset large a 1 b two {} x", "n".repeat(65)));
        h.run(&format!("hdel large {}", "n".repeat(65)));
        h.reads("object encoding small", "$8 listpack");
        h.reads("object encoding large", "$9 hashtable");
        for key in ["small", "large"] {
            h.reads(&format!("hget {key} a"), "$1 1");
            h.reads(&format!("hget {key} c"), "$-1");
            h.reads(&format!("hmget {key} b c a"), "*3 $3 two $-1 $1 1");
            h.reads(&format!("hgetall {key}"), "*4 $1 a $1 1 $1 b $3 two");
            h.reads(&format!("hkeys {key}"), "*2 $1 a $1 b");
            h.reads(&format!("hvals {key}"), "*2 $1 1 $3 two");
            h.reads(&format!("hlen {key}"), ":2");
            h.reads(&format!("hexists {key} a"), ":1");
            h.reads(&format!("hexists {key} c"), ":0");
            h.reads(&format!("hstrlen {key} b"), ":3");
            h.reads(&format!("hstrlen {key} c"), ":0");
        }
    }

    #[test]
    fn no_key_is_an_empty_hash_and_another_type_is_an_error() {
        let mut h = Harness::new();
        h.run("set s v");
        for (request, empty) in [
            ("hget KEY a", "$-1"),
            ("hmget KEY a b", "*2 $-1 $-1"),
            ("hgetall KEY", "*0"),
            ("hkeys KEY", "*0"),
            ("hvals KEY", "*0"),
            ("hlen KEY", ":0"),
            ("hexists KEY a", ":0"),
            ("hstrlen KEY a", ":0"),
        ] {
            h.reads(&request.replace("KEY", "none"), empty);
            h.reads(
                &request.replace("KEY", "s"),
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            );
        }
        h.session.resp3 = true;
        h.reads("hgetall none", "%0");
        h.run("hset h a 1");
        h.reads("hgetall h", "%1 $1 a $1 1");
        h.reads("hkeys h", "*1 $1 a");
    }

    #[test]
    fn fields_past_their_deadline_are_not_shown() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2");
        h.run("hpexpire h 10 fields 1 a");
        h.advance_ms(11);
        h.reads("hget h a", "$-1");
        h.reads("hmget h a b", "*2 $-1 $1 2");
        h.reads("hgetall h", "*2 $1 b $1 2");
        h.reads("hkeys h", "*1 $1 b");
        h.reads("hvals h", "*1 $1 2");
        h.reads("hexists h a", ":0");
        h.reads("hstrlen h a", ":0");
        h.reads("hlen h", ":2");
        h.reads("hscan h 0", "*2 $1 0 *2 $1 b $1 2");
        h.reads("hrandfield h 5", "*1 $1 b");
    }
}
