//! OBJECT: how a value is stored and when it was last used.
//!
//! Called through its rows. Always: looking leaves no trace in the access clock.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};

const BASE: Row = Row {
    arity: 3,
    flags: Flags::READONLY,
    keys: Keys::Range { first: 2, last: 2, step: 1 },
    access: &["RO"],
    categories: &["keyspace"],
    group: Group::Generic,
    since: "2.2.3",
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "object",
    arity: -2,
    flags: Flags(0),
    keys: Keys::None,
    access: &[],
    categories: &[],
    summary: "A container for object introspection commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    run: Run::Container,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "encoding",
        tips: &["nondeterministic_output"],
        summary: "Returns the internal encoding of a Redis object.",
        run: Run::Keyed(encoding),
        ..BASE
    },
    Row {
        name: "freq",
        tips: &["nondeterministic_output"],
        since: "4.0.0",
        summary: "Returns the logarithmic access frequency counter of a Redis object.",
        run: Run::Keyed(freq),
        ..BASE
    },
    Row {
        name: "idletime",
        tips: &["nondeterministic_output"],
        summary: "Returns the time since the last access to a Redis object.",
        run: Run::Keyed(idletime),
        ..BASE
    },
    Row {
        name: "refcount",
        tips: &["nondeterministic_output"],
        summary: "Returns the reference count of a value of a key.",
        run: Run::Keyed(refcount),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        keys: Keys::None,
        access: &[],
        since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(object_help),
        ..BASE
    },
];

fn encoding(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.space.peek(ctx.args.get(2)) {
        Some(entry) => {
            let name = entry.encoding().name();
            ctx.reply.bulk(name.as_bytes());
        }
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn freq(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let lfu = ctx.space.around().lfu;
    match (ctx.space.peek(ctx.args.get(2)), lfu) {
        (None, _) => ctx.reply.null(),
        (Some(entry), Some(lfu)) => {
            let counter = lfu.counter(entry.clock());
            ctx.reply.int(i64::from(counter));
        }
        (Some(_), None) => return Err(NO_LFU),
    }
    Ok(Effect::None)
}

const NO_LFU: Failure = Failure::text(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);

const LFU: Failure = Failure::text(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at \
     runtime LRU and LFU data will take some time to adjust.",
);

fn idletime(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (clock, is_lfu) = (ctx.space.around().clock, ctx.space.around().lfu.is_some());
    match ctx.space.peek(ctx.args.get(2)) {
        Some(_) if is_lfu => return Err(LFU),
        Some(entry) => {
            // The clock wraps at 24 bits.
            let idle = clock.wrapping_sub(entry.clock()) & 0x00ff_ffff;
            ctx.reply.int(i64::from(idle));
        }
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn refcount(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.space.peek(ctx.args.get(2)) {
        Some(_) => ctx.reply.int(1),
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

fn object_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "object",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    );
    Ok(())
}
