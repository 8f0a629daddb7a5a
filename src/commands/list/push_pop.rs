//! LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP and LLEN: lists by their ends.
//!
//! Called through their rows. Always: several elements are pushed one after the other, so that the last one ends up outermost.

use crate::commands::list::{LIST, pop_name, push_name, write_item};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Edit;
use crate::resp::reply::Reply;
use crate::types::list::{End, Limits};
use crate::types::{Collection, List};

const PUSH: Row = Row {
    arity: -3,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    access: &["RW", "insert"],
    complexity: "O(1) for each element, so O(N) for N elements.",
    ..LIST
};

const POP: Row = Row {
    arity: -2,
    flags: flags(&[Flags::WRITE, Flags::FAST]),
    access: &["RW", "access", "delete"],
    complexity: "O(N) where N is the number of elements returned.",
    ..LIST
};

pub const ROWS: &[Row] = &[
    Row {
        name: "lpush",
        summary: "Prepends elements to a list, which is created if there is none.",
        run: Run::Keyed(lpush),
        ..PUSH
    },
    Row {
        name: "rpush",
        summary: "Appends elements to a list, which is created if there is none.",
        run: Run::Keyed(rpush),
        ..PUSH
    },
    Row {
        name: "lpushx",
        since: "2.2.0",
        summary: "Prepends elements to a list that exists.",
        run: Run::Keyed(lpushx),
        ..PUSH
    },
    Row {
        name: "rpushx",
        since: "2.2.0",
        summary: "Appends elements to a list that exists.",
        run: Run::Keyed(rpushx),
        ..PUSH
    },
    Row {
        name: "lpop",
        summary: "Removes the first elements of a list and returns them. The last one takes the list with it.",
        run: Run::Keyed(lpop),
        ..POP
    },
    Row {
        name: "rpop",
        summary: "Removes the last elements of a list and returns them. The last one takes the list with it.",
        run: Run::Keyed(rpop),
        ..POP
    },
    Row {
        name: "llen",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Returns the length of a list.",
        run: Run::Keyed(llen),
        ..LIST
    },
];

fn lpush(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    push(ctx, End::Head)
}

fn rpush(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    push(ctx, End::Tail)
}

#[inline]
fn push(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    let edit = ctx.space.edit_or_insert::<List>(ctx.args.get(1), List::default)?;
    Ok(push_all(ctx.args, ctx.reply, Limits::of(ctx.config), edit, end))
}

fn lpushx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    push_if_exists(ctx, End::Head)
}

fn rpushx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    push_if_exists(ctx, End::Tail)
}

fn push_if_exists(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    match ctx.space.edit::<List>(ctx.args.get(1))? {
        Some(edit) => Ok(push_all(ctx.args, ctx.reply, Limits::of(ctx.config), edit, end)),
        None => {
            ctx.reply.int(0);
            Ok(Effect::None)
        }
    }
}

#[inline]
fn push_all(
    args: Args<'_>,
    reply: &mut Reply,
    limits: Limits,
    mut edit: Edit<'_, '_, List>,
    end: End,
) -> Effect {
    let count = args.len() - 2;
    let list = edit.change();
    list.expect(args.from(2).map(<[u8]>::len).sum(), count, limits);
    args.from(2).for_each(|element| list.push(end, element));
    reply.int(list.len() as i64);
    edit.changed(count as u64);
    edit.notify(Classes::LIST, push_name(end));
    Effect::Verbatim
}

fn lpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    pop(ctx, End::Head)
}

fn rpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    pop(ctx, End::Tail)
}

/// A number of elements that a client wants to have.
fn positive(ctx: &Ctx<'_, '_>, index: usize) -> Result<usize, Failure> {
    let count = ctx.args.int(index).ok().and_then(|count| usize::try_from(count).ok());
    count.ok_or(Failure::text("ERR value is out of range, must be positive"))
}

#[inline]
fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    if ctx.args.len() > 2 {
        return pop_several(ctx, end);
    }
    let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? else {
        ctx.reply.null();
        return Ok(Effect::None);
    };
    pop_one(&mut edit, end, ctx.reply, Limits::of(ctx.config));
    Ok(Effect::Verbatim)
}

/// Takes one element out of a list and writes it; counts and notes what has to be.
#[inline]
pub(super) fn pop_one(edit: &mut Edit<'_, '_, List>, end: End, reply: &mut Reply, limits: Limits) {
    let list = edit.change();
    list.pop(end, |item| write_item(reply, item)).expect("a list that exists has elements");
    list.shrink(limits);
    edit.changed(1);
    edit.notify(Classes::LIST, pop_name(end));
}

fn pop_several(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    if ctx.args.len() > 3 {
        return Err(Failure::wrong_arity(ctx.full_name));
    }
    let count = positive(ctx, 2)?;
    match ctx.space.edit::<List>(ctx.args.get(1))? {
        None => ctx.reply.null_array(),
        Some(_) if count == 0 => ctx.reply.array(0),
        Some(mut edit) => {
            pop_many(&mut edit, end, count, ctx.reply, Limits::of(ctx.config));
            return Ok(Effect::Verbatim);
        }
    }
    Ok(Effect::None)
}

/// Takes up to `count` elements out of a list, writes them as an array, and counts them. How many there were.
pub(super) fn pop_many(
    edit: &mut Edit<'_, '_, List>,
    end: End,
    count: usize,
    reply: &mut Reply,
    limits: Limits,
) -> usize {
    let list = edit.change();
    let count = count.min(list.len());
    reply.array(count);
    let mut left = count;
    list.visit(end, 0, |item| {
        write_item(reply, item);
        left -= 1;
        left > 0
    });
    let first = match end {
        End::Head => 0,
        End::Tail => list.len() - count,
    };
    list.remove_range(first, count, limits);
    edit.changed(count as u64);
    edit.notify(Classes::LIST, pop_name(end));
    count
}

fn llen(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let len = ctx.space.read_as::<List>(ctx.args.get(1))?.map_or(0, Collection::len);
    ctx.reply.int(len as i64);
    Ok(Effect::None)
}
