//! The synchronisation types of std, or those of loom when the crate is built with `--cfg loom`.
//! What is model-checked takes its types from here: the backlog, the barrier and the cut, mailboxes, WAIT. All other modules use
//! std directly.
//!
//! Always: code above is the same text under both; a model may change sizes, never the protocol. Loom takes SeqCst for AcqRel but
//! in fences, so a handshake that needs a total order has a `fence(SeqCst)` between its store and its load.

use std::sync::PoisonError;

#[cfg(not(loom))]
pub use crossbeam::queue::SegQueue as Queue;
#[cfg(loom)]
pub use explored::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Queue};
#[cfg(loom)]
pub use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{Ordering, fence},
};
#[cfg(loom)]
pub use loom::thread::yield_now;
#[cfg(not(loom))]
pub use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(loom))]
pub use std::thread::yield_now;

/// Locks, and goes on with what is there if a thread panicked while it held the lock. For state that is
/// consistent between any two of its statements.
pub fn lock<M: Lockable>(mutex: &M) -> M::Guard<'_> {
    mutex.locked()
}

/// A mutex of std, or of loom: a model contains both, since not everything is modelled.
pub trait Lockable {
    type Guard<'a>
    where
        Self: 'a;
    fn locked(&self) -> Self::Guard<'_>;
}

impl<T> Lockable for std::sync::Mutex<T> {
    type Guard<'a>
        = std::sync::MutexGuard<'a, T>
    where
        T: 'a;

    fn locked(&self) -> std::sync::MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(loom)]
impl<T> Lockable for loom::sync::Mutex<T> {
    type Guard<'a>
        = loom::sync::MutexGuard<'a, T>
    where
        T: 'a;

    fn locked(&self) -> loom::sync::MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loom's atomics, each with a second one beside it that every access stores to first.
///
/// Loom 0.7 compares an access with the *last* one of its object only, to decide which threads to swap. A thread
/// that loads and then stores hides another thread's earlier load, so "load, compare-and-swap" was never tried
/// between two loads of a reader, and models passed with the checks taken out. Stores count as dependent on every
/// access, so the second atomic makes all orders be tried; nobody reads it, so it orders nothing.
#[cfg(loom)]
mod explored {
    use std::collections::VecDeque;
    use std::sync::PoisonError;

    use loom::sync::atomic::Ordering;

    /// crossbeam's `SegQueue` as far as its users lean on it: a push moves the tail, whoever sees the tail sees what was
    /// pushed, and `is_empty` compares two indexes without a lock. Its inside is not modelled.
    #[derive(Default)]
    pub struct Queue<T> {
        /// A mutex of std: no step of loom's is taken while it is held.
        items: std::sync::Mutex<VecDeque<T>>,
        head: AtomicUsize,
        tail: AtomicUsize,
    }

    impl<T> Queue<T> {
        pub fn new() -> Queue<T> {
            Queue { items: Default::default(), head: AtomicUsize::new(0), tail: AtomicUsize::new(0) }
        }

        pub fn push(&self, item: T) {
            self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
            self.tail.fetch_add(1, Ordering::AcqRel);
        }

        /// One thread pops.
        pub fn pop(&self) -> Option<T> {
            let head = self.head.load(Ordering::Relaxed);
            if self.tail.load(Ordering::Acquire) == head {
                return None;
            }
            self.head.store(head + 1, Ordering::Release);
            self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
        }

        pub fn len(&self) -> usize {
            let head = self.head.load(Ordering::Acquire);
            self.tail.load(Ordering::Acquire).saturating_sub(head)
        }

        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    macro_rules! explored {
        ($name:ident $(<$parameter:ident>)?, $value:ty) => {
            #[derive(Debug)]
            pub struct $name $(<$parameter>)? {
                inner: loom::sync::atomic::$name $(<$parameter>)?,
                touched: loom::sync::atomic::AtomicBool,
            }

            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn new(value: $value) -> Self {
                    let touched = loom::sync::atomic::AtomicBool::new(false);
                    Self { inner: loom::sync::atomic::$name::new(value), touched }
                }

                fn touch(&self) -> &loom::sync::atomic::$name $(<$parameter>)? {
                    self.touched.store(true, Ordering::Relaxed);
                    &self.inner
                }

                pub fn load(&self, order: Ordering) -> $value {
                    self.touch().load(order)
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    self.touch().store(value, order)
                }
            }
        };
    }

    explored!(AtomicBool, bool);
    explored!(AtomicU8, u8);
    explored!(AtomicU64, u64);
    explored!(AtomicUsize, usize);
    explored!(AtomicPtr<T>, *mut T);

    macro_rules! counts {
        ($name:ident, $value:ty) => {
            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }

            impl $name {
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.touch().fetch_add(value, order)
                }

                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.touch().fetch_sub(value, order)
                }

                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    self.touch().fetch_max(value, order)
                }
            }
        };
    }

    counts!(AtomicU64, u64);
    counts!(AtomicUsize, usize);

    impl AtomicBool {
        pub fn swap(&self, value: bool, order: Ordering) -> bool {
            self.touch().swap(value, order)
        }
    }

    impl AtomicU64 {
        pub fn swap(&self, value: u64, order: Ordering) -> u64 {
            self.touch().swap(value, order)
        }

        pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
            self.touch().fetch_or(value, order)
        }

        pub fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
            self.touch().fetch_and(value, order)
        }

        pub fn compare_exchange(
            &self,
            current: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            self.touch().compare_exchange(current, new, success, failure)
        }

        pub fn compare_exchange_weak(
            &self,
            current: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            self.touch().compare_exchange_weak(current, new, success, failure)
        }
    }
}
