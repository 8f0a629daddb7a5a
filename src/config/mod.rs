//! Configuration: what a person may set, where a setting comes from, and who sees a change.
//!
//! ```text
//!   argv ----> argv.rs --+                        rows/ : one row per directive (name, kind, default, doc, field)
//!   file ----> line.rs --+--> load.rs --> Config        |
//!   stdin ---------------+     (typed)      |           +--> CONFIG GET / SET (live.rs), REWRITE (rewrite.rs),
//!                                           v           +--> error texts, docs/configuration.md, tests
//!                                         Live (ArcSwap<Config>) --> workers, senders, link: `load()` or a `cache()`
//! ```
//!
//! Called by `main` (to read the arguments), by `server::boot` (which wraps the result in [`Live`]) and by the
//! CONFIG command. Always: a `Config` that anybody can see has passed every check of its rows, and a directive
//! exists in exactly one row. This layer knows no socket and no client; it reads files, and writes only the
//! file that it was started from.
mod argv;
mod error;
mod fields;
mod include;
mod kind;
mod line;
mod list;
mod live;
mod load;
mod path;
mod rewrite;
mod row;
mod rows;
mod strangers;
pub mod units;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, RewriteError, SetError};
pub use fields::Config;
pub use live::{Apply, Asker, ConfigCache, Live};
pub use load::{Origin, Rename, from_args, from_args_and_stdin};
pub use row::{Effect, Row};
pub use rows::{all as rows, find as find_row};
pub use value::{MemoryOrShare, OutputLimit, OutputLimits, PrimaryAddress, SavePoint};
pub use words::{EvictionPolicy, LogLevel, Permission};
