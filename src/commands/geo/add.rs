//! GEOADD: positions become scores.
//!
//! Called through its row. Always: all positions are read before the first is added; replicas get the ZADD that it amounts to.

use crate::commands::geo::{GEO, position_at};
use crate::commands::sorted_set::add::{Options, add_pairs};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Rewrite, Row, Run, flags};

pub const ROWS: &[Row] = &[Row {
    name: "geoadd",
    arity: -5,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
    access: &["RW", "update"],
    summary: "Adds members with positions to a sorted set, or moves them.",
    complexity: "O(log(N)) for each member, where N is the number of members of the sorted set.",
    run: Run::Keyed(geoadd),
    ..GEO
}];

/// `[NX|XX] [CH]`, and where the first longitude is.
fn options(args: &Args<'_>) -> Result<(Options, usize), Failure> {
    let mut options = Options::default();
    let mut at = 2;
    while at < args.len() {
        match () {
            () if args.is(at, "nx") => options.new_only = true,
            () if args.is(at, "xx") => options.existing_only = true,
            () if args.is(at, "ch") => options.counts_changes = true,
            () => break,
        }
        at += 1;
    }
    let words = args.len() - at;
    if words == 0 || !words.is_multiple_of(3) || (options.new_only && options.existing_only) {
        return Err(Failure::SYNTAX);
    }
    Ok((options, at))
}

fn geoadd(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    let (options, first) = options(&args)?;
    let mut pairs: Vec<(f64, &[u8])> = Vec::with_capacity((args.len() - first) / 3);
    for at in (first..args.len()).step_by(3) {
        pairs.push((position_at(&args, at)?.to_score(), args.get(at + 2)));
    }
    match add_pairs(ctx, options, pairs.len(), pairs.iter().copied())? {
        Effect::Verbatim => {}
        effect => return Ok(effect),
    }
    let scores: Vec<String> = pairs.iter().map(|(score, _)| (*score as u64).to_string()).collect();
    let mut words: Vec<&[u8]> = vec![b"zadd"];
    words.extend((1..first).map(|at| args.get(at)));
    words.extend(pairs.iter().zip(&scores).flat_map(|((_, member), score)| [score.as_bytes(), *member]));
    let mut rewrite = Rewrite::default();
    rewrite.push(&words);
    Ok(Effect::Rewritten(rewrite))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn positions_are_added_as_scores() {
        let mut h = Harness::new();
        h.check(
            "geoadd s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
            ":2",
            "zadd s 3479099956230698 Palermo 3479447370796909 Catania",
        );
        h.reads("zscore s Palermo", "$16 3479099956230698");
        h.reads("geoadd s nx 1 1 Palermo", ":0");
        h.reads("geoadd s xx 1 1 Rome", ":0");
        h.check("geoadd s xx CH 1 1 Palermo", ":1", "zadd s xx CH 3377822707026402 Palermo");
        h.check("geoadd s 180 85.05112878 edge", ":1", "zadd s 13510798882111488 edge");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut h = Harness::new();
        h.reads("geoadd s nx xx 1 1 a", "-ERR syntax error");
        h.reads("geoadd s 1 1 a 2", "-ERR syntax error");
        h.reads("geoadd s nx ch xx", "-ERR syntax error");
        h.reads("geoadd s x 1 a", "-ERR value is not a valid float");
        h.reads("geoadd s 200 100.5 a", "-ERR invalid longitude,latitude pair 200.000000,100.500000");
        h.reads("geoadd s 1 1 a 1 90 b", "-ERR invalid longitude,latitude pair 1.000000,90.000000");
        h.reads("exists s", ":0");
        h.run("set str v");
        h.reads("geoadd str 1 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    }
}
