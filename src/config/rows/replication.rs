//! Rows about replication, for both roles. Old spellings with `slave` are aliases.
//!
//! Read by `rows/mod.rs`. Acted upon by `backlog/` (size) and `replication/`.
use crate::config::kind::{INT_MAX, Kind, LONG_MAX, Rule};
use crate::config::row::{Row, field};

const COUNT: Kind = Kind::Int { min: 0, max: INT_MAX };
const AT_LEAST_ONE: Kind = Kind::Int { min: 1, max: INT_MAX };

pub(super) static ROWS: &[Row] = &[
    // Both roles.
    Row::live(
        "repl-backlog-size",
        Kind::Memory { min: 1, max: LONG_MAX as u64 },
        "10mb",
        field!(repl_backlog_size),
        "Bytes of the stream that are kept for replicas that come back.",
    ),
    Row::live(
        "repl-backlog-ttl",
        Kind::Int { min: 0, max: LONG_MAX },
        "3600",
        field!(repl_backlog_ttl),
        "Seconds without any replica after which the backlog is freed; 0 is never.",
    ),
    Row::live(
        "repl-timeout",
        AT_LEAST_ONE,
        "60",
        field!(repl_timeout),
        "Seconds of silence after which the other side counts as gone.",
    ),
    Row::live(
        "repl-disable-tcp-nodelay",
        Kind::Bool,
        "no",
        field!(repl_disable_tcp_nodelay),
        "Let the kernel gather small packets to replicas: less traffic, more delay.",
    ),
    // As a primary.
    Row::live(
        "repl-ping-replica-period",
        AT_LEAST_ONE,
        "10",
        field!(repl_ping_replica_period),
        "Seconds between two PINGs in the stream.",
    )
    .aliases(&["repl-ping-slave-period"]),
    Row::live(
        "repl-diskless-sync",
        Kind::Bool,
        "yes",
        field!(repl_diskless_sync),
        "Send snapshots to replicas without a file in between.",
    ),
    Row::live(
        "repl-diskless-sync-delay",
        COUNT,
        "5",
        field!(repl_diskless_sync_delay),
        "Seconds to wait for more replicas before a full sync starts.",
    ),
    Row::live(
        "repl-diskless-sync-max-replicas",
        COUNT,
        "0",
        field!(repl_diskless_sync_max_replicas),
        "Start a full sync at once when so many replicas wait; 0 waits for the delay.",
    ),
    Row::live(
        "min-replicas-to-write",
        COUNT,
        "0",
        field!(min_replicas_to_write),
        "Refuse writes with fewer good replicas than this; 0 turns it off.",
    )
    .aliases(&["min-slaves-to-write"]),
    Row::live(
        "min-replicas-max-lag",
        COUNT,
        "10",
        field!(min_replicas_max_lag),
        "Seconds since its last acknowledgement up to which a replica is good; 0 turns it off.",
    )
    .aliases(&["min-slaves-max-lag"]),
    // As a replica.
    Row::startup(
        "replicaof",
        Kind::Primary,
        "no one",
        field!(replicaof),
        "Follow the primary at this host and port.",
    )
    .aliases(&["slaveof"]),
    Row::live(
        "masterauth",
        Kind::Text(Rule::Bytes),
        "",
        field!(masterauth),
        "Password to show to the primary.",
    )
    .empty_is_unset()
    .sensitive(),
    Row::live(
        "masteruser",
        Kind::Text(Rule::Bytes),
        "",
        field!(masteruser),
        "User name to show to the primary.",
    )
    .empty_is_unset()
    .sensitive(),
    Row::live(
        "replica-read-only",
        Kind::Bool,
        "yes",
        field!(replica_read_only),
        "Refuse writes while a replica.",
    )
    .aliases(&["slave-read-only"]),
    Row::live(
        "replica-serve-stale-data",
        Kind::Bool,
        "yes",
        field!(replica_serve_stale_data),
        "Answer from the present data while the link to the primary is down.",
    )
    .aliases(&["slave-serve-stale-data"]),
    Row::live(
        "replica-priority",
        COUNT,
        "100",
        field!(replica_priority),
        "Sentinel promotes the replica with the lowest; 0 is never.",
    )
    .aliases(&["slave-priority"]),
    Row::live(
        "replica-announce-ip",
        Kind::Text(Rule::Utf8),
        "",
        field!(replica_announce_ip),
        "Address to report to the primary instead of the one it sees.",
    )
    .aliases(&["slave-announce-ip"])
    .empty_is_unset(),
    Row::live(
        "bind-source-addr",
        Kind::Text(Rule::Utf8),
        "",
        field!(bind_source_addr),
        "Address of ours from which the link to the primary starts; without one the system picks it.",
    )
    .empty_is_unset(),
    Row::live(
        "replica-announce-port",
        Kind::Int { min: 0, max: 65_535 },
        "0",
        field!(replica_announce_port),
        "Port to report to the primary instead of `port`; 0 reports `port`.",
    )
    .aliases(&["slave-announce-port"]),
    Row::live(
        "replica-announced",
        Kind::Bool,
        "yes",
        field!(replica_announced),
        "Show this replica to Sentinel.",
    ),
];
