//! The seam between the event loop, which moves bytes, and the executor, which gives them a meaning.
//!
//! The event loop calls a [`Service`]; the service answers with replies and an [`After`], and reaches other connections of its
//! worker through [`Peers`]. A session (the service's state of one client) lives in its connection and is lent to each call.
//!
//!     connect --> run, run, run ... --> disconnect | detach
//!                  |        ^
//!                  v        | Peers::resume
//!                 Blocked --+
//!
//! Always: one worker, one service, one thread; no call overlaps another. Of the rest of `net` this file knows only the ticket.

use crate::resp::batch::Batch;
use crate::resp::limits::{Limits, ProtocolError};
use crate::resp::reply::Reply;
use crate::session::traffic::ConnectionCounters;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a worker does with the commands of its clients.
pub trait Service {
    /// One client's state.
    type Session;
    /// What other threads post to this worker.
    type Message: Send;

    /// A client has been accepted.
    fn connect(&mut self, peer: PeerInfo) -> Self::Session;

    /// A client is gone, or is being closed for `reason`.
    fn disconnect(&mut self, session: Self::Session, reason: CloseReason);

    /// Takes a connection out of the event loop, after [`After::Detach`].
    fn detach(&mut self, session: Self::Session, connection: Detached);

    /// What the session may send now. Asked before every batch.
    fn parse_limits(&self, session: &Self::Session) -> Limits;

    /// Runs the commands of `batch` in order; `buf` is what they were parsed from. Replies go to `out` in the same order.
    fn run(&mut self, session: &mut Self::Session, buf: &[u8], batch: &Batch, out: &mut Reply) -> After;

    /// Does the session get messages of other clients? All that were posted before its requests were read are then handled
    /// before those run.
    fn hears_others(&self, _session: &Self::Session) -> bool {
        false
    }

    /// The client sent what is no request; the connection closes after the reply.
    fn protocol_error(&mut self, _session: &mut Self::Session, error: ProtocolError, out: &mut Reply) {
        out.error_bytes(&error.reply());
    }

    /// Another thread's message. Returns about how many bytes it has appended to replies.
    fn message(&mut self, message: Self::Message, peers: &mut dyn Peers<Self::Session>) -> usize;

    /// Called once per turn of the loop, after all events and messages. `now_ms` is monotonic.
    fn tick(&mut self, now_ms: u64, peers: &mut dyn Peers<Self::Session>);

    /// The monotonic time at which `tick` must be called at the latest; nothing to wait for if `None`.
    fn next_deadline_ms(&self) -> Option<u64>;

    /// A quiescent point: no command is running. Called after every batch, so it must cost next to nothing.
    fn between_batches(&mut self) {}

    /// The worker may sleep from here on: it touches nothing of the service until [`Service::after_poll`].
    fn before_poll(&mut self) {}

    /// The worker is awake again.
    fn after_poll(&mut self) {}

    /// A connection's turn is over and its counters show what it holds. Called often, so it must cost next to nothing.
    fn settled(&mut self, _session: &Self::Session) {}

    /// Are buffers to be given back as soon as they are empty?
    fn is_memory_scarce(&self, _now_ms: u64) -> bool {
        false
    }

    /// How much may wait for the session in both directions. Asked when something does.
    fn buffer_limits(&self, session: &Self::Session) -> BufferLimits;

    /// Close the session after so many milliseconds without a byte from it. Blocked clients are never asked about.
    fn idle_ms_max(&self, session: &Self::Session) -> Option<u64>;

    /// The client in words, for the log.
    fn describe(&self, session: &Self::Session) -> String;
}

/// What becomes of the connection after [`Service::run`]. `done` counts the commands of the batch that need not run again; the
/// bytes of the others stay with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// All commands have run.
    Continue,
    /// Commands from `done` on run in a later turn, after other connections had theirs.
    Yield {
        /// See [`After`].
        done: usize,
    },
    /// Commands from `done` on run after [`Peers::resume`]. What a blocking command answers is appended before that, through
    /// [`Peers::get`]. A command that is to be tried again is not counted in `done`.
    Blocked {
        /// See [`After`].
        done: usize,
    },
    /// The connection closes once its replies are written; the rest of its bytes are forgotten.
    Close,
    /// The connection closes without another word.
    CloseNow,
    /// The socket leaves the event loop at once: [`Service::detach`] gets it with the bytes from `done` on.
    Detach {
        /// See [`After`].
        done: usize,
    },
}

/// The connections of this worker, for messages and timers. What is appended through `get` is written at the end of the turn.
pub trait Peers<S> {
    /// A connection's session and its replies; none if it is gone or closing.
    fn get(&mut self, key: ConnectionKey) -> Option<(&mut S, &mut Reply)>;

    /// A blocked connection goes on with its next command. False if it is gone or not blocked.
    fn resume(&mut self, key: ConnectionKey) -> bool;

    /// Closes a connection: after its replies, or at once. False if it is gone already.
    fn close(&mut self, key: ConnectionKey, now: bool) -> bool;

    /// Calls `visit` for every connection that is not closing.
    fn for_each(&mut self, visit: &mut dyn FnMut(ConnectionKey, &mut S, &mut Reply));
}

/// Names a connection within its worker, and never another one after it: places are reused, generations differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Who connected, for the session to keep.
#[derive(Debug)]
pub struct PeerInfo {
    /// Names the connection in [`Peers`] of the same worker.
    pub key: ConnectionKey,
    /// `127.0.0.1:50000`, `[::1]:50000`, or the unix socket's path and `:0`.
    pub address: String,
    /// Our end, in the same form.
    pub local_address: String,
    /// The file descriptor, for CLIENT LIST only.
    pub fd: RawFd,
    /// Came through the unix socket?
    pub unix: bool,
    /// Kept by the event loop, readable by everybody.
    pub counters: Arc<ConnectionCounters>,
}

/// A connection that left its event loop.
#[derive(Debug)]
pub struct Detached {
    /// The socket, non-blocking.
    pub socket: OwnedFd,
    /// Bytes that were read but belong to no command that has run.
    pub unparsed: Vec<u8>,
    /// Replies that are not written yet: they go first.
    pub unsent: Vec<u8>,
    /// The connection still counts as a client until this is dropped.
    pub ticket: super::admission::Ticket,
}

/// Figures of one worker. The worker is the only writer, anybody reads; relaxed, they publish nothing.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// Bytes read from clients.
    pub input_bytes: AtomicU64,
    /// Bytes written to clients.
    pub output_bytes: AtomicU64,
    /// Successful reads.
    pub reads: AtomicU64,
    /// Successful writes.
    pub writes: AtomicU64,
    /// Turns of the loop.
    pub turns: AtomicU64,
}

/// Adds to a counter that only this thread writes: no locked instruction.
#[inline]
pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// How many bytes may wait. Zero is no limit, as in `redis.conf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimits {
    /// `client-query-buffer-limit`: bytes of one request that is not complete, or of requests behind a blocked one.
    pub query_bytes_max: usize,
    /// `client-output-buffer-limit`, hard: close at once.
    pub output_hard_bytes: usize,
    /// `client-output-buffer-limit`, soft: close when exceeded for `output_soft_seconds` without a break.
    pub output_soft_bytes: usize,
    /// See `output_soft_bytes`.
    pub output_soft_seconds: u64,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed its end.
    PeerClosed,
    /// The socket failed.
    Failed(std::io::ErrorKind),
    /// The service asked for it: QUIT, CLIENT KILL.
    Requested,
    /// What came is no request.
    ProtocolError,
    /// Silent for too long.
    Idle,
    /// `client-query-buffer-limit`.
    QueryBufferLimit,
    /// `client-output-buffer-limit`.
    OutputBufferLimit,
    /// The worker stops.
    Shutdown,
}
