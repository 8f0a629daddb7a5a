//! Publish and subscribe: who listens to what, and how a message reaches them on whichever worker they are served.
//!
//! ```text
//!  PUBLISH (any thread)                          Registry                              worker of the subscribers
//!  channel, payload --> topic --> one Delivery per worker, payload encoded once --> mailbox --> each member's output
//!                       (locked)                                                              (Audience, only this thread's)
//! ```
//!
//! Used by the handlers of `commands/pubsub`, by keyspace notifications and client tracking, and by `server::worker`, which
//! hands deliveries out. Knows clients by number and workers by index, and neither sockets nor sessions.
//! Always: what one publisher sends to a channel arrives in that order at each subscriber, and a subscriber gets what was
//! published after its subscription and nothing from before it.

mod audience;
mod message;
mod registry;
mod subscriptions;
pub mod tracking;

pub use audience::Audience;
pub use message::{message, pattern_message};
pub use registry::{Delivery, Outlet, Part, Publisher, Registry};
pub use subscriptions::Subscriptions;

/// What a subscription names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Channel,
    /// A glob pattern over the names of channels.
    Pattern,
    /// A channel of a shard: the same without patterns, and apart from the others.
    Shard,
}
