//! The upkeep: a thread that does for the replicas what must happen in time.
//!
//! ```text
//!   a replica waits ----> delay for others to come ----> the walk begins (one cut for all who wait)
//!   a client WAITs -----> GETACK into the stream ------> answer when enough acknowledged, or in time
//!   every second -------> PING, good replicas, a backlog that nobody follows
//! ```
//!
//! Started by `Replication::start`. Always: only a top primary writes PING and GETACK into the stream; a replica's stream
//! is its primary's, to the byte.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::base::alloc::used_memory;
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::config::Config;
use crate::exec::executor::Executor;
use crate::replication::failover::Phase;
use crate::replication::primary::follower::Follower;
use crate::replication::primary::sender::Order;
use crate::replication::primary::spool::spool;
use crate::replication::state::Replication;
use crate::snapshot::{StartError, Subscription, WalkOptions};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
pub(in crate::replication) const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

const TICK: Duration = Duration::from_secs(1);
/// How soon a full sync is tried again that another walk has kept from starting.
const RETRY: Duration = Duration::from_millis(50);

/// What the thread is told.
pub enum News {
    /// A replica or a client began to wait, or for databases that this thread may still hold on to.
    Look,
    /// A snapshot for a replica that has to know its length.
    Spool {
        follower: Arc<Follower>,
        subscription: Subscription,
    },
    Stop,
}

/// The thread's state.
pub struct Upkeep {
    replication: Arc<Replication>,
    executor: Executor,
    news: Receiver<News>,
    /// Seconds that have been ticked, that of the start included, when nobody follows: a long `repl-ping-replica-period` means no
    /// PING in the first seconds either, which would move the offset that a restart has preserved.
    ticks: u64,
    next_tick_ms: u64,
    /// A walk was wanted and another one was under way.
    is_held_up: bool,
}

impl Upkeep {
    pub fn new(replication: Arc<Replication>, news: Receiver<News>) -> Upkeep {
        let executor = Executor::new(replication.engine().clone());
        let next_tick_ms = clock::monotonic_ms() + TICK.as_millis() as u64;
        Upkeep { replication, executor, news, ticks: 1, next_tick_ms, is_held_up: false }
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        loop {
            match self.news.recv_timeout(self.patience()) {
                Ok(News::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(News::Spool { follower, subscription }) => self.spool(follower, subscription),
                Ok(News::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = UnixMs(clock::now_ms());
            self.look(now);
            if clock::monotonic_ms() >= self.next_tick_ms {
                self.next_tick_ms += TICK.as_millis() as u64;
                self.tick(now);
            }
        }
    }

    fn patience(&self) -> Duration {
        let now = UnixMs(clock::now_ms());
        let mut rest = Duration::from_millis(self.next_tick_ms.saturating_sub(clock::monotonic_ms()));
        if let Some(deadline) = self.replication.primary.waits.next_deadline() {
            let ms = u64::try_from(deadline.0.saturating_sub(now.0)).unwrap_or(0);
            rest = rest.min(Duration::from_millis(ms));
        }
        if self.is_held_up {
            rest = rest.min(RETRY);
        }
        rest
    }

    /// Everything that cannot wait for the next second.
    fn look(&mut self, now: UnixMs) {
        // Lets go of databases and a backlog that have been replaced since, or their memory would stay.
        self.executor.unpark();
        self.executor.park();
        let primary = self.replication.primary.clone();
        if primary.waits.take_request() {
            self.append(GETACK);
        }
        primary.waits.answer(&primary.followers, Some(now));
        self.start_full_sync(now);
    }

    /// Appends to the stream what belongs to no database, if the stream is ours.
    fn append(&mut self, bytes: &[u8]) {
        self.executor.unpark();
        // Seen while nobody can change the role.
        if !self.executor.view().is_replica
            && !self.replication.primary.is_silent.load(Relaxed)
            // The replica that takes over has to have everything, so nothing more comes.
            && self.replication.failover.phase() == Phase::Idle
            && let Some(writer) = self.executor.writer()
        {
            writer.append(None, &[bytes]);
        }
        self.executor.park();
    }

    fn tick(&mut self, now: UnixMs) {
        let replication = self.replication.clone();
        let config = replication.engine().config.load().clone();
        let primary = &replication.primary;
        if let Some(backlog) = replication.engine().backlog() {
            backlog.tidy();
        }
        if self.ticks.is_multiple_of(config.repl_ping_replica_period.max(1)) && !primary.followers.is_empty()
        {
            self.append(PING);
        }
        self.ticks += 1;
        primary.count_good(config.min_replicas_max_lag, now);
        let alone = primary.followers.alone_seconds(now);
        if config.repl_backlog_ttl > 0 && alone > config.repl_backlog_ttl && replication.free_backlog() {
            log::info!(
                "Replication backlog freed after {} seconds without connected replicas.",
                config.repl_backlog_ttl
            );
        }
    }

    fn start_full_sync(&mut self, now: UnixMs) {
        self.is_held_up = false;
        let replication = self.replication.clone();
        let config = replication.engine().config.load().clone();
        let waiting = replication.primary.followers.waiting();
        if !waiting.is_empty() {
            replication.prepare_backlog();
        }
        // What is being loaded in place is nobody's data set yet.
        if !is_due(&waiting, &config, now) {
            return;
        }
        let options = WalkOptions::of(&config, used_memory(), now);
        match replication.snapshots().start(options, now) {
            Ok(cut) => log::info!(
                "Starting BGSAVE for SYNC with target: replicas sockets ({} replicas, {} keys)",
                waiting.len(),
                cut.keys()
            ),
            // Somebody was faster, and started it for our replicas as well; or another walk is under way.
            Err(StartError::NobodyWaits) => {}
            Err(StartError::Busy) => self.is_held_up = true,
            Err(StartError::NoThread(error)) => log::warn!("BGSAVE for replication failed: {error}"),
        }
    }

    fn spool(&self, follower: Arc<Follower>, subscription: Subscription) {
        let dir = self.replication.engine().config.load().dir.clone();
        let primary = self.replication.primary.clone();
        let for_failure = (primary.clone(), follower.clone());
        let work = move || {
            let order = Order::SendFile { id: follower.id(), spooled: spool(subscription, &dir) };
            primary.tell(&follower, order);
        };
        if let Err(error) = std::thread::Builder::new().name("sync-spool".into()).spawn(work) {
            let (primary, follower) = for_failure;
            let spooled = Err(format!("no thread to write the snapshot: {error}"));
            primary.tell(&follower, Order::SendFile { id: follower.id(), spooled });
        }
    }
}

/// Should the next full sync begin? Not before others had the time to come, unless enough are there, or somebody waits
/// who would not share it anyway.
fn is_due(waiting: &[Arc<Follower>], config: &Config, now: UnixMs) -> bool {
    let delay = config.repl_diskless_sync_delay;
    let enough = config.repl_diskless_sync_max_replicas as usize;
    !waiting.is_empty()
        && (!config.repl_diskless_sync
            || enough > 0 && waiting.len() >= enough
            || waiting.iter().any(|follower| {
                let waited = u64::try_from(now.0.saturating_sub(follower.attached.0)).unwrap_or(0) / 1000;
                !follower.takes_mark || waited >= delay
            }))
}
