//! Rows about the server as a process: databases, log, pid file, pace of background work.
//!
//! Read by `rows/mod.rs`. Acted upon by `server/`.
use crate::config::kind::{INT_MAX, Kind, Rule};
use crate::config::row::{Row, field};
use crate::config::words::LogLevel;

/// Enough for every use that was seen, and the number of a database stays small in the packed words that hold it.
const DATABASES_MAX: i128 = 16_384;

pub(super) static ROWS: &[Row] = &[
    Row::startup(
        "databases",
        Kind::Int { min: 1, max: DATABASES_MAX },
        "16",
        field!(databases),
        "Number of databases that SELECT can choose from.",
    ),
    Row::live("loglevel", Kind::Word(LogLevel::WORDS), "notice", field!(loglevel), "How much to log."),
    Row::startup(
        "logfile",
        Kind::Text(Rule::Bytes),
        "",
        field!(logfile),
        "File to log to, relative to `dir`; empty is standard output.",
    ),
    Row::startup(
        "pidfile",
        Kind::Text(Rule::Bytes),
        "",
        field!(pidfile),
        "File that holds the process id while the server runs.",
    )
    .empty_is_unset(),
    Row::startup("daemonize", Kind::Bool, "no", field!(daemonize), "Run in the background."),
    Row::live(
        "hz",
        Kind::Clamped { min: 1, max: 500 },
        "10",
        field!(hz),
        "Rounds of background work in a second, from 1 to 500; what lies outside is moved to the nearest.",
    ),
    Row::live(
        "shutdown-timeout",
        Kind::Int { min: 0, max: INT_MAX },
        "10",
        field!(shutdown_timeout),
        "Seconds that a shutdown waits for replicas that lag behind.",
    ),
];
