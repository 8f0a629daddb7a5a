//! Replica: whom we follow. The link to a primary: it loads the primary's data set, then applies its stream.
//!
//! ```text
//!   REPLICAOF -> Links -> link (thread): wire -> handshake -> full_sync -> apply
//!                   \-- control: abandon, cut
//! ```
//!
//! `Links` is called by the host (REPLICAOF, CLIENT KILL, CLIENT LIST) and by boot. `wire` is a connection; `handshake` what
//! is said first; `full_sync` receives another data set; `apply` follows the stream; `link` the thread with its states; `retry` when
//! it tries again.
//! Always: at most one link may change this server, and none after `Links::lead` or `Links::stop` has returned.

pub mod apply;
pub mod control;
pub mod full_sync;
pub mod handshake;
pub mod link;
mod retry;
pub mod wire;

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use mio::Poll;

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::sync::lock;
use crate::config::PrimaryAddress;
use crate::replication::replica::apply::Applier;
use crate::replication::replica::control::Control;
use crate::replication::replica::link::Link;
use crate::replication::role::LinkStatus;
use crate::replication::state::Replication;
use crate::session::Session;
use crate::session::client::Client;
use crate::session::traffic::ConnectionCounters;

/// The name of the primary in CLIENT LIST; it is served by no worker.
const NO_WORKER: usize = usize::MAX;

struct Current {
    status: Arc<LinkStatus>,
    control: Arc<Control>,
}

/// Starts and ends links. One per server; any thread may call, but not while it is a running participant of the barrier.
pub struct Links {
    replication: Arc<Replication>,
    /// Changed only while the world stands still, so that whoever holds it waits for nobody.
    current: Mutex<Option<Current>>,
    /// See `Control::bytes_read`.
    bytes_read: Arc<AtomicU64>,
}

impl Links {
    pub fn new(replication: Arc<Replication>) -> Links {
        Links { replication, current: Mutex::new(None), bytes_read: Arc::default() }
    }

    /// REPLICAOF host port: from now on that primary is followed. False if it is already.
    ///
    /// # Errors
    /// The system has no thread or no events for us; then nothing has changed.
    pub fn follow(&self, host: &str, port: u16) -> io::Result<bool> {
        let poll = Poll::new()?;
        let control = Arc::new(Control::new(&poll, self.bytes_read.clone())?);
        let status = Arc::new(LinkStatus::new(host.to_owned(), port));
        let thread = {
            let (control, status, replication) = (control.clone(), status.clone(), self.replication.clone());
            // Does nothing before the world goes on, and by then it is either the current link or not wanted.
            move || {
                let session = Session::new(Arc::new(link_client(&status)), true);
                let applier = Applier::new(replication.engine().clone(), control.clone(), session);
                Link::new(control, status, replication, applier).run(poll);
            }
        };
        let engine = self.replication.engine();
        engine.barrier.stop(None, || {
            let mut current = lock(&self.current);
            if current.as_ref().is_some_and(|current| current.status.is_to(host, port)) {
                return Ok(false);
            }
            std::thread::Builder::new().name("link".into()).spawn(thread)?;
            if let Some(old) = current.take() {
                old.control.abandon();
            }
            self.replication.become_replica(status.clone());
            engine.set_link_down(true);
            let address = PrimaryAddress { host: host.to_owned(), port };
            engine.config.update(|config| config.replicaof = Some(address));
            *current = Some(Current { status, control });
            Ok(true)
        })
    }

    /// REPLICAOF NO ONE: nobody is followed any more, and we lead our history on. False if nobody was followed.
    pub fn lead(&self) -> bool {
        let engine = self.replication.engine();
        engine.barrier.stop(None, || {
            let Some(old) = lock(&self.current).take() else { return false };
            old.control.abandon();
            self.replication.become_primary(UnixMs(clock::now_ms()));
            engine.config.update(|config| config.replicaof = None);
            true
        })
    }

    /// Shutdown: the link applies nothing any more. The role stays, for the last snapshot says where we stood.
    pub fn stop(&self) {
        self.replication.engine().barrier.stop(None, || {
            if let Some(old) = lock(&self.current).take() {
                old.control.abandon();
            }
        });
    }

    /// A pause of clients has begun or ended, which holds the stream back.
    pub fn wake(&self) {
        if let Some(current) = lock(&self.current).as_ref() {
            current.control.wake();
        }
    }

    /// CLIENT KILL: cuts the connection to the primary if it is at `address` (`ip:port`; empty for any). False if not.
    pub fn cut_if(&self, address: &[u8]) -> bool {
        let current = lock(&self.current);
        let Some(current) = current.as_ref() else { return false };
        let Some(peer) = current.control.peer() else { return false };
        let is_meant = address.is_empty() || peer.address.as_bytes() == address;
        if is_meant {
            current.control.cut();
        }
        is_meant
    }

    /// Bytes read from primaries since the start.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Relaxed)
    }

    /// The connection to the primary as a line of CLIENT LIST; empty if there is none.
    pub fn describe(&self, now: UnixMs) -> String {
        let mut line = String::new();
        let current = lock(&self.current);
        let Some((status, peer)) =
            current.as_ref().and_then(|current| Some((&current.status, current.control.peer()?)))
        else {
            return line;
        };
        let seconds = |since: i64| (now.0 - since).max(0) / 1000;
        let last_io = match status.last_io.load(Relaxed) {
            at if at >= 0 => at,
            _ => peer.since.0,
        };
        // Writing into a String cannot fail.
        let _ = writeln!(
            line,
            "id={} addr={} laddr={} fd={} name= age={} idle={} flags=M db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 \
             qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=replconf \
             user=(superuser) redir=-1 resp=2 lib-name= lib-ver=",
            peer.id,
            peer.address,
            peer.local_address,
            peer.fd,
            seconds(peer.since.0),
            seconds(last_io),
        );
        line
    }
}

/// The client that commands of the stream see; it is in no roster.
fn link_client(status: &LinkStatus) -> Client {
    let address = format!("{}:{}", status.host, status.port);
    let now = UnixMs(clock::now_ms());
    let traffic = Arc::new(ConnectionCounters::default());
    Client::new(0, address, String::new(), -1, NO_WORKER, false, now, traffic)
}
