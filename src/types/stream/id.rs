//! Ids of stream entries: milliseconds and a sequence number within them, ordered as one 128-bit number.
//!
//! ```text
//!  1700000000000-3      as clients write it      "ms-seq"; the sequence may be left out, or be * for XADD
//!  16 bytes, big-endian as RDB files carry it    ms (8) | seq (8), so that bytes sort as ids do
//! ```
//!
//! Used by the stream type and its commands. Always: parsing accepts what Redis accepts (`string2ull` on both parts), and
//! printing gives the one canonical form.

use std::fmt;
use std::ops::Deref;

use crate::base::number::parse_u64;

/// Redis refuses longer ids without a look.
const TEXT_LEN_MAX: usize = 127;

/// The name of an entry within its stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// The id that XADD asks for, short of `*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WantedId {
    Exact(StreamId),
    /// `ms-*`: the next free sequence number of that millisecond.
    AnySequence {
        ms: u64,
    },
}

impl StreamId {
    /// `0-0`, which no entry can have.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The id behind this one; `None` behind [`StreamId::MAX`].
    #[inline]
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before this one; `None` before [`StreamId::MIN`].
    pub fn prev(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Reads `ms` or `ms-seq`; a missing sequence becomes `missing`.
    pub fn parse(text: &[u8], missing: u64) -> Option<StreamId> {
        let (ms, seq) = split(text)?;
        let seq = seq.map_or(Some(missing), parse_part)?;
        Some(StreamId { ms: parse_part(ms)?, seq })
    }

    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let both = u128::from_be_bytes(bytes);
        StreamId { ms: (both >> 64) as u64, seq: both as u64 }
    }

    /// `ms-seq` as bytes.
    #[inline]
    pub fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; ID_TEXT_MAX], len: 0 };
        let mut digits = itoa::Buffer::new();
        text.push(digits.format(self.ms).as_bytes());
        text.push(b"-");
        text.push(digits.format(self.seq).as_bytes());
        text
    }
}

/// Two numbers of twenty digits and what is between them.
const ID_TEXT_MAX: usize = 41;

/// An id in its canonical form, without a heap block.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; ID_TEXT_MAX],
    len: usize,
}

impl IdText {
    #[inline]
    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

impl Deref for IdText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl WantedId {
    /// Reads `ms`, `ms-seq` or `ms-*`; a missing sequence is 0.
    pub fn parse(text: &[u8]) -> Option<WantedId> {
        match split(text)? {
            (ms, Some(b"*")) => Some(WantedId::AnySequence { ms: parse_part(ms)? }),
            (_, _) => StreamId::parse(text, 0).map(WantedId::Exact),
        }
    }
}

fn split(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > TEXT_LEN_MAX {
        return None;
    }
    Some(match text.iter().position(|byte| *byte == b'-') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    })
}

#[inline]
fn parse_part(text: &[u8]) -> Option<u64> {
    parse_u64(text).or_else(|| parse_loosely(text))
}

/// What C's `strtoull` takes beyond the canonical form: spaces and a plus in front, leading zeros.
#[cold]
fn parse_loosely(text: &[u8]) -> Option<u64> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let text = &text[text.iter().take_while(|byte| blank(byte)).count()..];
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    match &digits[zeros..] {
        [] if zeros > 0 => Some(0),
        rest => parse_u64(rest),
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::{StreamId, WantedId};

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(ms, seq)| StreamId { ms, seq });
            assert_eq!(StreamId::parse(text.as_bytes(), 7), expected, "{text:?}");
        };
        check("5-3", Some((5, 3)));
        check("5", Some((5, 7)));
        check("0-0", Some((0, 0)));
        check("18446744073709551615-18446744073709551615", Some((u64::MAX, u64::MAX)));
        check("18446744073709551616-0", None);
        check("007-010", Some((7, 10)));
        check(" +5-00", Some((5, 0)));
        for refused in ["", "-", "+", "-5", "5-", "a-1", "1-a", "1-2-3", "1-*", "1.5", "5 -1", "+-1"] {
            check(refused, None);
        }
        check(&format!("1-{}1", "0".repeat(124)), Some((1, 1)));
        check(&format!("1-{}1", "0".repeat(125)), None);
    }

    #[test]
    fn xadd_may_leave_the_sequence_open() {
        let check = |text: &str, expected| assert_eq!(WantedId::parse(text.as_bytes()), expected, "{text:?}");
        check("5-*", Some(WantedId::AnySequence { ms: 5 }));
        check("5", Some(WantedId::Exact(StreamId::new(5, 0))));
        check("5-1", Some(WantedId::Exact(StreamId::new(5, 1))));
        check("*-5", None);
        check("5-**", None);
        check("-*", None);
    }

    #[test]
    fn neighbours_carry_over_milliseconds() {
        let check = |ms, seq, next: Option<(u64, u64)>| {
            let id = StreamId { ms, seq };
            assert_eq!(id.next(), next.map(|(ms, seq)| StreamId { ms, seq }));
            if let Some(next) = id.next() {
                assert_eq!(next.prev(), Some(id));
            }
        };
        check(1, 1, Some((1, 2)));
        check(1, u64::MAX, Some((2, 0)));
        check(u64::MAX, u64::MAX, None);
        assert_eq!(StreamId::MIN.prev(), None);
    }

    #[test]
    fn bytes_and_text_come_back() {
        let id = StreamId::new(1_700_000_000_000, 42);
        assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        assert_eq!(&*id.text(), b"1700000000000-42");
        assert_eq!(StreamId::MAX.text().len(), 41);
        assert_eq!(id.to_string(), "1700000000000-42");
        assert!(StreamId::new(1, u64::MAX).to_bytes() < StreamId::new(2, 0).to_bytes());
    }
}
