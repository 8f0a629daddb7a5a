//! Bytes that outlive a process or cross between servers: LZF, CRC64, Redis' compact encodings (listpack, intset and the
//! older ones that are only read) and the primitives of the RDB format.
//! Callers are `types` (values in RDB form), `snapshot`, `persist` and `replication` (whole RDB streams), and the
//! commands DUMP and RESTORE.
//!
//! Always: every decoder takes arbitrary bytes, answers an error and never panics, and allocates in proportion to
//! what has arrived, not to what a header claims. Nothing here knows a key, a database or a socket.

pub mod crc64;
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod rdb;
pub mod ziplist;
pub mod zipmap;
