//! Role: are we a primary, or the replica of which primary, and how is the link to it?
//!
//! ```text
//!              REPLICAOF host port                       connect         PONG              +FULLRESYNC
//!   Primary ----------------------> Replica: Connect ------------> Connecting --> Handshake -----------> Transfer
//!      ^                                 ^  ^                                        | +CONTINUE            | loaded
//!      |                                 |  |                                        v                      |
//!      +---- REPLICAOF NO ONE -----------+  +--- any failure, any time ---------- Connected <---------------+
//! ```
//!
//! `Replication` holds the role; the link's thread moves `LinkStatus` along; INFO, ROLE and the PSYNC gate read it.
//! Always: the role changes only while the world stands still, so that no command sees half of a change.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering::Relaxed};

use crate::base::ids::UnixMs;

/// What this server is to others.
#[derive(Clone)]
pub enum Role {
    Primary,
    Replica(Arc<LinkStatus>),
}

impl Role {
    pub fn link(&self) -> Option<&Arc<LinkStatus>> {
        match self {
            Role::Primary => None,
            Role::Replica(link) => Some(link),
        }
    }
}

/// Where the link to the primary is. The words are those of ROLE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum LinkState {
    /// Will connect as soon as it may.
    Connect,
    /// Waits for the connection to be established.
    Connecting,
    /// Exchanges PING, AUTH, REPLCONF and PSYNC.
    Handshake,
    /// Receives or loads a snapshot.
    Transfer,
    /// Follows the stream.
    Connected,
}

impl LinkState {
    const ALL: [LinkState; 5] = [
        LinkState::Connect,
        LinkState::Connecting,
        LinkState::Handshake,
        LinkState::Transfer,
        LinkState::Connected,
    ];

    /// As ROLE shows it.
    pub fn word(self) -> &'static str {
        match self {
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Handshake => "handshake",
            LinkState::Transfer => "sync",
            LinkState::Connected => "connected",
        }
    }
}

/// What INFO and ROLE say about the link. All atomics: stored Relaxed by the link's thread alone, loaded Relaxed by
/// anybody; each stands for itself and publishes nothing.
pub struct LinkStatus {
    /// As the user wrote it.
    pub host: String,
    pub port: u16,
    state: AtomicU8,
    /// Unix ms of the last byte from the primary in the state `Connected`; -1 while not connected.
    pub last_io: AtomicI64,
    /// Unix ms at which the link went down; 0 if it was never up.
    pub down_since: AtomicI64,
    /// Bytes of the snapshot that is being received; 0 if unknown (the form with an end mark).
    pub sync_total_bytes: AtomicI64,
    pub sync_read_bytes: AtomicI64,
    /// Unix ms of the last byte of the snapshot.
    pub sync_last_io: AtomicI64,
    /// Offset of what was read from the primary, and of what was applied; -1 before the first sync.
    pub read_offset: AtomicI64,
    pub applied_offset: AtomicI64,
}

impl LinkStatus {
    /// A link that is about to connect.
    pub fn new(host: String, port: u16) -> LinkStatus {
        LinkStatus {
            host,
            port,
            state: AtomicU8::new(LinkState::Connect as u8),
            last_io: AtomicI64::new(-1),
            down_since: AtomicI64::new(0),
            sync_total_bytes: AtomicI64::new(0),
            sync_read_bytes: AtomicI64::new(0),
            sync_last_io: AtomicI64::new(0),
            read_offset: AtomicI64::new(-1),
            applied_offset: AtomicI64::new(-1),
        }
    }

    pub fn state(&self) -> LinkState {
        LinkState::ALL[usize::from(self.state.load(Relaxed)) % LinkState::ALL.len()]
    }

    /// The link's thread moves on. Leaving `Connected` notes the time for `master_link_down_since_seconds`.
    pub fn set_state(&self, state: LinkState, now: UnixMs) {
        if self.state() == LinkState::Connected && state != LinkState::Connected {
            self.down_since.store(now.0, Relaxed);
            self.last_io.store(-1, Relaxed);
        }
        self.state.store(state as u8, Relaxed);
    }

    pub fn is_up(&self) -> bool {
        self.state() == LinkState::Connected
    }

    /// The same primary under the same name?
    pub fn is_to(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.eq_ignore_ascii_case(host)
    }
}

#[cfg(test)]
mod tests {
    use super::{LinkState, LinkStatus};
    use crate::base::ids::UnixMs;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn a_link_remembers_when_it_went_down() {
        let link = LinkStatus::new("h".into(), 1);
        for state in LinkState::ALL {
            link.set_state(state, UnixMs(5));
            assert_eq!(link.state(), state);
        }
        assert_eq!(link.down_since.load(Relaxed), 0, "it was never up before");
        link.set_state(LinkState::Connect, UnixMs(9));
        assert_eq!(link.down_since.load(Relaxed), 9);
        link.set_state(LinkState::Connecting, UnixMs(10));
        assert_eq!(link.down_since.load(Relaxed), 9, "an attempt to reconnect is not another loss");
    }
}
