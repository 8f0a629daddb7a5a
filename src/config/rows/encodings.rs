//! Rows about the small encodings of collections: up to where each type keeps its compact form.
//!
//! Read by `rows/mod.rs`; each type makes its `Limits` of them (`types/`). A change counts for what is written afterwards:
//! values that are there keep their form until a command changes them.
use crate::config::kind::{INT_MAX, Kind, LONG_MAX};
use crate::config::row::{Row, field};

const COUNT: Kind = Kind::Int { min: 0, max: LONG_MAX };
const SIZE: Kind = Kind::Memory { min: 0, max: LONG_MAX as u64 };

pub(super) static ROWS: &[Row] = &[
    Row::live(
        "hash-max-listpack-entries",
        COUNT,
        "512",
        field!(hash_max_listpack_entries),
        "Hashes with more fields leave the listpack encoding.",
    )
    .aliases(&["hash-max-ziplist-entries"]),
    Row::live(
        "hash-max-listpack-value",
        SIZE,
        "64",
        field!(hash_max_listpack_value),
        "Hashes with a longer field or value leave the listpack encoding.",
    )
    .aliases(&["hash-max-ziplist-value"]),
    Row::live(
        "set-max-intset-entries",
        COUNT,
        "512",
        field!(set_max_intset_entries),
        "Sets of more integers leave the intset encoding.",
    ),
    Row::live(
        "set-max-listpack-entries",
        COUNT,
        "128",
        field!(set_max_listpack_entries),
        "Sets with more members leave the listpack encoding; 0 turns it off for sets.",
    ),
    Row::live(
        "set-max-listpack-value",
        SIZE,
        "64",
        field!(set_max_listpack_value),
        "Sets with a longer member leave the listpack encoding.",
    ),
    Row::live(
        "zset-max-listpack-entries",
        COUNT,
        "128",
        field!(zset_max_listpack_entries),
        "Sorted sets with more members leave the listpack encoding.",
    )
    .aliases(&["zset-max-ziplist-entries"]),
    Row::live(
        "zset-max-listpack-value",
        SIZE,
        "64",
        field!(zset_max_listpack_value),
        "Sorted sets with a longer member leave the listpack encoding.",
    )
    .aliases(&["zset-max-ziplist-value"]),
    Row::live(
        "list-max-listpack-size",
        Kind::Int { min: i32::MIN as i128, max: INT_MAX },
        "-2",
        field!(list_max_listpack_size),
        "Elements of a list's node; negative: its size, from -1 (4 kB) to -5 (64 kB).",
    )
    .aliases(&["list-max-ziplist-size"]),
    Row::live(
        "list-compress-depth",
        Kind::Int { min: 0, max: INT_MAX },
        "0",
        field!(list_compress_depth),
        "Nodes at each end of a list that stay uncompressed; 0 compresses none.",
    ),
    Row::live(
        "hll-sparse-max-bytes",
        SIZE,
        "3000",
        field!(hll_sparse_max_bytes),
        "Larger HyperLogLogs leave the sparse representation.",
    ),
    Row::live(
        "stream-node-max-bytes",
        SIZE,
        "4096",
        field!(stream_node_max_bytes),
        "Size of a stream's node; 0 is no limit.",
    ),
    Row::live(
        "stream-node-max-entries",
        COUNT,
        "100",
        field!(stream_node_max_entries),
        "Entries of a stream's node; 0 is no limit.",
    ),
];
