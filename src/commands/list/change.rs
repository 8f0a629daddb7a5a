//! LSET, LINSERT and LREM: changes in the middle of lists.
//!
//! Called through their rows. Always: equality is of bytes; `10` and `010` are different elements.

use crate::commands::list::LIST;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::list::{End, Limits, Side};
use crate::types::{Collection, List};

pub const ROWS: &[Row] = &[
    Row {
        name: "lset",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "update"],
        summary: "Sets the element of a list at an index.",
        complexity: "O(N) where N is the distance from the nearer end, counted in nodes.",
        run: Run::Keyed(lset),
        ..LIST
    },
    Row {
        name: "linsert",
        arity: 5,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "insert"],
        since: "2.2.0",
        summary: "Inserts an element before or after another element of a list.",
        complexity: "O(N) where N is the number of elements before the other element.",
        run: Run::Keyed(linsert),
        ..LIST
    },
    Row {
        name: "lrem",
        arity: 4,
        flags: flags(&[Flags::WRITE]),
        access: &["RW", "delete"],
        summary: "Removes elements from a list. The last one takes the list with it.",
        complexity: "O(N+M) where N is the length of the list and M the number of elements removed.",
        run: Run::Keyed(lrem),
        ..LIST
    },
];

fn lset(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let limits = Limits::of(ctx.config);
    let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? else { return Err(Failure::NO_SUCH_KEY) };
    let index = ctx.args.int(2)?;
    if edit.index(index).is_none() {
        return Err(Failure::text("ERR index out of range"));
    }
    edit.change().set(index, ctx.args.get(3), limits);
    edit.changed(1);
    edit.notify(Classes::LIST, "lset");
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn linsert(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let side = match ctx.args.get(2) {
        word if word.eq_ignore_ascii_case(b"before") => Side::Before,
        word if word.eq_ignore_ascii_case(b"after") => Side::After,
        _ => return Err(Failure::SYNTAX),
    };
    let limits = Limits::of(ctx.config);
    let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    let inserted = edit.change().insert(ctx.args.get(3), side, ctx.args.get(4), limits);
    if inserted {
        edit.changed(1);
        edit.notify(Classes::LIST, "linsert");
    }
    ctx.reply.int(if inserted { edit.len() as i64 } else { -1 });
    Ok(Effect::verbatim_if(inserted))
}

fn lrem(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let count = ctx.args.int(2)?;
    let limits = Limits::of(ctx.config);
    let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    let (from, max) = match count {
        0 => (End::Head, usize::MAX),
        1.. => (End::Head, count as usize),
        ..0 => (End::Tail, count.unsigned_abs() as usize),
    };
    let removed = edit.change().remove_equal(ctx.args.get(3), from, max, limits);
    edit.changed(removed as u64);
    if removed > 0 {
        edit.notify(Classes::LIST, "lrem");
    }
    drop(edit);
    ctx.reply.int(removed as i64);
    if removed > 0 && count == i64::MIN {
        // Valkey refuses the smallest number, as a replica too; no list is so long that the next one says anything else.
        return Ok(Effect::rewritten(&[b"LREM", ctx.args.get(1), b"-9223372036854775807", ctx.args.get(3)]));
    }
    Ok(Effect::verbatim_if(removed > 0))
}
