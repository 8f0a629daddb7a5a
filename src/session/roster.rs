//! The roster: every connected client's record, by id.
//!
//! Workers add on accept and remove on close; CLIENT LIST, CLIENT KILL and INFO read.
//! Always: ids are never reused, and a client is in the roster from before its first command until it is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dashmap::DashMap;

use crate::session::client::Client;

#[derive(Default)]
pub struct Roster {
    clients: DashMap<u64, Arc<Client>>,
    /// The last id given out. Any worker adds (Relaxed); publishes nothing.
    last_id: AtomicU64,
}

impl Roster {
    /// A fresh client id, from 1.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    pub fn add(&self, client: Arc<Client>) {
        self.clients.insert(client.id, client);
    }

    pub fn remove(&self, id: u64) {
        self.clients.remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.clients.get(&id).map(|client| client.clone())
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// All clients in the order of their ids.
    pub fn list(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.clients.iter().map(|client| client.value().clone()).collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }
}
