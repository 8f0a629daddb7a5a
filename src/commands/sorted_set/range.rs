//! ZRANGE and what it replaces (ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX), and ZRANGESTORE.
//!
//! ```text
//!  request -> Query { bounds, direction, LIMIT, WITHSCORES } -> ranks in the set -> reply or new set
//! ```
//!
//! Called through their rows. Always: the older commands are ZRANGE with some words fixed, and refuse those words.

use std::ops::Range;

use crate::commands::sorted_set::bounds::{Bounds, By};
use crate::commands::sorted_set::{OF_RANGE, SORTED_SET, Shape, store};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::types::SortedSet;
use crate::types::sorted_set::Limits;

const READ: Row =
    Row { arity: -4, flags: Flags::READONLY, access: &["RO", "access"], complexity: OF_RANGE, ..SORTED_SET };

pub const ROWS: &[Row] = &[
    Row {
        name: "zrange",
        summary: "Returns members within a range of ranks, scores or members.",
        run: Run::Keyed(|ctx| show(ctx, Verb::ANY)),
        ..READ
    },
    Row {
        name: "zrevrange",
        summary: "Returns members within a range of ranks, from the highest score down.",
        run: Run::Keyed(|ctx| show(ctx, Verb { by: Some(By::Rank), reverse: Some(true) })),
        ..READ
    },
    Row {
        name: "zrangebyscore",
        since: "1.0.5",
        summary: "Returns members within a range of scores.",
        run: Run::Keyed(|ctx| show(ctx, Verb { by: Some(By::Score), reverse: Some(false) })),
        ..READ
    },
    Row {
        name: "zrevrangebyscore",
        since: "2.2.0",
        summary: "Returns members within a range of scores, from the highest score down.",
        run: Run::Keyed(|ctx| show(ctx, Verb { by: Some(By::Score), reverse: Some(true) })),
        ..READ
    },
    Row {
        name: "zrangebylex",
        since: "2.8.9",
        summary: "Returns members within a range of their bytes.",
        run: Run::Keyed(|ctx| show(ctx, Verb { by: Some(By::Member), reverse: Some(false) })),
        ..READ
    },
    Row {
        name: "zrevrangebylex",
        since: "2.8.9",
        summary: "Returns members within a range of their bytes, from the highest down.",
        run: Run::Keyed(|ctx| show(ctx, Verb { by: Some(By::Member), reverse: Some(true) })),
        ..READ
    },
    Row {
        name: "zrangestore",
        arity: -5,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::TWO,
        access: &["OW", "update"],
        second_access: &["RO", "access"],
        since: "6.2.0",
        summary: "Stores members within a range of ranks, scores or members under another key.",
        complexity: OF_RANGE,
        run: Run::Keyed(zrangestore),
        ..SORTED_SET
    },
];

/// What a command's name says already; `None` is left to its options.
#[derive(Clone, Copy)]
struct Verb {
    by: Option<By>,
    reverse: Option<bool>,
}

impl Verb {
    const ANY: Verb = Verb { by: None, reverse: None };
}

/// A range as a request asks for it.
struct Query<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    with_scores: bool,
    /// Members to skip; a negative number skips all.
    offset: i64,
    /// Members to show; a negative number is no limit.
    limit: i64,
}

impl<'a> Query<'a> {
    /// Reads bounds from argument `first` on, and the options behind them.
    fn parse(args: &Args<'a>, first: usize, verb: Verb, stores: bool) -> Result<Query<'a>, Failure> {
        let Verb { mut by, mut reverse } = verb;
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut at = first + 2;
        while at < args.len() {
            if !stores && args.is(at, "withscores") {
                with_scores = true;
            } else if args.is(at, "limit") && at + 2 < args.len() {
                (offset, limit) = (args.int(at + 1)?, args.int(at + 2)?);
                at += 2;
            } else if reverse.is_none() && args.is(at, "rev") {
                reverse = Some(true);
            } else if by.is_none() && args.is(at, "bylex") {
                by = Some(By::Member);
            } else if by.is_none() && args.is(at, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(Failure::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Member {
            return Err(Failure::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        // Ranks have no LIMIT, and the one that would change nothing is passed over as a whole.
        let offset = if by == By::Rank { 0 } else { offset };
        // A reversed range names its higher end first.
        let (min, max) = if reverse && by != By::Rank { (first + 1, first) } else { (first, first + 1) };
        Ok(Query { bounds: Bounds::parse(args, by, min, max)?, reverse, with_scores, offset, limit })
    }

    /// The ranks that are asked for, from the lowest score.
    fn ranks_in(&self, set: &SortedSet) -> Range<usize> {
        let all = self.bounds.ranks_in(set, self.reverse);
        let Ok(skipped) = usize::try_from(self.offset) else { return 0..0 };
        let skipped = skipped.min(all.len());
        let count = usize::try_from(self.limit).map_or(usize::MAX, |limit| limit).min(all.len() - skipped);
        if self.reverse {
            let end = all.end - skipped;
            end - count..end
        } else {
            let start = all.start + skipped;
            start..start + count
        }
    }
}

fn show(ctx: &mut Ctx<'_, '_>, verb: Verb) -> Result<Effect, Failure> {
    let query = Query::parse(&ctx.args, 2, verb, false)?;
    let Some(set) = ctx.space.read_as::<SortedSet>(ctx.args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    let shape = Shape::of(query.with_scores, ctx.reply);
    let ranks = query.ranks_in(set);
    shape.begin(ctx.reply, ranks.len());
    if query.reverse {
        set.iter_rev(ranks).for_each(|(member, score)| shape.write(ctx.reply, member, score));
    } else {
        set.iter(ranks).for_each(|(member, score)| shape.write(ctx.reply, member, score));
    }
    Ok(Effect::None)
}

fn zrangestore(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let query = Query::parse(&ctx.args, 3, Verb::ANY, true)?;
    let limits = Limits::of(ctx.config);
    let mut result = SortedSet::default();
    if let Some(set) = ctx.space.read_as::<SortedSet>(ctx.args.get(2))? {
        let ranks = query.ranks_in(set);
        result = SortedSet::for_members(ranks.len(), limits);
        for (member, score) in set.iter(ranks) {
            result.set(member.bytes(&mut itoa::Buffer::new()), score, limits);
        }
    }
    let destination = ctx.args.get(1);
    let effect = store(ctx, destination, result, "zrangestore");
    Ok(match effect {
        // Valkey counts a negative offset from the end of a large set, as a replica too: it is told what became of it.
        Effect::Verbatim if query.offset < 0 => Effect::rewritten(&[b"DEL", destination]),
        Effect::Verbatim | Effect::None | Effect::Rewritten(_) => effect,
    })
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn ranges_of_every_kind_in_both_directions() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.run("del z");
            h.run("zadd z 1 a 2 b 3 c 4 d");
            h.reads("zrange z 1 2", "*2 $1 b $1 c");
            h.reads("zrange z -2 -1 withscores", "*4 $1 c $1 3 $1 d $1 4");
            h.reads("zrange z 0 1 rev", "*2 $1 d $1 c");
            h.reads("zrevrange z 0 1 withscores", "*4 $1 d $1 4 $1 c $1 3");
            h.reads("zrange z (1 3 byscore", "*2 $1 b $1 c");
            h.reads("zrange z 3 (1 byscore rev limit 1 5", "*1 $1 b");
            h.reads("zrangebyscore z -inf +inf limit 1 2", "*2 $1 b $1 c");
            h.reads("zrangebyscore z -inf +inf limit 1 -1", "*3 $1 b $1 c $1 d");
            h.reads("zrangebyscore z -inf +inf limit -1 2", "*0");
            h.reads("zrangebyscore z -inf +inf limit 9 2", "*0");
            h.reads("zrevrangebyscore z +inf (2 withscores", "*4 $1 d $1 4 $1 c $1 3");
            h.reads("zrange z 3 2", "*0");
            h.reads("zrange none 0 -1", "*0");
            h.run("del l");
            h.run("zadd l 0 a 0 b 0 c 0 d");
            h.reads("zrangebylex l [b + limit 1 1", "*1 $1 c");
            h.reads("zrevrangebylex l (d -", "*3 $1 c $1 b $1 a");
            h.reads("zrange l (a (d bylex", "*2 $1 b $1 c");
            h.reads("zrange l + - bylex rev", "*4 $1 d $1 c $1 b $1 a");
        }
        h.session.resp3 = true;
        h.reads("zrange z 0 1 withscores", "*2 *2 $1 a ,1 *2 $1 b ,2");
        h.reads("zrange z 0 0", "*1 $1 a");
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let mut h = Harness::new();
        h.run("set s v");
        let only = "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
        h.reads("zrange z 0 1 limit 0 1", only);
        h.reads("zrevrange z 0 1 limit 0 1", only);
        h.reads("zrange z 0 1 limit 0", "-ERR syntax error");
        h.reads("zrange z 0 1 limit 5 -1", "*0");
        h.run("zadd y 1 a");
        h.reads("zrange y 0 1 limit 5 -1", "*1 $1 a");
        let no_scores = "-ERR syntax error, WITHSCORES not supported in combination with BYLEX";
        h.reads("zrange z - + bylex withscores", no_scores);
        h.reads("zrangebylex z - + withscores", no_scores);
        h.reads("zrangebyscore z 0 1 rev", "-ERR syntax error");
        h.reads("zrevrange z 0 1 byscore", "-ERR syntax error");
        h.reads("zrangestore d z 0 1 withscores", "-ERR syntax error");
        h.reads("zrange z a 1", "-ERR value is not an integer or out of range");
        h.reads("zrange z a 1 byscore", "-ERR min or max is not a float");
        h.reads("zrange z a 1 bylex", "-ERR min or max not valid string range item");
        h.reads("zrange s 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    }

    #[test]
    fn a_range_is_stored_over_whatever_was_there() {
        let mut h = Harness::new();
        h.run("zadd z 1 a 2 b 3 c");
        h.run("set d v ex 100");
        h.check("zrangestore d z 1 -1", ":2", "zrangestore d z 1 -1");
        h.reads("zrange d 0 -1 withscores", "*4 $1 b $1 2 $1 c $1 3");
        h.reads("ttl d", ":-1");
        h.check("zrangestore z z (1 2 byscore", ":1", "zrangestore z z (1 2 byscore");
        h.reads("zrange z 0 -1", "*1 $1 b");
        h.check("zrangestore d none 0 -1", ":0", "zrangestore d none 0 -1");
        h.reads("exists d", ":0");
        h.reads("zrangestore d none 0 -1", ":0");
        // Valkey would find something at a negative offset.
        h.run("zadd d 1 m");
        h.check("zrangestore d z -inf +inf byscore limit -1 5", ":0", "DEL d");
        h.check("zrangestore d z -inf +inf byscore limit -1 5", ":0", "");
    }
}
