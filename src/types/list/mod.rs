//! The list type: elements in the order in which they were pushed.
//!
//! ```text
//!  Listpack   a small list, one run of bytes                 `limits` says up to where; back from half of that on
//!  Quicklist  a row of listpacks (`quicklist`, `node`), with changes in the middle of it (`change`)
//! ```
//!
//! Called by the keyspace and by the handlers of its commands. Always: at most `types::HELD_BYTES` in its entry; the encoding
//! that is reported is the one that Redis 7.2 would have.

mod change;
mod frozen;
pub mod limits;
mod node;
mod packed;
pub mod quicklist;
pub mod rdb;
#[cfg(test)]
mod tests;

pub use limits::Limits;
use quicklist::Quicklist;

use crate::base::digest::Digest;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::lzf;
use crate::codec::rdb::{Dialect, value_type};
use crate::types::frozen::LEN_MIN;
use crate::types::word::{Large, one_word};
use crate::types::{Collection, Encoding, Frozen, Kind, Value};

/// One end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Head,
    Tail,
}

/// Beside an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Before,
    After,
}

one_word!(
    /// A list.
    List, ListForm { Listpack(S): Listpack, Quicklist(L): Large<Quicklist> }
);

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.form(), f)
    }
}

impl Default for List {
    fn default() -> List {
        Listpack::new().into()
    }
}

impl List {
    /// Before so many elements of so many bytes in all are added: becomes a quicklist if a listpack would be too large.
    #[inline]
    pub fn expect(&mut self, bytes: usize, elements: usize, limits: Limits) {
        if let ListForm::Listpack(list) = self.form_mut()
            && limits.exceeded_by(list.byte_len() + bytes, list.len() + elements)
        {
            self.become_quicklist(limits);
        }
    }

    #[cold]
    fn become_quicklist(&mut self, limits: Limits) {
        if let ListForm::Listpack(list) = self.form_mut() {
            let mut quicklist = Quicklist::new(limits);
            quicklist.push_node(node::Node::packed(std::mem::take(list)));
            *self = Large::new(quicklist).into();
        }
    }

    /// After elements have been taken out or replaced: a quicklist that has become small is a listpack again.
    #[inline]
    pub fn shrink(&mut self, limits: Limits) {
        if let ListForm::Quicklist(list) = self.form_mut()
            && let Some(single) = list.take_single(limits)
        {
            *self = single.into();
        }
    }

    /// Adds an element at one end. `expect` must have been told of it.
    #[inline]
    pub fn push(&mut self, end: End, element: &[u8]) {
        match self.form_mut() {
            ListForm::Listpack(list) => packed::push(list, end, element),
            ListForm::Quicklist(list) => list.push(end, element),
        }
    }

    /// Takes the element at one end out, after `read` has had it.
    #[inline]
    pub fn pop<R>(&mut self, end: End, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match self.form_mut() {
            ListForm::Listpack(list) => packed::pop(list, end, read),
            ListForm::Quicklist(list) => list.pop(end, read),
        }
    }

    /// Calls `visit` with the elements from the one with index `start`, counted from that end, on towards the other end, until it
    /// answers false.
    #[inline]
    pub fn visit(&self, from: End, start: usize, visit: impl FnMut(Item<'_>) -> bool) {
        match self.form() {
            ListForm::Listpack(list) => {
                let start = i64::try_from(start).unwrap_or(i64::MAX);
                match from {
                    End::Head => list.seek(start).is_none_or(|pos| list.iter_from(pos).all(visit)),
                    End::Tail => list.seek(-1 - start).is_none_or(|pos| list.iter_rev_from(pos).all(visit)),
                };
            }
            ListForm::Quicklist(list) => list.visit(from, start, visit),
        }
    }

    /// What an index of a request means: negative ones count from the end. `None` outside of the list.
    #[inline]
    pub fn index(&self, index: i64) -> Option<usize> {
        let len = self.len() as i64;
        let index = if index < 0 { index.checked_add(len)? } else { index };
        (0..len).contains(&index).then_some(index as usize)
    }

    /// Replaces the element at `index`; false if there is none.
    pub fn set(&mut self, index: i64, element: &[u8], limits: Limits) -> bool {
        let Some(index) = self.index(index) else { return false };
        // As Redis does, which counts the new element beside the old one.
        self.expect(element.len(), 1, limits);
        match self.form_mut() {
            ListForm::Listpack(list) => {
                let pos = list.seek(index as i64).expect("the index is within the list");
                list.replace(pos, element);
            }
            ListForm::Quicklist(list) => list.set(index, element),
        }
        self.shrink(limits);
        true
    }

    /// Puts `element` beside the first one that is equal to `pivot`. False if there is none.
    pub fn insert(&mut self, pivot: &[u8], side: Side, element: &[u8], limits: Limits) -> bool {
        self.expect(element.len(), 1, limits);
        match self.form_mut() {
            ListForm::Listpack(list) => {
                let Some(found) = list.first().and_then(|first| list.find(pivot, first, 0)) else {
                    return false;
                };
                match side {
                    Side::Before => list.insert_before(found, element),
                    Side::After => list.insert_after(found, element),
                };
                true
            }
            ListForm::Quicklist(list) => list.insert(pivot, side, element),
        }
    }

    /// Takes up to `max` elements out that are equal to `element`, beginning at one end. How many there were.
    pub fn remove_equal(&mut self, element: &[u8], from: End, max: usize, limits: Limits) -> usize {
        let removed = match self.form_mut() {
            ListForm::Listpack(list) => packed::remove_equal(list, element, from, max),
            ListForm::Quicklist(list) => list.remove_equal(element, from, max),
        };
        self.shrink(limits);
        removed
    }

    /// Takes `count` elements out from the one with this index on, which must all be there.
    pub fn remove_range(&mut self, index: usize, count: usize, limits: Limits) {
        debug_assert!(index + count <= self.len());
        match self.form_mut() {
            ListForm::Listpack(list) => list.remove_range(index as i64, count),
            ListForm::Quicklist(list) => list.remove_range(index, count),
        }
        self.shrink(limits);
    }
}

impl Collection for List {
    const KIND: Kind = Kind::List;

    #[inline]
    fn len(&self) -> usize {
        match self.form() {
            ListForm::Listpack(list) => list.len(),
            ListForm::Quicklist(list) => list.len,
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self.form() {
            ListForm::Listpack(list) => list.is_empty(),
            ListForm::Quicklist(list) => list.len == 0,
        }
    }

    fn encoding(&self) -> Encoding {
        match self.form() {
            ListForm::Listpack(_) => Encoding::Listpack,
            ListForm::Quicklist(_) => Encoding::Quicklist,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self.form() {
            ListForm::Listpack(list) => list.heap_bytes(),
            ListForm::Quicklist(list) => list.heap_bytes(),
        }
    }

    fn rdb_type(&self) -> u8 {
        value_type::LIST_QUICKLIST_2
    }

    fn blob(&self) -> Option<&[u8]> {
        None
    }

    fn encode(&self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
        rdb::encode(self, out, compressor);
    }

    #[inline]
    fn freeze(&mut self, _dialect: Dialect) -> Option<Frozen> {
        match self.form() {
            ListForm::Quicklist(list) if list.len >= LEN_MIN => Some(frozen::freeze(list)),
            ListForm::Listpack(_) | ListForm::Quicklist(_) => None,
        }
    }

    fn digest(&self, digest: &mut Digest) {
        let mut digits = itoa::Buffer::new();
        self.visit(End::Head, 0, |item| {
            digest.mix(item.bytes(&mut digits));
            true
        });
    }
}

impl From<List> for Value {
    fn from(value: List) -> Value {
        Value::List(value)
    }
}
