//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: reading deadlines.
//!
//! Called through their rows. Always: -2 means no such key, -1 no deadline; seconds are rounded to the nearest.

use crate::base::ids::UnixMs;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};

const BASE: Row = Row {
    arity: 2,
    flags: flags(&[Flags::READONLY, Flags::FAST]),
    keys: Keys::ONE,
    access: &["RO", "access"],
    categories: &["keyspace"],
    group: Group::Generic,
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "ttl",
        tips: &["nondeterministic_output"],
        summary: "Returns the expiration time in seconds of a key.",
        run: Run::Keyed(|ctx| answer(ctx, |at, now| seconds(left(at, now)))),
        ..BASE
    },
    Row {
        name: "pttl",
        tips: &["nondeterministic_output"],
        since: "2.6.0",
        summary: "Returns the expiration time in milliseconds of a key.",
        run: Run::Keyed(|ctx| answer(ctx, left)),
        ..BASE
    },
    Row {
        name: "expiretime",
        since: "7.0.0",
        summary: "Returns the expiration time of a key as a Unix timestamp.",
        run: Run::Keyed(|ctx| answer(ctx, |at, _| seconds(at.0))),
        ..BASE
    },
    Row {
        name: "pexpiretime",
        since: "7.0.0",
        summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        run: Run::Keyed(|ctx| answer(ctx, |at, _| at.0)),
        ..BASE
    },
];

fn left(at: UnixMs, now: UnixMs) -> i64 {
    at.0.saturating_sub(now.0).max(0)
}

fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

fn answer(ctx: &mut Ctx<'_, '_>, show: fn(UnixMs, UnixMs) -> i64) -> Result<Effect, Failure> {
    let now = ctx.now();
    let shown = match ctx.space.look(ctx.args.get(1)) {
        None => -2,
        Some(entry) => entry.deadline().map_or(-1, |at| show(at, now)),
    };
    ctx.reply.int(shown);
    Ok(Effect::None)
}
