//! The two clocks: wall time for deadlines and what users see, monotonic time for intervals and timeouts.
//! Event loops and background threads read them once a turn and hand the value down; command handlers never do,
//! so that a replayed run sees the same time.
//!
//! Always: wall time can jump in both directions, monotonic time never runs backwards.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall time in milliseconds since 1970-01-01 UTC (negative if the machine believes in an earlier date).
#[inline]
pub fn now_ms() -> i64 {
    now_us().div_euclid(1000)
}

/// Wall time in microseconds since 1970-01-01 UTC.
#[inline]
pub fn now_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// Nanoseconds since the first call in this process; for measuring, never for storing.
#[inline]
pub fn monotonic_ns() -> u64 {
    // Written once by whoever calls first, read by all; OnceLock publishes it (acquire/release).
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// [`monotonic_ns`] in microseconds.
#[inline]
pub fn monotonic_us() -> u64 {
    monotonic_ns() / 1000
}

/// [`monotonic_ns`] in milliseconds.
#[inline]
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_plausible_and_its_units_agree() {
        let (us, ms) = (now_us(), now_ms());
        assert!(us > 1_700_000_000_000_000, "{us}");
        assert!((ms - us / 1000).abs() < 10_000, "{us} {ms}");
    }

    #[test]
    fn monotonic_time_does_not_run_backwards() {
        let mut last = monotonic_ns();
        for _ in 0..1000 {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
    }
}
