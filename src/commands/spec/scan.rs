//! What SCAN, SSCAN, HSCAN and ZSCAN have in common: the cursor, the options, and the shape of the reply.
//!
//! ```text
//!  SCAN cursor      [MATCH pattern] [COUNT count] [TYPE type]
//!  SSCAN key cursor [MATCH pattern] [COUNT count]              HSCAN also [NOVALUES]
//! ```
//!
//! Called by the handlers of those commands. Always: options are read as Redis reads them, the last one of a kind counts; a
//! cursor is any number of 64 bits, and what it means is up to who hands it out.

use crate::base::glob::glob_match;
use crate::base::number::parse_u64;
use crate::commands::spec::{Args, Failure};
use crate::resp::reply::Reply;

/// Elements shown if COUNT is not given.
const COUNT_DEFAULT: usize = 10;

/// Who scans, which decides about the options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scans {
    /// SCAN: takes TYPE.
    Keyspace,
    /// SSCAN and ZSCAN.
    Members,
    /// HSCAN: takes NOVALUES.
    Fields,
}

/// The options of a scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// About how many elements to look at; at least 1.
    pub count: usize,
    /// None if everything matches.
    pub pattern: Option<&'a [u8]>,
    /// The name of the only type to show.
    pub kind: Option<&'a [u8]>,
    /// Fields without their values.
    pub no_values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options from the argument at `at` on.
    ///
    /// # Errors
    /// A syntax error, or a COUNT that is no number.
    pub fn parse(args: &Args<'a>, mut at: usize, scans: Scans) -> Result<ScanOptions<'a>, Failure> {
        let mut options = ScanOptions { count: COUNT_DEFAULT, pattern: None, kind: None, no_values: false };
        while at < args.len() {
            if args.is(at, "novalues") {
                if scans != Scans::Fields {
                    return Err(Failure::text("ERR NOVALUES option can only be used in HSCAN"));
                }
                options.no_values = true;
                at += 1;
                continue;
            }
            if at + 1 == args.len() {
                return Err(Failure::SYNTAX);
            }
            if args.is(at, "count") {
                let count = args.int(at + 1)?;
                options.count = usize::try_from(count).ok().filter(|n| *n > 0).ok_or(Failure::SYNTAX)?;
            } else if args.is(at, "match") {
                options.pattern = Some(args.get(at + 1)).filter(|pattern| *pattern != b"*");
            } else if args.is(at, "type") && scans == Scans::Keyspace {
                options.kind = Some(args.get(at + 1));
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 2;
        }
        Ok(options)
    }

    /// Does the pattern match this key, member or field?
    #[inline]
    pub fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob_match(pattern, name, false))
    }
}

/// Redis reads a cursor with strtoul: a minus sign wraps around, and no digits at all are zero.
///
/// # Errors
/// It is no number, or none of 64 bits.
pub fn parse_cursor(word: &[u8]) -> Result<u64, Failure> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() && !word.is_empty() {
        return Err(Failure::text("ERR invalid cursor"));
    }
    let value = match digits.iter().position(|digit| *digit != b'0') {
        None => 0,
        Some(first) => parse_u64(&digits[first..]).ok_or(Failure::text("ERR invalid cursor"))?,
    };
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// Begins the reply: the array of two and the cursor. The array of elements is to follow.
pub fn write_cursor(reply: &mut Reply, cursor: u64) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
}

/// The reply of a scan of one key: the cursor for the next call, and `count` elements that `shown` holds.
pub fn write_page(reply: &mut Reply, next: u64, count: usize, shown: &Reply) {
    write_cursor(reply, next);
    reply.array(count);
    reply.raw(&shown.buf);
}

/// The reply for a key that does not exist.
pub fn write_nothing(reply: &mut Reply) {
    write_cursor(reply, 0);
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        let check = |word: &str, expected: Option<u64>| {
            assert_eq!(parse_cursor(word.as_bytes()).ok(), expected, "{word}");
        };
        check("0", Some(0));
        check("", Some(0));
        check("007", Some(7));
        check("+7", Some(7));
        check("-1", Some(u64::MAX));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", None);
        check("-", None);
        check(" 1", None);
        check("1x", None);
    }
}
