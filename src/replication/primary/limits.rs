//! Limits: when a replica that does not keep up is cut off.
//!
//! Asked by the senders twice a second. Always: the verdict depends on the arguments alone.

use crate::base::ids::UnixMs;
use crate::config::OutputLimit;

/// Has a replica for which `unsent` bytes are in memory overstepped `client-output-buffer-limit replica`? `soft_since`
/// remembers since when it has been above the soft limit.
pub fn is_overstepped(
    unsent: u64,
    limit: &OutputLimit,
    backlog_size: u64,
    soft_since: &mut Option<UnixMs>,
    now: UnixMs,
) -> bool {
    // A hard limit below the size of the backlog would cut off replicas right after a partial resync.
    if limit.hard_bytes > 0 && unsent >= limit.hard_bytes.max(backlog_size) {
        return true;
    }
    if limit.soft_bytes == 0 || unsent < limit.soft_bytes {
        *soft_since = None;
        return false;
    }
    let since = *soft_since.get_or_insert(now);
    now.0.saturating_sub(since.0) / 1000 > i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::is_overstepped;
    use crate::base::ids::UnixMs;
    use crate::config::OutputLimit;

    const LIMIT: OutputLimit = OutputLimit { hard_bytes: 1000, soft_bytes: 100, soft_seconds: 2 };

    #[test]
    fn the_hard_limit_cuts_at_once_but_never_below_the_backlog() {
        for (unsent, backlog, cut) in
            [(999, 0, false), (1000, 0, true), (1500, 2000, false), (2000, 2000, true)]
        {
            let overstepped = is_overstepped(unsent, &LIMIT, backlog, &mut None, UnixMs(0));
            assert_eq!(overstepped, cut, "{unsent} with a backlog of {backlog}");
        }
        let none = OutputLimit::default();
        assert!(!is_overstepped(u64::MAX, &none, 0, &mut None, UnixMs(0)), "zero is no limit");
    }

    #[test]
    fn the_soft_limit_cuts_after_its_seconds_without_a_break() {
        let mut since = None;
        let mut at = |unsent, ms| is_overstepped(unsent, &LIMIT, 0, &mut since, UnixMs(ms));
        assert!(!at(100, 0));
        assert!(!at(100, 2900));
        assert!(!at(99, 2950), "a break starts the count anew");
        assert!(!at(100, 3000));
        assert!(!at(100, 5999));
        assert!(at(100, 6000));
    }
}
