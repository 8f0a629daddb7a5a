//! A follower: one attached replica, as everybody sees it.
//!
//! ```text
//!   attach --needs everything--> Waiting --cut--> Loading --snapshot is out--> Online
//!      \------------------------------- +CONTINUE -------------------------------^
//! ```
//!
//! Its socket belongs to one sender thread, which moves it along; INFO, ROLE, WAIT and the upkeep read.
//! Always: `state` only moves to the right, and a follower is in the roster from `attach` until its socket is closed.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use crate::base::ids::UnixMs;
use crate::base::sync::Ordering::{Acquire, Relaxed, Release};
use crate::base::sync::{AtomicU8, AtomicU64};
use crate::codec::rdb::Dialect;
use crate::session::client::Client;
use crate::session::{ReplicaTraits, SyncRequest};
use crate::snapshot::snapshots::Ticket;

/// Where a follower is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FollowerState {
    /// For the next snapshot to begin.
    Waiting,
    /// The snapshot is on its way.
    Loading,
    /// It has the snapshot, or needed none.
    Online,
}

impl FollowerState {
    const ALL: [FollowerState; 3] = [FollowerState::Waiting, FollowerState::Loading, FollowerState::Online];

    /// As INFO shows it.
    pub fn word(self) -> &'static str {
        match self {
            FollowerState::Waiting => "wait_bgsave",
            FollowerState::Loading => "send_bulk",
            FollowerState::Online => "online",
        }
    }
}

/// One attached replica.
pub struct Follower {
    pub client: Arc<Client>,
    /// Which sender thread has its socket.
    pub sender: usize,
    /// What it announced, or where it connects from.
    pub ip: String,
    /// What it announced; 0 if nothing.
    pub port: u16,
    /// Accepts a snapshot that ends with a mark instead of beginning with its length.
    pub takes_mark: bool,
    /// Wants the snapshot and no stream.
    pub rdb_only: bool,
    /// It came with SYNC: it gets no `+FULLRESYNC` line and need not acknowledge.
    pub is_old_protocol: bool,
    /// Unix ms.
    pub attached: UnixMs,
    /// Stored by the upkeep (Waiting to Loading) and by the sender (to Online). Release, Acquire: with
    /// `acked`, for WAIT.
    state: AtomicU8,
    /// The last acknowledged offset. Stored by the sender. Release, Acquire; the fence behind it is in `wait`.
    acked: AtomicU64,
    /// Unix ms of the last acknowledgement or newline. Stored by the sender; Relaxed, a figure.
    acked_at: AtomicI64,
    /// `FACK`: what it has on disk. Stored by the sender; Relaxed, a figure.
    aof_acked: AtomicU64,
    /// Bytes that it keeps in memory here. Stored by the sender a few times a second; Relaxed, a figure.
    pub unsent_bytes: AtomicU64,
    /// The RDB that it can load.
    pub reads: Dialect,
    /// Its place among those who wait for the next snapshot.
    pub ticket: Mutex<Option<Ticket>>,
}

/// What a replica can load beyond what all can, as far as it has shown.
fn dialect_of(traits: &ReplicaTraits) -> Dialect {
    match traits.version {
        VALKEY_9.. => Dialect::Valkey80,
        _ if traits.rdb_channel => Dialect::Redis12,
        _ => Dialect::Common,
    }
}

/// `REPLCONF version` of the first Valkey that loads deadlines of fields.
const VALKEY_9: u32 = 9 << 16;

impl Follower {
    pub fn new(
        client: Arc<Client>,
        sender: usize,
        traits: &ReplicaTraits,
        request: &SyncRequest,
        now: UnixMs,
    ) -> Follower {
        let ip = match traits.ip_address.as_slice() {
            [] => peer_ip(&client.addr).to_owned(),
            announced => String::from_utf8_lossy(announced).into_owned(),
        };
        Follower {
            client,
            sender,
            ip,
            port: traits.listening_port,
            takes_mark: traits.eof,
            rdb_only: traits.rdb_only,
            is_old_protocol: matches!(request, SyncRequest::Sync),
            attached: now,
            state: AtomicU8::new(FollowerState::Waiting as u8),
            acked: AtomicU64::new(0),
            acked_at: AtomicI64::new(now.0),
            aof_acked: AtomicU64::new(0),
            unsent_bytes: AtomicU64::new(0),
            reads: dialect_of(traits),
            ticket: Mutex::new(None),
        }
    }

    /// The client's id, which names the follower.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// As the log names it.
    pub fn name(&self) -> String {
        match self.port {
            0 => format!("{}:<unknown-replica-port>", self.ip),
            port if self.ip.contains(':') => format!("[{}]:{port}", self.ip),
            port => format!("{}:{port}", self.ip),
        }
    }

    pub fn state(&self) -> FollowerState {
        FollowerState::ALL[usize::from(self.state.load(Acquire)) % FollowerState::ALL.len()]
    }

    pub fn set_state(&self, state: FollowerState) {
        debug_assert!(state as u8 >= self.state() as u8);
        self.state.store(state as u8, Release);
    }

    /// Makes it online, and its silence until now no reason to think that it is gone.
    pub fn set_online(&self, now: UnixMs) {
        self.acked_at.store(now.0, Relaxed);
        self.set_state(FollowerState::Online);
    }

    /// It has applied everything up to `offset`; acknowledgements never go back.
    pub fn acknowledge(&self, offset: u64, aof: Option<u64>, now: UnixMs) {
        self.acked.fetch_max(offset, Release);
        if let Some(aof) = aof {
            self.aof_acked.fetch_max(aof, Relaxed);
        }
        self.acked_at.store(now.0, Relaxed);
    }

    /// It sent a newline: it lives, and has nothing to acknowledge yet (it is loading).
    pub fn hear(&self, now: UnixMs) {
        self.acked_at.store(now.0, Relaxed);
    }

    pub fn acked(&self) -> u64 {
        self.acked.load(Acquire)
    }

    pub fn aof_acked(&self) -> u64 {
        self.aof_acked.load(Relaxed)
    }

    /// Whole seconds since its last sign of life.
    pub fn lag_seconds(&self, now: UnixMs) -> u64 {
        let ms = now.0.saturating_sub(self.acked_at.load(Relaxed));
        u64::try_from(ms).unwrap_or(0) / 1000
    }

    /// Does it count for min-replicas-to-write?
    pub fn is_good(&self, lag_max_seconds: u64, now: UnixMs) -> bool {
        self.state() == FollowerState::Online && self.lag_seconds(now) <= lag_max_seconds
    }
}

/// `127.0.0.1` of `127.0.0.1:4000`, `::1` of `[::1]:4000`.
fn peer_ip(addr: &str) -> &str {
    let ip = addr.rsplit_once(':').map_or(addr, |(ip, _)| ip);
    ip.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::peer_ip;

    #[test]
    fn an_address_loses_its_port() {
        for (addr, ip) in [("127.0.0.1:4000", "127.0.0.1"), ("[::1]:4000", "::1"), ("/tmp/s:0", "/tmp/s")] {
            assert_eq!(peer_ip(addr), ip);
        }
    }
}
