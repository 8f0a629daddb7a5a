//! Commands on sorted sets.
//!
//! `add` and `remove` change, `lookup` asks for single members and counts, `range` reads and stores ranges, `pop` takes from
//! either end and waits for members, `random` reads by chance, `combine` is algebra over sets and sorted sets, `scan` is ZSCAN.
//! `bounds` reads what a range is in requests. Always: a range of scores or members is turned into one of ranks first; a key
//! that holds another type is an error and changes nothing; a sorted set that becomes empty is deleted.

pub mod add;
pub mod bounds;
pub mod combine;
pub mod lookup;
pub mod pop;
pub mod random;
pub mod range;
pub mod remove;
pub mod scan;

use crate::codec::listpack::Item;
use crate::commands::spec::{Ctx, Effect, Group, Keys, Row};
use crate::keyspace::notify::Classes;
use crate::resp::reply::Reply;
use crate::types::sorted_set::Limits;
use crate::types::{Collection, SortedSet};

/// What most rows of this group share.
const SORTED_SET: Row =
    Row { categories: &["sortedset"], group: Group::SortedSet, keys: Keys::ONE, since: "1.2.0", ..Row::BASE };

/// What it costs to find a place in a sorted set, and to show what lies there.
const OF_RANGE: &str =
    "O(log(N)+M) with N being the number of members of the sorted set and M that of those shown.";

/// A member as a client sees it.
#[inline]
pub fn write_member(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Int(value) => reply.bulk_int(value),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// How the members of a reply are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Members,
    /// Member, score, member, score, ...
    Flat,
    /// An array of two for each.
    Pairs,
}

impl Shape {
    /// With scores, RESP3 groups what RESP2 shows flat.
    pub fn of(with_scores: bool, reply: &Reply) -> Shape {
        match (with_scores, reply.resp3()) {
            (false, _) => Shape::Members,
            (true, false) => Shape::Flat,
            (true, true) => Shape::Pairs,
        }
    }

    /// The header of an array of `count` members.
    pub fn begin(self, reply: &mut Reply, count: usize) {
        match self {
            Shape::Members | Shape::Pairs => reply.array(count),
            Shape::Flat => reply.array(count * 2),
        }
    }

    #[inline]
    pub fn write(self, reply: &mut Reply, member: Item<'_>, score: f64) {
        if self == Shape::Pairs {
            reply.array(2);
        }
        write_member(reply, member);
        if self != Shape::Members {
            reply.double(score);
        }
    }
}

/// Puts a result under the destination key of a STORE command, or deletes that key if the result is empty; answers the number
/// of members.
pub fn store(ctx: &mut Ctx<'_, '_>, key: &[u8], mut result: SortedSet, event: &'static str) -> Effect {
    ctx.reply.int(result.len() as i64);
    if result.is_empty() {
        let deleted = ctx.space.delete(key);
        if deleted {
            ctx.space.notify(Classes::GENERIC, "del", key);
        }
        return Effect::verbatim_if(deleted);
    }
    result.settle(Limits::of(ctx.config));
    ctx.space.put_value(key, result.into(), None);
    ctx.space.notify(Classes::SORTED_SET, event, key);
    Effect::Verbatim
}
