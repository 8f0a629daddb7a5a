//! Ziplist: what Redis used before listpacks, in RDB versions 2 to 9, for small lists, hashes and sorted sets.
//! It is only read: `to_listpack` gives the same elements in today's form. Called by the types' `rdb.rs`.
//!
//! ```text
//!   | total bytes, u32 LE | offset of the last element, u32 LE | elements, u16 LE | element | ... | 255 |
//!   0                     4                                    8                  10
//!
//!   element = | length of the one before: 1 byte below 254, or 254 and 4 bytes LE | encoding | bytes |
//!
//!   00llllll                     string below 64          11111110 + 1 byte    8-bit integer
//!   01llllll llllllll            string below 16384       11000000 + 2 LE      16-bit
//!   10...... + 4 bytes, BE       longer string            11110000 + 3 LE      24-bit
//!   1111vvvv, v from 1 to 13     the integer v - 1        11010000 + 4 LE, 11100000 + 8 LE
//! ```
//!
//! Always: every byte is checked before its element is taken, and the result is never larger than a few times the input.

use crate::codec::listpack::{Builder, Listpack};

const HEADER_BYTES: usize = 10;
const END: u8 = 255;
/// Stands before a length of four bytes.
const LONG: u8 = 254;
/// Stands in the header where there are too many elements for its 16 bits.
const COUNT_UNKNOWN: usize = 65_535;

/// Why bytes are no ziplist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadZiplist {
    /// Length, terminator or offset of the last element are not what the header says.
    Header,
    /// An element has an undefined encoding or reaches beyond the end.
    Element,
    /// An element tells another length of the one before it.
    PreviousLength,
    /// The header tells another number of elements.
    Count,
}

impl BadZiplist {
    /// For error types that carry a static text.
    pub fn text(self) -> &'static str {
        match self {
            BadZiplist::Header => "the header of a ziplist does not fit its bytes",
            BadZiplist::Element => "an element of a ziplist is undefined or reaches beyond its end",
            BadZiplist::PreviousLength => "an element of a ziplist tells a wrong length of the one before",
            BadZiplist::Count => "a ziplist tells another number of elements than it has",
        }
    }
}

enum Element<'a> {
    Int(i64),
    Text(&'a [u8]),
}

/// The same elements as a listpack.
///
/// # Errors
/// The bytes are no ziplist.
pub fn to_listpack(bytes: &[u8]) -> Result<Listpack, BadZiplist> {
    let number = |at: usize| bytes.get(at..at + 4).map(|word| u32_le(word) as usize);
    let (Some(total), Some(tail)) = (number(0), number(4)) else { return Err(BadZiplist::Header) };
    if total != bytes.len() || total <= HEADER_BYTES || bytes[total - 1] != END {
        return Err(BadZiplist::Header);
    }
    let elements = &bytes[..total - 1];
    let mut listpack = Builder::new();
    let (mut at, mut last) = (HEADER_BYTES, HEADER_BYTES);
    let mut previous = 0;
    while at < elements.len() {
        let (told, head) = previous_length(&elements[at..]).ok_or(BadZiplist::Element)?;
        if told != previous {
            return Err(BadZiplist::PreviousLength);
        }
        let (element, len) = element(&elements[at + head..]).ok_or(BadZiplist::Element)?;
        match element {
            Element::Int(value) => listpack.push_int(value),
            Element::Text(text) => listpack.push(text),
        }
        previous = head + len;
        last = at;
        at += previous;
    }
    if tail != last {
        return Err(BadZiplist::Header);
    }
    let count = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    if count != COUNT_UNKNOWN && count != listpack.len() {
        return Err(BadZiplist::Count);
    }
    Ok(listpack.finish())
}

/// The length of the element before, and how many bytes tell it.
fn previous_length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.first()? {
        LONG => Some((u32_le(bytes.get(1..5)?) as usize, 5)),
        END => None,
        len => Some((usize::from(len), 1)),
    }
}

/// The element whose encoding stands first, and how many bytes it takes with that.
fn element(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let first = *bytes.first()?;
    let text = |head: usize, len: usize| {
        bytes.get(head..head.checked_add(len)?).map(|text| (Element::Text(text), head + len))
    };
    let int = |width: usize| {
        let mut wide = [0; 8];
        wide[8 - width..].copy_from_slice(bytes.get(1..1 + width)?);
        Some((Element::Int(i64::from_le_bytes(wide) >> (64 - 8 * width)), 1 + width))
    };
    match first {
        0..0x40 => text(1, usize::from(first)),
        0x40..0x80 => text(2, usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)),
        0x80..0xc0 => {
            let len: [u8; 4] = bytes.get(1..5)?.try_into().ok()?;
            text(5, u32::from_be_bytes(len) as usize)
        }
        0xc0 => int(2),
        0xd0 => int(4),
        0xe0 => int(8),
        0xf0 => int(3),
        0xfe => int(1),
        0xf1..=0xfd => Some((Element::Int(i64::from(first & 0x0f) - 1), 1)),
        _ => None,
    }
}

fn u32_le(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes were asked for"))
}

#[cfg(test)]
mod tests {
    use super::{BadZiplist, to_listpack};
    use crate::codec::listpack::Item;
    use proptest::prelude::*;

    /// Builds a ziplist of elements that are given as encoding and bytes.
    fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; 10];
        let (mut previous, mut last) = (0usize, 10);
        for element in elements {
            last = bytes.len();
            match u8::try_from(previous) {
                Ok(len) if len < 254 => bytes.push(len),
                _ => {
                    bytes.push(254);
                    bytes.extend_from_slice(&(previous as u32).to_le_bytes());
                }
            }
            bytes.extend_from_slice(element);
            previous = bytes.len() - last;
        }
        bytes.push(255);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        bytes[4..8].copy_from_slice(&(last as u32).to_le_bytes());
        bytes[8..10].copy_from_slice(&(elements.len() as u16).to_le_bytes());
        bytes
    }

    fn long_text() -> Vec<u8> {
        let mut element = vec![0x41, 0x2c];
        element.extend([b'x'; 300]);
        element
    }

    fn sample() -> Vec<u8> {
        let long = long_text();
        ziplist(&[
            b"\x03abc",
            b"\xf1",
            b"\xfd",
            b"\xfe\xff",
            &long,
            b"\xc0\x00\x80",
            b"\xf0\xff\xff\x7f",
            b"\xd0\x00\x00\x00\x80",
            b"\xe0\x01\x00\x00\x00\x00\x00\x00\x80",
            b"\x80\x00\x00\x00\x01y",
            b"\x0242",
        ])
    }

    #[test]
    fn every_encoding_is_read() {
        let listpack = to_listpack(&sample()).expect("well-formed");
        let texts: Vec<String> =
            listpack.iter().map(|item| String::from_utf8(item.to_vec()).expect("text")).collect();
        let long = "x".repeat(300);
        let want = [
            "abc",
            "0",
            "12",
            "-1",
            &long,
            "-32768",
            "8388607",
            "-2147483648",
            "-9223372036854775807",
            "y",
            "42",
        ];
        assert_eq!(texts, want);
        assert_eq!(listpack.iter().last(), Some(Item::Int(42)), "a string of digits becomes an integer");
        assert!(to_listpack(&ziplist(&[])).is_ok_and(|empty| empty.is_empty()));
    }

    #[test]
    fn bytes_that_lie_are_refused() {
        #[track_caller]
        fn check(change: impl Fn(&mut Vec<u8>), want: BadZiplist) {
            let mut bytes = sample();
            change(&mut bytes);
            assert_eq!(to_listpack(&bytes), Err(want));
        }
        check(|bytes| bytes.clear(), BadZiplist::Header);
        check(|bytes| bytes.truncate(9), BadZiplist::Header);
        check(|bytes| bytes[0] ^= 1, BadZiplist::Header);
        check(|bytes| bytes[4] ^= 1, BadZiplist::Header);
        check(|bytes| bytes[8] ^= 1, BadZiplist::Count);
        check(|bytes| bytes[10] = 1, BadZiplist::PreviousLength);
        check(|bytes| bytes[11] = 0xff, BadZiplist::Element);
        check(|bytes| bytes[11] = 0xbf, BadZiplist::Element);
        check(|bytes| *bytes.last_mut().expect("not empty") = 0, BadZiplist::Header);
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
            let mut bytes = sample();
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = to_listpack(&bytes);
        }
    }
}
