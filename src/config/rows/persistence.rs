//! Rows about snapshots on disk: where they lie, when they are made, how they are written.
//!
//! Read by `rows/mod.rs`. Acted upon by `persist/` and, for the encoding, by `snapshot/`.
use crate::config::kind::{INT_MAX, Kind, Rule};
use crate::config::row::{Row, field};

const DELAY: Kind = Kind::Int { min: i32::MIN as i128, max: INT_MAX };

pub(super) static ROWS: &[Row] = &[
    Row::live("dir", Kind::Directory, "./", field!(dir), "The working directory, where snapshots lie.")
        .protected()
        .deny_loading(),
    Row::live(
        "dbfilename",
        Kind::Text(Rule::BaseName("dbfilename", "filename")),
        "dump.rdb",
        field!(dbfilename),
        "Name of the snapshot within `dir`.",
    )
    .protected(),
    Row::live(
        "save",
        Kind::Save,
        "3600 1 300 100 60 10000",
        field!(save),
        "Save once so many seconds have passed and so many keys were changed; several pairs, or \"\" for never.",
    ),
    Row::live("rdbcompression", Kind::Bool, "yes", field!(rdbcompression), "Compress strings in snapshots (LZF)."),
    Row::startup(
        "rdbchecksum",
        Kind::Bool,
        "yes",
        field!(rdbchecksum),
        "Write and check the CRC64 at the end of snapshots.",
    ),
    Row::live(
        "stop-writes-on-bgsave-error",
        Kind::Bool,
        "yes",
        field!(stop_writes_on_bgsave_error),
        "Refuse writes while the last background save failed and `save` is in use.",
    ),
    Row::live(
        "rdb-key-save-delay",
        DELAY,
        "0",
        field!(rdb_key_save_delay),
        "For tests: microseconds to wait after each key of a snapshot; -n waits one microsecond every n keys.",
    )
    .hidden(),
    Row::live(
        "key-load-delay",
        DELAY,
        "0",
        field!(key_load_delay),
        "For tests: microseconds to wait after each key loaded; -n waits one microsecond every n keys.",
    )
    .hidden(),
];
