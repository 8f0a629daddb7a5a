//! WAIT: clients that block until enough replicas have acknowledged their last write.
//!
//! ```text
//!   worker:  count += 1 | fence | look at acknowledgements, enter the list
//!   sender:  store acknowledgement | fence | look at count
//! ```
//!
//! Entered by `Replication::wait`, looked at by the senders after each acknowledgement and by the upkeep.
//! Always: of a client that enters and an acknowledgement that comes at the same time, at least one sees the other
//! (the fences are SeqCst); and a client is answered exactly once, by whoever takes it off the list.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::base::ids::UnixMs;
use crate::base::number::write_i64;
use crate::base::sync::Ordering::{Relaxed, SeqCst};
use crate::base::sync::{AtomicUsize, Mutex, fence, lock};
use crate::replication::primary::roster::Followers;
use crate::resp::reply::Reply;
use crate::session::client::Client;

/// Gives a blocked client its reply, encoded, through the worker that it belongs to.
pub type Unblock = Arc<dyn Fn(&Client, Vec<u8>) + Send + Sync>;

/// A client in WAIT.
struct Waiter {
    client: Arc<Client>,
    /// The stream's offset behind its last write.
    offset: u64,
    /// So many replicas, at least.
    replicas: i64,
    /// None waits for ever.
    deadline: Option<UnixMs>,
}

/// All clients in WAIT.
pub struct Waits {
    list: Mutex<Vec<Waiter>>,
    /// Length of the list, or more: see the top of the file. Written under the list's lock; Relaxed, ordered by the fences.
    count: AtomicUsize,
    /// Somebody began to wait: replicas shall acknowledge now. Set by workers, taken by the upkeep. Relaxed: late is soon
    /// enough.
    wants_acknowledgement: AtomicBool,
    unblock: Unblock,
}

impl Waits {
    pub fn new(unblock: Unblock) -> Waits {
        Waits {
            list: Mutex::default(),
            count: AtomicUsize::new(0),
            wants_acknowledgement: AtomicBool::new(false),
            unblock,
        }
    }

    /// Enters a client, unless enough replicas have the offset meanwhile: then says how many.
    pub fn enter(
        &self,
        client: &Arc<Client>,
        offset: u64,
        replicas: i64,
        deadline: Option<UnixMs>,
        followers: &Followers,
    ) -> Option<i64> {
        let mut list = lock(&self.list);
        self.count.fetch_add(1, Relaxed);
        fence(SeqCst);
        let have = followers.acknowledged(offset) as i64;
        if have >= replicas {
            self.count.fetch_sub(1, Relaxed);
            return Some(have);
        }
        list.push(Waiter { client: client.clone(), offset, replicas, deadline });
        self.wants_acknowledgement.store(true, Relaxed);
        None
    }

    /// Takes a client off the list that went away.
    pub fn forget(&self, client: u64) {
        if self.count.load(Relaxed) > 0 {
            self.take(|waiter| waiter.client.id == client);
        }
    }

    /// Ends one client's wait: with an error, or with the number of replicas that have its write by now. False if it does not wait.
    pub fn end(&self, client: u64, error: Option<&str>, followers: &Followers) -> bool {
        let taken = self.take(|waiter| waiter.client.id == client);
        for waiter in &taken {
            let mut reply = Reply::new();
            match error {
                Some(text) => reply.error(text),
                None => reply.int(followers.acknowledged(waiter.offset) as i64),
            }
            (self.unblock)(&waiter.client, reply.buf);
        }
        !taken.is_empty()
    }

    /// After an acknowledgement: answers those who have enough.
    #[inline]
    pub fn on_acknowledged(&self, followers: &Followers) {
        fence(SeqCst);
        if self.count.load(Relaxed) > 0 {
            self.answer(followers, None);
        }
    }

    /// Answers those who have enough, and those whose time is over at `now`.
    #[cold]
    pub fn answer(&self, followers: &Followers, now: Option<UnixMs>) {
        let is_due = |waiter: &Waiter| now.is_some_and(|now| waiter.deadline.is_some_and(|at| at <= now));
        let done = self
            .take(|waiter| is_due(waiter) || followers.acknowledged(waiter.offset) as i64 >= waiter.replicas);
        for waiter in done {
            let mut reply = vec![b':'];
            write_i64(&mut reply, followers.acknowledged(waiter.offset) as i64);
            reply.extend_from_slice(b"\r\n");
            (self.unblock)(&waiter.client, reply);
        }
    }

    /// We have become a replica: nobody's write is going to be acknowledged here.
    pub fn refuse_all(&self) {
        for waiter in self.take(|_| true) {
            let text =
                b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> \
                replica?)\r\n";
            (self.unblock)(&waiter.client, text.to_vec());
        }
    }

    fn take(&self, mut is_taken: impl FnMut(&Waiter) -> bool) -> Vec<Waiter> {
        let mut list = lock(&self.list);
        let (taken, left): (Vec<_>, Vec<_>) = list.drain(..).partition(|waiter| is_taken(waiter));
        *list = left;
        self.count.store(list.len(), Relaxed);
        taken
    }

    /// When `answer` must be called at the latest.
    pub fn next_deadline(&self) -> Option<UnixMs> {
        lock(&self.list).iter().filter_map(|waiter| waiter.deadline).min()
    }

    /// Makes the upkeep ask replicas for acknowledgements.
    pub fn request(&self) {
        self.wants_acknowledgement.store(true, Relaxed);
    }

    /// Has somebody begun to wait since the last call?
    pub fn take_request(&self) -> bool {
        self.wants_acknowledgement.swap(false, Relaxed)
    }

    pub fn len(&self) -> usize {
        lock(&self.list).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(all(test, loom))]
#[path = "wait_loom_tests.rs"]
mod loom_tests;
