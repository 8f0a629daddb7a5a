//! List commands: elements by their ends, by index, by value, and clients that wait for them.
//!
//! ```text
//!  push_pop   LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN      transfer   LMOVE RPOPLPUSH, BLMOVE BRPOPLPUSH
//!  range      LRANGE LINDEX LTRIM                           first_of   LMPOP, BLPOP BRPOP BLMPOP
//!  change     LSET LINSERT LREM                             position   LPOS
//! ```
//!
//! Called through their rows. Always: a list that has lost its last element is gone, and a blocking command is in the stream as
//! its non-blocking twin.

pub mod change;
pub mod first_of;
pub mod position;
pub mod push_pop;
pub mod range;
#[cfg(test)]
mod tests;
pub mod transfer;

use crate::codec::listpack::Item;
use crate::commands::spec::{Args, Failure, Group, Keys, Row};
use crate::resp::reply::Reply;
use crate::types::list::End;

/// What the rows of this group share.
const LIST: Row =
    Row { keys: Keys::ONE, categories: &["list"], group: Group::List, since: "1.0.0", ..Row::BASE };

/// An element as a reply.
#[inline]
fn write_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// LEFT or RIGHT.
fn end_at(args: &Args<'_>, index: usize) -> Result<End, Failure> {
    match args.opt(index) {
        Some(word) if word.eq_ignore_ascii_case(b"left") => Ok(End::Head),
        Some(word) if word.eq_ignore_ascii_case(b"right") => Ok(End::Tail),
        Some(_) | None => Err(Failure::SYNTAX),
    }
}

/// The name of the command that pops at this end, and of its event.
fn pop_name(end: End) -> &'static str {
    match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    }
}

/// The name of the event of a push at this end.
fn push_name(end: End) -> &'static str {
    match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    }
}
