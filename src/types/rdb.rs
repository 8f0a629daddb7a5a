//! Values in an RDB: which type byte belongs to which type, and the writing of whole values.
//!
//! ```text
//!  file, full sync, RESTORE --type byte--> decode --> the type's own rdb.rs --> Value
//!  DUMP, snapshot           <------------- encode <-- Collection::encode
//! ```
//!
//! Called by `persist::rdb::load`, by DUMP and RESTORE, and by the snapshot. Always: what is decoded has been checked
//! completely; nothing that a hostile payload says is believed.

use crate::codec::lzf;
use crate::codec::rdb::decode::{RdbString, read_string};
use crate::codec::rdb::encode::{write_integer, write_string};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{Dialect, RdbError, value_type};
use crate::config::Config;
use crate::each_collection;
use crate::types::{Collection, Str, Value, ValueRef, hash, list, set, sorted_set, stream};

/// Reads the value behind the type byte `kind`. Encodings are chosen by the thresholds of `config`.
///
/// # Errors
/// The bytes are not such a value; [`RdbError::UnknownType`] for a type that cannot be loaded (a module's).
pub fn decode(source: &mut impl Source, kind: u8, config: &Config) -> Result<Value, RdbError> {
    match kind {
        value_type::STRING => Ok(match read_string(source)? {
            RdbString::Int(number) => Value::Int(number),
            RdbString::Bytes(bytes) => Value::Bytes(bytes),
        }),
        value_type::LIST
        | value_type::LIST_ZIPLIST
        | value_type::LIST_QUICKLIST
        | value_type::LIST_QUICKLIST_2 => list::rdb::decode(source, kind, config).map(Value::List),
        value_type::SET | value_type::SET_INTSET | value_type::SET_LISTPACK => {
            set::rdb::decode(source, kind, config).map(Value::Set)
        }
        value_type::ZSET | value_type::ZSET_2 | value_type::ZSET_ZIPLIST | value_type::ZSET_LISTPACK => {
            sorted_set::rdb::decode(source, kind, config).map(Value::SortedSet)
        }
        value_type::HASH
        | value_type::HASH_ZIPMAP
        | value_type::HASH_ZIPLIST
        | value_type::HASH_LISTPACK
        | value_type::VALKEY_HASH_2
        | value_type::HASH_METADATA
        | value_type::HASH_LISTPACK_EX => hash::rdb::decode(source, kind, config).map(Value::Hash),
        value_type::STREAM_LISTPACKS
        | value_type::STREAM_LISTPACKS_2
        | value_type::STREAM_LISTPACKS_3
        | value_type::STREAM_LISTPACKS_4 => stream::rdb::decode(source, kind, config).map(Value::Stream),
        other => Err(RdbError::UnknownType(other)),
    }
}

/// The type byte that stands before a value.
pub fn type_of(value: ValueRef<'_>, dialect: Dialect) -> u8 {
    each_collection!(value, _string => value_type::STRING, collection => collection.rdb_type_in(dialect))
}

/// Appends a value as it stands behind its type byte.
pub fn encode(
    out: &mut Vec<u8>,
    value: ValueRef<'_>,
    dialect: Dialect,
    compressor: Option<&mut lzf::Compressor>,
) {
    each_collection!(value,
        string => match string {
            Str::Int(number) => write_integer(out, number),
            Str::Bytes(bytes) => write_string(out, bytes, compressor),
        },
        collection => collection.encode_in(dialect, out, compressor))
}
