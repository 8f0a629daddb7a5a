//! A session: what the server knows of one client, on the worker that serves it.
//!
//! Owned by the worker's connection; handlers of control commands change it. What other threads may see of it (CLIENT
//! LIST, CLIENT KILL) is its `Client` record in the roster.
//! Always: a session belongs to one worker and is never shared.

pub mod client;
pub mod roster;
pub mod traffic;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::ids::DbIndex;
use crate::keyspace::watch::{WatchFlag, Watched};
use crate::pubsub::tracking::{Table, Tracker};
use crate::pubsub::{Kind, Registry, Subscriptions};
use crate::session::client::{BROADCASTS, Client, NAME_BYTES, TRACKS};

/// CLIENT REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// SKIP was said: the next command's reply is swallowed.
    SkipNext,
    /// The command that is running is the skipped one.
    Skipping,
}

/// A command waiting for EXEC. `command` is its id in the command table.
#[derive(Debug)]
pub struct Queued {
    pub command: u16,
    pub words: Vec<Vec<u8>>,
}

/// Between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    pub queue: Vec<Queued>,
    /// A command was refused while queueing: EXEC will answer EXECABORT.
    pub is_broken: bool,
}

/// What a client asked for when it asked to become a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncRequest {
    /// SYNC: everything, and no line in front of it.
    Sync,
    /// PSYNC: what follows `offset - 1` in history `replid`, as the wire counts.
    Psync { replid: Vec<u8>, offset: i64 },
}

/// What a replica told about itself with REPLCONF before its PSYNC.
#[derive(Debug, Default, Clone)]
pub struct ReplicaTraits {
    pub listening_port: u16,
    pub ip_address: Vec<u8>,
    /// `capa eof`: accepts the RDB without a length in front.
    pub eof: bool,
    /// `capa psync2`: understands `+CONTINUE <replid>`.
    pub psync2: bool,
    /// `capa rdb-channel-repl`: Redis 8 and later.
    pub rdb_channel: bool,
    /// `version` as Valkey sends it, `(major << 16) | (minor << 8) | patch`; 0 if unknown.
    pub version: u32,
    /// `rdb-only`: wants the RDB and no stream.
    pub rdb_only: bool,
    /// Set by PSYNC and SYNC as the last thing before the socket leaves its worker.
    pub request: Option<SyncRequest>,
}

/// One client's state.
pub struct Session {
    pub client: Arc<Client>,
    pub db: DbIndex,
    pub resp3: bool,
    pub authenticated: bool,
    pub reply_mode: ReplyMode,
    pub transaction: Option<Box<Transaction>>,
    pub watched: Vec<Arc<Watched>>,
    pub watch_flag: Option<Arc<WatchFlag>>,
    pub replica: Option<Box<ReplicaTraits>>,
    /// None unless it is subscribed to something.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// None unless it tracks keys (CLIENT TRACKING).
    pub tracking: Option<Arc<Tracker>>,
    /// CLIENT CACHING was said: it holds for the next command.
    pub is_caching: bool,
    pub is_monitor: bool,
    /// CLIENT NO-TOUCH: its reads leave the access clocks of keys alone.
    pub is_no_touch: bool,
    /// EXEC is running this client's commands: none of them may block.
    pub is_executing: bool,
    /// Offset of the stream behind this client's last write, for WAIT.
    pub last_write_offset: u64,
}

impl Session {
    pub fn new(client: Arc<Client>, authenticated: bool) -> Session {
        Session {
            client,
            db: DbIndex(0),
            resp3: false,
            authenticated,
            reply_mode: ReplyMode::On,
            transaction: None,
            watched: Vec::new(),
            watch_flag: None,
            replica: None,
            subscriptions: None,
            tracking: None,
            is_caching: false,
            is_monitor: false,
            is_no_touch: false,
            is_executing: false,
            last_write_offset: 0,
        }
    }

    /// Subscribes to a channel, a pattern or a shard channel. Returns the number for the confirmation.
    pub fn subscribe(&mut self, registry: &Registry, kind: Kind, name: &[u8]) -> usize {
        let subscriptions = self.subscriptions.get_or_insert_default();
        if subscriptions.add(kind, name) {
            registry.subscribe(kind, name, self.client.worker, self.client.id);
        }
        let count = subscriptions.shown_count(kind);
        self.show_subscriptions();
        count
    }

    /// Ends a subscription, if there is one. Returns the number for the confirmation.
    pub fn unsubscribe(&mut self, registry: &Registry, kind: Kind, name: &[u8]) -> usize {
        let Some(subscriptions) = &mut self.subscriptions else { return 0 };
        if subscriptions.remove(kind, name) {
            registry.unsubscribe(kind, name, self.client.worker, self.client.id);
        }
        let count = subscriptions.shown_count(kind);
        self.show_subscriptions();
        count
    }

    /// Ends all subscriptions without a word.
    pub fn unsubscribe_all(&mut self, registry: &Registry) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            let names = self.subscriptions.as_mut().map(|subscriptions| subscriptions.names(kind));
            for name in names.unwrap_or_default() {
                self.unsubscribe(registry, kind, &name);
            }
        }
    }

    /// Shows everybody how many there are, and forgets an empty book.
    fn show_subscriptions(&mut self) {
        let Some(subscriptions) = &self.subscriptions else { return };
        let client = &self.client;
        client.channels.store(subscriptions.count(Kind::Channel) as u32, Relaxed);
        client.patterns.store(subscriptions.count(Kind::Pattern) as u32, Relaxed);
        client.shard_channels.store(subscriptions.count(Kind::Shard) as u32, Relaxed);
        if subscriptions.is_empty() {
            self.subscriptions = None;
        }
    }

    /// Tracks keys as `tracker` says; none ends it.
    pub fn track(&mut self, table: &Table, tracker: Option<Tracker>) {
        let tracker = tracker.map(Arc::new);
        let flags = tracker
            .as_ref()
            .map_or(0, |tracker| TRACKS | if tracker.options.is_broadcast { BROADCASTS } else { 0 });
        let redirect = tracker.as_ref().map_or(-1, |tracker| tracker.redirect.map_or(0, |(id, _)| id as i64));
        self.client.tracking.store(flags, Relaxed);
        self.client.redirect.store(redirect, Relaxed);
        let prefixes = tracker.iter().flat_map(|tracker| &tracker.prefixes);
        let prefix_bytes = prefixes.map(|prefix| prefix.len() as u64 + NAME_BYTES).sum();
        self.client.prefix_bytes.store(prefix_bytes, Relaxed);
        match &tracker {
            Some(tracker) => table.enable(tracker.clone()),
            None => table.disable(self.client.id),
        }
        self.is_caching = false;
        self.tracking = tracker;
    }

    /// After a command: CLIENT CACHING holds for one, or for a whole transaction.
    #[cold]
    pub fn forget_caching(&mut self, is_client_command: bool) {
        self.is_caching = is_client_command || self.in_transaction();
    }

    /// Ends MONITOR.
    pub fn unmonitor(&mut self, registry: &Registry) {
        if std::mem::take(&mut self.is_monitor) {
            registry.unmonitor(self.client.worker, self.client.id);
            self.client.is_monitor.store(false, Relaxed);
        }
    }

    /// In RESP2 a subscriber's connection carries messages: only a few commands make sense on it.
    #[inline]
    pub fn is_subscriber_mode(&self) -> bool {
        self.subscriptions.is_some() && !self.resp3
    }

    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The flag that changes of watched keys set; made on the first WATCH.
    pub fn watch_flag(&mut self) -> &Arc<WatchFlag> {
        self.watch_flag.get_or_insert_default()
    }
}
