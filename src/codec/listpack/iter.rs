//! Going through a listpack from either end, and making one from many elements without a copy for each.
//! Called by every type that is stored in listpacks.
//!
//! Always: an iterator borrows bytes that are valid and do not change; a builder's bytes become valid when it is finished.

use crate::codec::listpack::block::Block;
use crate::codec::listpack::element::{self, END, Element, Item};
use crate::codec::listpack::{COUNT_UNKNOWN, EMPTY, EMPTY_BYTES, HEADER_BYTES, Listpack, Pos};

/// Elements from the front.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iter<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Iter<'a> {
        Iter { bytes, at }
    }

    /// Where the element is that `next` will give.
    pub fn pos(&self) -> Option<Pos> {
        (self.at < self.bytes.len() - 1).then_some(Pos::new(self.at))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at >= self.bytes.len() - 1 {
            return None;
        }
        let item = element::read(self.bytes, self.at);
        self.at += element::full_len(self.bytes, self.at);
        Some(item)
    }
}

/// Elements from the back.
#[derive(Clone)]
pub struct IterRev<'a> {
    bytes: &'a [u8],
    /// Where the element that came last starts.
    at: usize,
}

impl<'a> IterRev<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> IterRev<'a> {
        IterRev { bytes, at }
    }
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at <= HEADER_BYTES {
            return None;
        }
        let len = element::read_backlen(self.bytes, self.at);
        self.at -= len + element::backlen_len(len);
        Some(element::read(self.bytes, self.at))
    }
}

/// Collects elements in a growing buffer; `finish` makes the listpack.
pub struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    pub fn new() -> Builder {
        Builder::with_capacity(0)
    }

    /// With room for elements of so many bytes altogether.
    pub fn with_capacity(bytes: usize) -> Builder {
        let mut all = Vec::with_capacity(EMPTY_BYTES + bytes);
        all.extend_from_slice(&EMPTY[..HEADER_BYTES]);
        Builder { bytes: all, count: 0 }
    }

    /// Empty again, with room for elements of so many bytes.
    pub fn restart(&mut self, bytes: usize) {
        self.bytes.truncate(HEADER_BYTES);
        self.bytes.reserve(bytes);
        self.count = 0;
    }

    /// Bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        self.add(Element::of_bytes(text));
    }

    pub fn push_int(&mut self, value: i64) {
        self.add(Element::of_int(value));
    }

    #[inline]
    fn add(&mut self, element: Element<'_>) {
        for part in element.parts() {
            self.bytes.extend_from_slice(part);
        }
        self.count += 1;
    }

    /// The elements so far, without header and terminator.
    pub(super) fn elements(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Bytes that the listpack would have now.
    pub fn byte_len(&self) -> usize {
        self.bytes.len() + 1
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Callers keep `byte_len` below [`super::LISTPACK_BYTES_MAX`].
    pub fn finish(mut self) -> Listpack {
        self.bytes.push(END);
        let total = u32::try_from(self.bytes.len()).expect("callers keep listpacks below a gigabyte");
        let count = self.count.min(usize::from(COUNT_UNKNOWN)) as u16;
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
        Listpack(Block::new(&self.bytes))
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Listpack {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Listpack {
        let mut builder = Builder::new();
        for item in items {
            builder.push(item.as_ref());
        }
        builder.finish()
    }
}
