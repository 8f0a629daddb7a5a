//! A node of a quicklist: a listpack of elements, or one large element, either of them compressed or not.
//!
//! ```text
//!  Packed      elements as a listpack, in the middle of the size that `Limits` allows
//!  Plain       one element that is too large to be moved about with others
//!  Compressed  the bytes of either, as LZF
//! ```
//!
//! Called by `quicklist`. Always: `count` elements, at least one while the node is in a list; a compressed node is read through
//! a copy, and changed after `decompress`.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::base::alloc::size_class;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::lzf::{self, Compressor};
use crate::types::frozen::Shared;
use crate::types::list::limits::Limits;

/// Shorter nodes are not compressed, nor those that do not become shorter by so much: as in Redis.
const COMPRESS_MIN: usize = 48;
const COMPRESS_GAIN_MIN: usize = 8;

thread_local! {
    /// For lists with a compression depth, which are rare: its table has 64 KiB.
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub data: Data,
    pub count: u32,
}

/// A frozen list may hold it as well.
pub(super) type SharedNode = Shared<Node>;

#[derive(Clone, Debug)]
pub(super) enum Data {
    Packed(Listpack),
    Plain(Box<[u8]>),
    Compressed(Box<Compressed>),
}

const _: () = assert!(size_of::<Node>() <= 32);

#[derive(Clone, Debug)]
pub(super) struct Compressed {
    pub bytes: Box<[u8]>,
    /// Bytes before compression.
    pub raw_len: usize,
    pub is_plain: bool,
}

/// A node's elements, to be read.
pub(super) enum View<'a> {
    Packed(Cow<'a, Listpack>),
    Plain(Cow<'a, [u8]>),
}

const OURS: &str = "a node was compressed by us";

impl Compressed {
    fn raw(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.raw_len);
        lzf::decompress(&self.bytes, self.raw_len, &mut raw).expect(OURS);
        raw
    }

    fn data(&self) -> Data {
        let raw = self.raw();
        if self.is_plain {
            Data::Plain(raw.into())
        } else {
            Data::Packed(Listpack::from_bytes(&raw).expect(OURS))
        }
    }
}

impl Node {
    pub fn packed(list: Listpack) -> Node {
        let count = u32::try_from(list.len()).expect("a listpack is shorter than 2^32 bytes");
        Node { data: Data::Packed(list), count }
    }

    /// One element, in the form that its length asks for.
    pub fn of(element: &[u8], limits: Limits) -> Node {
        if limits.is_plain(element.len()) {
            return Node::plain(element.into());
        }
        let mut list = Listpack::new();
        list.push_back(element);
        Node { data: Data::Packed(list), count: 1 }
    }

    pub fn plain(element: Box<[u8]>) -> Node {
        Node { data: Data::Plain(element), count: 1 }
    }

    pub fn view(&self) -> View<'_> {
        match &self.data {
            Data::Packed(list) => View::Packed(Cow::Borrowed(list)),
            Data::Plain(element) => View::Plain(Cow::Borrowed(element)),
            Data::Compressed(compressed) => match compressed.data() {
                Data::Packed(list) => View::Packed(Cow::Owned(list)),
                Data::Plain(element) => View::Plain(Cow::Owned(element.into_vec())),
                Data::Compressed(_) => unreachable!("nothing is compressed twice"),
            },
        }
    }

    /// Has it room for an element of this length?
    #[inline]
    pub fn has_room(&self, len: usize, limits: Limits) -> bool {
        match &self.data {
            Data::Packed(list) => {
                limits.has_room(list.byte_len(), self.count as usize, len) && !limits.is_plain(len)
            }
            Data::Plain(_) => false,
            Data::Compressed(compressed) => {
                !compressed.is_plain
                    && limits.has_room(compressed.raw_len, self.count as usize, len)
                    && !limits.is_plain(len)
            }
        }
    }

    pub fn is_compressed(&self) -> bool {
        matches!(self.data, Data::Compressed(_))
    }

    pub fn compress(&mut self) {
        let (raw, is_plain) = match &self.data {
            Data::Packed(list) => (list.as_bytes(), false),
            Data::Plain(element) => (&element[..], true),
            Data::Compressed(_) => return,
        };
        if raw.len() < COMPRESS_MIN {
            return;
        }
        let bytes = COMPRESSOR.with_borrow_mut(|compressor| {
            let compressor = compressor.get_or_insert_with(Compressor::new);
            compressor.compress(raw, raw.len() - COMPRESS_GAIN_MIN).map(Box::from)
        });
        if let Some(bytes) = bytes {
            let raw_len = raw.len();
            self.data = Data::Compressed(Box::new(Compressed { bytes, raw_len, is_plain }));
        }
    }

    pub fn decompress(&mut self) {
        if let Data::Compressed(compressed) = &self.data {
            self.data = compressed.data();
        }
    }

    /// Calls `visit` with the elements from the one at `start` on, in order, or backward from the one that is `start` before
    /// the last, until it answers false. False then.
    pub fn visit(&self, backward: bool, start: usize, mut visit: impl FnMut(Item<'_>) -> bool) -> bool {
        match self.view() {
            View::Packed(list) if backward => {
                let from = list.seek(-1 - start as i64);
                from.is_none_or(|from| list.iter_rev_from(from).all(visit))
            }
            View::Packed(list) => list.seek(start as i64).is_none_or(|from| list.iter_from(from).all(visit)),
            View::Plain(element) => start > 0 || visit(Item::Bytes(&element)),
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match &self.data {
            Data::Packed(list) => list.heap_bytes(),
            Data::Plain(element) => size_class(element.len()),
            Data::Compressed(compressed) => {
                size_class(size_of::<Compressed>()) + size_class(compressed.bytes.len())
            }
        }
    }
}
