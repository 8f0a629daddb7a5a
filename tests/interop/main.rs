//! Interop tests: real processes of starling-server, Redis 7.0.15 and Valkey 8 beside each other, compared by DEBUG DIGEST.
//!
//!     traffic (seeded) --> primary ==replication link (through a Cut)==> replica, digests equal?
//!
//! Run by `tests/run interop` (or `cargo nextest run --test interop`) after `tests/peers/install`. The first half of the modules is the
//! harness, the second half the scenarios. Always: every server has its own port and directory and dies with its test; each random run
//! prints its seed (`STARLING_SEED=n` repeats it); a failing test prints the end of each server's log.
//!
//! `STARLING_BIN=/usr/bin/redis-server` lets another server stand in for Starling, which proves the harness itself.

mod client;
mod cut;
mod data_set;
mod fake_primary;
mod fake_replica;
mod pairs;
mod server;
mod sync;
mod traffic;

mod bad_input;
mod chain;
mod command_docs;
mod configuration;
mod ending;
mod exchange;
mod failover;
mod fan_out;
mod fidelity;
mod field_deadlines;
mod follow;
mod large;
mod memory;
mod migration;
mod promotion;
mod refusal;
mod resp3;
mod restart;
mod roles;
mod twins;
mod waiting;
