//! Primitives of the RDB format: what a snapshot on disk, a full sync and a DUMP payload are made of.
//!
//!     REDIS0010 | AUX* | FUNCTION* | (SELECTDB RESIZEDB? (EXPIRETIME_MS? IDLE|FREQ? type key value)*)* | EOF | CRC64
//!
//! `encode` appends to a buffer; `source` says where decoding reads from; `decode` has lengths and strings;
//! `reader` walks a whole stream as events; `dump` has the framing of DUMP and RESTORE.
//!
//! Always: we write version 10 with plain types, which every Redis since 7.0 and every Valkey loads, unless the data needs
//! more and the reader knows more (`Dialect`); we read what
//! `Format::parse` accepts. Values other than strings are decoded by `types`, through the same `Source`.

pub mod decode;
pub mod dump;
pub mod encode;
pub mod reader;
pub mod source;

use std::fmt;

/// The version that we write, in the header and in DUMP footers: that of Redis 7.0.
pub const VERSION_WRITTEN: u16 = 10;
/// The newest version under the REDIS magic that we read: Redis 8.6.
pub const VERSION_REDIS_MAX: u16 = 13;
/// The one version under the VALKEY magic: Valkey 9.
pub const VERSION_VALKEY: u16 = 80;

/// Length of the header: `REDIS` and four digits or `VALKEY` and three.
pub const HEADER_LEN: usize = 9;

/// One string of an RDB may be this long, in bytes. Redis' own limit is `proto-max-bulk-len`, 512 MB unless raised.
pub const STRING_LEN_MAX: u64 = 1 << 32;

/// Strings of at most this many bytes may be integers in disguise: `-2147483648` has eleven.
const INTEGER_TEXT_MAX: usize = 11;

/// Bytes that stand where a value type could.
pub mod opcode {
    /// Hash template, Redis 8.10.
    pub const HASH_TEMPLATE: u8 = 242;
    /// Key metadata in Redis 8.6, a slot import in Valkey 9.
    pub const KEY_META_OR_SLOT_IMPORT: u8 = 243;
    /// Three lengths: slot, keys, keys with a deadline.
    pub const SLOT_INFO: u8 = 244;
    /// One string: the source of a function library.
    pub const FUNCTION2: u8 = 245;
    /// Functions in the form of Redis 7.0's release candidates.
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    /// A length: seconds since the next key was used.
    pub const IDLE: u8 = 248;
    /// One byte: the next key's LFU counter.
    pub const FREQ: u8 = 249;
    /// Two strings: name and value.
    pub const AUX: u8 = 250;
    /// Two lengths: keys and keys with a deadline in this database.
    pub const RESIZEDB: u8 = 251;
    /// Eight bytes, little-endian: the next key's deadline in Unix milliseconds.
    pub const EXPIRETIME_MS: u8 = 252;
    /// Four bytes, little-endian: the next key's deadline in Unix seconds.
    pub const EXPIRETIME: u8 = 253;
    /// A length: the database of the keys that follow.
    pub const SELECTDB: u8 = 254;
    pub const EOF: u8 = 255;
}

/// Value types. Redis writes those without a remark; the others occur in old files and in other servers' streams.
pub mod value_type {
    pub const STRING: u8 = 0;
    /// Read only: long ago.
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    /// Read only: scores as text.
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE_PRE_GA: u8 = 6;
    pub const MODULE_2: u8 = 7;
    /// 9 to 15: read only, up to RDB version 9.
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM_LISTPACKS: u8 = 15;
    /// 16 to 19 came with version 10.
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// 20 and 21 came with version 11.
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// Under the VALKEY magic: a hash whose fields may have deadlines.
    pub const VALKEY_HASH_2: u8 = 22;
    /// 24 and 25 came with version 12: hashes whose fields have deadlines.
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
    /// Version 13.
    pub const STREAM_LISTPACKS_4: u8 = 26;
}

/// What those who read an RDB or a payload of ours can load. Plain values are the same in all of them; hashes whose fields
/// have deadlines are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Redis since 7.0 and Valkey: version 10. Deadlines of fields are left out.
    #[default]
    Common,
    /// Redis since 7.4: version 12.
    Redis12,
    /// Valkey since 9.0: version 80. We load it as well, so files that need more than `Common` are written so.
    Valkey80,
}

impl Dialect {
    /// The first nine bytes of a stream.
    pub fn header(self) -> &'static [u8; HEADER_LEN] {
        match self {
            Dialect::Common => b"REDIS0010",
            Dialect::Redis12 => b"REDIS0012",
            Dialect::Valkey80 => b"VALKEY080",
        }
    }

    /// The version in the footer of a DUMP payload.
    pub fn version(self) -> u16 {
        match self {
            Dialect::Common => VERSION_WRITTEN,
            Dialect::Redis12 => 12,
            Dialect::Valkey80 => VERSION_VALKEY,
        }
    }
}

/// Which server's numbering a stream or payload uses, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Redis(u16),
    Valkey(u16),
}

impl Format {
    /// Reads the nine bytes at the beginning of a stream: `REDIS0001` to `REDIS0013`, or `VALKEY080`.
    pub fn parse(header: &[u8; HEADER_LEN]) -> Result<Format, RdbError> {
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0u16, |number, &digit| {
                digit
                    .is_ascii_digit()
                    .then(|| number * 10 + u16::from(digit - b'0'))
                    .ok_or(RdbError::BadMagic)
            })
        };
        let format = match header {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => Format::Redis(number(digits)?),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => Format::Valkey(number(digits)?),
            _ => return Err(RdbError::BadMagic),
        };
        match format {
            Format::Redis(1..=VERSION_REDIS_MAX) | Format::Valkey(VERSION_VALKEY) => Ok(format),
            Format::Redis(_) | Format::Valkey(_) => Err(RdbError::Version(format)),
        }
    }

    /// The format of a payload whose footer has this version number; `None` if it is one that we cannot read.
    pub fn from_dump_version(version: u16) -> Option<Format> {
        match version {
            0..=VERSION_REDIS_MAX => Some(Format::Redis(version)),
            VERSION_VALKEY => Some(Format::Valkey(version)),
            _ => None,
        }
    }

    /// May a value of this type occur? A type of another numbering or of a newer version may not.
    pub fn knows_type(self, value_type: u8) -> bool {
        match (self, value_type) {
            (_, 0..=7 | 9..=21) => true,
            (Format::Valkey(_), value_type::VALKEY_HASH_2) => true,
            (Format::Redis(_), 24..=26) => true,
            (Format::Redis(_) | Format::Valkey(_), _) => false,
        }
    }

    /// Streams of version 5 and later end with a checksum.
    fn has_checksum(self) -> bool {
        match self {
            Format::Redis(version) => version >= 5,
            Format::Valkey(_) => true,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Redis(version) => write!(f, "REDIS{version:04}"),
            Format::Valkey(version) => write!(f, "VALKEY{version:03}"),
        }
    }
}

/// Why an RDB stream or payload cannot be read. Nothing of it may be used then.
#[derive(Debug)]
pub enum RdbError {
    /// The file or socket failed.
    Io(std::io::Error),
    /// The bytes end before the stream does.
    Truncated,
    /// The beginning is neither REDIS nor VALKEY and a version.
    BadMagic,
    /// A version that we cannot read.
    Version(Format),
    /// The checksum at the end does not fit the bytes before it.
    Checksum { stored: u64, computed: u64 },
    /// Bytes that no server writes; the text says where.
    Corrupt(&'static str),
    /// A value type that this version of the format does not have, or that the caller cannot load.
    UnknownType(u8),
    /// An opcode that we do not understand, so that what follows cannot be found.
    UnknownOpcode(u8),
    /// A string longer than [`STRING_LEN_MAX`].
    TooBig(u64),
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RdbError::Io(error) => write!(f, "reading the RDB failed: {error}"),
            RdbError::Truncated => write!(f, "the RDB ends too early"),
            RdbError::BadMagic => write!(f, "this is no RDB: it starts neither with REDIS nor with VALKEY"),
            RdbError::Version(format) => {
                write!(f, "can't handle RDB format {format} (known are REDIS0001 to ")?;
                write!(f, "{} and {})", Format::Redis(VERSION_REDIS_MAX), Format::Valkey(VERSION_VALKEY))
            }
            RdbError::Checksum { stored, computed } => {
                write!(f, "RDB CRC error: {stored:016x} is stored, {computed:016x} is computed")
            }
            RdbError::Corrupt(what) => write!(f, "the RDB is corrupt: {what}"),
            RdbError::UnknownType(value_type) => write!(f, "values of RDB type {value_type} can't be loaded"),
            RdbError::UnknownOpcode(opcode) => write!(f, "RDB opcode {opcode} is not understood"),
            RdbError::TooBig(len) => {
                write!(f, "an RDB string of {len} bytes is over the limit of {STRING_LEN_MAX} bytes")
            }
        }
    }
}

impl std::error::Error for RdbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RdbError::Io(error) => Some(error),
            RdbError::Truncated
            | RdbError::BadMagic
            | RdbError::Version(_)
            | RdbError::Checksum { .. }
            | RdbError::Corrupt(_)
            | RdbError::UnknownType(_)
            | RdbError::UnknownOpcode(_)
            | RdbError::TooBig(_) => None,
        }
    }
}

impl From<std::io::Error> for RdbError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => RdbError::Truncated,
            _ => RdbError::Io(error),
        }
    }
}

#[cfg(test)]
mod tests;
