//! The versions that we name to others: our own, and the Redis version whose behaviour clients may expect.
//!
//! Read by INFO, HELLO and the AUX fields of an RDB. Always: both are constants, so every place says the same.

/// The Redis version whose commands and replies we follow (`redis_version`, `redis-ver`).
pub const REDIS_VERSION: &str = "7.2.0";

/// The Valkey version whose RDB we load, which a primary of that kind is told (`REPLCONF version`).
pub const VALKEY_VERSION: &str = "9.0.0";

/// Our own version (`starling_version`).
pub const STARLING_VERSION: &str = env!("CARGO_PKG_VERSION");
