//! The synchronisation types of std, or those of loom when the crate is built with `--cfg loom`.
//! Only what is model-checked takes its types from here (the backlog); all other modules use std directly.
//!
//! Always: code above is the same text under both; a model may change sizes, never the protocol.

use std::sync::PoisonError;

#[cfg(loom)]
pub use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub use loom::thread::yield_now;
#[cfg(not(loom))]
pub use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(loom))]
pub use std::thread::yield_now;

/// Locks, and goes on with what is there if a thread panicked while it held the lock. For state that is
/// consistent between any two of its statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
