//! Generic commands: what can be done to a key whatever it holds.
//!
//! Called through their rows. Always: they know entries and deadlines, and leave values to the types.

pub mod dump;
pub mod expire;
pub mod flush;
pub mod keys;
pub mod migrate;
pub mod object;
pub mod rename;
pub mod scan;
pub mod sort;
pub mod ttl;
#[cfg(test)]
mod events_tests;
