//! ZADD and ZINCRBY: members get scores.
//!
//! Called through their rows; GEOADD adds through `add` as well. Always: all scores are read before the first is given; the
//! request goes into the stream as it is, for a sum of two scores is the same everywhere.

use crate::base::double::parse_double;
use crate::commands::sorted_set::SORTED_SET;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::SortedSet;
use crate::types::sorted_set::Limits;

const ADD: Row = Row {
    arity: -4,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    access: &["RW", "update"],
    complexity: "O(log(N)) for each member, where N is the number of members of the sorted set.",
    ..SORTED_SET
};

pub const ROWS: &[Row] = &[
    Row {
        name: "zadd",
        summary: "Adds members to a sorted set, or gives them other scores.",
        run: Run::Keyed(zadd),
        ..ADD
    },
    Row {
        name: "zincrby",
        arity: 4,
        access: &["RW", "access", "update"],
        summary: "Adds a number to the score of a member, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(zincrby),
        ..ADD
    },
];

/// When a member gets its score, and what is answered.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Options {
    /// NX: only members that are new.
    pub new_only: bool,
    /// XX: only members that exist.
    pub existing_only: bool,
    /// GT: only higher scores, or new members.
    pub higher_only: bool,
    /// LT: only lower scores, or new members.
    pub lower_only: bool,
    /// CH: counts changes, not only additions.
    pub counts_changes: bool,
    /// INCR: adds to the score, and answers it.
    pub adds: bool,
}

impl Options {
    /// The options, and where the first score is.
    fn parse(args: &Args<'_>) -> Result<(Options, usize), Failure> {
        let mut options = Options::default();
        let mut at = 2;
        while at < args.len() {
            let option = match args.get(at) {
                [a, b] if a.is_ascii_alphabetic() => match [a.to_ascii_lowercase(), b.to_ascii_lowercase()] {
                    [b'n', b'x'] => &mut options.new_only,
                    [b'x', b'x'] => &mut options.existing_only,
                    [b'g', b't'] => &mut options.higher_only,
                    [b'l', b't'] => &mut options.lower_only,
                    [b'c', b'h'] => &mut options.counts_changes,
                    _ => break,
                },
                word if word.eq_ignore_ascii_case(b"incr") => &mut options.adds,
                _ => break,
            };
            *option = true;
            at += 1;
        }
        Ok((options, at))
    }

    /// Are there pairs of scores and members from `first` on, and do the options fit together?
    fn check(self, args: &Args<'_>, first: usize) -> Result<(), Failure> {
        let words = args.len() - first;
        if words == 0 || !words.is_multiple_of(2) {
            return Err(Failure::SYNTAX);
        }
        self.check_together()?;
        if self.adds && words > 2 {
            return Err(Failure::text("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    fn check_together(self) -> Result<(), Failure> {
        let Options { new_only, existing_only, higher_only, lower_only, .. } = self;
        if new_only && existing_only {
            return Err(Failure::text("ERR XX and NX options at the same time are not compatible"));
        }
        if (new_only && (higher_only || lower_only)) || (higher_only && lower_only) {
            return Err(Failure::text("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        Ok(())
    }

    fn is_conditional(self) -> bool {
        self.new_only || self.existing_only || self.higher_only || self.lower_only || self.adds
    }
}

/// What became of one member.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    /// The options did not allow it.
    Refused,
    Unchanged(f64),
    Added(f64),
    Updated(f64),
}

const NOT_A_NUMBER: Failure = Failure::text("ERR resulting score is not a number (NaN)");

fn add_one(
    set: &mut SortedSet,
    member: &[u8],
    score: f64,
    options: Options,
    limits: Limits,
) -> Result<Outcome, Failure> {
    if !options.is_conditional() {
        return Ok(match set.set(member, score, limits) {
            None => Outcome::Added(score),
            Some(old) if old == score => Outcome::Unchanged(score),
            Some(_) => Outcome::Updated(score),
        });
    }
    let Some(old) = set.score(member) else {
        if options.existing_only {
            return Ok(Outcome::Refused);
        }
        set.set(member, score, limits);
        return Ok(Outcome::Added(score));
    };
    if options.new_only {
        return Ok(Outcome::Refused);
    }
    let score = if options.adds { old + score } else { score };
    if score.is_nan() {
        return Err(NOT_A_NUMBER);
    }
    if (options.lower_only && score >= old) || (options.higher_only && score <= old) {
        return Ok(Outcome::Refused);
    }
    if score == old {
        return Ok(Outcome::Unchanged(score));
    }
    set.set(member, score, limits);
    Ok(Outcome::Updated(score))
}

fn zadd(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (options, first) = Options::parse(&ctx.args)?;
    options.check(&ctx.args, first)?;
    add(ctx, options, first)
}

fn zincrby(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    add(ctx, Options { adds: true, ..Options::default() }, 2)
}

fn score_at(args: &Args<'_>, at: usize) -> Result<f64, Failure> {
    parse_double(args.get(at)).ok_or(Failure::NOT_A_FLOAT)
}

/// Scores and members alternate from `first` on.
fn add(ctx: &mut Ctx<'_, '_>, options: Options, first: usize) -> Result<Effect, Failure> {
    let args = ctx.args;
    // Reading the others twice costs less than keeping them; most requests have one.
    for at in (first + 2..args.len()).step_by(2) {
        score_at(&args, at)?;
    }
    let first_pair = (score_at(&args, first)?, args.get(first + 1));
    let rest = (first + 2..args.len()).step_by(2);
    let others = rest.map(|at| (score_at(&args, at).expect("read above"), args.get(at + 1)));
    add_pairs(ctx, options, (args.len() - first) / 2, std::iter::once(first_pair).chain(others))
}

/// Gives scores to members, and answers.
pub fn add_pairs<'a>(
    ctx: &mut Ctx<'_, '_>,
    options: Options,
    count: usize,
    pairs: impl Iterator<Item = (f64, &'a [u8])> + Clone,
) -> Result<Effect, Failure> {
    let (key, limits) = (ctx.args.get(1), Limits::of(ctx.config));
    // A member that is too long decides about the form at once, as in Redis.
    let is_long = pairs.clone().any(|(_, member)| member.len() > limits.value);
    let expected = if is_long { usize::MAX } else { count };
    let edit = if options.existing_only {
        ctx.space.edit::<SortedSet>(key)?
    } else {
        Some(ctx.space.edit_or_insert(key, || SortedSet::for_members(expected, limits))?)
    };
    let (mut added, mut updated, mut last) = (0, 0, Outcome::Refused);
    if let Some(mut edit) = edit {
        let set = edit.change();
        set.expect(expected, limits);
        for (score, member) in pairs {
            last = add_one(set, member, score, options, limits)?;
            added += u64::from(matches!(last, Outcome::Added(_)));
            updated += u64::from(matches!(last, Outcome::Updated(_)));
        }
        if added + updated > 0 {
            edit.changed(added + updated);
            edit.notify(Classes::SORTED_SET, if options.adds { "zincr" } else { "zadd" });
        }
    }
    match last {
        _ if !options.adds => {
            ctx.reply.int(if options.counts_changes { added + updated } else { added } as i64);
        }
        Outcome::Refused => ctx.reply.null(),
        Outcome::Unchanged(score) | Outcome::Added(score) | Outcome::Updated(score) => {
            ctx.reply.double(score)
        }
    }
    Ok(Effect::verbatim_if(added + updated > 0))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn members_are_added_and_get_other_scores() {
        let mut h = Harness::new();
        h.check("zadd z 1 a", ":1", "zadd z 1 a");
        h.check("zadd z 2 a 1.5 b", ":1", "zadd z 2 a 1.5 b");
        h.reads("zadd z 2 a", ":0");
        h.reads("zrange z 0 -1 withscores", "*4 $1 b $3 1.5 $1 a $1 2");
        h.check("zadd z ch 3 a 9 c", ":2", "zadd z ch 3 a 9 c");
        assert_eq!(h.run("zadd z 4 a 5 b 6 d").tally, Tally { dirty: 3, ..Tally::default() });
        h.check("zadd z inf a", ":0", "zadd z inf a");
        h.reads("zscore z a", "$3 inf");
    }

    #[test]
    fn options_decide_who_gets_a_score() {
        let mut h = Harness::new();
        h.run("zadd z 5 a");
        h.reads("zadd z nx 6 a", ":0");
        h.reads("zadd z xx 6 b", ":0");
        h.reads("zadd none xx 6 b", ":0");
        h.reads("exists none", ":0");
        h.reads("zadd z gt ch 4 a", ":0");
        h.reads("zadd z lt ch 6 a", ":0");
        h.check("zadd z gt ch 6 a 1 n", ":2", "zadd z gt ch 6 a 1 n");
        h.check("ZADD z LT CH 5 a", ":1", "ZADD z LT CH 5 a");
        h.reads("zadd z gt xx ch 4 a 9 m", ":0");
        h.check("zadd z incr 2 a", "$1 7", "zadd z incr 2 a");
        h.reads("zadd z incr nx 2 a", "$-1");
        h.reads("zadd z incr gt -2 a", "$-1");
        h.reads("zadd z incr xx 2 m", "$-1");
        h.reads("zadd z incr 0 a", "$1 7");
        h.check("zincrby z 1.5 m", "$3 1.5", "zincrby z 1.5 m");
        h.session.resp3 = true;
        h.check("zincrby z 1.5 m", ",3", "zincrby z 1.5 m");
        h.reads("zadd z nx incr 2 a", "_");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let mut h = Harness::new();
        h.run("set s v");
        h.reads("zadd z 1", "-ERR wrong number of arguments for 'zadd' command");
        h.reads("zadd z 1 a 2", "-ERR syntax error");
        h.reads("zadd z nx ch incr", "-ERR syntax error");
        h.reads("zadd z 1 a x b", "-ERR value is not a valid float");
        h.reads("zadd z nan a", "-ERR value is not a valid float");
        h.reads("zadd z xx nx 1 a", "-ERR XX and NX options at the same time are not compatible");
        for options in ["gt lt", "nx gt", "nx lt"] {
            h.reads(
                &format!("zadd z {options} 1 a"),
                "-ERR GT, LT, and/or NX options at the same time are not compatible",
            );
        }
        h.reads("zadd z incr 1 a 2 b", "-ERR INCR option supports a single increment-element pair");
        h.reads("exists z", ":0");
        h.reads("zadd s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.run("zadd z inf a");
        h.reads("zincrby z -inf a", "-ERR resulting score is not a number (NaN)");
        h.reads("zscore z a", "$3 inf");
    }

    #[test]
    fn a_set_grows_out_of_its_listpack() {
        let mut h = Harness::new();
        h.configure(|config| config.zset_max_listpack_entries = 2);
        h.run("zadd z 1 a 2 b");
        h.reads("object encoding z", "$8 listpack");
        h.run("zadd z 3 c");
        h.reads("object encoding z", "$8 skiplist");
        h.reads("zrange z 0 -1", "*3 $1 a $1 b $1 c");
    }
}
