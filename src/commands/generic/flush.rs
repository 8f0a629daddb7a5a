//! FLUSHDB, FLUSHALL, SWAPDB: changes of whole databases, while all other threads stand still.
//!
//! Called through their rows. A new set of databases takes the place of the old one; a snapshot that is under way goes on
//! walking what it began with, and the memory of what was flushed is given back on a thread of its own.
//! SYNC, the default unless lazyfree-lazy-user-flush says otherwise, answers when that memory is free: the client waits, and no
//! thread does.
//! Always: FLUSHDB and FLUSHALL go into the stream even if there was nothing to delete, as in Redis.

use std::sync::Arc;

use crate::base::ids::DbIndex;
use crate::commands::spec::{Control, Ctx, Effect, Failure, Flags, Group, Next, Row, Run, flags};
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

/// When a flush answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// When the memory is free.
    Sync,
    /// When the keys are gone.
    Async,
}

fn mode(ctx: &Ctx<'_, '_>) -> Result<Mode, Failure> {
    match ctx.args.len() {
        1 if ctx.config.lazyfree_lazy_user_flush => Ok(Mode::Async),
        1 => Ok(Mode::Sync),
        2 if ctx.args.is(1, "async") => Ok(Mode::Async),
        2 if ctx.args.is(1, "sync") => Ok(Mode::Sync),
        _ => Err(Failure::SYNTAX),
    }
}

fn flushdb(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>) -> Result<Effect, Failure> {
    let mode = mode(ctx)?;
    let db = ctx.space.db();
    let old = replace(ctx, control, |old| old.with_empty(|index| index == db));
    give_up(ctx, control, old, mode);
    Ok(Effect::Verbatim)
}

fn flushall(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>) -> Result<Effect, Failure> {
    let mode = mode(ctx)?;
    // Nobody wants a file of what is about to go.
    control.host.abandon_save();
    let old = replace(ctx, control, |old| old.with_empty(|_| true));
    // With save points the file is to say at once that nothing is left. It then holds this change, too.
    if !ctx.config.save.is_empty() && control.host.save_flushed(ctx.now()) {
        ctx.space.changes.tally.dirty = 0;
    }
    give_up(ctx, control, old, mode);
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
        let old = replace(ctx, control, |old| old.with_swapped(first, second));
        control.host.discard(old, None);
    }
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

/// Gives the memory back of what has been flushed, and answers: now, or when it is free.
fn give_up(ctx: &mut Ctx<'_, '_>, control: &mut Control<'_>, old: Arc<Keyspace>, mode: Mode) {
    let waits = mode == Mode::Sync && control.may_block && old.keys() > 0;
    if control.host.discard(old, waits.then_some(&control.session.client)) {
        control.next = Next::Block;
    } else {
        ctx.reply.ok();
    }
}

/// Puts another set of databases in the place of the present one, which is returned, and tells the watchers.
fn replace(
    ctx: &mut Ctx<'_, '_>,
    control: &mut Control<'_>,
    change: impl FnOnce(&Keyspace) -> Keyspace,
) -> Arc<Keyspace> {
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
    old
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::commands::spec::Next;

    /// Does a client that sends `request` wait for the memory, with a key there?
    fn check(is_lazy: bool, request: &str, waits: bool) {
        let mut h = Harness::new();
        h.configure(|config| config.lazyfree_lazy_user_flush = is_lazy);
        h.run("set k v");
        let outcome = h.run(request);
        let (next, reply) = if waits { (Next::Block, "") } else { (Next::Continue, "+OK\r\n") };
        assert_eq!(
            (outcome.next, String::from_utf8_lossy(&outcome.reply).as_ref()),
            (next, reply),
            "{request}, lazy: {is_lazy}"
        );
        assert_eq!(h.run(request).next, Next::Continue, "nothing is left to wait for");
    }

    #[test]
    fn a_flush_answers_when_the_memory_is_free_unless_it_is_to_be_done_in_the_background() {
        for name in ["flushall", "flushdb"] {
            check(false, name, true);
            check(true, name, false);
            for is_lazy in [false, true] {
                check(is_lazy, &format!("{name} sync"), true);
                check(is_lazy, &format!("{name} async"), false);
            }
        }
    }
}
