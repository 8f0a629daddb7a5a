//! Replication: who follows whom, from where in the stream, and under which name of the history.
//!
//! ```text
//!   identity (replid, replid2)   role (primary, or replica of ...)   state: both, with every way to change them
//!        |                              |
//!   primary/   those who follow us: PSYNC decision, full syncs, senders, WAIT, upkeep of stream and backlog
//!   replica/   whom we follow: the link that loads and applies
//! ```
//!
//! Called by the commands through `Host`, by `server` (which hands sockets over) and by the link.
//! Always: the stream of a replica is its primary's, byte for byte; only the identity tells them apart.

pub mod failover;
pub mod identity;
pub mod info;
pub mod primary;
pub mod replica;
pub mod role;
pub mod state;

pub use identity::{Identity, ReplId};
pub use role::{LinkState, LinkStatus, Role};
pub use state::Replication;
