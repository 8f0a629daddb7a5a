//! Rows about memory and the life of keys: limit, eviction, expiry.
//!
//! Read by `rows/mod.rs`. Acted upon by `exec/eviction.rs` and `keyspace/`.
use crate::config::kind::{INT_MAX, Kind};
use crate::config::row::{Row, field};
use crate::config::words::EvictionPolicy;

pub(super) static ROWS: &[Row] = &[
    Row::live(
        "maxmemory",
        Kind::Memory { min: 0, max: u64::MAX },
        "0",
        field!(maxmemory),
        "Limit of memory in bytes; 0 is none.",
    ),
    Row::live(
        "maxmemory-policy",
        Kind::Word(EvictionPolicy::WORDS),
        "noeviction",
        field!(maxmemory_policy),
        "What to drop at the limit.",
    ),
    Row::live(
        "maxmemory-clients",
        Kind::MemoryOrPercent,
        "0",
        field!(maxmemory_clients),
        "Limit of what the connections of all clients hold, beyond which the largest are closed; 0 is none.",
    ),
    Row::live(
        "maxmemory-samples",
        Kind::Int { min: 1, max: INT_MAX },
        "5",
        field!(maxmemory_samples),
        "Keys to look at in each database for one that is dropped: more come closer to the exact order.",
    ),
    Row::live(
        "maxmemory-eviction-tenacity",
        Kind::Int { min: 0, max: 100 },
        "10",
        field!(maxmemory_eviction_tenacity),
        "How much time a command may spend on dropping keys, from 0 (none) to 100 (whatever it takes).",
    ),
    Row::startup(
        "disable-thp",
        Kind::Bool,
        "no",
        field!(disable_thp),
        "Use no transparent huge pages: a little less memory while there are few keys, no pause of up to 5 ms (virtual machines) while new data takes a huge page, and slower look-ups among many keys.",
    ),
    Row::live(
        "replica-ignore-maxmemory",
        Kind::Bool,
        "yes",
        field!(replica_ignore_maxmemory),
        "A replica drops nothing by itself: its primary does.",
    )
    .aliases(&["slave-ignore-maxmemory"]),
    Row::live(
        "lazyfree-lazy-eviction",
        Kind::Bool,
        "no",
        field!(lazyfree_lazy_eviction),
        "Large values of dropped keys are freed in the background; replicas are told by UNLINK instead of DEL.",
    ),
    Row::live(
        "lazyfree-lazy-expire",
        Kind::Bool,
        "no",
        field!(lazyfree_lazy_expire),
        "Large values of expired keys are freed in the background.",
    ),
    Row::live(
        "lazyfree-lazy-server-del",
        Kind::Bool,
        "no",
        field!(lazyfree_lazy_server_del),
        "Large values that another replaces are freed in the background.",
    ),
    Row::live(
        "lazyfree-lazy-user-del",
        Kind::Bool,
        "no",
        field!(lazyfree_lazy_user_del),
        "DEL frees large values in the background, as UNLINK does.",
    ),
    Row::live(
        "lazyfree-lazy-user-flush",
        Kind::Bool,
        "no",
        field!(lazyfree_lazy_user_flush),
        "FLUSHALL and FLUSHDB answer at once, as with ASYNC; otherwise when the memory is free.",
    ),
    Row::live(
        "lfu-log-factor",
        Kind::Int { min: 0, max: INT_MAX },
        "10",
        field!(lfu_log_factor),
        "How slowly the access counter of a key grows.",
    ),
    Row::live(
        "lfu-decay-time",
        Kind::Int { min: 0, max: INT_MAX },
        "1",
        field!(lfu_decay_time),
        "Minutes after which the access counter of an idle key shrinks.",
    ),
];
