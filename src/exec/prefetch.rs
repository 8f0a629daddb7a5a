//! Prefetch: while a pipeline's first commands run, the memory of the later ones is already on its way.
//!
//! ```text
//!  look up  name -> row, key -> hash, ask for the shard's lock and table header
//!  fetch    ask for the tables' lines and the entries' blocks (`keyspace::ahead`)
//!  run      every cache miss has been waited for by the window as a whole instead of one by one
//! ```
//!
//! Called by the worker with windows of up to `WINDOW` commands. Measured (shared/measurements): two thirds of the cost of a
//! pipelined SET over a large keyspace were such misses.
//! Always: a table is only touched under its shard's lock, and nothing found here is believed later.

use crate::base::hash::hash_key;
use crate::base::ids::DbIndex;
use crate::base::same::same;
use crate::commands::spec::Args;
use crate::commands::spec::table::{Command, table};
use crate::exec::executor::{Executor, Resolved};
use crate::keyspace::ahead::{AHEAD_MAX, fetch_ahead};

/// Commands that are looked up ahead.
pub const WINDOW: usize = AHEAD_MAX;

impl Executor {
    /// Finds row and hash of each request and, where there is more than one, warms the cache for them. `resolved` is
    /// cleared first.
    #[inline]
    pub fn resolve_window<'a>(
        &self,
        db: DbIndex,
        requests: impl Iterator<Item = Args<'a>>,
        resolved: &mut Vec<Resolved>,
    ) {
        resolved.clear();
        let db = self.view.keyspace.db(db);
        let mut last: Option<(&[u8], Option<&'static Command>)> = None;
        for args in requests {
            let name = args.get(0);
            let command = match last {
                // The same bytes as before: a pipeline seldom changes its mind.
                Some((known, command)) if same(known, name) => command,
                Some(_) | None => table().lookup(name),
            };
            last = Some((name, command));
            let key = command.and_then(|command| command.row.keys.single()).and_then(|index| args.opt(index));
            let hash = key.map(hash_key);
            if let Some(hash) = hash {
                db.prefetch_shard(db.shard_of(hash));
            }
            resolved.push(Resolved::new(command, hash));
        }
        if resolved.len() == 1 {
            return;
        }
        let blocks = fetch_ahead(db, resolved.iter().map(|one| one.hash));
        resolved.iter_mut().zip(blocks).for_each(|(one, block)| one.block = block);
    }
}
