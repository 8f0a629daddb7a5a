//! The keyspace: databases of entries, sharded, each shard behind its own lock.
//!
//! ```text
//!  Keyspace -> Db -> Shard (dashmap's lock, table, counters) -> Entry (one heap block per key)
//!  Space: what one command sees of it: locked shards, lazy expiry, pre-images, watches
//! ```
//!
//! Called by the command handlers through `Space`; by the snapshot walker, active expiry and SCAN shard by shard.
//! Only `entry` and `table` hold unsafe code.

pub mod ahead;
pub mod db;
pub mod digest;
pub mod entry;
pub mod eviction;
pub mod lazy_free;
pub mod notify;
pub mod own;
pub mod ready;
pub mod shard;
pub mod space;
mod table;
pub mod tracked;
pub mod watch;
