//! Cron: the thread for what happens by the clock and not by request.
//!
//! ```text
//!  hz times a second   active expiry, within a share of the time; a sample for INFO's rates
//!  once a second       save points, the replication tick
//! ```
//!
//! A call in between makes it let go of databases that somebody waits for to be freed.
//! Started by `boot`, ended by `Cron::stop`. Always: whatever it changes in the keyspace it changes as an executor, under the
//! barrier's rules.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use crossbeam::select;

use crate::exec::active_expiry::{ActiveExpiry, Round};
use crate::exec::executor::Executor;
use crate::server::shared::Shared;

/// Active expiry may take this share of each period, as in Redis (25 %).
const EXPIRY_SHARE: u32 = 4;

/// The running thread.
pub struct Cron {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Anybody's way to the thread between two rounds.
pub struct CronCall {
    sender: Sender<()>,
    calls: Receiver<()>,
}

impl Default for CronCall {
    fn default() -> CronCall {
        // A second call says nothing that the first one does not.
        let (sender, calls) = bounded(1);
        CronCall { sender, calls }
    }
}

impl CronCall {
    /// Makes the thread look at what is current. It may have ended, or not have begun yet.
    pub fn call(&self) {
        let _ = self.sender.try_send(());
    }
}

impl Cron {
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Cron> {
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new().name("cron".into()).spawn(move || {
            let mut expiry = ActiveExpiry::new(Executor::new(shared.engine.clone()));
            let mut next_second = Instant::now() + Duration::from_secs(1);
            loop {
                let period = Duration::from_secs(1) / shared.engine.config.load().hz.max(1);
                if !sleep(period, &stopped, || expiry.let_go(), &shared.cron.calls) {
                    return;
                }
                if shared.is_cron_paused.load(Relaxed) {
                    continue;
                }
                let started = Instant::now();
                match expiry.round(period / EXPIRY_SHARE) {
                    // What is left over is taken up by the next round.
                    Round::Complete | Round::OutOfTime => {}
                }
                shared.note_event("expire-cycle", started.elapsed());
                shared.every_round();
                if Instant::now() >= next_second {
                    next_second += Duration::from_secs(1);
                    shared.every_second();
                }
            }
        })?;
        Ok(Cron { stop, thread })
    }

    /// The thread ends with its round.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!("the cron thread ended in a panic");
        }
    }
}

/// Sleeps until the next round, with `on_call` for each call meanwhile. False if the thread is to end.
fn sleep(period: Duration, stopped: &Receiver<()>, mut on_call: impl FnMut(), calls: &Receiver<()>) -> bool {
    let until = Instant::now() + period;
    loop {
        select! {
            recv(stopped) -> _ => return false,
            recv(calls) -> _ => on_call(),
            default(until.saturating_duration_since(Instant::now())) => return true,
        }
    }
}
