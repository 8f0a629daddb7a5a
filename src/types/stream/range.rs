//! Entries between two ids, forward or backward: what XRANGE, XREAD, XREADGROUP and DEBUG DIGEST go through.
//!
//! Made by `log`. Always: deleted entries are passed over, and the node in which a range begins is found in the map, not by
//! a walk from the first one.

use std::collections::{BTreeMap, btree_map};

use crate::codec::listpack::Listpack;
use crate::types::frozen::Shared;
use crate::types::stream::id::StreamId;
use crate::types::stream::node::{Found, Node, Pairs};

/// An entry where it lies.
#[derive(Clone)]
pub struct Entry<'a> {
    pub id: StreamId,
    pub pairs: Pairs<'a>,
}

/// The live entries of a range of ids, in ascending order, or in descending order after [`Range::reversed`].
#[derive(Clone)]
pub struct Range<'a> {
    nodes: btree_map::Range<'a, StreamId, Shared<Listpack>>,
    /// The node that is being gone through, and its next entry.
    at: Option<(Node<'a>, Found)>,
    start: StreamId,
    end: StreamId,
    is_reversed: bool,
}

impl<'a> Range<'a> {
    pub(super) fn new(
        nodes: &'a BTreeMap<StreamId, Shared<Listpack>>,
        start: StreamId,
        end: StreamId,
    ) -> Range<'a> {
        // The entry at `start` may be in the node that begins before it. An empty range must not ask for start > end.
        let first = nodes.range(..=start).next_back().map_or(start, |(master, _)| *master);
        let nodes = nodes.range(first..=end.max(first));
        Range { nodes, at: None, start, end, is_reversed: false }
    }

    /// The same entries from the other end. Only for a range that has not been read from.
    pub fn reversed(mut self) -> Range<'a> {
        debug_assert!(self.at.is_none());
        self.is_reversed = !self.is_reversed;
        self
    }

    /// The live entry with this id in one node.
    pub(super) fn in_node(master: StreamId, listpack: &Listpack, id: StreamId) -> Option<Found> {
        let node = Node::new(master, listpack);
        let mut next = node.first();
        while let Some(entry) = next {
            if !entry.is_deleted && entry.id >= id {
                return (entry.id == id).then_some(entry);
            }
            next = node.after(&entry);
        }
        None
    }

    /// The next entry in the direction of this range, deleted or outside of it as it may be.
    #[inline]
    fn step(&mut self) -> Option<(Node<'a>, Found)> {
        loop {
            if let Some((node, entry)) = self.at.take() {
                let next = if self.is_reversed { node.before(&entry) } else { node.after(&entry) };
                self.at = next.map(|next| (node, next));
                return Some((node, entry));
            }
            let next = if self.is_reversed { self.nodes.next_back() } else { self.nodes.next() };
            let (master, listpack) = next?;
            let node = Node::new(*master, listpack);
            let entry = if self.is_reversed { node.last() } else { node.first() };
            self.at = entry.map(|entry| (node, entry));
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while let Some((node, entry)) = self.step() {
            if entry.is_deleted {
                continue;
            }
            let (is_before, is_beyond) = match self.is_reversed {
                false => (entry.id < self.start, entry.id > self.end),
                true => (entry.id > self.end, entry.id < self.start),
            };
            if is_beyond {
                break;
            }
            if !is_before {
                return Some(Entry { id: entry.id, pairs: node.pairs(&entry) });
            }
        }
        None
    }
}
