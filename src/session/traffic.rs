//! Traffic of one connection, as its event loop counts it and CLIENT LIST shows it.
//!
//! Written by `net`, which keeps one per connection; handed to the session's `Client` record when a client connects.
//! Always: one writer, the worker that serves the connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Figures of one connection. The worker that serves it is the only writer, anybody reads; relaxed, they publish nothing.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    /// Bytes read in all.
    pub input_bytes: AtomicU64,
    /// Bytes written in all.
    pub output_bytes: AtomicU64,
    /// Monotonic time of the last read or write.
    pub last_active_ms: AtomicU64,
    /// Bytes of an incomplete or blocked request.
    pub query_bytes: AtomicU64,
    /// Memory held for them.
    pub query_capacity: AtomicU64,
    /// Reply bytes that are not written yet.
    pub pending_bytes: AtomicU64,
    /// Memory held for replies.
    pub reply_capacity: AtomicU64,
}

/// An idle connection keeps its room for large replies for so long, in ms.
pub const REPLY_ROOM_KEPT_MS: u64 = 2000;

/// When connections give back room for replies: DEBUG REPLYBUFFER writes, the event loops read; Relaxed, a switch for tests.
pub struct ReplyRoom {
    kept_ms: AtomicU64,
    shrinks: AtomicBool,
}

/// Of all connections of the process.
pub static REPLY_ROOM: ReplyRoom =
    ReplyRoom { kept_ms: AtomicU64::new(REPLY_ROOM_KEPT_MS), shrinks: AtomicBool::new(true) };

impl ReplyRoom {
    /// Idle connections keep their room for so long.
    pub fn keep_for_ms(&self, ms: u64) {
        self.kept_ms.store(ms, Relaxed);
    }

    /// Does room ever shrink?
    pub fn set_shrinking(&self, shrinks: bool) {
        self.shrinks.store(shrinks, Relaxed);
    }

    pub fn shrinks(&self) -> bool {
        self.shrinks.load(Relaxed)
    }

    /// Does a connection that has been silent for so long give its room back?
    pub fn is_over(&self, silent_ms: u64) -> bool {
        silent_ms > self.kept_ms.load(Relaxed) && self.shrinks()
    }
}
