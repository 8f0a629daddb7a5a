//! FAILOVER from its begin to its end: pauses writes, waits for a replica that has everything, follows it and has it take over.
//!
//! ```text
//!   begin (worker, the world stands still): checks, pause, where the stream ends
//!   thread:  a replica has acknowledged that --> follow it, the link says PSYNC ... FAILOVER --> accepted: writes hear -READONLY
//!                \-- time, FAILOVER ABORT --> as before            refused --> we lead on under a new name
//! ```
//!
//! Called by the host. The phases are in `replication::failover`.
//! Always: an attempt ends once, and then writes are no longer paused; a phase and the role that goes with it change together, while
//! the world stands still.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::info;

use crate::commands::spec::Failure;
use crate::commands::spec::host::FailoverWish;
use crate::replication::failover::{Phase, Verdict};
use crate::server::shared::Shared;

/// How often it is looked whether a replica has everything.
const LOOK: Duration = Duration::from_millis(2);

/// One attempt, as its thread sees it.
struct Attempt {
    shared: Arc<Shared>,
    number: u64,
    wish: FailoverWish,
    /// Where the stream ended when writes were paused.
    offset: u64,
    until: Option<Instant>,
}

/// Begins a failover; writes are paused when this returns.
///
/// # Errors
/// It is not possible as things are, or the system has no thread for it.
pub fn begin(shared: &Arc<Shared>, wish: FailoverWish) -> Result<(), Failure> {
    let (engine, replication) = (&shared.engine, shared.replication());
    let (number, offset) = engine.barrier.stop(None, || -> Result<(u64, u64), Failure> {
        let number = replication.begin_failover(&wish)?;
        engine.set_failing_over(true);
        let offset = replication.offset().0;
        if replication.heir(wish.target.as_ref(), offset).is_none() {
            replication.question_replicas();
        }
        Ok((number, offset))
    })?;
    match &wish.target {
        Some((host, port)) => info!("FAILOVER requested to {host}:{port}."),
        None => info!("FAILOVER requested to any replica."),
    }
    let until = wish.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let attempt = Attempt { shared: shared.clone(), number, wish, offset, until };
    let thread = std::thread::Builder::new().name("failover".into()).spawn(move || attempt.run());
    if let Err(cause) = thread {
        abort(shared, Some(number), "there is no thread for it");
        return Err(Failure::new(format!("ERR no thread can be had: {cause}")));
    }
    Ok(())
}

/// Ends an attempt, or whichever there is, without success: we lead on. False if there is none.
pub fn abort(shared: &Arc<Shared>, number: Option<u64>, reason: &str) -> bool {
    let was_any = shared.engine.barrier.stop(None, || {
        let Some(phase) = shared.replication().failover.end(number) else { return false };
        if phase == Phase::InProgress {
            shared.lead();
        }
        shared.engine.set_failing_over(false);
        true
    });
    if was_any {
        info!("FAILOVER aborted: {reason}");
        go_on(shared);
    }
    was_any
}

/// Whoever was kept waiting by the pause tries again.
fn go_on(shared: &Shared) {
    shared.wake_workers();
    shared.links().wake();
}

impl Attempt {
    fn run(self) {
        let Some((host, port)) = self.await_heir() else { return };
        let shared = &self.shared;
        let failover = &shared.replication().failover;
        let followed = shared
            .engine
            .barrier
            .stop(None, || failover.proceed(self.number).then(|| shared.follow(&host, port)));
        match followed {
            // Called off a moment ago.
            None => return,
            Some(Ok(_)) => {}
            Some(Err(cause)) => {
                log::warn!("The link to the failover target can't be started: {cause}");
                abort(shared, Some(self.number), "no link to the target");
                return;
            }
        }
        match failover.verdict(self.number) {
            Verdict::CalledOff => {}
            Verdict::Refused => {
                abort(shared, Some(self.number), "Failover target rejected psync request");
            }
            Verdict::Accepted => {
                if failover.end(Some(self.number)).is_some() {
                    shared.engine.set_failing_over(false);
                    go_on(shared);
                }
            }
        }
    }

    /// Where the one listens that takes over; none if the attempt has ended before.
    fn await_heir(&self) -> Option<(String, u16)> {
        let replication = self.shared.replication();
        while replication.failover.waits(self.number) {
            if let Some((host, port)) = replication.heir(self.wish.target.as_ref(), self.offset) {
                info!("Failover target {host}:{port} is synced, failing over.");
                return Some((host, port));
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return self.give_up_waiting();
            }
            std::thread::sleep(LOOK);
        }
        None
    }

    /// The time is over: the target takes over with what it has if that was asked for, else nobody.
    fn give_up_waiting(&self) -> Option<(String, u16)> {
        let target = self.wish.target.as_ref().filter(|_| self.wish.is_forced);
        let target = target.and_then(|(host, port)| Some((host.clone(), u16::try_from(*port).ok()?)));
        match &target {
            Some((host, port)) => info!("FAILOVER to {host}:{port} time out exceeded, failing over."),
            None => {
                abort(&self.shared, Some(self.number), "Replica never caught up before timeout");
            }
        }
        target
    }
}
