//! The barrier: a moment at which no thread is inside a command.
//!
//! ```text
//!   worker:   run ......checkpoint......checkpoint..| parked |..checkpoint.. park (epoll) run
//!   stopper:                      stop: pending=true |  cut   | pending=false
//! ```
//!
//! Participants are all threads that change the keyspace: workers, the link, active expiry. A stopper (a snapshot's cut,
//! FLUSHALL, SWAPDB, EXEC over the whole keyspace, a change of role) waits until each of them is parked, does its work
//! and lets them go.
//! Always: while `stop` runs its closure, no participant is between `run` and `park`; and nothing is ever awaited while
//! a shard lock is held, so that the wait is as short as the batches that are under way.

use std::cell::Cell;
use std::sync::{Arc, PoisonError};

use crossbeam::utils::CachePadded;

use crate::base::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::base::sync::{AtomicBool, Condvar, Mutex, MutexGuard, fence, lock};

/// How long a stopper waits between two looks at a participant that is still running, after a short spin.
#[cfg(not(loom))]
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_micros(20);
#[cfg(not(loom))]
const SPINS: u32 = 200;

/// One participant's state.
struct Seat {
    /// True between `run` and `park`. Stored by its participant, read by the stopper. False is stored with Release and read
    /// with Acquire, which publishes what the participant has done. True pairs with `pending`, each side storing its own, passing
    /// a SeqCst fence and loading the other's (Dekker's pattern): either the participant sees `pending` after it has
    /// announced itself, or the stopper sees it running.
    is_running: AtomicBool,
}

/// Shared by all participants and stoppers.
pub struct Barrier {
    /// Stored by the one stopper whose turn it is, read by participants. For true see `Seat`. False is stored with Release, under
    /// `gate`, and publishes what the stopper has done to whoever then runs. Relaxed in `checkpoint`, which decides nothing.
    pending: AtomicBool,
    /// Held by a stopper until the world goes on: one at a time, and nobody joins or leaves meanwhile.
    seats: Mutex<Vec<Arc<CachePadded<Seat>>>>,
    gate: Mutex<()>,
    resume: Condvar,
}

// A panic while one of the mutexes is held leaves nothing half done: they guard a list, or nothing.
impl Default for Barrier {
    fn default() -> Barrier {
        Barrier {
            pending: AtomicBool::new(false),
            seats: Mutex::new(Vec::new()),
            gate: Mutex::new(()),
            resume: Condvar::new(),
        }
    }
}

#[cfg(not(loom))]
thread_local! {
    /// Is this very thread the one for which the world stands still?
    static IS_STOPPER: Cell<bool> = const { Cell::new(false) };
}

#[cfg(loom)]
loom::thread_local! {
    static IS_STOPPER: Cell<bool> = Cell::new(false);
}

#[inline]
fn is_stopper() -> bool {
    IS_STOPPER.with(Cell::get)
}

/// Waits a little for a participant, the `looks`-th time.
#[cfg(not(loom))]
fn wait_a_little(looks: u32) {
    if looks < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(loom)]
fn wait_a_little(_looks: u32) {
    crate::base::sync::yield_now();
}

impl Barrier {
    /// Does the world stand still for this very thread?
    pub fn stands_for_me(&self) -> bool {
        is_stopper()
    }

    /// Adds a participant, which is parked at first.
    pub fn join(self: &Arc<Barrier>) -> Participant {
        let seat = Arc::new(CachePadded::new(Seat { is_running: AtomicBool::new(false) }));
        lock(&self.seats).push(seat.clone());
        Participant { barrier: self.clone(), seat }
    }

    /// Runs `work` while all participants stand still. A participant that calls this passes itself as `me`; it is
    /// running again when this returns, and whatever it had cached of the world may have changed. Calls may nest: inside
    /// `work` the world stands still already.
    pub fn stop<R>(&self, me: Option<&Participant>, work: impl FnOnce() -> R) -> R {
        if is_stopper() {
            return work();
        }
        if let Some(me) = me {
            // Another stopper may have its turn first, and must not wait for us.
            me.park();
        }
        let result = {
            let _standing = Standing::still(self);
            work()
        };
        if let Some(me) = me {
            me.run();
        }
        result
    }
}

/// While this lives the world stands still; dropping it, also in a panic, lets everybody go.
struct Standing<'a> {
    barrier: &'a Barrier,
    _seats: MutexGuard<'a, Vec<Arc<CachePadded<Seat>>>>,
}

impl<'a> Standing<'a> {
    fn still(barrier: &'a Barrier) -> Standing<'a> {
        let seats = lock(&barrier.seats);
        barrier.pending.store(true, Relaxed);
        fence(SeqCst);
        for seat in seats.iter() {
            let mut looks = 0;
            while seat.is_running.load(Acquire) {
                looks += 1;
                wait_a_little(looks);
            }
        }
        IS_STOPPER.with(|cell| cell.set(true));
        Standing { barrier, _seats: seats }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        IS_STOPPER.with(|cell| cell.set(false));
        let _gate = lock(&self.barrier.gate);
        self.barrier.pending.store(false, Release);
        self.barrier.resume.notify_all();
    }
}

/// One thread's seat at the barrier. Leaves when dropped.
pub struct Participant {
    barrier: Arc<Barrier>,
    seat: Arc<CachePadded<Seat>>,
}

impl Participant {
    /// From here on this thread may change the keyspace. Waits while the world stands still, unless it does so for us.
    pub fn run(&self) {
        if is_stopper() {
            return;
        }
        loop {
            self.seat.is_running.store(true, Relaxed);
            fence(SeqCst);
            if !self.barrier.pending.load(Acquire) {
                return;
            }
            self.seat.is_running.store(false, Release);
            let mut gate = lock(&self.barrier.gate);
            while self.barrier.pending.load(Acquire) {
                gate = self.barrier.resume.wait(gate).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// From here on this thread changes nothing: it waits for events, or for the world to stop.
    #[inline]
    pub fn park(&self) {
        self.seat.is_running.store(false, Release);
    }

    /// Between two batches: stands still if somebody asks for it.
    #[inline]
    pub fn checkpoint(&self) {
        if self.barrier.pending.load(Relaxed) {
            self.park();
            self.run();
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.park();
        lock(&self.barrier.seats).retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

#[cfg(all(test, loom))]
#[path = "barrier_loom_tests.rs"]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    use super::Barrier;

    /// Workers change two counters together; a stopper must never see them differ.
    #[test]
    fn nobody_is_inside_a_command_while_the_world_stands_still() {
        let barrier = Arc::new(Barrier::default());
        let counters = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let done = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, counters, done) = (barrier.clone(), counters.clone(), done.clone());
                std::thread::spawn(move || {
                    let me = barrier.join();
                    me.run();
                    while !done.load(Relaxed) {
                        counters[0].fetch_add(1, Relaxed);
                        std::hint::spin_loop();
                        counters[1].fetch_add(1, Relaxed);
                        me.checkpoint();
                    }
                    // A participant may be a stopper as well.
                    barrier.stop(Some(&me), || {
                        assert_eq!(counters[0].load(Relaxed), counters[1].load(Relaxed));
                    });
                })
            })
            .collect();
        let mut stops = 0;
        // Both sides have to make headway: stops alone prove nothing while no worker has begun.
        while stops < 500 || counters[0].load(Relaxed) < 10_000 {
            stops += 1;
            barrier.stop(None, || {
                assert_eq!(counters[0].load(Relaxed), counters[1].load(Relaxed));
            });
        }
        done.store(true, Relaxed);
        workers.into_iter().for_each(|worker| worker.join().expect("no assertion failed"));
    }
}
