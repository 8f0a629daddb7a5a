//! Who gets in: maxclients, protected mode, and what every accepted socket is set to.
//!
//! The acceptor asks; the server sets the limits when the configuration changes and reads the figures for INFO. Always: every
//! client holds one [`Ticket`] from its acceptance to its end, wherever it goes, so `connected` is exact.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

const FULL: &str = "-ERR max number of clients reached\r\n";
const DENIED: &str = "-DENIED Redis is running in protected mode: no password is set for the default user, so only \
connections from this machine are served. To let others in, do one of these: set a password (requirepass, or an ACL user), or \
switch protected mode off with 'CONFIG SET protected-mode no' sent from this machine, with 'protected-mode no' in the \
configuration file, or with the argument '--protected-mode no'. Without a password, switch it off only where nobody \
but you can reach this port.\r\n";

/// The rules and figures shared by the acceptor, the workers and the server. All atomics are relaxed: each stands for itself.
#[derive(Debug)]
pub struct Admission {
    /// Clients at this moment. Up by the acceptor, down by whoever drops a ticket.
    connected: AtomicUsize,
    /// Clients ever accepted. Written by the acceptor.
    accepted: AtomicU64,
    /// Clients turned away. Written by the acceptor.
    rejected: AtomicU64,
    /// `maxclients`. Written by the server.
    max_clients: AtomicUsize,
    /// Protected mode is on and the default user has no password. Written by the server.
    local_only: AtomicBool,
    /// `tcp-keepalive` in seconds, 0 is off. Written by the server.
    keepalive_seconds: AtomicU32,
}

/// A client's place among `maxclients`; dropping it frees the place.
#[derive(Debug)]
pub struct Ticket(Arc<Admission>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// At most `max_clients`, from anywhere, without keepalive.
    pub fn new(max_clients: usize) -> Arc<Admission> {
        Arc::new(Admission {
            connected: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            max_clients: AtomicUsize::new(max_clients),
            local_only: AtomicBool::new(false),
            keepalive_seconds: AtomicU32::new(0),
        })
    }

    /// `maxclients`: later connections beyond it are refused, present ones stay.
    pub fn set_max_clients(&self, max: usize) {
        self.max_clients.store(max, Ordering::Relaxed);
    }

    /// Refuse peers that are not on this machine: protected mode with no password for the default user.
    pub fn set_local_only(&self, local_only: bool) {
        self.local_only.store(local_only, Ordering::Relaxed);
    }

    /// `tcp-keepalive` for connections to come; 0 is off.
    pub fn set_keepalive_seconds(&self, seconds: u32) {
        self.keepalive_seconds.store(seconds, Ordering::Relaxed);
    }

    /// See [`Admission::set_keepalive_seconds`].
    pub fn keepalive_seconds(&self) -> u32 {
        self.keepalive_seconds.load(Ordering::Relaxed)
    }

    /// Clients at this moment, those that left their event loop (replicas) included.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Clients ever accepted (`total_connections_received`).
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Clients turned away (`rejected_connections`).
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// CONFIG RESETSTAT: both totals start again at 0.
    pub fn reset_totals(&self) {
        self.accepted.store(0, Ordering::Relaxed);
        self.rejected.store(0, Ordering::Relaxed);
    }

    /// A place for a peer (`None` came through the unix socket), or the error to send before closing. Only the acceptor
    /// calls it, so the count cannot pass the limit between look and step.
    pub fn admit(self: &Arc<Self>, peer: Option<SocketAddr>) -> Result<Ticket, &'static str> {
        let refusal = if self.connected() >= self.max_clients.load(Ordering::Relaxed) {
            Some(FULL)
        } else if self.local_only.load(Ordering::Relaxed) && !peer.is_none_or(is_local) {
            Some(DENIED)
        } else {
            None
        };
        if let Some(text) = refusal {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(text);
        }
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.connected.fetch_add(1, Ordering::Relaxed);
        Ok(Ticket(Arc::clone(self)))
    }
}

fn is_local(peer: SocketAddr) -> bool {
    match peer.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::new(2);
        let first = admission.admit(None).expect("a place");
        let _second = admission.admit(None).expect("a place");
        assert_eq!(admission.admit(None).expect_err("full"), "-ERR max number of clients reached\r\n");
        drop(first);
        assert!(admission.admit(None).is_ok());
        assert_eq!((admission.accepted(), admission.rejected(), admission.connected()), (3, 1, 1));
    }

    #[test]
    fn protected_mode_refuses_strangers_only() {
        let admission = Admission::new(100);
        admission.set_local_only(true);
        let admit = |peer: &str| admission.admit(Some(peer.parse().expect("an address")));
        for local in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(admit(local).is_ok(), "{local}");
        }
        let denied = admit("10.0.0.1:1").expect_err("a stranger");
        assert!(denied.starts_with("-DENIED Redis is running in protected mode") && denied.ends_with("\r\n"));
        assert_eq!(denied.matches('\n').count(), 1);
        assert!(admission.admit(None).is_ok());
    }
}
