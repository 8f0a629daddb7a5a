//! MEMORY: how many bytes one key takes, what all memory went to, and what the allocator has to say.
//!
//! Called through its rows; STATS and DOCTOR are told in `memory_report`. Always: USAGE counts the entry's block and its value
//! in the allocator's size classes, plus its place in the table; samples make no difference, for nothing is estimated.

use crate::base::alloc;
use crate::commands::server::memory_report::{doctor, stats};
use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::keyspace::entry::Entry;

const BASE: Row = Row { group: Group::Server, since: "4.0.0", ..Row::BASE };

pub const ROWS: &[Row] = &[Row {
    name: "memory",
    arity: -2,
    summary: "A container for memory diagnostics commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

/// A report: not a fact that two servers share, and on each node of a cluster another.
const REPORT: Row = Row {
    arity: 2,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..BASE
};

const DEPENDS_ON_MEMORY: &str = "Depends on how much memory is allocated, could be slow";

const SUBCOMMANDS: &[Row] = &[
    Row { name: "doctor", summary: "Outputs a memory problems report.", run: Run::Control(doctor), ..REPORT },
    Row {
        name: "malloc-stats",
        summary: "Returns the allocator statistics.",
        complexity: DEPENDS_ON_MEMORY,
        run: Run::Control(malloc_stats),
        ..REPORT
    },
    Row {
        name: "purge",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Asks the allocator to release memory.",
        complexity: DEPENDS_ON_MEMORY,
        run: Run::Control(purge),
        ..REPORT
    },
    Row { name: "stats", summary: "Returns details about memory usage.", run: Run::Control(stats), ..REPORT },
    Row {
        name: "usage",
        arity: -3,
        flags: Flags::READONLY,
        keys: Keys::Range { first: 2, last: 2, step: 1 },
        access: &["RO"],
        summary: "Estimates the memory usage of a key.",
        complexity: "O(N) where N is the number of samples.",
        run: Run::Keyed(usage),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(memory_help),
        ..BASE
    },
];

fn usage(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.args.len() {
        3 => {}
        5 if ctx.args.is(3, "samples") => {
            if ctx.args.int(4)? < 0 {
                return Err(Failure::SYNTAX);
            }
        }
        _ => return Err(Failure::SYNTAX),
    }
    match ctx.space.peek(ctx.args.get(2)) {
        Some(entry) => {
            let bytes = entry.heap_bytes() + size_of::<Entry>();
            ctx.reply.int(bytes as i64);
        }
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn malloc_stats(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let text =
        alloc::report().map_err(|error| Failure::new(format!("ERR the allocator tells nothing: {error}")))?;
    control.reply.verbatim("txt", &text);
    Ok(())
}

fn purge(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if !alloc::purge() {
        return Err(Failure::text("ERR Error purging dirty pages"));
    }
    control.reply.ok();
    Ok(())
}

fn memory_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "memory",
        &[
            "DOCTOR",
            "    Say what is remarkable about the server's memory.",
            "MALLOC-STATS",
            "    Show what the allocator tells of itself.",
            "PURGE",
            "    Give unused pages back to the system now.",
            "STATS",
            "    Show what memory went to.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return how many bytes <key> and its value take. <count> is accepted and makes no difference.",
        ],
    );
    Ok(())
}
