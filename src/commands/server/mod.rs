//! Server commands: what concerns the whole server and not a key.
//!
//! Called through their rows. Always: whatever they want of the machine, they ask of the host.

pub mod persistence;
