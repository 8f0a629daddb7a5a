//! Which keys to give up when memory is full: how often a key is used, who of a sample is needed least, and what a snapshot
//! notes of it.
//!
//! Called by `exec::eviction`, which deletes what is chosen here, and by `Space`, which notes each access.
//! Always: nothing here deletes; a choice is only a hint until the key has been found again under its lock.

pub mod frequency;
pub mod pool;
pub mod usage;

pub use frequency::Lfu;
pub use pool::{Pool, Ranking};
pub use usage::{LoadedUsage, Note, Usage};
