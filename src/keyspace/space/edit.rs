//! Edit: a collection in its entry, for a command that may change it.
//!
//! ```text
//!  space.read_as::<Hash>(key)           -> &Hash            to read
//!  space.edit::<Hash>(key)              -> Edit             of a key that exists
//!  space.edit_or_insert(key, || Hash)   -> Edit             of a key that then does
//!  edit.change() -> &mut Hash, edit.changed(n)              the drop of the Edit does the rest
//!  edit.clear()                                             all elements at once: freed when the lock has been let go
//! ```
//!
//! Called by the handlers of collections. Always: the snapshot has the pre-image before `change` gives the value out; a
//! collection that is left empty is deleted with the Edit, unless its type may be empty; what was counted with `changed`
//! is counted as changes, and then only watchers are told.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::keyspace::entry::Entry;
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::slot::{Occupied, Slot, insert};
use crate::keyspace::space::{Located, Space};
use crate::types::Collection;

/// The key holds a value of another kind. Commands answer WRONGTYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongType;

/// A collection under its shard's lock.
pub struct Edit<'s, 'a, T: Collection> {
    slot: Occupied<'s, 'a>,
    changes: u64,
    is_cleared: bool,
    value: PhantomData<T>,
}

const IS_OF_THIS_KIND: &str = "the kind was checked when the edit was made, under the same lock";

impl<'s, 'a, T: Collection> Edit<'s, 'a, T> {
    fn new(slot: Occupied<'s, 'a>) -> Result<Edit<'s, 'a, T>, WrongType> {
        match slot.guard.get(slot.found).get::<T>() {
            Some(_) => Ok(Edit { slot, changes: 0, is_cleared: false, value: PhantomData }),
            None => Err(WrongType),
        }
    }

    pub fn entry(&self) -> &Entry {
        self.slot.guard.get(self.slot.found)
    }

    /// The value, to be changed: the snapshot in progress gets it as it is now first, and the access is noted.
    #[inline]
    pub fn change(&mut self) -> &mut T {
        let Occupied { guard, changes, db, found, .. } = &mut self.slot;
        let entry = guard.get_mut(*found);
        changes.before(*db, entry);
        entry.set_clock(changes.around.accessed(entry.clock()));
        entry.get_mut().expect(IS_OF_THIS_KIND)
    }

    /// All elements go, and the key with them, for which nobody is kept waiting: a large collection is freed after the lock has
    /// been let go. The elements can be read until the edit ends.
    pub fn clear(&mut self) {
        const { assert!(!T::MAY_BE_EMPTY) };
        self.is_cleared = true;
    }

    /// Counts `n` changes, in the unit of `rdb_changes_since_last_save`. None: nothing has changed, nobody is told.
    #[inline]
    pub fn changed(&mut self, n: u64) {
        self.changes += n;
    }

    /// Notes an event while the edit goes on, so that it stands before the `del` of a collection that became empty.
    #[inline]
    pub fn notify(&mut self, class: Classes, name: &'static str) {
        let Occupied { changes, db, key, .. } = &mut self.slot;
        changes.notify(class, name, *db, key);
    }

    /// The key has got something that a client may be waiting for (XADD to a stream that exists).
    #[inline]
    pub fn signal_ready(&mut self) {
        let Occupied { changes, db, key, .. } = &mut self.slot;
        changes.signal_ready(*db, key);
    }
}

impl<T: Collection> Deref for Edit<'_, '_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.entry().get().expect(IS_OF_THIS_KIND)
    }
}

impl<T: Collection> Drop for Edit<'_, '_, T> {
    #[inline]
    fn drop(&mut self) {
        let is_gone = !T::MAY_BE_EMPTY && (self.is_cleared || self.is_empty());
        if is_gone {
            let entry = self.slot.take();
            self.slot.changes.garbage.put(entry, Why::Replaced);
        } else if let Some(due) = self.next_due() {
            self.slot.guard.note_elements_due(due);
        }
        let Occupied { changes, db, key, .. } = &mut self.slot;
        if self.changes > 0 {
            // `after` counts one itself.
            changes.tally.dirty += self.changes - 1;
            changes.after(*db, key, !is_gone);
            if is_gone {
                changes.notify(Classes::GENERIC, "del", *db, key);
            }
        }
    }
}

impl<'a> Space<'a> {
    /// A collection that is only read: counts a hit or a miss and notes the access. `None`: there is no such key.
    ///
    /// # Errors
    /// The key holds a value of another kind.
    #[inline]
    pub fn read_as<T: Collection>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        match self.read(key) {
            None => Ok(None),
            Some(entry) => entry.get().map(Some).ok_or(WrongType),
        }
    }

    /// As `read_as`, leaving no trace in clocks and statistics.
    ///
    /// # Errors
    /// The key holds a value of another kind.
    pub fn peek_as<T: Collection>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        match self.peek(key) {
            None => Ok(None),
            Some(entry) => entry.get().map(Some).ok_or(WrongType),
        }
    }

    /// A collection that may be changed. `None`: there is no such key.
    ///
    /// # Errors
    /// The key holds a value of another kind.
    #[inline]
    pub fn edit<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
    ) -> Result<Option<Edit<'s, 'a, T>>, WrongType> {
        match self.slot(key) {
            Slot::Occupied(slot) => Edit::new(slot).map(Some),
            Slot::Vacant(_) => Ok(None),
        }
    }

    /// A collection that may be changed; `make` makes an empty one if there is no such key. If nothing is put into it, no key
    /// remains.
    ///
    /// # Errors
    /// The key holds a value of another kind.
    #[inline]
    pub fn edit_or_insert<'s, T: Collection>(
        &'s mut self,
        key: &'s [u8],
        make: impl FnOnce() -> T,
    ) -> Result<Edit<'s, 'a, T>, WrongType> {
        let db = self.db;
        let Located { guard, changes, hash, found } = self.locate(db, key);
        let slot = match found {
            Some(found) => Occupied { guard, changes, db, found, key },
            None => {
                let entry = Entry::new(key, make().into(), None, changes.around.stamp, changes.around.clock);
                let found = insert(guard, changes, db, (hash, key), entry);
                Occupied { guard, changes, db, found, key }
            }
        };
        Edit::new(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::base::hash::hash_key;
    use crate::base::ids::{DbIndex, UnixMs};
    use crate::keyspace::db::Keyspace;
    use crate::keyspace::lazy_free::{Lazy, LazyFree};
    use crate::keyspace::notify::Classes;
    use crate::keyspace::ready::Waiting;
    use crate::keyspace::space::{Expiry, Space, Surroundings};
    use crate::keyspace::tracked::Tracked;
    use crate::keyspace::watch::WatchTable;
    use crate::types::Set;
    use crate::types::set::Limits;

    /// Clears a set of so many members; how many values does the background thread get then?
    fn check(members: u32, expected: u64) {
        let (keyspace, watches, waiting) = (Keyspace::new(1), WatchTable::default(), Waiting::default());
        let (tracked, lazy_free) = (Tracked::default(), LazyFree::default());
        let around = Surroundings {
            now: UnixMs(1),
            clock: 0,
            lfu: None,
            stamp: 0,
            pre_images: None,
            watches: &watches,
            waiting: &waiting,
            tracked: &tracked,
            own_deadlines: None,
            is_followed: true,
            lazy_free: &lazy_free,
            lazy: Lazy { server_del: true, ..Lazy::default() },
            notify: Classes::default(),
            expiry: Expiry::Delete,
        };
        let limits = Limits { intset_entries: 0, listpack_entries: 0, listpack_value: 0 };
        let mut space = Space::one(&keyspace, DbIndex(0), b"key", hash_key(b"key"), around);
        let mut edit = space.edit_or_insert(b"key", Set::default).expect("there is no other value");
        for member in 0..members {
            edit.change().add(&member.to_le_bytes(), &limits);
        }
        edit.clear();
        edit.changed(u64::from(members));
        drop(edit);
        assert!(space.peek(b"key").is_none());
        assert_eq!(space.changes.tally.dirty, u64::from(members));
        assert_eq!(lazy_free.pending(), 0, "nothing is freed while the lock is held");
        drop(space);
        let started = Instant::now();
        while lazy_free.freed() < expected && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        assert_eq!((lazy_free.freed(), keyspace.keys()), (expected, 0));
    }

    #[test]
    fn what_is_cleared_is_gone_and_a_large_collection_is_freed_after_the_lock() {
        check(1000, 1);
        check(10, 0);
    }
}
