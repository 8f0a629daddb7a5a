//! SINTER, SUNION, SDIFF, their STORE forms and SINTERCARD: set algebra.
//!
//! ```text
//!  sets of all keys, locked together --> members one by one --> the reply, a new set, or only their number
//! ```
//!
//! Called through their rows. Always: every key's type is looked at before anything is answered or changed; a missing key is
//! an empty set; a result that is empty deletes the destination.

use crate::base::number::parse_i64;
use crate::codec::listpack::{Item, Listpack};
use crate::commands::set::{SET, write_member};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::entry::Entry;
use crate::keyspace::notify::Classes;
use crate::types::set::{Limits, SetForm};
use crate::types::{Collection, Set, Value};

/// What several sets become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

const READ: Row = Row {
    arity: -2,
    flags: Flags::READONLY,
    keys: Keys::ALL,
    access: &["RO", "access"],
    tips: &["nondeterministic_output_order"],
    ..SET
};

const STORE: Row = Row {
    arity: -3,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
    keys: Keys::ALL,
    access: &["OW", "update"],
    second_access: &["RO", "access"],
    ..SET
};

const OF_INTERSECTION: &str =
    "O(N*M) at worst, where N is the size of the smallest set and M the number of sets.";
const OF_ALL: &str = "O(N) where N is the number of members of all sets together.";

pub const ROWS: &[Row] = &[
    Row {
        name: "sinter",
        summary: "Returns the members that several sets share.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(|ctx| show(ctx, Operation::Intersection)),
        ..READ
    },
    Row {
        name: "sunion",
        summary: "Returns the members that any of several sets has.",
        complexity: OF_ALL,
        run: Run::Keyed(|ctx| show(ctx, Operation::Union)),
        ..READ
    },
    Row {
        name: "sdiff",
        summary: "Returns the members of a set that other sets do not have.",
        complexity: OF_ALL,
        run: Run::Keyed(|ctx| show(ctx, Operation::Difference)),
        ..READ
    },
    Row {
        name: "sinterstore",
        summary: "Stores the members that several sets share.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(|ctx| store(ctx, Operation::Intersection, "sinterstore")),
        ..STORE
    },
    Row {
        name: "sunionstore",
        summary: "Stores the members that any of several sets has.",
        complexity: OF_ALL,
        run: Run::Keyed(|ctx| store(ctx, Operation::Union, "sunionstore")),
        ..STORE
    },
    Row {
        name: "sdiffstore",
        summary: "Stores the members of a set that other sets do not have.",
        complexity: OF_ALL,
        run: Run::Keyed(|ctx| store(ctx, Operation::Difference, "sdiffstore")),
        ..STORE
    },
    Row {
        name: "sintercard",
        arity: -3,
        flags: flags(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
        keys: Keys::Counted { at: 1 },
        access: &["RO", "access"],
        since: "7.0.0",
        summary: "Returns how many members several sets share.",
        complexity: OF_INTERSECTION,
        run: Run::Keyed(sintercard),
        ..SET
    },
];

/// The sets behind some entries. A missing one is `None`.
fn sets<'e>(entries: &[Option<&'e Entry>]) -> Result<Vec<Option<&'e Set>>, Failure> {
    let set = |entry: &Option<&'e Entry>| match entry {
        None => Ok(None),
        Some(entry) => entry.get::<Set>().map(Some).ok_or(Failure::WRONG_TYPE),
    };
    entries.iter().map(set).collect()
}

/// Calls `found` for each member of the intersection, until it says that this is enough.
fn intersect(sets: &[Option<&Set>], mut found: impl FnMut(Item<'_>) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        // The same key may be named more than once.
        let is_shared = |set: &&Set| std::ptr::eq(*set, *smallest) || set.contains_item(member);
        if others.iter().all(is_shared) && !found(member) {
            return;
        }
    }
}

/// Calls `found` for each member of the first set that no other has.
fn subtract(sets: &[Option<&Set>], mut found: impl FnMut(Item<'_>)) {
    let Some((Some(first), others)) = sets.split_first() else { return };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return;
    }
    // The largest is the likeliest to have a member.
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    first.iter().filter(|member| !others.iter().any(|set| set.contains_item(*member))).for_each(&mut found);
}

/// Are the other sets so small that taking their members out of the first one is less work than `subtract`? The bound is that of
/// Redis, for what is taken out later leaves its mark on the form of the result.
fn is_rather_removed(sets: &[Option<&Set>]) -> bool {
    let Some((Some(first), others)) = sets.split_first() else { return false };
    let mut others = others.iter().flatten();
    let all: usize = others.clone().map(|set| set.len()).sum::<usize>() + first.len();
    first.len() * (others.clone().count() + 1) / 2 > all && !others.any(|set| std::ptr::eq(*set, *first))
}

/// The first set without the members of the others.
fn remove_others(sets: &[Option<&Set>], limits: &Limits) -> Set {
    let mut rest = unite(&sets[..1], limits);
    for set in sets[1..].iter().flatten() {
        set.for_each(|member| {
            rest.remove(member.bytes(&mut itoa::Buffer::new()));
        });
        if rest.is_empty() {
            break;
        }
    }
    rest
}

fn smallest_is_intset(sets: &[Option<&Set>]) -> bool {
    let smallest = sets.iter().flatten().min_by_key(|set| set.len());
    smallest.is_some_and(|set| matches!(set.form(), SetForm::Intset(_)))
}

fn unite(sets: &[Option<&Set>], limits: &Limits) -> Set {
    let mut union = Set::default();
    for set in sets.iter().flatten() {
        set.for_each(|member| {
            union.add_item(member, limits);
        });
    }
    union
}

fn show(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Result<Effect, Failure> {
    let limits = Limits::of(ctx.config);
    let keys: Vec<&[u8]> = ctx.args.from(1).collect();
    let sets = sets(&ctx.space.read_several(&keys))?;
    let mark = ctx.reply.begin();
    let mut count = 0;
    let mut show = |member: Item<'_>| {
        count += 1;
        write_member(ctx.reply, member);
    };
    match operation {
        Operation::Intersection => intersect(&sets, |member| {
            show(member);
            true
        }),
        Operation::Difference => subtract(&sets, show),
        Operation::Union => match &sets[..] {
            [set] => set.iter().for_each(|set| set.for_each(&mut show)),
            sets => unite(sets, &limits).for_each(show),
        },
    }
    ctx.reply.end_set(mark, count);
    Ok(Effect::None)
}

fn store(ctx: &mut Ctx<'_, '_>, operation: Operation, event: &'static str) -> Result<Effect, Failure> {
    let limits = Limits::of(ctx.config);
    let keys: Vec<&[u8]> = ctx.args.from(2).collect();
    let sets = sets(&ctx.space.read_several(&keys))?;
    let mut result = Set::default();
    match operation {
        // Redis starts with the form of the smallest set; what turns out to be integers only becomes an intset at the end.
        Operation::Intersection if !smallest_is_intset(&sets) => {
            result = Listpack::new().into();
            intersect(&sets, |member| {
                result.add_item(member, &limits);
                true
            });
            result.compact(&limits);
        }
        Operation::Intersection => intersect(&sets, |member| {
            result.add_item(member, &limits);
            true
        }),
        Operation::Difference if is_rather_removed(&sets) => result = remove_others(&sets, &limits),
        Operation::Difference => subtract(&sets, |member| {
            result.add_item(member, &limits);
        }),
        Operation::Union => result = unite(&sets, &limits),
    }
    let (destination, count) = (ctx.args.get(1), result.len());
    ctx.reply.int(count as i64);
    if count > 0 {
        ctx.space.put_value(destination, Value::Set(result), None);
        ctx.space.notify(Classes::SET, event, destination);
        return Ok(Effect::Verbatim);
    }
    let deleted = ctx.space.delete(destination);
    if deleted {
        ctx.space.notify(Classes::GENERIC, "del", destination);
    }
    Ok(Effect::verbatim_if(deleted))
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`: the number of keys, and the limit if there is one.
fn card_options(args: &Args<'_>) -> Result<(usize, Option<usize>), Failure> {
    let keys =
        parse_i64(args.get(1)).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let keys = keys.ok_or(Failure::text("ERR numkeys should be greater than 0"))?;
    if keys > args.len() - 2 {
        return Err(Failure::text("ERR Number of keys can't be greater than number of args"));
    }
    let mut limit = None;
    let mut at = 2 + keys;
    while at < args.len() {
        if !args.is(at, "limit") || at + 1 == args.len() {
            return Err(Failure::SYNTAX);
        }
        let count = parse_i64(args.get(at + 1)).and_then(|count| usize::try_from(count).ok());
        limit = Some(count.ok_or(Failure::text("ERR LIMIT can't be negative"))?).filter(|limit| *limit > 0);
        at += 2;
    }
    Ok((keys, limit))
}

fn sintercard(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (keys, limit) = card_options(&ctx.args)?;
    let keys: Vec<&[u8]> = (2..2 + keys).map(|at| ctx.args.get(at)).collect();
    let sets = sets(&ctx.space.read_several(&keys))?;
    let mut count = 0;
    intersect(&sets, |_| {
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
    fn algebra_over_sets_of_every_form() {
        let mut h = Harness::new();
        h.run("sadd i 1 2 3 4");
        h.run("sadd l 3 4 x");
        h.configure(|config| config.set_max_listpack_entries = 0);
        h.run("sadd t 4 x y");
        h.reads("sinter i l", "*2 $1 3 $1 4");
        h.reads("sinter i l t", "*1 $1 4");
        h.reads("sinter i i", "*4 $1 1 $1 2 $1 3 $1 4");
        h.reads("sinter i none", "*0");
        h.reads("sdiff i l", "*2 $1 1 $1 2");
        h.reads("sdiff i none l t", "*2 $1 1 $1 2");
        h.reads("sdiff i i", "*0");
        h.reads("sdiff none i", "*0");
        h.reads("sunion none", "*0");
        h.reads("sunion i", "*4 $1 1 $1 2 $1 3 $1 4");
        h.reads("sunion l i none", "*5 $1 3 $1 4 $1 x $1 1 $1 2");
        h.reads("sintercard 2 i l", ":2");
        h.reads("sintercard 2 i l limit 1", ":1");
        h.reads("sintercard 2 i l limit 0", ":2");
        h.reads("sintercard 1 i limit 2 limit 3", ":3");
        h.session.resp3 = true;
        h.reads("sinter i l t", "~1 $1 4");
        h.reads("sdiff none", "~0");
    }

    #[test]
    fn a_result_is_stored_over_whatever_was_there() {
        let mut h = Harness::new();
        h.run("sadd a 1 2");
        h.run("sadd b 2 x");
        h.run("set d v ex 100");
        h.check("sinterstore d a b", ":1", "sinterstore d a b");
        h.reads("object encoding d", "$6 intset");
        h.reads("ttl d", ":-1");
        h.check("sunionstore d a b", ":3", "sunionstore d a b");
        h.reads("object encoding d", "$8 listpack");
        h.check("sdiffstore a a b", ":1", "sdiffstore a a b");
        h.reads("smembers a", "*1 $1 1");
        h.check("sinterstore d a none", ":0", "sinterstore d a none");
        h.reads("exists d", ":0");
        h.check("sinterstore d a none", ":0", "");
    }

    #[test]
    fn few_members_are_taken_out_of_a_copy_whose_form_stays() {
        let mut h = Harness::new();
        let long = "l".repeat(70);
        h.run(&format!("sadd a 1 2 3 4 5 {long}"));
        h.run(&format!("sadd b {long}"));
        h.run("sadd c 1 9");
        // Three sets: half of 18 members to look up are no more than 9 to take out.
        h.check("sdiffstore d a b c", ":4", "sdiffstore d a b c");
        h.reads("object encoding d", "$6 intset");
        h.run("sadd a 6 7");
        h.check("sdiffstore d a b c none", ":6", "sdiffstore d a b c none");
        h.reads("object encoding d", "$9 hashtable");
        h.reads("sort d", "*6 $1 2 $1 3 $1 4 $1 5 $1 6 $1 7");
        h.check("sdiffstore d a b c a", ":0", "sdiffstore d a b c a");
        h.run("sadd e 1 2 3 4 5 6 7");
        h.check("sdiffstore e a b e none none", ":0", "sdiffstore e a b e none none");
    }

    #[test]
    fn wrong_types_and_counts_are_refused() {
        let mut h = Harness::new();
        h.run("set str v");
        h.run("sadd s a");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "sinter none str;sinter str none;sunion s str;sdiff none str;sdiffstore d none str;\
                        sinterstore d none str;sintercard 2 none str";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("sintercard 0 s", "-ERR numkeys should be greater than 0");
        h.reads("sintercard x s", "-ERR numkeys should be greater than 0");
        h.reads("sintercard 2 s", "-ERR Number of keys can't be greater than number of args");
        h.reads("sintercard 1 s limit", "-ERR syntax error");
        h.reads("sintercard 1 s limit -1", "-ERR LIMIT can't be negative");
        h.reads("sintercard 1 s limit x", "-ERR LIMIT can't be negative");
        h.reads("sintercard 1 s more 1", "-ERR syntax error");
    }
}
