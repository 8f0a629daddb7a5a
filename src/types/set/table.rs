//! The large form of a set: its members in a vector, in no particular order, and an index of their hashes.
//!
//! ```text
//!  members:  | a | b | c | d |      remove b:  | a | d | c |       the last member takes the free place
//! ```
//!
//! A member at random is a position at random, so SPOP and SRANDMEMBER are uniform and take one step. SSCAN walks the
//! positions from the last to the first: whatever moves meanwhile moves to the front, and is met there.
//! Always: the index and the vector hold the same members, each once.

use crate::base::hash::hash_key;
use crate::types::dense::{Dense, DenseView};
use crate::types::index::Index;
use crate::types::set::member::Member;

/// Members and where they are.
#[derive(Clone, Default, Debug)]
pub struct Table {
    members: Dense<Member>,
    index: Index,
}

impl Table {
    pub fn with_capacity(len: usize) -> Table {
        Table { members: Dense::with_capacity(len), index: Index::with_capacity(len) }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Bytes of heap behind the table's own.
    pub fn heap_bytes(&self) -> usize {
        self.index.heap_bytes() + self.members.heap_bytes()
    }

    /// Slots of the index, for DEBUG HTSTATS.
    pub fn slots(&self) -> usize {
        self.index.slots()
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.index.find(hash_key(member), |at| self.members[at].bytes() == member).is_some()
    }

    /// Adds a member; false if it was there.
    #[inline]
    pub fn insert(&mut self, member: &[u8]) -> bool {
        let hash = hash_key(member);
        if self.index.find(hash, |at| self.members[at].bytes() == member).is_some() {
            return false;
        }
        self.index.insert(hash, self.members.len());
        self.members.push(Member::new(member));
        true
    }

    /// Takes a member out; false if it was not there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let found = self.index.find(hash_key(member), |at| self.members[at].bytes() == member);
        if let Some(place) = found {
            let position = self.index.position(place);
            self.index.remove(place);
            self.close(position);
        }
        found.is_some()
    }

    /// The member at a position from 0 to `len`. Panics beyond it.
    #[inline]
    pub fn get(&self, position: usize) -> &[u8] {
        self.members[position].bytes()
    }

    /// Takes out the member at a position. Panics beyond the last.
    pub fn remove_at(&mut self, position: usize) {
        let hash = hash_key(self.members[position].bytes());
        let place = self.index.find(hash, |at| at == position).expect("every position is in the index");
        self.index.remove(place);
        self.close(position);
    }

    /// The last member takes the place of one that the index has already forgotten.
    fn close(&mut self, position: usize) {
        self.members.swap_remove(position, |_| ());
        if let Some(moved) = self.members.get(position) {
            self.index.relocate(hash_key(moved.bytes()), self.members.len(), position);
        }
    }

    /// All members as they are now.
    pub fn freeze(&mut self) -> DenseView<Member> {
        self.members.freeze()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.members.iter().map(Member::bytes)
    }
}
