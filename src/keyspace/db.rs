//! One database: many small shards, each a table of entries behind a lock of its own.
//!
//! `Keyspace` is the set of databases that is current; FLUSHALL, SWAPDB and a full sync replace it as a whole while
//! all threads stand still (`exec::barrier`), so that a snapshot that is under way keeps walking the old one.
//! Called by `space`, the walker, expiry, INFO.
//! Always: a key's shard depends on its hash alone; locks are taken in ascending (database, shard) order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::prefetch::prefetch;
use crate::keyspace::shard::{Shard, ShardGuard, Side};
use crate::keyspace::watch::Presence;

/// Shards of database 0: enough that a table's growth (which moves the words of one shard at once) stays far below a tenth of
/// a millisecond at tens of millions of keys, and that threads seldom meet. More would outgrow the cache: 64 bytes each.
pub const SHARDS_MAIN: usize = if cfg!(loom) { 2 } else { 4096 };
/// Shards of every other database, which seldom hold much.
pub const SHARDS_OTHER: usize = if cfg!(loom) { 2 } else { 256 };

/// A database's identity, which stays with its data through SWAPDB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DbId(pub u64);

/// Source of `DbId`s: any thread adds (Relaxed); publishes nothing.
static NEXT_DB: AtomicU64 = AtomicU64::new(1);

pub struct Db {
    shards: Box<[Shard]>,
    id: DbId,
}

impl Db {
    /// `shards` must be a power of two of at least 2.
    pub fn new(shards: usize) -> Db {
        assert!(shards.is_power_of_two() && shards >= 2);
        let shards = (0..shards).map(|_| Shard::new()).collect();
        Db { shards, id: DbId(NEXT_DB.fetch_add(1, Relaxed)) }
    }

    pub fn id(&self) -> DbId {
        self.id
    }

    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Bits 32 and up choose the shard: tables use the highest 18.
    #[inline]
    pub fn shard_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    #[inline]
    pub fn lock(&self, shard: usize) -> ShardGuard<'_> {
        ShardGuard::lock(&self.shards[shard])
    }

    /// The shard's lock, unless somebody holds it.
    #[inline]
    pub(super) fn try_lock(&self, shard: usize) -> Option<ShardGuard<'_>> {
        ShardGuard::try_lock(&self.shards[shard])
    }

    /// Gives back what the tables do not need: memory is scarce. Takes one lock after the other.
    pub fn tighten(&self) {
        (0..self.shard_count()).for_each(|shard| self.lock(shard).tighten());
    }

    /// What is known of a shard without its lock.
    pub fn side(&self, shard: usize) -> &Side {
        self.shards[shard].side()
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.shards.iter().map(Shard::side)
    }

    /// Asks for the cache line of a shard's lock, table header and counters.
    #[inline]
    pub fn prefetch_shard(&self, shard: usize) {
        prefetch((&raw const self.shards[shard]).cast::<u8>());
    }

    /// What a watched key is in here.
    pub fn presence(&self, key: &[u8], now: UnixMs) -> Presence {
        let hash = hash_key(key);
        let guard = self.lock(self.shard_of(hash));
        match guard.find(hash, key).map(|at| guard.get(at).deadline()) {
            None => Presence::Absent,
            Some(Some(at)) if at < now => Presence::Expired,
            Some(_) => Presence::Live,
        }
    }

    /// Number of keys, expired ones that nobody has met yet included (as DBSIZE counts).
    pub fn len(&self) -> usize {
        self.sides().map(Side::keys).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all tables, without what their entries point to.
    pub fn table_bytes(&self) -> usize {
        self.sides().map(Side::table_bytes).sum()
    }

    /// Number of keys with a deadline.
    pub fn expires(&self) -> usize {
        self.sides().map(Side::expires).sum()
    }
}

/// All databases, in the order of their numbers.
pub struct Keyspace {
    dbs: Box<[Arc<Db>]>,
}

impl Keyspace {
    pub fn new(databases: usize) -> Keyspace {
        Keyspace { dbs: (0..databases).map(|index| Arc::new(empty_db(index))).collect() }
    }

    /// Of these databases, for tests that want crowded shards.
    #[cfg(test)]
    pub fn of(dbs: impl Iterator<Item = Arc<Db>>) -> Keyspace {
        Keyspace { dbs: dbs.collect() }
    }

    #[inline]
    pub fn db(&self, index: DbIndex) -> &Arc<Db> {
        &self.dbs[index.0 as usize]
    }

    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (DbIndex, &Arc<Db>)> {
        self.dbs.iter().enumerate().map(|(index, db)| (DbIndex(index as u16), db))
    }

    pub fn keys(&self) -> usize {
        self.dbs.iter().map(|db| db.len()).sum()
    }

    /// May there be a value whose elements have deadlines of their own (fields of hashes)?
    pub fn may_have_timed_elements(&self) -> bool {
        let is_timed = |db: &Db| db.sides().any(|side| side.elements_due() < UnixMs(i64::MAX));
        self.dbs.iter().any(|db| is_timed(db))
    }

    /// The same databases but for `emptied`, which start anew.
    pub fn with_empty(&self, emptied: impl Fn(DbIndex) -> bool) -> Keyspace {
        let fresh = |(index, db): (DbIndex, &Arc<Db>)| {
            // An empty database is kept, so that FLUSHALL in a loop costs nothing.
            if emptied(index) && !db.is_empty() { Arc::new(empty_db(index.0 as usize)) } else { db.clone() }
        };
        Keyspace { dbs: self.iter().map(fresh).collect() }
    }

    /// The same databases with two of them exchanged.
    pub fn with_swapped(&self, a: DbIndex, b: DbIndex) -> Keyspace {
        let mut dbs = self.dbs.clone();
        dbs.swap(a.0 as usize, b.0 as usize);
        Keyspace { dbs }
    }
}

fn empty_db(index: usize) -> Db {
    Db::new(if index == 0 { SHARDS_MAIN } else { SHARDS_OTHER })
}
