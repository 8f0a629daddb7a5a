//! A mailbox: many threads post, one thread reads when it gets round to it, and is woken only if it sleeps.
//!
//!     Post (many, cloned) --push--> queue --drain--> Mailbox (one, owned by an event loop)
//!                         \-- wake, at most once per sleep --/
//!
//! Event loops, the acceptor and other threads with a poll have one. Always: a message posted before the owner sleeps keeps
//! it awake, one posted while it sleeps wakes it, and messages of one poster arrive in order.

use std::fmt;
use std::sync::Arc;

use crossbeam::utils::CachePadded;

use crate::base::sync::{AtomicBool, Ordering, Queue, fence};

/// So many messages may wait. Posters get [`Full`] beyond: the owner has then been stuck for long, and memory must not follow.
pub const WAITING_MAX: usize = 1 << 20;

/// Ends the owner's sleep; called from any thread.
type Wake = Box<dyn Fn() + Send + Sync>;

struct Shared<T> {
    queue: Queue<T>,
    /// True from the moment the owner decides to sleep until someone wakes it. The owner sets it, whoever takes it away must
    /// wake. Ordered against the queue by the sequentially consistent fences in `post` and `may_sleep`.
    sleeps: CachePadded<AtomicBool>,
    wake: Wake,
}

/// The reading end.
pub struct Mailbox<T>(Arc<Shared<T>>);

/// The posting end; clone it freely.
pub struct Post<T>(Arc<Shared<T>>);

/// The mailbox holds [`WAITING_MAX`] messages already; this one comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Post(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("waiting", &self.0.queue.len()).finish()
    }
}

/// A new mailbox whose owner is woken by `wake`.
pub fn mailbox<T>(wake: impl Fn() + Send + Sync + 'static) -> (Mailbox<T>, Post<T>) {
    let shared = Arc::new(Shared {
        queue: Queue::new(),
        sleeps: CachePadded::new(AtomicBool::new(false)),
        wake: Box::new(wake),
    });
    (Mailbox(Arc::clone(&shared)), Post(shared))
}

impl<T> Post<T> {
    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.queue.len()
    }

    /// Leaves a message; never blocks. Wakes the owner if it sleeps.
    pub fn post(&self, message: T) -> Result<(), Full<T>> {
        if self.0.queue.len() >= WAITING_MAX {
            return Err(Full(message));
        }
        self.0.queue.push(message);
        // Pairs with the fence in `may_sleep`: either we see that it sleeps, or it sees our message.
        fence(Ordering::SeqCst);
        if self.0.sleeps.load(Ordering::Relaxed) && self.0.sleeps.swap(false, Ordering::AcqRel) {
            (self.0.wake)();
        }
        Ok(())
    }
}

impl<T> Mailbox<T> {
    /// The owner is about to sleep. False if a message waits already: it must not.
    pub fn may_sleep(&self) -> bool {
        self.0.sleeps.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.0.queue.is_empty()
    }

    /// The owner is awake: posters need not wake it.
    pub fn awake(&self) {
        self.0.sleeps.store(false, Ordering::Relaxed);
    }

    /// The oldest message.
    pub fn take(&self) -> Option<T> {
        self.0.queue.pop()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.0.queue.len()
    }

    /// True if no message waits.
    pub fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }

    /// Another posting end.
    pub fn post(&self) -> Post<T> {
        Post(Arc::clone(&self.0))
    }
}

#[cfg(all(test, loom))]
#[path = "mailbox_loom_tests.rs"]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn an_awake_owner_is_not_woken_and_a_sleeping_one_once() {
        let (woken, wakes) = mpsc::channel();
        let (mailbox, post) = mailbox(move || woken.send(()).expect("the test listens"));
        post.post(1).expect("room");
        assert!(wakes.try_recv().is_err());
        assert!(!mailbox.may_sleep(), "a message waits");
        mailbox.awake();
        assert_eq!(mailbox.take(), Some(1));
        assert!(mailbox.may_sleep());
        post.post(2).expect("room");
        post.post(3).expect("room");
        assert!(wakes.try_recv().is_ok());
        assert!(wakes.try_recv().is_err(), "one wake-up for two messages");
        assert_eq!((mailbox.take(), mailbox.take(), mailbox.take()), (Some(2), Some(3), None));
    }

    #[test]
    fn no_message_is_slept_over() {
        const EACH: u64 = 20_000;
        let (woken, wakes) = mpsc::channel();
        let (mailbox, post) = mailbox::<u64>(move || woken.send(()).expect("the test listens"));
        let posters: Vec<_> = (0..3)
            .map(|_| {
                let post = post.clone();
                thread::spawn(move || (1..=EACH).for_each(|n| post.post(n).expect("room")))
            })
            .collect();
        let mut sum = 0;
        while sum < 3 * EACH * (EACH + 1) / 2 {
            if mailbox.may_sleep() {
                wakes.recv().expect("the mailbox holds the sender");
            }
            mailbox.awake();
            while let Some(n) = mailbox.take() {
                sum += n;
            }
        }
        posters.into_iter().for_each(|poster| poster.join().expect("posters do not panic"));
    }
}
