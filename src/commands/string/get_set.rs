//! GET and SET: reading and replacing whole values.
//!
//! Called through their rows. Always: an expiry goes into the stream as an absolute time in milliseconds.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::types::Str;

pub const ROWS: &[Row] = &[
    Row {
        name: "get",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        keys: Keys::ONE,
        access: &["RO", "access"],
        categories: &["string"],
        group: Group::String,
        summary: "Returns the string value of a key.",
        run: Run::Keyed(get),
        ..Row::BASE
    },
    Row {
        name: "set",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::ONE,
        access: &["RW", "access", "update", "variable_flags"],
        categories: &["string"],
        group: Group::String,
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        run: Run::Keyed(set),
        ..Row::BASE
    },
];

fn get(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.space.read(ctx.args.get(1)) {
        None => ctx.reply.null(),
        Some(entry) => match entry.as_str().ok_or(Failure::WRONG_TYPE)? {
            Str::Bytes(bytes) => ctx.reply.bulk(bytes),
            Str::Int(number) => ctx.reply.bulk_int(number),
        },
    }
    Ok(Effect::None)
}

fn set(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    ctx.space.put(ctx.args.get(1), Str::encode(ctx.args.get(2)), None);
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}
