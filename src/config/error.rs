//! What can go wrong with a configuration: at start, in CONFIG SET, in CONFIG REWRITE.
//!
//! `Display` of each is the whole message that a person or a client sees. The first lines of [`ConfigError`] are
//! those of Redis, because scripts and its test suite look for them; the last one says where, and what is allowed.
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

use super::path;

/// Where a line was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Stdin,
    CommandLine,
}

impl Display for Place {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(out, "In {}", path.display()),
            Place::Stdin => out.write_str("On standard input"),
            Place::CommandLine => out.write_str("On the command line"),
        }
    }
}

/// Why the server does not start.
#[derive(Debug)]
pub struct ConfigError(pub(super) Fault);

#[derive(Debug)]
pub(super) enum Fault {
    /// A file that was asked for, or included, cannot be read.
    Unreadable { path: PathBuf, reason: String },
    /// A line is wrong.
    Line { place: Place, number: usize, text: Vec<u8>, wrong: Wrong },
    /// All lines are right, but the server cannot work with them.
    Whole { reason: String },
}

/// What is wrong with a line.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Redis' words.
    pub reason: String,
    /// Ours: what would have been right. May be empty.
    pub hint: String,
}

impl std::error::Error for ConfigError {}

impl Display for ConfigError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let banner = format!("\n*** FATAL CONFIG FILE ERROR (Starling {}) ***\n", env!("CARGO_PKG_VERSION"));
        match &self.0 {
            Fault::Unreadable { path, reason } => {
                write!(out, "Fatal error, can't open config file '{}': {reason}", path.display())
            }
            Fault::Line { place, number, text, wrong } => {
                let text = String::from_utf8_lossy(text);
                write!(out, "{banner}Reading the configuration file, at line {number}\n>>> '{text}'\n")?;
                write!(out, "{}\n{place}, line {number}", wrong.reason)?;
                if wrong.hint.is_empty() { out.write_str(".") } else { write!(out, ": {}.", wrong.hint) }
            }
            Fault::Whole { reason } => write!(out, "{banner}{reason}"),
        }
    }
}

/// Why CONFIG SET changed nothing. `Display` is the error reply without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No such directive.
    Unknown { name: String },
    /// The setting `name` was refused, or could not be applied.
    Failed { name: String, reason: String },
    /// Not while a data set is being loaded: to be answered with `-LOADING`, not with `-ERR`.
    Loading,
}

impl std::error::Error for SetError {}

impl Display for SetError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown { name } => {
                write!(out, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Failed { name, reason } => {
                write!(out, "CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
            SetError::Loading => out.write_str("Redis is loading the dataset in memory"),
        }
    }
}

/// Why CONFIG REWRITE left the file as it was. `Display` is the error reply without its code.
#[derive(Debug)]
pub enum RewriteError {
    /// The server was started without a file.
    NoFile,
    /// The file cannot be read or written.
    Io(io::Error),
}

impl std::error::Error for RewriteError {}

impl Display for RewriteError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            RewriteError::NoFile => out.write_str("The server is running without a config file"),
            RewriteError::Io(error) => write!(out, "Rewriting config file: {}", path::reason(error)),
        }
    }
}

impl From<io::Error> for RewriteError {
    fn from(error: io::Error) -> Self {
        RewriteError::Io(error)
    }
}
