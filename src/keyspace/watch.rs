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

    pub fn set_changed(&self) {
        self.changed.store(true, Relaxed);
    }

    pub fn reset(&self) {
        self.changed.store(false, Relaxed);
    }
}

/// All watched keys of all databases.
#[derive(Default)]
pub struct WatchTable {
    /// Number of (key, watcher) pairs. Added to and taken from by workers, read by everyone before a touch; Relaxed: a
    /// registration is ordered with changes of its key by the key's shard lock.
    pairs: AtomicUsize,
    watchers: DashMap<Vec<u8>, Vec<(DbIndex, Arc<WatchFlag>)>>,
}

impl WatchTable {
    #[inline]
    pub fn is_active(&self) -> bool {
        self.pairs.load(Relaxed) != 0
    }

    /// Must be called under the lock of the key's shard.
    pub fn register(&self, db: DbIndex, key: &[u8], flag: &Arc<WatchFlag>) {
        self.watchers.entry(key.to_vec()).or_default().push((db, flag.clone()));
        self.pairs.fetch_add(1, Relaxed);
    }

    pub fn unregister(&self, db: DbIndex, key: &[u8], flag: &Arc<WatchFlag>) {
        let Some(mut list) = self.watchers.get_mut(key) else { return };
        let before = list.len();
        list.retain(|(watched, other)| *watched != db || !Arc::ptr_eq(other, flag));
        self.pairs.fetch_sub(before - list.len(), Relaxed);
        drop(list);
        self.watchers.remove_if(key, |_, list| list.is_empty());
    }

    #[cold]
    pub fn touch(&self, db: DbIndex, key: &[u8]) {
        let Some(list) = self.watchers.get(key) else { return };
        for (_, flag) in list.iter().filter(|(watched, _)| *watched == db) {
            flag.set_changed();
        }
    }

    /// Touches every watched key for which `affected` holds: FLUSHDB, FLUSHALL, SWAPDB and a full sync, while the
    /// world stands still.
    pub fn touch_all(&self, affected: impl Fn(DbIndex, &[u8]) -> bool) {
        for list in &self.watchers {
            for (db, flag) in list.value() {
                if affected(*db, list.key()) {
                    flag.set_changed();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{WatchFlag, WatchTable};
    use crate::base::ids::DbIndex;

    #[test]
    fn a_change_reaches_the_watchers_of_its_key_and_database_only() {
        let table = WatchTable::default();
        let [first, second] = [(); 2].map(|()| Arc::new(WatchFlag::default()));
        table.register(DbIndex(0), b"k", &first);
        table.register(DbIndex(1), b"k", &second);
        table.touch(DbIndex(0), b"other");
        assert!(!first.is_changed() && !second.is_changed());
        table.touch(DbIndex(1), b"k");
        assert!(!first.is_changed() && second.is_changed());
        table.unregister(DbIndex(0), b"k", &first);
        table.unregister(DbIndex(1), b"k", &second);
        assert!(!table.is_active());
    }
}
