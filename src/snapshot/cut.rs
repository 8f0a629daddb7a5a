//! The cut: one moment between two commands, and everything that was true then.
//!
//! ```text
//!   stream:   ... SET a | INCR b || cut at offset O || DEL a | ...
//!   entries:        stamps < S   ||  from now on changes and births are stamped S
//! ```
//!
//! Taken by `snapshots` while the world stands still; read by the walker and by all followers.
//! Always: the keyspace captured here holds the effects of the stream up to `position.offset` and of nothing behind it.

use std::sync::Arc;

use crate::base::ids::{DbIndex, UnixMs};
use crate::codec::rdb::Dialect;
use crate::keyspace::db::{Db, Keyspace};
use crate::keyspace::entry::Stamp;
use crate::keyspace::space::PreImages;

/// What a snapshot needs of the threads that run commands. Implemented by `exec::Engine`.
pub trait World: Send + Sync {
    /// Runs `work` while no thread is inside a command. The caller must not be inside one itself.
    fn stop(&self, work: &mut dyn FnMut());

    /// The current databases.
    fn keyspace(&self) -> Arc<Keyspace>;

    /// From now on writers hand the pre-image of every entry with an older stamp to `pre_images` before its first
    /// change, and stamp what they make or change with the stamp returned. Only while the world stands still.
    fn begin_snapshot(&self, pre_images: Box<dyn PreImages>) -> Stamp;

    /// Nobody wants pre-images any more.
    fn end_snapshot(&self);
}

/// Where the stream stood. Redis' `repl-id`, `repl-offset` and `repl-stream-db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    pub replid: String,
    /// Bytes of the stream that the snapshot contains (`master_repl_offset`).
    pub offset: u64,
    /// The database that the stream is in; `None` if what follows begins with SELECT.
    pub db: Option<DbIndex>,
}

/// How much a database held, as a hint for those who load it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbSize {
    pub keys: u64,
    pub expires: u64,
}

/// What was true at the cut.
pub struct Cut {
    /// `None` if this server has no stream: never replicated, never a replica.
    pub position: Option<StreamPosition>,
    pub keyspace: Arc<Keyspace>,
    /// How it is written: what all followers can load.
    pub dialect: Dialect,
    /// Entries with this stamp were born, changed or captured after the cut.
    pub stamp: Stamp,
    /// By number of the database.
    pub sizes: Vec<DbSize>,
    pub taken_at: UnixMs,
}

impl Cut {
    pub(super) fn sizes_of(keyspace: &Keyspace) -> Vec<DbSize> {
        let size = |db: &Db| DbSize { keys: db.len() as u64, expires: db.expires() as u64 };
        keyspace.iter().map(|(_, db)| size(db)).collect()
    }

    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.sizes.iter().map(|size| size.keys).sum()
    }
}
