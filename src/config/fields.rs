//! `Config`: every setting that the server reads, as plain typed fields.
//!
//! A field is called like its directive with `_` for `-`, and every field has exactly one row (`rows/`), which
//! holds the default, the allowed values and the documentation; a test compares both lists. Directives that are
//! accepted without effect have no field: their values live in `accepted`, so that CONFIG GET and REWRITE still
//! tell the truth about them. To give such a directive an effect, add a field here and name it in the row.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::rows;
use super::value::{MemoryOrShare, OutputLimits, PrimaryAddress, SavePoint, Value};
use super::words::{EvictionPolicy, LogLevel, Permission};

/// Declares `Config`, the blank from which its default starts, and the list of its fields for the tests.
macro_rules! config_fields {
    ($($(#[$meta:meta])* pub $field:ident: $type:ty,)+) => {
        /// The configuration of a server. `Config::default()` holds the defaults of the rows.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[$meta])* pub $field: $type,)+
            /// Values of the directives that are accepted without effect, by name. Shared by the configurations that follow
            /// each other, until one of them changes: CONFIG SET is not to take kilobytes while memory is scarce.
            pub(super) accepted: Arc<BTreeMap<&'static str, Value>>,
        }

        impl Config {
            #[cfg(test)]
            pub(super) const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// All fields empty: never seen outside of `default`, which fills in every row.
            fn blank() -> Config {
                Config { $($field: Default::default(),)+ accepted: Arc::default() }
            }
        }
    };
}

config_fields! {
    // -- network and clients
    /// TCP port; 0 = no TCP.
    pub port: u16,
    /// Addresses to listen on. `*` is all of IPv4, `::*` all of IPv6, a leading `-` makes it optional.
    pub bind: Vec<String>,
    /// Refuse clients from other machines while there is neither `bind` nor a password.
    pub protected_mode: bool,
    pub unixsocket: Option<PathBuf>,
    /// Mode bits of the socket file; 0 = leave what the umask gives.
    pub unixsocketperm: u32,
    /// Worker threads, one event loop each.
    pub threads: usize,
    pub maxclients: u32,
    /// Close clients that were silent for this many seconds; 0 = never.
    pub timeout: u64,
    /// Seconds between keepalive probes; 0 = none.
    pub tcp_keepalive: u32,
    /// Length of the queue of connections that wait to be accepted.
    pub tcp_backlog: u32,
    pub client_output_buffer_limit: OutputLimits,
    /// Bytes that a client may send ahead of what can be executed.
    pub client_query_buffer_limit: usize,
    /// Bytes of the largest single argument.
    pub proto_max_bulk_len: usize,

    // -- the server as a process
    pub databases: u32,
    pub loglevel: LogLevel,
    /// Relative to `dir`; empty = standard output.
    pub logfile: PathBuf,
    pub pidfile: Option<PathBuf>,
    pub daemonize: bool,
    /// Background rounds per second, 1 to 500.
    pub hz: u32,
    /// Seconds that SHUTDOWN waits for replicas to catch up.
    pub shutdown_timeout: u64,

    // -- security
    pub requirepass: Option<Vec<u8>>,
    pub enable_protected_configs: Permission,
    pub enable_debug_command: Permission,

    // -- snapshots on disk
    /// The working directory: absolute once arguments were read. All relative paths hang here.
    pub dir: PathBuf,
    /// Name of the snapshot file within `dir`.
    pub dbfilename: String,
    /// Empty = never save by itself.
    pub save: Vec<SavePoint>,
    pub rdbcompression: bool,
    pub rdbchecksum: bool,
    /// Refuse writes while the last background save failed.
    pub stop_writes_on_bgsave_error: bool,
    /// Microseconds to sleep after each key written (negative: keys per microsecond). For tests.
    pub rdb_key_save_delay: i32,
    /// Microseconds to sleep after each key loaded (negative: keys per microsecond). For tests.
    pub key_load_delay: i32,

    // -- memory
    /// Bytes; 0 = no limit.
    pub maxmemory: u64,
    pub maxmemory_policy: EvictionPolicy,
    /// What all clients together may hold; 0 = no limit.
    pub maxmemory_clients: MemoryOrShare,
    /// Keys to look at for each that is evicted.
    pub maxmemory_samples: u32,
    /// How much time eviction may take: 0 (none) to 100 (all).
    pub maxmemory_eviction_tenacity: u32,
    /// The heap lies in small pages.
    pub disable_thp: bool,
    /// A replica leaves eviction to its primary.
    pub replica_ignore_maxmemory: bool,
    /// Who frees large values: the background thread, or the thread that has removed them? Evicted keys (which are then
    /// given back by UNLINK), expired ones, values that another replaces, DEL.
    pub lazyfree_lazy_eviction: bool,
    pub lazyfree_lazy_expire: bool,
    pub lazyfree_lazy_server_del: bool,
    pub lazyfree_lazy_user_del: bool,
    /// Do FLUSHALL and FLUSHDB answer before the memory is free?
    pub lazyfree_lazy_user_flush: bool,
    pub lfu_log_factor: u32,
    /// Minutes.
    pub lfu_decay_time: u32,

    // -- encodings of collections
    pub hash_max_listpack_entries: usize,
    /// Bytes.
    pub hash_max_listpack_value: usize,
    pub set_max_intset_entries: usize,
    /// 0 = sets have no listpack form.
    pub set_max_listpack_entries: usize,
    /// Bytes.
    pub set_max_listpack_value: usize,
    pub zset_max_listpack_entries: usize,
    /// Bytes.
    pub zset_max_listpack_value: usize,
    /// Elements of a node, or, if negative, its size: -1 is 4 kB, each further step doubles it.
    pub list_max_listpack_size: i32,
    /// Nodes at each end that stay uncompressed; 0 = compress none.
    pub list_compress_depth: u32,
    pub hll_sparse_max_bytes: usize,
    /// Bytes; 0 = no limit.
    pub stream_node_max_bytes: usize,
    /// 0 = no limit.
    pub stream_node_max_entries: usize,

    // -- watching the server
    /// Letters, in Redis' order; `keyspace::notify::Classes` knows what they mean.
    pub notify_keyspace_events: String,
    /// Microseconds; negative = the slow log is off.
    pub slowlog_log_slower_than: i64,
    pub slowlog_max_len: u64,
    /// Milliseconds; 0 = the latency monitor is off.
    pub latency_monitor_threshold: u64,
    /// Keep histograms of the commands' durations.
    pub latency_tracking: bool,
    /// What INFO shows of them.
    pub latency_tracking_info_percentiles: Vec<f64>,
    /// Keys in the table of CLIENT TRACKING; 0 = no limit.
    pub tracking_table_max_keys: u64,

    // -- replication, both roles
    /// Bytes of the stream that are kept for nobody in particular.
    pub repl_backlog_size: u64,
    /// Seconds that the backlog outlives the last replica; 0 = forever.
    pub repl_backlog_ttl: u64,
    /// Seconds of silence after which the other side counts as gone.
    pub repl_timeout: u64,
    pub repl_disable_tcp_nodelay: bool,

    // -- replication, as a primary
    /// Seconds between PINGs in the stream.
    pub repl_ping_replica_period: u64,
    pub repl_diskless_sync: bool,
    /// Seconds to wait for more replicas before a full sync starts.
    pub repl_diskless_sync_delay: u64,
    /// Start at once when this many replicas wait; 0 = do not count.
    pub repl_diskless_sync_max_replicas: u32,
    pub min_replicas_to_write: u32,
    /// Seconds; a replica silent for longer does not count as good.
    pub min_replicas_max_lag: u64,

    // -- replication, as a replica
    /// None = a primary.
    pub replicaof: Option<PrimaryAddress>,
    pub masterauth: Option<Vec<u8>>,
    pub masteruser: Option<Vec<u8>>,
    pub replica_read_only: bool,
    /// Answer reads while the link to the primary is down.
    pub replica_serve_stale_data: bool,
    pub replica_priority: u32,
    pub replica_announce_ip: Option<String>,
    /// Ours, from which the link to the primary starts.
    pub bind_source_addr: Option<String>,
    /// 0 = `port`.
    pub replica_announce_port: u16,
    /// Shown to Sentinel.
    pub replica_announced: bool,
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Config::blank();
        for row in rows::all() {
            row.set(&mut config, row.default_value());
        }
        config
    }
}
