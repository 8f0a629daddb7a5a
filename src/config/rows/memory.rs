//! Rows about memory and the life of keys: limit, eviction, expiry.
//!
//! Read by `rows/mod.rs`. Acted upon by `keyspace/`; those without effect yet have a field because INFO and
//! OBJECT show them.
use crate::config::kind::{INT_MAX, Kind};
use crate::config::row::{Row, field};
use crate::config::words::EvictionPolicy;

pub(super) static ROWS: &[Row] = &[
    Row::live(
        "maxmemory",
        Kind::Memory { min: 0, max: u64::MAX },
        "0",
        field!(maxmemory),
        "Limit of memory in bytes; 0 is none. Beyond it commands that may need more are refused, under noeviction.",
    ),
    Row::shown(
        "maxmemory-policy",
        Kind::Word(EvictionPolicy::WORDS),
        "noeviction",
        field!(maxmemory_policy),
        "What to drop at the limit. There is no eviction yet: only noeviction makes the limit one.",
    ),
    Row::shown(
        "lfu-log-factor",
        Kind::Int { min: 0, max: INT_MAX },
        "10",
        field!(lfu_log_factor),
        "How slowly the access counter of a key grows.",
    ),
    Row::shown(
        "lfu-decay-time",
        Kind::Int { min: 0, max: INT_MAX },
        "1",
        field!(lfu_decay_time),
        "Minutes after which the access counter of an idle key shrinks.",
    ),
    Row::live(
        "active-expire-effort",
        Kind::Int { min: 1, max: 10 },
        "1",
        field!(active_expire_effort),
        "How much time to spend on finding expired keys, from 1 to 10.",
    ),
];
