//! Writing RDB: every function appends to a byte buffer, so the same code serves files, sockets and DUMP.
//! The snapshot encoder, `persist` and the types' own encoders call it.
//!
//! A length is written in the shortest of four forms; a first byte of 11...... is a string encoding instead:
//!
//!     00llllll                          6 bits
//!     01llllll llllllll                14 bits, big-endian
//!     10000000 + 4 bytes               32 bits, big-endian
//!     10000001 + 8 bytes               64 bits, big-endian
//!     110000ee                         ee: 0, 1, 2 = integer of 8, 16, 32 bits, little-endian; 3 = LZF
//!
//! Always: lengths and integers take the form that Redis gives them; compressed bytes may differ from what Redis
//! would choose (any reader takes them).

use crate::base::number::{parse_i64, write_i64};
use crate::codec::lzf;
use crate::codec::rdb::{Dialect, INTEGER_TEXT_MAX, opcode};

/// First bytes of the encoded strings.
pub(super) const ENCODED_INT8: u8 = 0b1100_0000;
pub(super) const ENCODED_INT16: u8 = 0b1100_0001;
pub(super) const ENCODED_INT32: u8 = 0b1100_0010;
pub(super) const ENCODED_LZF: u8 = 0b1100_0011;

/// First bytes of the longer lengths.
pub(super) const LENGTH_14: u8 = 0b0100_0000;
pub(super) const LENGTH_32: u8 = 0b1000_0000;
pub(super) const LENGTH_64: u8 = 0b1000_0001;

/// Shorter strings are not worth compressing: Redis starts above 20 bytes.
const COMPRESS_ABOVE: usize = 20;
/// Compression must save at least this many bytes.
const COMPRESS_GAIN_MIN: usize = 4;

/// `REDIS0010`, or what the dialect has there.
pub fn write_header(out: &mut Vec<u8>, dialect: Dialect) {
    out.extend_from_slice(dialect.header());
}

pub fn write_aux(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(opcode::AUX);
    write_string(out, name, None);
    write_string(out, value, None);
}

pub fn write_select_db(out: &mut Vec<u8>, db: u64) {
    out.push(opcode::SELECTDB);
    write_length(out, db);
}

/// A hint for the reader: how many keys this database has, and how many of them have a deadline.
pub fn write_resize_db(out: &mut Vec<u8>, keys: u64, expires: u64) {
    out.push(opcode::RESIZEDB);
    write_length(out, keys);
    write_length(out, expires);
}

/// Deadline of the next key, in Unix milliseconds.
pub fn write_expire_ms(out: &mut Vec<u8>, deadline_ms: i64) {
    out.push(opcode::EXPIRETIME_MS);
    out.extend_from_slice(&deadline_ms.to_le_bytes());
}

/// Seconds for which the next key has not been used.
pub fn write_idle_seconds(out: &mut Vec<u8>, seconds: u64) {
    out.push(opcode::IDLE);
    write_length(out, seconds);
}

/// Access counter of the next key.
pub fn write_frequency(out: &mut Vec<u8>, counter: u8) {
    out.extend_from_slice(&[opcode::FREQ, counter]);
}

/// The source of one function library.
pub fn write_function(out: &mut Vec<u8>, code: &[u8], compressor: Option<&mut lzf::Compressor>) {
    out.push(opcode::FUNCTION2);
    write_string(out, code, compressor);
}

/// The end of the contents. The checksum of all bytes up to and including this one must follow.
pub fn write_eof(out: &mut Vec<u8>) {
    out.push(opcode::EOF);
}

/// The last eight bytes: the checksum, or 0 for "not computed".
pub fn write_checksum(out: &mut Vec<u8>, checksum: u64) {
    out.extend_from_slice(&checksum.to_le_bytes());
}

#[inline]
pub fn write_length(out: &mut Vec<u8>, len: u64) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend_from_slice(&[LENGTH_14 | (len >> 8) as u8, len as u8]),
        0x4000..=0xffff_ffff => {
            out.push(LENGTH_32);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
        _ => {
            out.push(LENGTH_64);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

/// A string: as an integer if it is the canonical text of a small one; compressed if a compressor is given and it
/// pays; plain otherwise.
pub fn write_string(out: &mut Vec<u8>, bytes: &[u8], compressor: Option<&mut lzf::Compressor>) {
    if bytes.len() <= INTEGER_TEXT_MAX
        && let Some(value) = parse_i64(bytes)
        && write_small_integer(out, value)
    {
        return;
    }
    if bytes.len() > COMPRESS_ABOVE
        && let Some(compressor) = compressor
        && write_compressed(out, bytes, compressor)
    {
        return;
    }
    write_plain(out, bytes);
}

/// The string form of an integer value: in binary if it fits 32 bits, as text otherwise.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    if !write_small_integer(out, value) {
        let mut text = Vec::with_capacity(20);
        write_i64(&mut text, value);
        write_plain(out, &text);
    }
}

fn write_plain(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 9);
    write_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_small_integer(out: &mut Vec<u8>, value: i64) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.extend_from_slice(&[ENCODED_INT8, value as u8]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(ENCODED_INT16);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(ENCODED_INT32);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}

fn write_compressed(out: &mut Vec<u8>, bytes: &[u8], compressor: &mut lzf::Compressor) -> bool {
    let Some(packed) = compressor.compress(bytes, bytes.len() - COMPRESS_GAIN_MIN) else {
        return false;
    };
    write_packed(out, packed, bytes.len());
    true
}

/// A string of `raw_len` bytes that is there as LZF already.
pub fn write_packed(out: &mut Vec<u8>, packed: &[u8], raw_len: usize) {
    out.push(ENCODED_LZF);
    write_length(out, packed.len() as u64);
    write_length(out, raw_len as u64);
    out.extend_from_slice(packed);
}
