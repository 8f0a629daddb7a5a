//! Host: what the server offers to commands that reach beyond keys.
//!
//! Declared here, below, and implemented by `server::host`, above: a control command calls upward through this trait
//! and through nothing else.
//! Always: methods may take their time (save, stop the world), so they are called without any shard lock held.

use std::sync::Arc;

use crate::commands::spec::Failure;
use crate::config::{Asker, Live};
use crate::keyspace::db::Keyspace;
use crate::keyspace::watch::WatchTable;
use crate::session::roster::Roster;

pub trait Host: Send + Sync {
    fn config(&self) -> &Live;
    fn keyspace(&self) -> Arc<Keyspace>;
    fn watches(&self) -> &WatchTable;
    fn roster(&self) -> &Roster;
    /// Makes `keyspace` the current one. Only while the world stands still.
    fn replace_keyspace(&self, keyspace: Keyspace);
    /// CONFIG SET: validates all, applies all or none.
    fn set_config(&self, asker: Asker, pairs: &[(&[u8], &[u8])]) -> Result<(), Failure>;
}
