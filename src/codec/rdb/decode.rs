//! Reading lengths and strings, the two things that every RDB value is made of. The stream reader, the types'
//! own decoders and RESTORE call it, over any [`Source`].
//!
//! Always: any bytes give a value or an error; memory grows with what arrives (see `source`).

use crate::base::number::write_i64;
use crate::codec::lzf;
use crate::codec::rdb::encode::{ENCODED_INT8, ENCODED_INT16, ENCODED_INT32, ENCODED_LZF};
use crate::codec::rdb::encode::{LENGTH_14, LENGTH_32, LENGTH_64};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{RdbError, STRING_LEN_MAX};

/// A string as it was stored. An integer is to be taken for its decimal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RdbString {
    Int(i64),
    Bytes(Vec<u8>),
}

impl RdbString {
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            RdbString::Bytes(bytes) => bytes,
            RdbString::Int(value) => {
                let mut text = Vec::with_capacity(11);
                write_i64(&mut text, value);
                text
            }
        }
    }
}

/// A length, or the string encoding that stands in its place (the whole first byte).
enum LengthOrEncoding {
    Length(u64),
    Encoding(u8),
}

#[inline]
fn read_length_or_encoding(source: &mut impl Source) -> Result<LengthOrEncoding, RdbError> {
    let first = source.read_u8()?;
    Ok(LengthOrEncoding::Length(match first {
        0..LENGTH_14 => u64::from(first),
        LENGTH_14..LENGTH_32 => u64::from(first & 0x3f) << 8 | u64::from(source.read_u8()?),
        LENGTH_32 => u64::from(u32::from_be_bytes(source.read_array()?)),
        LENGTH_64 => u64::from_be_bytes(source.read_array()?),
        ENCODED_INT8.. => return Ok(LengthOrEncoding::Encoding(first)),
        _ => return Err(RdbError::Corrupt("a length starts with an undefined byte")),
    }))
}

/// A length or count.
#[inline]
pub fn read_length(source: &mut impl Source) -> Result<u64, RdbError> {
    match read_length_or_encoding(source)? {
        LengthOrEncoding::Length(len) => Ok(len),
        LengthOrEncoding::Encoding(_) => {
            Err(RdbError::Corrupt("a string encoding stands where a length should"))
        }
    }
}

pub fn read_string(source: &mut impl Source) -> Result<RdbString, RdbError> {
    match read_length_or_encoding(source)? {
        LengthOrEncoding::Length(len) => Ok(RdbString::Bytes(source.read_vec(checked_len(len)?)?)),
        LengthOrEncoding::Encoding(ENCODED_INT8) => {
            Ok(RdbString::Int(i64::from(i8::from_le_bytes(source.read_array()?))))
        }
        LengthOrEncoding::Encoding(ENCODED_INT16) => {
            Ok(RdbString::Int(i64::from(i16::from_le_bytes(source.read_array()?))))
        }
        LengthOrEncoding::Encoding(ENCODED_INT32) => {
            Ok(RdbString::Int(i64::from(i32::from_le_bytes(source.read_array()?))))
        }
        LengthOrEncoding::Encoding(ENCODED_LZF) => Ok(RdbString::Bytes(read_compressed(source)?)),
        LengthOrEncoding::Encoding(_) => Err(RdbError::Corrupt("a string has an undefined encoding")),
    }
}

/// A string of which only the bytes matter: keys, names, members.
pub fn read_bytes(source: &mut impl Source) -> Result<Vec<u8>, RdbError> {
    read_string(source).map(RdbString::into_bytes)
}

/// Eight bytes, little-endian: a moment in Unix milliseconds.
pub fn read_ms(source: &mut impl Source) -> Result<i64, RdbError> {
    source.read_array().map(i64::from_le_bytes)
}

/// Eight bytes, little-endian: the score of a sorted-set member.
pub fn read_binary_double(source: &mut impl Source) -> Result<f64, RdbError> {
    source.read_array().map(f64::from_le_bytes)
}

#[cold]
fn read_compressed(source: &mut impl Source) -> Result<Vec<u8>, RdbError> {
    let packed_len = checked_len(read_length(source)?)?;
    let len = checked_len(read_length(source)?)?;
    let packed = source.read_vec(packed_len)?;
    let mut bytes = Vec::new();
    match lzf::decompress(&packed, len, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(lzf::LzfError::Truncated) => {
            Err(RdbError::Corrupt("a compressed string ends within an instruction"))
        }
        Err(lzf::LzfError::BadOffset) => {
            Err(RdbError::Corrupt("a compressed string refers to before its start"))
        }
        Err(lzf::LzfError::WrongLength) => Err(RdbError::Corrupt("a compressed string has another length")),
    }
}

fn checked_len(len: u64) -> Result<usize, RdbError> {
    if len > STRING_LEN_MAX {
        return Err(RdbError::TooBig(len));
    }
    usize::try_from(len).map_err(|_| RdbError::TooBig(len))
}
