//! ZSCAN: the members of a sorted set with their scores, some at a time.
//!
//! Called through its row. Always: what is in the set from the first call to the last is shown (`SortedSet::scan`).

use crate::base::double::{write_double, write_percent_17g};
use crate::commands::sorted_set::SORTED_SET;
use crate::commands::spec::scan::{ScanOptions, Scans, parse_cursor, write_nothing, write_page};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::resp::reply::Reply;
use crate::types::SortedSet;
use crate::types::sorted_set::SortedSetForm;

pub const ROWS: &[Row] = &[Row {
    name: "zscan",
    arity: -3,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    tips: &["nondeterministic_output"],
    since: "2.8.0",
    summary: "Iterates over the members of a sorted set and their scores.",
    complexity: "O(1) for every call, O(N) for all calls until the cursor is 0 again.",
    run: Run::Keyed(zscan),
    ..SORTED_SET
}];

fn zscan(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let cursor = parse_cursor(ctx.args.get(2))?;
    let Some(set) = ctx.space.read_as::<SortedSet>(ctx.args.get(1))? else {
        write_nothing(ctx.reply);
        return Ok(Effect::None);
    };
    let options = ScanOptions::parse(&ctx.args, 3, Scans::Members)?;
    // Redis shows the scores of a listpack as they stand in it, and those of a skiplist with all their digits.
    let write_score = match set.form() {
        SortedSetForm::Listpack(_) => write_double,
        SortedSetForm::Tree(_) => write_percent_17g,
    };
    let (mut shown, mut count, mut text) = (Reply::new(), 0, Vec::new());
    let next = set.scan(cursor, options.count, |member, score| {
        if options.wants(member) {
            shown.bulk(member);
            text.clear();
            write_score(&mut text, score);
            shown.bulk(&text);
            count += 2;
        }
    });
    write_page(ctx.reply, next, count, &shown);
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn small_sets_are_shown_at_once_and_large_ones_in_parts() {
        let mut h = Harness::new();
        h.run("zadd z 1 a 0.1 b 3 bb");
        h.reads("zscan z 0 count 1", "*2 $1 0 *6 $1 b $3 0.1 $1 a $1 1 $2 bb $1 3");
        h.reads("zscan z 0 match b*", "*2 $1 0 *4 $1 b $3 0.1 $2 bb $1 3");
        h.reads("zscan none 0 nonsense", "*2 $1 0 *0");
        h.reads("zscan none x", "-ERR invalid cursor");
        h.reads("zscan z 0 count 0", "-ERR syntax error");
        h.configure(|config| config.zset_max_listpack_entries = 0);
        h.run("zadd t 0.1 a");
        h.reads("zscan t 0", "*2 $1 0 *2 $1 a $19 0.10000000000000001");
        (0..100).for_each(|n| drop(h.run(&format!("zadd t {n} m{n}"))));
        let (mut cursor, mut members) = ("0".to_owned(), 0);
        loop {
            let reply = h.run(&format!("zscan t {cursor} count 7")).reply_text();
            let words: Vec<&str> = reply.split(' ').collect();
            cursor = words[2].to_owned();
            members += words[3][1..].parse::<usize>().expect("a count") / 2;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(members, 101);
    }
}
