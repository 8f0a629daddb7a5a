//! Meters: what INFO shows about the recent past, sampled by the clock: rates, traffic since the last reset, peak memory.
//!
//! Kept by `Shared`; cron samples, INFO reads, CONFIG RESETSTAT resets.
//! Always: a rate is the mean over the last `SAMPLES` rounds of cron, as in Redis.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::alloc::used_memory;
use crate::net::event_loop::WorkerHandle;

/// Rates are means over this many samples.
const SAMPLES: usize = 16;
/// Samples are at least this far apart, whatever `hz` says.
const SAMPLE_EVERY_MS: u64 = 100;

/// Bytes and system calls of all workers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Traffic {
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

impl Traffic {
    /// Since the start of the server.
    pub fn of(workers: &[WorkerHandle]) -> Traffic {
        let mut sum = Traffic::default();
        for worker in workers {
            let counters = worker.counters();
            sum.input_bytes += counters.input_bytes.load(Relaxed);
            sum.output_bytes += counters.output_bytes.load(Relaxed);
            sum.reads += counters.reads.load(Relaxed);
            sum.writes += counters.writes.load(Relaxed);
        }
        sum
    }

    fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            input_bytes: self.input_bytes.saturating_sub(earlier.input_bytes),
            output_bytes: self.output_bytes.saturating_sub(earlier.output_bytes),
            reads: self.reads.saturating_sub(earlier.reads),
            writes: self.writes.saturating_sub(earlier.writes),
        }
    }
}

/// Per second, in the recent past.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Rates {
    pub commands: f64,
    pub input_bytes: f64,
    pub output_bytes: f64,
}

#[derive(Default)]
struct Samples {
    /// When the last sample was taken (monotonic ms), and what had been counted then.
    last: Option<(u64, u64, Traffic)>,
    recent: [Rates; SAMPLES],
    next: usize,
    /// Traffic at the last reset.
    baseline: Traffic,
}

pub struct Meters {
    samples: Mutex<Samples>,
    /// The highest `used_memory` that was seen. Raised by cron and INFO, set back by RESETSTAT; Relaxed: a display.
    peak_memory: AtomicU64,
    /// `used_memory` before any data was there.
    pub startup_memory: u64,
}

impl Meters {
    /// To be made when nothing is loaded yet.
    pub fn new() -> Meters {
        let used = used_memory();
        Meters { samples: Mutex::default(), peak_memory: AtomicU64::new(used), startup_memory: used }
    }

    fn lock(&self) -> MutexGuard<'_, Samples> {
        // Figures for display: whatever a panic left is as good as any.
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample, unless the last one is too recent.
    pub fn sample(&self, commands: u64, traffic: Traffic, now_ms: u64) {
        self.peak_memory();
        let mut samples = self.lock();
        if let Some((then_ms, commands_then, traffic_then)) = samples.last {
            let elapsed = now_ms.saturating_sub(then_ms);
            if elapsed < SAMPLE_EVERY_MS {
                return;
            }
            let moved = traffic.since(traffic_then);
            let per_second = |count: u64| count as f64 * 1000.0 / elapsed as f64;
            let next = samples.next;
            samples.recent[next] = Rates {
                commands: per_second(commands.saturating_sub(commands_then)),
                input_bytes: per_second(moved.input_bytes),
                output_bytes: per_second(moved.output_bytes),
            };
            samples.next = (next + 1) % SAMPLES;
        }
        samples.last = Some((now_ms, commands, traffic));
    }

    pub fn rates(&self) -> Rates {
        let samples = self.lock();
        let mean = |of: fn(&Rates) -> f64| samples.recent.iter().map(of).sum::<f64>() / SAMPLES as f64;
        Rates {
            commands: mean(|rates| rates.commands),
            input_bytes: mean(|rates| rates.input_bytes),
            output_bytes: mean(|rates| rates.output_bytes),
        }
    }

    /// Traffic since the last reset; `now` is that since the start.
    pub fn traffic(&self, now: Traffic) -> Traffic {
        now.since(self.lock().baseline)
    }

    /// The highest use of memory so far, the present included.
    pub fn peak_memory(&self) -> u64 {
        let used = used_memory();
        self.peak_memory.fetch_max(used, Relaxed).max(used)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self, now: Traffic) {
        self.peak_memory.store(used_memory(), Relaxed);
        *self.lock() = Samples { baseline: now, ..Samples::default() };
    }
}

impl Default for Meters {
    fn default() -> Meters {
        Meters::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Meters, SAMPLES, Traffic};

    #[test]
    fn a_steady_rate_is_reached_after_all_samples() {
        let meters = Meters::new();
        for round in 0..=SAMPLES as u64 {
            let traffic = Traffic { input_bytes: round * 1000, ..Traffic::default() };
            meters.sample(round * 50, traffic, round * 100);
            // Too early: not counted.
            meters.sample(round * 50 + 7, traffic, round * 100 + 1);
        }
        assert_eq!(meters.rates().commands, 500.0);
        assert_eq!(meters.rates().input_bytes, 10_000.0);
        meters.reset(Traffic { input_bytes: 5, ..Traffic::default() });
        assert_eq!(meters.rates().commands, 0.0);
        assert_eq!(meters.traffic(Traffic { input_bytes: 9, ..Traffic::default() }).input_bytes, 4);
    }
}
