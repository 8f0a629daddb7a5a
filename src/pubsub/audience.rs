//! An audience: the subscribers of one topic that one worker serves.
//!
//! Made by the registry; changed by the worker's own thread when its clients subscribe and leave, and read by it when a
//! delivery comes. Always: locked by its worker's thread alone, so the lock is never waited for.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::base::sync::lock;

/// Client ids with the number of the last message that was published before they came.
#[derive(Default, Debug)]
pub struct Audience {
    members: Mutex<HashMap<u64, u64>>,
}

impl Audience {
    pub(super) fn add(&self, client: u64, since: u64) {
        lock(&self.members).insert(client, since);
    }

    pub(super) fn remove(&self, client: u64) {
        lock(&self.members).remove(&client);
    }

    /// Does this client belong to it?
    pub fn contains(&self, client: u64) -> bool {
        lock(&self.members).contains_key(&client)
    }

    /// Appends the clients that message number `sequence` is for.
    pub fn collect(&self, sequence: u64, clients: &mut Vec<u64>) {
        let members = lock(&self.members);
        clients.extend(members.iter().filter(|(_, since)| **since < sequence).map(|(client, _)| *client));
    }
}
