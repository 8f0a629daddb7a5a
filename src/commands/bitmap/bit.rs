//! SETBIT and GETBIT: single bits.
//!
//! Called through their rows. Always: a bit that keeps its value in a string that keeps its length is no change, and
//! nothing goes into the stream for it.

use crate::commands::bitmap::{BITMAP, bytes_for, offset};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::types::bitmap::{bit, set_bit};

pub const ROWS: &[Row] = &[
    Row {
        name: "setbit",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "access", "update"],
        summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
        run: Run::Keyed(setbit),
        ..BITMAP
    },
    Row {
        name: "getbit",
        arity: 3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO", "access"],
        summary: "Returns a bit value by offset.",
        run: Run::Keyed(getbit),
        ..BITMAP
    },
];

const BAD_BIT: Failure = Failure::text("ERR bit is not an integer or out of range");

fn setbit(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let at = offset(ctx, 2, None)?;
    let on = match ctx.args.int(3) {
        Ok(0) => false,
        Ok(1) => true,
        Ok(_) | Err(_) => return Err(BAD_BIT),
    };
    let size = bytes_for(at);
    let change = |bytes: &mut Vec<u8>| {
        if bytes.len() < size {
            bytes.resize(size, 0);
        }
        set_bit(bytes, at, on);
    };
    let (was_on, changed) = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            let mut bytes = Vec::new();
            change(&mut bytes);
            slot.insert_raw(bytes);
            (false, true)
        }
        Slot::Occupied(mut slot) => {
            let value = slot.as_str().ok_or(Failure::WRONG_TYPE)?;
            let mut digits = itoa::Buffer::new();
            let bytes = value.bytes(&mut digits);
            let (was_on, fits) = (bit(bytes, at), size <= bytes.len());
            let changed = was_on != on || !fits;
            if changed {
                slot.change_bytes(change);
            } else {
                slot.change_nothing();
            }
            (was_on, changed)
        }
    };
    if changed {
        ctx.space.notify(Classes::STRING, "setbit", ctx.args.get(1));
    }
    ctx.reply.int(i64::from(was_on));
    Ok(Effect::verbatim_if(changed))
}

fn getbit(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let at = offset(ctx, 2, None)?;
    let is_on = match ctx.space.read(ctx.args.get(1)) {
        None => false,
        Some(entry) => {
            let value = entry.as_str().ok_or(Failure::WRONG_TYPE)?;
            bit(value.bytes(&mut itoa::Buffer::new()), at)
        }
    };
    ctx.reply.int(i64::from(is_on));
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn bits_count_from_the_highest_of_the_first_byte() {
        let mut h = Harness::new();
        h.reads("getbit k 5", ":0");
        h.check("setbit k 1 1", ":0", "setbit k 1 1");
        h.reads("get k", "$1 @");
        h.check("setbit k 10 1", ":0", "setbit k 10 1");
        h.reads("bitcount k", ":2");
        h.reads("getbit k 1", ":1");
        h.reads("getbit k 100", ":0");
        h.check("setbit k 1 0", ":1", "setbit k 1 0");
        h.run("set n 1");
        h.check("setbit n 6 1", ":0", "setbit n 6 1");
        h.reads("get n", "$1 3");
        h.reads("object encoding n", "$3 raw");
    }

    #[test]
    fn a_bit_that_stays_is_no_change_but_a_longer_string_is_one() {
        let mut h = Harness::new();
        h.check("setbit k 7 0", ":0", "setbit k 7 0");
        h.check("setbit k 6 0", ":0", "");
        assert_eq!(h.run("setbit k 6 0").tally, Tally::default());
        h.check("setbit k 8 0", ":0", "setbit k 8 0");
        assert_eq!(h.run("setbit k 8 1").tally.dirty, 1);
        h.run("set text abc");
        h.check("setbit text 0 0", ":0", "");
        h.reads("object encoding text", "$3 raw");
        h.reads("get text", "$3 abc");
    }

    #[test]
    fn offsets_and_bits_have_limits() {
        const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
        const BIT: &str = "-ERR bit is not an integer or out of range";
        let mut h = Harness::new();
        h.reads("setbit k -1 1", OFFSET);
        h.reads("setbit k 4294967296 1", OFFSET);
        h.reads("getbit k 4294967296", OFFSET);
        h.reads("getbit k #1", OFFSET);
        h.reads("setbit k 1 2", BIT);
        h.reads("setbit k 1 x", BIT);
        h.configure(|config| config.proto_max_bulk_len = 2);
        h.reads("setbit k 16 1", OFFSET);
        h.from_primary = true;
        h.check("setbit k 16 1", ":0", "setbit k 16 1");
    }
}
