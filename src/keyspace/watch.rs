//! WATCH: which transactions have to fail when a key changes.
//!
//! Filled by WATCH and emptied by UNWATCH, EXEC, DISCARD and disconnection; `Space` touches it after every change.
//! Always: a watcher registers, and a change touches, while holding the lock of the key's shard, and EXEC looks at
//! its flag while it holds the locks of all keys that it watches: a change is either seen or comes after the EXEC.
//! Costs one relaxed load per change while nobody watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;

use crate::base::ids::DbIndex;

/// One client's flag: set when any key that it watches has changed. Set by whoever changes a key, read by the client's worker.
#[derive(Default, Debug)]
pub struct WatchFlag {
    /// Relaxed is enough: both sides hold the key's shard lock.
    changed: AtomicBool,
}

impl WatchFlag {
    pub fn is_changed(&self) -> bool {
        self.changed.load(Relaxed)
    }

    pub fn reset(&self) {
        self.changed.store(false, Relaxed);
    }
}

/// One key under one client's WATCH.
#[derive(Debug)]
pub struct Watched {
    pub db: DbIndex,
    pub key: Vec<u8>,
    /// The key was past its deadline when WATCH was said and has not been deleted since: its deletion is then no change.
    /// Changed and read under the key's shard lock, hence Relaxed.
    was_expired: AtomicBool,
    flag: Arc<WatchFlag>,
}

impl Watched {
    pub fn new(db: DbIndex, key: &[u8], was_expired: bool, flag: Arc<WatchFlag>) -> Watched {
        Watched { db, key: key.to_vec(), was_expired: AtomicBool::new(was_expired), flag }
    }

    pub fn was_expired(&self) -> bool {
        self.was_expired.load(Relaxed)
    }

    /// The key was changed; `exists` tells whether it is there now.
    fn touch(&self, exists: bool) {
        if self.was_expired() && !exists {
            self.was_expired.store(false, Relaxed);
            return;
        }
        self.flag.changed.store(true, Relaxed);
    }

    /// The database was emptied or replaced.
    fn judge(&self, before: Presence, after: Presence) {
        match (before, after) {
            (Presence::Absent, Presence::Absent) | (Presence::Expired, Presence::Expired) => {}
            (Presence::Absent, Presence::Expired) => self.was_expired.store(true, Relaxed),
            (Presence::Expired, Presence::Absent) if self.was_expired() => {
                self.was_expired.store(false, Relaxed);
            }
            (_, Presence::Absent | Presence::Live | Presence::Expired) => {
                self.flag.changed.store(true, Relaxed)
            }
        }
    }
}

/// What a key is in a database that is about to be emptied or replaced, or in the one that replaces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    Absent,
    Live,
    /// There, but past its deadline.
    Expired,
}

/// All watched keys of all databases.
#[derive(Default)]
pub struct WatchTable {
    /// Number of (key, watcher) pairs. Added to and taken from by workers, read by everyone before a touch; Relaxed: a
    /// registration is ordered with changes of its key by the key's shard lock.
    pairs: AtomicUsize,
    watchers: DashMap<Vec<u8>, Vec<Arc<Watched>>>,
}

impl WatchTable {
    #[inline]
    pub fn is_active(&self) -> bool {
        self.pairs.load(Relaxed) != 0
    }

    /// Must be called under the lock of the key's shard.
    pub fn register(&self, watched: Arc<Watched>) {
        self.watchers.entry(watched.key.clone()).or_default().push(watched);
        self.pairs.fetch_add(1, Relaxed);
    }

    pub fn unregister(&self, watched: &Arc<Watched>) {
        let Some(mut list) = self.watchers.get_mut(&watched.key) else { return };
        let before = list.len();
        list.retain(|other| !Arc::ptr_eq(other, watched));
        self.pairs.fetch_sub(before - list.len(), Relaxed);
        drop(list);
        self.watchers.remove_if(&watched.key, |_, list| list.is_empty());
    }

    /// A key has changed; `exists` tells whether it is there now.
    #[cold]
    pub fn touch(&self, db: DbIndex, key: &[u8], exists: bool) {
        let Some(list) = self.watchers.get(key) else { return };
        list.iter().filter(|watched| watched.db == db).for_each(|watched| watched.touch(exists));
    }

    /// Databases were emptied or replaced, while the world stands still: `presence` tells what each watched key was
    /// before and is afterwards.
    pub fn touch_all(&self, presence: impl Fn(DbIndex, &[u8]) -> (Presence, Presence)) {
        for list in &self.watchers {
            for watched in list.value() {
                let (before, after) = presence(watched.db, &watched.key);
                watched.judge(before, after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Presence, WatchFlag, WatchTable, Watched};
    use crate::base::ids::DbIndex;

    fn watch(table: &WatchTable, db: u16, was_expired: bool) -> (Arc<WatchFlag>, Arc<Watched>) {
        let flag = Arc::new(WatchFlag::default());
        let watched = Arc::new(Watched::new(DbIndex(db), b"k", was_expired, flag.clone()));
        table.register(watched.clone());
        (flag, watched)
    }

    #[test]
    fn a_change_reaches_the_watchers_of_its_key_and_database_only() {
        let table = WatchTable::default();
        let ((first, a), (second, b)) = (watch(&table, 0, false), watch(&table, 1, false));
        table.touch(DbIndex(0), b"other", true);
        assert!(!first.is_changed() && !second.is_changed());
        table.touch(DbIndex(1), b"k", true);
        assert!(!first.is_changed() && second.is_changed());
        table.unregister(&a);
        table.unregister(&b);
        assert!(!table.is_active());
    }

    #[test]
    fn the_deletion_of_a_key_that_had_expired_before_is_no_change() {
        let table = WatchTable::default();
        let (flag, _) = watch(&table, 0, true);
        table.touch(DbIndex(0), b"k", false);
        assert!(!flag.is_changed());
        table.touch(DbIndex(0), b"k", true);
        assert!(flag.is_changed());
    }

    #[test]
    fn emptying_or_swapping_changes_only_what_existed_or_exists_afterwards() {
        use Presence::{Absent, Expired, Live};
        let check = |was_expired, before, after, changed| {
            let table = WatchTable::default();
            let (flag, _) = watch(&table, 0, was_expired);
            table.touch_all(|_, _| (before, after));
            assert_eq!(flag.is_changed(), changed, "{was_expired} {before:?} {after:?}");
        };
        check(false, Absent, Absent, false);
        check(false, Live, Absent, true);
        check(false, Absent, Live, true);
        check(false, Absent, Expired, false);
        check(true, Expired, Absent, false);
        check(true, Expired, Expired, false);
        check(true, Expired, Live, true);
        check(false, Expired, Absent, true);
    }
}
