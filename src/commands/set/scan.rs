//! SSCAN: the members of a set, some at a time.
//!
//! Called through its row. Always: what is in the set from the first call to the last is shown (`types::set::Set::scan`).

use crate::commands::set::{SET, write_member};
use crate::commands::spec::scan::{ScanOptions, Scans, parse_cursor, write_nothing, write_page};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::resp::reply::Reply;
use crate::types::Set;

pub const ROWS: &[Row] = &[Row {
    name: "sscan",
    arity: -3,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    tips: &["nondeterministic_output"],
    since: "2.8.0",
    summary: "Iterates over the members of a set.",
    complexity: "O(1) for every call, O(N) for all calls until the cursor is 0 again.",
    run: Run::Keyed(sscan),
    ..SET
}];

fn sscan(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let cursor = parse_cursor(ctx.args.get(2))?;
    let Some(set) = ctx.space.read_as::<Set>(ctx.args.get(1))? else {
        write_nothing(ctx.reply);
        return Ok(Effect::None);
    };
    let options = ScanOptions::parse(&ctx.args, 3, Scans::Members)?;
    let mut shown = Reply::new();
    let mut count = 0;
    let next = set.scan(cursor, options.count, |member| {
        if options.pattern.is_none() || options.wants(member.bytes(&mut itoa::Buffer::new())) {
            write_member(&mut shown, member);
            count += 1;
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
        h.run("sadd s 1 2 30");
        h.reads("sscan s 0 count 1", "*2 $1 0 *3 $1 1 $1 2 $2 30");
        h.reads("sscan s 0 match 3*", "*2 $1 0 *1 $2 30");
        h.reads("sscan none 0 nonsense", "*2 $1 0 *0");
        h.reads("sscan none x", "-ERR invalid cursor");
        h.reads("sscan s 0 count 0", "-ERR syntax error");
        h.reads("sscan s 0 type set", "-ERR syntax error");
        h.configure(|config| config.set_max_listpack_entries = 0);
        h.run("sadd t a b c");
        h.reads("sscan t 0 count 2", "*2 $1 1 *2 $1 c $1 b");
        h.reads("sscan t 1 count 2", "*2 $1 0 *1 $1 a");
    }
}
