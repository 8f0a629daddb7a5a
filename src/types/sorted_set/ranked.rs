//! A large sorted set: its members in a hash table and in a counting tree, each stored once. Reported as `skiplist`.
//!
//! ```text
//!   by name   table: hash -> |                |
//!                            v                v
//!                      score, member    score, member       one block each (`member`), owned by this file
//!                            ^                ^
//!   by score  tree:  rank -> |                |
//! ```
//!
//! Called by `sorted_set`. Always: table and tree hold the same members; the score in a block is that in the tree.

use std::ops::Range;

use crate::base::hash::hash_key;
use crate::types::frozen::{View, Views};
use crate::types::sorted_set::member::{Member, Owned};
use crate::types::sorted_set::table::Table;
use crate::types::sorted_set::tree::{Iter, IterRev, Probe, SharedLeaf, Tree};

/// A sorted set of any size.
pub struct Ranked {
    table: Table,
    tree: Tree,
    /// Heap bytes of the members' blocks.
    block_bytes: usize,
    views: Views<Owned>,
}

// SAFETY: a set owns the blocks that its pointers lead to, and shares them with nobody.
unsafe impl Send for Ranked {}
// SAFETY: `&Ranked` only reads; every change takes `&mut Ranked`.
unsafe impl Sync for Ranked {}

/// Bytes of a member of a set that is borrowed.
#[inline]
fn bytes_of<'a>(member: Member) -> &'a [u8] {
    // SAFETY: members are asked for while they are in the set, which is borrowed by the callers in this file; they bound
    // the lifetime by that of the set in their own signatures.
    unsafe { member.bytes() }
}

#[inline]
fn score_of(member: Member) -> f64 {
    // SAFETY: as in `bytes_of`.
    unsafe { member.score() }
}

fn hash_of(member: Member) -> u64 {
    hash_key(bytes_of(member))
}

impl Ranked {
    /// An empty set with room for `expected` members by name.
    pub fn new(expected: usize) -> Ranked {
        Ranked { table: Table::new(expected), tree: Tree::default(), block_bytes: 0, views: Views::default() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Words of the table by name, for DEBUG HTSTATS-KEY.
    pub fn slots(&self) -> usize {
        self.table.slots()
    }

    #[inline]
    fn find(&self, bytes: &[u8]) -> Option<Member> {
        self.table.find(hash_key(bytes), |member| bytes_of(member) == bytes)
    }

    pub fn score(&self, bytes: &[u8]) -> Option<f64> {
        self.find(bytes).map(score_of)
    }

    /// Rank and score.
    pub fn rank(&self, bytes: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(bytes)?;
        Some((self.rank_of(Probe::Element(score, bytes)), score))
    }

    pub fn rank_of(&self, probe: Probe<'_>) -> usize {
        self.tree.rank(probe)
    }

    /// Gives a member a score; returns the one that it had.
    pub fn set(&mut self, bytes: &[u8], score: f64) -> Option<f64> {
        let hash = hash_key(bytes);
        match self.table.find(hash, |member| bytes_of(member) == bytes) {
            Some(member) => Some(self.move_to(member, score)),
            None => {
                let member = Member::new(bytes, score);
                self.block_bytes += Member::heap_bytes(bytes.len());
                self.views.born(member.as_ptr().addr());
                self.table.insert(hash, member, hash_of);
                // SAFETY: blocks are freed in `let_go` and `drop` alone, when the tree no longer has them.
                unsafe { self.tree.insert(score, member) };
                None
            }
        }
    }

    fn move_to(&mut self, member: Member, score: f64) -> f64 {
        let old = score_of(member);
        // Zeros of either sign are equal; the first one stays, as in Redis.
        if old == score {
            return old;
        }
        let bytes = bytes_of(member);
        if !self.tree.set_score_in_place(old, bytes, score) {
            self.tree.remove_element(old, bytes);
            // SAFETY: see `set`.
            unsafe { self.tree.insert(score, member) };
        }
        // SAFETY: the block is alive, and `&mut self` holds the set exclusively.
        unsafe { member.set_score(score) };
        old
    }

    /// Takes a member out; returns its score.
    pub fn remove(&mut self, bytes: &[u8]) -> Option<f64> {
        let hash = hash_key(bytes);
        let member = self.table.remove(hash, |member| bytes_of(member) == bytes, hash_of)?;
        let score = score_of(member);
        self.tree.remove_element(score, bytes);
        self.let_go(member);
        Some(score)
    }

    /// Takes out the members of these ranks, after showing each.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut show: impl FnMut(&[u8], f64)) {
        let (is_front, is_back) = (ranks.start == 0, ranks.end == self.len());
        let Ranked { table, tree, block_bytes, views } = self;
        tree.remove(ranks, &mut |member| {
            let bytes = bytes_of(member);
            show(bytes, score_of(member));
            table.remove(hash_key(bytes), |other| other == member, hash_of);
            *block_bytes -= Member::heap_bytes(bytes.len());
            // SAFETY: the table has given it back, the tree does not read members that it hands over, and nothing outside
            // this file keeps them but views, which are told.
            views.retire(unsafe { Owned::new(member) });
        });
        // Who takes from an end, takes from it again.
        if is_front != is_back
            && let Some(member) = tree.outermost(is_front)
        {
            table.prefetch(hash_of(member));
        }
    }

    /// Frees the block of a member that is neither in the table nor in the tree any more.
    fn let_go(&mut self, member: Member) {
        self.block_bytes -= Member::heap_bytes(bytes_of(member).len());
        // SAFETY: table and tree have given it back, and nothing outside this file keeps members but views, which are told.
        self.views.retire(unsafe { Owned::new(member) });
    }

    /// All members as they are now, ascending.
    pub fn freeze(&mut self) -> (Vec<SharedLeaf>, View<Owned>) {
        let leaves = self.tree.share();
        let view = self.views.open(size_of_val(leaves.as_slice()));
        (leaves, view)
    }

    pub fn iter(&self, ranks: Range<usize>) -> Members<Iter<'_>> {
        Members(self.tree.iter(ranks))
    }

    pub fn iter_rev(&self, ranks: Range<usize>) -> Members<IterRev<'_>> {
        Members(self.tree.iter_rev(ranks))
    }

    /// Shows members from `cursor` on, about `count`. Returns the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, count, |member| show(bytes_of(member), score_of(member)))
    }

    pub fn heap_bytes(&self) -> usize {
        self.block_bytes + self.table.heap_bytes() + self.tree.heap_bytes()
    }
}

/// Members of a set with their scores, in the order of `I`, which borrows the set.
pub struct Members<I>(I);

impl<'a> Iterator for Members<Iter<'a>> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        self.0.next().map(|(score, member)| (bytes_of(member), score))
    }
}

impl<'a> Iterator for Members<IterRev<'a>> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        self.0.next().map(|(score, member)| (bytes_of(member), score))
    }
}

impl Clone for Ranked {
    fn clone(&self) -> Ranked {
        let mut copy = Ranked::new(self.len());
        self.iter(0..self.len()).for_each(|(bytes, score)| {
            copy.set(bytes, score);
        });
        copy
    }
}

impl Drop for Ranked {
    fn drop(&mut self) {
        // SAFETY: all members are in the tree, once; the iterator reads the nodes only, and neither table nor tree is used
        // afterwards.
        let members = self.tree.iter(0..self.tree.len()).map(|(_, member)| unsafe { Owned::new(member) });
        if self.views.is_watched() {
            self.views.retire_all(members.collect());
        } else {
            members.for_each(drop);
        }
    }
}
