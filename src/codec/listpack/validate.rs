//! Are these foreign bytes a listpack? Every byte is looked at before anything trusts one.
//! Called for what arrives in an RDB, a full sync or RESTORE.
//!
//! Always: whatever passes can be walked in both directions without leaving it. We are stricter than Redis in one point: a
//! backlen must be written exactly as Redis writes it, where Redis accepts superfluous bits that no server produces.

use std::fmt;

use crate::base::hash::hash_key;
use crate::codec::listpack::element::{END, backlen, checked_len};
use crate::codec::listpack::{COUNT_UNKNOWN, EMPTY_BYTES, HEADER_BYTES, Listpack, Pos};

/// Why bytes are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Shorter than an empty listpack.
    TooShort,
    /// The header tells another number of bytes.
    WrongTotal,
    /// An element begins with a byte that means nothing, or where its head is cut off.
    BadElement,
    /// An element reaches beyond the end.
    Overlong,
    /// What follows an element does not tell its length.
    BadBacklen,
    /// The terminator is missing, or is not the last byte.
    BadEnd,
    /// The header tells another number of elements.
    WrongCount,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Invalid {}

impl Invalid {
    /// For error types that carry a static text.
    pub fn text(self) -> &'static str {
        match self {
            Invalid::TooShort => "a listpack is too short for its header",
            Invalid::WrongTotal => "a listpack tells another length than it has",
            Invalid::BadElement => "an element of a listpack has an undefined encoding",
            Invalid::Overlong => "an element of a listpack reaches beyond its end",
            Invalid::BadBacklen => "an element of a listpack tells a wrong length behind itself",
            Invalid::BadEnd => "a listpack does not end with its terminator",
            Invalid::WrongCount => "a listpack tells another number of elements than it has",
        }
    }
}

/// Checks every byte.
pub(super) fn check(bytes: &[u8]) -> Result<(), Invalid> {
    if bytes.len() < EMPTY_BYTES {
        return Err(Invalid::TooShort);
    }
    let total = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if total as usize != bytes.len() {
        return Err(Invalid::WrongTotal);
    }
    let end = bytes.len() - 1;
    if bytes[end] != END {
        return Err(Invalid::BadEnd);
    }
    let mut at = HEADER_BYTES;
    let mut count = 0usize;
    while at < end {
        if bytes[at] == END {
            return Err(Invalid::BadEnd);
        }
        let len = checked_len(&bytes[..end], at).ok_or(Invalid::BadElement)?;
        let (tail, tail_len) = backlen(len);
        let Some(stored) = bytes[..end].get(at + len..at + len + tail_len) else {
            return Err(Invalid::Overlong);
        };
        if *stored != tail[..tail_len] {
            return Err(Invalid::BadBacklen);
        }
        at += len + tail_len;
        count += 1;
    }
    let told = u16::from_le_bytes([bytes[4], bytes[5]]);
    if told != COUNT_UNKNOWN && usize::from(told) != count {
        return Err(Invalid::WrongCount);
    }
    Ok(())
}

/// Up to so many elements are compared each with each; more are told apart by their hashes.
const COMPARED_MAX: usize = 24;

/// Are these elements distinct: the first, and those after `skip` others each (1 for the fields of a hash)?
pub(super) fn are_distinct(listpack: &Listpack, skip: usize) -> bool {
    let step = skip + 1;
    if listpack.len() > COMPARED_MAX * step {
        let mut digits = itoa::Buffer::new();
        let mut hashes: Vec<u64> =
            listpack.iter().step_by(step).map(|item| hash_key(item.bytes(&mut digits))).collect();
        hashes.sort_unstable();
        if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
            return true;
        }
        // Equal elements, or one chance in billions.
    }
    let after = |pos: Pos| (0..step).try_fold(pos, |pos, _| listpack.next(pos));
    let mut pos = listpack.first();
    while let Some(at) = pos {
        pos = after(at);
        let mut digits = itoa::Buffer::new();
        if pos.is_some_and(|next| listpack.find(listpack.get(at).bytes(&mut digits), next, skip).is_some()) {
            return false;
        }
    }
    true
}
