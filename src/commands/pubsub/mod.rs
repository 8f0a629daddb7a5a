//! Publish and subscribe.
//!
//! Called through their rows. Always: what is published goes on to the replicas, whoever listens here.

pub mod publish;
