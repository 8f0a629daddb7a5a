//! One element of a listpack as bytes: how it is written, how long it is, what it says.
//! Called by `codec::listpack` and its validation.
//!
//! ```text
//!   | head: encoding, and the number or the length | body: the string's bytes | backlen: bytes of head + body |
//!
//!   0vvvvvvv                        0 to 127            11110001 + 2 bytes LE       16-bit integer
//!   110vvvvv vvvvvvvv               13-bit integer      11110010 + 3                24-bit integer
//!   10llllll                        string below 64     11110011 + 4                32-bit integer
//!   1110llll llllllll               string below 4096   11110100 + 8                64-bit integer
//!   11110000 + 4 bytes LE           longer string       11111111                    end of the listpack
//! ```
//!
//! The backlen is read from its last byte towards its first, seven bits a byte, the lowest bits last; all but the first byte
//! have their top bit set. Always: what canonically is an integer is written as one, in the shortest form.

use crate::base::number::parse_i64;

/// The byte behind the last element.
pub(super) const END: u8 = 0xff;

const STRING_6: u8 = 0b1000_0000;
const INT_13: u8 = 0b1100_0000;
const STRING_12: u8 = 0b1110_0000;
const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// Strings that could be an integer have at most this many bytes.
const INTEGER_TEXT_MAX: usize = 20;

/// What an element says. `Int(7)` and `Bytes(b"7")` are the same string to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The bytes that a client sees; `digits` lends the room in which an integer is printed.
    #[inline]
    pub fn bytes<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Int(value) => digits.format(value).as_bytes(),
            Item::Bytes(bytes) => bytes,
        }
    }

    /// The integer, if the bytes are one in strict decimal form (also if they are stored as a string).
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Item::Int(value) => Some(value),
            Item::Bytes(bytes) => parse_i64(bytes),
        }
    }

    /// Are these the bytes that a client sees?
    #[inline]
    pub fn eq_bytes(self, other: &[u8]) -> bool {
        match self {
            Item::Int(_) if other.len() > INTEGER_TEXT_MAX => false,
            Item::Int(value) => itoa::Buffer::new().format(value).as_bytes() == other,
            Item::Bytes(bytes) => bytes == other,
        }
    }

    /// How many bytes a client sees.
    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    pub fn is_empty(self) -> bool {
        matches!(self, Item::Bytes([]))
    }

    /// An owned copy of what a client sees.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }
}

/// An element ready to be written: three runs of bytes.
pub(super) struct Element<'a> {
    head: [u8; 9],
    head_len: u8,
    backlen_len: u8,
    backlen: [u8; 5],
    body: &'a [u8],
}

impl<'a> Element<'a> {
    /// As an integer if the bytes are one, as a string otherwise.
    #[inline]
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Element<'a> {
        match integer(bytes) {
            Some(value) => Element::of_int(value),
            None => Element::string(bytes),
        }
    }

    pub(super) fn of_int(value: i64) -> Element<'a> {
        let mut head = [0; 9];
        let wide = value.to_le_bytes();
        let head_len = match value {
            0..=127 => {
                head[0] = value as u8;
                1
            }
            -4096..=4095 => {
                head[0] = INT_13 | ((value >> 8) as u8 & 0b1_1111);
                head[1] = value as u8;
                2
            }
            _ => {
                let (encoding, width) = match value {
                    -0x8000..=0x7fff => (INT_16, 2),
                    -0x80_0000..=0x7f_ffff => (INT_24, 3),
                    -0x8000_0000..=0x7fff_ffff => (INT_32, 4),
                    _ => (INT_64, 8),
                };
                head[0] = encoding;
                head[1..=width].copy_from_slice(&wide[..width]);
                width + 1
            }
        };
        Element::finish(head, head_len, &[])
    }

    #[inline]
    fn string(bytes: &'a [u8]) -> Element<'a> {
        let mut head = [0; 9];
        let len = bytes.len();
        let head_len = match len {
            0..64 => {
                head[0] = STRING_6 | len as u8;
                1
            }
            64..4096 => {
                head[0] = STRING_12 | (len >> 8) as u8;
                head[1] = len as u8;
                2
            }
            _ => {
                head[0] = STRING_32;
                // A listpack as a whole is shorter than this field can say; `Block::splice` asserts it.
                head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                5
            }
        };
        Element::finish(head, head_len, bytes)
    }

    #[inline]
    fn finish(head: [u8; 9], head_len: usize, body: &'a [u8]) -> Element<'a> {
        let (backlen, backlen_len) = backlen(head_len + body.len());
        Element { head, head_len: head_len as u8, backlen_len: backlen_len as u8, backlen, body }
    }

    #[inline]
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.head[..self.head_len as usize], self.body, &self.backlen[..self.backlen_len as usize]]
    }

    /// Bytes with the backlen.
    pub(super) fn len(&self) -> usize {
        self.head_len as usize + self.body.len() + self.backlen_len as usize
    }
}

/// The integer that these bytes are in strict decimal form.
#[inline]
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [b'0'..=b'9' | b'-', ..] if bytes.len() <= INTEGER_TEXT_MAX => parse_i64(bytes),
        _ => None,
    }
}

/// How many bytes tell the length of an element of `len` bytes. The odd bounds are those of Redis.
#[inline]
pub(super) fn backlen_len(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn backlen(len: usize) -> ([u8; 5], usize) {
    let count = backlen_len(len);
    let mut bytes = [0; 5];
    for (index, byte) in bytes[..count].iter_mut().enumerate() {
        *byte = (len >> (7 * (count - 1 - index))) as u8 | 0x80;
    }
    // The first byte holds the bits that are left, which are fewer than eight, and ends the way back.
    bytes[0] &= 0x7f;
    (bytes, count)
}

/// The length that the backlen ending just before `end` tells.
#[inline]
pub(super) fn read_backlen(bytes: &[u8], end: usize) -> usize {
    let mut len = 0;
    for (index, &byte) in bytes[..end].iter().rev().take(5).enumerate() {
        len |= ((byte & 0x7f) as usize) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    len
}

/// Bytes of a whole element, backlen included, where the first byte alone decides; 0 elsewhere.
const LEN_BY_FIRST_BYTE: [u8; 256] = {
    let mut lens = [0; 256];
    let mut first = 0;
    while first < 256 {
        lens[first] = match first as u8 {
            0..STRING_6 => 2,
            STRING_6..INT_13 => (first as u8 - STRING_6) + 2,
            INT_13..STRING_12 => 3,
            INT_16 => 4,
            INT_24 => 5,
            INT_32 => 6,
            INT_64 => 10,
            _ => 0,
        };
        first += 1;
    }
    lens
};

/// Bytes of head and body of the element at `at`; `None` for an undefined encoding or a head that is cut off.
pub(super) fn checked_len(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at)?;
    match LEN_BY_FIRST_BYTE[first as usize] {
        0 => {}
        len => return Some(len as usize - 1),
    }
    match first {
        STRING_12..STRING_32 => Some(2 + (((first & 0x0f) as usize) << 8 | *bytes.get(at + 1)? as usize)),
        STRING_32 => Some(5 + u32_at(bytes.get(at + 1..at + 5)?) as usize),
        _ => None,
    }
}

/// Bytes of the element at `at` with its backlen, in a listpack that has been validated.
#[inline]
pub(super) fn full_len(bytes: &[u8], at: usize) -> usize {
    match LEN_BY_FIRST_BYTE[bytes[at] as usize] {
        0 => {
            let len = checked_len(bytes, at).expect("the listpack was validated");
            len + backlen_len(len)
        }
        len => len as usize,
    }
}

fn u32_at(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes were asked for"))
}

/// Sign-extends a little-endian integer of one to eight bytes.
#[inline]
fn little_endian(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unused = 64 - 8 * bytes.len() as u32;
    i64::from_le_bytes(wide) << unused >> unused
}

/// Reads the element at `at` of a listpack that has been validated.
#[inline]
pub(super) fn read(bytes: &[u8], at: usize) -> Item<'_> {
    let first = bytes[at];
    let body = |head: usize, len: usize| Item::Bytes(&bytes[at + head..at + head + len]);
    match first {
        0..STRING_6 => Item::Int(i64::from(first)),
        STRING_6..INT_13 => body(1, (first - STRING_6) as usize),
        INT_13..STRING_12 => {
            let value = i16::from(first & 0b1_1111) << 8 | i16::from(bytes[at + 1]);
            Item::Int(i64::from(value << 3 >> 3))
        }
        STRING_12..STRING_32 => body(2, ((first & 0x0f) as usize) << 8 | bytes[at + 1] as usize),
        STRING_32 => body(5, u32_at(&bytes[at + 1..at + 5]) as usize),
        INT_16 => Item::Int(little_endian(&bytes[at + 1..at + 3])),
        INT_24 => Item::Int(little_endian(&bytes[at + 1..at + 4])),
        INT_32 => Item::Int(little_endian(&bytes[at + 1..at + 5])),
        INT_64 => Item::Int(little_endian(&bytes[at + 1..at + 9])),
        0xf5..=0xff => unreachable!("the listpack was validated, and positions are those of elements"),
    }
}
