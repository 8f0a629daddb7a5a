//! Checks of directives that name a place in the file system, and errors of the system in Redis' words.
//!
//! Called by `kind.rs` and the loader. Looks at the file system, changes nothing.
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::value::Value;

/// The absolute form of a directory that exists and can be entered, as `chdir` from `old` would reach it.
pub(super) fn directory(word: &[u8], old: &Value) -> Result<Value, String> {
    let base = if let Value::Bytes(base) = old { base.as_slice() } else { b"." };
    let wanted = Path::new(OsStr::from_bytes(base)).join(OsStr::from_bytes(word));
    if word.is_empty() {
        return Err("No such file or directory".into());
    }
    // The trailing dot makes the lookup fail where entering would: on a file, or without the permission.
    match fs::canonicalize(wanted.join(".")) {
        Ok(absolute) => Ok(Value::Bytes(absolute.into_os_string().into_vec())),
        Err(error) => Err(reason(&error)),
    }
}

/// A file name without a directory in it.
pub(super) fn base_name(word: &[u8], directive: &str, noun: &str) -> Result<(), String> {
    if word.contains(&b'/') || word.contains(&b'\\') {
        return Err(format!("{directive} can't be a path, just a {noun}"));
    }
    if std::str::from_utf8(word).is_err() {
        return Err("argument must be valid UTF-8".into());
    }
    Ok(())
}

/// The system's message alone, as C's `strerror` gives it: `No such file or directory`.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
