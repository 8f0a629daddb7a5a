//! HyperLogLog commands: estimated numbers of different elements, in strings.
//!
//! Called through their rows; the sketch itself is `types::hyperloglog`.
//! Always: a string that is no sketch is the wrong type, one whose registers do not add up is an invalid object, and
//! neither is changed.

pub mod debug;
pub mod sketch;

use crate::commands::spec::{Failure, Group, Row};
use crate::keyspace::entry::Entry;
use crate::types::Str;
use crate::types::hyperloglog::{Corrupt, Form, form};

/// What the rows of this group share.
pub(super) const HYPERLOGLOG: Row =
    Row { categories: &["hyperloglog"], group: Group::Hyperloglog, since: "2.8.9", ..Row::BASE };

const NO_SKETCH: Failure = Failure::text("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<Corrupt> for Failure {
    fn from(_: Corrupt) -> Failure {
        Failure::text("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The bytes of a sketch and its form.
fn sketch_of(entry: &Entry) -> Result<(&[u8], Form), Failure> {
    match entry.as_str().ok_or(Failure::WRONG_TYPE)? {
        Str::Int(_) => Err(NO_SKETCH),
        Str::Bytes(bytes) => Ok((bytes, form(bytes).ok_or(NO_SKETCH)?)),
    }
}
