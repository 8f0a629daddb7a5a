//! Changes: what a command's change of a key needs, and what it leaves behind for the executor.
//!
//! ```text
//!  before a change   the pre-image goes to the snapshot in progress
//!  after it          watchers are told, `dirty` counts, events and ready keys are noted
//!  after the command the executor takes expired keys, events and ready keys out of here
//! ```
//!
//! Part of `Space`. Always: cheap when nobody watches, waits, subscribes or takes a snapshot: one branch each.

use crate::base::ids::{DbIndex, UnixMs};
use crate::keyspace::db::{DbId, Keyspace};
use crate::keyspace::entry::{Entry, Stamp};
use crate::keyspace::eviction::Lfu;
use crate::keyspace::lazy_free::{Garbage, Lazy, LazyFree, Why};
use crate::keyspace::notify::{Classes, Event};
use crate::keyspace::own::OwnDeadlines;
use crate::keyspace::ready::Waiting;
use crate::keyspace::shard::{BucketIndex, ShardGuard};
use crate::keyspace::tracked::{Touched, Tracked};
use crate::keyspace::watch::WatchTable;
use crate::types::Kind;

/// Receives the state of an entry as it was at the cut, before it changes for the first time after it.
pub trait PreImages: Send + Sync {
    /// Called under the shard's lock, once per entry and snapshot.
    fn capture(&self, db: DbId, entry: &mut Entry);
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
    /// How accesses count while an LFU policy is configured; the clock is then that of a new key.
    pub lfu: Option<Lfu>,
    /// New and changed entries are stamped with this.
    pub stamp: Stamp,
    /// The snapshot in progress, if there is one.
    pub pre_images: Option<&'a dyn PreImages>,
    pub watches: &'a WatchTable,
    pub waiting: &'a Waiting,
    pub tracked: &'a Tracked,
    pub lazy_free: &'a LazyFree,
    pub lazy: Lazy,
    /// Where deadlines that no primary will enforce are noted: on a replica, for what its own clients write.
    pub own_deadlines: Option<&'a OwnDeadlines>,
    /// The classes of events that somebody may have subscribed to.
    pub notify: Classes,
    pub expiry: Expiry,
    /// Does anybody keep the stream of effects? If not, handlers need not work out what they would put into it.
    pub is_followed: bool,
}

impl Surroundings<'_> {
    /// The access clock of an entry with `clock` that is used now.
    #[inline]
    pub(super) fn accessed(&self, clock: u32) -> u32 {
        match self.lfu {
            None => self.clock,
            Some(lfu) => lfu.accessed(clock),
        }
    }
}

/// Redis' access clock: seconds, 24 bits, wrapping after 194 days.
pub fn access_clock(now: UnixMs) -> u32 {
    (now.0 / 1000) as u32 & 0x00ff_ffff
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

/// What a change needs and leaves behind besides the lock of its shard.
pub struct Changes<'a> {
    pub(super) keyspace: &'a Keyspace,
    pub(super) around: Surroundings<'a>,
    /// Keys that were found expired and deleted: their DELs go into the stream before the command's own effect.
    pub expired: Vec<(DbIndex, Vec<u8>)>,
    /// Keys that a walk over the shards has met past their deadline, and passed over. The executor deletes them after it.
    pub due: Vec<Vec<u8>>,
    /// What happened to keys, for the executor to publish after the command.
    pub events: Vec<Event>,
    /// Keys that somebody may wait for and that have come to be, or have got more; in order.
    pub ready: Vec<(DbIndex, Vec<u8>)>,
    /// Keys that have changed, while clients track keys; in order.
    pub touched: Vec<Touched>,
    /// What was removed and takes a while to free; freed once the locks are let go.
    pub garbage: Garbage<'a>,
    pub tally: Tally,
    /// Reads note no access.
    pub(super) leaves_clocks: bool,
}

impl<'a> Changes<'a> {
    #[inline]
    pub(super) fn new(keyspace: &'a Keyspace, around: Surroundings<'a>) -> Changes<'a> {
        Changes {
            keyspace,
            around,
            expired: Vec::new(),
            due: Vec::new(),
            events: Vec::new(),
            ready: Vec::new(),
            touched: Vec::new(),
            garbage: Garbage::new(around.lazy_free, around.lazy),
            tally: Tally::default(),
            leaves_clocks: false,
        }
    }

    /// The snapshot gets the entry as it is now, if it does not have it yet.
    #[inline]
    pub(super) fn before(&self, db: DbIndex, entry: &mut Entry) {
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

    /// A key has got a deadline.
    #[inline]
    pub(super) fn timed(&self, db: DbIndex, key: &[u8], deadline: Option<UnixMs>) {
        if let (Some(own), Some(deadline)) = (self.around.own_deadlines, deadline) {
            own.note(deadline, db, key);
        }
    }

    #[inline]
    pub(super) fn after(&mut self, db: DbIndex, key: &[u8], exists: bool) {
        self.tally.dirty += 1;
        if self.around.watches.is_active() {
            self.around.watches.touch(db, key, exists);
        }
        if self.around.tracked.is_anyone() {
            self.push_touched(key, false);
        }
    }

    #[cold]
    fn push_touched(&mut self, key: &[u8], by_server: bool) {
        self.touched.push(Touched { key: key.to_vec(), by_server });
    }

    #[cold]
    pub(super) fn expire(&mut self, guard: &mut ShardGuard<'_>, db: DbIndex, found: BucketIndex, key: &[u8]) {
        self.before(db, guard.get_mut(found));
        self.going(db, key, guard.get(found).kind());
        self.garbage.put(guard.remove(found), Why::Expired);
        self.expired.push((db, key.to_vec()));
        self.tally.expired += 1;
        self.notify(Classes::EXPIRED, "expired", db, key);
        self.after(db, key, false);
        self.by_server();
    }

    /// The last change was nobody's command.
    #[cold]
    pub(super) fn by_server(&mut self) {
        if let Some(touched) = self.touched.last_mut() {
            touched.by_server = true;
        }
    }

    /// A read has found nothing.
    #[inline]
    pub(super) fn miss(&mut self, db: DbIndex, key: &[u8]) {
        self.tally.misses += 1;
        self.notify(Classes::KEY_MISS, "keymiss", db, key);
    }

    /// Has the command left something to do once its locks are let go?
    #[inline]
    pub fn has_followers(&self) -> bool {
        !self.events.is_empty() || !self.ready.is_empty() || !self.touched.is_empty()
    }

    /// Notes an event of `class`, if anybody may want it.
    #[inline]
    pub fn notify(&mut self, class: Classes, name: &'static str, db: DbIndex, key: &[u8]) {
        if self.around.notify.has(class) {
            self.push_event(class, name, db, key);
        }
    }

    #[cold]
    fn push_event(&mut self, class: Classes, name: &'static str, db: DbIndex, key: &[u8]) {
        self.events.push(Event { class, name, db, key: key.to_vec() });
    }

    /// A key has something that a client may be waiting for. Must be called under the lock of its shard.
    #[inline]
    pub fn signal_ready(&mut self, db: DbIndex, key: &[u8]) {
        if self.around.waiting.is_anyone() {
            self.push_ready(db, key);
        }
    }

    /// A value of this kind is about to go: a stream's readers in groups are told (XREADGROUP answers with an error).
    #[inline]
    pub(super) fn going(&mut self, db: DbIndex, key: &[u8], kind: Kind) {
        if kind == Kind::Stream {
            self.signal_ready(db, key);
        }
    }

    #[cold]
    fn push_ready(&mut self, db: DbIndex, key: &[u8]) {
        if !self.ready.iter().any(|(other, known)| *other == db && known == key) {
            self.ready.push((db, key.to_vec()));
        }
    }
}
