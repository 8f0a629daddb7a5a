//! Tracked keys: does any client want to hear of changes of keys that it has cached (CLIENT TRACKING)?
//!
//! `Space` asks after every change and notes the key; the executor tells the clients (`pubsub::tracking`).
//! Always: one relaxed load for each change while nobody tracks.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many clients track keys.
#[derive(Default, Debug)]
pub struct Tracked {
    /// Changed by the workers of these clients; read under the lock of a key that has changed. Relaxed: a client learns of a
    /// key's value, and is noted as its reader, under the lock of that key.
    clients: AtomicUsize,
}

impl Tracked {
    #[inline]
    pub fn is_anyone(&self) -> bool {
        self.clients.load(Relaxed) != 0
    }

    pub fn count(&self) -> usize {
        self.clients.load(Relaxed)
    }

    pub fn enter(&self) {
        self.clients.fetch_add(1, Relaxed);
    }

    pub fn leave(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }
}

/// A key that has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    pub key: Vec<u8>,
    /// It expired or was evicted: nobody's command has changed it.
    pub by_server: bool,
}
