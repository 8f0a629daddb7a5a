//! SAVE, BGSAVE, LASTSAVE: the data set goes to disk, now, in the background, or did so at some time.
//!
//! Reached through their rows; what they do is done by `persist::rdb::Saver`, behind the host.
//! Always: none of them runs with a shard's lock held, and none changes a key.

use crate::commands::spec::host::Saving;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

const BASE: Row = Row {
    flags: flags(&[Flags::NO_ASYNC_LOADING, Flags::ADMIN, Flags::NOSCRIPT]),
    group: Group::Server,
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "save",
        arity: 1,
        flags: BASE.flags.and(Flags::NO_MULTI),
        summary: "Synchronously saves the database(s) to disk.",
        complexity: "O(N) where N is the total number of keys in all databases",
        run: Run::Control(save),
        ..BASE
    },
    Row {
        name: "bgsave",
        arity: -1,
        summary: "Asynchronously saves the database(s) to disk.",
        run: Run::Control(bgsave),
        ..BASE
    },
    Row {
        name: "lastsave",
        arity: 1,
        flags: flags(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
        categories: &["admin", "dangerous"],
        tips: &["nondeterministic_output"],
        summary: "Returns the Unix timestamp of the last successful save to disk.",
        run: Run::Control(last_save),
        ..BASE
    },
];

fn save(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.save(control.now)?;
    control.reply.ok();
    Ok(())
}

fn bgsave(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let schedule = match args.len() {
        1 => false,
        2 if args.is(1, "schedule") => true,
        _ => return Err(Failure::SYNTAX),
    };
    control.reply.simple(match control.host.bgsave(schedule, control.now)? {
        Saving::Started => "Background saving started",
        Saving::Scheduled => "Background saving scheduled",
    });
    Ok(())
}

fn last_save(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.int(control.host.last_save().0.div_euclid(1000));
    Ok(())
}
