//! Walking a range of ranks, upwards or downwards.
//!
//! Made by `Tree::iter` and `Tree::iter_rev`. A stack of inner nodes leads back to the next leaf; leaves are not linked, so
//! that they can be split and merged without looking at their neighbours.
//! Always: as many members come as the range has ranks. The blocks of the members ahead are being fetched into the cache.

use std::ops::Range;

use crate::types::sorted_set::member::Member;
use crate::types::sorted_set::tree::node::{Inner, Leaf, Node};

/// How many members ahead of the one that is shown are fetched.
const AHEAD: usize = 8;

/// Ascending.
pub struct Iter<'a> {
    path: Vec<(&'a Inner, usize)>,
    leaf: &'a Leaf,
    /// Next place in the leaf.
    at: usize,
    left: usize,
}

/// Descending.
pub struct IterRev<'a> {
    path: Vec<(&'a Inner, usize)>,
    leaf: &'a Leaf,
    /// One above the next place in the leaf.
    at: usize,
    left: usize,
}

/// The leaf with `rank`, the place in it, and the way there.
fn seek(root: &Node, rank: usize) -> (Vec<(&Inner, usize)>, &Leaf, usize) {
    let (mut node, mut at, mut path) = (root, rank, Vec::new());
    loop {
        match node {
            Node::Leaf(leaf) => return (path, leaf, at),
            Node::Inner(inner) => {
                let (child, offset) = inner.child_at(at);
                path.push((&**inner, child));
                at = offset;
                node = inner.node(child);
            }
        }
    }
}

impl<'a> Iter<'a> {
    pub(super) fn new(root: &'a Node, ranks: Range<usize>) -> Iter<'a> {
        let (path, leaf, at) = seek(root, ranks.start);
        (at..leaf.len().min(at + AHEAD)).for_each(|ahead| leaf.get(ahead).1.prefetch());
        Iter { path, leaf, at, left: ranks.len() }
    }

    #[cold]
    fn next_leaf(&mut self) {
        while let Some((inner, child)) = self.path.pop() {
            if child + 1 < inner.len() {
                self.path.push((inner, child + 1));
                let mut node = inner.node(child + 1);
                while let Node::Inner(below) = node {
                    self.path.push((below, 0));
                    node = below.node(0);
                }
                if let Node::Leaf(leaf) = node {
                    self.leaf = leaf;
                    self.at = 0;
                }
                return;
            }
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = (f64, Member);

    #[inline]
    fn next(&mut self) -> Option<(f64, Member)> {
        self.left = self.left.checked_sub(1)?;
        if self.at == self.leaf.len() {
            self.next_leaf();
        }
        if self.at + AHEAD < self.leaf.len() {
            self.leaf.get(self.at + AHEAD).1.prefetch();
        }
        self.at += 1;
        Some(self.leaf.get(self.at - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a> IterRev<'a> {
    pub(super) fn new(root: &'a Node, ranks: Range<usize>) -> IterRev<'a> {
        let (path, leaf, at) = seek(root, ranks.end.max(1) - 1);
        let at = leaf.len().min(at + 1);
        (at.saturating_sub(AHEAD)..at).for_each(|ahead| leaf.get(ahead).1.prefetch());
        IterRev { path, leaf, at, left: ranks.len() }
    }

    #[cold]
    fn previous_leaf(&mut self) {
        while let Some((inner, child)) = self.path.pop() {
            if child > 0 {
                self.path.push((inner, child - 1));
                let mut node = inner.node(child - 1);
                while let Node::Inner(below) = node {
                    self.path.push((below, below.len() - 1));
                    node = below.node(below.len() - 1);
                }
                if let Node::Leaf(leaf) = node {
                    self.leaf = leaf;
                    self.at = leaf.len();
                }
                return;
            }
        }
    }
}

impl Iterator for IterRev<'_> {
    type Item = (f64, Member);

    #[inline]
    fn next(&mut self) -> Option<(f64, Member)> {
        self.left = self.left.checked_sub(1)?;
        if self.at == 0 {
            self.previous_leaf();
        }
        if self.at > AHEAD {
            self.leaf.get(self.at - 1 - AHEAD).1.prefetch();
        }
        self.at -= 1;
        Some(self.leaf.get(self.at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
