//! HSCAN: the fields of a hash, some at a time.
//!
//! Called through its row. Always: what is in the hash from the first call to the last is shown (`types::scan`).

use crate::commands::hash::{HASH, clock, write_item};
use crate::commands::spec::scan::{ScanOptions, Scans, parse_cursor, write_nothing, write_page};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::resp::reply::Reply;
use crate::types::Hash;

pub const ROWS: &[Row] = &[Row {
    name: "hscan",
    arity: -3,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    tips: &["nondeterministic_output"],
    since: "2.8.0",
    summary: "Iterates over the fields of a hash and their values.",
    complexity: "O(1) for every call, O(N) for all calls until the cursor is 0 again.",
    run: Run::Keyed(hscan),
    ..HASH
}];

fn hscan(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (cursor, now) = (parse_cursor(ctx.args.get(2))?, clock(ctx));
    let Some(hash) = ctx.space.read_as::<Hash>(ctx.args.get(1))? else {
        write_nothing(ctx.reply);
        return Ok(Effect::None);
    };
    let options = ScanOptions::parse(&ctx.args, 3, Scans::Fields)?;
    let mut shown = Reply::new();
    let mut count = 0;
    let next = hash.scan(cursor, options.count, now, |name, value| {
        if options.pattern.is_some() && !options.wants(name.bytes(&mut itoa::Buffer::new())) {
            return;
        }
        write_item(&mut shown, name);
        count += 1;
        if !options.no_values {
            write_item(&mut shown, value);
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
    fn small_hashes_are_shown_at_once_and_large_ones_in_parts() {
        let mut h = Harness::new();
        h.run("hset s a 1 b 2 cc 3");
        h.reads("hscan s 0 count 1", "*2 $1 0 *6 $1 a $1 1 $1 b $1 2 $2 cc $1 3");
        h.reads("hscan s 0 match c*", "*2 $1 0 *2 $2 cc $1 3");
        h.reads("hscan s 0 novalues", "*2 $1 0 *3 $1 a $1 b $2 cc");
        h.reads("hscan none 0 nonsense", "*2 $1 0 *0");
        h.reads("hscan none x", "-ERR invalid cursor");
        h.reads("hscan s 0 count 0", "-ERR syntax error");
        h.configure(|config| config.hash_max_listpack_entries = 0);
        h.run("hset t a 1 b 2 c 3");
        h.reads("hscan t 0 count 2", "*2 $1 1 *4 $1 c $1 3 $1 b $1 2");
        h.reads("hscan t 1 count 2", "*2 $1 0 *2 $1 a $1 1");
    }
}
