//! How a thread that has read everything goes to sleep without missing the next byte.
//! Sender threads and the AOF writer hold a `Sleeper`; producers look at one word after they have published.
//!
//! ```text
//!   sleeper                               producer
//!   armed |= my bit                       head moved, bytes copied, slot := IDLE
//!   fence(SeqCst)                         fence(SeqCst)
//!   published() > what I have seen?       armed != 0?
//!     yes: disarm, read on                  yes: armed := 0, call the wakers of the bits that were set
//!     no:  sleep in epoll                   no:  done
//! ```
//!
//! Always: the two fences have an order. If the producer's is first, the sleeper sees the published bytes; if the
//! sleeper's is first, the producer sees the bit. So at least one of them acts, and no wake-up is lost.

use std::sync::Arc;

use crossbeam::utils::CachePadded;

use super::offset::Offset;
use super::{Backlog, SLEEPERS_MAX};
use crate::base::sync::{AtomicU64, Mutex, Ordering, fence, lock};

type Waker = Arc<dyn Fn() + Send + Sync>;

pub(super) struct Sleepers {
    /// One bit per sleeper: it sleeps, or is about to. Writers: the sleeper sets its bit, producers take all of
    /// them. Readers: producers. Relaxed: the fences of the protocol order it.
    armed: CachePadded<AtomicU64>,
    wakers: Mutex<Vec<Option<Waker>>>,
}

impl Sleepers {
    pub fn new() -> Sleepers {
        Sleepers {
            armed: CachePadded::new(AtomicU64::new(0)),
            wakers: Mutex::new((0..SLEEPERS_MAX).map(|_| None).collect()),
        }
    }

    /// The producer's half of the protocol.
    #[inline]
    pub fn wake_after_publishing(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) != 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        let mut armed = self.armed.swap(0, Ordering::Relaxed);
        while armed != 0 {
            let bit = armed.trailing_zeros() as usize;
            armed &= armed - 1;
            // Called outside the mutex: a waker makes a system call.
            let waker = lock(&self.wakers)[bit].clone();
            if let Some(waker) = waker {
                waker();
            }
        }
    }
}

/// A thread's bed. Made by [`Backlog::sleeper`]; dropping it removes its waker.
pub struct Sleeper {
    backlog: Arc<Backlog>,
    bit: usize,
}

impl Sleeper {
    pub(super) fn new(backlog: Arc<Backlog>, waker: Waker) -> Option<Sleeper> {
        let mut wakers = lock(&backlog.sleepers.wakers);
        let bit = wakers.iter().position(Option::is_none)?;
        wakers[bit] = Some(waker);
        drop(wakers);
        Some(Sleeper { backlog, bit })
    }

    /// May the caller go to sleep, having read everything up to `seen` (a value of [`Backlog::published`])? If
    /// so its waker is called, once, after the next bytes are published. If not, there is more to read already.
    /// The waker may also be called for nothing.
    pub fn arm(&self, seen: Offset) -> bool {
        let armed = &self.backlog.sleepers.armed;
        armed.fetch_or(1 << self.bit, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let view = self.backlog.ring.view();
        let nothing_new = view.published <= seen && seen <= view.head.offset;
        if !nothing_new {
            self.disarm();
        }
        nothing_new
    }

    /// Awake for another reason: producers need not call.
    pub fn disarm(&self) {
        self.backlog.sleepers.armed.fetch_and(!(1 << self.bit), Ordering::Relaxed);
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.disarm();
        lock(&self.backlog.sleepers.wakers)[self.bit] = None;
    }
}
