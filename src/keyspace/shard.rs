//! A shard: one table of entries behind one lock, with the counters that the lock also guards.
//!
//! ```text
//!  Shard, a cache line   | lock 8 | table: slots 8, len 4, room 4 | Side: keys, expires, layout, buckets, next due ... |
//! ```
//!
//! Called by `space` (commands), the snapshot walker, expiry and scans. Only exclusive locks are taken: dashmap's
//! lock prefers readers and starves writers.
//! Always: whoever holds the guard is the only one to read or change the table; `Side` is written under the guard
//! and may be read by anyone as a hint.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

use dashmap::{RwLock, RwLockWriteGuard};

use crate::base::ids::UnixMs;
use crate::base::same::same;
use crate::keyspace::entry::Entry;
use crate::keyspace::table::Table;

/// A table, its lock and its counters. Aligned so that a command that finds or adds a key comes by with one cache line.
#[repr(align(64))]
pub struct Shard {
    table: RwLock<Table>,
    side: Side,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Shard>() == 64);

impl Shard {
    pub(super) fn new() -> Shard {
        Shard { table: RwLock::new(Table::new()), side: Side::new() }
    }

    /// What is known of it without its lock.
    pub(super) fn side(&self) -> &Side {
        &self.side
    }
}

/// What is known about a shard without taking its lock. Every field is an atomic with one owner: whoever holds the
/// shard's lock stores it (Relaxed, published by the unlock); anybody may load it as a hint (Relaxed).
#[derive(Default)]
pub struct Side {
    /// Number of entries.
    keys: AtomicU32,
    /// Number of entries with a deadline.
    expires: AtomicU32,
    /// Bumped whenever entries may have moved to other buckets, so that a walk in slices starts over.
    layout: AtomicU32,
    /// Room of the table: number of its buckets, full or not.
    buckets: AtomicU32,
    /// No entry of this shard expires before this; `i64::MAX` when none has a deadline.
    next_due: AtomicI64,
    /// No element of a value in this shard expires before this; `i64::MAX` when none has a deadline of its own.
    elements_due: AtomicI64,
    /// A model must not wait for a lock that loom knows nothing of: this one is taken before the shard's.
    #[cfg(loom)]
    turn: crate::base::sync::Mutex<()>,
}

impl Side {
    pub(super) fn new() -> Side {
        Side { next_due: AtomicI64::new(i64::MAX), elements_due: AtomicI64::new(i64::MAX), ..Side::default() }
    }

    pub fn keys(&self) -> usize {
        self.keys.load(Relaxed) as usize
    }

    pub fn expires(&self) -> usize {
        self.expires.load(Relaxed) as usize
    }

    /// Buckets of the table, full or not.
    pub fn buckets(&self) -> usize {
        self.buckets.load(Relaxed) as usize
    }

    /// Bytes of the table itself, without what its entries point to.
    pub fn table_bytes(&self) -> usize {
        Table::bytes(self.buckets())
    }

    /// A lower bound of the shard's deadlines.
    pub fn next_due(&self) -> UnixMs {
        UnixMs(self.next_due.load(Relaxed))
    }

    /// A lower bound of the deadlines of elements, `i64::MAX` if there are none: fields of hashes.
    pub fn elements_due(&self) -> UnixMs {
        UnixMs(self.elements_due.load(Relaxed))
    }
}

/// Exclusive access to one shard.
pub struct ShardGuard<'a> {
    table: RwLockWriteGuard<'a, Table>,
    side: &'a Side,
    /// The last field, for it is let go after the table.
    #[cfg(loom)]
    _turn: crate::base::sync::MutexGuard<'a, ()>,
}

/// Where an entry stands. Valid only until the next insertion or removal through the same guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketIndex(usize);

impl<'a> ShardGuard<'a> {
    #[inline]
    pub(super) fn lock(shard: &'a Shard) -> ShardGuard<'a> {
        #[cfg(loom)]
        let _turn = crate::base::sync::lock(&shard.side.turn);
        ShardGuard {
            table: shard.table.write(),
            side: &shard.side,
            #[cfg(loom)]
            _turn,
        }
    }

    /// The lock, unless somebody holds it.
    #[inline]
    pub(super) fn try_lock(shard: &'a Shard) -> Option<ShardGuard<'a>> {
        #[cfg(loom)]
        let _turn = shard.side.turn.try_lock().ok()?;
        Some(ShardGuard {
            table: shard.table.try_write()?,
            side: &shard.side,
            #[cfg(loom)]
            _turn,
        })
    }

    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<BucketIndex> {
        self.table.find(hash, |entry| same(entry.key(), key)).map(BucketIndex)
    }

    #[inline]
    pub fn get(&self, at: BucketIndex) -> &Entry {
        self.table.get(at.0)
    }

    /// For changes of the value. Deadlines are changed with `set_deadline`, so that the counters stay right; another entry of
    /// the same key is put here with `Entry::exchange`.
    #[inline]
    pub fn get_mut(&mut self, at: BucketIndex) -> &mut Entry {
        self.table.get_mut(at.0)
    }

    /// Adds an entry whose key is not in the table yet.
    pub fn insert(&mut self, hash: u64, entry: Entry) -> BucketIndex {
        debug_assert!(self.find(hash, entry.key()).is_none());
        let deadline = entry.deadline();
        if let Some(due) = entry.elements_due() {
            self.note_elements_due(due);
        }
        if self.table.is_full() {
            self.bump_layout();
            self.table.grow();
            self.side.buckets.store(self.table.room() as u32, Relaxed);
        }
        let at = BucketIndex(self.table.insert(hash, entry));
        self.side.keys.store(self.table.len() as u32, Relaxed);
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
        at
    }

    pub fn remove(&mut self, at: BucketIndex) -> Entry {
        let entry = self.table.remove(at.0);
        self.side.keys.store(self.table.len() as u32, Relaxed);
        if entry.deadline().is_some() {
            self.uncount_deadline();
        }
        entry
    }

    /// Gives memory back after many removals.
    pub fn shrink(&mut self) {
        if self.table.room() > 64 && self.table.len() * 8 < self.table.room() {
            self.shrink_to(self.table.len() * 2);
        }
    }

    /// As `shrink`, while memory is scarce: no table without keys, and none of which less than a quarter is full. Thousands of
    /// small tables that once held a key more would add up.
    pub fn tighten(&mut self) {
        let (len, room) = (self.table.len(), self.table.room());
        if room > 0 && (len == 0 || (room > 4 && len * 4 < room)) {
            self.shrink_to(len);
        }
    }

    fn shrink_to(&mut self, len: usize) {
        self.bump_layout();
        self.table.shrink_to(len);
        self.side.buckets.store(self.table.room() as u32, Relaxed);
    }

    pub fn set_deadline(&mut self, at: BucketIndex, deadline: Option<UnixMs>) {
        let entry = self.get_mut(at);
        let had = entry.deadline().is_some();
        entry.set_deadline(deadline);
        if had {
            self.uncount_deadline();
        }
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
    }

    #[inline]
    fn count_deadline(&self, deadline: UnixMs) {
        self.side.expires.store(self.side.expires.load(Relaxed) + 1, Relaxed);
        if deadline.0 < self.side.next_due.load(Relaxed) {
            self.side.next_due.store(deadline.0, Relaxed);
        }
    }

    fn uncount_deadline(&self) {
        let left = self.side.expires.load(Relaxed) - 1;
        self.side.expires.store(left, Relaxed);
        if left == 0 {
            self.side.next_due.store(i64::MAX, Relaxed);
        }
    }

    /// Looks at every entry, recomputing the lower bound of the deadlines, and returns where those that are past it stand.
    pub fn due(&mut self, now: UnixMs, due: &mut Vec<BucketIndex>) {
        let mut next = i64::MAX;
        for at in self.iter() {
            match self.get(at).deadline() {
                Some(deadline) if deadline < now => due.push(at),
                Some(deadline) => next = next.min(deadline.0),
                None => {}
            }
        }
        self.side.next_due.store(if due.is_empty() { next } else { next.min(now.0) }, Relaxed);
    }

    /// A value has an element that is due then, or later.
    #[inline]
    pub(super) fn note_elements_due(&self, due: UnixMs) {
        if due.0 < self.side.elements_due.load(Relaxed) {
            self.side.elements_due.store(due.0, Relaxed);
        }
    }

    /// Looks at every entry, recomputing the lower bound of the deadlines of elements, and returns where the entries stand
    /// that may hold elements past theirs.
    pub fn elements_due(&mut self, now: UnixMs) -> Vec<BucketIndex> {
        let mut next = i64::MAX;
        let mut due = Vec::new();
        for at in self.iter() {
            if let Some(deadline) = self.get(at).elements_due() {
                next = next.min(deadline.0);
                if deadline < now {
                    due.push(at);
                }
            }
        }
        self.side.elements_due.store(next, Relaxed);
        due
    }

    fn bump_layout(&self) {
        self.side.layout.store(self.side.layout.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Changes whenever entries may have moved between buckets other than by their own insertion.
    pub fn layout(&self) -> u32 {
        self.side.layout.load(Relaxed)
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Number of buckets, full or not; a walk in slices goes from 0 to here.
    pub fn buckets(&self) -> usize {
        self.table.room()
    }

    /// The entry in bucket `index`, if there is one.
    pub fn at(&self, index: usize) -> Option<BucketIndex> {
        self.table.is_full_at(index).then_some(BucketIndex(index))
    }

    /// All full buckets. The iterator does not borrow the guard: entries may be changed, not added or removed, meanwhile
    /// (removing the yielded entry itself is fine, since the others stay in their buckets).
    pub fn iter(&self) -> impl Iterator<Item = BucketIndex> + use<> {
        let found: Vec<BucketIndex> = (0..self.buckets()).filter_map(|index| self.at(index)).collect();
        found.into_iter()
    }

    /// Asks for the lines of the table where `hash` is looked for first.
    #[inline]
    pub fn prefetch_table(&self, hash: u64) {
        self.table.prefetch(hash);
    }

    /// Where the block of the first entry lies whose mark matches, without reading it; null if there is none. For a prefetch: few
    /// are strangers.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> *const u8 {
        match self.table.find(hash, |_| true) {
            Some(index) => self.table.get(index).address(),
            None => std::ptr::null(),
        }
    }
}
