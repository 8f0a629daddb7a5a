//! The index beside a dense vector: from the hash of an element to its position there.
//!
//! ```text
//!  slots:   | hash 32 | position + 1 |   0 = free        open addressing, linear probing, no tombstones
//!  home of a hash: its highest bits, so that a table that doubles is read and written from front to back
//! ```
//!
//! A table of members that is a vector plus this index gives an element at random in one step, and is walked by position:
//! sets keep their members so. Always: every position of the vector is in exactly one slot; a slot stands between its home
//! and the next free slot. The elements themselves are compared by the caller.

/// Slots of the smallest index that holds anything.
const SLOTS_MIN: usize = 8;

/// Positions by hash.
#[derive(Clone, Default, Debug)]
pub struct Index {
    /// A power of two of them, or none.
    slots: Box<[u64]>,
    len: usize,
}

/// A slot that holds a position. Valid until the index changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(usize);

const fn packed(hash: u32, position: usize) -> u64 {
    (hash as u64) << 32 | (position as u64 + 1)
}

const fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

const fn position_of(slot: u64) -> usize {
    (slot as u32 - 1) as usize
}

/// The 32 bits of an element's hash that an index works with.
#[inline]
fn short(hash: u64) -> u32 {
    hash as u32
}

impl Index {
    /// The most elements that an index can hold: Redis' own limit of a set's members.
    pub const LEN_MAX: usize = u32::MAX as usize - 1;

    /// With room for `len` elements.
    pub fn with_capacity(len: usize) -> Index {
        if len == 0 {
            return Index::default();
        }
        Index { slots: vec![0; slots_for(len)].into_boxed_slice(), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots, full or free.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn heap_bytes(&self) -> usize {
        if self.slots.is_empty() { 0 } else { crate::base::alloc::size_class(self.slots.len() * 8) }
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// Looks for the element with this hash that `is` recognises by its position.
    #[inline]
    pub fn find(&self, hash: u64, mut is: impl FnMut(usize) -> bool) -> Option<Place> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = short(hash);
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if hash_of(slot) == hash && is(position_of(slot)) {
                return Some(Place(at));
            }
            at = self.after(at);
        }
    }

    /// The position that stands at a place.
    #[inline]
    pub fn position(&self, place: Place) -> usize {
        position_of(self.slots[place.0])
    }

    /// Adds the position of an element that is not in the index.
    pub fn insert(&mut self, hash: u64, position: usize) {
        assert!(position < Self::LEN_MAX, "an index of more than four billion elements");
        if (self.len + 1) * 5 > self.slots.len() * 4 {
            self.resize((self.slots.len() * 2).max(SLOTS_MIN));
        }
        self.put(packed(short(hash), position));
        self.len += 1;
    }

    #[inline]
    fn put(&mut self, slot: u64) {
        let mut at = self.home(hash_of(slot));
        while self.slots[at] != 0 {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    #[cold]
    fn resize(&mut self, slots: usize) {
        debug_assert!(slots.is_power_of_two() && slots > self.len);
        let old = std::mem::replace(&mut self.slots, vec![0; slots].into_boxed_slice());
        old.iter().filter(|slot| **slot != 0).for_each(|slot| self.put(*slot));
    }

    /// Takes a place out, and closes the gap.
    pub fn remove(&mut self, place: Place) {
        let mut gap = place.0;
        let mut at = self.after(gap);
        while self.slots[at] != 0 {
            let home = self.home(hash_of(self.slots[at]));
            // May it stand in the gap? Only if the gap lies between its home and where it stands.
            let mask = self.slots.len() - 1;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.slots[gap] = 0;
        self.len -= 1;
        if self.slots.len() > SLOTS_MIN && self.len * 10 < self.slots.len() {
            self.resize(slots_for(self.len.max(1)));
        }
    }

    /// The element with this hash has moved within the vector.
    pub fn relocate(&mut self, hash: u64, from: usize, to: usize) {
        let place = self.find(hash, |position| position == from).expect("every position is in the index");
        self.slots[place.0] = packed(short(hash), to);
    }
}

/// The fewest slots in which so many elements leave a fifth free.
fn slots_for(len: usize) -> usize {
    (len * 5).div_ceil(4).next_power_of_two().max(SLOTS_MIN)
}

#[cfg(test)]
mod tests {
    use super::Index;
    use proptest::prelude::*;

    /// A vector with its index, under a hash that collides often and sits at the ends.
    #[derive(Default)]
    struct Dense {
        items: Vec<u16>,
        index: Index,
    }

    fn hash(item: u16) -> u64 {
        match item % 4 {
            0 => u64::from(u32::MAX),
            1 => 0,
            _ => u64::from(item).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7,
        }
    }

    impl Dense {
        fn toggle(&mut self, item: u16) -> bool {
            let Some(place) = self.index.find(hash(item), |at| self.items[at] == item) else {
                self.index.insert(hash(item), self.items.len());
                self.items.push(item);
                return true;
            };
            let at = self.index.position(place);
            self.index.remove(place);
            self.items.swap_remove(at);
            if at < self.items.len() {
                self.index.relocate(hash(self.items[at]), self.items.len(), at);
            }
            false
        }
    }

    proptest! {
        #[test]
        fn an_index_finds_what_is_there_and_nothing_else(items in prop::collection::vec(0u16..60, 0..400)) {
            let (mut dense, mut model) = (Dense::default(), std::collections::BTreeSet::new());
            for item in items {
                let added = model.insert(item);
                if !added {
                    model.remove(&item);
                }
                prop_assert_eq!(dense.toggle(item), added);
                prop_assert_eq!(dense.index.len(), model.len());
                for item in 0..60 {
                    let found = dense.index.find(hash(item), |at| dense.items[at] == item);
                    prop_assert_eq!(found.is_some(), model.contains(&item));
                }
            }
        }
    }

    #[test]
    fn room_follows_the_number_of_elements_both_ways() {
        let mut dense = Dense::default();
        let items: Vec<u16> = (0..10_000u16).map(|item| item * 4 + 2).collect();
        items.iter().for_each(|item| assert!(dense.toggle(*item)));
        assert_eq!(dense.index.slots(), 16_384);
        items.iter().for_each(|item| assert!(!dense.toggle(*item)));
        assert!(dense.index.slots() <= 16 && dense.index.is_empty());
        assert!(Index::with_capacity(0).slots() == 0 && Index::with_capacity(13).slots() == 32);
    }
}
