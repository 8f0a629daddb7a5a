//! Rows about sockets and clients: where the server listens, whom it lets in, how much one client may take.
//!
//! Read by `rows/mod.rs`. Acted upon by `net/` (listeners, connections) and `resp/` (limits of requests).
use crate::config::kind::{INT_MAX, Kind, LONG_MAX, Rule};
use crate::config::row::{Row, field};

const PORT: Kind = Kind::Int { min: 0, max: 65_535 };
const MB: u64 = 1 << 20;

pub(super) static ROWS: &[Row] = &[
    Row::live("port", PORT, "6379", field!(port), "TCP port to listen on; 0 turns TCP off."),
    Row::live(
        "bind",
        Kind::Addresses,
        "* -::*",
        field!(bind),
        "Addresses to listen on: `*` is all of IPv4, `::*` all of IPv6, a leading `-` makes one optional.",
    ),
    Row::live(
        "protected-mode",
        Kind::Bool,
        "yes",
        field!(protected_mode),
        "Refuse clients from other machines while the default user has no password.",
    ),
    Row::startup(
        "unixsocket",
        Kind::Text(Rule::Bytes),
        "",
        field!(unixsocket),
        "Path of a unix socket to listen on.",
    )
    .empty_is_unset(),
    Row::startup(
        "unixsocketperm",
        Kind::Octal { max: 0o777 },
        "0",
        field!(unixsocketperm),
        "Mode of the unix socket; 0 leaves it to the umask.",
    ),
    Row::startup("threads", Kind::Threads, "auto", field!(threads), "Worker threads, one event loop each."),
    Row::live(
        "maxclients",
        Kind::Int { min: 1, max: u32::MAX as i128 },
        "10000",
        field!(maxclients),
        "Clients that may be connected at one time.",
    ),
    Row::live(
        "timeout",
        Kind::Int { min: 0, max: INT_MAX },
        "0",
        field!(timeout),
        "Seconds of silence after which a client is closed; 0 is never.",
    ),
    Row::live(
        "tcp-keepalive",
        Kind::Int { min: 0, max: INT_MAX },
        "300",
        field!(tcp_keepalive),
        "Seconds between keepalive probes to silent clients; 0 sends none.",
    ),
    Row::startup(
        "tcp-backlog",
        Kind::Int { min: 0, max: INT_MAX },
        "511",
        field!(tcp_backlog),
        "Connections that may wait to be accepted (the kernel has a limit too).",
    ),
    Row::live(
        "client-output-buffer-limit",
        Kind::Limits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        field!(client_output_buffer_limit),
        "For a class of clients: hard limit, soft limit, and seconds above the soft one, until a client that does not read is closed; 0 is no limit.",
    ),
    Row::live(
        "client-query-buffer-limit",
        Kind::Memory { min: MB, max: LONG_MAX as u64 },
        "1gb",
        field!(client_query_buffer_limit),
        "Bytes of a request that a client may have sent without completing it.",
    ),
    Row::live(
        "proto-max-bulk-len",
        Kind::Memory { min: MB, max: LONG_MAX as u64 },
        "512mb",
        field!(proto_max_bulk_len),
        "Bytes of the largest argument, and of the largest string value.",
    ),
];
