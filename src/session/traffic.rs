//! Traffic of one connection, as its event loop counts it and CLIENT LIST shows it.
//!
//! Written by `net`, which keeps one per connection; handed to the session's `Client` record when a client connects.
//! Always: one writer, the worker that serves the connection.

use std::sync::atomic::AtomicU64;

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
