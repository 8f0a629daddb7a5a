//! Failover: how far the handing over of the primary's part to a replica has got, and who may take it.
//!
//! ```text
//!          FAILOVER                    a replica has everything             the target accepts, or refuses: then
//!   Idle ------------> WaitingForSync ---------------------------> InProgress -----------> Idle   we lead on
//!    ^                  |     the time is over and it is forced        |
//!    |                  v                                              v
//!    +------ ABORT, or the time is over ------<------ ABORT -----------+
//! ```
//!
//! Begun and ended by `server::failover`; the link asks whether it hands over, and reports what came of it; INFO, REPLICAOF, the
//! admission of replicas and the upkeep look at the phase. Always: outside of `Idle` writes are paused and the stream stands still;
//! an attempt is ended once, by whoever wins `end`.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::base::sync::lock;
use crate::commands::spec::Failure;
use crate::commands::spec::host::FailoverWish;
use crate::replication::primary::follower::{Follower, FollowerState};
use crate::replication::primary::upkeep::GETACK;
use crate::replication::state::Replication;

/// See the drawing at the top of the file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Phase {
    #[default]
    Idle,
    /// No replica that may take over has acknowledged everything yet.
    WaitingForSync,
    /// We follow the one that takes over, and it has not answered yet.
    InProgress,
}

impl Phase {
    /// As INFO shows it.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Idle => "no-failover",
            Phase::WaitingForSync => "waiting-for-sync",
            Phase::InProgress => "failover-in-progress",
        }
    }
}

/// What the target said to our PSYNC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accepted,
    Refused,
    /// Somebody else has ended the attempt meanwhile.
    CalledOff,
}

#[derive(Default)]
struct Plan {
    phase: Phase,
    /// Counts attempts: names the present one.
    attempt: u64,
    is_accepted: Option<bool>,
}

/// The present attempt, if there is one.
#[derive(Default)]
pub struct Failover {
    plan: Mutex<Plan>,
    changed: Condvar,
}

impl Failover {
    pub fn phase(&self) -> Phase {
        lock(&self.plan).phase
    }

    /// Begins an attempt; its number.
    ///
    /// # Errors
    /// There is one already.
    fn begin(&self) -> Result<u64, Failure> {
        let mut plan = lock(&self.plan);
        if plan.phase != Phase::Idle {
            return Err(Failure::text("ERR FAILOVER already in progress."));
        }
        *plan = Plan { phase: Phase::WaitingForSync, attempt: plan.attempt + 1, is_accepted: None };
        Ok(plan.attempt)
    }

    /// Does this attempt still wait for a replica?
    pub fn waits(&self, attempt: u64) -> bool {
        let plan = lock(&self.plan);
        plan.attempt == attempt && plan.phase == Phase::WaitingForSync
    }

    /// The wait is over, the handing over begins. False if the attempt has been ended.
    pub fn proceed(&self, attempt: u64) -> bool {
        let mut plan = lock(&self.plan);
        let is_wanted = plan.attempt == attempt && plan.phase == Phase::WaitingForSync;
        if is_wanted {
            plan.phase = Phase::InProgress;
        }
        is_wanted
    }

    /// The link tells what the target has said.
    pub fn report(&self, is_accepted: bool) {
        let mut plan = lock(&self.plan);
        if plan.phase == Phase::InProgress {
            plan.is_accepted = Some(is_accepted);
        }
        drop(plan);
        self.changed.notify_all();
    }

    /// Waits for what the link reports.
    pub fn verdict(&self, attempt: u64) -> Verdict {
        let mut plan = lock(&self.plan);
        loop {
            if plan.attempt != attempt || plan.phase == Phase::Idle {
                return Verdict::CalledOff;
            }
            match plan.is_accepted {
                Some(true) => return Verdict::Accepted,
                Some(false) => return Verdict::Refused,
                None => plan = self.changed.wait(plan).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Ends an attempt, or whichever there is; the phase that it was in. None if there is none, or another one.
    pub fn end(&self, attempt: Option<u64>) -> Option<Phase> {
        let mut plan = lock(&self.plan);
        let is_meant = attempt.is_none_or(|attempt| attempt == plan.attempt);
        if plan.phase == Phase::Idle || !is_meant {
            return None;
        }
        let phase = std::mem::take(&mut plan.phase);
        drop(plan);
        self.changed.notify_all();
        Some(phase)
    }
}

impl Replication {
    /// FAILOVER: may what is wished happen? Then it has begun, and has this number.
    ///
    /// # Errors
    /// The refusals of Redis, in its order.
    pub fn begin_failover(&self, wish: &FailoverWish) -> Result<u64, Failure> {
        if self.failover.phase() != Phase::Idle {
            return Err(Failure::text("ERR FAILOVER already in progress."));
        }
        if self.role().link().is_some() {
            return Err(Failure::text("ERR FAILOVER is not valid when server is a replica."));
        }
        if self.primary.followers.is_empty() {
            return Err(Failure::text("ERR FAILOVER requires connected replicas."));
        }
        if wish.is_forced && (wish.timeout.is_none() || wish.target.is_none()) {
            return Err(Failure::text(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
            ));
        }
        if let Some((host, port)) = &wish.target {
            let followers = self.primary.followers.list();
            let target = followers.iter().find(|follower| is_at(follower, host, *port));
            let state = target
                .map(|follower| follower.state())
                .ok_or(Failure::text("ERR FAILOVER target HOST and PORT is not a replica."))?;
            if state != FollowerState::Online {
                return Err(Failure::text("ERR FAILOVER target replica is not online."));
            }
        }
        self.failover.begin()
    }

    /// Where a replica listens that may take over and has acknowledged `offset`.
    pub fn heir(&self, target: Option<&(String, i64)>, offset: u64) -> Option<(String, u16)> {
        let followers = self.primary.followers.list();
        let is_heir = |follower: &&std::sync::Arc<Follower>| {
            follower.state() == FollowerState::Online
                && follower.port != 0
                && follower.acked() >= offset
                && target.is_none_or(|(host, port)| is_at(follower, host, *port))
        };
        followers.iter().find(is_heir).map(|follower| (follower.ip.clone(), follower.port))
    }

    /// Has replicas acknowledge what they have at once, instead of within a second. Only while the world stands still.
    ///
    /// What they answer leaves the question itself out; they have it all the same. Only who acknowledges by chance just before
    /// the question reaches it, and gets it after our PSYNC, would have us synchronize in full: the question has been under way
    /// for a handshake of several round trips by then.
    pub fn question_replicas(&self) {
        if let Some(mut writer) = self.engine().backlog().and_then(|backlog| backlog.writer()) {
            writer.append(None, &[GETACK]);
        }
    }
}

fn is_at(follower: &Follower, host: &str, port: i64) -> bool {
    follower.ip.eq_ignore_ascii_case(host) && i64::from(follower.port) == port
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Failover, Phase, Verdict};

    #[test]
    fn an_attempt_goes_through_its_phases_and_is_ended_once() {
        let failover = Failover::default();
        assert_eq!((failover.phase(), failover.end(None)), (Phase::Idle, None));
        let first = failover.begin().expect("there is none yet");
        assert!(failover.begin().is_err() && failover.waits(first));
        // Nobody has been asked yet.
        failover.report(true);
        assert!(failover.proceed(first) && !failover.proceed(first) && !failover.waits(first));
        failover.report(true);
        assert_eq!(failover.verdict(first), Verdict::Accepted);
        assert_eq!(failover.end(Some(first)), Some(Phase::InProgress));
        assert_eq!((failover.end(Some(first)), failover.verdict(first)), (None, Verdict::CalledOff));
    }

    #[test]
    fn the_thread_of_an_attempt_that_was_called_off_does_not_touch_the_next_one() {
        let failover = Failover::default();
        let first = failover.begin().expect("there is none yet");
        assert_eq!(failover.end(None), Some(Phase::WaitingForSync));
        let second = failover.begin().expect("the first has ended");
        assert!(!failover.proceed(first) && !failover.waits(first));
        assert_eq!((failover.end(Some(first)), failover.verdict(first)), (None, Verdict::CalledOff));
        assert!(failover.proceed(second));
        failover.report(false);
        assert_eq!(failover.verdict(second), Verdict::Refused);
    }

    #[test]
    fn who_waits_for_the_verdict_hears_of_the_end() {
        let failover = Arc::new(Failover::default());
        let attempt = failover.begin().expect("there is none yet");
        assert!(failover.proceed(attempt));
        let waiting = failover.clone();
        let thread = std::thread::spawn(move || waiting.verdict(attempt));
        assert_eq!(failover.end(None), Some(Phase::InProgress));
        assert_eq!(thread.join().expect("it does not panic"), Verdict::CalledOff);
    }
}
