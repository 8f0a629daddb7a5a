//! The head of the stream in one word, so that one compare-and-swap reserves bytes and switches the database.
//! The writer packs and unpacks it; readers of the head widen it to a full offset.
//!
//! ```text
//!   bit 63 ........ 48 47 ..................................... 0
//!      | database     | low 48 bits of the offset               |
//!      | 0xFFFF: none |                                         |
//! ```
//!
//! Always: a hint that is at or before the head, and less than 2^48 bytes before it, gives the full offset back;
//! the oldest offset held in memory is such a hint. So a stream never runs out of offsets.

use super::offset::Offset;
use crate::base::ids::DbIndex;

const OFFSET_BITS: u32 = 48;
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
const NO_DB: u16 = 0xFFFF;

const _: () = assert!(DbIndex::MAX.0 < NO_DB);

/// The head, unpacked: where the next byte goes, and which database the stream is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub offset: Offset,
    pub db: Option<DbIndex>,
}

impl Head {
    pub fn pack(self) -> u64 {
        let db = match self.db {
            Some(db) => {
                debug_assert!(db <= DbIndex::MAX);
                db.0
            }
            None => NO_DB,
        };
        (u64::from(db) << OFFSET_BITS) | (self.offset.0 & OFFSET_MASK)
    }

    /// `hint`: any offset at or before the head, less than 2^48 bytes away.
    pub fn unpack(word: u64, hint: Offset) -> Head {
        let ahead = word.wrapping_sub(hint.0) & OFFSET_MASK;
        let db = (word >> OFFSET_BITS) as u16;
        Head { offset: Offset(hint.0.wrapping_add(ahead)), db: (db < NO_DB).then_some(DbIndex(db)) }
    }
}

/// The longest `SELECT` that the stream can need: its database has five digits.
const SELECT_BYTES_MAX: usize = 27;

/// `SELECT db` as the stream carries it: `*2 $6 SELECT $<digits> <db>`, each followed by CR LF.
pub(super) struct Select {
    bytes: [u8; SELECT_BYTES_MAX],
    len: usize,
}

impl Select {
    pub fn new(db: DbIndex) -> Select {
        let mut select = Select { bytes: [0; SELECT_BYTES_MAX], len: 0 };
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(db.0).as_bytes();
        select.push(b"*2\r\n$6\r\nSELECT\r\n$");
        select.push(&[b'0' + digits.len() as u8]);
        select.push(b"\r\n");
        select.push(digits);
        select.push(b"\r\n");
        debug_assert_eq!(select.len, Select::len_for(db));
        select
    }

    /// How many bytes `new(db)` has.
    pub fn len_for(db: DbIndex) -> usize {
        SELECT_BYTES_MAX - 5 + 1 + usize::from(db.0).checked_ilog10().unwrap_or(0) as usize
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_packed_head_comes_back_even_past_48_bits() {
        for (offset, hint, db) in [
            (0, 0, None),
            (1, 0, Some(DbIndex(0))),
            (1 << 40, 7, Some(DbIndex(15))),
            ((1 << 48) + 5, (1 << 48) - 100, Some(DbIndex::MAX)),
            ((7 << 48) + 5, (7 << 48) + 5, None),
            (i64::MAX as u64, i64::MAX as u64 - (1 << 40), Some(DbIndex(3))),
        ] {
            let head = Head { offset: Offset(offset), db };
            assert_eq!(Head::unpack(head.pack(), Offset(hint)), head, "offset {offset}, hint {hint}");
        }
    }

    #[test]
    fn select_is_the_command_that_redis_sends() {
        for (db, expected) in [
            (0, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"),
            (9, "*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n"),
            (10, "*2\r\n$6\r\nSELECT\r\n$2\r\n10\r\n"),
            (65533, "*2\r\n$6\r\nSELECT\r\n$5\r\n65533\r\n"),
        ] {
            let select = Select::new(DbIndex(db));
            assert_eq!(select.as_bytes(), expected.as_bytes());
            assert_eq!(select.as_bytes().len(), Select::len_for(DbIndex(db)));
        }
    }
}
