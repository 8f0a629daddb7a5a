//! Limits: how large a list may be as one listpack, and how large the nodes of a longer one.
//!
//! ```text
//!  list-max-listpack-size   -1 .. -5   a node's bytes: 4, 8, 16, 32, 64 KiB          n > 0   a node's elements, within 8 KiB
//!  list-compress-depth      n          nodes at each end that are never compressed, 0 for all
//! ```
//!
//! Made by handlers and loaders from the configuration. Always: the rules are those of Redis 7.2, so that a list has the
//! encoding and the nodes that it would have there.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::config::Config;

/// Bytes of a node, by the negative sizes that stand for them.
const NODE_BYTES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// Bytes of a node whose limit is a number of elements.
const NODE_BYTES_SAFE: usize = 8 << 10;
/// Redis keeps the size in 16 bits.
const ELEMENTS_MAX: i32 = (1 << 15) - 1;
/// What Redis adds to an element's length when it asks whether a node has room for it.
const ELEMENT_OVERHEAD: usize = 8;

/// Elements from this length on get a node of their own; 0: those that exceed a node's bytes. Set by DEBUG
/// QUICKLIST-PACKED-THRESHOLD, read when elements are added; Relaxed: it changes what is made later, not what is there.
static PLAIN_FROM: AtomicUsize = AtomicUsize::new(0);

/// DEBUG QUICKLIST-PACKED-THRESHOLD, for tests.
pub fn set_plain_from(bytes: usize) {
    PLAIN_FROM.store(bytes, Relaxed);
}

/// A list's thresholds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Elements of a node if positive, else the class of its size.
    fill: i32,
    /// Nodes at each end that stay uncompressed; 0: no node is compressed.
    pub(super) depth: u32,
}

impl Limits {
    #[inline]
    pub fn of(config: &Config) -> Limits {
        Limits::new(config.list_max_listpack_size, config.list_compress_depth)
    }

    #[inline]
    pub fn new(size: i32, depth: u32) -> Limits {
        // 0 elements could hold nothing.
        let fill = if size == 0 { 1 } else { size.clamp(-(NODE_BYTES.len() as i32), ELEMENTS_MAX) };
        Limits { fill, depth }
    }

    #[inline]
    fn node_bytes(self) -> usize {
        if self.fill < 0 { NODE_BYTES[(-self.fill - 1) as usize] } else { NODE_BYTES_SAFE }
    }

    #[inline]
    fn node_elements(self) -> usize {
        if self.fill < 0 { usize::MAX } else { self.fill as usize }
    }

    /// Are so many bytes or elements too many for one node, or for a list that is a single listpack?
    #[inline]
    pub(super) fn exceeded_by(self, bytes: usize, elements: usize) -> bool {
        bytes > self.node_bytes() || elements > self.node_elements()
    }

    /// Has a node with so many bytes and elements room for another one of this length?
    #[inline]
    pub(super) fn has_room(self, bytes: usize, elements: usize, added: usize) -> bool {
        !self.exceeded_by(bytes + added + ELEMENT_OVERHEAD, elements + 1)
    }

    /// May a list of one node that has lost elements be a single listpack again? From half of the limit on, so that a list
    /// at the limit does not change its form with every command.
    pub(super) fn fits_after_loss(self, bytes: usize, elements: usize) -> bool {
        if self.fill < 0 { bytes <= self.node_bytes() / 2 } else { elements <= self.node_elements() / 2 }
    }

    /// Does an element of this length need a node of its own?
    #[inline]
    pub(super) fn is_plain(self, len: usize) -> bool {
        match PLAIN_FROM.load(Relaxed) {
            0 => len > self.node_bytes(),
            from => len >= from,
        }
    }
}

#[cfg(test)]
impl Default for Limits {
    /// The defaults of the configuration.
    fn default() -> Limits {
        Limits::new(-2, 0)
    }
}
