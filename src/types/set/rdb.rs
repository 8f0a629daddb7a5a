//! The set type in an RDB: which bytes stand for one.
//!
//! ```text
//!  SET           count, then so many strings
//!  SET_INTSET    a string: the intset's bytes                    SET_LISTPACK   a string: the listpack's bytes
//! ```
//!
//! Called by `types::rdb` for the type bytes of this type. Always: any bytes give a value or an error; members are distinct.

use std::collections::HashSet;

use crate::codec::intset::Intset;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::rdb::decode::{read_bytes, read_length};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{RdbError, value_type};
use crate::config::Config;
use crate::types::set::Limits;
use crate::types::{Collection, Set};

/// Reads the value behind `value_type`; empty if there are no members, which no server stores.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded.
pub fn decode(source: &mut impl Source, value_type: u8, config: &Config) -> Result<Set, RdbError> {
    let limits = Limits::of(config);
    match value_type {
        value_type::SET => decode_plain(source, &limits),
        value_type::SET_INTSET => {
            let set = Intset::from_bytes(&read_bytes(source)?);
            Ok(fitted(set.map_err(|error| RdbError::Corrupt(error.text()))?.into(), &limits))
        }
        value_type::SET_LISTPACK => {
            let list = Listpack::from_bytes(&read_bytes(source)?);
            let list = list.map_err(|error| RdbError::Corrupt(error.text()))?;
            check_distinct(&list)?;
            Ok(fitted(list.into(), &limits))
        }
        other => Err(RdbError::UnknownType(other)),
    }
}

/// A form beyond today's thresholds is left.
fn fitted(mut set: Set, limits: &Limits) -> Set {
    set.expect(set.len(), limits);
    set
}

fn decode_plain(source: &mut impl Source, limits: &Limits) -> Result<Set, RdbError> {
    let count = read_length(source)?;
    // What the count claims is believed only as far as it makes the set larger than the small forms.
    let hint = usize::try_from(count).unwrap_or(usize::MAX);
    let mut set = Set::default();
    set.expect(if hint > limits.listpack_entries { hint } else { 0 }, limits);
    for _ in 0..count {
        if !set.add(&read_bytes(source)?, limits) {
            return Err(RdbError::Corrupt("a set has a member twice"));
        }
    }
    Ok(set)
}

fn check_distinct(list: &Listpack) -> Result<(), RdbError> {
    let mut seen: HashSet<Vec<u8>> = HashSet::with_capacity(list.len());
    match list.iter().map(Item::to_vec).all(|member| seen.insert(member)) {
        true => Ok(()),
        false => Err(RdbError::Corrupt("a set has a member twice")),
    }
}
