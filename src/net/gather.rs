//! How long a busy worker waits for more requests before it asks poll: network cards moderate interrupts for the same reason.
//!
//! ```text
//!   without   |run|zz|run|zz|run|zz|run|zz        a sleep, a wake-up, and often the client's wake-up, for each few requests
//!   with      |run|zzzzzzzz|run run run|zzzz      the same requests in fewer, larger turns
//! ```
//!
//! The event loop notes each read and asks once a turn. Always: one connection, or a few, or a worker that has little to do, never
//! wait; a connection waits at most a quarter of the time that it takes from one request to the next, and `DELAY_NS_MAX`.

use std::time::Duration;

/// The longest wait. Measured with 50 connections, one command at a time to pipelines of 64: 100 and 200 us save about as much
/// CPU time, 50 us nothing, as the timer costs as much as the wake-up that it spares.
const DELAY_NS_MAX: u64 = 150_000;
/// A wait must be worth so many reads.
const READS_MIN: u64 = 4;
/// Reads are counted over so much time at least. Shorter: chance decides. Longer: what it tells is over.
const ROUND_NS: u64 = 1_000_000;
/// A round that took longer had long sleeps in it.
const ROUND_NS_MAX: u64 = 4 * ROUND_NS;

/// The round in which a connection was last read from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Round(u32);

/// What one worker's connections have asked for lately.
#[derive(Debug)]
pub(super) struct Gather {
    round: Round,
    started_ns: u64,
    /// Reads in this round, and the connections that they were from.
    reads: u64,
    connections: u64,
    /// Reads when the last turn began.
    reads_before: u64,
    /// What the last round has led to: how long to wait after a turn with how many reads at most. No wait: 0.
    delay_ns: u64,
    few: u64,
}

impl Gather {
    pub fn new(now_ns: u64) -> Self {
        Gather {
            round: Round(1),
            started_ns: now_ns,
            reads: 0,
            connections: 0,
            reads_before: 0,
            delay_ns: 0,
            few: 0,
        }
    }

    /// Something was read from a connection that was last read from in `seen`.
    #[inline]
    pub fn note(&mut self, seen: &mut Round) {
        self.reads += 1;
        if *seen != self.round {
            *seen = self.round;
            self.connections += 1;
        }
    }

    /// A turn is over and nothing is left to do: how long to wait before poll is asked.
    pub fn delay(&mut self, now_ns: u64) -> Option<Duration> {
        let in_turn = self.reads - self.reads_before;
        let elapsed_ns = now_ns.saturating_sub(self.started_ns);
        if elapsed_ns >= ROUND_NS {
            self.conclude(elapsed_ns);
            self.round.0 = self.round.0.wrapping_add(1);
            self.started_ns = now_ns;
            (self.reads, self.connections) = (0, 0);
        }
        self.reads_before = self.reads;
        // After a turn with many reads there are more by now.
        (self.delay_ns > 0 && in_turn <= self.few).then_some(Duration::from_nanos(self.delay_ns))
    }

    fn conclude(&mut self, elapsed_ns: u64) {
        self.few = self.connections / 4;
        // Each of the connections that are at it sends once in so much time.
        let cycle_ns = elapsed_ns * self.connections / self.reads.max(1);
        let delay_ns = (cycle_ns / 4).min(DELAY_NS_MAX);
        let expected = self.reads * delay_ns / elapsed_ns;
        let is_worth_it = elapsed_ns <= ROUND_NS_MAX && expected >= READS_MIN;
        self.delay_ns = if is_worth_it { delay_ns } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rounds in which `connections` send every `cycle_ns`, `per_turn` of them at a time; what is to be waited after the last
    /// turn.
    fn steady(connections: usize, cycle_ns: u64, per_turn: usize) -> Option<Duration> {
        let mut gather = Gather::new(0);
        let mut seen = vec![Round::default(); connections];
        let (mut now, mut next, mut delay) = (0, 0, None);
        while now < 2 * ROUND_NS_MAX {
            for _ in 0..per_turn {
                gather.note(&mut seen[next % connections]);
                next += 1;
            }
            now += cycle_ns * per_turn as u64 / connections as u64;
            delay = gather.delay(now);
        }
        delay
    }

    #[test]
    fn one_connection_or_a_few_never_wait() {
        for connections in 1..16 {
            for cycle_ns in [20_000, 50_000, 600_000, 1_000_000] {
                assert_eq!(steady(connections, cycle_ns, 1), None, "{connections} {cycle_ns}");
            }
        }
    }

    #[test]
    fn many_busy_connections_wait_a_part_of_their_cycle() {
        assert_eq!(steady(50, 400_000, 1), Some(Duration::from_nanos(100_000)));
        assert_eq!(steady(50, 800_000, 1), Some(Duration::from_nanos(DELAY_NS_MAX)));
    }

    #[test]
    fn turns_with_many_reads_are_not_followed_by_a_wait() {
        assert_eq!(steady(50, 400_000, 12).map(|_| ()), Some(()));
        assert_eq!(steady(50, 400_000, 25), None);
    }

    #[test]
    fn many_connections_that_send_seldom_do_not_wait() {
        // 10,000 connections with a request a second each.
        assert_eq!(steady(10_000, 1_000_000_000, 1), None);
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let mut gather = Gather::new(0);
        let mut seen = [Round::default(); 50];
        seen.iter_mut().for_each(|seen| gather.note(seen));
        assert_eq!(gather.delay(1_000_000_000), None);
    }
}
