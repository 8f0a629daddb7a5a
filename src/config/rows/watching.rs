//! Rows about watching the server: events of keys, slow commands, latencies, clients that cache.
//!
//! Read by `rows/mod.rs`. Acted upon by `exec`, which looks at its view of the configuration around every command.
use crate::config::kind::Kind;
use crate::config::row::{Row, field};

pub(super) static ROWS: &[Row] = &[Row::live(
    "notify-keyspace-events",
    Kind::Events,
    "",
    field!(notify_keyspace_events),
    "The classes of events that are published, as letters; `K` and `E` choose the channels.",
)];
