//! A client's record: what all threads may see of a session (CLIENT LIST, CLIENT KILL, INFO).
//!
//! Written by the worker that owns the session, with relaxed stores once per batch; read by whoever lists clients.
//! Always: the values are recent, not exact; nothing but display and selection depends on them.

use std::net::IpAddr;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::ids::UnixMs;
use crate::session::traffic::ConnectionCounters;

/// Bits of `Client::tracking`: CLIENT TRACKING is on; in BCAST mode; the client that it redirects to is gone.
pub const TRACKS: u8 = 1;
pub const BROADCASTS: u8 = 2;
pub const REDIRECT_BROKEN: u8 = 4;

/// Values of `Client::eviction`. Whoever chooses it goes from STAYS to LEAVES, its worker ends at GONE.
pub const STAYS: u8 = 0;
pub const LEAVES: u8 = 1;
pub const GONE: u8 = 2;

/// Memory that one watched key, subscription or tracked prefix is taken to cost beyond its own bytes: a place in the client's list and
/// one in the server's table. An estimate: counting would cost more than it tells.
pub const NAME_BYTES: u64 = 128;

/// What the user named this client.
#[derive(Default, Debug, Clone)]
pub struct Names {
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub user: Vec<u8>,
}

/// One client. All atomics: stored Relaxed by its worker, loaded Relaxed by anyone, publishing nothing else.
#[derive(Debug)]
pub struct Client {
    pub id: u64,
    pub addr: String,
    pub laddr: String,
    pub fd: i32,
    /// The worker that serves it.
    pub worker: usize,
    pub is_unix: bool,
    pub created: UnixMs,
    pub names: Mutex<Names>,
    pub db: AtomicU16,
    pub resp3: AtomicBool,
    /// Unix ms of the last request.
    pub last_request: AtomicI64,
    /// Command table id of the last command; `u16::MAX` before the first.
    pub last_command: AtomicU16,
    /// Commands queued in MULTI; -1 outside.
    pub queued: AtomicI64,
    /// Memory of these, in bytes.
    pub queued_bytes: AtomicU64,
    pub watching: AtomicU32,
    /// Subscriptions to channels, patterns and shard channels.
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub shard_channels: AtomicU32,
    /// `TRACKS`, `BROADCASTS`, `REDIRECT_BROKEN`.
    pub tracking: AtomicU8,
    /// Memory of the prefixes that it tracks, in bytes.
    pub prefix_bytes: AtomicU64,
    /// Whom it redirects invalidations to: 0 nobody, -1 while it does not track.
    pub redirect: AtomicI64,
    pub is_monitor: AtomicBool,
    pub is_replica: AtomicBool,
    pub is_blocked: AtomicBool,
    pub is_no_evict: AtomicBool,
    pub is_no_touch: AtomicBool,
    /// What `server::client_memory` has in its sum for this client.
    pub accounted_bytes: AtomicU64,
    /// `STAYS` until it is chosen to go (`LEAVES`) so that all clients hold less; `GONE` when its worker has closed it.
    pub eviction: AtomicU8,
    pub traffic: Arc<ConnectionCounters>,
}

impl Client {
    // The fields of PeerInfo, which lives in a layer above.
    #[expect(clippy::too_many_arguments)]
    pub fn new(
        id: u64,
        addr: String,
        laddr: String,
        fd: i32,
        worker: usize,
        is_unix: bool,
        now: UnixMs,
        traffic: Arc<ConnectionCounters>,
    ) -> Client {
        Client {
            id,
            addr,
            laddr,
            fd,
            worker,
            is_unix,
            created: now,
            names: Mutex::new(Names { user: b"default".to_vec(), ..Names::default() }),
            db: AtomicU16::new(0),
            resp3: AtomicBool::new(false),
            last_request: AtomicI64::new(now.0),
            last_command: AtomicU16::new(u16::MAX),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicU64::new(0),
            watching: AtomicU32::new(0),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            shard_channels: AtomicU32::new(0),
            tracking: AtomicU8::new(0),
            prefix_bytes: AtomicU64::new(0),
            redirect: AtomicI64::new(-1),
            is_monitor: AtomicBool::new(false),
            is_replica: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_no_evict: AtomicBool::new(false),
            is_no_touch: AtomicBool::new(false),
            accounted_bytes: AtomicU64::new(0),
            eviction: AtomicU8::new(STAYS),
            traffic,
        }
    }

    /// On this machine: through the unix socket, or from a loopback address.
    pub fn is_local(&self) -> bool {
        let host = self.addr.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.is_unix || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// About how much memory the server holds for it: buffers, queued commands, and what it watches, hears and tracks.
    pub fn memory_bytes(&self) -> u64 {
        let traffic = &self.traffic;
        let names = [&self.watching, &self.channels, &self.patterns, &self.shard_channels];
        let names: u64 = names.iter().map(|count| u64::from(count.load(Relaxed))).sum();
        size_of::<Client>() as u64
            + traffic.query_capacity.load(Relaxed)
            + traffic.reply_capacity.load(Relaxed)
            + self.queued_bytes.load(Relaxed)
            + self.prefix_bytes.load(Relaxed)
            + names * NAME_BYTES
    }

    /// Is it subscribed to anything?
    pub fn is_subscriber(&self) -> bool {
        [&self.channels, &self.patterns, &self.shard_channels].iter().any(|count| count.load(Relaxed) > 0)
    }

    pub fn set_name(&self, name: &[u8]) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).name = name.to_vec();
    }
}
