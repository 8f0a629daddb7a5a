//! The spool: a snapshot for a replica that has to know its length before the first byte.
//!
//! Only for clients without `capa eof` (plain SYNC): the snapshot's length is known when all of it is encoded, so it goes
//! through a file without a name. Run by the upkeep, on a thread of its own. Always: the file is gone with its last user,
//! and so with the process.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::snapshot::Subscription;

/// Distinguishes the files of one process: any thread adds (Relaxed); publishes nothing.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Writes the whole snapshot; returns the file and its length in bytes.
///
/// # Errors
/// In words: the disk or the snapshot failed.
pub fn spool(mut subscription: Subscription, dir: &Path) -> Result<(Arc<File>, u64), String> {
    let mut file =
        nameless(dir).map_err(|error| format!("cannot make a file in {}: {error}", dir.display()))?;
    let mut len = 0;
    while let Some(chunk) = subscription.wait_next().map_err(|error| error.to_string())? {
        file.write_all(&chunk).map_err(|error| format!("cannot write to {}: {error}", dir.display()))?;
        len += chunk.len() as u64;
    }
    Ok((Arc::new(file), len))
}

fn nameless(dir: &Path) -> io::Result<File> {
    let number = NUMBER.fetch_add(1, Relaxed);
    let path = dir.join(format!("temp-sync-{}-{number}.rdb", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}
