//! Which keys to give up when memory is full: how often a key is used, and who of a sample is needed least.
//!
//! Called by `exec::eviction`, which deletes what is chosen here, and by `Space`, which notes each access.
//! Always: nothing here deletes; a choice is only a hint until the key has been found again under its lock.

pub mod frequency;
pub mod pool;

pub use frequency::Lfu;
pub use pool::{Pool, Ranking};
