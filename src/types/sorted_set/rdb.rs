//! Sorted sets in an RDB: which bytes stand for one.
//!
//! ```text
//!   3  count, then member and score as text (253 NaN, 254 inf, 255 -inf, otherwise a length and digits)
//!   5  count, then member and score in eight bytes; written from the highest score down
//!  12  a ziplist of pairs          17  a listpack of pairs
//! ```
//!
//! Called by `types::rdb` for the type bytes of this type. Always: any bytes give a value or an error; memory grows with what
//! arrives; what comes in order, with distinct members and with scores that are numbers is all that is believed.

use std::cmp::Ordering;

use crate::base::double::parse_double;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::rdb::decode::{read_binary_double, read_bytes, read_length};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{RdbError, value_type};
use crate::codec::ziplist;
use crate::config::Config;
use crate::types::sorted_set::{Limits, pairs};
use crate::types::{Collection, SortedSet};

/// Reads the value behind `value_type`; empty if there are no members, which no server stores.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded.
pub fn decode(source: &mut impl Source, value_type: u8, config: &Config) -> Result<SortedSet, RdbError> {
    let limits = Limits::of(config);
    match value_type {
        value_type::ZSET => members(source, limits, read_text_score),
        value_type::ZSET_2 => members(source, limits, read_binary_double),
        value_type::ZSET_ZIPLIST => {
            let bytes = read_bytes(source)?;
            let pairs = ziplist::to_listpack(&bytes)
                .map_err(|_| RdbError::Corrupt("the ziplist of a sorted set is not one"))?;
            small(pairs, limits)
        }
        value_type::ZSET_LISTPACK => {
            let bytes = read_bytes(source)?;
            let pairs = Listpack::from_bytes(&bytes)
                .map_err(|_| RdbError::Corrupt("the listpack of a sorted set is not one"))?;
            small(pairs, limits)
        }
        other => Err(RdbError::UnknownType(other)),
    }
}

const NO_NUMBER: RdbError = RdbError::Corrupt("a score in a sorted set is not a number");
const TWICE: RdbError = RdbError::Corrupt("a sorted set has a member twice");

/// A length, or what is no length, and digits.
fn read_text_score<S: Source>(source: &mut S) -> Result<f64, RdbError> {
    match source.read_u8()? {
        253 => Err(NO_NUMBER),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => parse_double(&source.read_vec(usize::from(len))?).ok_or(NO_NUMBER),
    }
}

/// Members one by one.
fn members<S: Source>(
    source: &mut S,
    limits: Limits,
    read_score: impl Fn(&mut S) -> Result<f64, RdbError>,
) -> Result<SortedSet, RdbError> {
    let count = read_length(source)?;
    let mut set = SortedSet::for_members(usize::try_from(count).unwrap_or(usize::MAX), limits);
    for _ in 0..count {
        let member = read_bytes(source)?;
        let score = read_score(source)?;
        if score.is_nan() {
            return Err(NO_NUMBER);
        }
        if set.set(&member, score, limits).is_some() {
            return Err(TWICE);
        }
    }
    Ok(set)
}

/// A listpack that somebody else has made.
fn small(pairs: Listpack, limits: Limits) -> Result<SortedSet, RdbError> {
    check(&pairs)?;
    let mut set = SortedSet::from(pairs);
    if set.len() > limits.entries {
        set.make_large();
    }
    Ok(set)
}

fn check(pairs: &Listpack) -> Result<(), RdbError> {
    let mut members: Vec<Item<'_>> = Vec::with_capacity(pairs.len() / 2);
    let mut last: Option<(f64, Item<'_>)> = None;
    let mut items = pairs.iter();
    while let Some(member) = items.next() {
        let score = items.next().ok_or(RdbError::Corrupt("a sorted set has a member without a score"))?;
        let score = pairs::parse_score(score).ok_or(NO_NUMBER)?;
        let is_behind = |(below, other)| below < score || (below == score && order(other, member).is_lt());
        if !last.is_none_or(is_behind) {
            return Err(RdbError::Corrupt("a sorted set is out of order"));
        }
        members.push(member);
        last = Some((score, member));
    }
    members.sort_unstable_by(|a, b| order(*a, *b));
    if members.windows(2).any(|pair| order(pair[0], pair[1]).is_eq()) {
        return Err(TWICE);
    }
    Ok(())
}

/// The order of the bytes that a client sees.
fn order(a: Item<'_>, b: Item<'_>) -> Ordering {
    a.bytes(&mut itoa::Buffer::new()).cmp(b.bytes(&mut itoa::Buffer::new()))
}
