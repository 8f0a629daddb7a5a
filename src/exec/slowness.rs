//! Slowness: how long commands take, and who is told of those that take too long.
//!
//! ```text
//!  window of a pipeline   [GET GET SET | KEYS | GET GET]      quick commands share their time, others are timed alone
//!                          \_ shared _/  alone  \shared/
//!  too long? --> slow log, latency monitor
//! ```
//!
//! Called by the workers around each request, and by transactions around each of theirs. Reading the clock for every command
//! would cost a quarter of a GET, so commands that are quick by their nature are timed together, unless the slow log asks for
//! less than `ALONE_BELOW_MICROS`.
//! Always: time that several commands share beyond the threshold is the longest request's.

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::commands::spec::row::Group;
use crate::commands::spec::table::Command;
use crate::commands::spec::{Args, Flags};
use crate::config::Config;
use crate::exec::executor::Executor;
use crate::exec::redact::{REDACTED, is_secret};
use crate::session::client::Client;
use crate::watching::slow_log::{Entry, trim};

/// With a lower threshold of the slow log every command is timed by itself.
const ALONE_BELOW_MICROS: i64 = 1000;

/// The configuration as every command needs it.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// What takes as long has to be noted somewhere; `u64::MAX`: nothing does.
    pub noted_nanos: u64,
    /// Time every command by itself?
    pub times_each: bool,
    /// Keep histograms?
    pub tracks: bool,
}

impl Thresholds {
    pub fn of(config: &Config) -> Thresholds {
        let slow = config.slowlog_log_slower_than;
        let slow_nanos = u64::try_from(slow).map_or(u64::MAX, |micros| micros.saturating_mul(1000));
        let latency_nanos = match config.latency_monitor_threshold {
            0 => u64::MAX,
            ms => ms.saturating_mul(1_000_000),
        };
        Thresholds {
            noted_nanos: slow_nanos.min(latency_nanos),
            times_each: (0..ALONE_BELOW_MICROS).contains(&slow),
            tracks: config.latency_tracking,
        }
    }
}

impl Executor {
    /// Is this command timed by itself?
    #[inline]
    pub fn is_timed_alone(&self, command: Option<&Command>) -> bool {
        self.view.thresholds.times_each
            || command.is_some_and(|command| {
                !command.row.flags.has(Flags::FAST) && command.row.group != Group::String
            })
    }

    /// Has this taken so long that it is to be noted?
    #[inline]
    pub fn is_slow(&self, nanos: u64) -> bool {
        nanos >= self.view.thresholds.noted_nanos
    }

    /// Notes a slow command in the slow log and the latency monitor, where they ask for it.
    #[cold]
    pub fn note_slow(&self, client: &Client, command: &Command, args: &Args<'_>, nanos: u64) {
        let (config, now) = (&self.view.config, UnixMs(clock::now_ms()));
        let micros = nanos / 1000;
        let limit = config.slowlog_log_slower_than;
        if u64::try_from(limit).is_ok_and(|limit| micros >= limit)
            && !command.row.flags.has(Flags::SKIP_SLOWLOG)
        {
            let words: Vec<&[u8]> = (0..args.len())
                .map(|index| if is_secret(command, args, index) { REDACTED } else { args.get(index) })
                .collect();
            let entry = Entry {
                id: 0,
                at: now,
                micros,
                words: trim(words.into_iter()),
                address: client.addr.clone(),
                name: crate::base::sync::lock(&client.names).name.clone(),
            };
            self.engine.slow_log.push(entry, config.slowlog_max_len as usize);
        }
        let ms = micros / 1000;
        if config.latency_monitor_threshold > 0 && ms >= config.latency_monitor_threshold {
            let event = if command.row.flags.has(Flags::FAST) { "fast-command" } else { "command" };
            self.engine.latency.add(event, now.0.div_euclid(1000), ms);
        }
    }
}
