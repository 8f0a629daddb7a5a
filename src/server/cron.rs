//! Cron: the thread for what happens by the clock and not by request.
//!
//! ```text
//!  hz times a second   active expiry, within a share of the time; a sample for INFO's rates
//!  once a second       save points, the replication tick
//! ```
//!
//! Started by `boot`, ended by `Cron::stop`. Always: whatever it changes in the keyspace it changes as an executor, under the
//! barrier's rules.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};

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

impl Cron {
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Cron> {
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new().name("cron".into()).spawn(move || {
            let mut expiry = ActiveExpiry::new(Executor::new(shared.engine.clone()));
            let mut next_second = Instant::now() + Duration::from_secs(1);
            loop {
                let period = Duration::from_secs(1) / shared.engine.config.load().hz.max(1);
                match stopped.recv_timeout(period) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
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

    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!("the cron thread ended in a panic");
        }
    }
}
