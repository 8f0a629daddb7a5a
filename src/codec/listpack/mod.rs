//! Listpack: a sequence of strings and integers in one run of bytes, exactly as Redis stores it, so that a small collection
//! crosses RDB, DUMP and a full sync as one copy. Lists, sets, hashes, sorted sets and streams are built on it (`types`).
//!
//! ```text
//!   | total bytes, u32 LE | elements, u16 LE | element | element | ... | 255 |
//!   0                     4                  6 = first position
//! ```
//!
//! A [`Pos`] is where an element starts. It is good until the listpack is changed; the methods that change say which
//! positions they hand out. 65535 elements stand for "unknown: count them".
//!
//! Always: the bytes are valid (foreign ones are checked by [`Listpack::from_bytes`]), and integers in strict decimal form
//! are stored as integers by us. Positions that belong to another listpack may panic, but never read outside.

mod block;
mod element;
mod iter;
mod validate;

use block::Block;
use element::{END, Element};

pub use element::Item;
pub use iter::{Builder, Iter, IterRev};
pub use validate::Invalid;

const HEADER_BYTES: usize = 6;
/// An empty listpack: header and terminator.
pub const EMPTY_BYTES: usize = HEADER_BYTES + 1;
/// Stands in the header where there are too many elements for its 16 bits.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Redis' bound for the size of a listpack in bytes: callers must not let one grow above it ([`Listpack::would_exceed`]).
pub const LISTPACK_BYTES_MAX: usize = 1 << 30;

const EMPTY: [u8; EMPTY_BYTES] = [EMPTY_BYTES as u8, 0, 0, 0, 0, 0, END];

/// Where an element starts, in bytes from the start of the listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(u32);

impl Pos {
    #[inline]
    fn new(at: usize) -> Pos {
        Pos(at as u32)
    }

    #[inline]
    fn at(self) -> usize {
        self.0 as usize
    }
}

/// Eight bytes: a pointer to the bytes.
#[derive(Clone)]
#[repr(transparent)]
pub struct Listpack(Block);

const _: () = assert!(size_of::<Option<Listpack>>() == 8);

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Listpack {
    fn eq(&self, other: &Listpack) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Listpack {}

/// What a listpack is and holds.
impl Listpack {
    pub fn new() -> Listpack {
        Listpack(Block::new(&EMPTY))
    }

    /// Takes over foreign bytes after a check of every one of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Listpack, Invalid> {
        validate::check(bytes)?;
        Ok(Listpack(Block::new(bytes)))
    }

    /// The bytes as Redis has them, from the header to the terminator.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Bytes with header and terminator.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that the allocator has given.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Would `added` bytes more make this too large? `added` counts text; the overhead of an element is within the margin
    /// that Redis leaves as well.
    pub fn would_exceed(&self, added: usize) -> bool {
        self.byte_len().saturating_add(added) > LISTPACK_BYTES_MAX
    }

    /// Bytes that an element for this text takes.
    pub fn element_bytes(text: &[u8]) -> usize {
        Element::of_bytes(text).len()
    }

    /// Elements. Constant time below 65535, a walk from there on.
    #[inline]
    pub fn len(&self) -> usize {
        match self.told_count() {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.byte_len() == EMPTY_BYTES
    }

    #[inline]
    fn told_count(&self) -> u16 {
        let bytes = self.as_bytes();
        u16::from_le_bytes([bytes[4], bytes[5]])
    }

    /// Once unknown, the count stays so, as in Redis.
    #[inline]
    fn count_changed(&mut self, added: usize, removed: usize) {
        let told = self.told_count();
        if told == COUNT_UNKNOWN || added == removed {
            return;
        }
        let count = (usize::from(told) + added - removed).min(usize::from(COUNT_UNKNOWN));
        self.0.bytes_behind_length_mut()[..2].copy_from_slice(&(count as u16).to_le_bytes());
    }

    #[inline]
    fn end(&self) -> usize {
        self.byte_len() - 1
    }
}

/// Going through it.
impl Listpack {
    /// The element at this place, if one starts there.
    #[inline]
    fn pos_at(&self, at: usize) -> Option<Pos> {
        (at < self.end()).then_some(Pos::new(at))
    }

    #[inline]
    pub fn first(&self) -> Option<Pos> {
        self.pos_at(HEADER_BYTES)
    }

    #[inline]
    pub fn last(&self) -> Option<Pos> {
        self.before(self.end())
    }

    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        self.pos_at(pos.at() + element::full_len(self.as_bytes(), pos.at()))
    }

    #[inline]
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        self.before(pos.at())
    }

    #[inline]
    fn before(&self, at: usize) -> Option<Pos> {
        if at <= HEADER_BYTES {
            return None;
        }
        let len = element::read_backlen(self.as_bytes(), at);
        Some(Pos::new(at - len - element::backlen_len(len)))
    }

    /// The element with this index; negative ones count from the end, -1 being the last. Walks from the nearer end.
    pub fn seek(&self, index: i64) -> Option<Pos> {
        let known = match self.told_count() {
            COUNT_UNKNOWN => None,
            count => Some(i64::from(count)),
        };
        let (index, backward) = match known {
            Some(count) => {
                let index = if index < 0 { index.checked_add(count)? } else { index };
                if !(0..count).contains(&index) {
                    return None;
                }
                if index > count / 2 { (index - count, true) } else { (index, false) }
            }
            None => (index, index < 0),
        };
        if backward {
            (1..index.unsigned_abs()).try_fold(self.last()?, |pos, _| self.prev(pos))
        } else {
            (0..index).try_fold(self.first()?, |pos, _| self.next(pos))
        }
    }

    /// What the element at `pos` says.
    #[inline]
    pub fn get(&self, pos: Pos) -> Item<'_> {
        element::read(self.as_bytes(), pos.at())
    }

    /// The first element at or behind `from` with these bytes, where `skip` elements are passed over behind each that is
    /// compared (1 to look at the fields of a hash only).
    pub fn find(&self, needle: &[u8], from: Pos, skip: usize) -> Option<Pos> {
        let bytes = self.as_bytes();
        let end = self.end();
        let number = element::integer(needle);
        let mut at = from.at();
        while at < end {
            let is_it = match element::read(bytes, at) {
                Item::Bytes(text) => text == needle,
                Item::Int(value) => number == Some(value),
            };
            if is_it {
                return Some(Pos::new(at));
            }
            for _ in 0..=skip {
                if at >= end {
                    break;
                }
                at += element::full_len(bytes, at);
            }
        }
        None
    }

    /// The bytes of the element at `pos` as they are stored, its length behind it included.
    pub fn raw(&self, pos: Pos) -> &[u8] {
        let at = pos.at();
        &self.as_bytes()[at..at + element::full_len(self.as_bytes(), at)]
    }

    /// Are these elements distinct: the first, and those after `skip` others each (1 for the fields of a hash)? For what
    /// comes from outside.
    pub fn are_distinct(&self, skip: usize) -> bool {
        validate::are_distinct(self, skip)
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self.as_bytes(), HEADER_BYTES)
    }

    /// From `pos` on.
    pub fn iter_from(&self, pos: Pos) -> Iter<'_> {
        Iter::new(self.as_bytes(), pos.at())
    }

    /// From the last element to the first.
    pub fn iter_rev(&self) -> IterRev<'_> {
        IterRev::new(self.as_bytes(), self.end())
    }

    /// From the element at `pos` to the first.
    pub fn iter_rev_from(&self, pos: Pos) -> IterRev<'_> {
        IterRev::new(self.as_bytes(), pos.at() + element::full_len(self.as_bytes(), pos.at()))
    }
}

/// Changing it. Text that is an integer in strict decimal form is stored as one.
impl Listpack {
    /// Replaces `removed` bytes at `at`, which are `elements_removed` elements, by other elements.
    #[inline]
    fn splice(&mut self, at: usize, removed: usize, elements_removed: usize, elements: &[Element<'_>]) {
        match elements {
            [] => self.0.splice(at, removed, &[]),
            [one] => self.0.splice(at, removed, &one.parts()),
            [one, two] => {
                let ([a, b, c], [d, e, f]) = (one.parts(), two.parts());
                self.0.splice(at, removed, &[a, b, c, d, e, f]);
            }
            several => {
                let parts: Vec<&[u8]> = several.iter().flat_map(Element::parts).collect();
                self.0.splice(at, removed, &parts);
            }
        }
        self.count_changed(elements.len(), elements_removed);
    }

    #[inline]
    pub fn push_back(&mut self, text: &[u8]) {
        self.splice(self.end(), 0, 0, &[Element::of_bytes(text)]);
    }

    pub fn push_back_int(&mut self, value: i64) {
        self.splice(self.end(), 0, 0, &[Element::of_int(value)]);
    }

    /// Two elements in one go: a field and its value, a member and its score.
    #[inline]
    pub fn push_back_pair(&mut self, first: &[u8], second: &[u8]) {
        self.splice(self.end(), 0, 0, &[Element::of_bytes(first), Element::of_bytes(second)]);
    }

    pub fn push_front(&mut self, text: &[u8]) {
        self.splice(HEADER_BYTES, 0, 0, &[Element::of_bytes(text)]);
    }

    /// The new element takes over `pos`.
    pub fn insert_before(&mut self, pos: Pos, text: &[u8]) -> Pos {
        self.splice(pos.at(), 0, 0, &[Element::of_bytes(text)]);
        pos
    }

    /// Two elements in one go; the first takes over `pos`.
    pub fn insert_pair_before(&mut self, pos: Pos, first: &[u8], second: &[u8]) -> Pos {
        self.splice(pos.at(), 0, 0, &[Element::of_bytes(first), Element::of_bytes(second)]);
        pos
    }

    /// `pos` stays good; the answer is where the new element is.
    pub fn insert_after(&mut self, pos: Pos, text: &[u8]) -> Pos {
        let behind = Pos::new(pos.at() + element::full_len(self.as_bytes(), pos.at()));
        self.insert_before(behind, text)
    }

    /// Puts another element in the place of the one at `pos`, which stays good.
    #[inline]
    pub fn replace(&mut self, pos: Pos, text: &[u8]) {
        let removed = element::full_len(self.as_bytes(), pos.at());
        self.splice(pos.at(), removed, 1, &[Element::of_bytes(text)]);
    }

    pub fn replace_int(&mut self, pos: Pos, value: i64) {
        let removed = element::full_len(self.as_bytes(), pos.at());
        self.splice(pos.at(), removed, 1, &[Element::of_int(value)]);
    }

    /// Takes the element at `pos` out. The answer is the element that followed it, which is now at `pos`.
    #[inline]
    pub fn remove(&mut self, pos: Pos) -> Option<Pos> {
        self.remove_from(pos, 1)
    }

    /// Takes up to `count` elements out from `pos` on. The answer is the element that followed them, now at `pos`.
    pub fn remove_from(&mut self, pos: Pos, count: usize) -> Option<Pos> {
        let (bytes, end) = (self.as_bytes(), self.end());
        let mut at = pos.at();
        let mut removed = 0;
        while removed < count && at < end {
            at += element::full_len(bytes, at);
            removed += 1;
        }
        self.splice(pos.at(), at - pos.at(), removed, &[]);
        self.pos_at(pos.at())
    }

    /// Takes up to `count` elements out from the one with this index on; negative indices count from the end.
    pub fn remove_range(&mut self, index: i64, count: usize) {
        if let Some(pos) = self.seek(index) {
            self.remove_from(pos, count);
        }
    }

    /// Puts all elements of another listpack behind ours, as one copy.
    pub fn append(&mut self, other: &Listpack) {
        let added = other.len();
        let body = &other.as_bytes()[HEADER_BYTES..other.end()];
        self.0.splice(self.end(), 0, &[body]);
        self.count_changed(added, 0);
    }

    /// Puts what a builder has collected behind our elements, as one copy.
    pub fn extend(&mut self, builder: &Builder) {
        self.0.splice(self.end(), 0, &[builder.elements()]);
        self.count_changed(builder.len(), 0);
    }

    /// Cuts in two: what is at `pos` and behind it goes into the answer.
    pub fn split_off(&mut self, pos: Pos) -> Listpack {
        let mut tail = Listpack::new();
        let removed = self.iter_from(pos).count();
        tail.0.splice(HEADER_BYTES, 0, &[&self.as_bytes()[pos.at()..self.end()]]);
        tail.count_changed(removed, 0);
        self.splice(pos.at(), self.end() - pos.at(), removed, &[]);
        tail
    }
}

#[cfg(test)]
mod tests;
