//! LRANGE, LINDEX and LTRIM: lists by index.
//!
//! Called through their rows. Always: a negative index counts from the end, and a range that reaches beyond the list means the
//! part of it that exists.

use crate::commands::list::{LIST, write_item};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::list::{End, Limits};
use crate::types::{Collection, List};

pub const ROWS: &[Row] = &[
    Row {
        name: "lrange",
        arity: 4,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        summary: "Returns a range of elements of a list.",
        complexity: "O(S+N) where S is the distance of the first element from the nearer end, counted in nodes, and N the \
                     number of elements returned.",
        run: Run::Keyed(lrange),
        ..LIST
    },
    Row {
        name: "lindex",
        arity: 3,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        summary: "Returns an element of a list by its index.",
        complexity: "O(N) where N is the distance from the nearer end, counted in nodes.",
        run: Run::Keyed(lindex),
        ..LIST
    },
    Row {
        name: "ltrim",
        arity: 4,
        flags: flags(&[Flags::WRITE]),
        access: &["RW", "delete"],
        summary: "Removes the elements on both sides of a range. A list of which nothing is left is deleted.",
        complexity: "O(N) where N is the number of elements removed.",
        run: Run::Keyed(ltrim),
        ..LIST
    },
];

/// First index and number of elements of a range within `len` elements. Empty ranges have no elements.
fn range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let from_start = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
    // A stop before the first element means none, even if it is clamped to it.
    let stop = if stop < 0 { stop.saturating_add(len) } else { stop.min(len - 1) };
    let start = from_start(start);
    if start > stop || start >= len { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

fn lrange(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (start, stop) = (ctx.args.int(2)?, ctx.args.int(3)?);
    let Some(list) = ctx.space.read_as::<List>(ctx.args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    let (first, count) = range(start, stop, list.len());
    ctx.reply.array(count);
    if count > 0 {
        let mut left = count;
        list.visit(End::Head, first, |item| {
            write_item(ctx.reply, item);
            left -= 1;
            left > 0
        });
    }
    Ok(Effect::None)
}

fn lindex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let list = ctx.space.read_as::<List>(ctx.args.get(1))?;
    let found = match list {
        None => None,
        Some(list) => list.index(ctx.args.int(2)?).map(|index| (list, index)),
    };
    match found {
        None => ctx.reply.null(),
        Some((list, index)) => list.visit(End::Head, index, |item| {
            write_item(ctx.reply, item);
            false
        }),
    }
    Ok(Effect::None)
}

fn ltrim(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (start, stop) = (ctx.args.int(2)?, ctx.args.int(3)?);
    let limits = Limits::of(ctx.config);
    let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? else {
        ctx.reply.ok();
        return Ok(Effect::None);
    };
    let len = edit.len();
    let (first, count) = range(start, stop, len);
    if count == 0 {
        edit.clear();
    } else {
        let list = edit.change();
        list.remove_range(first + count, len - first - count, limits);
        list.remove_range(0, first, limits);
    }
    edit.changed((len - count) as u64);
    // Even if nothing was trimmed.
    edit.notify(Classes::LIST, "ltrim");
    drop(edit);
    ctx.reply.ok();
    Ok(Effect::verbatim_if(len > count))
}
