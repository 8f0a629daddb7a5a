//! What outlives the process: the data set on disk.
//!
//! Called by `server` (load at start, save at the end, cron), by the commands about saving through `Host`, and by the
//! link to a primary, which loads a full sync with the same code.
//! Always: a file appears under its name only when it is complete and on the disk; a load that fails changes nothing.

pub mod rdb;
