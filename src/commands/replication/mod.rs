//! Replication commands: how a replica introduces itself and attaches, and what clients ask about it.
//!
//! Called through their rows. Always: the handlers check and translate; what they ask for happens behind `Host`.

pub mod attach;
pub mod failover;
pub mod role;
pub mod wait;
