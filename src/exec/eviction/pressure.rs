//! Pressure: whether memory has been beyond `maxmemory` of late, and for how long in all.
//!
//! ```text
//!  found beyond the limit --> scarce for SCARCE_MS: buffers that have done their work are given back at once
//!  could not be brought below it --> exceeded_since = now      ...below it again--> total += now - exceeded_since
//! ```
//!
//! One per engine. Told by every executor that makes room, read by event loops and INFO.
//! Always: nothing but display and thrift depends on it; without a limit of memory nobody writes here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::exec::eviction::Room;

/// After memory was last found beyond its limit it counts as scarce for so long. Longer: a server that is back below its limit
/// allocates buffers anew with each turn. Shorter: what evictions made clients hold becomes the reason of the next ones.
const SCARCE_MS: u64 = 1000;

/// See the top of the file. All fields: written by any executor, read by anybody, Relaxed; they publish nothing.
#[derive(Default)]
pub struct Pressure {
    /// Monotonic ms when memory was last beyond its limit, plus one; 0: never.
    found_ms: AtomicU64,
    /// Monotonic ns since when making room has not helped, plus one; 0: it has.
    exceeded_since: AtomicU64,
    /// Nanoseconds of all such times that are over.
    exceeded_total: AtomicU64,
}

impl Pressure {
    /// Memory is beyond its limit.
    pub(super) fn note_found(&self, now_ns: u64) {
        let ms = now_ns / 1_000_000 + 1;
        if self.found_ms.load(Relaxed) != ms {
            self.found_ms.store(ms, Relaxed);
        }
    }

    /// What came of making room. `now_ns` reads the monotonic clock.
    #[inline]
    pub(super) fn note(&self, room: Room, now_ns: impl Fn() -> u64) {
        let since = self.exceeded_since.load(Relaxed);
        match room {
            Room::Enough if since == 0 => {}
            Room::Enough => {
                if self.exceeded_since.compare_exchange(since, 0, Relaxed, Relaxed).is_ok() {
                    self.exceeded_total.fetch_add((now_ns() + 1).saturating_sub(since), Relaxed);
                }
            }
            Room::Later | Room::Full if since == 0 => {
                // Somebody else who is faster is as right.
                let _ = self.exceeded_since.compare_exchange(0, now_ns() + 1, Relaxed, Relaxed);
            }
            Room::Later | Room::Full => {}
        }
    }

    /// Has memory been beyond its limit within the last moment?
    pub fn is_scarce(&self, now_ms: u64) -> bool {
        let found = self.found_ms.load(Relaxed);
        found != 0 && now_ms < found + SCARCE_MS
    }

    /// Milliseconds beyond the limit in all, and since it was exceeded last (0 if it is not): INFO's `*_eviction_exceeded_time`.
    pub fn exceeded_ms(&self, now_ns: u64) -> (u64, u64) {
        let current = self.exceeded_for_ns(now_ns);
        ((self.exceeded_total.load(Relaxed) + current) / 1_000_000, current / 1_000_000)
    }

    /// Nanoseconds since making room stopped to help; 0 if it does.
    pub(super) fn exceeded_for_ns(&self, now_ns: u64) -> u64 {
        match self.exceeded_since.load(Relaxed) {
            0 => 0,
            since => (now_ns + 1).saturating_sub(since),
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.exceeded_since.store(0, Relaxed);
        self.exceeded_total.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Pressure, SCARCE_MS};
    use crate::exec::eviction::Room;

    const MS: u64 = 1_000_000;

    #[test]
    fn times_beyond_the_limit_add_up() {
        let pressure = Pressure::default();
        let check = |now: u64, expected| assert_eq!(pressure.exceeded_ms(now * MS), expected, "at {now} ms");
        pressure.note(Room::Enough, || 5 * MS);
        check(9, (0, 0));
        pressure.note(Room::Full, || 10 * MS);
        pressure.note(Room::Later, || 20 * MS);
        check(25, (15, 15));
        pressure.note(Room::Enough, || 30 * MS);
        check(99, (20, 0));
        pressure.note(Room::Later, || 100 * MS);
        check(101, (21, 1));
        pressure.reset();
        check(200, (0, 0));
    }

    #[test]
    fn memory_is_scarce_for_a_while_after_it_was_beyond_its_limit() {
        let pressure = Pressure::default();
        assert!(!pressure.is_scarce(0));
        pressure.note_found(0);
        assert!(pressure.is_scarce(0) && pressure.is_scarce(SCARCE_MS) && !pressure.is_scarce(SCARCE_MS + 1));
    }
}
