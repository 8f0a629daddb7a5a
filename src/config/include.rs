//! The files behind a name: `include conf.d/*.conf` is all that match, in order; a plain name is itself.
//!
//! Called by the loader. As in Redis, a pattern may match nothing, while a plain name must exist: the loader finds
//! that out when it reads. Hidden files match only patterns that start with a dot.
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::base::glob::glob_match;

/// Larger than any configuration; keeps a mistaken `include /dev/zero` from eating the memory.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The files that `name` stands for, relative to `base`.
pub(super) fn files(base: &Path, name: &[u8]) -> Vec<PathBuf> {
    let path = base.join(OsStr::from_bytes(name));
    if !is_pattern(name) {
        return vec![path];
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        found = match component {
            Component::Normal(part) if is_pattern(part.as_bytes()) => {
                found.iter().flat_map(|directory| entries(directory, part.as_bytes())).collect()
            }
            other => found.into_iter().map(|path| path.join(other)).collect(),
        };
    }
    found.retain(|path| path.exists());
    found
}

fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The entries of a directory that match, sorted by name.
fn entries(directory: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let hidden = name.as_bytes().starts_with(b".") && !pattern.starts_with(b".");
            !hidden && glob_match(pattern, name.as_bytes(), false)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// The content of a file, unless it is too large to be a configuration.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_all(&mut File::open(path)?)
}

/// All that a source has, unless it is too much to be a configuration.
pub(super) fn read_all(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16mb"));
    }
    Ok(content)
}
