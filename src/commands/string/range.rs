//! STRLEN, APPEND, SETRANGE, GETRANGE and SUBSTR: strings as arrays of bytes.
//!
//! Called through their rows. Always: a string never grows beyond `proto-max-bulk-len`, except where a primary says so,
//! and a string that was changed in place is reported as `raw`.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::string::get_set::STRING;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::types::Str;

pub const ROWS: &[Row] = &[
    Row {
        name: "strlen",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        since: "2.2.0",
        summary: "Returns the length of a string value in bytes.",
        run: Run::Keyed(strlen),
        ..STRING
    },
    Row {
        name: "append",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "insert"],
        since: "2.0.0",
        summary: "Appends bytes to a string value. Creates the key if it doesn't exist.",
        complexity: "O(1) amortized: the room behind a value doubles when it runs out.",
        run: Run::Keyed(append),
        ..STRING
    },
    Row {
        name: "setrange",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "update"],
        since: "2.2.0",
        summary: "Overwrites a part of a string value from an offset on. Creates the key if it doesn't exist.",
        complexity: "O(M) where M is the length of the new part, and of the gap before it if there is one.",
        run: Run::Keyed(setrange),
        ..STRING
    },
    Row {
        name: "getrange",
        arity: 4,
        flags: flags(&[Flags::READONLY]),
        access: &["RO", "access"],
        since: "2.4.0",
        summary: "Returns a part of a string value.",
        complexity: "O(N) where N is the length of the part.",
        run: Run::Keyed(getrange),
        ..STRING
    },
    Row {
        name: "substr",
        arity: 4,
        flags: flags(&[Flags::READONLY]),
        access: &["RO", "access"],
        summary: "Returns a part of a string value. Older name of GETRANGE.",
        complexity: "O(N) where N is the length of the part.",
        run: Run::Keyed(getrange),
        ..STRING
    },
];

fn strlen(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let len = match ctx.space.read(ctx.args.get(1)) {
        None => 0,
        Some(entry) => entry.as_str().ok_or(Failure::WRONG_TYPE)?.len(),
    };
    ctx.reply.int(len as i64);
    Ok(Effect::None)
}

fn append(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let added = ctx.args.get(2);
    let limit = length_limit(ctx);
    let len = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            slot.insert_string(Str::encode(added), None);
            added.len()
        }
        Slot::Occupied(mut slot) => {
            let old = slot.as_str().ok_or(Failure::WRONG_TYPE)?.len();
            check_length(old, added.len(), limit)?;
            slot.change_bytes(|bytes| bytes.extend_from_slice(added));
            old + added.len()
        }
    };
    ctx.space.notify(Classes::STRING, "append", ctx.args.get(1));
    ctx.reply.int(len as i64);
    Ok(Effect::Verbatim)
}

fn setrange(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let offset = usize::try_from(ctx.args.int(2)?).map_err(|_| Failure::OFFSET_OUT_OF_RANGE)?;
    let part = ctx.args.get(3);
    let limit = length_limit(ctx);
    let len = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(_) if part.is_empty() => 0,
        Slot::Vacant(slot) => {
            check_length(offset, part.len(), limit)?;
            let mut bytes = Vec::new();
            overwrite(&mut bytes, offset, part);
            let len = bytes.len();
            slot.insert_raw(bytes);
            len
        }
        Slot::Occupied(mut slot) => {
            let old = slot.as_str().ok_or(Failure::WRONG_TYPE)?.len();
            if !part.is_empty() {
                check_length(offset, part.len(), limit)?;
                slot.change_bytes(|bytes| overwrite(bytes, offset, part));
            }
            if part.is_empty() { old } else { old.max(offset + part.len()) }
        }
    };
    if !part.is_empty() {
        ctx.space.notify(Classes::STRING, "setrange", ctx.args.get(1));
    }
    ctx.reply.int(len as i64);
    Ok(Effect::verbatim_if(!part.is_empty()))
}

/// Writes `part` at `offset`; a gap before it fills with zero bytes.
fn overwrite(bytes: &mut Vec<u8>, offset: usize, part: &[u8]) {
    let end = offset + part.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(part);
}

/// The longest string that this command may make, in bytes.
fn length_limit(ctx: &Ctx<'_, '_>) -> usize {
    // What a primary has accepted is not ours to refuse, as long as memory can hold it at all.
    if ctx.from_primary { isize::MAX as usize } else { ctx.config.proto_max_bulk_len }
}

fn check_length(len: usize, added: usize, limit: usize) -> Result<(), Failure> {
    match len.checked_add(added) {
        Some(total) if total <= limit => Ok(()),
        Some(_) | None => Err(Failure::TOO_LONG),
    }
}

fn getrange(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (start, end) = (ctx.args.int(2)?, ctx.args.int(3)?);
    match ctx.space.read(ctx.args.get(1)) {
        None => ctx.reply.bulk(b""),
        Some(entry) => {
            let value = entry.as_str().ok_or(Failure::WRONG_TYPE)?;
            let mut digits = itoa::Buffer::new();
            ctx.reply.bulk(slice(value.bytes(&mut digits), start, end));
        }
    }
    Ok(Effect::None)
}

/// The bytes from `start` to `end`, both inclusive, both counted from the end if negative.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        // Even if both lie before the first byte, where they would otherwise both mean the first one.
        return &[];
    }
    let len = bytes.len() as i64;
    let position = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (position(start), position(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::slice;
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn a_range_is_inclusive_and_counts_from_either_end() {
        let check = |start, end, expected: &str| {
            assert_eq!(slice(b"Hello World", start, end), expected.as_bytes(), "{start} {end}");
        };
        check(0, 3, "Hell");
        check(0, -1, "Hello World");
        check(-4, -1, "orld");
        check(5, 3, "");
        check(5, 5000, " World");
        check(-5000, 10000, "Hello World");
        check(0, -100, "H");
        check(1, -100, "");
        check(-2, -3, "");
        check(-100, -101, "");
        check(-101, -100, "H");
        check(i64::MIN, i64::MAX, "Hello World");
        check(i64::MAX, i64::MIN, "");
        assert_eq!(slice(b"", 0, -1), b"");
    }

    #[test]
    fn parts_of_values_are_read() {
        let mut h = Harness::new();
        h.reads("getrange k 0 -1", "$0");
        h.reads("strlen k", ":0");
        h.run("set k 1234");
        h.reads("getrange k 1 2", "$2 23");
        h.reads("substr k -2 -1", "$2 34");
        h.reads("strlen k", ":4");
        h.reads("getrange k a -1", "-ERR value is not an integer or out of range");
        h.reads("getrange missing 0 b", "-ERR value is not an integer or out of range");
    }

    #[test]
    fn append_grows_a_value_or_begins_one() {
        let mut h = Harness::new();
        h.check("append k 12", ":2", "append k 12");
        h.check("append k 345", ":5", "append k 345");
        h.reads("get k", "$5 12345");
        h.check("incr k", ":12346", "incr k");
        h.check("append k \"\"", ":5", "append k ");
        assert_eq!(h.run("append k x").tally, Tally { dirty: 1, ..Tally::default() });
        assert_eq!(h.run("append new x").tally, Tally { dirty: 1, ..Tally::default() });
    }

    #[test]
    fn setrange_fills_gaps_with_zero_bytes() {
        let mut h = Harness::new();
        h.check("setrange k 3 \"\"", ":0", "");
        h.reads("get k", "$-1");
        h.check("setrange k 2 xy", ":4", "setrange k 2 xy");
        h.reads("get k", "$4 \0\0xy");
        h.check("setrange k 0 ab", ":4", "setrange k 0 ab");
        h.check("setrange k 4 c", ":5", "setrange k 4 c");
        h.reads("get k", "$5 abxyc");
        h.check("setrange k 9 \"\"", ":5", "");
        h.run("set k 1234");
        h.check("setrange k 1 x", ":4", "setrange k 1 x");
        h.reads("get k", "$4 1x34");
        h.reads("setrange k -1 x", "-ERR offset is out of range");
        h.reads("setrange k x x", "-ERR value is not an integer or out of range");
        assert_eq!(h.run("setrange k 1 z").tally, Tally { dirty: 1, ..Tally::default() });
        assert_eq!(h.run("setrange fresh 1 z").tally, Tally { dirty: 1, ..Tally::default() });
    }

    #[test]
    fn no_string_grows_beyond_the_limit_but_by_order_of_a_primary() {
        const REFUSED: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        let mut h = Harness::new();
        h.configure(|config| config.proto_max_bulk_len = 10);
        h.reads("setrange k 10 x", REFUSED);
        h.reads("setrange k 9223372036854775807 x", REFUSED);
        h.check("setrange k 9 x", ":10", "setrange k 9 x");
        h.reads("append k y", REFUSED);
        h.reads("setrange k 10 y", REFUSED);
        h.from_primary = true;
        h.check("append k y", ":11", "append k y");
        h.check("setrange k 11 y", ":12", "setrange k 11 y");
        h.reads("setrange k 9223372036854775807 x", REFUSED);
    }
}
