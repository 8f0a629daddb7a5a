//! The roster of followers, in the order in which they attached.
//!
//! `Replication::attach` adds, senders remove, INFO and ROLE list, the upkeep counts.
//! Always: short critical sections, no I/O under the lock; who needs the list for longer takes a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

use crate::base::ids::UnixMs;
use crate::base::sync::{Mutex, lock};
use crate::replication::primary::follower::{Follower, FollowerState};

/// All attached replicas.
#[derive(Default)]
pub struct Followers {
    list: Mutex<Vec<Arc<Follower>>>,
    /// Length of the list, for those who only want to know whether anybody follows. Stored under the lock; Relaxed.
    count: AtomicUsize,
    /// Unix ms since when nobody follows; meaningless while somebody does. Stored under the lock; Relaxed.
    alone_since: AtomicI64,
}

impl Followers {
    pub fn add(&self, follower: Arc<Follower>) {
        let mut list = lock(&self.list);
        list.push(follower);
        self.count.store(list.len(), Relaxed);
    }

    pub fn remove(&self, id: u64, now: UnixMs) {
        let mut list = lock(&self.list);
        list.retain(|follower| follower.id() != id);
        self.count.store(list.len(), Relaxed);
        if list.is_empty() {
            self.alone_since.store(now.0, Relaxed);
        }
    }

    /// Restarts the time after which a backlog that nobody follows is freed.
    pub fn restart_loneliness(&self, now: UnixMs) {
        self.alone_since.store(now.0, Relaxed);
    }

    /// Whole seconds without any follower; 0 while there is one.
    pub fn alone_seconds(&self, now: UnixMs) -> u64 {
        if !self.is_empty() {
            return 0;
        }
        u64::try_from(now.0.saturating_sub(self.alone_since.load(Relaxed))).unwrap_or(0) / 1000
    }

    pub fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn list(&self) -> Vec<Arc<Follower>> {
        lock(&self.list).clone()
    }

    pub fn get(&self, id: u64) -> Option<Arc<Follower>> {
        lock(&self.list).iter().find(|follower| follower.id() == id).cloned()
    }

    pub fn waiting(&self) -> Vec<Arc<Follower>> {
        let mut list = self.list();
        list.retain(|follower| follower.state() == FollowerState::Waiting);
        list
    }

    /// How many replicas are online and have acknowledged `offset`.
    pub fn acknowledged(&self, offset: u64) -> usize {
        let list = lock(&self.list);
        let has = |follower: &&Arc<Follower>| {
            follower.state() == FollowerState::Online && follower.acked() >= offset
        };
        list.iter().filter(has).count()
    }

    /// How many replicas that acknowledge at all have not acknowledged `offset`.
    pub fn lagging(&self, offset: u64) -> usize {
        let list = lock(&self.list);
        let lags = |follower: &&Arc<Follower>| {
            follower.state() == FollowerState::Online
                && !follower.is_old_protocol
                && follower.acked() < offset
        };
        list.iter().filter(lags).count()
    }

    /// How many are online and were heard of within `lag_max_seconds`.
    pub fn good(&self, lag_max_seconds: u64, now: UnixMs) -> usize {
        lock(&self.list).iter().filter(|follower| follower.is_good(lag_max_seconds, now)).count()
    }
}
