//! MGET, MSET and MSETNX: several whole values at once.
//!
//! Called through their rows, with the shards of all keys locked. Always: all or nothing, and one command in the stream.

use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::commands::string::get_set::{STRING, bulk};
use crate::keyspace::notify::Classes;
use crate::types::Str;

pub const ROWS: &[Row] = &[
    Row {
        name: "mget",
        arity: -2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        keys: Keys::ALL,
        access: &["RO", "access"],
        tips: &["request_policy:multi_shard"],
        summary: "Returns the string values of several keys.",
        complexity: "O(N) where N is the number of keys.",
        run: Run::Keyed(mget),
        ..STRING
    },
    Row {
        name: "mset",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::PAIRS,
        access: &["OW", "update"],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        since: "1.0.1",
        summary: "Sets the string values of several keys in one step.",
        complexity: "O(N) where N is the number of keys.",
        run: Run::Keyed(mset),
        ..STRING
    },
    Row {
        name: "msetnx",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::PAIRS,
        access: &["OW", "insert"],
        since: "1.0.1",
        summary: "Sets the string values of several keys in one step if none of them exists.",
        complexity: "O(N) where N is the number of keys.",
        run: Run::Keyed(msetnx),
        ..STRING
    },
];

fn mget(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    ctx.reply.array(ctx.args.len() - 1);
    for key in ctx.args.from(1) {
        // A value of another kind is no string value: null, not an error.
        match ctx.space.read(key).and_then(|entry| entry.as_str()) {
            Some(value) => bulk(ctx.reply, value),
            None => ctx.reply.null(),
        }
    }
    Ok(Effect::None)
}

fn mset(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    check_pairs(ctx)?;
    put_all(ctx);
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn msetnx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    check_pairs(ctx)?;
    let is_free = pairs(&ctx.args).all(|(key, _)| ctx.space.peek(key).is_none());
    if is_free {
        put_all(ctx);
    }
    ctx.reply.int(i64::from(is_free));
    Ok(Effect::verbatim_if(is_free))
}

fn check_pairs(ctx: &Ctx<'_, '_>) -> Result<(), Failure> {
    if ctx.args.len() % 2 == 1 { Ok(()) } else { Err(Failure::wrong_arity(ctx.full_name)) }
}

fn put_all(ctx: &mut Ctx<'_, '_>) {
    for (key, value) in pairs(&ctx.args) {
        ctx.space.put(key, Str::encode(value), None);
        ctx.space.notify(Classes::STRING, "set", key);
    }
}

fn pairs<'a>(args: &Args<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    let args = *args;
    (1..args.len()).step_by(2).map(move |index| (args.get(index), args.get(index + 1)))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn several_values_are_set_and_read_in_one_step() {
        let mut h = Harness::new();
        h.check("mset a 1 b x a 2", "+OK", "mset a 1 b x a 2");
        h.reads("mget a b c a", "*4 $1 2 $1 x $-1 $1 2");
        assert_eq!(h.run("mset a 1 b x a 2").tally, Tally { dirty: 3, ..Tally::default() });
        assert_eq!(h.run("mget a b c").tally, Tally { hits: 2, misses: 1, ..Tally::default() });
        h.reads("mset a 1 b", "-ERR wrong number of arguments for 'mset' command");
        h.reads("msetnx a 1 b", "-ERR wrong number of arguments for 'msetnx' command");
    }

    #[test]
    fn msetnx_sets_all_or_none() {
        let mut h = Harness::new();
        h.check("msetnx a 1 b 2 b 3", ":1", "msetnx a 1 b 2 b 3");
        h.check("msetnx c 1 b 2", ":0", "");
        h.reads("mget a b c", "*3 $1 1 $1 3 $-1");
    }

    #[test]
    fn a_key_that_has_expired_is_free_and_its_del_comes_first() {
        let mut h = Harness::new();
        h.run("set a 1 px 1");
        h.advance_ms(2);
        h.check("msetnx a 2", ":1", "DEL a; msetnx a 2");
        h.run("set a 1 px 1");
        h.check("mset a 2", "+OK", "mset a 2");
        h.advance_ms(2);
        h.reads("get a", "$1 2");
    }
}
