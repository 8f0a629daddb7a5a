//! The ending: a shutdown from the wish to the point of no return, and how it is called off.
//!
//! ```text
//!             ask               begin                 everybody is in step, or time is over: settle
//!   Running -------> Asked -----------------> Waiting ---------------------------------------------> Final: save, stop
//!      ^               |    (main thread)        |                                                      |
//!      +---------------+-------- abort ----------+--------------------- the save failed: fail ----------+
//! ```
//!
//! Kept by `Shared`. Workers (SHUTDOWN) and the thread of the signals ask, workers abort, the main thread does the rest. Always:
//! every attempt has a number, so that the main thread sees that the one it works on was called off, whatever came after it; a
//! client that has asked is told exactly if the attempt ends in anything but the end.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::base::sync::lock;

/// Where a shutdown stands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Phase {
    #[default]
    Running,
    Asked,
    /// For replicas, at most until then.
    Waiting(Instant),
    Final,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// The number of the last attempt.
    attempt: u64,
    /// Who has asked for it, clients that are blocked.
    clients: Vec<u64>,
}

/// See the top of the file.
#[derive(Default)]
pub struct Ending {
    state: Mutex<State>,
}

impl Ending {
    /// Somebody wants the end: a client, or with 0 a signal. The number of a new attempt, for the main thread; none if one is under
    /// way, which then is this client's as well.
    pub fn ask(&self, client: u64) -> Option<u64> {
        let mut state = lock(&self.state);
        if client != 0 {
            state.clients.push(client);
        }
        if state.phase != Phase::Running {
            return None;
        }
        state.phase = Phase::Asked;
        state.attempt += 1;
        Some(state.attempt)
    }

    /// The main thread takes it up, and will wait for replicas until `until`. False if it was called off.
    pub fn begin(&self, attempt: u64, until: Instant) -> bool {
        self.advance(attempt, Phase::Asked, Phase::Waiting(until))
    }

    /// From now on it cannot be called off. False if it was.
    pub fn settle(&self, attempt: u64) -> bool {
        let mut state = lock(&self.state);
        let is_wanted = state.is_wanted(attempt);
        if is_wanted {
            state.phase = Phase::Final;
        }
        is_wanted
    }

    fn advance(&self, attempt: u64, from: Phase, to: Phase) -> bool {
        let mut state = lock(&self.state);
        let is_wanted = state.attempt == attempt && state.phase == from;
        if is_wanted {
            state.phase = to;
        }
        is_wanted
    }

    /// Was this attempt neither called off nor settled?
    pub fn is_wanted(&self, attempt: u64) -> bool {
        lock(&self.state).is_wanted(attempt)
    }

    /// Calls an attempt off that is not settled: the clients to be told. None if there is nothing to call off.
    pub fn abort(&self) -> Option<Vec<u64>> {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Running | Phase::Final => None,
            Phase::Asked | Phase::Waiting(_) => {
                state.phase = Phase::Running;
                Some(std::mem::take(&mut state.clients))
            }
        }
    }

    /// The end does not come, for the data set could not be saved: the clients to be told.
    pub fn fail(&self) -> Vec<u64> {
        let mut state = lock(&self.state);
        state.phase = Phase::Running;
        std::mem::take(&mut state.clients)
    }

    /// How long replicas are still waited for; none if no shutdown is at that.
    pub fn time_left(&self) -> Option<Duration> {
        match lock(&self.state).phase {
            Phase::Waiting(until) => Some(until.saturating_duration_since(Instant::now())),
            Phase::Running | Phase::Asked | Phase::Final => None,
        }
    }
}

impl State {
    fn is_wanted(&self, attempt: u64) -> bool {
        self.attempt == attempt && matches!(self.phase, Phase::Asked | Phase::Waiting(_))
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;
    use std::time::{Duration, Instant};

    #[test]
    fn whoever_asks_while_an_attempt_is_under_way_shares_its_fate() {
        let ending = Ending::default();
        assert_eq!(ending.ask(7), Some(1));
        assert_eq!((ending.ask(8), ending.ask(0)), (None, None));
        assert!(ending.begin(1, Instant::now()) && ending.is_wanted(1));
        assert_eq!(ending.abort(), Some(vec![7, 8]));
        assert!(!ending.is_wanted(1) && !ending.settle(1));
        assert_eq!(ending.abort(), None, "nothing is left to call off");
    }

    #[test]
    fn an_attempt_that_was_called_off_stays_so_when_the_next_one_begins() {
        let ending = Ending::default();
        assert_eq!(ending.ask(0), Some(1));
        assert!(ending.abort().is_some());
        assert_eq!(ending.ask(0), Some(2));
        let until = Instant::now() + Duration::from_secs(60);
        assert!(!ending.begin(1, until) && ending.time_left().is_none());
        assert!(ending.begin(2, until) && ending.time_left() > Some(Duration::from_secs(30)));
        assert!(ending.settle(2));
        assert_eq!(ending.abort(), None, "too late");
        assert_eq!(ending.ask(9), None);
        assert_eq!(ending.fail(), vec![9]);
        assert_eq!(ending.ask(9), Some(3));
    }
}
