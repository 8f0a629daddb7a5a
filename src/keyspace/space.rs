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

use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::keyspace::db::{DbId, Keyspace};
use crate::keyspace::entry::{Entry, Stamp};
use crate::keyspace::shard::{BucketIndex, ShardGuard};
use crate::keyspace::watch::WatchTable;
use crate::types::{Str, Value};

/// Receives the state of an entry as it was at the cut, before it changes for the first time after it.
pub trait PreImages: Send + Sync {
    /// Called under the shard's lock, once per entry and snapshot.
    fn capture(&self, db: DbId, entry: &Entry);
}

/// What an expired key is to the one who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// A primary deletes it and tells its replicas.
    Delete,
    /// A replica shows it as missing and waits for its primary's DEL.
    Hide,
    /// What a primary sends is applied as it comes.
    Ignore,
}

/// The circumstances of a batch, the same for all its commands.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub now: UnixMs,
    /// The 24-bit access clock (see `access_clock`).
    pub clock: u32,
    /// New and changed entries are stamped with this.
    pub stamp: Stamp,
    /// The snapshot in progress, if there is one.
    pub pre_images: Option<&'a dyn PreImages>,
    pub watches: &'a WatchTable,
    pub expiry: Expiry,
}

/// Redis' access clock: seconds, 24 bits, wrapping after 194 days.
pub fn access_clock(now: UnixMs) -> u32 {
    (now.0 / 1000) as u32 & 0x00ff_ffff
}

/// A key and its place, as locks need it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ShardRef {
    pub db: DbIndex,
    pub shard: usize,
}

enum Locks<'a> {
    One(ShardRef, ShardGuard<'a>),
    /// Ascending and without duplicates.
    Many(Vec<(ShardRef, ShardGuard<'a>)>),
    /// The world stands still: the lock of the shard in use, taken on access, one at a time.
    OnDemand(Option<(ShardRef, ShardGuard<'a>)>),
}

/// Counts that the statistics want, gathered per command.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    pub hits: u64,
    pub misses: u64,
    /// Changes, in the unit of `rdb_changes_since_last_save`.
    pub dirty: u64,
    pub expired: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.dirty += other.dirty;
        self.expired += other.expired;
    }
}

/// The locked keys of one command or transaction.
pub struct Space<'a> {
    locks: Locks<'a>,
    db: DbIndex,
    /// The hash of the key that the dispatcher has already hashed: address, length, hash.
    hashed: (*const u8, usize, u64),
    pub changes: Changes<'a>,
}

/// What a change needs and leaves behind besides the lock of its shard.
pub struct Changes<'a> {
    keyspace: &'a Keyspace,
    around: Surroundings<'a>,
    /// Keys that were found expired and deleted: their DELs go into the stream before the command's own effect.
    pub expired: Vec<(DbIndex, Vec<u8>)>,
    /// Keys that a walk over the shards has met past their deadline, and passed over. The executor deletes them after it.
    pub due: Vec<Vec<u8>>,
    pub tally: Tally,
}

impl<'a> Locks<'a> {
    /// The lock of a shard, held already or taken now.
    #[inline]
    fn guard(&mut self, keyspace: &'a Keyspace, at: ShardRef) -> &mut ShardGuard<'a> {
        match self {
            Locks::One(held, guard) => {
                assert!(*held == at, "a handler reached for a key that its row does not name");
                guard
            }
            Locks::Many(guards) => {
                let index = guards.binary_search_by_key(&at, |(held, _)| *held);
                let index = index.expect("a handler reached for a key that its row does not name");
                &mut guards[index].1
            }
            Locks::OnDemand(held) => {
                if held.as_ref().is_none_or(|(held, _)| *held != at) {
                    // Never two at a time: nobody else waits in ascending order here.
                    *held = None;
                    *held = Some((at, keyspace.db(at.db).lock(at.shard)));
                }
                &mut held.as_mut().expect("just taken").1
            }
        }
    }
}

impl<'a> Changes<'a> {
    /// The snapshot gets the entry as it is now, if it does not have it yet.
    #[inline]
    fn before(&self, db: DbIndex, entry: &mut Entry) {
        if entry.stamp() != self.around.stamp {
            self.capture(db, entry);
        }
    }

    #[cold]
    fn capture(&self, db: DbIndex, entry: &mut Entry) {
        if let Some(pre_images) = self.around.pre_images {
            pre_images.capture(self.keyspace.db(db).id(), entry);
        }
        entry.set_stamp(self.around.stamp);
    }

    #[inline]
    fn after(&mut self, db: DbIndex, key: &[u8], exists: bool) {
        self.tally.dirty += 1;
        if self.around.watches.is_active() {
            self.around.watches.touch(db, key, exists);
        }
    }

    #[cold]
    fn expire(&mut self, guard: &mut ShardGuard<'_>, db: DbIndex, found: BucketIndex, key: &[u8]) {
        self.before(db, guard.get_mut(found));
        drop(guard.remove(found));
        self.expired.push((db, key.to_vec()));
        self.tally.expired += 1;
        self.after(db, key, false);
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
        Space::with(keyspace, db, Locks::OnDemand(None), around, (std::ptr::null(), 0, 0))
    }

    fn with(
        keyspace: &'a Keyspace,
        db: DbIndex,
        locks: Locks<'a>,
        around: Surroundings<'a>,
        hashed: (*const u8, usize, u64),
    ) -> Space<'a> {
        let changes =
            Changes { keyspace, around, expired: Vec::new(), due: Vec::new(), tally: Tally::default() };
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

    /// Lets go of the lock that was taken on access, so that a walk over all shards can take them itself.
    pub fn release(&mut self) {
        if let Locks::OnDemand(held) = &mut self.locks {
            *held = None;
        }
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let (address, len, hash) = self.hashed;
        if std::ptr::eq(key.as_ptr(), address) && key.len() == len { hash } else { hash_key(key) }
    }

    /// Locks a key's shard if it is not locked already, and finds the key unless it has expired.
    #[inline]
    fn locate<'s>(&'s mut self, db: DbIndex, key: &[u8]) -> Located<'s, 'a> {
        let hash = self.hash(key);
        let changes = &mut self.changes;
        let keyspace = changes.keyspace;
        let guard = self.locks.guard(keyspace, ShardRef { db, shard: keyspace.db(db).shard_of(hash) });
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
        let guard = self.locks.guard(keyspace, ShardRef { db, shard: keyspace.db(db).shard_of(hash) });
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
        let Located { guard, changes, found, .. } = self.locate(self.db, key);
        let Some(found) = found else {
            changes.tally.misses += 1;
            return None;
        };
        changes.tally.hits += 1;
        let entry = guard.get_mut(found);
        entry.set_clock(changes.around.clock);
        Some(entry)
    }

    /// As `read`, without noting the access (EXISTS, TYPE, TTL).
    pub fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        let Located { guard, changes, found, .. } = self.locate(self.db, key);
        let Some(found) = found else {
            changes.tally.misses += 1;
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

    /// Removes a key; true if it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        match self.slot(key) {
            Slot::Occupied(slot) => {
                drop(slot.remove());
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
}

/// A key that has been looked for under its shard's lock.
struct Located<'s, 'a> {
    guard: &'s mut ShardGuard<'a>,
    changes: &'s mut Changes<'a>,
    hash: u64,
    found: Option<BucketIndex>,
}

/// A key's place.
pub enum Slot<'s, 'a> {
    Occupied(Occupied<'s, 'a>),
    Vacant(Vacant<'s, 'a>),
}

/// A key that exists.
pub struct Occupied<'s, 'a> {
    guard: &'s mut ShardGuard<'a>,
    changes: &'s mut Changes<'a>,
    db: DbIndex,
    found: BucketIndex,
    key: &'s [u8],
}

impl Occupied<'_, '_> {
    #[inline]
    pub fn entry(&mut self) -> &Entry {
        self.guard.get(self.found)
    }

    /// The string value; `None` if the value is of another kind.
    #[inline]
    pub fn as_str(&mut self) -> Option<Str<'_>> {
        self.entry().as_str()
    }

    #[inline]
    fn change<R>(&mut self, change: impl FnOnce(&mut Entry) -> R) -> R {
        self.changes.before(self.db, self.guard.get_mut(self.found));
        let clock = self.changes.around.clock;
        let entry = self.guard.get_mut(self.found);
        entry.set_clock(clock);
        let result = change(entry);
        self.changes.after(self.db, self.key, true);
        result
    }

    /// Replaces the value and keeps the deadline.
    #[inline]
    pub fn set_string(&mut self, value: Str<'_>) {
        self.change(|entry| entry.set_string(value));
    }

    /// Changes the bytes of a string in place. `None`, and nothing changed, if the value is of another kind.
    pub fn change_bytes<R>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        self.as_str()?;
        self.change(|entry| entry.bytes_mut().map(change))
    }

    /// Sets or clears the deadline; counts as a change.
    pub fn set_deadline(&mut self, deadline: Option<UnixMs>) {
        self.set_deadline_quietly(deadline);
        self.changes.after(self.db, self.key, true);
    }

    /// As `set_deadline`, where the command has already counted a change.
    fn set_deadline_quietly(&mut self, deadline: Option<UnixMs>) {
        self.changes.before(self.db, self.guard.get_mut(self.found));
        self.guard.set_deadline(self.found, deadline);
    }

    /// Notes an access (TOUCH).
    pub fn touch(&mut self) {
        let clock = self.changes.around.clock;
        self.guard.get_mut(self.found).set_clock(clock);
    }

    /// Sets the access clock back (RESTORE IDLETIME).
    pub fn set_idle(&mut self, seconds: i64) {
        let clock = self.changes.around.clock.wrapping_sub(seconds as u32) & 0x00ff_ffff;
        self.guard.get_mut(self.found).set_clock(clock);
    }

    /// Takes the entry out of the keyspace.
    pub fn remove(self) -> Entry {
        self.changes.before(self.db, self.guard.get_mut(self.found));
        let entry = self.guard.remove(self.found);
        self.guard.shrink();
        self.changes.after(self.db, self.key, false);
        entry
    }
}

/// A key that does not exist.
pub struct Vacant<'s, 'a> {
    guard: &'s mut ShardGuard<'a>,
    changes: &'s mut Changes<'a>,
    db: DbIndex,
    hash: u64,
    key: &'s [u8],
}

impl Vacant<'_, '_> {
    #[inline]
    pub fn insert_string(self, value: Str<'_>, deadline: Option<UnixMs>) {
        let around = &self.changes.around;
        let entry = Entry::string(self.key, value, deadline, around.stamp, around.clock);
        self.insert_entry(entry);
    }

    /// A string that is made to be changed in place, reported as `raw` whatever its length (SETRANGE).
    pub fn insert_raw(self, bytes: Vec<u8>) {
        let around = &self.changes.around;
        let value = Box::new(Value::Bytes(bytes));
        let mut entry = Entry::boxed(self.key, value, None, around.stamp, around.clock);
        entry.bytes_mut().expect("just made of bytes");
        self.insert_entry(entry);
    }

    /// The same value as `source` under this key (RENAME, COPY, MOVE).
    pub fn insert_copy(self, source: &Entry, deadline: Option<UnixMs>) {
        let around = &self.changes.around;
        let entry = source.copy_as(self.key, deadline, around.stamp, around.clock);
        self.insert_entry(entry);
    }

    /// Takes `source` over under this key; a boxed value moves without being copied.
    pub fn insert_renamed(self, source: Entry, deadline: Option<UnixMs>) {
        let around = &self.changes.around;
        let entry = source.renamed(self.key, deadline, around.stamp, around.clock);
        self.insert_entry(entry);
    }

    fn insert_entry(self, entry: Entry) {
        // An expired key that only hides (on a writable replica) makes room for the new one.
        let hidden = self.changes.around.expiry == Expiry::Hide;
        let (hash, key) = (self.hash, self.key);
        if hidden && let Some(found) = self.guard.find(hash, key) {
            self.changes.before(self.db, self.guard.get_mut(found));
            drop(self.guard.remove(found));
        }
        self.guard.insert(hash, entry);
        self.changes.after(self.db, key, true);
    }
}
