//! Statistics: what each thread that runs commands has counted.
//!
//! Every executor owns one `Counters` and bumps it without locked instructions; INFO adds them up. CONFIG RESETSTAT
//! notes the sums of the moment and later sums are shown less those.
//! What an executor has counted goes to the departed ones' counters when it ends, so nothing is lost and nothing is kept.
//! Always: a counter has one writer, its executor (of the departed: whoever holds the list); a reader may be a moment behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use crate::base::histogram::{Distribution, Histogram};
use crate::base::sync::lock;
use crate::commands::spec::table::{CommandId, table};

/// What is counted once per server. The order is that of `Counters::totals`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Count {
    Commands,
    Hits,
    Misses,
    /// Keys deleted because their deadline had passed.
    Expired,
    /// Fields of hashes taken out because their deadline had passed.
    ExpiredFields,
    /// Keys given up to make room.
    Evicted,
    /// Changes of the data set.
    Dirty,
    ConnectionsAccepted,
    ConnectionsRejected,
    ErrorReplies,
    QueryLimitDisconnects,
    OutputLimitDisconnects,
    /// Clients closed because all of them together held more than `maxmemory-clients`.
    EvictedClients,
}

const COUNTS: usize = Count::EvictedClients as usize + 1;

/// Error codes are counted apart up to this many, as in Redis 7.2; more are a flood of made-up codes.
const ERROR_CODES_MAX: usize = 128;

/// What is counted per command.
#[derive(Default)]
struct CommandCounters {
    calls: AtomicU64,
    nanos: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    /// Made when it is needed: most commands are never called.
    durations: OnceLock<Histogram>,
}

/// Sums of one command.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTotals {
    pub calls: u64,
    pub nanos: u64,
    pub rejected: u64,
    pub failed: u64,
}

/// One executor's counts. All atomics: stored Relaxed by the executor alone, loaded Relaxed by INFO.
pub struct Counters {
    totals: [AtomicU64; COUNTS],
    commands: Box<[CommandCounters]>,
    errors: Mutex<BTreeMap<String, u64>>,
    /// The reset (`Statistics::epoch`) since which the histograms count.
    epoch: AtomicU64,
}

#[inline]
fn bump(counter: &AtomicU64, by: u64) {
    // One writer: no need for a locked instruction.
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Counters {
    fn new() -> Counters {
        Counters {
            totals: std::array::from_fn(|_| AtomicU64::new(0)),
            commands: (0..table().len()).map(|_| CommandCounters::default()).collect(),
            errors: Mutex::default(),
            epoch: AtomicU64::new(0),
        }
    }

    #[inline]
    pub fn add(&self, count: Count, by: u64) {
        bump(&self.totals[count as usize], by);
    }

    #[inline]
    pub fn called(&self, command: CommandId, nanos: u64, tracks: bool) {
        self.called_often(command, nanos, 1, tracks);
    }

    /// `count` calls that took `nanos` each. Adds them to the histogram if it `tracks`.
    #[inline]
    pub fn called_often(&self, command: CommandId, nanos: u64, count: u64, tracks: bool) {
        let counters = &self.commands[command.0 as usize];
        bump(&counters.calls, count);
        bump(&counters.nanos, nanos * count);
        if tracks {
            counters.durations.get_or_init(Histogram::default).record(nanos, count);
        }
    }

    /// Begins the histograms anew if there was a reset. Only by the executor.
    pub fn follow_reset(&self, epoch: u64) {
        if self.epoch.load(Relaxed) != epoch {
            self.commands.iter().filter_map(|counters| counters.durations.get()).for_each(Histogram::clear);
            self.epoch.store(epoch, Relaxed);
        }
    }

    #[cold]
    pub fn rejected(&self, command: CommandId) {
        bump(&self.commands[command.0 as usize].rejected, 1);
    }

    #[cold]
    pub fn failed(&self, command: CommandId) {
        bump(&self.commands[command.0 as usize].failed, 1);
    }

    /// Counts an error reply under its code, the first word of `text`.
    #[cold]
    pub fn error(&self, text: &str) {
        self.add(Count::ErrorReplies, 1);
        let code = text.split(' ').next().unwrap_or("ERR");
        let mut errors = lock(&self.errors);
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.to_owned(), 1);
        }
    }

    /// Adds what an executor has counted that counts no more. Both have followed the last reset, if `durations` are wanted.
    fn absorb(&self, gone: &Counters, durations: bool) {
        for (sum, counter) in self.totals.iter().zip(&gone.totals) {
            bump(sum, counter.load(Relaxed));
        }
        for (sum, counters) in self.commands.iter().zip(&gone.commands) {
            bump(&sum.calls, counters.calls.load(Relaxed));
            bump(&sum.nanos, counters.nanos.load(Relaxed));
            bump(&sum.rejected, counters.rejected.load(Relaxed));
            bump(&sum.failed, counters.failed.load(Relaxed));
            if let Some(of_gone) = counters.durations.get()
                && durations
            {
                sum.durations.get_or_init(Histogram::default).absorb(of_gone);
            }
        }
        let of_gone = lock(&gone.errors);
        let mut errors = lock(&self.errors);
        for (code, count) in of_gone.iter() {
            *errors.entry(code.clone()).or_default() += count;
        }
    }
}

/// Sums over all executors.
#[derive(Clone, Default)]
pub struct Totals {
    counts: [u64; COUNTS],
    pub commands: Vec<CommandTotals>,
    pub errors: BTreeMap<String, u64>,
}

impl Totals {
    pub fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    fn add(&mut self, counters: &Counters) {
        for (sum, counter) in self.counts.iter_mut().zip(&counters.totals) {
            *sum += counter.load(Relaxed);
        }
        self.commands.resize(counters.commands.len(), CommandTotals::default());
        for (sum, counter) in self.commands.iter_mut().zip(&counters.commands) {
            sum.calls += counter.calls.load(Relaxed);
            sum.nanos += counter.nanos.load(Relaxed);
            sum.rejected += counter.rejected.load(Relaxed);
            sum.failed += counter.failed.load(Relaxed);
        }
        for (code, count) in lock(&counters.errors).iter() {
            *self.errors.entry(code.clone()).or_default() += count;
        }
    }

    fn subtract(&mut self, baseline: &Totals) {
        for (sum, base) in self.counts.iter_mut().zip(&baseline.counts) {
            *sum -= base;
        }
        for (sum, base) in self.commands.iter_mut().zip(&baseline.commands) {
            sum.calls -= base.calls;
            sum.nanos -= base.nanos;
            sum.rejected -= base.rejected;
            sum.failed -= base.failed;
        }
        for (code, base) in &baseline.errors {
            if let Some(sum) = self.errors.get_mut(code) {
                *sum -= base;
            }
        }
        self.errors.retain(|_, count| *count > 0);
    }
}

/// Who has counters.
#[derive(Default)]
struct All {
    executors: Vec<Arc<Counters>>,
    /// What executors have counted that are gone; none until the first is.
    departed: Option<Counters>,
}

impl All {
    fn iter(&self) -> impl Iterator<Item = &Counters> {
        self.executors.iter().map(Arc::as_ref).chain(&self.departed)
    }
}

/// The counters of all executors.
#[derive(Default)]
pub struct Statistics {
    all: Mutex<All>,
    baseline: Mutex<Totals>,
    /// Resets so far. Bumped by RESETSTAT before the views are refreshed; executors then clear their histograms, and those of
    /// an executor that has not yet are not looked at. Relaxed: a display.
    epoch: AtomicU64,
}

impl Statistics {
    /// Counters for a new executor, which gives them back with `retire`.
    pub fn register(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::new());
        counters.follow_reset(self.epoch());
        lock(&self.all).executors.push(counters.clone());
        counters
    }

    /// An executor ends: its counts stay in the sums, its memory does not.
    pub fn retire(&self, gone: &Arc<Counters>) {
        let mut all = lock(&self.all);
        all.executors.retain(|counters| !Arc::ptr_eq(counters, gone));
        let epoch = self.epoch();
        let departed = all.departed.get_or_insert_with(Counters::new);
        departed.follow_reset(epoch);
        departed.absorb(gone, gone.epoch.load(Relaxed) == epoch);
    }

    /// Sums since the start of the server.
    pub fn since_start(&self) -> Totals {
        let mut totals = Totals::default();
        for counters in lock(&self.all).iter() {
            totals.add(counters);
        }
        totals
    }

    /// One sum since the start of the server, for those who look often.
    pub fn count_since_start(&self, count: Count) -> u64 {
        let all = lock(&self.all);
        all.iter().map(|counters| counters.totals[count as usize].load(Relaxed)).sum()
    }

    /// Sums since the last reset.
    pub fn totals(&self) -> Totals {
        let mut totals = self.since_start();
        totals.subtract(&lock(&self.baseline));
        totals
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// How long a command took, since the last reset.
    pub fn durations(&self, command: CommandId) -> Distribution {
        let mut sum = Distribution::default();
        let epoch = self.epoch();
        for counters in lock(&self.all).iter() {
            if let Some(durations) = counters.commands[command.0 as usize].durations.get()
                && counters.epoch.load(Relaxed) == epoch
            {
                sum.add(durations);
            }
        }
        sum
    }

    /// CONFIG RESETSTAT. The views have to be refreshed afterwards.
    pub fn reset(&self) {
        self.epoch.fetch_add(1, Relaxed);
        *lock(&self.baseline) = self.since_start();
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Statistics};
    use crate::commands::spec::table::table;

    #[test]
    fn a_reset_hides_what_was_counted_before() {
        let statistics = Statistics::default();
        let (one, two) = (statistics.register(), statistics.register());
        one.add(Count::Commands, 2);
        two.add(Count::Commands, 3);
        two.error("ERR bad");
        assert_eq!(statistics.totals().get(Count::Commands), 5);
        assert_eq!(statistics.totals().errors.get("ERR"), Some(&1));
        statistics.reset();
        one.add(Count::Commands, 1);
        assert_eq!(statistics.totals().get(Count::Commands), 1);
        assert!(statistics.totals().errors.is_empty());
        assert_eq!(statistics.since_start().get(Count::Commands), 6);
    }

    #[test]
    fn what_an_executor_has_counted_outlives_it_and_its_counters_do_not() {
        let statistics = Statistics::default();
        let stays = statistics.register();
        let ping = table().lookup(b"ping").expect("it is there").id;
        stays.called(ping, 1000, true);
        for _ in 0..100 {
            let gone = statistics.register();
            gone.add(Count::Commands, 2);
            gone.called(ping, 1000, true);
            gone.error("ERR bad");
            statistics.retire(&gone);
            assert_eq!(std::sync::Arc::strong_count(&gone), 1);
        }
        assert_eq!(super::lock(&statistics.all).executors.len(), 1);
        let totals = statistics.totals();
        assert_eq!((totals.get(Count::Commands), totals.errors["ERR"]), (200, 100));
        assert_eq!(totals.commands[ping.0 as usize].calls, 101);
        assert_eq!(statistics.durations(ping).total(), 101);
        statistics.reset();
        let late = statistics.register();
        late.called(ping, 1000, true);
        statistics.retire(&late);
        assert_eq!(statistics.durations(ping).total(), 1);
        assert_eq!(statistics.totals().commands[ping.0 as usize].calls, 1);
    }
}
