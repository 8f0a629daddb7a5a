//! RDB files: one snapshot each, written and read.
//!
//! ```text
//!  SAVE, BGSAVE, save points -> Saver -> snapshot::Snapshots -> chunks -> temp-<pid>.rdb -> fsync -> rename
//!  start, DEBUG RELOAD, full sync -> load -> a new Keyspace, which the caller makes the current one
//! ```
//!
//! Always: loading never touches the present data set; saving never stops it for longer than a cut.

pub mod load;
pub mod reload;
pub mod save;
pub mod saver;

#[cfg(test)]
mod interop_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;

pub use load::{Expired, LoadError, LoadOptions, LoadReport, Loaded, Progress, load, load_file};
pub use reload::{ReloadError, load_current, reload};
pub use save::{SaveError, write_file};
pub use saver::{BgSave, Refusal, SaveStatus, Saver};
