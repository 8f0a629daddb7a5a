//! Newtypes for numbers that get mixed up: which database, which moment.
//! Everybody above uses them; the compiler then refuses a deadline where a database was meant.
//!
//! Always: plain `Copy` integers without behaviour beyond conversion and order.

use std::fmt;

/// A database's number, as SELECT takes it. [`DbIndex::MAX`] is the largest one that the backlog can carry:
/// the two values above it mean something else there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u16);

impl DbIndex {
    /// The largest database number that is ever used.
    pub const MAX: DbIndex = DbIndex(0xFFFD);
}

impl fmt::Display for DbIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: milliseconds since 1970-01-01 UTC. Negative values are legal (a deadline may lie before 1970).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
