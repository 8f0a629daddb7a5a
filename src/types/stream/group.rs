//! A consumer group: how far it has read, who reads in it, and what was delivered and not yet acknowledged.
//!
//! ```text
//!  Group   last_id, entries_read
//!    pending    id -> Nack (owner, time, deliveries)     every entry that waits for its XACK
//!    consumers  name -> Consumer (seen, active)
//!                 pending  {id}                          which of them are this consumer's
//! ```
//!
//! Called by the handlers of XREADGROUP, XACK, XCLAIM, XPENDING, XGROUP and XINFO, and by `rdb`.
//! Always: an id is in the set of exactly one consumer if it is in the group's map, and in none otherwise; the owner that
//! a `Nack` names exists.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::types::stream::id::StreamId;
use crate::types::stream::log::Log;

/// A consumer's name, shared by the consumer and all that is pending for it.
pub type Name = Arc<[u8]>;

/// One entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    pub owner: Name,
    /// When it was delivered last, in Unix milliseconds.
    pub delivered_at: i64,
    pub deliveries: u64,
}

/// One who reads in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// When it last tried to read or claim, in Unix milliseconds.
    pub seen_at: i64,
    /// When it last got an entry, in Unix milliseconds; -1 if it never did.
    pub active_at: i64,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// The ids that wait for this consumer's acknowledgement, in order.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// A reading position shared by consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The last entry that was delivered to anybody.
    pub last_id: StreamId,
    /// How many entries of the stream's life the group has passed; `None` if deletions made that unknown.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Nack>,
    consumers: BTreeMap<Name, Consumer>,
}

impl Group {
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group { last_id, entries_read, pending: BTreeMap::new(), consumers: BTreeMap::new() }
    }

    /// Everything that waits for its acknowledgement, in the order of ids.
    pub fn pending(&self) -> &BTreeMap<StreamId, Nack> {
        &self.pending
    }

    /// In the order of names, as bytes.
    pub fn consumers(&self) -> btree_map::Iter<'_, Name, Consumer> {
        self.consumers.iter()
    }

    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    pub fn consumer_mut(&mut self, name: &[u8]) -> Option<&mut Consumer> {
        self.consumers.get_mut(name)
    }

    /// The shared name of a consumer that exists.
    pub fn shared_name(&self, name: &[u8]) -> Option<Name> {
        self.consumers.get_key_value(name).map(|(name, _)| Arc::clone(name))
    }

    /// Makes a consumer; false if it exists.
    pub fn create_consumer(&mut self, name: &[u8], now: i64) -> bool {
        if self.consumers.contains_key(name) {
            return false;
        }
        let consumer = Consumer { seen_at: now, active_at: -1, pending: BTreeSet::new() };
        self.consumers.insert(Arc::from(name), consumer);
        true
    }

    /// Removes a consumer with all that is pending for it: how many entries those were. `None` if there is no such consumer.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// What is pending in a range of ids: of the group, or of one of its consumers.
    pub fn pending_in<'g>(
        &'g self,
        range: impl RangeBounds<StreamId> + Clone + 'g,
        consumer: Option<&'g Consumer>,
    ) -> impl Iterator<Item = (StreamId, &'g Nack)> + 'g {
        let everyones = consumer.is_none().then(|| self.pending.range(range.clone()));
        let ones = consumer.map(|consumer| consumer.pending.range(range));
        let everyones = everyones.into_iter().flatten().map(|(id, nack)| (*id, nack));
        let ones = ones.into_iter().flatten().filter_map(|id| Some((*id, self.pending.get(id)?)));
        everyones.chain(ones)
    }

    /// The next entry is about to be delivered: moves the position and its count. False if the group was further already.
    pub fn advance(&mut self, log: &Log, id: StreamId) -> bool {
        if id <= self.last_id {
            return false;
        }
        match self.entries_read {
            Some(count) if !log.has_tombstones_from(id) => self.entries_read = Some(count.wrapping_add(1)),
            _ if log.entries_added() > 0 => self.entries_read = log.count_up_to(id),
            _ => {}
        }
        self.last_id = id;
        true
    }

    /// Makes an entry pending for `owner`, which must exist, whoever it was pending for before.
    ///
    /// # Panics
    /// There is no such consumer.
    pub fn assign(&mut self, id: StreamId, owner: &Name, delivered_at: i64, deliveries: u64) {
        let nack = Nack { owner: Arc::clone(owner), delivered_at, deliveries };
        if let Some(before) = self.pending.insert(id, nack)
            && before.owner != *owner
            && let Some(consumer) = self.consumers.get_mut(&before.owner)
        {
            consumer.pending.remove(&id);
        }
        let consumer = self.consumers.get_mut(owner).expect("an entry is assigned to a consumer that exists");
        consumer.pending.insert(id);
    }

    /// An entry goes out to its owner once more: the time and the count change.
    pub fn deliver_again(&mut self, id: StreamId, now: i64) {
        if let Some(nack) = self.pending.get_mut(&id) {
            nack.delivered_at = now;
            nack.deliveries = nack.deliveries.wrapping_add(1);
        }
    }

    /// An entry waits no longer. What it was, if it was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Nack> {
        let nack = self.pending.remove(&id)?;
        if let Some(consumer) = self.consumers.get_mut(&nack.owner) {
            consumer.pending.remove(&id);
        }
        Some(nack)
    }

    /// How many entries are still to be delivered; `None` if deletions made that unknown.
    pub fn lag(&self, log: &Log) -> Option<i64> {
        if log.entries_added() == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(count) if !log.has_tombstones_from(self.last_id) => count,
            _ => log.count_up_to(self.last_id)?,
        };
        Some(log.entries_added().wrapping_sub(read) as i64)
    }

    /// Bytes of heap, by estimate: what the maps need for each of their elements.
    pub fn heap_bytes(&self) -> usize {
        let nack = size_of::<(StreamId, Nack)>() + size_of::<StreamId>();
        let consumer = |name: &Name| name.len() + size_of::<(Name, Consumer)>() + 2 * size_of::<usize>();
        self.pending.len() * nack + self.consumers.keys().map(consumer).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Name};
    use crate::types::stream::id::StreamId;

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    fn group() -> (Group, Name, Name) {
        let mut group = Group::new(StreamId::MIN, Some(0));
        assert!(group.create_consumer(b"a", 1) && group.create_consumer(b"b", 2));
        assert!(!group.create_consumer(b"a", 3));
        let (a, b) = (group.shared_name(b"a").unwrap(), group.shared_name(b"b").unwrap());
        (group, a, b)
    }

    fn pending_of(group: &Group, name: &[u8]) -> Vec<u64> {
        group.consumer(name).unwrap().pending().iter().map(|id| id.ms).collect()
    }

    #[test]
    fn an_entry_is_pending_for_one_consumer_at_a_time() {
        let (mut group, a, b) = group();
        for ms in 1..4 {
            group.assign(id(ms), &a, 10, 1);
        }
        group.assign(id(2), &b, 20, 5);
        assert_eq!((pending_of(&group, b"a"), pending_of(&group, b"b")), (vec![1, 3], vec![2]));
        assert_eq!(group.pending()[&id(2)].deliveries, 5);
        group.assign(id(2), &b, 30, 6);
        assert_eq!(pending_of(&group, b"b"), [2]);
        assert_eq!(group.acknowledge(id(2)).map(|nack| nack.delivered_at), Some(30));
        assert_eq!(group.acknowledge(id(2)), None);
        assert!(pending_of(&group, b"b").is_empty());
        assert_eq!(group.pending().len(), 2);
    }

    #[test]
    fn a_consumer_takes_what_is_pending_for_it_along() {
        let (mut group, a, b) = group();
        group.assign(id(1), &a, 10, 1);
        group.assign(id(2), &b, 10, 1);
        assert_eq!(group.delete_consumer(b"a"), Some(1));
        assert_eq!(group.delete_consumer(b"a"), None);
        assert_eq!(group.pending().keys().copied().collect::<Vec<_>>(), [id(2)]);
        assert_eq!(group.consumer_count(), 1);
    }

    #[test]
    fn ranges_of_pending_entries_are_the_groups_or_one_consumers() {
        let (mut group, a, b) = group();
        for ms in 1..8 {
            group.assign(id(ms), if ms % 2 == 0 { &a } else { &b }, 10, 1);
        }
        let all: Vec<u64> = group.pending_in(id(2)..=id(5), None).map(|(id, _)| id.ms).collect();
        assert_eq!(all, [2, 3, 4, 5]);
        let ones = group.pending_in(id(2)..=id(5), group.consumer(b"a")).map(|(id, _)| id.ms);
        assert_eq!(ones.collect::<Vec<_>>(), [2, 4]);
    }
}
