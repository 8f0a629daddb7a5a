//! Watching: what the server remembers of its own slowness, for SLOWLOG and LATENCY.
//!
//! ```text
//!  executor, behind a command --too slow?--> SlowLog (the last commands), Latency (the last seconds, per event)
//! ```
//!
//! Written by executors and cron, read and reset by the commands. Knows no session: what it keeps are copies.
//! Always: nothing here is reached by a command that was not slow.

pub mod latency;
pub mod slow_log;
pub mod sparkline;

pub use latency::Latency;
pub use slow_log::SlowLog;
