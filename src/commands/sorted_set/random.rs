//! ZRANDMEMBER: members by chance.
//!
//! Called through its row. Always: every member is as likely as any other; with a positive count they are distinct, with a
//! negative one each is drawn by itself.

use std::collections::HashSet;

use crate::base::random::Rng;
use crate::codec::listpack::Item;
use crate::commands::sorted_set::{SORTED_SET, Shape, write_member};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::resp::reply::Reply;
use crate::types::sorted_set::SortedSetForm;
use crate::types::{Collection, SortedSet};

pub const ROWS: &[Row] = &[Row {
    name: "zrandmember",
    arity: -2,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    tips: &["nondeterministic_output"],
    since: "6.2.0",
    summary: "Returns members of a sorted set by chance.",
    complexity: "O(N) where N is the number of members returned.",
    run: Run::Keyed(zrandmember),
    ..SORTED_SET
}];

fn zrandmember(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (count, with_scores) = options(ctx)?;
    let Some(set) = ctx.space.read_as::<SortedSet>(ctx.args.get(1))? else {
        match count {
            Some(_) => ctx.reply.array(0),
            None => ctx.reply.null(),
        }
        return Ok(Effect::None);
    };
    let shape = Shape::of(with_scores, ctx.reply);
    match count {
        None => {
            let rank = ctx.rng.below(set.len() as u64) as usize;
            set.iter(rank..rank + 1).for_each(|(member, _)| write_member(ctx.reply, member));
        }
        Some(count) if count < 0 => {
            show_repeated(ctx.reply, ctx.rng, set, count.unsigned_abs() as usize, shape)
        }
        Some(count) => show_distinct(ctx.reply, ctx.rng, set, count as usize, shape),
    }
    Ok(Effect::None)
}

/// `[count [WITHSCORES]]`
fn options(ctx: &Ctx<'_, '_>) -> Result<(Option<i64>, bool), Failure> {
    if ctx.args.len() == 2 {
        return Ok((None, false));
    }
    let count = ctx.args.int(2)?;
    if count == i64::MIN {
        return Err(Failure::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    match ctx.args.len() {
        3 => Ok((Some(count), false)),
        4 if ctx.args.is(3, "withscores") => {
            // Twice as many elements have to be countable.
            let bound = i64::MAX / 2;
            if (-bound..=bound).contains(&count) {
                Ok((Some(count), true))
            } else {
                Err(Failure::OUT_OF_RANGE)
            }
        }
        _ => Err(Failure::SYNTAX),
    }
}

/// The members of a small set, by rank in one step each.
fn by_rank(set: &SortedSet) -> Option<Vec<(Item<'_>, f64)>> {
    match set.form() {
        SortedSetForm::Listpack(_) => Some(set.iter(0..set.len()).collect()),
        SortedSetForm::Tree(_) => None,
    }
}

fn write(reply: &mut Reply, set: &SortedSet, list: Option<&[(Item<'_>, f64)]>, rank: usize, shape: Shape) {
    match list {
        Some(list) => shape.write(reply, list[rank].0, list[rank].1),
        None => set.iter(rank..rank + 1).for_each(|(member, score)| shape.write(reply, member, score)),
    }
}

fn show_repeated(reply: &mut Reply, rng: &mut Rng, set: &SortedSet, count: usize, shape: Shape) {
    shape.begin(reply, count);
    let list = by_rank(set);
    for _ in 0..count {
        write(reply, set, list.as_deref(), rng.below(set.len() as u64) as usize, shape);
        // A client names the count, so it must not name how much memory this takes.
        if reply.is_beyond_limit() {
            break;
        }
    }
}

fn show_distinct(reply: &mut Reply, rng: &mut Rng, set: &SortedSet, count: usize, shape: Shape) {
    let len = set.len();
    if count >= len {
        shape.begin(reply, len);
        set.iter(0..len).for_each(|(member, score)| shape.write(reply, member, score));
        return;
    }
    shape.begin(reply, count);
    let list = by_rank(set);
    // Floyd's way to draw distinct numbers: each step draws one, or takes the step's own if that was drawn before.
    let mut drawn = HashSet::with_capacity(count);
    for step in len - count..len {
        let rank = rng.below(step as u64 + 1) as usize;
        let rank = if drawn.insert(rank) { rank } else { step };
        drawn.insert(rank);
        write(reply, set, list.as_deref(), rank, shape);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::commands::harness::Harness;

    #[test]
    fn members_are_drawn_alike_and_distinct_if_asked() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.run("del z");
            h.run("zadd z 1 a 2 b 3 c 4 d");
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            for _ in 0..400 {
                *seen.entry(h.run("zrandmember z").reply_text()).or_default() += 1;
                let reply = h.run("zrandmember z 2").reply_text();
                let words: BTreeSet<&str> = reply.split(' ').filter(|word| word.len() == 1).collect();
                assert_eq!(words.len(), 2, "{reply}");
                words.into_iter().for_each(|word| *seen.entry(format!("$1 {word}")).or_default() += 1);
            }
            assert_eq!(seen.len(), 4);
            assert!(seen.values().all(|times| (240..360).contains(times)), "{seen:?}");
            h.reads("zrandmember z 9", "*4 $1 a $1 b $1 c $1 d");
            assert!(h.run("zrandmember z -9").reply_text().starts_with("*9 "));
        }
    }

    #[test]
    fn counts_and_scores() {
        let mut h = Harness::new();
        h.run("zadd z 1 a");
        h.reads("zrandmember z 1 withscores", "*2 $1 a $1 1");
        h.reads("zrandmember z -2 withscores", "*4 $1 a $1 1 $1 a $1 1");
        h.reads("zrandmember z 0", "*0");
        h.reads("zrandmember none", "$-1");
        h.reads("zrandmember none 1", "*0");
        h.reads("zrandmember z x", "-ERR value is not an integer or out of range");
        h.reads("zrandmember z 1 scores", "-ERR syntax error");
        h.reads("zrandmember z -9223372036854770000 withscores", "-ERR value is out of range");
        h.session.resp3 = true;
        h.reads("zrandmember z 1 withscores", "*1 *2 $1 a ,1");
        h.run("set s v");
        h.reads("zrandmember s", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    }
}
