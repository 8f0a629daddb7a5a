//! MEMORY USAGE: how many bytes one key takes.
//!
//! Called through its rows. Always: the entry's block and its value in the allocator's size classes, plus its place in the
//! table; samples make no difference, for nothing is estimated.

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

const SUBCOMMANDS: &[Row] = &[
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

fn memory_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "memory",
        &[
            "USAGE <key> [SAMPLES <count>]",
            "    Return how many bytes <key> and its value take. <count> is accepted and makes no difference.",
        ],
    );
    Ok(())
}
