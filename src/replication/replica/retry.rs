//! When a link tries again after a full sync that came to nothing.
//!
//! ```text
//!   snapshot not loaded, or stream not applied --useless--> 1 s, 2 s, 4 s ... RETRY_MAX
//!   followed for RETRY_MAX, or lost for another reason -----> 1 s again
//! ```
//!
//! Owned by the link. Each full sync costs the primary a walk over its data set and the line a copy of it, and what could not be
//! loaded or applied once will hardly be better a second later. Always: the first wait is a second, as after any failure.

use std::time::Duration;

/// Between two attempts, as Redis' cron.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest wait. Longer: a primary that has been mended is noticed late. Shorter: one that has not is burdened for nothing.
/// Tests refuse many in a row.
const RETRY_MAX: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// See the top of the file.
#[derive(Debug, Default)]
pub struct Retry {
    /// Full syncs in a row that came to nothing.
    useless: u32,
}

impl Retry {
    /// Another full sync came to nothing: how long to wait.
    pub fn useless(&mut self) -> Duration {
        let wait = wait_after(self.useless, RETRY_MAX);
        self.useless = self.useless.saturating_add(1);
        wait
    }

    /// The primary was followed for so long; `ended_well` unless its stream could not be applied.
    pub fn followed(&mut self, time: Duration, ended_well: bool) {
        if ended_well || time >= RETRY_MAX {
            self.useless = 0;
        }
    }
}

fn wait_after(useless: u32, max: Duration) -> Duration {
    (RETRY_AFTER * 2u32.saturating_pow(useless.min(6))).min(max)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RETRY_MAX, Retry, wait_after};

    #[test]
    fn full_syncs_that_come_to_nothing_are_asked_for_less_and_less_often() {
        let waits: Vec<u64> = (0..9).map(|n| wait_after(n, Duration::from_secs(60)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(u32::MAX, Duration::from_secs(60)).as_secs(), 60);
    }

    #[test]
    fn a_stream_that_breaks_at_once_counts_and_one_that_was_followed_begins_anew() {
        let mut retry = Retry::default();
        for (time, ended_well, useless) in [
            (Duration::ZERO, false, 1),
            (Duration::ZERO, false, 2),
            (RETRY_MAX, false, 1),
            (Duration::ZERO, true, 1),
        ] {
            retry.followed(time, ended_well);
            retry.useless();
            assert_eq!(retry.useless, useless, "after {time:?}");
        }
    }
}
