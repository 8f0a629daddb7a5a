//! BITCOUNT and BITPOS: how many bits are set, and where the first one of a kind is.
//!
//! Called through their rows. Ranges are inclusive, in bytes or in bits, and count from the end if negative.
//! Always: without an end, BITPOS takes the string to be followed by zeros without end.

use std::ops::Range;

use crate::commands::bitmap::BITMAP;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::types::bitmap::count::{first, ones};

pub const ROWS: &[Row] = &[
    Row {
        name: "bitcount",
        arity: -2,
        flags: flags(&[Flags::READONLY]),
        access: &["RO", "access"],
        since: "2.6.0",
        summary: "Counts the number of set bits (population counting) in a string.",
        complexity: "O(N)",
        run: Run::Keyed(bitcount),
        ..BITMAP
    },
    Row {
        name: "bitpos",
        arity: -3,
        flags: flags(&[Flags::READONLY]),
        access: &["RO", "access"],
        since: "2.8.7",
        summary: "Finds the first set (1) or clear (0) bit in a string.",
        complexity: "O(N)",
        run: Run::Keyed(bitpos),
        ..BITMAP
    },
];

/// A range as the request gives it.
#[derive(Clone, Copy)]
struct Asked {
    start: i64,
    /// None: to the end of the string.
    end: Option<i64>,
    in_bits: bool,
}

impl Asked {
    const ALL: Asked = Asked { start: 0, end: None, in_bits: false };

    fn unit(args: &Args<'_>, at: usize) -> Result<bool, Failure> {
        match args.opt(at) {
            None => Ok(false),
            Some(_) if args.is(at, "bit") => Ok(true),
            Some(_) if args.is(at, "byte") => Ok(false),
            Some(_) => Err(Failure::SYNTAX),
        }
    }

    /// The range in bits, within a string of `len` bytes.
    fn bits(self, len: usize) -> Range<u64> {
        let len_bits = len as i64 * 8;
        let (total, scale) = if self.in_bits { (len_bits, 1) } else { (len as i64, 8) };
        let place = |index: i64| if index < 0 { total.saturating_add(index).max(0) } else { index };
        let start = place(self.start);
        let end = place(self.end.unwrap_or(-1)).min(total - 1);
        if start > end { 0..0 } else { (start * scale) as u64..((end + 1) * scale) as u64 }
    }
}

fn bitcount(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let asked = match ctx.args.len() {
        2 => Asked::ALL,
        4 | 5 => {
            let (start, end) = (ctx.args.int(2)?, ctx.args.int(3)?);
            Asked { start, end: Some(end), in_bits: Asked::unit(&ctx.args, 4)? }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let count = match ctx.space.read(ctx.args.get(1)) {
        None => 0,
        Some(entry) => {
            let value = entry.as_str().ok_or(Failure::WRONG_TYPE)?;
            let mut digits = itoa::Buffer::new();
            let bytes = value.bytes(&mut digits);
            // Both before the first byte, and crossed: empty, although both would be moved to the first byte.
            let is_crossed = asked.end.is_some_and(|end| asked.start < 0 && end < 0 && asked.start > end);
            if is_crossed { 0 } else { ones(bytes, asked.bits(bytes.len())) }
        }
    };
    ctx.reply.int(count as i64);
    Ok(Effect::None)
}

fn bitpos(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let wanted = match ctx.args.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(Failure::text("ERR The bit argument must be 1 or 0.")),
    };
    let asked = match ctx.args.len() {
        3 => Asked::ALL,
        4..=6 => {
            let start = ctx.args.int(3)?;
            let in_bits = Asked::unit(&ctx.args, 5)?;
            let end = if ctx.args.len() > 4 { Some(ctx.args.int(4)?) } else { None };
            Asked { start, end, in_bits }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let position = match ctx.space.read(ctx.args.get(1)) {
        // A string of zeros without end.
        None => (!wanted).then_some(0),
        Some(entry) => {
            let value = entry.as_str().ok_or(Failure::WRONG_TYPE)?;
            let mut digits = itoa::Buffer::new();
            let bytes = value.bytes(&mut digits);
            let range = asked.bits(bytes.len());
            let behind = (!wanted && asked.end.is_none() && !range.is_empty()).then_some(range.end);
            first(bytes, range, wanted).or(behind)
        }
    };
    ctx.reply.int(position.map_or(-1, |position| position as i64));
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn bits_are_counted_within_ranges() {
        let mut h = Harness::new();
        h.reads("bitcount missing", ":0");
        h.reads("bitcount missing 0 -1", ":0");
        h.run("set k foobar");
        let mut check =
            |range: &str, count: u64| h.reads(&format!("bitcount k{range}"), &format!(":{count}"));
        check("", 26);
        check(" 0 0", 4);
        check(" 1 1 byte", 6);
        check(" 0 -5", 10);
        check(" 5 30 bit", 17);
        check(" 0 -1 BIT", 26);
        check(" -2 -1 bit", 1);
        check(" 4 2", 0);
        check(" -2 -3", 0);
        check(" -100 -101", 0);
        check(" 100 200", 0);
        check(" -9223372036854775808 9223372036854775807 bit", 26);
        h.reads("bitcount k 0", "-ERR syntax error");
        h.reads("bitcount k 0 1 hello", "-ERR syntax error");
        h.reads("bitcount k a b", "-ERR value is not an integer or out of range");
        h.run("set n 7");
        h.reads("bitcount n", ":5");
        h.run("set empty \"\"");
        h.reads("bitcount empty 0 -1", ":0");
    }

    #[test]
    fn the_first_bit_of_a_kind_is_found() {
        let mut h = Harness::new();
        h.reads("bitpos missing 0", ":0");
        h.reads("bitpos missing 1", ":-1");
        h.reads("bitpos missing 1 0 -1 bit", ":-1");
        h.reads("bitpos missing 2", "-ERR The bit argument must be 1 or 0.");
        h.run_words(&[b"set", b"k", b"\xff\xf0\x00"]);
        let mut check = |rest: &str, at: i64| h.reads(&format!("bitpos k {rest}"), &format!(":{at}"));
        check("0", 12);
        check("1", 0);
        check("1 2", -1);
        check("1 7 15 bit", 7);
        check("1 7 14 bit", 7);
        check("1 12 14 bit", -1);
        check("0 0 11 bit", -1);
        check("0 0 12 bit", 12);
        check("0 3", -1);
        h.run_words(&[b"set", b"k", b"\xff\xff"]);
        h.reads("bitpos k 0", ":16");
        h.reads("bitpos k 0 0", ":16");
        h.reads("bitpos k 0 0 -1", ":-1");
        h.reads("bitpos k 0 2", ":-1");
        h.run("set empty \"\"");
        h.reads("bitpos empty 0", ":-1");
        h.reads("bitpos empty 1", ":-1");
    }
}
