//! A histogram of durations, to two significant digits, from 1 ns to 1 s.
//!
//! ```text
//!  value < 256     index = value                                         exact
//!  larger          index = 128 * shift + (value >> shift)                128 steps for each power of two
//!                  with shift = bits of value - 8
//! ```
//!
//! These are the buckets of HdrHistogram with two digits, which Redis uses: LATENCY HISTOGRAM and INFO's percentiles are the same
//! for the same durations. One thread records, any thread reads. All buckets would take 24 KiB for each command and worker, while
//! the durations of one command lie close together: memory comes in pieces of 128 buckets, when one of a piece is first needed.
//! Always: a larger value never has a smaller index; durations beyond the range count as its end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const VALUE_MAX: u64 = 1_000_000_000;
/// The index of `VALUE_MAX`, and one.
const BUCKETS: usize = index_of(VALUE_MAX) + 1;
/// Buckets of a piece: those of one power of two.
const PIECE: usize = 128;
const PIECES: usize = BUCKETS.div_ceil(PIECE);

const fn index_of(value: u64) -> usize {
    let shift = 56 - (value | 0xff).leading_zeros();
    128 * shift as usize + (value >> shift) as usize
}

/// The largest value with this index.
fn highest_of(index: usize) -> u64 {
    let shift = if index < 256 { 0 } else { index / 128 - 1 };
    let step = index - 128 * shift;
    ((step as u64 + 1) << shift) - 1
}

type Piece = Box<[AtomicU64; PIECE]>;

/// See the top of the file.
pub struct Histogram {
    /// The counts are stored Relaxed by the recording thread alone, loaded Relaxed by anybody; they publish nothing. A piece is
    /// made by the recording thread and published by its OnceLock.
    pieces: Box<[OnceLock<Piece>; PIECES]>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { pieces: Box::new([const { OnceLock::new() }; PIECES]) }
    }
}

impl Histogram {
    /// Counts `count` durations of `nanos`. Only by the thread that records.
    #[inline]
    pub fn record(&self, nanos: u64, count: u64) {
        self.add(index_of(nanos.clamp(1, VALUE_MAX)), count);
    }

    #[inline]
    fn add(&self, index: usize, count: u64) {
        let piece = self.pieces[index / PIECE].get_or_init(|| Box::new([const { AtomicU64::new(0) }; PIECE]));
        let counter = &piece[index % PIECE];
        counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// Where something may have been counted, with how much.
    fn counts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let made = self.pieces.iter().enumerate().filter_map(|(number, piece)| Some((number, piece.get()?)));
        made.flat_map(|(number, piece)| {
            piece.iter().enumerate().map(move |(at, count)| (PIECE * number + at, count.load(Relaxed)))
        })
    }

    /// Adds what another has counted. Only by the thread that records here.
    pub fn absorb(&self, other: &Histogram) {
        other.counts().filter(|(_, count)| *count > 0).for_each(|(index, count)| self.add(index, count));
    }

    /// Forgets everything. Only by the thread that records.
    pub fn clear(&self) {
        let made = self.pieces.iter().filter_map(OnceLock::get);
        made.flat_map(|piece| piece.iter()).for_each(|count| count.store(0, Relaxed));
    }
}

/// What several histograms hold together.
#[derive(Clone, Default)]
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
}

impl Distribution {
    pub fn add(&mut self, histogram: &Histogram) {
        self.counts.resize(BUCKETS, 0);
        for (index, count) in histogram.counts().filter(|(_, count)| *count > 0) {
            self.counts[index] += count;
            self.total += count;
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many lie at or below each power of two from 1,024 ns on: (upper end in microseconds, count), where the count grows.
    pub fn cumulative_micros(&self) -> Vec<(u64, u64)> {
        let mut steps = Vec::new();
        let (mut level, mut index, mut sum, mut shown) = (1024u64, 0, 0, 0);
        while shown < self.total {
            let end = highest_of(index_of(level));
            while index < self.counts.len() && highest_of(index) <= end {
                sum += self.counts[index];
                index += 1;
            }
            if sum > shown {
                steps.push((end / 1000, sum));
                shown = sum;
            }
            level *= 2;
        }
        steps
    }

    /// The duration in nanoseconds that `percent` of all do not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((percent.clamp(0.0, 100.0) / 100.0 * self.total as f64) + 0.5) as u64;
        let mut sum = 0;
        for (index, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= wanted.max(1) {
                return highest_of(index);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Distribution, Histogram, highest_of, index_of};

    #[test]
    fn every_value_lies_within_its_bucket_and_buckets_are_in_order() {
        let mut last = 0;
        for value in (1..100_000).chain((1..1000).map(|n| n * 1_000_000)) {
            let index = index_of(value);
            assert!(index >= last && index < BUCKETS && highest_of(index) >= value, "{value}");
            assert!(highest_of(index) - value <= value / 128, "{value}");
            last = index;
        }
    }

    #[test]
    fn the_steps_are_those_of_redis() {
        let histogram = Histogram::default();
        for micros in [1, 3, 20, 20, 100, 5000] {
            histogram.record(micros * 1000, 1);
        }
        let mut all = Distribution::default();
        all.add(&histogram);
        assert_eq!(all.cumulative_micros(), [(1, 1), (4, 2), (33, 4), (132, 5), (8454, 6)]);
        assert_eq!(all.total(), 6);
        assert_eq!(all.percentile(50.0), highest_of(index_of(20_000)));
        assert_eq!(all.percentile(100.0), highest_of(index_of(5_000_000)));
        histogram.clear();
        histogram.record(u64::MAX, 2);
        let mut late = Distribution::default();
        late.add(&histogram);
        assert_eq!(late.percentile(99.0), highest_of(index_of(1_000_000_000)));
    }
}
