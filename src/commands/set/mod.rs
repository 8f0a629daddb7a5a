//! Commands on sets.
//!
//! `members` adds, removes and asks; `random` takes by chance; `combine` is set algebra; `scan` is SSCAN.
//! Always: a key that holds another type is an error and changes nothing; a set that becomes empty is deleted.

pub mod combine;
pub mod members;
pub mod random;
pub mod scan;

use crate::codec::listpack::Item;
use crate::commands::spec::{Group, Keys, Row};
use crate::resp::reply::Reply;

/// What most rows of this group share.
const SET: Row = Row { categories: &["set"], group: Group::Set, keys: Keys::ONE, ..Row::BASE };

/// A member as a client sees it.
#[inline]
fn write_member(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Int(value) => reply.bulk_int(value),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}
