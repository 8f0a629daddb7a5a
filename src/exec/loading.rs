//! Loading: which data set is being read, and how far that has come.
//!
//! ```text
//!            start, DEBUG RELOAD                a full sync, beside the present data
//!   Ready ----------------------> Blocking      Ready ------------------------------> Beside
//!     ^------- done, failed ---------+            ^----------- done, failed ------------+
//! ```
//!
//! One in the engine. Written by the thread that loads, read by the gates (through views), by INFO and by those who wait for
//! the end. Always: one load at a time changes it; while it says `Blocking` no client's command reaches a key.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::base::ids::UnixMs;

/// What a load means for clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum LoadState {
    /// Nothing is being loaded.
    Ready,
    /// The data set is not there yet: only commands flagged `loading` run. INFO's `loading`.
    Blocking,
    /// Another one arrives while the present one serves. INFO's `async_loading`.
    Beside,
}

impl LoadState {
    const ALL: [LoadState; 3] = [LoadState::Ready, LoadState::Blocking, LoadState::Beside];
}

/// The load that is under way. All atomics are stored Relaxed by the thread that loads and loaded Relaxed by anybody; each
/// stands for itself. What clients may do changes with `state`, which the engine follows with a bump of its generation.
pub struct Loading {
    state: AtomicU8,
    /// Unix ms.
    started: AtomicI64,
    /// Length of the file in bytes; 0 if unknown.
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    /// What the RDB says that its data took in memory, in bytes; 0 if it says nothing.
    memory_bytes: AtomicU64,
}

impl Default for Loading {
    fn default() -> Loading {
        Loading {
            state: AtomicU8::new(LoadState::Ready as u8),
            started: AtomicI64::new(0),
            total_bytes: AtomicU64::new(0),
            loaded_bytes: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
        }
    }
}

impl Loading {
    pub fn state(&self) -> LoadState {
        LoadState::ALL[usize::from(self.state.load(Relaxed)) % LoadState::ALL.len()]
    }

    /// A load begins, or has ended.
    pub(super) fn enter(&self, state: LoadState, total_bytes: u64, now: UnixMs) {
        self.started.store(now.0, Relaxed);
        self.total_bytes.store(total_bytes, Relaxed);
        self.loaded_bytes.store(0, Relaxed);
        self.memory_bytes.store(0, Relaxed);
        self.state.store(state as u8, Relaxed);
    }

    /// So many bytes of the RDB have been read.
    pub fn advance_to(&self, bytes: u64) {
        self.loaded_bytes.store(bytes, Relaxed);
    }

    /// The length of what is read.
    pub fn expect_bytes(&self, total_bytes: u64) {
        self.total_bytes.store(total_bytes, Relaxed);
    }

    /// The RDB's `used-mem`.
    pub fn expect_memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Relaxed);
    }

    /// What INFO shows; none if nothing is being loaded.
    pub fn progress(&self, now: UnixMs) -> Option<Progress> {
        (self.state() != LoadState::Ready).then(|| Progress {
            started: UnixMs(self.started.load(Relaxed)),
            total_bytes: self.total_bytes.load(Relaxed),
            loaded_bytes: self.loaded_bytes.load(Relaxed),
            memory_bytes: self.memory_bytes.load(Relaxed),
            now,
        })
    }
}

/// How far a load has come, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub started: UnixMs,
    pub total_bytes: u64,
    pub loaded_bytes: u64,
    pub memory_bytes: u64,
    now: UnixMs,
}

impl Progress {
    /// `loading_loaded_perc`. Without a length the memory that the data took is a guess, which never shows the end.
    pub fn percent(&self) -> f64 {
        let share = |whole: u64| self.loaded_bytes as f64 / whole as f64 * 100.0;
        match (self.total_bytes, self.memory_bytes) {
            (0, 0) => 0.0,
            (0, memory) => share(memory).min(99.99),
            (total, _) => share(total),
        }
    }

    /// `loading_eta_seconds`, at the speed so far; 1 within the first second.
    pub fn seconds_left(&self) -> u64 {
        let elapsed = (self.now.0.div_euclid(1000) - self.started.0.div_euclid(1000)).max(0) as u64;
        let left = match self.total_bytes {
            0 => self.memory_bytes.saturating_sub(self.loaded_bytes).max(1),
            total => total.saturating_sub(self.loaded_bytes),
        };
        match elapsed {
            0 => 1,
            elapsed => elapsed.saturating_mul(left) / (self.loaded_bytes + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LoadState, Loading};
    use crate::base::ids::UnixMs;

    #[test]
    fn progress_is_judged_by_the_length_or_by_the_memory_that_is_expected() {
        let loading = Loading::default();
        assert!(loading.progress(UnixMs(0)).is_none());
        for (total, memory, loaded, seconds, percent, left) in [
            (1000, 0, 250, 2, 25.0, 5),
            (1000, 0, 0, 0, 0.0, 1),
            (0, 400, 100, 3, 25.0, 8),
            (0, 400, 900, 3, 99.99, 0),
            (0, 0, 10, 2, 0.0, 0),
        ] {
            loading.enter(LoadState::Beside, total, UnixMs(5000));
            loading.expect_memory(memory);
            loading.advance_to(loaded);
            let progress = loading.progress(UnixMs(5000 + 1000 * seconds)).expect("it loads");
            assert_eq!((progress.percent(), progress.seconds_left()), (percent, left), "{progress:?}");
        }
    }
}
