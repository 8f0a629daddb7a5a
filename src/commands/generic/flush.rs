//! FLUSHDB, FLUSHALL, SWAPDB: changes of whole databases, while all other threads stand still.
//!
//! Called through their rows. A new set of databases takes the place of the old one; a snapshot that is under way goes on
//! walking what it began with, and the memory of what was flushed is given back on a thread of its own.
//! Always: FLUSHDB and FLUSHALL go into the stream even if there was nothing to delete, as in Redis.

use crate::base::ids::DbIndex;
use crate::commands::spec::{Control, Ctx, Effect, Failure, Flags, Group, Row, Run, flags};
use crate::keyspace::db::Keyspace;

const BASE: Row = Row {
    flags: Flags::WRITE,
    categories: &["keyspace", "dangerous"],
    group: Group::Server,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "flushdb",
        arity: -1,
        summary: "Removes all keys from the current database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        run: Run::Whole(flushdb),
        ..BASE
    },
    Row {
        name: "flushall",
        arity: -1,
        summary: "Removes all keys from all databases.",
        complexity: "O(N) where N is the total number of keys in all databases",
        run: Run::Whole(flushall),
        ..BASE
    },
    Row {
        name: "swapdb",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        tips: &[],
        since: "4.0.0",
        summary: "Swaps two Redis databases.",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        run: Run::Whole(swapdb),
        ..BASE
    },
];

fn check_mode(ctx: &Ctx<'_, '_>) -> Result<(), Failure> {
    let is_mode =
        ctx.args.len() == 1 || ctx.args.len() == 2 && (ctx.args.is(1, "async") || ctx.args.is(1, "sync"));
    if is_mode { Ok(()) } else { Err(Failure::SYNTAX) }
}

fn flushdb(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>) -> Result<Effect, Failure> {
    check_mode(ctx)?;
    let db = ctx.space.db();
    replace(ctx, control, |old| old.with_empty(|index| index == db));
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn flushall(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>) -> Result<Effect, Failure> {
    check_mode(ctx)?;
    // Nobody wants a file of what is about to go.
    control.host.abandon_save();
    replace(ctx, control, |old| old.with_empty(|_| true));
    // With save points the file is to say at once that nothing is left. It then holds this change, too.
    if !ctx.config.save.is_empty() && control.host.save_flushed(ctx.now()) {
        ctx.space.changes.tally.dirty = 0;
    }
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn swapdb(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>) -> Result<Effect, Failure> {
    let index = |at: usize, text: &'static str| {
        let number = ctx.args.int(at).ok().filter(|number| i32::try_from(*number).is_ok());
        number.ok_or(Failure::text(text))
    };
    let first = index(1, "ERR invalid first DB index")?;
    let second = index(2, "ERR invalid second DB index")?;
    let range = 0..ctx.space.databases() as i64;
    if !range.contains(&first) || !range.contains(&second) {
        return Err(Failure::DB_OUT_OF_RANGE);
    }
    let (first, second) = (DbIndex(first as u16), DbIndex(second as u16));
    if first != second {
        replace(ctx, control, |old| old.with_swapped(first, second));
    }
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

/// Puts another set of databases in the place of the present one and tells the watchers.
fn replace(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>, change: impl FnOnce(&Keyspace) -> Keyspace) {
    ctx.space.release();
    let old = control.host.keyspace();
    let new = change(&old);
    let now = ctx.now();
    let removed = old.keys().saturating_sub(new.keys()) as u64;
    control
        .host
        .watches()
        .touch_all(|db, key| (old.db(db).presence(key, now), new.db(db).presence(key, now)));
    control.host.replace_keyspace(new);
    ctx.space.changes.tally.dirty += removed.max(1);
    control.host.discard(old);
}
