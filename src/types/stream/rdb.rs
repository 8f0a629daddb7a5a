//! The stream type in an RDB: which bytes stand for one.
//!
//! Called by `types::rdb` for the type bytes of this type. Always: any bytes give a value or an error.

use crate::codec::rdb::RdbError;
use crate::codec::rdb::source::Source;
use crate::config::Config;
use crate::types::Stream;

/// Reads the value behind `value_type`.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded.
pub fn decode(_source: &mut impl Source, value_type: u8, _config: &Config) -> Result<Stream, RdbError> {
    Err(RdbError::UnknownType(value_type))
}
