//! ZPOPMIN, ZPOPMAX, ZMPOP, and BZPOPMIN, BZPOPMAX, BZMPOP, which wait: members are taken from either end.
//!
//! ```text
//!  ZPOPMIN key [count]                             ZMPOP numkeys key ... MIN|MAX [COUNT n]
//!  BZPOPMIN key ... timeout                 BZMPOP timeout numkeys key ... MIN|MAX [COUNT n]
//! ```
//!
//! Called through their rows, and again for those who wait (`commands::spec::blocking`). Always: what finds its key first goes
//! into the stream as ZPOPMIN or ZPOPMAX of that key.

use crate::base::number::parse_i64;
use crate::codec::listpack::Item;
use crate::commands::sorted_set::{SORTED_SET, Shape};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, Wish, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Edit;
use crate::resp::reply::Reply;
use crate::types::{Collection, Kind, SortedSet};

const POP: Row = Row {
    arity: -2,
    flags: flags(&[Flags::WRITE, Flags::FAST]),
    access: &["RW", "access", "delete"],
    since: "5.0.0",
    complexity: "O(log(N)*M) with N being the number of members and M that of those taken.",
    ..SORTED_SET
};

const WAITING_POP: Row = Row {
    arity: -3,
    flags: flags(&[Flags::WRITE, Flags::BLOCKING, Flags::FAST]),
    keys: Keys::Range { first: 1, last: -2, step: 1 },
    complexity: "O(log(N)) with N being the number of members.",
    ..POP
};

pub const ROWS: &[Row] = &[
    Row {
        name: "zpopmin",
        summary: "Removes the members with the lowest scores and returns them.",
        run: Run::Keyed(|ctx| pop(ctx, End::Min)),
        ..POP
    },
    Row {
        name: "zpopmax",
        summary: "Removes the members with the highest scores and returns them.",
        run: Run::Keyed(|ctx| pop(ctx, End::Max)),
        ..POP
    },
    Row {
        name: "zmpop",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::MOVABLE_KEYS]),
        keys: Keys::Counted { at: 1 },
        since: "7.0.0",
        summary: "Removes the outermost members of the first sorted set that has any and returns them.",
        complexity: "O(K) + O(M*log(N)) with K keys, N members, and M of them taken.",
        run: Run::Keyed(|ctx| pop_first(ctx, 1, false)),
        ..POP
    },
    Row {
        name: "bzpopmin",
        summary: "As ZPOPMIN on the first key that has members, and waits until one has.",
        run: Run::Keyed(|ctx| waiting_pop(ctx, End::Min)),
        ..WAITING_POP
    },
    Row {
        name: "bzpopmax",
        summary: "As ZPOPMAX on the first key that has members, and waits until one has.",
        run: Run::Keyed(|ctx| waiting_pop(ctx, End::Max)),
        ..WAITING_POP
    },
    Row {
        name: "bzmpop",
        arity: -5,
        flags: flags(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
        keys: Keys::Counted { at: 2 },
        since: "7.0.0",
        summary: "As ZMPOP, and waits until a key has members.",
        complexity: "O(K) + O(M*log(N)) with K keys, N members, and M of them taken.",
        run: Run::Keyed(|ctx| pop_first(ctx, 2, true)),
        ..POP
    },
];

/// From where members are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Min,
    Max,
}

impl End {
    fn command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }

    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// Takes up to `count` members and shows them, the outermost first. The array's header is the caller's.
fn take(reply: &mut Reply, edit: &mut Edit<'_, '_, SortedSet>, end: End, count: usize, shape: Shape) {
    let len = edit.len();
    let count = count.min(len);
    let ranks = match end {
        End::Min => 0..count,
        End::Max => len - count..len,
    };
    if end == End::Max && count > 1 {
        edit.iter_rev(ranks.clone()).for_each(|(member, score)| shape.write(reply, member, score));
        edit.change().remove_ranks(ranks, |_, _| {});
    } else {
        edit.change().remove_ranks(ranks, |member, score| shape.write(reply, Item::Bytes(member), score));
    }
    edit.changed(count as u64);
    edit.notify(Classes::SORTED_SET, end.event());
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    let count = match ctx.args.len() {
        2 => None,
        3 => Some(
            at_least(0, ctx.args.get(2))
                .ok_or(Failure::text("ERR value is out of range, must be positive"))?,
        ),
        _ => return Err(Failure::SYNTAX),
    };
    let Some(mut edit) = ctx.space.edit::<SortedSet>(ctx.args.get(1))?.filter(|_| count != Some(0)) else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    let shape = if ctx.reply.resp3() && count.is_some() { Shape::Pairs } else { Shape::Flat };
    let count = count.unwrap_or(1);
    shape.begin(ctx.reply, count.min(edit.len()));
    take(ctx.reply, &mut edit, end, count, shape);
    Ok(Effect::Verbatim)
}

/// A number of at least `least`.
fn at_least(least: i64, word: &[u8]) -> Option<usize> {
    parse_i64(word).filter(|number| *number >= least).and_then(|number| usize::try_from(number).ok())
}

fn waiting_pop(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    let last = ctx.args.len() - 1;
    let deadline = ctx.deadline_seconds(last)?;
    for key in (1..last).map(|at| ctx.args.get(at)) {
        if let Some(mut edit) = ctx.space.edit::<SortedSet>(key)? {
            ctx.reply.array(3);
            ctx.reply.bulk(key);
            take(ctx.reply, &mut edit, end, 1, Shape::Flat);
            return Ok(Effect::rewritten(&[end.command(), key]));
        }
    }
    if !ctx.block(Wish::new(Kind::SortedSet, deadline)) {
        ctx.reply.null_array();
    }
    Ok(Effect::None)
}

/// `numkeys key [key ...] MIN|MAX [COUNT count]`, from argument `first` on: the keys' range, the end and the count.
fn parse_first(args: &Args<'_>, first: usize) -> Result<(std::ops::Range<usize>, End, usize), Failure> {
    let keys = at_least(1, args.get(first)).ok_or(Failure::text("ERR numkeys should be greater than 0"))?;
    let at = first.saturating_add(1).saturating_add(keys);
    if at >= args.len() {
        return Err(Failure::SYNTAX);
    }
    let end = match () {
        () if args.is(at, "min") => End::Min,
        () if args.is(at, "max") => End::Max,
        () => return Err(Failure::SYNTAX),
    };
    let count = match args.len() - at {
        1 => 1,
        more @ 3.. if args.is(at + 1, "count") => {
            let count = at_least(1, args.get(at + 2));
            let count = count.ok_or(Failure::text("ERR count should be greater than 0"))?;
            if more == 3 { count } else { return Err(Failure::SYNTAX) }
        }
        _ => return Err(Failure::SYNTAX),
    };
    Ok((first + 1..at, end, count))
}

fn pop_first(ctx: &mut Ctx<'_, '_>, first: usize, waits: bool) -> Result<Effect, Failure> {
    let (keys, end, count) = parse_first(&ctx.args, first)?;
    let deadline = if waits { ctx.deadline_seconds(1)? } else { None };
    for key in keys.map(|at| ctx.args.get(at)) {
        if let Some(mut edit) = ctx.space.edit::<SortedSet>(key)? {
            let count = count.min(edit.len());
            ctx.reply.array(2);
            ctx.reply.bulk(key);
            ctx.reply.array(count);
            take(ctx.reply, &mut edit, end, count, Shape::Pairs);
            let mut digits = itoa::Buffer::new();
            return Ok(Effect::rewritten(&[end.command(), key, digits.format(count).as_bytes()]));
        }
    }
    if !waits || !ctx.block(Wish::new(Kind::SortedSet, deadline)) {
        ctx.reply.null_array();
    }
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn members_are_taken_from_either_end() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.session.resp3 = false;
            h.run("zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g");
            h.check("zpopmin z", "*2 $1 a $1 1", "zpopmin z");
            h.check("zpopmax z 2", "*4 $1 g $1 7 $1 f $1 6", "zpopmax z 2");
            h.reads("zpopmin z 0", "*0");
            h.reads("zpopmin none", "*0");
            h.session.resp3 = true;
            h.check("zpopmin z", "*2 $1 b ,2", "zpopmin z");
            h.check("zpopmin z 1", "*1 *2 $1 c ,3", "zpopmin z 1");
            assert_eq!(h.run("zpopmax z 9").tally, Tally { dirty: 2, ..Tally::default() });
            h.reads("exists z", ":0");
        }
    }

    #[test]
    fn the_first_key_that_has_members_is_popped() {
        let mut h = Harness::new();
        h.run("zadd z 1 a 2 b 3 c");
        h.check("zmpop 2 none z min", "*2 $1 z *1 *2 $1 a $1 1", "ZPOPMIN z 1");
        h.check("zmpop 1 z max count 9", "*2 $1 z *2 *2 $1 c $1 3 *2 $1 b $1 2", "ZPOPMAX z 2");
        h.reads("zmpop 2 none z min", "*-1");
        h.run("zadd z 1 a 2 b 3 c");
        h.check("bzpopmin none z 0", "*3 $1 z $1 a $1 1", "ZPOPMIN z");
        h.check("bzpopmax none z 0.1", "*3 $1 z $1 c $1 3", "ZPOPMAX z");
        h.check("bzmpop 0 1 z min", "*2 $1 z *1 *2 $1 b $1 2", "ZPOPMIN z 1");
        // A client that cannot wait is answered as if its time were over.
        h.reads("bzpopmin none z 0", "*-1");
        h.reads("bzmpop 0 1 z min", "*-1");
    }

    #[test]
    fn wrong_words_and_types_are_refused() {
        let mut h = Harness::new();
        h.run("set s v");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "zpopmin s;zpopmin s 0;zmpop 2 none s min;bzpopmin none s 0;bzmpop 0 1 s max";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("zpopmin z -1", "-ERR value is out of range, must be positive");
        h.reads("zpopmin z x", "-ERR value is out of range, must be positive");
        h.reads("zpopmin z 1 2", "-ERR syntax error");
        h.reads("zmpop 0 z min", "-ERR numkeys should be greater than 0");
        h.reads("zmpop x z min", "-ERR numkeys should be greater than 0");
        h.reads("zmpop 1 z both", "-ERR syntax error");
        h.reads("zmpop 2 z min", "-ERR syntax error");
        h.reads("zmpop 9223372036854775807 z min", "-ERR syntax error");
        h.reads("zmpop 1 z min count 0", "-ERR count should be greater than 0");
        h.reads("zmpop 1 z min count 1 count 2", "-ERR syntax error");
        h.reads("bzpopmin z x", "-ERR timeout is not a float or out of range");
        h.reads("bzpopmin z -1", "-ERR timeout is negative");
        h.reads("bzmpop -1 1 z min", "-ERR timeout is negative");
    }
}
