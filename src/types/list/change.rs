//! Changes in the middle of a quicklist: LSET, LINSERT, LREM, LTRIM.
//!
//! ```text
//!  insert where a node is full:   | a b c d |   ->   | a b | x |   | c d |      split, then x goes where there is room
//! ```
//!
//! Called by `List`. Always: a node that is changed is opened first, and `settle` closes it again; nodes that became empty go.

use crate::codec::listpack::Listpack;
use crate::types::list::limits::Limits;
use crate::types::list::node::{Data, Node};
use crate::types::list::quicklist::{Place, Quicklist};
use crate::types::list::{End, Side, packed};

impl Quicklist {
    /// Puts `element` beside the first one that is equal to `pivot`. False if there is none.
    pub fn insert(&mut self, pivot: &[u8], side: Side, element: &[u8]) -> bool {
        let Some(node) = (0..self.nodes.len()).find(|node| self.node_has(*node, pivot)) else { return false };
        self.nodes[node].decompress();
        let limits = self.limits;
        let has_room = self.nodes[node].has_room(element.len(), limits);
        let Node { data, count } = &mut *self.nodes[node];
        match data {
            Data::Packed(list) => {
                let found =
                    list.first().and_then(|first| list.find(pivot, first, 0)).expect("looked for above");
                let before = match side {
                    Side::Before => Some(found),
                    Side::After => list.next(found),
                };
                let is_first = before == list.first();
                match before {
                    Some(pos) if has_room => {
                        list.insert_before(pos, element);
                        *count += 1;
                    }
                    Some(_) if is_first => self.insert_between(node, element),
                    Some(pos) => {
                        let tail = list.split_off(pos);
                        self.split(node, tail);
                        self.insert_between(node + 1, element);
                    }
                    None => self.insert_between(node + 1, element),
                }
            }
            Data::Plain(_) => {
                let behind = match side {
                    Side::Before => node,
                    Side::After => node + 1,
                };
                self.insert_between(behind, element);
            }
            Data::Compressed(_) => unreachable!("opened above"),
        }
        self.len += 1;
        self.settle(node);
        true
    }

    /// Puts what was cut off the listpack of a node into a node of its own behind it.
    fn split(&mut self, node: usize, tail: Listpack) {
        let tail = Node::packed(tail);
        self.nodes[node].count -= tail.count;
        debug_assert!(self.nodes[node].count > 0 && tail.count > 0, "not cut at an end");
        self.nodes.insert(node + 1, tail.into());
    }

    /// Puts an element between two nodes: at the end of the one before `node` or at the start of `node` if there is room, else
    /// into a node of its own.
    fn insert_between(&mut self, node: usize, element: &[u8]) {
        let limits = self.limits;
        let sides = [(node.checked_sub(1), End::Tail), (Some(node), End::Head)];
        for (at, end) in sides {
            if let Some(at) = at
                && let Some(other) = self.nodes.get_mut(at)
                && other.has_room(element.len(), limits)
            {
                other.decompress();
                if let Data::Packed(list) = &mut other.data {
                    packed::push(list, end, element);
                    other.count += 1;
                    return;
                }
            }
        }
        self.nodes.insert(node, Node::of(element, limits).into());
    }

    /// Replaces the element with this index, which must be below `len`.
    pub fn set(&mut self, index: usize, element: &[u8]) {
        let Place { node, offset } = self.locate(index);
        let limits = self.limits;
        self.nodes[node].decompress();
        let Node { data, count } = &mut *self.nodes[node];
        match data {
            Data::Packed(list) => {
                let pos = list.seek(offset as i64).expect("located there");
                if !limits.is_plain(element.len()) && fits(list, *count as usize, element, limits) {
                    list.replace(pos, element);
                } else {
                    let mut tail = list.split_off(pos);
                    tail.remove_range(0, 1);
                    *count = offset as u32;
                    let tail = Node::packed(tail);
                    if tail.count > 0 {
                        self.nodes.insert(node + 1, tail.into());
                    }
                    self.insert_between(node + 1, element);
                    self.drop_if_empty(node);
                }
            }
            Data::Plain(_) => self.nodes[node] = Node::of(element, limits).into(),
            Data::Compressed(_) => unreachable!("opened above"),
        }
        self.settle(node);
    }

    fn drop_if_empty(&mut self, node: usize) {
        if self.nodes[node].count == 0 {
            self.nodes.remove(node);
        }
    }

    /// Takes up to `max` elements out that are equal to `element`, beginning at one end. How many there were.
    pub fn remove_equal(&mut self, element: &[u8], from: End, max: usize) -> usize {
        let mut removed = 0;
        let mut passed = 0;
        while removed < max && passed < self.nodes.len() {
            let node = match from {
                End::Head => passed,
                End::Tail => self.nodes.len() - 1 - passed,
            };
            passed += 1;
            if !self.node_has(node, element) {
                continue;
            }
            self.nodes[node].decompress();
            let Node { data, count } = &mut *self.nodes[node];
            let here = match data {
                Data::Packed(list) => packed::remove_equal(list, element, from, max - removed),
                Data::Plain(_) => 1,
                Data::Compressed(_) => unreachable!("opened above"),
            };
            *count -= here as u32;
            removed += here;
            self.len -= here;
            if self.nodes[node].count == 0 {
                self.nodes.remove(node);
                passed -= 1;
            }
            self.settle(node);
        }
        removed
    }

    /// Takes `count` elements out from the one with this index on, which must all be there.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        if count == 0 {
            return;
        }
        let Place { node, mut offset } = self.locate(index);
        let (mut at, mut left) = (node, count);
        while left > 0 {
            let here = self.nodes[at].count as usize;
            let gone = left.min(here - offset);
            if gone == here {
                self.nodes.remove(at);
            } else {
                self.nodes[at].decompress();
                if let Data::Packed(list) = &mut self.nodes[at].data {
                    list.remove_range(offset as i64, gone);
                }
                self.nodes[at].count -= gone as u32;
                at += 1;
            }
            left -= gone;
            offset = 0;
        }
        self.len -= count;
        self.settle(node);
    }
}

/// May the listpack hold this element in the place of one of its own?
fn fits(list: &Listpack, count: usize, element: &[u8], limits: Limits) -> bool {
    // What the old element takes is left out of account, as it is in Redis when elements are added.
    count == 1 || limits.has_room(list.byte_len(), count - 1, element.len())
}
