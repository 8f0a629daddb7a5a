//! XDEL and XSETID: entries go, and what is remembered of those that went is set by hand.
//!
//! Called through their rows. Always: a stream that lost its last entry stays, with its ids and groups.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::keyspace::notify::Classes;
use crate::types::Stream;
use crate::types::stream::StreamId;

pub const ROWS: &[Row] = &[
    Row {
        name: "xdel",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "delete"],
        summary: "Deletes entries of a stream, and returns how many of them were there.",
        complexity: "O(1) for each entry.",
        run: Run::Keyed(xdel),
        ..STREAM
    },
    Row {
        name: "xsetid",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "update"],
        summary: "Sets the last id and the counters of a stream, for replication.",
        run: Run::Keyed(xsetid),
        ..STREAM
    },
];

fn xdel(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    let Some(mut edit) = ctx.space.edit::<Stream>(args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    let ids = parse::ids(&args, 2)?;
    let deleted = edit.change().log_mut().delete(ids.into_iter());
    ctx.reply.int(deleted as i64);
    if deleted > 0 {
        edit.notify(Classes::STREAM, "xdel");
        edit.changed(deleted);
    }
    Ok(Effect::verbatim_if(deleted > 0))
}

/// ENTRIESADDED and MAXDELETEDID.
#[derive(Default)]
struct Counters {
    entries_added: Option<u64>,
    max_deleted_id: Option<StreamId>,
}

fn xsetid(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let id = parse::id(ctx.args.get(2))?;
    let Counters { entries_added, max_deleted_id } = counters(ctx, id)?;
    // A primary of version 7.0 knows no such refusal.
    let from_primary = ctx.from_primary;
    let mut edit = ctx.space.edit::<Stream>(ctx.args.get(1))?.ok_or(Failure::NO_SUCH_KEY)?;
    let log = edit.log();
    if id < log.max_deleted_id() && !from_primary {
        return Err(Failure::text(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if log.newest().is_some_and(|newest| id < newest) {
        return Err(Failure::text(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if entries_added.is_some_and(|added| log.len() > added) {
        return Err(Failure::text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    edit.change().log_mut().set_last_id(id, entries_added, max_deleted_id);
    edit.notify(Classes::STREAM, "xsetid");
    edit.changed(1);
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn counters(ctx: &Ctx<'_, '_>, id: StreamId) -> Result<Counters, Failure> {
    let mut counters = Counters::default();
    let mut at = 3;
    while at < ctx.args.len() {
        if at + 1 == ctx.args.len() {
            return Err(Failure::SYNTAX);
        }
        if ctx.args.is(at, "entriesadded") {
            let added = u64::try_from(ctx.args.int(at + 1)?);
            counters.entries_added =
                Some(added.map_err(|_| Failure::text("ERR entries_added must be positive"))?);
        } else if ctx.args.is(at, "maxdeletedid") {
            let max_deleted = parse::id(ctx.args.get(at + 1))?;
            if id < max_deleted {
                return Err(Failure::text(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            // 0-0 stands for none, and changes nothing.
            counters.max_deleted_id = Some(max_deleted).filter(|id| *id != StreamId::MIN);
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 2;
    }
    Ok(counters)
}
