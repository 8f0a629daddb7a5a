//! Saving: a snapshot's chunks become a file that is there as a whole or not at all.
//!
//! ```text
//!  chunks -> temp-<pid>.rdb --fsync--> rename to dbfilename --fsync of the directory-->
//! ```
//!
//! Called by `saver` and, for replicas that want to know the length beforehand, by full syncs that go through a file.
//! Always: whatever fails, the file that was there before is still there, and no temporary file stays behind.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::snapshot::{SnapshotError, Subscription};

/// The file is flushed to the disk each time it has grown by this much: more, and the system writes it all at once at
/// the end while everybody else who uses the disk waits.
const SYNC_EVERY_BYTES: u64 = 16 * 1024 * 1024;

/// Why there is no new file.
#[derive(Debug)]
pub enum SaveError {
    Open(PathBuf, io::Error),
    Write(io::Error),
    Rename(PathBuf, io::Error),
    Snapshot(SnapshotError),
    /// No thread, or no walk, could be had.
    Start(io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::Open(path, error) => {
                write!(f, "Failed opening the temp RDB file {} for saving: {error}", path.display())
            }
            SaveError::Write(error) => write!(f, "Write error saving DB on disk: {error}"),
            SaveError::Rename(path, error) => {
                write!(f, "Error moving temp DB file on the final destination {}: {error}", path.display())
            }
            SaveError::Snapshot(error) => write!(f, "Snapshot failed while saving DB on disk: {error}"),
            SaveError::Start(error) => write!(f, "Can't save: {error}"),
        }
    }
}

impl std::error::Error for SaveError {}

/// The file that is being written, in `dir`, until it is complete.
pub fn temporary_name() -> String {
    format!("temp-{}.rdb", std::process::id())
}

/// Writes all chunks to `dir/name` by way of a temporary file beside it. Returns the file's length in bytes.
///
/// # Errors
/// See [`SaveError`]; a file of that name that was there before is untouched then.
pub fn write_file(dir: &Path, name: &str, chunks: Subscription) -> Result<u64, SaveError> {
    let temporary = dir.join(temporary_name());
    let written = write_chunks(&temporary, chunks).and_then(|bytes| {
        let target = dir.join(name);
        fs::rename(&temporary, &target).map_err(|error| SaveError::Rename(target, error))?;
        Ok(bytes)
    });
    match written {
        Ok(bytes) => {
            // The rename itself is on the disk only when the directory is.
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(SaveError::Write)?;
            Ok(bytes)
        }
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Writes all chunks to a new file at `path` and brings it to the disk. Returns its length in bytes.
///
/// # Errors
/// See [`SaveError`]; what was written may be there then.
pub fn write_chunks(path: &Path, mut chunks: Subscription) -> Result<u64, SaveError> {
    let mut file = File::create(path).map_err(|error| SaveError::Open(path.to_path_buf(), error))?;
    let (mut bytes, mut synced) = (0, 0);
    while let Some(chunk) = chunks.wait_next().map_err(SaveError::Snapshot)? {
        file.write_all(&chunk).map_err(SaveError::Write)?;
        bytes += chunk.len() as u64;
        if bytes - synced >= SYNC_EVERY_BYTES {
            file.sync_data().map_err(SaveError::Write)?;
            synced = bytes;
        }
    }
    file.sync_all().map_err(SaveError::Write)?;
    Ok(bytes)
}
