//! Run it: from a parsed request to a reply and its place in the stream.
//!
//! ```text
//!  batch -> executor (gates, locks, handler, commit)       engine: what all executors share
//!           transaction (EXEC, WATCH)                      barrier: the moments at which nobody runs a command
//!  apply: the same for what a primary sends, which no gate refuses
//! ```
//!
//! Called by the workers (`server::worker`), by the link, which applies a primary's stream, and by active expiry.
//! Always: a handler never sees a socket, and nothing below this layer knows the backlog.

mod announce;
pub mod apply;
pub mod barrier;
pub mod blocked;
pub mod commit;
mod cut;
pub mod engine;
pub mod eviction;
pub mod executor;
pub mod gates;
pub mod held;
pub mod loading;
pub mod migration;
mod monitor;
mod pause;
mod redact;
pub mod slowness;
pub mod stats;
pub mod transaction;
pub mod active_expiry;
pub mod lane;
pub mod prefetch;
