//! RENAME, RENAMENX, COPY, MOVE: the same value under another key or in another database.
//!
//! Called through their rows. Always: the deadline travels with the value, and source and destination change under
//! the locks of both.

use crate::base::ids::DbIndex;
use crate::commands::generic::keys::clear;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;

const BASE: Row = Row { categories: &["keyspace"], group: Group::Generic, ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "rename",
        arity: 3,
        flags: Flags::WRITE,
        keys: Keys::TWO,
        access: &["RW", "access", "delete"],
        second_access: &["OW", "update"],
        summary: "Renames a key and overwrites the destination.",
        run: Run::Keyed(rename),
        ..BASE
    },
    Row {
        name: "renamenx",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        keys: Keys::TWO,
        access: &["RW", "access", "delete"],
        second_access: &["OW", "insert"],
        summary: "Renames a key only when the target key name doesn't exist.",
        run: Run::Keyed(renamenx),
        ..BASE
    },
    Row {
        name: "copy",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::OtherDb { pair: true },
        access: &["RO", "access"],
        second_access: &["OW", "update"],
        since: "6.2.0",
        summary: "Copies the value of a key to a new key.",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        run: Run::Keyed(copy),
        ..BASE
    },
    Row {
        name: "move",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        keys: Keys::OtherDb { pair: false },
        access: &["RW", "access", "update"],
        summary: "Moves a key to another database.",
        run: Run::Keyed(move_to),
        ..BASE
    },
];

fn rename(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (source, destination) = (ctx.args.get(1), ctx.args.get(2));
    if ctx.space.peek(source).is_none() {
        return Err(Failure::NO_SUCH_KEY);
    }
    if source == destination {
        ctx.reply.ok();
        return Ok(Effect::None);
    }
    relocate(ctx, (ctx.space.db(), source), (ctx.space.db(), destination), ("rename_from", "rename_to"));
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn renamenx(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (source, destination) = (ctx.args.get(1), ctx.args.get(2));
    if ctx.space.peek(source).is_none() {
        return Err(Failure::NO_SUCH_KEY);
    }
    let is_free = source != destination && ctx.space.peek(destination).is_none();
    if is_free {
        relocate(ctx, (ctx.space.db(), source), (ctx.space.db(), destination), ("rename_from", "rename_to"));
    }
    ctx.reply.int(i64::from(is_free));
    Ok(Effect::verbatim_if(is_free))
}

/// Moves an existing key, over whatever is at the destination. `events` are the names of what happens at either place.
fn relocate(
    ctx: &mut Ctx<'_, '_>,
    from: (DbIndex, &[u8]),
    to: (DbIndex, &[u8]),
    events: (&'static str, &'static str),
) {
    let Slot::Occupied(slot) = ctx.space.slot_in(from.0, from.1) else { return };
    let entry = slot.remove();
    clear(ctx, to.0, to.1);
    let deadline = entry.deadline();
    if let Slot::Vacant(slot) = ctx.space.slot_in(to.0, to.1) {
        slot.insert_renamed(entry, deadline);
    }
    ctx.space.changes.notify(Classes::GENERIC, events.0, from.0, from.1);
    ctx.space.changes.notify(Classes::GENERIC, events.1, to.0, to.1);
}

/// The database that an argument names.
fn database(ctx: &Ctx<'_, '_>, index: usize) -> Result<DbIndex, Failure> {
    let number = ctx.args.int32(index)?;
    if !(0..ctx.space.databases() as i32).contains(&number) {
        return Err(Failure::DB_OUT_OF_RANGE);
    }
    Ok(DbIndex(number as u16))
}

fn copy(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (source, destination) = (ctx.args.get(1), ctx.args.get(2));
    let mut db = ctx.space.db();
    let mut replaces = false;
    let mut at = 3;
    while at < ctx.args.len() {
        if ctx.args.is(at, "replace") {
            replaces = true;
            at += 1;
        } else if ctx.args.is(at, "db") && at + 1 < ctx.args.len() {
            db = database(ctx, at + 1)?;
            at += 2;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if db == ctx.space.db() && source == destination {
        return Err(Failure::SAME_OBJECT);
    }
    let copied = copy_to(ctx, source, (db, destination), replaces);
    ctx.reply.int(i64::from(copied));
    Ok(Effect::verbatim_if(copied))
}

fn copy_to(ctx: &mut Ctx<'_, '_>, source: &[u8], to: (DbIndex, &[u8]), replaces: bool) -> bool {
    // A copy of its own, for source and destination may stand in the same shard.
    let around = *ctx.space.around();
    let Some(entry) = ctx.space.look(source) else { return false };
    let deadline = entry.deadline();
    let twin = entry.copy_as(to.1, deadline, around.stamp, around.clock);
    if ctx.space.peek_in(to.0, to.1).is_some() {
        if !replaces {
            return false;
        }
        clear(ctx, to.0, to.1);
    }
    if let Slot::Vacant(slot) = ctx.space.slot_in(to.0, to.1) {
        slot.insert_renamed(twin, deadline);
    }
    ctx.space.changes.notify(Classes::GENERIC, "copy_to", to.0, to.1);
    true
}

fn move_to(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let db = database(ctx, 2)?;
    if db == ctx.space.db() {
        return Err(Failure::SAME_OBJECT);
    }
    let moves = ctx.space.peek(key).is_some() && ctx.space.peek_in(db, key).is_none();
    if moves {
        relocate(ctx, (ctx.space.db(), key), (db, key), ("move_from", "move_to"));
    }
    ctx.reply.int(i64::from(moves));
    Ok(Effect::verbatim_if(moves))
}
