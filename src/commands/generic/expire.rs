//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST: setting and clearing deadlines.
//!
//! Called through their rows. Always: the stream gets an absolute time in milliseconds, and a key whose new deadline
//! has already passed is deleted at once on a primary.

use std::ops::Range;

use crate::base::ids::UnixMs;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;

const BASE: Row = Row {
    arity: -3,
    flags: flags(&[Flags::WRITE, Flags::FAST]),
    keys: Keys::ONE,
    access: &["RW", "update"],
    categories: &["keyspace"],
    group: Group::Generic,
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "expire",
        summary: "Sets the expiration time of a key in seconds.",
        run: Run::Keyed(expire),
        ..BASE
    },
    Row {
        name: "pexpire",
        since: "2.6.0",
        summary: "Sets the expiration time of a key in milliseconds.",
        run: Run::Keyed(pexpire),
        ..BASE
    },
    Row {
        name: "expireat",
        since: "1.2.0",
        summary: "Sets the expiration time of a key to a Unix timestamp.",
        run: Run::Keyed(expireat),
        ..BASE
    },
    Row {
        name: "pexpireat",
        since: "2.6.0",
        summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        run: Run::Keyed(pexpireat),
        ..BASE
    },
    Row {
        name: "persist",
        arity: 2,
        since: "2.2.0",
        summary: "Removes the expiration time of a key.",
        run: Run::Keyed(persist),
        ..BASE
    },
];

/// How the argument counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// NX, XX, GT, LT.
#[derive(Default, Clone, Copy)]
pub(in crate::commands) struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    /// Reads the arguments in `range`.
    pub fn parse(args: &Args<'_>, range: Range<usize>) -> Result<Conditions, Failure> {
        let mut conditions = Conditions::default();
        for at in range {
            match args.get(at).to_ascii_lowercase().as_slice() {
                b"nx" => conditions.nx = true,
                b"xx" => conditions.xx = true,
                b"gt" => conditions.gt = true,
                b"lt" => conditions.lt = true,
                _ => {
                    let option = String::from_utf8_lossy(args.get(at)).into_owned();
                    return Err(Failure::new(format!("ERR Unsupported option {option}")));
                }
            }
        }
        if conditions.nx && (conditions.xx || conditions.gt || conditions.lt) {
            return Err(Failure::text("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if conditions.gt && conditions.lt {
            return Err(Failure::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// No deadline counts as one infinitely far away.
    pub fn allow(self, new: UnixMs, current: Option<UnixMs>) -> bool {
        !(self.nx && current.is_some()
            || self.xx && current.is_none()
            || self.gt && current.is_none_or(|current| new <= current)
            || self.lt && current.is_some_and(|current| new >= current))
    }
}

fn expire(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_deadline(ctx, Unit::Seconds, ctx.now().0)
}

fn pexpire(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_deadline(ctx, Unit::Milliseconds, ctx.now().0)
}

fn expireat(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_deadline(ctx, Unit::Seconds, 0)
}

fn pexpireat(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    set_deadline(ctx, Unit::Milliseconds, 0)
}

/// The argument as a Unix time in milliseconds, if it is one.
fn absolute(number: i64, unit: Unit, base: i64) -> Option<UnixMs> {
    let ms = match unit {
        Unit::Seconds => number.checked_mul(1000)?,
        Unit::Milliseconds => number,
    };
    ms.checked_add(base).map(UnixMs)
}

fn set_deadline(ctx: &mut Ctx<'_, '_>, unit: Unit, base: i64) -> Result<Effect, Failure> {
    let conditions = Conditions::parse(&ctx.args, 3..ctx.args.len())?;
    let number = ctx.args.int(2)?;
    let at = absolute(number, unit, base).ok_or_else(|| Failure::invalid_expire(ctx.full_name))?;
    let now = ctx.now();
    let Slot::Occupied(mut slot) = ctx.space.slot(ctx.args.get(1)) else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    if !conditions.allow(at, slot.entry().deadline()) {
        ctx.reply.int(0);
        return Ok(Effect::None);
    }
    ctx.reply.int(1);
    if at <= now && !ctx.from_primary {
        slot.discard(Why::Expired);
        ctx.space.notify(Classes::GENERIC, "del", ctx.args.get(1));
        return Ok(Effect::rewritten(&[b"DEL", ctx.args.get(1)]));
    }
    slot.set_deadline(Some(at));
    ctx.space.notify(Classes::GENERIC, "expire", ctx.args.get(1));
    if unit == Unit::Milliseconds && base == 0 {
        return Ok(Effect::Verbatim);
    }
    let at = at.0.to_string();
    let mut words: Vec<&[u8]> = vec![b"PEXPIREAT", ctx.args.get(1), at.as_bytes()];
    words.extend(ctx.args.from(3));
    Ok(Effect::rewritten(&words))
}

fn persist(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut cleared = false;
    if let Slot::Occupied(mut slot) = ctx.space.slot(ctx.args.get(1))
        && slot.entry().deadline().is_some()
    {
        slot.set_deadline(None);
        cleared = true;
        ctx.space.notify(Classes::GENERIC, "persist", ctx.args.get(1));
    }
    ctx.reply.int(i64::from(cleared));
    Ok(Effect::verbatim_if(cleared))
}
