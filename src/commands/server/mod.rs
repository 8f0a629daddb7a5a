//! Server commands: what concerns the whole server and not a key.
//!
//! Called through their rows. Always: whatever they want of the machine, they ask of the host.

pub mod command;
mod command_info;
pub mod config;
pub mod debug;
mod debug_protocol;
mod debug_tables;
mod docs;
pub mod info;
pub mod latency;
pub mod lolwut;
pub mod memory;
mod memory_report;
pub mod monitor;
pub mod persistence;
pub mod shutdown;
pub mod slowlog;
