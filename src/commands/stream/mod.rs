//! Commands on streams: entries with ids, read by anybody or shared out among the consumers of a group.
//!
//! ```text
//!  XADD XTRIM XDEL XSETID XLEN XRANGE XREVRANGE XREAD           the log of entries
//!  XREADGROUP XACK XPENDING XCLAIM XAUTOCLAIM XGROUP XINFO      groups, consumers, what is pending
//! ```
//!
//! Listed in `commands::ALL`. Always: what goes into the stream of replicas is exact: ids as they were given out, trims as
//! far as they went, deliveries as XCLAIM with their time.

pub mod ack;
pub mod add;
pub mod claim;
pub mod delete;
pub mod group;
pub mod info;
pub mod parse;
pub mod range;
pub mod read;
pub mod read_group;
pub mod shape;
pub mod trim;

#[cfg(test)]
mod tests;

use crate::commands::spec::{Group, Keys, Row};

/// What the rows of this folder have in common.
pub(in crate::commands::stream) const STREAM: Row =
    Row { keys: Keys::ONE, categories: &["stream"], group: Group::Stream, since: "5.0.0", ..Row::BASE };

/// For subcommands, whose key is their second argument.
pub(in crate::commands::stream) const SUBCOMMAND: Row =
    Row { keys: Keys::Range { first: 2, last: 2, step: 1 }, ..STREAM };
