//! The members of a large sorted set by score: a B+ tree that counts, so that a rank is found as fast as a score.
//!
//! ```text
//!                     | count: 70 | count: 55 | count: 61 |        inner: for each child how many members are below it,
//!                     |     .     | min (2,c) | min (5,x) |        and its least member, except for the first child
//!                       /             |             \
//!     (0,a) (1,f) ... (1,z)   (2,c) ... (4,e)   (5,x) ... (9,b)    leaf: scores in one array, members in the other
//! ```
//!
//! Order: by score, then by the members' bytes. Scores are in the nodes, so that a search reads a few cache lines in each,
//! and reads members only where scores are equal.
//!
//! Called by `ranked`, through ranks and probes. Always: all leaves are equally deep; no node but the root is empty; `min`s
//! are the exact least members. Nodes that run low are merged where both fit into one; they are not kept half full.

mod iter;
mod node;
#[cfg(test)]
mod tests;

pub use iter::{Iter, IterRev};
pub use node::SharedLeaf;

use std::ops::Range;

use crate::types::sorted_set::member::Member;
use node::{Inner, LEAF, Node};

/// A place between two neighbours, told by what lies before it.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// Before all members with this score or a higher one.
    Score(f64),
    /// Behind all members with this score or a lower one.
    BehindScore(f64),
    /// Before this member, which need not be there.
    Element(f64, &'a [u8]),
    /// Behind this member, which need not be there.
    BehindElement(f64, &'a [u8]),
    /// Before all members of these bytes or higher ones, where all scores are the same.
    Lex(&'a [u8]),
    /// Behind all members of these bytes or lower ones, where all scores are the same.
    BehindLex(&'a [u8]),
}

/// Members with their scores, in order. It does not own the members' blocks.
pub struct Tree {
    root: Node,
    len: usize,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { root: Node::empty(), len: 0 }
    }
}

impl Tree {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a member that is not in the tree.
    ///
    /// # Safety
    /// The member's block lives until it is taken out again; so do those of all others.
    pub unsafe fn insert(&mut self, score: f64, member: Member) {
        self.len += 1;
        // SAFETY: the block lives.
        let bytes = unsafe { member.bytes() };
        if let Some(split) = self.root.insert(score, bytes, member) {
            let left = std::mem::replace(&mut self.root, Node::empty());
            self.root = Node::Inner(Box::new(Inner::over(left, split)));
        }
    }

    /// How many members lie before the place that `probe` tells.
    #[inline]
    pub fn rank(&self, probe: Probe<'_>) -> usize {
        let (mut node, mut before) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return before + leaf.count_before(probe),
                Node::Inner(inner) => {
                    let child = inner.child_of(probe);
                    before += inner.count_in(0..child);
                    node = inner.node(child);
                }
            }
        }
    }

    /// Gives a member, which is there with score `old`, another score where it stands. False, and nothing changed, if it is not
    /// plain from its neighbours within the leaf that it stays between them.
    pub fn set_score_in_place(&mut self, old: f64, bytes: &[u8], score: f64) -> bool {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.set_score_in_place(old, bytes, score),
                Node::Inner(inner) => {
                    let child = inner.child_of(Probe::BehindElement(old, bytes));
                    node = inner.node_mut(child);
                }
            }
        }
    }

    /// Takes out a member, which is there with this score.
    pub fn remove_element(&mut self, score: f64, bytes: &[u8]) {
        self.root.remove_element(score, bytes);
        self.len -= 1;
        self.lower_root();
    }

    /// Takes out the members of these ranks, in order.
    pub fn remove(&mut self, ranks: Range<usize>, taken: &mut impl FnMut(Member)) {
        debug_assert!(ranks.end <= self.len);
        if ranks.is_empty() {
            return;
        }
        self.root.remove(ranks.start, ranks.end, taken);
        self.len -= ranks.len();
        self.lower_root();
    }

    /// A root with one child is none; with no child, nothing is left.
    fn lower_root(&mut self) {
        loop {
            let Node::Inner(inner) = &mut self.root else { return };
            match inner.len() {
                0 => self.root = Node::empty(),
                1 => self.root = inner.take_only_child(),
                _ => return,
            }
        }
    }

    /// The first or the last member; the block of one that is some way behind it is being fetched into the cache.
    pub fn outermost(&self, is_first: bool) -> Option<Member> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.outermost(is_first),
                Node::Inner(inner) => node = inner.node(if is_first { 0 } else { inner.len() - 1 }),
            }
        }
    }

    /// The members of these ranks, ascending.
    pub fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter::new(&self.root, ranks)
    }

    /// The members of these ranks, descending.
    pub fn iter_rev(&self, ranks: Range<usize>) -> IterRev<'_> {
        IterRev::new(&self.root, ranks)
    }

    /// All leaves, ascending, as they are now.
    pub fn share(&self) -> Vec<SharedLeaf> {
        let mut leaves = Vec::with_capacity(self.len / LEAF * 2 + 1);
        self.root.share(&mut leaves);
        leaves
    }

    /// Bytes of heap, without the members' blocks.
    pub fn heap_bytes(&self) -> usize {
        self.root.heap_bytes()
    }
}
