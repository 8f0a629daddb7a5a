//! The hash type in an RDB: which bytes stand for one.
//!
//! ```text
//!   4  HASH              count, then field and value                           written: any table, by `Dialect::Common`
//!   9  HASH_ZIPMAP, 13  HASH_ZIPLIST, 16  HASH_LISTPACK   one string           written: 16, a listpack
//!  22  VALKEY_HASH_2     count, then field, value and deadline (8 bytes LE, -1 = none)           Valkey 9
//!  24  HASH_METADATA     earliest deadline (8 bytes LE), count, then per field:                  Redis 7.4
//!                        0 or deadline - earliest + 1 (a length), field, value
//!  25  HASH_LISTPACK_EX  earliest deadline, a string: listpack of field, value, deadline or 0    Redis 7.4
//! ```
//!
//! Called by `types::rdb` for the type bytes of this type. Always: any bytes give a value or an error; memory grows with what
//! arrives; fields are distinct. A field whose deadline has passed is loaded, so that whoever expires it tells replicas.

use crate::base::ids::UnixMs;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::lzf;
use crate::codec::rdb::decode::{read_bytes, read_length, read_ms};
use crate::codec::rdb::encode::{write_length, write_string};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{Dialect, RdbError, value_type};
use crate::codec::{ziplist, zipmap};
use crate::config::Config;
use crate::types::Collection;
use crate::types::hash::field::Field;
use crate::types::hash::{Deadline, Hash, HashForm, Limits, NEVER};

const TWICE: RdbError = RdbError::Corrupt("a hash has a field twice");
const ODD: RdbError = RdbError::Corrupt("a hash has a field without a value");
const BAD_DEADLINE: RdbError = RdbError::Corrupt("a field of a hash has a deadline that is none");

/// Reads the value behind `value_type`; empty if there are no fields, which no server stores.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded.
pub fn decode(source: &mut impl Source, value_type: u8, config: &Config) -> Result<Hash, RdbError> {
    let limits = Limits::of(config);
    match value_type {
        value_type::HASH => {
            let (count, mut loading) = begin(source, limits)?;
            (0..count).try_for_each(|_| {
                let name = read_bytes(source)?;
                loading.add(&name, &read_bytes(source)?, None)
            })?;
            Ok(loading.hash)
        }
        value_type::HASH_ZIPMAP => {
            let list = zipmap::to_listpack(&read_bytes(source)?);
            let mut hash = from_pairs(list.ok_or(RdbError::Corrupt(zipmap::BAD_ZIPMAP))?, limits)?;
            // Only this form is looked at for long words, as in Redis.
            let longest = hash.iter(NEVER).map(|(name, value)| name.len().max(value.len())).max();
            hash.expect(0, longest.unwrap_or(0), 0, limits);
            Ok(hash)
        }
        value_type::HASH_ZIPLIST => {
            let list = ziplist::to_listpack(&read_bytes(source)?);
            from_pairs(list.map_err(|error| RdbError::Corrupt(error.text()))?, limits)
        }
        value_type::HASH_LISTPACK => from_pairs(read_listpack(source)?, limits),
        value_type::VALKEY_HASH_2 => valkey(source, limits),
        value_type::HASH_METADATA => metadata(source, limits),
        value_type::HASH_LISTPACK_EX => from_triplets(source, limits),
        other => Err(RdbError::UnknownType(other)),
    }
}

/// A hash whose fields come one by one.
struct Loading {
    hash: Hash,
    limits: Limits,
}

/// Reads the count of the fields that follow, which is believed only as far as it rules out the small form.
fn begin(source: &mut impl Source, limits: Limits) -> Result<(u64, Loading), RdbError> {
    let count = read_length(source)?;
    let mut hash = Hash::default();
    hash.expect(usize::try_from(count).unwrap_or(usize::MAX), 0, 0, limits);
    Ok((count, Loading { hash, limits }))
}

impl Loading {
    fn add(&mut self, name: &[u8], value: &[u8], deadline: Option<UnixMs>) -> Result<(), RdbError> {
        let longest = name.len().max(value.len());
        if longest > u32::MAX as usize {
            return Err(RdbError::TooBig(longest as u64));
        }
        let is_new = match deadline {
            None => self.hash.set(name, value, Deadline::Clear, NEVER, self.limits),
            Some(_) => self.hash.make_table(0).insert(name, value, deadline),
        };
        if is_new { Ok(()) } else { Err(TWICE) }
    }
}

fn read_listpack(source: &mut impl Source) -> Result<Listpack, RdbError> {
    Listpack::from_bytes(&read_bytes(source)?).map_err(|error| RdbError::Corrupt(error.text()))
}

/// A listpack of fields and values, which stays one if it is within the limits of today.
fn from_pairs(list: Listpack, limits: Limits) -> Result<Hash, RdbError> {
    if !list.len().is_multiple_of(2) {
        return Err(ODD);
    }
    if !list.are_distinct(1) {
        return Err(TWICE);
    }
    let mut hash = Hash::from(list);
    hash.expect(hash.len(), 0, 0, limits);
    Ok(hash)
}

fn valkey(source: &mut impl Source, limits: Limits) -> Result<Hash, RdbError> {
    let (count, mut loading) = begin(source, limits)?;
    for _ in 0..count {
        let (name, value) = (read_bytes(source)?, read_bytes(source)?);
        let deadline = match read_ms(source)? {
            -1 => None,
            ..-1 => return Err(BAD_DEADLINE),
            at => Some(UnixMs(at)),
        };
        loading.add(&name, &value, deadline)?;
    }
    Ok(loading.hash)
}

fn metadata(source: &mut impl Source, limits: Limits) -> Result<Hash, RdbError> {
    let earliest = read_ms(source)?;
    let (count, mut loading) = begin(source, limits)?;
    for _ in 0..count {
        let deadline = match read_length(source)? {
            0 => None,
            after => Some(later(earliest, after - 1)?),
        };
        let name = read_bytes(source)?;
        loading.add(&name, &read_bytes(source)?, deadline)?;
    }
    Ok(loading.hash)
}

fn later(earliest: i64, by: u64) -> Result<UnixMs, RdbError> {
    let at = i64::try_from(by).ok().and_then(|by| earliest.checked_add(by));
    at.filter(|at| *at >= 0).map(UnixMs).ok_or(BAD_DEADLINE)
}

fn from_triplets(source: &mut impl Source, limits: Limits) -> Result<Hash, RdbError> {
    // The deadlines themselves say which is the earliest.
    read_ms(source)?;
    let list = read_listpack(source)?;
    if !list.len().is_multiple_of(3) {
        return Err(ODD);
    }
    let mut loading = Loading { hash: Hash::default(), limits };
    let mut items = list.iter();
    while let (Some(name), Some(value), Some(deadline)) = (items.next(), items.next(), items.next()) {
        let deadline = match deadline {
            Item::Int(0) => None,
            Item::Int(at @ 1..) => Some(UnixMs(at)),
            Item::Int(_) | Item::Bytes(_) => return Err(BAD_DEADLINE),
        };
        loading.add(&name.to_vec(), &value.to_vec(), deadline)?;
    }
    Ok(loading.hash)
}

/// The type byte that stands before a hash as it is now.
pub(super) fn type_of(hash: &Hash, dialect: Dialect) -> u8 {
    match (hash.form(), dialect) {
        (HashForm::Listpack(_), _) => value_type::HASH_LISTPACK,
        (HashForm::Table(table), _) if table.timed() == 0 => value_type::HASH,
        (HashForm::Table(_), Dialect::Common) => value_type::HASH,
        (HashForm::Table(_), Dialect::Redis12) => value_type::HASH_METADATA,
        (HashForm::Table(_), Dialect::Valkey80) => value_type::VALKEY_HASH_2,
    }
}

/// Appends the value as it stands behind the type byte of `type_of`.
pub(super) fn encode(
    hash: &Hash,
    dialect: Dialect,
    out: &mut Vec<u8>,
    compressor: Option<&mut lzf::Compressor>,
) {
    let table = match hash.form() {
        HashForm::Listpack(list) => return write_string(out, list.as_bytes(), compressor),
        HashForm::Table(table) => table,
    };
    let mut compressor = compressor;
    let shape = Shape::of(dialect, table.timed());
    let start = shape.write_start(out, table.fields().iter());
    table.fields().iter().for_each(|field| shape.write_field(out, field, start, compressor.as_deref_mut()));
}

/// What is written of each field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// Type 4: deadlines are left out.
    Plain,
    /// Type 24.
    Metadata,
    /// Type 22.
    Valkey,
}

impl Shape {
    /// That of a table of which so many fields have deadlines.
    pub(super) fn of(dialect: Dialect, timed: usize) -> Shape {
        match dialect {
            _ if timed == 0 => Shape::Plain,
            Dialect::Common => Shape::Plain,
            Dialect::Redis12 => Shape::Metadata,
            Dialect::Valkey80 => Shape::Valkey,
        }
    }

    /// Appends what stands before the fields. Returns the earliest deadline, where `write_field` needs it.
    pub(super) fn write_start<'a>(
        self,
        out: &mut Vec<u8>,
        fields: impl ExactSizeIterator<Item = &'a Field>,
    ) -> i64 {
        let (mut earliest, count) = (0, fields.len());
        if self == Shape::Metadata {
            // The exact one, not a lower bound: it must not be in the far past, nor before 1970.
            let deadlines = fields.filter_map(Field::deadline);
            earliest = deadlines.map(|at| at.0).min().unwrap_or(0);
            out.extend_from_slice(&earliest.to_le_bytes());
        }
        write_length(out, count as u64);
        earliest
    }

    #[inline]
    pub(super) fn write_field(
        self,
        out: &mut Vec<u8>,
        field: &Field,
        earliest: i64,
        mut compressor: Option<&mut lzf::Compressor>,
    ) {
        if self == Shape::Metadata {
            let after = field.deadline().map_or(0, |at| at.0.abs_diff(earliest).saturating_add(1));
            write_length(out, after);
        }
        write_string(out, field.name(), compressor.as_deref_mut());
        write_string(out, field.value(), compressor);
        if self == Shape::Valkey {
            out.extend_from_slice(&field.deadline().map_or(-1, |at| at.0).to_le_bytes());
        }
    }
}
