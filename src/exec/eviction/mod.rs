//! Eviction: keeps memory below `maxmemory` by giving up keys, or tells that it cannot.
//!
//! ```text
//!  request while maxmemory is set -> make_room -> below the limit: go on
//!                                              -> policy and keys left: evict until below it, or out of time
//!                                              -> nothing to give up: commands that need memory get OOM
//! ```
//!
//! Called by each executor before a client's command, without a lock held, and by cron, for what was left over. What telling
//! replicas, subscribers and clients that cache takes is not made room for at once: it would be told as well, without end.
//! Always: an evicted key goes into the stream as one DEL (UNLINK with lazyfree-lazy-eviction), under its shard's lock;
//! a replica gives up nothing of its primary's, unless replica-ignore-maxmemory is no.

pub mod pressure;

use std::time::{Duration, Instant};

use crate::base::alloc::{Purpose, set_aside, used_memory};
use crate::base::clock;
use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::host::Relief;
use crate::commands::spec::{Args, Effect};
use crate::config::{Config, EvictionPolicy, MemoryOrShare};
use crate::exec::announce::announce;
use crate::exec::engine::View;
use crate::exec::executor::Executor;
use crate::exec::stats::Count;
use crate::keyspace::entry::Entry;
use crate::keyspace::eviction::pool::any_key;
use crate::keyspace::eviction::{Lfu, Pool, Ranking};
use crate::keyspace::lazy_free::Why;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, Space, Surroundings, access_clock};

/// Keys evicted between two looks at the time.
const KEYS_PER_SLICE: usize = 16;

/// A thread that has no key to give up waits for the background thread in naps of this length at most, and no longer than
/// `BACKGROUND_WAIT_MAX` in all, whatever the tenacity: the world cannot be stopped meanwhile.
const NAP: Duration = Duration::from_micros(500);
const BACKGROUND_WAIT_MAX: Duration = Duration::from_millis(10);

/// With `maxmemory-clients` the largest clients are closed by their own threads before keys go. Keys are spared for so long since
/// the last one went, and for so long while some are about to. Longer: more may be written beyond the limit meanwhile. Shorter:
/// keys are lost for the sake of a client that is gone a moment later.
const CLIENTS_GRACE_NS: u64 = 100_000_000;
const CLOSING_GRACE_NS: u64 = 1_000_000_000;

/// What came of making room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Enough,
    /// Time ran out before enough was freed; cron goes on.
    Later,
    /// Nothing may be given up any more.
    Full,
}

/// One executor's state of eviction.
#[derive(Default)]
pub(super) struct Eviction {
    pool: Pool,
    /// Whose candidates the pool holds.
    policy: Option<EvictionPolicy>,
    /// The database that a random choice looks at next.
    next_db: usize,
}

/// How accesses are counted while an LFU policy is configured.
pub(super) fn lfu(config: &Config, now: UnixMs) -> Option<Lfu> {
    use EvictionPolicy::{
        AllkeysLfu, AllkeysLru, AllkeysRandom, NoEviction, VolatileLfu, VolatileLru, VolatileRandom,
        VolatileTtl,
    };
    match config.maxmemory_policy {
        VolatileLfu | AllkeysLfu => Some(Lfu::new(now, config.lfu_log_factor, config.lfu_decay_time)),
        VolatileLru | AllkeysLru | VolatileRandom | AllkeysRandom | VolatileTtl | NoEviction => None,
    }
}

/// How much time one call may take, as Redis reads `maxmemory-eviction-tenacity`.
fn time_limit(tenacity: u32) -> Duration {
    match tenacity {
        0..=10 => Duration::from_micros(50 * u64::from(tenacity)),
        11..=99 => Duration::from_micros((500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64),
        _ => Duration::MAX,
    }
}

/// Bytes that do not count, for only replicas that lag, or the disk, make us hold them: the stream beyond the backlog's size,
/// and snapshots on their way. Evicting keys for them would put more into the stream.
pub fn not_counted(config: &Config) -> u64 {
    set_aside(Purpose::Stream).saturating_sub(config.repl_backlog_size) + set_aside(Purpose::Snapshot)
}

/// Bytes beyond the limit.
fn excess(view: &View) -> u64 {
    let limit = view.config.maxmemory;
    if limit == 0 || used_memory() <= limit {
        return 0;
    }
    // Another thread may be taking or giving back a segment of the stream just now. What is set aside covers it from before it is
    // taken until after it is given back, so the larger of two looks, before and after, never leaves it to count as data.
    let before = not_counted(&view.config);
    let used = used_memory();
    let after = not_counted(&view.config);
    used.saturating_sub(before.max(after)).saturating_sub(limit)
}

impl Executor {
    /// Brings memory below `maxmemory` if it can.
    #[cold]
    pub(super) fn make_room(&mut self) -> Room {
        let view = &self.view;
        let is_exempt = (view.is_replica && view.config.replica_ignore_maxmemory)
            || view.is_stopping
            || view.is_loading
            || view.is_paused(self.now);
        if is_exempt {
            return Room::Enough;
        }
        let room = match excess(view) {
            0 => Room::Enough,
            excess => {
                self.engine.pressure.note_found(clock::monotonic_ns());
                self.give_up(excess)
            }
        };
        self.engine.pressure.note(room, clock::monotonic_ns);
        room
    }

    /// Evicts keys that take `wanted` bytes together, or as many as are needed to come below the limit, in the time that the
    /// tenacity grants.
    fn give_up(&mut self, wanted: u64) -> Room {
        let policy = self.view.config.maxmemory_policy;
        if policy == EvictionPolicy::NoEviction {
            return Room::Full;
        }
        // What FLUSHALL has taken away is about to be free, and clients that hold too much go before any key.
        if self.engine.lazy_free.is_emptying() || self.waits_for_clients() {
            return Room::Later;
        }
        if self.eviction.policy.replace(policy) != Some(policy) {
            self.eviction.pool.clear();
        }
        let (started, limit) = (Instant::now(), time_limit(self.view.config.maxmemory_eviction_tenacity));
        let (mut evicted, mut freed) = (0usize, 0u64);
        let room = loop {
            let Some((db, key)) = self.choose(policy) else { break self.await_background(started, limit) };
            freed += self.evict(db, &key);
            evicted += 1;
            if freed >= wanted || excess(&self.view) == 0 {
                break Room::Enough;
            }
            if evicted.is_multiple_of(KEYS_PER_SLICE) && started.elapsed() > limit {
                break Room::Later;
            }
        };
        self.note_latency("eviction-cycle", started.elapsed());
        room
    }

    /// Is there going to be room because clients that hold too much are closed, which takes a moment?
    fn waits_for_clients(&self) -> bool {
        if self.view.config.maxmemory_clients == MemoryOrShare::Bytes(0) {
            return false;
        }
        let now = clock::monotonic_ns();
        let exceeded = self.engine.pressure.exceeded_for_ns(now);
        match self.engine.host().client_relief(now) {
            Relief::UnderWay => exceeded < CLOSING_GRACE_NS,
            Relief::Possible { idle_ns } => exceeded.min(idle_ns) < CLIENTS_GRACE_NS,
            Relief::None => false,
        }
    }

    /// No key is left to be given up: what the background thread has not freed yet may be enough.
    fn await_background(&self, started: Instant, limit: Duration) -> Room {
        let limit = limit.min(BACKGROUND_WAIT_MAX);
        while self.engine.lazy_free.pending() > 0 && started.elapsed() < limit {
            std::thread::sleep(NAP.min(limit));
            if excess(&self.view) == 0 {
                return Room::Enough;
            }
        }
        Room::Full
    }

    /// The latency monitor may want to know.
    fn note_latency(&self, event: &'static str, took: Duration) {
        let threshold = self.view.config.latency_monitor_threshold;
        let ms = took.as_millis() as u64;
        if threshold > 0 && ms >= threshold {
            self.engine.latency.add(event, self.now.0.div_euclid(1000), ms);
        }
    }

    /// A key that the policy would give up next.
    fn choose(&mut self, policy: EvictionPolicy) -> Option<(DbIndex, Vec<u8>)> {
        let config = &self.view.config;
        let idle = Ranking::Idle(access_clock(self.now));
        let seldom = Ranking::Seldom(Lfu::new(self.now, config.lfu_log_factor, config.lfu_decay_time));
        let (ranking, volatile) = match policy {
            EvictionPolicy::VolatileLru => (idle, true),
            EvictionPolicy::AllkeysLru => (idle, false),
            EvictionPolicy::VolatileLfu => (seldom, true),
            EvictionPolicy::AllkeysLfu => (seldom, false),
            EvictionPolicy::VolatileTtl => (Ranking::Deadline, true),
            EvictionPolicy::VolatileRandom => return self.choose_any(true),
            EvictionPolicy::AllkeysRandom => return self.choose_any(false),
            EvictionPolicy::NoEviction => return None,
        };
        let Executor { view, eviction, means, .. } = self;
        let samples = view.config.maxmemory_samples as usize;
        loop {
            eviction.pool.sample(&view.keyspace, ranking, volatile, samples, &mut means.rng);
            // Nobody is left when even a fresh sample of all databases holds no key.
            let (db, key) = eviction.pool.pop()?;
            if is_still_there(view, db, &key, volatile) {
                return Some((db, key));
            }
        }
    }

    fn choose_any(&mut self, volatile: bool) -> Option<(DbIndex, Vec<u8>)> {
        let keyspace = &self.view.keyspace;
        for _ in 0..keyspace.databases() {
            let db = DbIndex((self.eviction.next_db % keyspace.databases()) as u16);
            self.eviction.next_db = usize::from(db.0) + 1;
            if let Some(key) = any_key(keyspace.db(db), volatile, &mut self.means.rng) {
                return Some((db, key));
            }
        }
        None
    }

    /// Deletes a key to make room, and tells replicas, watchers and subscribers. Returns the bytes that are free by that; 0 if
    /// the background thread is to free them.
    fn evict(&mut self, db: DbIndex, key: &[u8]) -> u64 {
        let started = Instant::now();
        let is_lazy = self.view.config.lazyfree_lazy_eviction;
        let around =
            Surroundings { expiry: Expiry::Ignore, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::one(&self.view.keyspace, db, key, hash_key(key), around);
        let bytes = |entry: &Entry| if is_lazy && entry.is_costly() { 0 } else { entry.heap_bytes() };
        let freed = space.peek(key).map_or(0, bytes);
        if !space.delete_for(key, Why::Evicted) {
            return 0;
        }
        self.note_latency("eviction-del", started.elapsed());
        space.notify(Classes::EVICTED, "evicted", key);
        let verb: &[u8] = if is_lazy { b"UNLINK" } else { b"DEL" };
        self.stream.commit(db, &Args::borrowed(&[], None), Effect::rewritten(&[verb, key]), &[]);
        // The client whose command needs the room hears of it before its reply.
        let forgotten = self.means.publisher.tell_first(std::mem::take(&mut space.changes.touched));
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.counters.add(Count::Evicted, 1);
        self.tally(tally);
        self.serve(ready);
        (freed + forgotten) as u64
    }

    /// A round of cron: what commands have left over. Tables that have lost their keys go first.
    pub(super) fn evict_by_clock(&mut self) {
        if self.view.config.maxmemory == 0 {
            self.engine.pressure.note(Room::Enough, clock::monotonic_ns);
            return;
        }
        if excess(&self.view) > 0 {
            self.view.keyspace.iter().for_each(|(_, db)| db.tighten());
        }
        self.begin_batch();
        // A refusal has nobody to be told to here.
        let _ = self.make_room();
        self.end_batch();
    }
}

/// Candidates are remembered for a while: is this one still there, and still of the kind that may go?
fn is_still_there(view: &View, db: DbIndex, key: &[u8], volatile: bool) -> bool {
    let db = view.keyspace.db(db);
    let hash = hash_key(key);
    let guard = db.lock(db.shard_of(hash));
    guard.find(hash, key).is_some_and(|at| !volatile || guard.get(at).deadline().is_some())
}

#[cfg(test)]
mod tests {
    use super::time_limit;
    use std::time::Duration;

    #[test]
    fn tenacity_is_linear_then_geometric_then_without_end() {
        let check = |tenacity, micros| assert_eq!(time_limit(tenacity), Duration::from_micros(micros));
        check(0, 0);
        check(10, 500);
        check(11, 575);
        assert!(time_limit(99) > Duration::from_secs(100));
        assert_eq!(time_limit(100), Duration::MAX);
    }
}
