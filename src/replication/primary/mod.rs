//! Primary: everything for those who follow us, be we a top primary or a replica with replicas of its own.
//!
//! ```text
//!   PSYNC --> psync (decide) --> +CONTINUE ------------------------------> sender: stream from the backlog
//!                        \-----> roster: Waiting --> upkeep: one cut -----> sender: chunks, then stream
//!   WAIT ---> wait <-------------------- acknowledgements <--------------- sender: what replicas say
//! ```
//!
//! `psync` the decision; `follower` and `roster` what everybody sees of a replica; `connection`, `incoming` and `limits` its
//! socket, driven by `sender`; `spool` for those who need a length first; `wait`; `upkeep` the thread that acts by the clock.
//! Always: one sender thread owns a socket from `attach` until it is closed; nobody else writes to it.

pub mod connection;
pub mod follower;
pub mod incoming;
pub mod limits;
pub mod psync;
pub mod roster;
pub mod sender;
pub mod spool;
pub mod upkeep;
pub mod wait;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use crossbeam::channel::Sender as Channel;

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::sync::lock;
use crate::exec::engine::Engine;
use crate::replication::primary::follower::Follower;
use crate::replication::primary::roster::Followers;
use crate::replication::primary::sender::{Inbox, Order, Sender};
use crate::replication::primary::upkeep::News;
use crate::replication::primary::wait::{Unblock, Waits};
use crate::session::client::Client;
use crate::session::{ReplicaTraits, SyncRequest};
use crate::snapshot::Snapshots;

/// Sender threads. More: replicas on slow machines or behind TLS disturb each other less. Fewer: fewer wake-ups, and
/// larger writes for each. One feeds sixteen replicas at 0.3 us per SET in all.
const SENDERS_MAX: usize = 2;
/// A server with fewer processors has one sender.
const PROCESSORS_PER_SENDER: usize = 4;

/// Figures for INFO. Added to by workers and senders, read by anybody; Relaxed, they publish nothing.
#[derive(Default)]
pub struct SyncCounters {
    pub full: AtomicU64,
    pub partial_ok: AtomicU64,
    pub partial_err: AtomicU64,
    /// Bytes sent to replicas.
    pub bytes_sent: AtomicU64,
}

impl SyncCounters {
    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        [&self.full, &self.partial_ok, &self.partial_err, &self.bytes_sent]
            .into_iter()
            .for_each(|counter| counter.store(0, Relaxed));
    }
}

/// A client that has asked to become a replica, with its socket.
pub struct Arrival {
    pub client: Arc<Client>,
    pub traits: ReplicaTraits,
    pub request: SyncRequest,
    pub socket: OwnedFd,
    /// Read, and part of no command that has run.
    pub unparsed: Vec<u8>,
    /// Replies that go first.
    pub unsent: Vec<u8>,
    /// Dropped when the socket is closed: its place among `maxclients`.
    pub ticket: Box<dyn Any + Send>,
}

/// Shared by the workers (which bring replicas), the senders and the upkeep.
pub struct Primary {
    pub engine: Arc<Engine>,
    pub snapshots: Arc<Snapshots>,
    pub followers: Followers,
    pub waits: Waits,
    pub counters: SyncCounters,
    /// The server is about to end: the upkeep puts nothing more into the stream. Stored by who ends it, read by the
    /// upkeep; Relaxed, for one more PING does no harm but a full sync.
    pub is_silent: AtomicBool,
    senders: OnceLock<Vec<Arc<Inbox>>>,
    /// The threads, to be joined by `stop`.
    threads: Mutex<Vec<JoinHandle<()>>>,
    news: Channel<News>,
    /// Deals replicas to senders. Any worker adds (Relaxed).
    dealt: AtomicUsize,
}

impl Primary {
    pub(super) fn new(
        engine: Arc<Engine>,
        snapshots: Arc<Snapshots>,
        unblock: Unblock,
        news: Channel<News>,
    ) -> Primary {
        Primary {
            engine,
            snapshots,
            followers: Followers::default(),
            waits: Waits::new(unblock),
            counters: SyncCounters::default(),
            is_silent: AtomicBool::new(false),
            senders: OnceLock::new(),
            threads: Mutex::default(),
            news,
            dealt: AtomicUsize::new(0),
        }
    }

    /// Starts the sender threads; once.
    pub(super) fn start_senders(self: &Arc<Self>) -> io::Result<()> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let count = (processors / PROCESSORS_PER_SENDER).clamp(1, SENDERS_MAX);
        let mut inboxes = Vec::with_capacity(count);
        for number in 0..count {
            let (sender, inbox) = Sender::new(self.clone())?;
            self.spawn(format!("sender-{number}"), move || sender.run())?;
            inboxes.push(inbox);
        }
        assert!(self.senders.set(inboxes).is_ok(), "senders are started once");
        Ok(())
    }

    pub(super) fn spawn(&self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.notify(News::Stop);
        self.inboxes().iter().for_each(|inbox| inbox.post(Order::Stop));
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            if thread.join().is_err() {
                log::error!("a thread that serves replicas ended in a panic");
            }
        }
    }

    fn inboxes(&self) -> &[Arc<Inbox>] {
        self.senders.get().map_or(&[], Vec::as_slice)
    }

    /// The sender for the next replica.
    pub(super) fn deal(&self) -> usize {
        self.dealt.fetch_add(1, Relaxed) % self.inboxes().len().max(1)
    }

    pub(super) fn inbox(&self, sender: usize) -> Option<&Arc<Inbox>> {
        self.inboxes().get(sender)
    }

    /// Tells the sender that has the follower's socket.
    pub fn tell(&self, follower: &Follower, order: Order) {
        if let Some(inbox) = self.inbox(follower.sender) {
            inbox.post(order);
        }
    }

    /// Tells the upkeep, if it runs.
    pub fn notify(&self, news: News) {
        if self.news.send(news).is_err() {
            log::debug!("the upkeep of the replicas has ended");
        }
    }

    /// Refreshes what min-replicas-to-write looks at: once per second, and when replicas or the limit change.
    pub fn count_good(&self, lag_max_seconds: u64, now: UnixMs) {
        let good = self.followers.good(lag_max_seconds, now);
        self.engine.good_replicas.store(u32::try_from(good).unwrap_or(u32::MAX), Relaxed);
    }

    /// Ends the connection of one replica (CLIENT KILL). False if there is no such.
    pub fn kill(&self, client: u64) -> bool {
        let follower = self.followers.get(client);
        if let Some(follower) = &follower {
            self.tell(follower, Order::Close { id: client });
        }
        follower.is_some()
    }

    /// Ends all connections of replicas, so that they ask for synchronisation anew and learn what has changed.
    pub fn close_all(&self) {
        self.inboxes().iter().for_each(|inbox| inbox.post(Order::CloseAll));
    }

    /// A sender has closed the follower's connection.
    fn forget(&self, follower: &Follower) {
        if let Some(ticket) = lock(&follower.ticket).take() {
            self.snapshots.withdraw(ticket);
        }
        let now = UnixMs(clock::now_ms());
        self.followers.remove(follower.id(), now);
        self.count_good(self.engine.config.load().min_replicas_max_lag, now);
        self.engine.roster.remove(follower.id());
        self.waits.forget(follower.id());
    }
}
