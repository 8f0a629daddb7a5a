//! Slot: the place of one key, occupied or vacant, for a command that may change it.
//!
//! Given out by `Space::slot`. Always: the shard's lock is held; before an entry changes for the first time after a cut, the
//! snapshot has its pre-image.

use crate::base::ids::{DbIndex, UnixMs};
use crate::keyspace::entry::Entry;
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::shard::{BucketIndex, ShardGuard};
use crate::keyspace::space::changes::{Changes, Expiry};
use crate::types::{Str, Value};

/// A key's place.
pub enum Slot<'s, 'a> {
    Occupied(Occupied<'s, 'a>),
    Vacant(Vacant<'s, 'a>),
}

/// A key that exists.
pub struct Occupied<'s, 'a> {
    pub(super) guard: &'s mut ShardGuard<'a>,
    pub(super) changes: &'s mut Changes<'a>,
    pub(super) db: DbIndex,
    pub(super) found: BucketIndex,
    pub(super) key: &'s [u8],
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
        let entry = self.guard.get_mut(self.found);
        entry.set_clock(self.changes.around.accessed(entry.clock()));
        let result = change(entry);
        self.changes.after(self.db, self.key, true);
        result
    }

    /// Replaces the value and keeps the deadline.
    #[inline]
    pub fn set_string(&mut self, value: Str<'_>) {
        let kind = self.entry().kind();
        self.changes.going(self.db, self.key, kind);
        if self.entry().is_costly() {
            return self.replace_costly(value);
        }
        self.change(|entry| entry.set_string(value));
    }

    /// As `set_string`: the old value is dropped after the lock is let go.
    #[cold]
    fn replace_costly(&mut self, value: Str<'_>) {
        let key = self.key;
        let old = self.change(|entry| {
            let new = Entry::string(key, value, entry.deadline(), entry.stamp(), entry.clock());
            entry.exchange(new)
        });
        self.changes.garbage.put(old, Why::Replaced);
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
    pub(super) fn set_deadline_quietly(&mut self, deadline: Option<UnixMs>) {
        self.changes.before(self.db, self.guard.get_mut(self.found));
        self.guard.set_deadline(self.found, deadline);
        self.changes.timed(self.db, self.key, deadline);
    }

    /// As a change of bytes that left all of them as they were: notes an access, and a string has a buffer of its own from
    /// then on, as in Redis. No snapshot and no watcher has to hear of it.
    pub fn change_nothing(&mut self) {
        self.touch();
        let _ = self.guard.get_mut(self.found).bytes_mut();
    }

    /// Notes an access (TOUCH).
    pub fn touch(&mut self) {
        let entry = self.guard.get_mut(self.found);
        entry.set_clock(self.changes.around.accessed(entry.clock()));
    }

    /// Sets the access counter (RESTORE FREQ); nothing happens unless an LFU policy is configured.
    pub fn set_frequency(&mut self, counter: u8) {
        if let Some(lfu) = self.changes.around.lfu {
            self.guard.get_mut(self.found).set_clock(lfu.clock(counter));
        }
    }

    /// Sets the access clock back (RESTORE IDLETIME); nothing happens while an LFU policy is configured.
    pub fn set_idle(&mut self, seconds: i64) {
        if self.changes.around.lfu.is_some() {
            return;
        }
        let clock = self.changes.around.clock.wrapping_sub(seconds as u32) & 0x00ff_ffff;
        self.guard.get_mut(self.found).set_clock(clock);
    }

    /// Takes the entry out of the keyspace.
    pub fn remove(mut self) -> Entry {
        let entry = self.take();
        self.changes.after(self.db, self.key, false);
        entry
    }

    /// Deletes the entry. What takes a while to free is freed after the lock is let go.
    pub fn discard(mut self, why: Why) {
        let entry = self.take();
        if why == Why::Evicted {
            self.guard.tighten();
        }
        self.changes.after(self.db, self.key, false);
        if why == Why::Evicted {
            self.changes.by_server();
        }
        self.changes.garbage.put(entry, why);
    }

    /// Takes the entry out without counting a change. The slot must not be used afterwards.
    pub(super) fn take(&mut self) -> Entry {
        self.changes.before(self.db, self.guard.get_mut(self.found));
        let entry = self.guard.remove(self.found);
        self.changes.going(self.db, self.key, entry.kind());
        self.guard.shrink();
        entry
    }
}

/// A key that does not exist.
pub struct Vacant<'s, 'a> {
    pub(super) guard: &'s mut ShardGuard<'a>,
    pub(super) changes: &'s mut Changes<'a>,
    pub(super) db: DbIndex,
    pub(super) hash: u64,
    pub(super) key: &'s [u8],
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
        let mut entry = Entry::string(self.key, Str::Bytes(&bytes), None, around.stamp, around.clock);
        entry.bytes_mut().expect("just made of bytes");
        self.insert_entry(entry);
    }

    /// Any value. An empty collection that may not be empty leaves no key behind.
    pub fn insert_value(self, value: Value, deadline: Option<UnixMs>) {
        let around = &self.changes.around;
        let entry = Entry::new(self.key, value, deadline, around.stamp, around.clock);
        if !entry.is_empty_collection() {
            self.insert_entry(entry);
        }
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
        let Vacant { guard, changes, db, hash, key } = self;
        insert(guard, changes, db, (hash, key), entry);
        changes.after(db, key, true);
    }
}

/// Puts a new entry in the place of a key that counts as missing, without counting a change.
pub(super) fn insert(
    guard: &mut ShardGuard<'_>,
    changes: &mut Changes<'_>,
    db: DbIndex,
    (hash, key): (u64, &[u8]),
    entry: Entry,
) -> BucketIndex {
    // An expired key that only hides (on a writable replica) makes room for the new one.
    if changes.around.expiry == Expiry::Hide
        && let Some(found) = guard.find(hash, key)
    {
        changes.before(db, guard.get_mut(found));
        changes.garbage.put(guard.remove(found), Why::Expired);
    }
    let can_be_waited_for = entry.kind().can_be_waited_for();
    changes.timed(db, key, entry.deadline());
    let found = guard.insert(hash, entry);
    changes.notify(Classes::NEW, "new", db, key);
    if can_be_waited_for {
        changes.signal_ready(db, key);
    }
    found
}
