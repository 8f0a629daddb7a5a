//! Commands on hashes.
//!
//! `write` sets and removes fields, `read` asks for them, `counter` adds to them; `random` takes fields by chance, `scan` is
//! HSCAN. Fields may have deadlines: `expire` sets and clears them, `ttl` tells them, `timed` does so while reading and
//! writing (HGETEX, HSETEX, HGETDEL), and `fields` has the words that those commands share.
//! Always: a key that holds another type is an error and changes nothing; a hash that becomes empty is deleted. The stream
//! gets plain words only (HSET, HDEL, HINCRBY, HPEXPIREAT, HPERSIST), with absolute times and without conditions, so that a
//! replica which knows no deadlines of fields still has every field and value.

pub mod counter;
pub mod expire;
mod fields;
pub mod random;
pub mod read;
pub mod scan;
pub mod timed;
pub mod ttl;
pub mod write;

use crate::base::ids::UnixMs;
use crate::codec::listpack::Item;
use crate::commands::spec::{Ctx, Group, Keys, Row};
use crate::keyspace::space::Expiry;
use crate::resp::reply::Reply;
use crate::types::hash::NEVER;

/// What most rows of this group share.
const HASH: Row =
    Row { categories: &["hash"], group: Group::Hash, keys: Keys::ONE, since: "2.0.0", ..Row::BASE };

/// The moment at which a command looks at deadlines of fields: what a primary sends is applied as if none had passed.
#[inline]
fn clock(ctx: &Ctx<'_, '_>) -> UnixMs {
    match ctx.space.around().expiry {
        Expiry::Ignore => NEVER,
        Expiry::Delete | Expiry::Hide => ctx.now(),
    }
}

/// A field's name or value as a client sees it.
#[inline]
fn write_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(value) => reply.bulk_int(value),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// A value, or null where there is no such field.
#[inline]
fn write_found(reply: &mut Reply, item: Option<Item<'_>>) {
    match item {
        Some(item) => write_item(reply, item),
        None => reply.null(),
    }
}
