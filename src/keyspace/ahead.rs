//! Looking ahead: asks for the memory of a window's keys before the commands on them run.
//!
//! ```text
//!  Db::prefetch_shard    the lock and the table's header, while the window is being looked up
//!  fetch_ahead           try all locks | ask for the lines of the tables | find the entries, ask for their blocks | unlock
//!  Block::draw_near      a few commands before it is used: from the second-level cache into the first
//! ```
//!
//! Called by `exec::prefetch` and `exec::lane`. A locked instruction waits for the loads before it and holds up those behind it, so
//! all locks are taken before the first line is waited for, and from there to the first unlock there are only loads: the misses of
//! all keys overlap.
//! Always: a table is touched under its shard's lock only; a lock that somebody holds is not waited for (so the order does not
//! matter, and nobody can wait in a circle); nothing found here is believed later.

use crate::base::prefetch::{prefetch, prefetch_near};
use crate::keyspace::db::Db;
use crate::keyspace::shard::ShardGuard;

/// Keys in a window at the most. More would push the first ones out of the cache again, and hold more locks at a time.
pub const AHEAD_MAX: usize = 32;

/// How far into an entry its second cache line begins.
const SECOND_LINE: usize = 64;

/// Where an entry's block was a moment ago: an address to ask for, never to read.
#[derive(Clone, Copy, Default, Debug)]
pub struct Block(usize);

impl Block {
    /// Asks for its first two lines, into the first-level cache.
    #[inline]
    pub fn draw_near(self) {
        let address = self.0 as *const u8;
        prefetch_near(address);
        prefetch_near(address.wrapping_add(SECOND_LINE));
    }
}

/// Warms the cache for keys with these hashes, and says where their entries lie, in the same order. At most [`AHEAD_MAX`];
/// more are passed over.
#[inline]
pub fn fetch_ahead(db: &Db, hashes: impl Iterator<Item = Option<u64>>) -> [Block; AHEAD_MAX] {
    let mut guards: [Option<(ShardGuard<'_>, u64)>; AHEAD_MAX] = [const { None }; AHEAD_MAX];
    for (hash, guard) in hashes.zip(&mut guards) {
        let Some(hash) = hash else { continue };
        // Two keys of one shard: the second one's lock is ours already, and not to be had twice.
        *guard = db.try_lock(db.shard_of(hash)).map(|guard| {
            guard.prefetch_table(hash);
            (guard, hash)
        });
    }
    let mut blocks = [Block::default(); AHEAD_MAX];
    for (guard, block) in guards.iter().zip(&mut blocks) {
        if let Some((guard, hash)) = guard {
            *block = Block(guard.candidate(*hash).addr());
            prefetch(block.0 as *const u8);
        }
    }
    // In a round of its own: the second line of a page whose address is still being looked up would wait for it.
    for block in &blocks {
        prefetch((block.0 + SECOND_LINE) as *const u8);
    }
    blocks
}
