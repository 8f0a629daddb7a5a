//! Snapshots: the data set as it was at one offset of the stream, written while everybody goes on writing.
//!
//! ```text
//!            stop the world (tens of us)                     shard by shard, in short slices
//!  start --> cut: offset, database, keyspace, stamp --> walker ---------------------> chunks --> replica sender a
//!                                                         ^                             |----> replica sender b
//!  writers --> pre-images of what they change first ------+                             `----> file
//! ```
//!
//! Called by `persist::rdb` (SAVE, BGSAVE) and by `replication::primary` (full sync). Nothing forks.
//! Always: the chunks, one after the other, are an RDB that holds precisely the effects of the stream up to the cut,
//! every key once; a walk encodes once, whoever follows it; a slow follower neither stalls the walk nor the others,
//! and what is held for it has a limit. `docs/concurrency.md` has the proof.
//!
//! The files, bottom up: `record` (an entry in RDB form), `buffer` (memory that goes round), `chunks` (from the walker to the followers), `pre_images`,
//! `cut`, `walker`, `snapshots` (who waits for the next walk).

mod buffer;
pub mod chunks;
pub mod cut;
pub mod pre_images;
pub mod record;
pub mod snapshots;
pub mod walker;

use std::fmt;

pub use chunks::{Chunk, Piece, Subscription};
pub use cut::{Cut, StreamPosition, World};
pub use snapshots::{Following, Request, Snapshots, StartError};
pub use walker::WalkOptions;

/// Why a snapshot, or one follower's share in it, came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// Writers overwrote more than [`pre_images::BYTES_MAX`] before the walk could send it.
    TooManyChanges,
    /// This follower fell behind the walk by more than it may; the others go on.
    TooSlow,
    /// All followers have gone.
    Abandoned,
    /// Somebody asked for it to end: shutdown, a change of role.
    Cancelled,
    /// The walker died of a bug of its own.
    Panicked,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SnapshotError::TooManyChanges => "the data set changed faster than the snapshot could be sent",
            SnapshotError::TooSlow => "the follower fell too far behind the snapshot",
            SnapshotError::Abandoned => "nobody follows the snapshot any more",
            SnapshotError::Cancelled => "the snapshot was cancelled",
            SnapshotError::Panicked => "the snapshot's thread failed",
        })
    }
}

impl std::error::Error for SnapshotError {}
