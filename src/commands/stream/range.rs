//! XLEN, XRANGE and XREVRANGE: how many entries there are, and those between two ids.
//!
//! Called through their rows. Always: nothing changes; a deleted entry is never seen.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::shape::reply_range;
use crate::types::Stream;

pub const ROWS: &[Row] = &[
    Row {
        name: "xlen",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Returns the number of entries in a stream.",
        run: Run::Keyed(xlen),
        ..STREAM
    },
    Row {
        name: "xrange",
        arity: -4,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        summary: "Returns the entries of a stream between two ids.",
        complexity: "O(N) where N is the number of returned entries.",
        run: Run::Keyed(xrange),
        ..STREAM
    },
    Row {
        name: "xrevrange",
        arity: -4,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        summary: "Returns the entries of a stream between two ids, newest first.",
        complexity: "O(N) where N is the number of returned entries.",
        run: Run::Keyed(xrevrange),
        ..STREAM
    },
];

fn xlen(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let stream = ctx.space.read_as::<Stream>(ctx.args.get(1))?;
    ctx.reply.int(stream.map_or(0, |stream| stream.log().len()) as i64);
    Ok(Effect::None)
}

fn xrange(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    range(ctx, (2, 3), false)
}

fn xrevrange(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    range(ctx, (3, 2), true)
}

fn range(
    ctx: &mut Ctx<'_, '_>,
    (start_at, end_at): (usize, usize),
    is_reversed: bool,
) -> Result<Effect, Failure> {
    let start = parse::start(ctx.args.get(start_at))?;
    let end = parse::end(ctx.args.get(end_at))?;
    let count = count_option(ctx)?;
    match ctx.space.read_as::<Stream>(ctx.args.get(1))? {
        None => ctx.reply.array(0),
        Some(_) if count == Some(0) => ctx.reply.null_array(),
        Some(stream) => {
            let range = stream.log().range(start, end);
            let range = if is_reversed { range.reversed() } else { range };
            reply_range(ctx.reply, range, count.unwrap_or(0));
        }
    }
    Ok(Effect::None)
}

/// The COUNT behind the range; the last one counts.
fn count_option(ctx: &Ctx<'_, '_>) -> Result<Option<u64>, Failure> {
    let mut count = None;
    let mut at = 4;
    while at < ctx.args.len() {
        if !ctx.args.is(at, "count") || at + 1 == ctx.args.len() {
            return Err(Failure::SYNTAX);
        }
        count = Some(parse::count(&ctx.args, at + 1)?);
        at += 2;
    }
    Ok(count)
}
