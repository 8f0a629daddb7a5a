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
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam::utils::CachePadded;

/// How long a stopper waits between two looks at a participant that is still running, after a short spin.
const LOOK_EVERY: Duration = Duration::from_micros(20);
const SPINS: u32 = 200;

/// One participant's state.
struct Seat {
    /// True between `run` and `park`. Stored by its participant, read by the stopper. SeqCst, paired with `pending`: either
    /// the participant sees `pending` after it has announced itself, or the stopper sees it running (Dekker's pattern).
    is_running: AtomicBool,
}

/// Shared by all participants and stoppers.
#[derive(Default)]
pub struct Barrier {
    /// Stored by the one stopper whose turn it is, read by participants. SeqCst where it decides (see `Seat`), Relaxed
    /// in `checkpoint`, which then decides with SeqCst.
    pending: AtomicBool,
    seats: Mutex<Vec<Arc<CachePadded<Seat>>>>,
    /// One stopper at a time.
    turn: Mutex<()>,
    gate: Mutex<()>,
    resume: Condvar,
}

thread_local! {
    /// Is this very thread the one for which the world stands still?
    static IS_STOPPER: Cell<bool> = const { Cell::new(false) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while one of these is held leaves nothing half done: they guard a list, or nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Barrier {
    /// Does the world stand still for this very thread?
    pub fn stands_for_me(&self) -> bool {
        IS_STOPPER.get()
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
        if IS_STOPPER.get() {
            return work();
        }
        if let Some(me) = me {
            // Another stopper may have its turn first, and must not wait for us.
            me.park();
        }
        let result = {
            let _turn = lock(&self.turn);
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
    /// Held so that nobody joins meanwhile.
    _seats: MutexGuard<'a, Vec<Arc<CachePadded<Seat>>>>,
}

impl<'a> Standing<'a> {
    fn still(barrier: &'a Barrier) -> Standing<'a> {
        let seats = lock(&barrier.seats);
        barrier.pending.store(true, SeqCst);
        for seat in seats.iter() {
            let mut spins = 0;
            while seat.is_running.load(SeqCst) {
                spins += 1;
                if spins < SPINS {
                    std::hint::spin_loop();
                } else {
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
        IS_STOPPER.set(true);
        Standing { barrier, _seats: seats }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        IS_STOPPER.set(false);
        let _gate = lock(&self.barrier.gate);
        self.barrier.pending.store(false, SeqCst);
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
        if IS_STOPPER.get() {
            return;
        }
        loop {
            self.seat.is_running.store(true, SeqCst);
            if !self.barrier.pending.load(SeqCst) {
                return;
            }
            self.seat.is_running.store(false, SeqCst);
            let mut gate = lock(&self.barrier.gate);
            while self.barrier.pending.load(SeqCst) {
                gate = self.barrier.resume.wait(gate).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// From here on this thread changes nothing: it waits for events, or for the world to stop.
    #[inline]
    pub fn park(&self) {
        self.seat.is_running.store(false, SeqCst);
    }

    /// Between two batches: stands still if somebody asks for it.
    #[inline]
    pub fn checkpoint(&self) {
        if self.barrier.pending.load(std::sync::atomic::Ordering::Relaxed) {
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

#[cfg(test)]
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
