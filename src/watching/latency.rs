//! The latency monitor: for each kind of event the worst latency of each of the last seconds in which one exceeded
//! `latency-monitor-threshold`.
//!
//! ```text
//!  "command"      [(second, ms), (second, ms), ...]   at most 160, the oldest first; and the worst of all time
//!  "fast-command", "expire-cycle", ...
//! ```
//!
//! Filled by executors (commands) and cron (expiry), read by LATENCY. Always: one sample a second and event, the worst one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use crate::base::sync::lock;

/// Samples that are kept of each event.
const SAMPLES_MAX: usize = 160;

/// The worst latency of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub second: i64,
    pub ms: u64,
}

/// The samples of one event.
#[derive(Clone, Default, Debug)]
pub struct Series {
    pub samples: VecDeque<Sample>,
    /// The worst of all time.
    pub max_ms: u64,
}

/// What the samples of an event come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub count: usize,
    pub mean_ms: u64,
    pub mean_deviation_ms: u64,
    /// From the oldest sample until now.
    pub period_seconds: i64,
}

impl Series {
    fn add(&mut self, sample: Sample) {
        self.max_ms = self.max_ms.max(sample.ms);
        match self.samples.back_mut() {
            Some(last) if last.second == sample.second => last.ms = last.ms.max(sample.ms),
            Some(_) | None => self.samples.push_back(sample),
        }
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// None without samples.
    pub fn summary(&self, now_second: i64) -> Option<Summary> {
        let first = self.samples.front()?;
        let count = self.samples.len() as u64;
        let mean = self.samples.iter().map(|sample| sample.ms).sum::<u64>() / count;
        let deviation = self.samples.iter().map(|sample| sample.ms.abs_diff(mean)).sum::<u64>() / count;
        Some(Summary {
            count: self.samples.len(),
            mean_ms: mean,
            mean_deviation_ms: deviation,
            period_seconds: (now_second - first.second).max(1),
        })
    }
}

/// See the top of the file.
#[derive(Default)]
pub struct Latency {
    events: Mutex<BTreeMap<&'static str, Series>>,
}

impl Latency {
    /// An event has taken `ms`, which is more than the threshold.
    pub fn add(&self, event: &'static str, second: i64, ms: u64) {
        lock(&self.events).entry(event).or_default().add(Sample { second, ms });
    }

    /// All events that have samples.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        lock(&self.events).iter().map(|(event, series)| (*event, series.clone())).collect()
    }

    pub fn get(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        let events = lock(&self.events);
        let found = events.iter().find(|(name, _)| name.as_bytes() == event);
        found.map(|(name, series)| (*name, series.clone()))
    }

    /// Forgets one event, or all; how many that were.
    pub fn reset(&self, event: Option<&[u8]>) -> usize {
        let mut events = lock(&self.events);
        let before = events.len();
        events.retain(|name, _| event.is_some_and(|event| event != name.as_bytes()));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn a_second_keeps_its_worst_sample_and_old_seconds_go() {
        let latency = Latency::default();
        for (second, ms) in [(1, 20), (1, 50), (1, 30), (2, 10)] {
            latency.add("command", second, ms);
        }
        let (_, series) = latency.get(b"command").expect("was added");
        let samples: Vec<(i64, u64)> =
            series.samples.iter().map(|sample| (sample.second, sample.ms)).collect();
        assert_eq!((samples.as_slice(), series.max_ms), ([(1, 50), (2, 10)].as_slice(), 50));
        let summary = series.summary(11).expect("has samples");
        assert_eq!(
            (summary.count, summary.mean_ms, summary.mean_deviation_ms, summary.period_seconds),
            (2, 30, 20, 10)
        );
        (0..500).for_each(|second| latency.add("command", 10 + second, 1));
        assert_eq!(latency.all()[0].1.samples.len(), 160);
        latency.add("fast-command", 1, 1);
        assert_eq!(
            (latency.reset(Some(b"nothing")), latency.reset(Some(b"command")), latency.reset(None)),
            (0, 1, 1)
        );
    }
}
