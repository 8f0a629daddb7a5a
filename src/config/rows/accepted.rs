//! Rows that are understood, checked and shown, and change nothing: files written for Redis load as they are.
//!
//! Read by `rows/mod.rs`. The documentation of each says why it changes nothing; `docs/differences.md` points to
//! the list. A switch that would promise something takes only `no`. A row that gets an effect moves to its topic.
use crate::config::kind::{INT_MAX, Kind, LONG_MAX, Rule};
use crate::config::row::Row;

const COUNT: Kind = Kind::Int { min: 0, max: INT_MAX };
const LONG: Kind = Kind::Int { min: 0, max: LONG_MAX };
const SIZE: Kind = Kind::Memory { min: 0, max: LONG_MAX as u64 };
const TEXT: Kind = Kind::Text(Rule::Utf8);

pub(super) static ROWS: &[Row] = &[
    // Threads and process.
    Row::accepted(
        "io-threads",
        Kind::Int { min: 1, max: 128 },
        "1",
        "Starling's workers are set with `threads`.",
    )
    .immutable(),
    Row::accepted("io-threads-do-reads", Kind::Bool, "no", "Workers always read.").immutable(),
    Row::accepted("always-show-logo", Kind::Bool, "no", "There is no logo.").immutable(),
    Row::accepted("set-proc-title", Kind::Bool, "yes", "The process title is never changed.").immutable(),
    Row::accepted(
        "proc-title-template",
        TEXT,
        "{title} {listen-addr} {server-mode}",
        "The process title is never changed.",
    ),
    Row::accepted(
        "supervised",
        Kind::Word(&["upstart", "systemd", "auto", "no"]),
        "no",
        "No supervisor is told.",
    )
    .immutable(),
    Row::accepted("syslog-enabled", Kind::OnlyNo("syslog is"), "no", "Logs go to `logfile`.").immutable(),
    Row::accepted("syslog-ident", TEXT, "redis", "Logs go to `logfile`.").immutable(),
    Row::accepted(
        "syslog-facility",
        Kind::Word(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]),
        "local0",
        "Logs go to `logfile`.",
    )
    .immutable(),
    Row::accepted("crash-log-enabled", Kind::Bool, "yes", "A crash prints what the Rust runtime prints."),
    Row::accepted("crash-memcheck-enabled", Kind::Bool, "yes", "Memory is not tested after a crash."),
    Row::accepted("use-exit-on-panic", Kind::Bool, "no", "A panic always unwinds.").hidden(),
    Row::accepted(
        "oom-score-adj",
        Kind::Word(&["no", "yes", "relative", "absolute"]),
        "no",
        "The kernel's score is left as it is.",
    ),
    Row::accepted(
        "oom-score-adj-values",
        Kind::Integers { count: 3, min: -2000, max: 2000 },
        "0 200 800",
        "The kernel's score is left as it is.",
    ),
    Row::accepted("server_cpulist", TEXT, "", "Threads are not pinned.").immutable().empty_is_unset(),
    Row::accepted("bio_cpulist", TEXT, "", "Threads are not pinned.").immutable().empty_is_unset(),
    Row::accepted("aof_rewrite_cpulist", TEXT, "", "Threads are not pinned.").immutable().empty_is_unset(),
    Row::accepted("bgsave_cpulist", TEXT, "", "Threads are not pinned.").immutable().empty_is_unset(),
    Row::accepted("jemalloc-bg-thread", Kind::Bool, "yes", "The allocator runs with its own defaults."),
    Row::accepted("ignore-warnings", TEXT, "", "There are no start-up warnings to silence."),
    Row::accepted("watchdog-period", COUNT, "0", "There is no watchdog.").hidden(),
    Row::accepted(
        "socket-mark-id",
        Kind::Int { min: 0, max: u32::MAX as i128 },
        "0",
        "Sockets are not marked.",
    )
    .immutable(),
    Row::accepted(
        "shutdown-on-sigint",
        Kind::Flags(&["default", "save", "nosave", "now", "force"]),
        "default",
        "SIGINT always does what `default` says.",
    ),
    Row::accepted(
        "shutdown-on-sigterm",
        Kind::Flags(&["default", "save", "nosave", "now", "force"]),
        "default",
        "SIGTERM always does what `default` says.",
    ),
    Row::accepted(
        "enable-module-command",
        Kind::Word(&["no", "yes", "local"]),
        "no",
        "There are no modules.",
    )
    .immutable(),
    Row::accepted(
        "loading-process-events-interval-bytes",
        Kind::Int { min: 1024, max: INT_MAX },
        "2097152",
        "Other threads serve clients during a load.",
    )
    .hidden(),
    Row::accepted("dynamic-hz", Kind::Bool, "yes", "The rounds of `hz` do not grow with the clients."),
    // Replication.
    Row::accepted(
        "repl-diskless-load",
        Kind::Word(&["disabled", "on-empty-db", "swapdb"]),
        "disabled",
        "A snapshot from the primary is always loaded as `swapdb` says.",
    )
    .deny_loading(),
    Row::accepted(
        "propagation-error-behavior",
        Kind::Word(&["ignore", "panic", "panic-on-replicas"]),
        "ignore",
        "A stream that cannot be applied always ends the link, and a full sync follows.",
    ),
    Row::accepted(
        "replica-ignore-disk-write-errors",
        Kind::Bool,
        "no",
        "The stream is applied even while the last background save failed.",
    ),
    // Users and clients.
    Row::accepted(
        "aclfile",
        Kind::Text(Rule::OnlyEmpty("ACL files are")),
        "",
        "There is one user, the default one.",
    )
    .immutable(),
    Row::accepted(
        "acl-pubsub-default",
        Kind::Word(&["allchannels", "resetchannels"]),
        "resetchannels",
        "There is one user, the default one.",
    ),
    Row::accepted("acllog-max-len", LONG, "128", "There is no ACL log."),
    Row::accepted("busy-reply-threshold", LONG, "5000", "There are no scripts yet.")
        .aliases(&["lua-time-limit"]),
    // Memory.
    Row::accepted("activerehashing", Kind::Bool, "yes", "Tables grow at once, a small shard at a time."),
    Row::accepted(
        "activedefrag",
        Kind::OnlyNo("active defragmentation is"),
        "no",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-ignore-bytes",
        Kind::Memory { min: 1, max: LONG_MAX as u64 },
        "100mb",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-threshold-lower",
        Kind::Int { min: 0, max: 1000 },
        "10",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-threshold-upper",
        Kind::Int { min: 0, max: 1000 },
        "100",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-cycle-min",
        Kind::Int { min: 1, max: 99 },
        "1",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-cycle-max",
        Kind::Int { min: 1, max: 99 },
        "25",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-defrag-max-scan-fields",
        Kind::Int { min: 1, max: LONG_MAX },
        "1000",
        "There is no defragmentation.",
    ),
    Row::accepted(
        "active-expire-effort",
        Kind::Int { min: 1, max: 10 },
        "1",
        "Active expiry knows what is due, and takes the time that this needs.",
    ),
    Row::accepted("replica-lazy-flush", Kind::Bool, "no", "Databases are always freed in the background.")
        .aliases(&["slave-lazy-flush"]),
    // What arrives from elsewhere.
    Row::accepted(
        "sanitize-dump-payload",
        Kind::Word(&["no", "yes", "clients"]),
        "no",
        "Payloads are always checked.",
    ),
    // Snapshots and the append-only file.
    Row::accepted("rdb-del-sync-files", Kind::Bool, "no", "Full syncs leave no file behind."),
    Row::accepted(
        "rdb-save-incremental-fsync",
        Kind::Bool,
        "yes",
        "Snapshots are synced once, at their end.",
    ),
    Row::accepted(
        "appendonly",
        Kind::OnlyNo("the append-only file is"),
        "no",
        "There is no append-only file yet.",
    )
    .deny_loading(),
    Row::accepted(
        "appendfilename",
        Kind::Text(Rule::BaseName("appendfilename", "filename")),
        "appendonly.aof",
        "There is no append-only file yet.",
    )
    .immutable(),
    Row::accepted(
        "appenddirname",
        Kind::Text(Rule::BaseName("appenddirname", "dirname")),
        "appendonlydir",
        "There is no append-only file yet.",
    )
    .immutable(),
    Row::accepted(
        "appendfsync",
        Kind::Word(&["everysec", "always", "no"]),
        "everysec",
        "There is no append-only file yet.",
    ),
    Row::accepted("no-appendfsync-on-rewrite", Kind::Bool, "no", "There is no append-only file yet."),
    Row::accepted("auto-aof-rewrite-percentage", COUNT, "100", "There is no append-only file yet."),
    Row::accepted("auto-aof-rewrite-min-size", SIZE, "64mb", "There is no append-only file yet."),
    Row::accepted("aof-load-truncated", Kind::Bool, "yes", "There is no append-only file yet."),
    Row::accepted("aof-use-rdb-preamble", Kind::Bool, "yes", "There is no append-only file yet."),
    Row::accepted("aof-timestamp-enabled", Kind::Bool, "no", "There is no append-only file yet."),
    Row::accepted("aof-rewrite-incremental-fsync", Kind::Bool, "yes", "There is no append-only file yet."),
    Row::accepted("aof-disable-auto-gc", Kind::Bool, "no", "There is no append-only file yet."),
    // Cluster.
    Row::accepted("cluster-enabled", Kind::OnlyNo("cluster mode is"), "no", "There is no cluster mode.")
        .immutable(),
    Row::accepted("cluster-config-file", TEXT, "nodes.conf", "There is no cluster mode.").immutable(),
    Row::accepted("cluster-node-timeout", LONG, "15000", "There is no cluster mode."),
    Row::accepted("cluster-port", Kind::Int { min: 0, max: 65535 }, "0", "There is no cluster mode.")
        .immutable(),
    Row::accepted("cluster-announce-ip", TEXT, "", "There is no cluster mode.").empty_is_unset(),
    Row::accepted("cluster-announce-hostname", TEXT, "", "There is no cluster mode.").empty_is_unset(),
    Row::accepted("cluster-announce-human-nodename", TEXT, "", "There is no cluster mode.").empty_is_unset(),
    Row::accepted(
        "cluster-announce-port",
        Kind::Int { min: 0, max: 65535 },
        "0",
        "There is no cluster mode.",
    ),
    Row::accepted(
        "cluster-announce-tls-port",
        Kind::Int { min: 0, max: 65535 },
        "0",
        "There is no cluster mode.",
    ),
    Row::accepted(
        "cluster-announce-bus-port",
        Kind::Int { min: 0, max: 65535 },
        "0",
        "There is no cluster mode.",
    ),
    Row::accepted("cluster-replica-validity-factor", COUNT, "10", "There is no cluster mode.")
        .aliases(&["cluster-slave-validity-factor"]),
    Row::accepted("cluster-replica-no-failover", Kind::Bool, "no", "There is no cluster mode.")
        .aliases(&["cluster-slave-no-failover"]),
    Row::accepted("cluster-migration-barrier", COUNT, "1", "There is no cluster mode."),
    Row::accepted("cluster-require-full-coverage", Kind::Bool, "yes", "There is no cluster mode."),
    Row::accepted("cluster-allow-replica-migration", Kind::Bool, "yes", "There is no cluster mode."),
    Row::accepted("cluster-allow-reads-when-down", Kind::Bool, "no", "There is no cluster mode."),
    Row::accepted("cluster-allow-pubsubshard-when-down", Kind::Bool, "yes", "There is no cluster mode."),
    Row::accepted("cluster-link-sendbuf-limit", SIZE, "0", "There is no cluster mode."),
    Row::accepted(
        "cluster-preferred-endpoint-type",
        Kind::Word(&["ip", "hostname", "unknown-endpoint"]),
        "ip",
        "There is no cluster mode.",
    ),
];
