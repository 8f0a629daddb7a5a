//! The registry: every topic (channel, pattern, shard channel) with its subscribers, by worker.
//!
//! ```text
//!  channels  name -> Topic { audiences: [worker 0, worker 1, ...], subscribers }     one lock per map shard
//!  shards    the same
//!  patterns  pattern -> Topic                                                        one lock: publishers share it
//! ```
//!
//! A message takes its number from `clock` while its topics are locked; a subscription notes the clock under the same lock.
//! So the number tells whether a member was there when a message was published, however late the delivery is read.
//! Always: PUBLISH costs one relaxed load while nobody is subscribed to anything; nothing is called under the locks but
//! `Outlet::post`, which takes none.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use dashmap::DashMap;

use crate::base::glob::glob_match;
use crate::keyspace::tracked::Touched;
use crate::pubsub::tracking::{Invalidation, Table};
use crate::pubsub::{Audience, Kind, message, pattern_message};
use crate::resp::reply::Reply;

/// The ways to the workers; implemented above.
pub trait Outlet: Send + Sync {
    /// Leaves a delivery with a worker, behind everything that this thread has left there. False if it takes no more.
    fn post(&self, worker: usize, delivery: Delivery) -> bool;

    /// Do so many messages wait for a worker that publishers should wait as well?
    fn is_congested(&self) -> bool;
}

/// One message for the clients of one worker.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub sequence: u64,
    /// A client that has got it already, because it is the publisher; 0 for none.
    pub except: u64,
    /// The channel's audience first, then those of matching patterns.
    pub parts: Vec<Part>,
}

/// An audience and what it gets, in RESP3.
#[derive(Clone, Debug)]
pub struct Part {
    pub audience: Arc<Audience>,
    pub bytes: Arc<[u8]>,
}

#[derive(Default)]
struct Topic {
    /// By worker.
    audiences: Vec<Option<Arc<Audience>>>,
    subscribers: usize,
}

impl Topic {
    fn add(&mut self, worker: usize, client: u64, since: u64) {
        if self.audiences.len() <= worker {
            self.audiences.resize(worker + 1, None);
        }
        self.audiences[worker].get_or_insert_default().add(client, since);
        self.subscribers += 1;
    }

    /// True if nobody is left.
    fn remove(&mut self, worker: usize, client: u64) -> bool {
        if let Some(Some(audience)) = self.audiences.get(worker) {
            audience.remove(client);
            self.subscribers -= 1;
        }
        self.subscribers == 0
    }
}

type Topics = DashMap<Vec<u8>, Topic>;

/// See the top of the file.
#[derive(Default)]
pub struct Registry {
    /// Subscriptions of all kinds. Written by workers under the topics' locks; read Relaxed by every publisher, who may miss
    /// one that is being made at the same time; publishes nothing.
    subscriptions: AtomicUsize,
    /// The number of the last message. Written and read under the locks of the topics concerned, which order it; Relaxed.
    clock: AtomicU64,
    channels: Topics,
    shards: Topics,
    patterns: RwLock<BTreeMap<Vec<u8>, Topic>>,
    /// Patterns with subscribers. Written under `patterns`' lock; read Relaxed before taking it.
    pattern_count: AtomicUsize,
    /// Clients in MONITOR.
    monitors: RwLock<Topic>,
    /// How many. Written under `monitors`' lock; read Relaxed by every executor for every command.
    monitor_count: AtomicUsize,
    /// A message for a worker was refused by its mailbox: its subscribers have missed something. Set by publishers, taken by
    /// cron; Relaxed, late is soon enough.
    has_lost: AtomicBool,
    outlet: OnceLock<Box<dyn Outlet>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

impl Registry {
    /// Ties the workers in; once, before anybody publishes.
    pub fn set_outlet(&self, outlet: Box<dyn Outlet>) {
        assert!(self.outlet.set(outlet).is_ok(), "the outlet is set once, by boot");
    }

    /// Is anybody subscribed to anything?
    #[inline]
    pub fn is_active(&self) -> bool {
        self.subscriptions.load(Relaxed) != 0
    }

    fn topics(&self, kind: Kind) -> &Topics {
        match kind {
            Kind::Channel | Kind::Pattern => &self.channels,
            Kind::Shard => &self.shards,
        }
    }

    /// Adds a client that is not subscribed yet. Only on the client's worker.
    pub fn subscribe(&self, kind: Kind, name: &[u8], worker: usize, client: u64) {
        match kind {
            Kind::Channel | Kind::Shard => {
                let mut topic = self.topics(kind).entry(name.to_vec()).or_default();
                topic.add(worker, client, self.clock.load(Relaxed));
            }
            Kind::Pattern => {
                let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
                patterns.entry(name.to_vec()).or_default().add(worker, client, self.clock.load(Relaxed));
                self.pattern_count.store(patterns.len(), Relaxed);
            }
        }
        self.subscriptions.fetch_add(1, Relaxed);
    }

    /// Takes away a client that is subscribed. Only on the client's worker.
    pub fn unsubscribe(&self, kind: Kind, name: &[u8], worker: usize, client: u64) {
        match kind {
            Kind::Channel | Kind::Shard => {
                self.topics(kind).remove_if_mut(name, |_, topic| topic.remove(worker, client));
            }
            Kind::Pattern => {
                let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
                if patterns.get_mut(name).is_some_and(|topic| topic.remove(worker, client)) {
                    patterns.remove(name);
                }
                self.pattern_count.store(patterns.len(), Relaxed);
            }
        }
        self.subscriptions.fetch_sub(1, Relaxed);
    }

    /// Clients subscribed to a channel by its name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.topics(kind).get(name).map_or(0, |topic| topic.subscribers)
    }

    /// How many channels, shard channels or patterns somebody is subscribed to.
    pub fn topic_count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Shard => self.topics(kind).len(),
            Kind::Pattern => self.pattern_count.load(Relaxed),
        }
    }

    /// The names of the channels of a kind that `pattern` matches; of all without one.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let is_wanted = |name: &[u8]| pattern.is_none_or(|pattern| glob_match(pattern, name, false));
        self.topics(kind)
            .iter()
            .filter(|topic| is_wanted(topic.key()))
            .map(|topic| topic.key().clone())
            .collect()
    }

    /// A client sees all commands from now on. Only on its worker.
    pub fn monitor(&self, worker: usize, client: u64) {
        let mut monitors = self.monitors.write().unwrap_or_else(PoisonError::into_inner);
        monitors.add(worker, client, self.clock.load(Relaxed));
        self.monitor_count.store(monitors.subscribers, Relaxed);
    }

    /// A client in MONITOR sees them no longer. Only on its worker.
    pub fn unmonitor(&self, worker: usize, client: u64) {
        let mut monitors = self.monitors.write().unwrap_or_else(PoisonError::into_inner);
        monitors.remove(worker, client);
        self.monitor_count.store(monitors.subscribers, Relaxed);
    }

    #[inline]
    pub fn is_monitored(&self) -> bool {
        self.monitor_count.load(Relaxed) != 0
    }

    /// Shows a command, as an encoded line, to all clients in MONITOR.
    pub fn feed(&self, line: Arc<[u8]>) {
        let monitors = self.monitors.read().unwrap_or_else(PoisonError::into_inner);
        let mut fan_out = FanOut { parts: Vec::new(), receivers: 0 };
        fan_out.add(&monitors, || line);
        let sequence = self.clock.fetch_add(1, Relaxed) + 1;
        for (worker, parts) in fan_out.parts.into_iter().enumerate().filter(|(_, parts)| !parts.is_empty()) {
            self.post(worker, Delivery { sequence, except: 0, parts });
        }
    }

    fn post(&self, worker: usize, delivery: Delivery) {
        let is_posted = self.outlet.get().is_none_or(|outlet| outlet.post(worker, delivery));
        if !is_posted {
            self.has_lost.store(true, Relaxed);
        }
    }

    /// Should publishers wait for the workers of subscribers?
    pub fn is_congested(&self) -> bool {
        self.outlet.get().is_some_and(|outlet| outlet.is_congested())
    }

    /// Has a delivery been refused since the last call?
    pub fn take_lost(&self) -> bool {
        self.has_lost.load(Relaxed) && self.has_lost.swap(false, Relaxed)
    }

    /// Sends a message to those who are subscribed. The receivers, as PUBLISH counts them: a client counts once for the channel
    /// and once for each of its patterns that matches.
    #[cold]
    fn publish(&self, kind: Kind, channel: &[u8], payload: &[u8], publisher: &mut Caller<'_>) -> usize {
        // The channel's lock stays until its messages are in the mailboxes: all workers get them in one order.
        let topic = self.topics(kind).get_mut(channel);
        let patterns = (kind == Kind::Channel && self.pattern_count.load(Relaxed) > 0)
            .then(|| self.patterns.read().unwrap_or_else(PoisonError::into_inner));
        let mut fan_out = FanOut { parts: Vec::new(), receivers: 0 };
        if let Some(topic) = &topic {
            fan_out.add(topic, || message(kind, channel, payload));
        }
        for (pattern, topic) in patterns.iter().flat_map(|patterns| patterns.iter()) {
            if glob_match(pattern, channel, false) {
                fan_out.add(topic, || pattern_message(pattern, channel, payload));
            }
        }
        if fan_out.receivers == 0 {
            return 0;
        }
        let sequence = self.clock.fetch_add(1, Relaxed) + 1;
        for (worker, parts) in fan_out.parts.into_iter().enumerate().filter(|(_, parts)| !parts.is_empty()) {
            let except = if worker == publisher.worker { publisher.take_own(&parts) } else { 0 };
            let posted = self
                .outlet
                .get()
                .is_none_or(|outlet| outlet.post(worker, Delivery { sequence, except, parts }));
            if !posted {
                self.has_lost.store(true, Relaxed);
            }
        }
        fan_out.receivers
    }
}

/// A message's parts, by worker.
struct FanOut {
    parts: Vec<Vec<Part>>,
    receivers: usize,
}

impl FanOut {
    fn add(&mut self, topic: &Topic, encode: impl FnOnce() -> Arc<[u8]>) {
        self.receivers += topic.subscribers;
        let bytes = encode();
        if self.parts.len() < topic.audiences.len() {
            self.parts.resize(topic.audiences.len(), Vec::new());
        }
        for (worker, audience) in topic.audiences.iter().enumerate() {
            if let Some(audience) = audience {
                self.parts[worker].push(Part { audience: audience.clone(), bytes: bytes.clone() });
            }
        }
    }
}

/// The client whose command publishes.
struct Caller<'a> {
    client: u64,
    worker: usize,
    pushes: &'a mut Vec<Arc<[u8]>>,
}

impl Caller<'_> {
    /// Takes the publisher's own share, and says who needs no delivery any more.
    fn take_own(&mut self, parts: &[Part]) -> u64 {
        if self.client == 0 {
            return 0;
        }
        let own = parts.iter().filter(|part| part.audience.contains(self.client));
        self.pushes.extend(own.map(|part| part.bytes.clone()));
        self.client
    }
}

/// One executor's way to the registry. What it publishes while it runs a client's command, and that client is itself
/// subscribed to, is kept here and follows the command's reply, as in Redis 7.2.
pub struct Publisher {
    registry: Arc<Registry>,
    tracking: Arc<Table>,
    /// The client whose command runs, and its worker; 0 if it is no client's.
    caller: (u64, usize),
    /// Keys that have changed since the last `broadcast`, while clients track in BCAST mode.
    touched: Vec<Touched>,
    /// A message was published although many wait already: the client should not go on at once.
    pub has_congested: bool,
    /// Push messages for the caller, in RESP3, to be appended behind its reply.
    pub pushes: Vec<Arc<[u8]>>,
    /// Keys that the caller must not trust any more, to be told before its reply.
    first: Vec<Invalidation>,
}

impl Publisher {
    pub fn new(registry: Arc<Registry>, tracking: Arc<Table>) -> Publisher {
        Publisher {
            registry,
            tracking,
            caller: (0, usize::MAX),
            touched: Vec::new(),
            has_congested: false,
            pushes: Vec::new(),
            first: Vec::new(),
        }
    }

    /// From now on commands of this client run.
    #[inline]
    pub fn begin(&mut self, client: u64, worker: usize) {
        self.caller = (client, worker);
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Tells clients which have read these keys that they have changed. Those in BCAST mode hear it with `broadcast`.
    #[cold]
    pub fn invalidate(&mut self, touched: Vec<Touched>) {
        self.tracking.invalidate(&touched, self.caller.0);
        if self.tracking.is_broadcasting() {
            self.touched.extend(touched);
        }
    }

    /// As `invalidate`, for keys that had to go before the caller's command could run: the caller hears it before its reply.
    /// Returns the bytes of memory that forgetting their readers has freed.
    #[cold]
    pub fn tell_first(&mut self, touched: Vec<Touched>) -> usize {
        let freed = self.tracking.invalidate_but(&touched, self.caller.0, &mut self.first);
        if self.tracking.is_broadcasting() {
            self.touched.extend(touched);
        }
        freed
    }

    /// Writes what the caller has to be told before its reply.
    #[inline]
    pub fn write_first(&mut self, is_subscriber: bool, reply: &mut Reply) {
        self.first.drain(..).for_each(|invalidation| invalidation.write(reply, is_subscriber));
    }

    /// Tells all who have cached these keys at once.
    pub fn tell(&mut self, touched: Vec<Touched>) {
        if !touched.is_empty() {
            self.invalidate(touched);
            self.broadcast();
        }
    }

    /// The command, or the transaction, is over: what it has changed is told to clients in BCAST mode.
    #[inline]
    pub fn broadcast(&mut self) {
        if !self.touched.is_empty() {
            self.tracking.broadcast(&std::mem::take(&mut self.touched), self.caller.0);
        }
    }

    /// Sends a message; returns the number of receivers.
    #[inline]
    pub fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
        if !self.registry.is_active() {
            return 0;
        }
        let (client, worker) = self.caller;
        let mut caller = Caller { client, worker, pushes: &mut self.pushes };
        let receivers = self.registry.publish(kind, channel, payload, &mut caller);
        self.has_congested |= receivers > 0 && self.registry.is_congested();
        receivers
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
