//! The blocked clients of one worker, and when their time is over.
//!
//! Owned by the worker, which adds a client when its command blocks, removes it when it has its answer or is gone, and looks at
//! the deadlines once per turn. Always: whoever is in here waits, or its answer is on the way to this worker.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::base::ids::UnixMs;
use crate::exec::blocked::Waiter;

#[derive(Default)]
pub struct BlockedClients {
    waiters: HashMap<u64, Arc<Waiter>>,
    /// (deadline, client id) of those that do not wait for ever.
    deadlines: BTreeSet<(UnixMs, u64)>,
}

impl BlockedClients {
    /// A client that has begun to wait, if there is one.
    pub fn extend(&mut self, waiter: Option<Arc<Waiter>>) {
        let Some(waiter) = waiter else { return };
        self.deadlines.extend(waiter.deadline.map(|at| (at, waiter.client.id)));
        self.waiters.insert(waiter.client.id, waiter);
    }

    /// A client that no longer waits.
    pub fn remove(&mut self, client: u64) -> Option<Arc<Waiter>> {
        let waiter = self.waiters.remove(&client)?;
        if let Some(at) = waiter.deadline {
            self.deadlines.remove(&(at, client));
        }
        Some(waiter)
    }

    pub fn next_deadline(&self) -> Option<UnixMs> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes those out whose time is over at `now`.
    pub fn due(&mut self, now: UnixMs) -> Vec<Arc<Waiter>> {
        let mut due = Vec::new();
        while let Some((at, client)) = self.deadlines.first().copied()
            && at <= now
        {
            due.extend(self.remove(client));
        }
        due
    }
}
