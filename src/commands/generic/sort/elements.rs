//! What SORT sorts: the elements of a list, set or sorted set, copied out, and their order.
//!
//! ```text
//!  text:  | 7 | apple | 12 |          ends:  | 1 | 6 | 8 |
//! ```
//!
//! Used by `sort` alone. Always: an order names each element once; equal elements keep the order of the key.

use std::cmp::Ordering;
use std::ops::Range;

use crate::base::double::parse_double;
use crate::codec::listpack::Item;
use crate::commands::spec::Failure;
use crate::keyspace::entry::Entry;
use crate::types::list::End;
use crate::types::{Collection, List, Set, SortedSet};

/// Elements, one behind the other.
#[derive(Default)]
pub struct Elements {
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// What an element is compared by.
pub enum Weights {
    Numbers(Vec<f64>),
    /// The elements' own bytes.
    Own,
    /// The bytes at keys that BY leads to; missing ones come first.
    Bytes(Vec<Option<Vec<u8>>>),
}

/// How many elements the value has.
///
/// # Errors
/// It is of a type that cannot be sorted.
pub fn count(entry: &Entry) -> Result<usize, Failure> {
    let list = entry.get::<List>().map(Collection::len);
    let set = || entry.get::<Set>().map(Collection::len);
    let sorted = || entry.get::<SortedSet>().map(Collection::len);
    list.or_else(set).or_else(sorted).ok_or(Failure::WRONG_TYPE)
}

impl Elements {
    fn push(&mut self, item: Item<'_>) {
        self.text.extend_from_slice(item.bytes(&mut itoa::Buffer::new()));
        self.ends.push(self.text.len());
    }

    /// Copies a part of the elements in the value's own order, or from its end if `reversed` (a set has no order).
    pub fn copy(entry: &Entry, part: Range<usize>, reversed: bool) -> Elements {
        let mut elements = Elements::default();
        if part.is_empty() {
            return elements;
        }
        if let Some(list) = entry.get::<List>() {
            let mut left = part.len();
            list.visit(if reversed { End::Tail } else { End::Head }, part.start, |item| {
                elements.push(item);
                left -= 1;
                left > 0
            });
        } else if let Some(set) = entry.get::<Set>() {
            set.iter().skip(part.start).take(part.len()).for_each(|item| elements.push(item));
        } else if let Some(sorted) = entry.get::<SortedSet>() {
            if reversed {
                let ranks = sorted.len() - part.end..sorted.len() - part.start;
                sorted.iter_rev(ranks).for_each(|(member, _)| elements.push(member));
            } else {
                sorted.iter(part).for_each(|(member, _)| elements.push(member));
            }
        }
        elements
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The indexes of the elements in the order of their weights. Only those within `window` have to be right.
    pub fn order(&self, weights: &Weights, descends: bool, window: &Range<usize>) -> Vec<usize> {
        let compare = |one: &usize, other: &usize| {
            let (a, b) = (*one, *other);
            let order = match weights {
                // Equal numbers are told apart by their bytes, so that the order is the same everywhere.
                Weights::Numbers(numbers) => {
                    let order = numbers[a].partial_cmp(&numbers[b]).unwrap_or(Ordering::Equal);
                    order.then_with(|| self.get(a).cmp(self.get(b)))
                }
                Weights::Own => self.get(a).cmp(self.get(b)),
                Weights::Bytes(bytes) => bytes[a].cmp(&bytes[b]),
            };
            let order = if descends { order.reverse() } else { order };
            order.then(a.cmp(&b))
        };
        let mut order: Vec<usize> = (0..self.len()).collect();
        if window.end < order.len() && window.end > 0 {
            // The first ones are brought to the front, then they alone are sorted.
            order.select_nth_unstable_by(window.end - 1, compare);
            order.truncate(window.end);
        }
        order.sort_unstable_by(compare);
        order
    }
}

/// A weight as strtod reads it: no bytes at all are zero, blanks in front are passed over, and a zero byte ends it.
///
/// # Errors
/// It is no number.
pub fn number(text: &[u8]) -> Result<f64, Failure> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    let text = &text[text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len())..];
    parse_double(text).ok_or(Failure::text("ERR One or more scores can't be converted into double"))
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
