//! ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCARD, ZCOUNT, ZLEXCOUNT: single members, and how many there are.
//!
//! Called through their rows. Always: nothing is changed; a key that does not exist is an empty set.

use crate::commands::sorted_set::SORTED_SET;
use crate::commands::sorted_set::bounds::{Bounds, By};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::types::{Collection, SortedSet};

const LOOKUP: Row =
    Row { flags: flags(&[Flags::READONLY, Flags::FAST]), access: &["RO", "access"], ..SORTED_SET };

const OF_DEPTH: &str = "O(log(N)) with N being the number of members of the sorted set.";

pub const ROWS: &[Row] = &[
    Row {
        name: "zscore",
        arity: 3,
        summary: "Returns the score of a member.",
        run: Run::Keyed(zscore),
        ..LOOKUP
    },
    Row {
        name: "zmscore",
        arity: -3,
        since: "6.2.0",
        summary: "Returns the scores of several members.",
        complexity: "O(N) where N is the number of members asked for.",
        run: Run::Keyed(zmscore),
        ..LOOKUP
    },
    Row {
        name: "zrank",
        arity: -3,
        since: "2.0.0",
        summary: "Returns how many members have a lower place than one.",
        complexity: OF_DEPTH,
        run: Run::Keyed(|ctx| rank(ctx, false)),
        ..LOOKUP
    },
    Row {
        name: "zrevrank",
        arity: -3,
        since: "2.0.0",
        summary: "Returns how many members have a higher place than one.",
        complexity: OF_DEPTH,
        run: Run::Keyed(|ctx| rank(ctx, true)),
        ..LOOKUP
    },
    Row {
        name: "zcard",
        arity: 2,
        access: &["RO"],
        summary: "Returns the number of members.",
        run: Run::Keyed(zcard),
        ..LOOKUP
    },
    Row {
        name: "zcount",
        arity: 4,
        since: "2.0.0",
        summary: "Returns the number of members with scores within a range.",
        complexity: OF_DEPTH,
        run: Run::Keyed(|ctx| count(ctx, By::Score)),
        ..LOOKUP
    },
    Row {
        name: "zlexcount",
        arity: 4,
        since: "2.8.9",
        summary: "Returns the number of members within a range of their bytes.",
        complexity: OF_DEPTH,
        run: Run::Keyed(|ctx| count(ctx, By::Member)),
        ..LOOKUP
    },
];

fn zscore(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    match set.and_then(|set| set.score(ctx.args.get(2))) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn zmscore(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    ctx.reply.array(ctx.args.len() - 2);
    for member in ctx.args.from(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    Ok(Effect::None)
}

fn rank(ctx: &mut Ctx<'_, '_>, reverse: bool) -> Result<Effect, Failure> {
    let with_score = match ctx.args.len() {
        3 => false,
        4 if ctx.args.is(3, "withscore") => true,
        4 => return Err(Failure::SYNTAX),
        _ => return Err(Failure::wrong_arity(ctx.full_name)),
    };
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(ctx.args.get(2))?;
        Some((if reverse { set.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            ctx.reply.array(2);
            ctx.reply.int(rank as i64);
            ctx.reply.double(score);
        }
        Some((rank, _)) => ctx.reply.int(rank as i64),
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn zcard(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    ctx.reply.int(set.map_or(0, |set| set.len()) as i64);
    Ok(Effect::None)
}

fn count(ctx: &mut Ctx<'_, '_>, by: By) -> Result<Effect, Failure> {
    let bounds = Bounds::parse(&ctx.args, by, 2, 3)?;
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    ctx.reply.int(set.map_or(0, |set| bounds.ranks_in(set, false).len()) as i64);
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn members_are_asked_for_their_place() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.run("del z");
            h.run("zadd z 1 a 2.5 b 2.5 c -inf d");
            h.reads("zscore z b", "$3 2.5");
            h.reads("zscore z x", "$-1");
            h.reads("zscore none x", "$-1");
            h.reads("zmscore z a x d", "*3 $1 1 $-1 $4 -inf");
            h.reads("zmscore none a", "*1 $-1");
            h.reads("zrank z d", ":0");
            h.reads("zrank z c", ":3");
            h.reads("zrevrank z c", ":0");
            h.reads("zrank z x", "$-1");
            h.reads("zrank z b withscore", "*2 :2 $3 2.5");
            h.reads("zrevrank z x withscore", "*-1");
            h.reads("zcard z", ":4");
            h.reads("zcard none", ":0");
            h.reads("zcount z -inf +inf", ":4");
            h.reads("zcount z (1 2.5", ":2");
            h.reads("zcount z 1 (2.5", ":1");
            h.reads("zcount z 3 1", ":0");
            h.run("del l");
            h.run("zadd l 0 a 0 b 0 c");
            h.reads("zlexcount l - +", ":3");
            h.reads("zlexcount l (a [c", ":2");
            h.reads("zlexcount l [b (c", ":1");
            h.reads("zlexcount l + -", ":0");
        }
        h.session.resp3 = true;
        h.reads("zscore z b", ",2.5");
        h.reads("zrank z b withscore", "*2 :2 ,2.5");
        h.reads("zrank z x withscore", "_");
    }

    #[test]
    fn wrong_words_and_types_are_refused() {
        let mut h = Harness::new();
        h.run("set s v");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "zscore s a;zmscore s a;zrank s a;zrevrank s a;zcard s;zcount s 0 1;zlexcount s - +";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("zrank z a score", "-ERR syntax error");
        h.reads("zrank z a withscore x", "-ERR wrong number of arguments for 'zrank' command");
        h.reads("zcount z a 1", "-ERR min or max is not a float");
        h.reads("zlexcount z a +", "-ERR min or max not valid string range item");
        h.reads("zlexcount z - ++", "-ERR min or max not valid string range item");
    }
}
