//! The registry: before each key that is waited for, a line of clients in the order in which they came.
//!
//! ```text
//!   key -> [(db, waiter), (db, waiter), ...]        client id -> waiter
//! ```
//!
//! Entered by executors under the locks of the waiter's keys, left by whoever ended the wait.
//! Always: a waiter that has not ended is in the line of each of its keys; one that has ended may still be in a line for a
//! moment, and is passed over. No lock of this file is held while another is taken, but for the state of a waiter.

use std::sync::Arc;

use dashmap::DashMap;

use crate::base::ids::DbIndex;
use crate::exec::blocked::waiter::Waiter;
use crate::keyspace::ready::Waiting;
use crate::types::Kind;

/// All blocked clients.
#[derive(Default)]
pub struct Registry {
    /// Asked by every change of a key that may matter to somebody.
    pub waiting: Waiting,
    lines: DashMap<Vec<u8>, Vec<(DbIndex, Arc<Waiter>)>>,
    clients: DashMap<u64, Arc<Waiter>>,
}

impl Registry {
    /// Is anybody waiting?
    #[inline]
    pub fn is_active(&self) -> bool {
        self.waiting.is_anyone()
    }

    /// A client begins to wait. Called under the locks of its keys.
    pub(super) fn enter(&self, waiter: &Arc<Waiter>) {
        self.waiting.enter();
        self.clients.insert(waiter.client.id, waiter.clone());
        for key in waiter.awaited() {
            self.lines.entry(key.to_vec()).or_default().push((waiter.db, waiter.clone()));
        }
    }

    /// Its wait has ended.
    pub(super) fn leave(&self, waiter: &Arc<Waiter>) {
        for key in waiter.awaited() {
            if let Some(mut line) = self.lines.get_mut(key) {
                line.retain(|(_, other)| !Arc::ptr_eq(other, waiter));
            }
            self.lines.remove_if(key, |_, line| line.is_empty());
        }
        self.clients.remove_if(&waiter.client.id, |_, other| Arc::ptr_eq(other, waiter));
        self.waiting.leave();
    }

    /// The first who waits for `key` to hold a value of this kind.
    pub(super) fn first(&self, db: DbIndex, key: &[u8], kind: Kind) -> Option<Arc<Waiter>> {
        let line = self.lines.get(key)?;
        let is_first =
            |(at, waiter): &&(DbIndex, Arc<Waiter>)| *at == db && waiter.kind == kind && !waiter.has_ended();
        line.iter().find(is_first).map(|(_, waiter)| waiter.clone())
    }

    /// All who wait for `key` to hold a value of this kind, in order.
    pub(super) fn all(&self, db: DbIndex, key: &[u8], kind: Kind) -> Vec<Arc<Waiter>> {
        let Some(line) = self.lines.get(key) else { return Vec::new() };
        let is_there = |(at, waiter): &&(DbIndex, Arc<Waiter>)| *at == db && waiter.kind == kind;
        line.iter().filter(is_there).map(|(_, waiter)| waiter.clone()).collect()
    }

    /// Every key that is waited for, after databases have been emptied or exchanged.
    pub(super) fn keys(&self) -> Vec<(DbIndex, Vec<u8>)> {
        let mut keys = Vec::new();
        for line in &self.lines {
            let mut dbs: Vec<DbIndex> = line.value().iter().map(|(db, _)| *db).collect();
            dbs.sort_unstable();
            dbs.dedup();
            keys.extend(dbs.into_iter().map(|db| (db, line.key().clone())));
        }
        keys
    }

    /// Ends a wait without service; false if it has ended already. No shard lock may be held.
    pub fn cancel(&self, waiter: &Arc<Waiter>) -> bool {
        let is_mine = waiter.cancel();
        if is_mine {
            self.leave(waiter);
        }
        is_mine
    }

    /// As `cancel`, for the client of this id. The waiter if its wait has been ended by this call.
    pub fn cancel_client(&self, id: u64) -> Option<Arc<Waiter>> {
        let waiter = self.clients.get(&id).map(|waiter| waiter.clone())?;
        self.cancel(&waiter).then_some(waiter)
    }

    /// Ends every wait: the server has become a replica.
    pub fn cancel_all(&self) -> Vec<Arc<Waiter>> {
        let all: Vec<Arc<Waiter>> = self.clients.iter().map(|waiter| waiter.clone()).collect();
        all.into_iter().filter(|waiter| self.cancel(waiter)).collect()
    }

    /// For INFO: keys with a line before them, and those of them that wake clients when they go.
    pub fn key_counts(&self) -> (usize, usize) {
        let wakes_when_gone =
            |line: &[(DbIndex, Arc<Waiter>)]| line.iter().any(|(_, waiter)| waiter.wakes_when_gone);
        (self.lines.len(), self.lines.iter().filter(|line| wakes_when_gone(line.value())).count())
    }

    /// For INFO: clients whose wait has a deadline.
    pub fn timed_clients(&self) -> usize {
        self.clients.iter().filter(|waiter| waiter.deadline.is_some()).count()
    }
}
