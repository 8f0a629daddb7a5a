//! ZUNION, ZINTER, ZDIFF, their STORE forms and ZINTERCARD: algebra over sorted sets and sets.
//!
//! ```text
//!  sources of all keys, locked together --> weight * score, aggregated by member --> a sorted set --> reply or destination
//! ```
//!
//! Called through their rows. Always: a member of a plain set has the score 1; what would be no number is 0; a missing key is
//! an empty set; every key's type is looked at before anything is answered or changed.

use crate::base::double::parse_double;
use crate::base::number::parse_i64;
use crate::codec::listpack::Item;
use crate::commands::sorted_set::{SORTED_SET, Shape, store};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::entry::Entry;
use crate::types::sorted_set::Limits;
use crate::types::{Collection, Set, SortedSet};

const READ: Row = Row {
    arity: -3,
    flags: flags(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    keys: Keys::Counted { at: 1 },
    access: &["RO", "access"],
    since: "6.2.0",
    ..SORTED_SET
};

const STORE: Row = Row {
    arity: -4,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    keys: Keys::FirstAndCounted { at: 2 },
    access: &["OW", "update"],
    second_access: &["RO", "access"],
    since: "2.0.0",
    ..SORTED_SET
};

const OF_UNION: &str = "O(N*log(N)) with N being the number of members of all sets together.";
const OF_INTERSECTION: &str =
    "O(N*K)+O(M*log(M)) with N being the size of the smallest of K sets and M that of the result.";
const OF_DIFFERENCE: &str =
    "O(L+M*log(M)) with L being the number of members of all sets and M that of the result.";

pub const ROWS: &[Row] = &[
    Row {
        name: "zunion",
        summary: "Returns the members of several sorted sets, their scores combined.",
        complexity: OF_UNION,
        run: Run::Keyed(|ctx| show(ctx, Operation::Union)),
        ..READ
    },
    Row {
        name: "zinter",
        summary: "Returns the members that several sorted sets share, their scores combined.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(|ctx| show(ctx, Operation::Intersection)),
        ..READ
    },
    Row {
        name: "zdiff",
        summary: "Returns the members of the first sorted set that no other has.",
        complexity: OF_DIFFERENCE,
        run: Run::Keyed(|ctx| show(ctx, Operation::Difference)),
        ..READ
    },
    Row {
        name: "zintercard",
        since: "7.0.0",
        summary: "Returns the number of members that several sorted sets share.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(zintercard),
        ..READ
    },
    Row {
        name: "zunionstore",
        summary: "Stores the members of several sorted sets, their scores combined, under another key.",
        complexity: OF_UNION,
        run: Run::Keyed(|ctx| store_result(ctx, Operation::Union, "zunionstore")),
        ..STORE
    },
    Row {
        name: "zinterstore",
        summary: "Stores the members that several sorted sets share, their scores combined, under another key.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(|ctx| store_result(ctx, Operation::Intersection, "zinterstore")),
        ..STORE
    },
    Row {
        name: "zdiffstore",
        since: "6.2.0",
        summary: "Stores the members of the first sorted set that no other has under another key.",
        complexity: OF_DIFFERENCE,
        run: Run::Keyed(|ctx| store_result(ctx, Operation::Difference, "zdiffstore")),
        ..STORE
    },
];

/// What several sets become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What several scores of a member become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // The infinities of both signs add up to no number.
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A request, read.
struct Query<'a> {
    keys: Vec<&'a [u8]>,
    /// One for each key.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

/// `numkeys key [key ...]` from argument `at` on: the keys, and where the options begin. As in Redis, a key of a wrong type is
/// told before options are looked at.
fn parse_keys<'a>(ctx: &mut Ctx<'a, '_>, at: usize) -> Result<(Vec<&'a [u8]>, usize), Failure> {
    let count = usize::try_from(ctx.args.int(at)?).unwrap_or(0);
    if count == 0 {
        return Err(Failure::new(format!(
            "ERR at least 1 input key is needed for '{}' command",
            ctx.full_name
        )));
    }
    if count > ctx.args.len() - at - 1 {
        return Err(Failure::SYNTAX);
    }
    let options = at + 1 + count;
    let keys: Vec<&[u8]> = (at + 1..options).map(|index| ctx.args.get(index)).collect();
    for key in &keys {
        Source::of(ctx.space.peek(key))?;
    }
    Ok((keys, options))
}

impl<'a> Query<'a> {
    fn parse(
        ctx: &mut Ctx<'a, '_>,
        at: usize,
        operation: Operation,
        stores: bool,
    ) -> Result<Query<'a>, Failure> {
        let (keys, mut at) = parse_keys(ctx, at)?;
        let mut query =
            Query { weights: vec![1.0; keys.len()], keys, aggregate: Aggregate::Sum, with_scores: false };
        let has_weights = operation != Operation::Difference;
        let args = &ctx.args;
        while at < args.len() {
            let behind = args.len() - at - 1;
            if has_weights && args.is(at, "weights") && behind >= query.keys.len() {
                query.weights = parse_weights(args, at + 1, query.keys.len())?;
                at += query.keys.len();
            } else if has_weights && args.is(at, "aggregate") && behind >= 1 {
                query.aggregate = parse_aggregate(args.get(at + 1))?;
                at += 1;
            } else if !stores && args.is(at, "withscores") {
                query.with_scores = true;
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        Ok(query)
    }
}

fn parse_weights(args: &Args<'_>, from: usize, count: usize) -> Result<Vec<f64>, Failure> {
    let weight =
        |at: usize| parse_double(args.get(at)).ok_or(Failure::text("ERR weight value is not a float"));
    (from..from + count).map(weight).collect()
}

fn parse_aggregate(word: &[u8]) -> Result<Aggregate, Failure> {
    match () {
        () if word.eq_ignore_ascii_case(b"sum") => Ok(Aggregate::Sum),
        () if word.eq_ignore_ascii_case(b"min") => Ok(Aggregate::Min),
        () if word.eq_ignore_ascii_case(b"max") => Ok(Aggregate::Max),
        () => Err(Failure::SYNTAX),
    }
}

/// What a key contributes.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Sorted(&'a SortedSet),
    Plain(&'a Set),
}

impl<'a> Source<'a> {
    fn of(entry: Option<&'a Entry>) -> Result<Source<'a>, Failure> {
        let Some(entry) = entry else { return Ok(Source::Missing) };
        if let Some(set) = entry.get::<SortedSet>() {
            return Ok(Source::Sorted(set));
        }
        entry.get::<Set>().map(Source::Plain).ok_or(Failure::WRONG_TYPE)
    }

    fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Sorted(set) => set.len(),
            Source::Plain(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Sorted(set) => set.score(member),
            Source::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows members and scores until `found` says that this is enough.
    fn try_each(self, mut found: impl FnMut(Item<'a>, f64) -> bool) {
        match self {
            Source::Missing => {}
            Source::Sorted(set) => drop(set.iter(0..set.len()).all(|(member, score)| found(member, score))),
            Source::Plain(set) => drop(set.iter().all(|member| found(member, 1.0))),
        }
    }
}

fn sources<'a>(entries: &[Option<&'a Entry>]) -> Result<Vec<Source<'a>>, Failure> {
    entries.iter().map(|entry| Source::of(*entry)).collect()
}

/// Sources with their weights, the smallest first: sums of scores are then made in the order in which Redis makes them.
fn by_size<'a>(sources: &[Source<'a>], weights: &[f64]) -> Vec<(Source<'a>, f64)> {
    let mut weighted: Vec<_> = sources.iter().copied().zip(weights.iter().copied()).collect();
    weighted.sort_by_key(|(source, _)| source.len());
    weighted
}

fn union(sources: &[(Source<'_>, f64)], aggregate: Aggregate, limits: Limits) -> SortedSet {
    let total: usize = sources.iter().map(|(source, _)| source.len()).sum();
    let mut result = SortedSet::for_result(total);
    for (source, weight) in sources {
        source.try_each(|member, score| {
            let mut digits = itoa::Buffer::new();
            let (member, score) = (member.bytes(&mut digits), number_or_zero(weight * score));
            let score = result.score(member).map_or(score, |other| aggregate.of(other, score));
            result.set(member, score, limits);
            true
        });
    }
    result
}

/// Calls `found` for each member that all sources share, with its score, until it says that this is enough.
fn intersect(sources: &[(Source<'_>, f64)], aggregate: Aggregate, mut found: impl FnMut(&[u8], f64) -> bool) {
    let Some(((smallest, weight), others)) = sources.split_first() else { return };
    smallest.try_each(|member, score| {
        let mut digits = itoa::Buffer::new();
        let member = member.bytes(&mut digits);
        let mut score = number_or_zero(weight * score);
        for (other, weight) in others {
            let Some(more) = other.score(member) else { return true };
            // Only the first source's product is checked; what else is no number makes a sum zero, and loses against others.
            score = aggregate.of(score, weight * more);
        }
        found(member, score)
    });
}

fn subtract(sources: &[Source<'_>], limits: Limits) -> SortedSet {
    let mut result = SortedSet::for_result(0);
    let Some((first, others)) = sources.split_first() else { return result };
    first.try_each(|member, score| {
        let mut digits = itoa::Buffer::new();
        let member = member.bytes(&mut digits);
        if !others.iter().any(|other| other.score(member).is_some()) {
            result.set(member, score, limits);
        }
        true
    });
    result
}

fn compute(ctx: &mut Ctx<'_, '_>, query: &Query<'_>, operation: Operation) -> Result<SortedSet, Failure> {
    let limits = Limits::of(ctx.config);
    let sources = sources(&ctx.space.read_several(&query.keys))?;
    let weighted = by_size(&sources, &query.weights);
    Ok(match operation {
        Operation::Union => union(&weighted, query.aggregate, limits),
        Operation::Intersection => {
            let mut result = SortedSet::for_result(0);
            intersect(&weighted, query.aggregate, |member, score| {
                result.set(member, score, limits);
                true
            });
            result
        }
        Operation::Difference => subtract(&sources, limits),
    })
}

fn show(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Result<Effect, Failure> {
    let query = Query::parse(ctx, 1, operation, false)?;
    let result = compute(ctx, &query, operation)?;
    let shape = Shape::of(query.with_scores, ctx.reply);
    shape.begin(ctx.reply, result.len());
    result.iter(0..result.len()).for_each(|(member, score)| shape.write(ctx.reply, member, score));
    Ok(Effect::None)
}

fn store_result(ctx: &mut Ctx<'_, '_>, operation: Operation, event: &'static str) -> Result<Effect, Failure> {
    let query = Query::parse(ctx, 2, operation, true)?;
    let result = compute(ctx, &query, operation)?;
    let destination = ctx.args.get(1);
    Ok(store(ctx, destination, result, event))
}

fn zintercard(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (keys, mut at) = parse_keys(ctx, 1)?;
    let mut limit = None;
    while at < ctx.args.len() {
        if !ctx.args.is(at, "limit") || at + 1 == ctx.args.len() {
            return Err(Failure::SYNTAX);
        }
        let most = parse_i64(ctx.args.get(at + 1)).and_then(|most| usize::try_from(most).ok());
        limit = Some(most.ok_or(Failure::text("ERR LIMIT can't be negative"))?).filter(|most| *most > 0);
        at += 2;
    }
    let sources = sources(&ctx.space.read_several(&keys))?;
    let mut count = 0;
    intersect(&by_size(&sources, &vec![1.0; keys.len()]), Aggregate::Sum, |_, _| {
        count += 1;
        limit != Some(count)
    });
    ctx.reply.int(count as i64);
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn algebra_over_sorted_sets_and_sets() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.session.resp3 = false;
            h.run("flushall");
            h.run("zadd a 1 x 2 y 3 z");
            h.run("zadd b 10 y 20 z 30 w");
            h.run("sadd s y 5");
            h.reads("zunion 2 a b withscores", "*8 $1 x $1 1 $1 y $2 12 $1 z $2 23 $1 w $2 30");
            h.reads("zinter 2 a b withscores weights 2 1", "*4 $1 y $2 14 $1 z $2 26");
            h.reads("zinter 3 a b s withscores", "*2 $1 y $2 13");
            h.reads("zunion 2 a s aggregate min withscores", "*8 $1 5 $1 1 $1 x $1 1 $1 y $1 1 $1 z $1 3");
            h.reads("zunion 2 a b aggregate max", "*4 $1 x $1 y $1 z $1 w");
            h.reads("zdiff 2 a s withscores", "*4 $1 x $1 1 $1 z $1 3");
            h.reads("zdiff 2 a a", "*0");
            h.reads("zdiff 2 none a", "*0");
            h.reads("zinter 2 a none", "*0");
            h.reads("zunion 2 a a withscores", "*6 $1 x $1 2 $1 y $1 4 $1 z $1 6");
            h.reads("zinter 2 a a withscores", "*6 $1 x $1 2 $1 y $1 4 $1 z $1 6");
            h.reads("zintercard 2 a b", ":2");
            h.reads("zintercard 2 a b limit 1", ":1");
            h.reads("zintercard 2 a b limit 0", ":2");
            h.check("zunionstore d 2 a s", ":4", "zunionstore d 2 a s");
            h.reads("object encoding d", if entries > 0 { "$8 listpack" } else { "$8 skiplist" });
            h.check("zdiffstore a 2 a b", ":1", "zdiffstore a 2 a b");
            h.reads("zrange a 0 -1", "*1 $1 x");
            h.check("zinterstore d 2 a b", ":0", "zinterstore d 2 a b");
            h.reads("exists d", ":0");
            h.reads("zinterstore d 2 a b", ":0");
            h.session.resp3 = true;
            h.reads("zunion 1 a withscores", "*1 *2 $1 x ,1");
        }
    }

    #[test]
    fn infinities_never_make_what_is_no_number() {
        let mut h = Harness::new();
        h.run("zadd a inf x");
        h.run("zadd b -inf x");
        h.reads("zunion 2 a b withscores", "*2 $1 x $1 0");
        h.reads("zinter 2 a b withscores", "*2 $1 x $1 0");
        h.reads("zunion 1 a weights 0 withscores", "*2 $1 x $1 0");
        h.reads("zinter 1 a weights 0 withscores", "*2 $1 x $1 0");
    }

    #[test]
    fn wrong_words_and_types_are_refused() {
        let mut h = Harness::new();
        h.run("set s v");
        h.run("zadd a 1 x");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "zunion 2 a s;zinter 2 none s;zdiff 2 none s;zintercard 2 none s;zunionstore d 1 s";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("zunion 0 a", "-ERR at least 1 input key is needed for 'zunion' command");
        h.reads("zunionstore d -1 a", "-ERR at least 1 input key is needed for 'zunionstore' command");
        h.reads("zinter x a", "-ERR value is not an integer or out of range");
        h.reads("zinter 2 a", "-ERR syntax error");
        h.reads("zinter 1 a weights", "-ERR syntax error");
        h.reads("zinter 1 a weights x", "-ERR weight value is not a float");
        h.reads("zinter 1 a aggregate avg", "-ERR syntax error");
        h.reads("zdiff 1 a weights 1", "-ERR syntax error");
        h.reads("zunionstore d 1 a withscores", "-ERR syntax error");
        h.reads("zintercard 1 a limit -1", "-ERR LIMIT can't be negative");
        h.reads("zintercard 1 a limit", "-ERR syntax error");
        h.reads("zintercard 1 a withscores", "-ERR syntax error");
    }
}
