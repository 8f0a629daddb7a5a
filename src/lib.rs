//! Starling: a multi-threaded, fork-less, Redis-compatible server whose heart is replication.
pub mod backlog;
pub mod base;
pub mod codec;
pub mod commands;
pub mod config;
pub mod exec;
pub mod keyspace;
pub mod net;
pub mod persist;
pub mod pubsub;
pub mod replication;
pub mod resp;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod types;
pub mod watching;
