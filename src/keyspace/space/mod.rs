//! Space: the keys that a command may touch, locked, with everything that has to happen around a change.
//!
//! ```text
//!  handler -> space.read(key)  -> &Entry               lazy expiry, access clock, hits and misses
//!          -> space.slot(key)  -> Occupied | Vacant    the pre-image goes to the snapshot before the first change,
//!                                                      watchers are told, `dirty` counts
//! ```
//!
//! Made by `exec` for one command or one transaction, by the link for what its primary sends, by active expiry.
//! Always: a key is only reached through the lock of its shard, which was taken before the handler ran, or, while
//! the world stands still, is taken on access. A change that bypasses this file would miss a snapshot.

pub mod changes;
pub mod edit;
pub mod slot;

pub use changes::{Changes, Expiry, PreImages, Surroundings, Tally, access_clock};
pub use edit::{Edit, WrongType};
pub use slot::{Occupied, Slot, Vacant};

use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Entry;
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::shard::{BucketIndex, ShardGuard};
use crate::types::{Str, Value};

/// A key and its place, as locks need it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ShardRef {
    pub db: DbIndex,
    pub shard: usize,
}

enum Locks<'a> {
    /// Between two commands of a lane.
    None,
    One(ShardRef, ShardGuard<'a>),
    /// Ascending and without duplicates.
    Many(Vec<(ShardRef, ShardGuard<'a>)>),
    /// The world stands still: the locks of the shards in use, taken on access. Ascending and without duplicates.
    OnDemand(Vec<(ShardRef, ShardGuard<'a>)>),
}

/// The locked keys of one command or transaction.
///
/// The order of the fields is that of their end: the locks are let go before what was removed is freed.
pub struct Space<'a> {
    locks: Locks<'a>,
    db: DbIndex,
    /// The hash of the key that the dispatcher has already hashed: address, length, hash.
    hashed: (*const u8, usize, u64),
    pub changes: Changes<'a>,
}

impl<'a> Locks<'a> {
    /// The lock of a hash's shard, held already or taken now. `is_own`: the hash is that of the very key for which the one
    /// lock was taken.
    #[inline(always)]
    fn guard(&mut self, keyspace: &'a Keyspace, db: DbIndex, hash: u64, is_own: bool) -> &mut ShardGuard<'a> {
        match self {
            Locks::None => panic!("a lane reaches for keys only between enter and leave"),
            Locks::One(held, guard) => {
                let is_held = || *held == ShardRef { db, shard: keyspace.db(db).shard_of(hash) };
                let is_named = (is_own && held.db == db) || is_held();
                assert!(is_named, "a handler reached for a key that its row does not name");
                guard
            }
            Locks::Many(_) | Locks::OnDemand(_) => {
                self.guard_of(keyspace, ShardRef { db, shard: keyspace.db(db).shard_of(hash) })
            }
        }
    }

    fn guard_of(&mut self, keyspace: &'a Keyspace, at: ShardRef) -> &mut ShardGuard<'a> {
        match self {
            Locks::None | Locks::One(..) => unreachable!("looked at by `guard`"),
            Locks::Many(guards) => {
                let index = guards.binary_search_by_key(&at, |(held, _)| *held);
                let index = index.expect("a handler reached for a key that its row does not name");
                &mut guards[index].1
            }
            Locks::OnDemand(guards) => {
                let index = match guards.binary_search_by_key(&at, |(held, _)| *held) {
                    Ok(index) => index,
                    Err(_) => {
                        guards.clear();
                        guards.push((at, keyspace.db(at.db).lock(at.shard)));
                        0
                    }
                };
                &mut guards[index].1
            }
        }
    }

    /// The lock of a shard that is held.
    fn held(&self, at: ShardRef) -> &ShardGuard<'a> {
        match self {
            Locks::None => panic!("a lane reaches for keys only between enter and leave"),
            Locks::One(held, guard) => {
                assert!(*held == at, "a handler reached for a key that its row does not name");
                guard
            }
            Locks::Many(guards) | Locks::OnDemand(guards) => {
                let index = guards.binary_search_by_key(&at, |(held, _)| *held);
                &guards[index.expect("a handler reached for a key that its row does not name")].1
            }
        }
    }

    /// Takes all of `shards` at once, where locks are taken on access.
    fn hold(&mut self, keyspace: &'a Keyspace, mut shards: Vec<ShardRef>) {
        if let Locks::OnDemand(guards) = self {
            // All are let go first: those that walk beside us hold one and want no second, so ascending order is not needed
            // for their sake, but it costs nothing.
            guards.clear();
            shards.sort_unstable();
            shards.dedup();
            guards.extend(shards.into_iter().map(|at| (at, keyspace.db(at.db).lock(at.shard))));
        }
    }
}

impl<'a> Space<'a> {
    /// For a command with one key, whose hash is known.
    #[inline]
    pub fn one(
        keyspace: &'a Keyspace,
        db: DbIndex,
        key: &[u8],
        hash: u64,
        around: Surroundings<'a>,
    ) -> Space<'a> {
        let shard = keyspace.db(db).shard_of(hash);
        let guard = keyspace.db(db).lock(shard);
        let locks = Locks::One(ShardRef { db, shard }, guard);
        Space::with(keyspace, db, locks, around, (key.as_ptr(), key.len(), hash))
    }

    /// For many commands on one key each, one after another: each stands between `enter` and `leave`.
    pub fn lane(keyspace: &'a Keyspace, db: DbIndex, around: Surroundings<'a>) -> Space<'a> {
        Space::with(keyspace, db, Locks::None, around, (std::ptr::null(), 0, 0))
    }

    /// The next command of a lane begins: locks its key. No lock is held here.
    #[inline]
    pub fn enter(&mut self, key: &[u8], hash: u64) {
        debug_assert!(matches!(self.locks, Locks::None));
        let db = self.changes.keyspace.db(self.db);
        let shard = db.shard_of(hash);
        self.hashed = (key.as_ptr(), key.len(), hash);
        self.locks = Locks::One(ShardRef { db: self.db, shard }, db.lock(shard));
    }

    /// The command is over and committed: lets the lock go.
    #[inline]
    pub fn leave(&mut self) {
        self.locks = Locks::None;
        self.changes.garbage.empty();
    }

    /// For a command or transaction with several keys. `shards` may be in any order and hold duplicates.
    pub fn many(
        keyspace: &'a Keyspace,
        db: DbIndex,
        mut shards: Vec<ShardRef>,
        around: Surroundings<'a>,
    ) -> Space<'a> {
        shards.sort_unstable();
        shards.dedup();
        let lock = |at: ShardRef| (at, keyspace.db(at.db).lock(at.shard));
        let locks = Locks::Many(shards.into_iter().map(lock).collect());
        Space::with(keyspace, db, locks, around, (std::ptr::null(), 0, 0))
    }

    /// For what runs while all other threads stand still, and may therefore reach any key. The snapshot walker and
    /// readers of single shards may still be about, hence the locks on access.
    pub fn whole(keyspace: &'a Keyspace, db: DbIndex, around: Surroundings<'a>) -> Space<'a> {
        Space::with(keyspace, db, Locks::OnDemand(Vec::new()), around, (std::ptr::null(), 0, 0))
    }

    fn with(
        keyspace: &'a Keyspace,
        db: DbIndex,
        locks: Locks<'a>,
        around: Surroundings<'a>,
        hashed: (*const u8, usize, u64),
    ) -> Space<'a> {
        let changes = Changes::new(keyspace, around);
        Space { locks, db, hashed, changes }
    }

    /// Where a key's lock is.
    pub fn shard_ref(keyspace: &Keyspace, db: DbIndex, key: &[u8]) -> ShardRef {
        ShardRef { db, shard: keyspace.db(db).shard_of(hash_key(key)) }
    }

    pub fn db(&self) -> DbIndex {
        self.db
    }

    /// For SELECT within a transaction.
    pub fn select(&mut self, db: DbIndex) {
        debug_assert!((db.0 as usize) < self.changes.keyspace.databases());
        self.db = db;
    }

    pub fn databases(&self) -> usize {
        self.changes.keyspace.databases()
    }

    pub fn keyspace(&self) -> &'a Keyspace {
        self.changes.keyspace
    }

    pub fn now(&self) -> UnixMs {
        self.changes.around.now
    }

    pub fn around(&self) -> &Surroundings<'a> {
        &self.changes.around
    }

    /// Reads leave the access clocks alone from now on (CLIENT NO-TOUCH).
    pub fn leave_clocks(&mut self) {
        self.changes.leaves_clocks = true;
    }

    /// Lets go of the locks that were taken on access, so that a walk over all shards can take them itself.
    pub fn release(&mut self) {
        if let Locks::OnDemand(guards) = &mut self.locks {
            guards.clear();
        }
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let (address, len, hash) = self.hashed;
        if std::ptr::eq(key.as_ptr(), address) && key.len() == len { hash } else { hash_key(key) }
    }

    /// Locks a key's shard if it is not locked already, and finds the key unless it has expired.
    #[inline(always)]
    fn locate<'s>(&'s mut self, db: DbIndex, key: &[u8]) -> Located<'s, 'a> {
        let (address, len, known) = self.hashed;
        let is_known = std::ptr::eq(key.as_ptr(), address) && key.len() == len;
        let hash = if is_known { known } else { hash_key(key) };
        let changes = &mut self.changes;
        let keyspace = changes.keyspace;
        let guard = self.locks.guard(keyspace, db, hash, is_known);
        let mut found = guard.find(hash, key);
        if let Some(at) = found
            && guard.get(at).deadline().is_some_and(|deadline| deadline < changes.around.now)
        {
            match changes.around.expiry {
                Expiry::Ignore => {}
                Expiry::Hide => found = None,
                Expiry::Delete => {
                    changes.expire(guard, db, at, key);
                    found = None;
                }
            }
        }
        Located { guard, changes, hash, found }
    }

    /// Is `key` there although its deadline has passed? Deletes nothing.
    pub fn is_past_deadline(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let (now, hash, keyspace) = (self.changes.around.now, self.hash(key), self.changes.keyspace);
        let guard = self.locks.guard(keyspace, db, hash, false);
        let deadline = guard.find(hash, key).and_then(|found| guard.get(found).deadline());
        deadline.is_some_and(|deadline| deadline < now)
    }

    /// Deletes `key` if its deadline has passed, whoever asks: active expiry on a primary.
    pub fn expire_if_due(&mut self, key: &[u8]) {
        let _ = self.locate(self.db, key);
    }

    /// The entry of a key for a command that only reads: counts a hit or a miss and notes the access.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry> {
        let db = self.db;
        let Located { guard, changes, found, .. } = self.locate(db, key);
        let Some(found) = found else {
            changes.miss(db, key);
            return None;
        };
        changes.tally.hits += 1;
        let entry = guard.get_mut(found);
        if !changes.leaves_clocks {
            entry.set_clock(changes.around.accessed(entry.clock()));
        }
        Some(entry)
    }

    /// As `read`, without noting the access (EXISTS, TYPE, TTL).
    pub fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        let db = self.db;
        let Located { guard, changes, found, .. } = self.locate(db, key);
        let Some(found) = found else {
            changes.miss(db, key);
            return None;
        };
        changes.tally.hits += 1;
        Some(guard.get(found))
    }

    /// The entry of a key, leaving no trace in clocks and statistics (OBJECT, TTL, EXISTS checks).
    pub fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        self.peek_in(self.db, key)
    }

    /// As `peek`, in another database whose shard is locked.
    pub fn peek_in(&mut self, db: DbIndex, key: &[u8]) -> Option<&Entry> {
        let Located { guard, found, .. } = self.locate(db, key);
        let found = found?;
        Some(guard.get(found))
    }

    /// The place of a key for a command that may change it.
    #[inline]
    pub fn slot<'s>(&'s mut self, key: &'s [u8]) -> Slot<'s, 'a> {
        self.slot_in(self.db, key)
    }

    /// As `slot`, in another database whose shard is locked (MOVE, COPY).
    #[inline]
    pub fn slot_in<'s>(&'s mut self, db: DbIndex, key: &'s [u8]) -> Slot<'s, 'a> {
        let Located { guard, changes, hash, found } = self.locate(db, key);
        match found {
            Some(found) => Slot::Occupied(Occupied { guard, changes, db, found, key }),
            None => Slot::Vacant(Vacant { guard, changes, db, hash, key }),
        }
    }

    /// Removes a key whose value another takes the place of, or that has lost it; true if it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.delete_for(key, Why::Replaced)
    }

    /// Removes a key; true if it was there.
    pub fn delete_for(&mut self, key: &[u8], why: Why) -> bool {
        match self.slot(key) {
            Slot::Occupied(slot) => {
                slot.discard(why);
                true
            }
            Slot::Vacant(_) => false,
        }
    }

    /// SET in one step: the value whatever was there, of whatever kind. `deadline` replaces the old one.
    #[inline]
    pub fn put(&mut self, key: &[u8], value: Str<'_>, deadline: Option<UnixMs>) {
        match self.slot(key) {
            Slot::Occupied(mut slot) => {
                slot.set_string(value);
                if deadline.is_some() || slot.entry().deadline().is_some() {
                    slot.set_deadline_quietly(deadline);
                }
            }
            Slot::Vacant(slot) => slot.insert_string(value, deadline),
        }
    }

    /// Replaces whatever is at `key` by `value`. An empty collection that may not be empty leaves no key behind.
    pub fn put_value(&mut self, key: &[u8], value: Value, deadline: Option<UnixMs>) {
        self.put_value_in(self.db, key, value, deadline);
    }

    /// As `put_value`, in another database whose shard is locked.
    pub fn put_value_in(&mut self, db: DbIndex, key: &[u8], value: Value, deadline: Option<UnixMs>) {
        if let Slot::Occupied(slot) = self.slot_in(db, key) {
            slot.discard(Why::Replaced);
        }
        if let Slot::Vacant(slot) = self.slot_in(db, key) {
            slot.insert_value(value, deadline);
        }
    }

    /// The entries of several keys at once, for commands that combine them: counts hits and misses and notes the accesses,
    /// as `read` does.
    pub fn read_several(&mut self, keys: &[&[u8]]) -> Vec<Option<&Entry>> {
        let (db, keyspace) = (self.db, self.changes.keyspace);
        let places: Vec<ShardRef> = keys.iter().map(|key| Space::shard_ref(keyspace, db, key)).collect();
        self.locks.hold(keyspace, places.clone());
        // Deleting an expired entry leaves the others in their buckets.
        let found: Vec<Option<BucketIndex>> = keys.iter().map(|key| self.note_read(key)).collect();
        let entry =
            |(at, found): (ShardRef, Option<BucketIndex>)| found.map(|found| self.locks.held(at).get(found));
        places.into_iter().zip(found).map(entry).collect()
    }

    fn note_read(&mut self, key: &[u8]) -> Option<BucketIndex> {
        let db = self.db;
        let Located { guard, changes, found, .. } = self.locate(db, key);
        match found {
            Some(found) => {
                changes.tally.hits += 1;
                if !changes.leaves_clocks {
                    let entry = guard.get_mut(found);
                    entry.set_clock(changes.around.accessed(entry.clock()));
                }
            }
            None => changes.miss(db, key),
        }
        found
    }

    /// Notes an event of `class` for those who subscribed to it.
    #[inline]
    pub fn notify(&mut self, class: Classes, name: &'static str, key: &[u8]) {
        self.changes.notify(class, name, self.db, key);
    }

    /// A key that existed has got something that a client may be waiting for (XADD). Keys that come to be are noted by
    /// themselves.
    #[inline]
    pub fn signal_ready(&mut self, key: &[u8]) {
        self.changes.signal_ready(self.db, key);
    }
}

/// A key that has been looked for under its shard's lock.
struct Located<'s, 'a> {
    guard: &'s mut ShardGuard<'a>,
    changes: &'s mut Changes<'a>,
    hash: u64,
    found: Option<BucketIndex>,
}
