//! Control: how other threads stop a link or cut its connection, wherever it happens to wait.
//!
//! ```text
//!   REPLICAOF, shutdown --abandon (world stands still)--> wanted := false --wake--> the thread ends, soon
//!   CLIENT KILL         --cut-----------------------------> cut := true   --wake--> the connection ends, the link reconnects
//! ```
//!
//! Shared by one link's thread and by `Links`. Always: a link changes the server only between `Executor::unpark` and `park`,
//! or while the world stands still, and looks at `is_wanted` first. It is abandoned while the world stands still. So when
//! `abandon` has returned, this link changes nothing any more, and nobody had to wait for its thread.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use mio::{Poll, Token, Waker};

use crate::base::ids::UnixMs;
use crate::base::sync::lock;

/// The link's own socket.
pub const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// The connection as CLIENT LIST and CLIENT KILL see it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub id: u64,
    /// `ip:port` of the primary.
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    pub since: UnixMs,
}

/// See the top of the file.
pub struct Control {
    /// Stored once, false, while the world stands still; loaded by the link's thread whenever the world lets it go on.
    /// Relaxed: the barrier orders the two.
    wanted: AtomicBool,
    /// Set by CLIENT KILL, taken by the link's thread when it is woken; the waker's system call orders the two.
    cut: AtomicBool,
    /// Bytes read from primaries, of all links. Added to by the link's thread, read by INFO; Relaxed.
    pub bytes_read: Arc<AtomicU64>,
    waker: Waker,
    peer: Mutex<Option<Peer>>,
}

impl Control {
    /// A link that is wanted; `bytes_read` outlives it.
    ///
    /// # Errors
    /// The system has no event descriptor for us.
    pub fn new(poll: &Poll, bytes_read: Arc<AtomicU64>) -> io::Result<Control> {
        Ok(Control {
            wanted: AtomicBool::new(true),
            cut: AtomicBool::new(false),
            bytes_read,
            waker: Waker::new(poll.registry(), WAKE)?,
            peer: Mutex::new(None),
        })
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Relaxed)
    }

    /// Only while the world stands still. The thread ends when it gets round to it.
    pub fn abandon(&self) {
        self.wanted.store(false, Relaxed);
        self.wake();
    }

    /// Ends the present connection; the link reconnects at once.
    pub fn cut(&self) {
        self.cut.store(true, Relaxed);
        self.wake();
    }

    /// Was the connection cut since the last look?
    pub fn take_cut(&self) -> bool {
        self.cut.swap(false, Relaxed)
    }

    /// Ends a wait of the link's thread, for something has changed.
    pub fn wake(&self) {
        // The eventfd cannot be full; if the system refuses all the same, the link notices at its next timeout.
        if let Err(error) = self.waker.wake() {
            log::warn!("The link to the primary could not be woken: {error}");
        }
    }

    pub fn peer(&self) -> Option<Peer> {
        lock(&self.peer).clone()
    }

    pub fn set_peer(&self, peer: Option<Peer>) {
        *lock(&self.peer) = peer;
    }
}
