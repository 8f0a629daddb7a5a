//! Rows about watching the server: events of keys, slow commands, latencies, clients that cache.
//!
//! Read by `rows/mod.rs`. Acted upon by `exec`, which looks at its view of the configuration around every command.
use crate::config::kind::{Kind, LONG_MAX};
use crate::config::row::{Row, field};

const COUNT: Kind = Kind::Int { min: 0, max: LONG_MAX };

pub(super) static ROWS: &[Row] = &[
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
