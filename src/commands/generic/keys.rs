//! DEL, UNLINK, EXISTS, TOUCH, TYPE: whether keys are there, and that they are not any more.
//!
//! Called through their rows. Always: a key named twice counts twice where it is still there the second time.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;

const BASE: Row = Row { categories: &["keyspace"], group: Group::Generic, ..Row::BASE };
const EACH: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub const ROWS: &[Row] = &[
    Row {
        name: "del",
        arity: -2,
        flags: Flags::WRITE,
        keys: Keys::ALL,
        access: &["RM", "delete"],
        tips: EACH,
        summary: "Deletes one or more keys.",
        complexity: "O(N) where N is the number of keys that will be removed.",
        run: Run::Keyed(del),
        ..BASE
    },
    Row {
        name: "unlink",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        keys: Keys::ALL,
        access: &["RM", "delete"],
        tips: EACH,
        since: "4.0.0",
        summary: "Asynchronously deletes one or more keys.",
        complexity: "O(1) for each key removed regardless of its size.",
        run: Run::Keyed(unlink),
        ..BASE
    },
    Row {
        name: "exists",
        arity: -2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        keys: Keys::ALL,
        access: &["RO"],
        tips: EACH,
        summary: "Determines whether one or more keys exist.",
        complexity: "O(N) where N is the number of keys to check.",
        run: Run::Keyed(exists),
        ..BASE
    },
    Row {
        name: "touch",
        arity: -2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        keys: Keys::ALL,
        access: &["RO"],
        tips: EACH,
        since: "3.2.1",
        summary: "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
        complexity: "O(N) where N is the number of keys that will be touched.",
        run: Run::Keyed(touch),
        ..BASE
    },
    Row {
        name: "type",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        keys: Keys::ONE,
        access: &["RO"],
        summary: "Determines the type of value stored at a key.",
        run: Run::Keyed(type_of),
        ..BASE
    },
];

fn del(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    remove(ctx, Why::Deleted)
}

fn unlink(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    remove(ctx, Why::Unlinked)
}

fn remove(ctx: &mut Ctx<'_, '_>, why: Why) -> Result<Effect, Failure> {
    let mut deleted = 0;
    for key in ctx.args.from(1) {
        if ctx.space.delete_for(key, why) {
            ctx.space.notify(Classes::GENERIC, "del", key);
            deleted += 1;
        }
    }
    ctx.reply.int(deleted);
    Ok(Effect::verbatim_if(deleted > 0))
}

fn exists(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut found = 0;
    for key in ctx.args.from(1) {
        found += i64::from(ctx.space.look(key).is_some());
    }
    ctx.reply.int(found);
    Ok(Effect::None)
}

fn touch(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut touched = 0;
    for key in ctx.args.from(1) {
        touched += i64::from(ctx.space.read(key).is_some());
    }
    ctx.reply.int(touched);
    Ok(Effect::None)
}

fn type_of(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let name = ctx.space.look(ctx.args.get(1)).map_or("none", |entry| entry.kind().name());
    ctx.reply.simple(name);
    Ok(Effect::None)
}

/// Takes whatever is at `key` away, to make room; true if something was.
pub(super) fn clear(ctx: &mut Ctx<'_, '_>, db: crate::base::ids::DbIndex, key: &[u8]) -> bool {
    match ctx.space.slot_in(db, key) {
        Slot::Occupied(slot) => {
            slot.discard(Why::Replaced);
            true
        }
        Slot::Vacant(_) => false,
    }
}
