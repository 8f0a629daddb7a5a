//! A shard: one table of entries behind one lock, with the counters that the lock also guards.
//!
//! ```text
//!  dashmap shard (128 bytes, own cache lines)        Side (parallel array, same index)
//!  +--------------------------------------+          +----------------------------------+
//!  | lock | hashbrown table of Entry (8 B)|          | keys, expires, next due, layout  |
//!  +--------------------------------------+          +----------------------------------+
//! ```
//!
//! Called by `space` (commands), the snapshot walker, expiry and scans. Only exclusive locks are taken: dashmap's
//! lock prefers readers and starves writers.
//! Always: whoever holds the guard is the only one to read or change the table; `Side` is written under the guard
//! and may be read by anyone as a hint. This file and `entry` hold all unsafe code of the keyspace.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

use dashmap::{RwLock, RwLockWriteGuard, SharedValue};
use hashbrown::raw::{InsertSlot, RawTable};

use crate::base::alloc::size_class;
use crate::base::hash::hash_key;
use crate::base::ids::UnixMs;
use crate::base::prefetch::prefetch;
use crate::base::same::same;
use crate::keyspace::entry::Entry;

pub(super) type Table = RawTable<(Entry, SharedValue<()>)>;

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
        match self.buckets() {
            0 => 0,
            // An entry and a control byte each, and the control bytes of one more group.
            buckets => size_class(buckets * (size_of::<Entry>() + 1) + 16),
        }
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

/// The outcome of looking for a key that may then be inserted.
pub enum Found {
    At(BucketIndex),
    Vacant,
}

impl<'a> ShardGuard<'a> {
    #[inline]
    pub(super) fn lock(shard: &'a RwLock<Table>, side: &'a Side) -> ShardGuard<'a> {
        #[cfg(loom)]
        let _turn = crate::base::sync::lock(&side.turn);
        ShardGuard {
            table: shard.write(),
            side,
            #[cfg(loom)]
            _turn,
        }
    }

    /// The lock, unless somebody holds it.
    #[inline]
    pub(super) fn try_lock(shard: &'a RwLock<Table>, side: &'a Side) -> Option<ShardGuard<'a>> {
        #[cfg(loom)]
        let _turn = side.turn.try_lock().ok()?;
        Some(ShardGuard {
            table: shard.try_write()?,
            side,
            #[cfg(loom)]
            _turn,
        })
    }

    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<BucketIndex> {
        let bucket = self.table.find(hash, |(entry, _)| same(entry.key(), key))?;
        // SAFETY: the bucket was just found in this table.
        Some(BucketIndex(unsafe { self.table.bucket_index(&bucket) }))
    }

    #[inline]
    pub fn get(&self, at: BucketIndex) -> &Entry {
        debug_assert!(self.is_full(at.0));
        // SAFETY: `at` names a full bucket of this table: indexes are only handed out for full buckets and are not
        // used across insertions or removals.
        unsafe { &self.table.bucket(at.0).as_ref().0 }
    }

    /// For changes of the value. Deadlines are changed with `set_deadline`, so that the counters stay right.
    #[inline]
    pub fn get_mut(&mut self, at: BucketIndex) -> &mut Entry {
        debug_assert!(self.is_full(at.0));
        // SAFETY: as in `get`; `&mut self` makes the access exclusive.
        unsafe { &mut self.table.bucket(at.0).as_mut().0 }
    }

    /// Adds an entry whose key is not in the table yet.
    pub fn insert(&mut self, hash: u64, entry: Entry) -> BucketIndex {
        debug_assert!(self.find(hash, entry.key()).is_none());
        let deadline = entry.deadline();
        if let Some(due) = entry.elements_due() {
            self.note_elements_due(due);
        }
        let is_full = self.table.len() == self.table.capacity();
        if is_full {
            // The insertion below will rehash: in place (after many removals) or into a larger table.
            self.bump_layout();
        }
        let bucket = self.table.insert(hash, (entry, SharedValue::new(())), rehash);
        if is_full {
            self.side.buckets.store(self.table.buckets() as u32, Relaxed);
        }
        // SAFETY: the bucket was just returned by this table.
        let at = BucketIndex(unsafe { self.table.bucket_index(&bucket) });
        self.side.keys.store(self.table.len() as u32, Relaxed);
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
        at
    }

    pub fn remove(&mut self, at: BucketIndex) -> Entry {
        debug_assert!(self.is_full(at.0));
        // SAFETY: `at` names a full bucket of this table (see `get`).
        let ((entry, _), _slot): (_, InsertSlot) = unsafe {
            let bucket = self.table.bucket(at.0);
            self.table.remove(bucket)
        };
        self.side.keys.store(self.table.len() as u32, Relaxed);
        if entry.deadline().is_some() {
            self.uncount_deadline();
        }
        entry
    }

    /// Gives memory back after many removals.
    pub fn shrink(&mut self) {
        if self.table.buckets() > 64 && self.table.len() * 8 < self.table.buckets() {
            self.shrink_to(self.table.len() * 2);
        }
    }

    /// As `shrink`, while memory is scarce: no table without keys, and none of which less than a quarter is full. Thousands of
    /// small tables that once held a key more would add up.
    pub fn tighten(&mut self) {
        let (len, buckets) = (self.table.len(), self.table.buckets());
        // A table without memory of its own has one bucket, the smallest other one four.
        if buckets > 1 && (len == 0 || (buckets > 4 && len * 4 < buckets)) {
            self.shrink_to(len);
        }
    }

    fn shrink_to(&mut self, room: usize) {
        self.bump_layout();
        self.table.shrink_to(room, rehash);
        let buckets = if self.table.capacity() == 0 { 0 } else { self.table.buckets() };
        self.side.buckets.store(buckets as u32, Relaxed);
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
        self.table.is_empty()
    }

    /// Number of buckets, full or not; a walk in slices goes from 0 to here.
    pub fn buckets(&self) -> usize {
        self.table.buckets()
    }

    fn is_full(&self, index: usize) -> bool {
        // SAFETY: the index is checked against the number of buckets first; an unallocated table has one bucket,
        // which its static control bytes mark as empty.
        index < self.table.buckets() && unsafe { self.table.is_bucket_full(index) }
    }

    /// The entry in bucket `index`, if there is one.
    pub fn at(&self, index: usize) -> Option<BucketIndex> {
        self.is_full(index).then_some(BucketIndex(index))
    }

    /// All full buckets. The iterator does not borrow the guard: entries may be changed, not added or removed, meanwhile
    /// (removing the yielded entry itself is fine, since hashbrown leaves the other buckets where they are).
    pub fn iter(&self) -> impl Iterator<Item = BucketIndex> + use<> {
        let mut found = Vec::with_capacity(self.table.len());
        // SAFETY: the iterator is exhausted here, while the guard is borrowed.
        unsafe {
            for bucket in self.table.iter() {
                found.push(BucketIndex(self.table.bucket_index(&bucket)));
            }
        }
        found.into_iter()
    }

    /// Asks for the control bytes and the home bucket of `hash`.
    #[inline]
    pub fn prefetch_table(&self, hash: u64) {
        let mask = self.table.buckets() - 1;
        let home = hash as usize & mask;
        let end = self.table.data_end().as_ptr();
        prefetch(end.cast::<u8>().wrapping_add(home));
        prefetch(end.wrapping_sub(home + 1));
    }

    /// Where the block of the first entry lies whose hash tag matches, without reading it; null if there is none. For a
    /// prefetch: one in 128 is a stranger.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> *const u8 {
        // The predicate takes the first tag match, without looking at the key.
        match self.table.find(hash, |_| true) {
            // SAFETY: the bucket was just found in this table, whose guard we hold.
            Some(bucket) => unsafe { bucket.as_ref().0.address() },
            None => std::ptr::null(),
        }
    }
}

fn rehash((entry, _): &(Entry, SharedValue<()>)) -> u64 {
    hash_key(entry.key())
}
