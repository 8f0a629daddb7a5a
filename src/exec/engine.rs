//! The engine: what all threads that run commands share.
//!
//! ```text
//!            Engine (one)                                    View (one per executor)
//!  keyspace, backlog, snapshot, role  --generation changed-->  plain copies, no atomics on the hot path
//! ```
//!
//! Built by `server::boot`. Workers, the link and active expiry each hold an `Executor`, which works on a `View` of it.
//! Always: keyspace, backlog, snapshot and role change only while the world stands still (`barrier`), and every change
//! bumps `generation`; so between two checkpoints an executor's view is the truth.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::backlog::Backlog;
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::sync::{AtomicU64, lock};
use crate::commands::spec::Host;
use crate::commands::spec::host::{Extent, Pause};
use crate::config::{Config, Live};
use crate::exec::barrier::Barrier;
use crate::exec::blocked::Registry;
use crate::exec::eviction::pressure::Pressure;
use crate::exec::held::{AllHeld, Held};
use crate::exec::loading::{LoadState, Loading};
use crate::exec::slowness::Thresholds;
use crate::exec::stats::Statistics;
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Stamp;
use crate::keyspace::lazy_free::{Lazy, LazyFree};
use crate::keyspace::notify::Classes;
use crate::keyspace::own::OwnDeadlines;
use crate::keyspace::space::PreImages;
use crate::keyspace::watch::WatchTable;
use crate::pubsub;
use crate::session::roster::Roster;
use crate::watching::{Latency, SlowLog};

/// The snapshot that is being walked.
pub struct ActiveSnapshot {
    pub pre_images: Box<dyn PreImages>,
}

/// Shared by all executors.
pub struct Engine {
    pub config: Arc<Live>,
    pub barrier: Arc<Barrier>,
    pub watches: WatchTable,
    /// Clients that wait for keys.
    pub blocked: Registry,
    /// Keys on their way to another server; changed with a bump.
    pub held: Held,
    pub roster: Roster,
    pub pubsub: Arc<pubsub::Registry>,
    pub tracking: Arc<pubsub::tracking::Table>,
    pub lazy_free: LazyFree,
    /// Is memory beyond its limit, and for how long?
    pub pressure: Pressure,
    /// Deadlines of keys that a replica's own clients have set.
    pub own_deadlines: OwnDeadlines,
    pub statistics: Statistics,
    pub slow_log: SlowLog,
    pub latency: Latency,
    pub started: UnixMs,
    /// The data set that is being loaded.
    pub loading: Loading,
    keyspace: ArcSwap<Keyspace>,
    /// The stream, if anybody follows or has followed recently.
    backlog: ArcSwapOption<Backlog>,
    snapshot: ArcSwapOption<ActiveSnapshot>,
    /// The stamp of the last cut. Written while the world stands still, read by executors as they refresh their view.
    stamp: AtomicU32,
    /// Bumped (Release) after each change above and of the configuration; read (Acquire) by executors between batches:
    /// who sees the new number sees the change.
    generation: AtomicU64,
    /// Are we a replica? Written while the world stands still, with a bump of `generation`; read when views refresh.
    is_replica: AtomicBool,
    /// Is the link to our primary down (with MASTERDOWN for clients if so configured)? Written by the link, with a bump.
    is_link_down: AtomicBool,
    /// Is the server stopping? Set once, while the world stands still, with a bump; workers then run nothing more.
    is_stopping: AtomicBool,
    /// Did the last save fail, with stop-writes-on-bgsave-error set? Written by cron, with a bump.
    is_disk_failing: AtomicBool,
    /// Replicas that are online and not lagging more than min-replicas-max-lag. Written by the senders' roster once per
    /// second, read Relaxed by executors for every write while min-replicas-to-write is set.
    pub good_replicas: AtomicU32,
    /// Unix ms until which active expiry is off: `i64::MAX` after DEBUG SET-ACTIVE-EXPIRE 0. Relaxed; a hint.
    pub expiry_off_until: AtomicI64,
    /// CLIENT PAUSE; changed with a bump.
    pause: Mutex<Option<Pause>>,
    /// Do writes wait, since a shutdown waits for replicas? Stored by the main thread, with a bump; read when views refresh.
    is_ending: AtomicBool,
    /// The same for a failover, which waits for the replica that takes over. Stored while the world stands still, with a bump.
    is_failing_over: AtomicBool,
    host: OnceLock<Arc<dyn Host>>,
}

impl Engine {
    pub fn new(config: Arc<Live>, now: UnixMs) -> Engine {
        let databases = config.load().databases as usize;
        Engine {
            config,
            barrier: Arc::default(),
            watches: WatchTable::default(),
            blocked: Registry::default(),
            held: Held::default(),
            roster: Roster::default(),
            pubsub: Arc::default(),
            tracking: Arc::default(),
            own_deadlines: OwnDeadlines::default(),
            pause: Mutex::default(),
            is_ending: AtomicBool::new(false),
            is_failing_over: AtomicBool::new(false),
            lazy_free: LazyFree::default(),
            pressure: Pressure::default(),
            statistics: Statistics::default(),
            slow_log: SlowLog::default(),
            latency: Latency::default(),
            started: now,
            loading: Loading::default(),
            keyspace: ArcSwap::from_pointee(Keyspace::new(databases)),
            backlog: ArcSwapOption::empty(),
            snapshot: ArcSwapOption::empty(),
            stamp: AtomicU32::new(0),
            generation: AtomicU64::new(1),
            is_replica: AtomicBool::new(false),
            is_link_down: AtomicBool::new(false),
            is_disk_failing: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            good_replicas: AtomicU32::new(0),
            expiry_off_until: AtomicI64::new(0),
            host: OnceLock::new(),
        }
    }

    /// Ties the upper layers in; once, before any command runs.
    pub fn set_host(&self, host: Arc<dyn Host>) {
        assert!(self.host.set(host).is_ok(), "the host is set once, by boot");
    }

    pub fn host(&self) -> &dyn Host {
        self.host.get().expect("boot sets the host before any command runs").as_ref()
    }

    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes every executor refresh its view before its next batch.
    pub fn bump(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub fn keyspace(&self) -> Arc<Keyspace> {
        self.keyspace.load_full()
    }

    /// Only while the world stands still.
    pub fn replace_keyspace(&self, keyspace: Arc<Keyspace>) {
        self.keyspace.store(keyspace);
        self.bump();
        self.tracking.invalidate_all();
    }

    /// Pauses clients, on top of a pause that is on; none ends it.
    pub fn pause(&self, pause: Option<Pause>, now: UnixMs) {
        let mut current = lock(&self.pause);
        let still_on = current.filter(|current| current.is_on(now));
        *current = pause.map(|pause| pause.and(still_on));
        drop(current);
        self.bump();
    }

    /// A shutdown begins or ends to wait for replicas: clients write nothing meanwhile.
    pub fn set_ending(&self, is_ending: bool) {
        self.is_ending.store(is_ending, Ordering::Relaxed);
        self.bump();
    }

    /// A failover begins or ends: clients write nothing meanwhile. Its begin only while the world stands still.
    pub fn set_failing_over(&self, is_failing_over: bool) {
        self.is_failing_over.store(is_failing_over, Ordering::Relaxed);
        self.bump();
    }

    /// What clients are kept from now: by CLIENT PAUSE ALL until its end, else by a shutdown or a failover, else by CLIENT
    /// PAUSE.
    fn current_pause(&self) -> Option<Pause> {
        let by_client = *lock(&self.pause);
        let is_wide = |pause: &Pause| pause.extent == Extent::All && pause.is_on(UnixMs(clock::now_ms()));
        let by_server =
            self.is_ending.load(Ordering::Relaxed) || self.is_failing_over.load(Ordering::Relaxed);
        if !by_server || by_client.as_ref().is_some_and(is_wide) {
            return by_client;
        }
        Some(Pause { extent: Extent::Writes, until: UnixMs(i64::MAX) })
    }

    pub fn backlog(&self) -> Option<Arc<Backlog>> {
        self.backlog.load_full()
    }

    /// Only while the world stands still.
    pub fn replace_backlog(&self, backlog: Option<Arc<Backlog>>) {
        self.backlog.store(backlog);
        self.bump();
    }

    /// Begins a snapshot: everything stamped before the new stamp belongs to it. Only while the world stands still.
    /// Returns the new stamp.
    pub fn begin_snapshot(&self, snapshot: Arc<ActiveSnapshot>) -> Stamp {
        let stamp = self.stamp.fetch_add(1, Ordering::Relaxed) + 1;
        self.snapshot.store(Some(snapshot));
        self.bump();
        stamp
    }

    /// The walk is over; executors stop handing in pre-images with their next batch.
    pub fn end_snapshot(&self) {
        self.snapshot.store(None);
        self.bump();
    }

    pub fn stamp(&self) -> Stamp {
        self.stamp.load(Ordering::Relaxed)
    }

    pub fn is_replica(&self) -> bool {
        self.is_replica.load(Ordering::Relaxed)
    }

    /// Only while the world stands still.
    pub fn set_replica(&self, is_replica: bool) {
        self.is_replica.store(is_replica, Ordering::Relaxed);
        self.bump();
    }

    pub fn set_link_down(&self, is_down: bool) {
        self.is_link_down.store(is_down, Ordering::Relaxed);
        self.bump();
    }

    /// A load begins, unless another one is under way: false then. `total_bytes`: the length of what is read, 0 if unknown.
    /// Only while the world stands still, or before anybody is served.
    pub fn begin_loading(&self, state: LoadState, total_bytes: u64, now: UnixMs) -> bool {
        if self.loading.state() != LoadState::Ready {
            return false;
        }
        self.loading.enter(state, total_bytes, now);
        self.bump();
        true
    }

    /// The load is over, well or not.
    pub fn end_loading(&self) {
        self.loading.enter(LoadState::Ready, 0, self.started);
        self.bump();
    }

    /// No command of a client runs from now on. Only while the world stands still.
    pub fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.bump();
    }

    /// Writes are refused from now on, or no longer (MISCONF).
    pub fn set_disk_failing(&self, is_failing: bool) {
        if self.is_disk_failing.swap(is_failing, Ordering::Relaxed) != is_failing {
            self.bump();
        }
    }

    pub(super) fn view(&self) -> View {
        // The generation is read first: a change that comes in between is seen again with the next refresh.
        let generation = self.generation();
        let config = self.config.load().clone();
        View {
            generation,
            notify: Classes::parse(config.notify_keyspace_events.as_bytes()),
            thresholds: Thresholds::of(&config),
            lazy: lazy(&config),
            config,
            keyspace: self.keyspace(),
            backlog: self.backlog(),
            snapshot: self.snapshot.load_full(),
            stamp: self.stamp(),
            is_replica: self.is_replica(),
            is_link_down: self.is_link_down.load(Ordering::Relaxed),
            is_disk_failing: self.is_disk_failing.load(Ordering::Relaxed),
            is_stopping: self.is_stopping.load(Ordering::Relaxed),
            is_loading: self.loading.state() == LoadState::Blocking,
            pause: self.current_pause(),
            held: self.held.current(),
        }
    }
}

/// Which values the configuration leaves to the background thread.
fn lazy(config: &Config) -> Lazy {
    Lazy {
        user_del: config.lazyfree_lazy_user_del,
        server_del: config.lazyfree_lazy_server_del,
        expire: config.lazyfree_lazy_expire,
        eviction: config.lazyfree_lazy_eviction,
    }
}

/// An executor's copy of what the engine holds.
pub struct View {
    pub generation: u64,
    pub config: Arc<Config>,
    pub keyspace: Arc<Keyspace>,
    pub backlog: Option<Arc<Backlog>>,
    pub snapshot: Option<Arc<ActiveSnapshot>>,
    pub stamp: Stamp,
    pub thresholds: Thresholds,
    pub lazy: Lazy,
    /// The classes of events that somebody may have subscribed to.
    pub notify: Classes,
    pub is_replica: bool,
    pub is_link_down: bool,
    pub is_disk_failing: bool,
    pub is_stopping: bool,
    /// Is the data set not there yet?
    pub is_loading: bool,
    pub pause: Option<Pause>,
    /// Keys on their way to another server, if there are any.
    pub held: Option<Arc<AllHeld>>,
}

impl View {
    /// Are clients paused at this moment?
    #[inline]
    pub fn is_paused(&self, now: UnixMs) -> bool {
        self.pause.is_some_and(|pause| pause.is_on(now))
    }

    /// Does every request pass without a look at gates that depend on role, link, memory or held keys?
    pub fn is_open(&self) -> bool {
        !self.is_replica
            && !self.is_disk_failing
            && !self.is_loading
            && self.held.is_none()
            && self.config.min_replicas_to_write == 0
            && self.config.maxmemory == 0
    }
}
