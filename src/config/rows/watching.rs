//! Rows about watching the server: events of keys, slow commands, latencies, clients that cache.
//!
//! Read by `rows/mod.rs`. Acted upon by `exec`, which looks at its view of the configuration around every command.
use crate::config::kind::{Kind, LONG_MAX};
use crate::config::row::{Row, field};

const COUNT: Kind = Kind::Int { min: 0, max: LONG_MAX };

pub(super) static ROWS: &[Row] = &[
    Row::live(
        "slowlog-log-slower-than",
        Kind::Int { min: -1, max: LONG_MAX },
        "10000",
        field!(slowlog_log_slower_than),
        "Microseconds from which on a command is kept in the slow log; -1 keeps none.",
    ),
    Row::live("slowlog-max-len", COUNT, "128", field!(slowlog_max_len), "Commands that the slow log keeps."),
    Row::live(
        "latency-monitor-threshold",
        COUNT,
        "0",
        field!(latency_monitor_threshold),
        "Milliseconds from which on an event is kept in the latency monitor; 0 switches it off.",
    ),
    Row::live(
        "latency-tracking",
        Kind::Bool,
        "yes",
        field!(latency_tracking),
        "Keep a histogram of durations for every command.",
    ),
    Row::live(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
        field!(latency_tracking_info_percentiles),
        "The percentiles of durations that INFO shows.",
    ),
    Row::live(
        "notify-keyspace-events",
        Kind::Events,
        "",
        field!(notify_keyspace_events),
        "The classes of events that are published, as letters; `K` and `E` choose the channels.",
    ),
    Row::live(
        "tracking-table-max-keys",
        COUNT,
        "1000000",
        field!(tracking_table_max_keys),
        "Keys that the server remembers for clients which cache; beyond it they are told that old ones changed. 0 is no limit.",
    ),
];
