//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: when fields expire.
//!
//! Called through their rows. Always: -2 stands for a field that does not exist, -1 for one without a deadline; seconds are
//! rounded to the nearest.

use crate::base::ids::UnixMs;
use crate::commands::hash::expire::answer_missing;
use crate::commands::hash::fields::first_field;
use crate::commands::hash::{HASH, clock};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::types::Hash;

const TTL: Row = Row {
    arity: -5,
    flags: flags(&[Flags::READONLY, Flags::FAST]),
    access: &["RO", "access"],
    since: "9.0.0",
    complexity: "O(N) where N is the number of fields.",
    ..HASH
};

pub const ROWS: &[Row] = &[
    Row {
        name: "httl",
        summary: "Returns how many seconds fields of a hash have left.",
        run: Run::Keyed(|ctx| answer(ctx, |at, now| seconds(left(at, now)))),
        ..TTL
    },
    Row {
        name: "hpttl",
        summary: "Returns how many milliseconds fields of a hash have left.",
        run: Run::Keyed(|ctx| answer(ctx, left)),
        ..TTL
    },
    Row {
        name: "hexpiretime",
        summary: "Returns when fields of a hash expire, in Unix seconds.",
        run: Run::Keyed(|ctx| answer(ctx, |at, _| seconds(at.0))),
        ..TTL
    },
    Row {
        name: "hpexpiretime",
        summary: "Returns when fields of a hash expire, in Unix milliseconds.",
        run: Run::Keyed(|ctx| answer(ctx, |at, _| at.0)),
        ..TTL
    },
];

fn left(at: UnixMs, now: UnixMs) -> i64 {
    at.0.saturating_sub(now.0).max(0)
}

fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

fn answer(ctx: &mut Ctx<'_, '_>, show: fn(UnixMs, UnixMs) -> i64) -> Result<Effect, Failure> {
    let (now, looked_at) = (ctx.now(), clock(ctx));
    if !ctx.args.is(2, "fields") {
        return Err(Failure::SYNTAX);
    }
    let first = first_field(&ctx.args, 2, 1, Failure::SYNTAX)?;
    let Some(hash) = ctx.space.read_as::<Hash>(ctx.args.get(1))? else {
        answer_missing(ctx, ctx.args.len() - first);
        return Ok(Effect::None);
    };
    ctx.reply.array(ctx.args.len() - first);
    for name in ctx.args.from(first) {
        ctx.reply.int(match hash.deadline(name, looked_at) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => show(at, now),
        });
    }
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::{Harness, NOW};

    #[test]
    fn deadlines_are_told_in_every_unit() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2");
        h.run("hpexpire h 1500 fields 1 a");
        h.reads("httl h fields 3 a b c", "*3 :2 :-1 :-2");
        h.reads("hpttl h fields 1 a", "*1 :1500");
        h.reads("hexpiretime h fields 1 a", &format!("*1 :{}", (NOW + 2000) / 1000));
        h.reads("hpexpiretime h fields 1 a", &format!("*1 :{}", NOW + 1500));
        h.reads("httl none fields 2 a b", "*2 :-2 :-2");
        h.reads("httl h field 1 a", "-ERR syntax error");
        h.reads("httl h fields 2 a", "-ERR syntax error");
        h.reads("httl h fields x a", "-ERR value is not an integer or out of range");
        h.run("set s v");
        h.reads("httl s fields 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.advance_ms(1501);
        h.reads("httl h fields 1 a", "*1 :-2");
    }
}
