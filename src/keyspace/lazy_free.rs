//! Lazy freeing: values whose memory takes a while to give back are dropped where nobody waits for it.
//!
//! ```text
//!  under the shard's lock    Garbage::put: a small value is dropped, a costly one is kept aside
//!  the locks are let go      Garbage is emptied: dropped by this thread, or sent to the background thread
//!  FLUSHALL, full sync       LazyFree::discard: whole databases, on a thread of their own, which tells when they are gone
//! ```
//!
//! Filled by `space` with each removal and replacement. The options `lazyfree-lazy-*` say who drops which values. Always:
//! a small value costs one branch; no value of more than `ELEMENTS_MAX` elements is dropped under a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::keyspace::db::{Db, Keyspace};
use crate::keyspace::entry::Entry;

/// A collection of more elements is costly to drop, as in Redis.
pub const ELEMENTS_MAX: usize = 64;
/// A value in one block is costly to drop beyond this: the allocator may give its pages back to the system.
pub const BYTES_MAX: usize = 64 * 1024;

/// Executors are woken when databases are exchanged; who still holds old ones after so long is a snapshot.
const EXECUTORS_LET_GO_WITHIN: Duration = Duration::from_millis(200);
/// A client may be waiting for its FLUSHALL, so the first looks come soon; a busy executor takes its time.
const EXECUTORS_LOOK_AGAIN_MIN: Duration = Duration::from_micros(20);
const EXECUTORS_LOOK_AGAIN_MAX: Duration = Duration::from_millis(1);

/// Why a value goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// DEL
    Deleted,
    /// UNLINK
    Unlinked,
    /// A command has put another value in its place.
    Replaced,
    Expired,
    Evicted,
}

/// The options `lazyfree-lazy-*`: which values are left to the background thread.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Lazy {
    pub user_del: bool,
    pub server_del: bool,
    pub expire: bool,
    pub eviction: bool,
}

impl Lazy {
    fn leaves(self, why: Why) -> bool {
        match why {
            Why::Deleted => self.user_del,
            Why::Unlinked => true,
            Why::Replaced => self.server_del,
            Why::Expired => self.expire,
            Why::Evicted => self.eviction,
        }
    }
}

/// INFO's counts. Added to by whoever hands something over, subtracted by the thread that has freed it; Relaxed, a display.
#[derive(Default)]
struct Counts {
    /// `lazyfree_pending_objects`
    pending: AtomicU64,
    /// `lazyfreed_objects`; CONFIG RESETSTAT stores 0.
    freed: AtomicU64,
    /// Threads that drop whole databases, or are about to. Those that wait for a snapshot to let go of them do not count.
    emptying: AtomicU64,
}

impl Counts {
    fn note_freed(&self, objects: u64) {
        self.freed.fetch_add(objects, Relaxed);
        self.pending.fetch_sub(objects, Relaxed);
    }
}

/// Tells somebody that databases are gone, once: when it is dropped, whatever has become of the thread that frees them.
pub struct Gone(Option<Box<dyn FnOnce() + Send>>);

impl Gone {
    pub fn new(tell: impl FnOnce() + Send + 'static) -> Gone {
        Gone(Some(Box::new(tell)))
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell();
        }
    }
}

impl Counts {
    /// Waits until nobody else has the databases: executors hold on to them until their next batch, a snapshot to its end.
    /// Nobody is kept waiting for the end of a snapshot: `gone` does not outlive the first wait then.
    fn await_others(&self, old: &Arc<Keyspace>, gone: &mut Option<Gone>) {
        let started = Instant::now();
        let mut nap = EXECUTORS_LOOK_AGAIN_MIN;
        while Arc::strong_count(old) > 1 && started.elapsed() < EXECUTORS_LET_GO_WITHIN {
            std::thread::sleep(nap);
            nap = (nap * 2).min(EXECUTORS_LOOK_AGAIN_MAX);
        }
        if Arc::strong_count(old) > 1 {
            *gone = None;
            self.emptying.fetch_sub(1, Relaxed);
            while Arc::strong_count(old) > 1 {
                std::thread::sleep(Duration::from_millis(10));
            }
            self.emptying.fetch_add(1, Relaxed);
        }
    }
}

/// The background thread, started when it is first needed.
#[derive(Default)]
pub struct LazyFree {
    counts: Arc<Counts>,
    /// None if no thread could be started.
    queue: OnceLock<Option<Sender<Entry>>>,
}

impl LazyFree {
    /// Objects that wait to be freed.
    pub fn pending(&self) -> u64 {
        self.counts.pending.load(Relaxed)
    }

    /// Are whole databases being dropped, so that memory will be free in a moment?
    pub fn is_emptying(&self) -> bool {
        self.counts.emptying.load(Relaxed) > 0
    }

    /// Objects freed in the background since the last reset.
    pub fn freed(&self) -> u64 {
        self.counts.freed.load(Relaxed)
    }

    pub fn reset(&self) {
        self.counts.freed.store(0, Relaxed);
    }

    /// Drops databases of `old` that are not in `current`, on a thread of their own: freeing millions of keys takes a while.
    /// `gone` is dropped when their memory is free.
    pub fn discard(&self, old: Arc<Keyspace>, current: &Keyspace, mut gone: Option<Gone>) {
        let is_gone = |db: &Arc<Db>| !current.iter().any(|(_, kept)| Arc::ptr_eq(kept, db));
        let objects = old.iter().filter(|(_, db)| is_gone(db)).map(|(_, db)| db.len() as u64).sum();
        self.counts.pending.fetch_add(objects, Relaxed);
        self.counts.emptying.fetch_add(1, Relaxed);
        let counts = self.counts.clone();
        let work = move || {
            counts.await_others(&old, &mut gone);
            drop(old);
            counts.emptying.fetch_sub(1, Relaxed);
            counts.note_freed(objects);
            drop(gone);
        };
        if std::thread::Builder::new().name("lazy-free".into()).spawn(work).is_err() {
            // The closure is dropped, and the databases with it, by this thread.
            self.counts.emptying.fetch_sub(1, Relaxed);
            self.counts.pending.fetch_sub(objects, Relaxed);
        }
    }

    fn send(&self, entry: Entry) {
        let queue = self.queue.get_or_init(|| start(self.counts.clone()));
        self.counts.pending.fetch_add(1, Relaxed);
        let refused = match queue {
            Some(queue) => queue.send(entry).err().map(|refused| refused.0),
            None => Some(entry),
        };
        if refused.is_some() {
            self.counts.pending.fetch_sub(1, Relaxed);
        }
    }
}

fn start(counts: Arc<Counts>) -> Option<Sender<Entry>> {
    let (sender, queue) = channel::<Entry>();
    let work = move || {
        for entry in queue {
            drop(entry);
            counts.note_freed(1);
        }
    };
    std::thread::Builder::new().name("lazy-free".into()).spawn(work).ok().map(|_| sender)
}

/// What a command has removed and not dropped yet.
pub struct Garbage<'a> {
    lazy_free: &'a LazyFree,
    lazy: Lazy,
    /// With each: is it left to the background thread?
    entries: Vec<(Entry, bool)>,
}

impl<'a> Garbage<'a> {
    #[inline]
    pub(super) fn new(lazy_free: &'a LazyFree, lazy: Lazy) -> Garbage<'a> {
        Garbage { lazy_free, lazy, entries: Vec::new() }
    }

    /// Takes an entry that has been removed. Under its shard's lock.
    #[inline]
    pub fn put(&mut self, entry: Entry, why: Why) {
        if entry.is_costly() {
            self.keep(entry, why);
        }
    }

    #[cold]
    fn keep(&mut self, entry: Entry, why: Why) {
        self.entries.push((entry, self.lazy.leaves(why)));
    }

    /// Frees what was put. No lock is held any more.
    #[inline]
    pub fn empty(&mut self) {
        if !self.entries.is_empty() {
            self.free();
        }
    }

    #[cold]
    fn free(&mut self) {
        for (entry, is_left) in self.entries.drain(..) {
            if is_left {
                self.lazy_free.send(entry);
            }
        }
    }
}

impl Drop for Garbage<'_> {
    #[inline]
    fn drop(&mut self) {
        self.empty();
    }
}

#[cfg(test)]
mod tests {
    use super::{Garbage, Gone, Lazy, LazyFree, Why};
    use crate::keyspace::db::Keyspace;
    use crate::keyspace::entry::Entry;
    use crate::types::Str;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    /// How many of two values, of `bytes` each, does the background thread get when they go for `why`?
    fn check(lazy: Lazy, why: Why, bytes: usize, expected: u64) {
        let lazy_free = LazyFree::default();
        let mut garbage = Garbage::new(&lazy_free, lazy);
        let value = vec![0; bytes];
        for key in [b"a", b"b"] {
            garbage.put(Entry::string(key, Str::Bytes(&value), None, 0, 0), why);
        }
        assert_eq!(lazy_free.pending(), 0, "nothing is handed over before the locks are let go");
        drop(garbage);
        let started = Instant::now();
        while lazy_free.pending() > 0 && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        assert_eq!(lazy_free.freed(), expected, "{why:?} {lazy:?} {bytes}");
        lazy_free.reset();
        assert_eq!(lazy_free.freed(), 0);
    }

    #[test]
    fn the_options_say_which_costly_values_the_background_thread_gets() {
        let none = Lazy::default();
        let (large, small) = (100_000, 1000);
        check(none, Why::Unlinked, large, 2);
        check(none, Why::Unlinked, small, 0);
        for why in [Why::Deleted, Why::Replaced, Why::Expired, Why::Evicted] {
            check(none, why, large, 0);
        }
        check(Lazy { user_del: true, ..none }, Why::Deleted, large, 2);
        check(Lazy { server_del: true, ..none }, Why::Replaced, large, 2);
        check(Lazy { expire: true, ..none }, Why::Expired, large, 2);
        check(Lazy { eviction: true, ..none }, Why::Evicted, large, 2);
    }
    /// Databases that somebody else holds on to for `held`, if at all: are they gone when the one who waits is told?
    fn check_told(held: Option<Duration>, is_gone: bool) {
        let (old, current) = (Arc::new(Keyspace::new(1)), Keyspace::new(1));
        let (weak, holder) = (Arc::downgrade(&old), held.map(|_| old.clone()));
        let (sender, told) = channel();
        let gone = Gone::new(move || sender.send(weak.strong_count() == 0).unwrap_or_default());
        LazyFree::default().discard(old, &current, Some(gone));
        if let Some(held) = held {
            std::thread::sleep(held);
            drop(holder);
        }
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(is_gone), "{held:?}");
    }

    #[test]
    fn who_waits_for_a_flush_is_told_when_it_is_gone_but_not_kept_by_a_snapshot() {
        check_told(None, true);
        check_told(Some(Duration::from_millis(20)), true);
        check_told(Some(Duration::from_secs(1)), false);
    }
}
