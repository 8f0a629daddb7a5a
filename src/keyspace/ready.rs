//! Ready keys: who has to be told that a key now has something that somebody may be waiting for.
//!
//! `Space` notes keys of the kinds that clients can wait for; the executor serves the waiting after the command.
//! Always: one relaxed load for each such key while nobody waits.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many clients wait for keys.
#[derive(Default)]
pub struct Waiting {
    /// Added to under the locks of the keys that a client begins to wait for, taken from when it no longer does; read under
    /// the lock of a key that became ready. Relaxed: the shard's lock orders the two.
    clients: AtomicUsize,
}

impl Waiting {
    #[inline]
    pub fn is_anyone(&self) -> bool {
        self.clients.load(Relaxed) != 0
    }

    /// Must be called under the locks of the keys that the client waits for.
    pub fn enter(&self) {
        self.clients.fetch_add(1, Relaxed);
    }

    pub fn leave(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }
}
