//! Pre-images: entries as they were at the cut, handed in by whoever is about to change them.
//!
//! ```text
//!  writer 1 --capture--> lane 0  [db 0: records] [db 3: records]  --+
//!  writer 2 --capture--> lane 1  [db 0: records]                  --+--drain--> walker
//! ```
//!
//! `keyspace::space` calls `capture` under the shard's lock, the walker drains between its slices.
//! Always: a capture is complete before the entry changes; it never blocks on anything but its lane's mutex, which the
//! walker holds only to take the buffers; and the bytes waiting here never exceed the limit by more than one record.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

use crate::base::alloc::{Purpose, SetAside};
use crate::base::ids::DbIndex;
use crate::base::sync::{AtomicUsize, Mutex, lock};
use crate::codec::rdb::Dialect;
use crate::keyspace::db::{DbId, Keyspace};
use crate::keyspace::entry::Entry;
use crate::keyspace::eviction::Usage;
use crate::keyspace::space::PreImages;
use crate::snapshot::record::{Large, encode_entry};

/// Pre-images that may wait for the walker. More: a snapshot over a slow line survives more changes, for more memory.
/// Beyond it the snapshot fails, so that writers neither wait nor fill the memory.
pub const BYTES_MAX: usize = 512 * 1024 * 1024;

/// Writers on different lanes do not meet. More than the usual number of cores is memory for nothing.
const LANES: usize = if cfg!(loom) { 1 } else { 16 };

/// Records of one database.
pub struct Batch {
    pub db: DbIndex,
    pub bytes: Vec<u8>,
    pub large: Vec<Large>,
    set_aside: SetAside,
}

impl Batch {
    /// Adds an entry as it is now. Returns by how many bytes that makes it larger.
    fn add(&mut self, entry: &mut Entry, dialect: Dialect, usage: Usage) -> usize {
        if let Some(large) = Large::of(entry, dialect, usage) {
            let bytes = large.bytes();
            self.large.push(large);
            return bytes;
        }
        let (before, held) = (self.bytes.len(), self.bytes.capacity());
        encode_entry(&mut self.bytes, entry, dialect, usage);
        if self.bytes.capacity() > held {
            self.set_aside.grow(self.bytes.capacity() - held);
        }
        self.bytes.len() - before
    }

    /// Bytes that it takes until it is encoded.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + self.large.iter().map(Large::bytes).sum::<usize>()
    }
}

type Lane = CachePadded<Mutex<Vec<Batch>>>;

/// The pre-images of one walk.
pub struct Store {
    /// Which database had which number at the cut, ascending by identity.
    dbs: Box<[(DbId, DbIndex)]>,
    lanes: Box<[Lane]>,
    bytes_max: usize,
    dialect: Dialect,
    usage: Usage,
    /// Bytes in the lanes and in the walker's hands, not yet in a chunk. Writers add, the walker subtracts; Relaxed,
    /// publishes nothing: the lanes' mutexes do.
    bytes_held: AtomicUsize,
    /// Bytes that have left for a chunk. Stored by the walker, read by INFO; Relaxed, stands for itself.
    bytes_released: AtomicU64,
    /// The limit was passed: stored by the writer that passed it, read by the walker. Relaxed; a flag on its own.
    is_over_limit: AtomicBool,
    /// Nobody wants pre-images any more: stored by the walker, or by the writer that passed the limit; read by writers,
    /// which may be late to see it (their records are then dropped with the store). Relaxed.
    is_closed: AtomicBool,
}

/// Source of lane numbers: each thread adds once (Relaxed); publishes nothing.
static NEXT_LANE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MY_LANE: Cell<usize> = Cell::new(NEXT_LANE.fetch_add(1, Relaxed) as usize % LANES);
}

impl Store {
    /// For a walk over `keyspace` as it stands at the cut.
    pub fn new(keyspace: &Keyspace, dialect: Dialect, usage: Usage, bytes_max: usize) -> Arc<Store> {
        let mut dbs: Box<[_]> = keyspace.iter().map(|(index, db)| (db.id(), index)).collect();
        dbs.sort_unstable_by_key(|(id, _)| id.0);
        Arc::new(Store {
            dbs,
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            bytes_max,
            dialect,
            usage,
            bytes_held: AtomicUsize::new(0),
            bytes_released: AtomicU64::new(0),
            is_over_limit: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        })
    }

    fn capture(&self, id: DbId, entry: &mut Entry) {
        if self.is_closed.load(Relaxed) {
            return;
        }
        // A database that came after the cut (FLUSHALL, a full sync) is none of this snapshot's business.
        let Ok(at) = self.dbs.binary_search_by_key(&id.0, |(id, _)| id.0) else { return };
        let db = self.dbs[at].1;
        let mut batches = lock(&*self.lanes[MY_LANE.get()]);
        let at = batches.iter().position(|batch| batch.db == db).unwrap_or_else(|| {
            let set_aside = SetAside::new(Purpose::Snapshot, 0);
            batches.push(Batch { db, bytes: Vec::new(), large: Vec::new(), set_aside });
            batches.len() - 1
        });
        let grown = batches[at].add(entry, self.dialect, self.usage);
        if self.bytes_held.fetch_add(grown, Relaxed) + grown > self.bytes_max {
            self.is_over_limit.store(true, Relaxed);
            self.is_closed.store(true, Relaxed);
            batches.clear();
        }
    }

    /// Takes what has been handed in since the last time. Every capture that finished before this call is among it.
    pub fn drain(&self, into: &mut Vec<Batch>) {
        for lane in &self.lanes {
            into.append(&mut lock(&**lane));
        }
    }

    /// Bytes that wait, those that were drained and not yet released included. A hint while writers are at work.
    pub fn bytes_held(&self) -> usize {
        self.bytes_held.load(Relaxed)
    }

    /// So many of the drained bytes are in a chunk now.
    pub fn release(&self, bytes: usize) {
        self.bytes_released.fetch_add(bytes as u64, Relaxed);
        self.bytes_held.fetch_sub(bytes, Relaxed);
    }

    /// Bytes that changes have cost since the cut. A hint while writers are at work.
    pub fn bytes_captured(&self) -> u64 {
        self.bytes_released.load(Relaxed) + self.bytes_held() as u64
    }

    pub fn is_over_limit(&self) -> bool {
        self.is_over_limit.load(Relaxed)
    }

    /// The walk is over: frees what nobody will send.
    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
        self.drain(&mut Vec::new());
    }
}

/// What executors hold while the walk goes on.
pub struct Handle(pub Arc<Store>);

impl PreImages for Handle {
    fn capture(&self, db: DbId, entry: &mut Entry) {
        self.0.capture(db, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::{Handle, Store};
    use crate::base::ids::DbIndex;
    use crate::codec::rdb::Dialect;
    use crate::keyspace::db::Keyspace;
    use crate::keyspace::entry::Entry;
    use crate::keyspace::eviction::Usage;
    use crate::keyspace::space::PreImages;
    use crate::types::Str;

    #[test]
    fn strange_databases_are_ignored_and_the_limit_fails_the_snapshot() {
        let (ours, theirs) = (Keyspace::new(2), Keyspace::new(2));
        let store = Store::new(&ours, Dialect::Common, Usage::Unnoted, 100);
        let handle = Handle(store.clone());
        let mut entry = Entry::string(b"key", Str::Bytes(b"0123456789"), None, 0, 0);
        handle.capture(theirs.db(DbIndex(1)).id(), &mut entry);
        assert_eq!(store.bytes_held(), 0);
        handle.capture(ours.db(DbIndex(1)).id(), &mut entry);
        let mut drained = Vec::new();
        store.drain(&mut drained);
        assert_eq!((drained.len(), drained[0].db), (1, DbIndex(1)));
        assert_eq!(store.bytes_held(), drained[0].bytes.len());
        for _ in 0..10 {
            handle.capture(ours.db(DbIndex(0)).id(), &mut entry);
        }
        assert!(store.is_over_limit());
        drained.clear();
        store.drain(&mut drained);
        assert!(drained.is_empty());
    }
}
