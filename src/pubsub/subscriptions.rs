//! What one client is subscribed to: its own side of the registry's book.
//!
//! Lives in the session of a client that has subscribed to something. Changed by the handlers of `commands/pubsub` together
//! with the registry. Always: a name is here exactly if the registry counts this client among its subscribers.

use std::collections::BTreeSet;

use crate::pubsub::Kind;

#[derive(Default, Debug)]
pub struct Subscriptions {
    channels: BTreeSet<Vec<u8>>,
    patterns: BTreeSet<Vec<u8>>,
    shards: BTreeSet<Vec<u8>>,
}

impl Subscriptions {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// True if it is new.
    pub fn add(&mut self, kind: Kind, name: &[u8]) -> bool {
        !self.of(kind).contains(name) && self.of(kind).insert(name.to_vec())
    }

    /// True if it was there.
    pub fn remove(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.of(kind).remove(name)
    }

    /// The names of one kind, in order.
    pub fn names(&mut self, kind: Kind) -> Vec<Vec<u8>> {
        self.of(kind).iter().cloned().collect()
    }

    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.len(),
            Kind::Pattern => self.patterns.len(),
            Kind::Shard => self.shards.len(),
        }
    }

    /// The number that confirmations show: channels and patterns are counted together, shard channels apart.
    pub fn shown_count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
            Kind::Shard => self.shards.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }
}
