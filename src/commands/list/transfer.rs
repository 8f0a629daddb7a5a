//! LMOVE, RPOPLPUSH and their blocking twins BLMOVE and BRPOPLPUSH: an element from one list to another, or round one.
//!
//! Called through their rows. Always: both keys are judged before anything changes; in the stream stands the twin that does not
//! block.

use crate::base::ids::UnixMs;
use crate::commands::list::push_pop::pop_one;
use crate::commands::list::{LIST, end_at, pop_name, push_name};
use crate::commands::spec::{Awaited, Ctx, Effect, Failure, Flags, Keys, Row, Run, Wish, flags};
use crate::keyspace::notify::Classes;
use crate::resp::reply::Reply;
use crate::types::list::{End, Limits};
use crate::types::{Kind, List};

const MOVE: Row = Row {
    keys: Keys::TWO,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
    access: &["RW", "access", "delete"],
    second_access: &["RW", "insert"],
    ..LIST
};

const BLOCKING: Row = Row { flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::BLOCKING]), ..MOVE };

pub const ROWS: &[Row] = &[
    Row {
        name: "lmove",
        arity: 5,
        since: "6.2.0",
        summary: "Moves an element from one list to another and returns it. The last one takes its list with it.",
        run: Run::Keyed(lmove),
        ..MOVE
    },
    Row {
        name: "rpoplpush",
        arity: 3,
        since: "1.2.0",
        summary: "Moves the last element of a list to the head of another one and returns it.",
        run: Run::Keyed(rpoplpush),
        ..MOVE
    },
    Row {
        name: "blmove",
        arity: 6,
        since: "6.2.0",
        summary: "Moves an element from one list to another and returns it. Waits for one if there is none.",
        run: Run::Keyed(blmove),
        ..BLOCKING
    },
    Row {
        name: "brpoplpush",
        arity: 4,
        since: "2.2.0",
        summary: "Moves the last element of a list to the head of another one and returns it. Waits for one if there is none.",
        run: Run::Keyed(brpoplpush),
        ..BLOCKING
    },
];

fn lmove(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (from, to) = (end_at(&ctx.args, 3)?, end_at(&ctx.args, 4)?);
    if transfer(ctx, from, to)? {
        return Ok(Effect::Verbatim);
    }
    ctx.reply.null();
    Ok(Effect::None)
}

fn rpoplpush(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    if transfer(ctx, End::Tail, End::Head)? {
        return Ok(Effect::Verbatim);
    }
    ctx.reply.null();
    Ok(Effect::None)
}

fn blmove(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (from, to) = (end_at(&ctx.args, 3)?, end_at(&ctx.args, 4)?);
    let deadline = ctx.deadline_seconds(5)?;
    if transfer(ctx, from, to)? {
        let args = ctx.args;
        return Ok(Effect::rewritten(&[b"LMOVE", args.get(1), args.get(2), args.get(3), args.get(4)]));
    }
    wait(ctx, deadline)
}

fn brpoplpush(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let deadline = ctx.deadline_seconds(3)?;
    if transfer(ctx, End::Tail, End::Head)? {
        return Ok(Effect::rewritten(&[b"RPOPLPUSH", ctx.args.get(1), ctx.args.get(2)]));
    }
    wait(ctx, deadline)
}

fn wait(ctx: &mut Ctx<'_, '_>, deadline: Option<UnixMs>) -> Result<Effect, Failure> {
    if !ctx.block(Wish { keys: Awaited::First, ..Wish::new(Kind::List, deadline) }) {
        ctx.reply.null();
    }
    Ok(Effect::None)
}

/// Moves an element and writes it. False, and nothing written, if there is none.
fn transfer(ctx: &mut Ctx<'_, '_>, from: End, to: End) -> Result<bool, Failure> {
    let (source, destination) = (ctx.args.get(1), ctx.args.get(2));
    let limits = Limits::of(ctx.config);
    let Some(list) = ctx.space.peek_as::<List>(source)? else { return Ok(false) };
    let mut element = Vec::new();
    list.visit(from, 0, |item| {
        element = item.to_vec();
        false
    });
    if source == destination {
        rotate(ctx, from, to, &element, limits)?;
    } else {
        let mut edit = ctx.space.edit_or_insert::<List>(destination, List::default)?;
        let list = edit.change();
        list.expect(element.len(), 1, limits);
        list.push(to, &element);
        edit.changed(1);
        edit.notify(Classes::LIST, push_name(to));
        drop(edit);
        let Some(mut edit) = ctx.space.edit::<List>(source)? else { unreachable!("looked at above") };
        pop_one(&mut edit, from, &mut Reply::new(), limits);
    }
    ctx.reply.bulk(&element);
    Ok(true)
}

/// From one end of a list to the same or the other one.
fn rotate(ctx: &mut Ctx<'_, '_>, from: End, to: End, element: &[u8], limits: Limits) -> Result<(), Failure> {
    if let Some(mut edit) = ctx.space.edit::<List>(ctx.args.get(1))? {
        let list = edit.change();
        list.pop(from, |_| ());
        list.expect(element.len(), 1, limits);
        list.push(to, element);
        edit.changed(1);
        edit.notify(Classes::LIST, push_name(to));
        edit.notify(Classes::LIST, pop_name(from));
    }
    Ok(())
}
