//! Publish and subscribe: the commands over the registry of subscribers (`crate::pubsub`).
//!
//! Called through their rows. Always: what is published goes on to the replicas, whoever listens here.

pub mod channels;
pub mod publish;
pub mod subscribe;
