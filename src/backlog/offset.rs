//! A position in the replication stream, counted as Redis counts `master_repl_offset`.
//! Everybody who names a place in the stream does so with this type; only a backlog's writer makes new ones.
//!
//! ```text
//!   Offset(n): n bytes of the history lie before this place
//!
//!        Offset(0)   Offset(1)   Offset(2)
//!            |  byte 1   |  byte 2   |          PSYNC counts bytes from 1: "PSYNC <id> 2" asks
//!            +-----------+-----------+          for byte 2 first, which is a reader at Offset(1)
//! ```

use std::fmt;
use std::ops::Add;

/// How many bytes of the history precede this place: `master_repl_offset` right after the last of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// Bytes from `earlier` to here; 0 if `earlier` is not earlier.
    pub fn bytes_since(self, earlier: Offset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Offset {
    type Output = Offset;
    fn add(self, bytes: u64) -> Offset {
        Offset(self.0 + bytes)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
