//! Replies that stream commands share, and the commands that tell replicas what a delivery did.
//!
//! Called by the handlers of this folder. Always: the shapes are those of Redis 7.2.

use crate::commands::spec::{Effect, Rewrite};
use crate::resp::reply::Reply;
use crate::types::stream::{Entry, Group, IdText, Nack, Range, StreamId};

pub fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(&id.text());
}

/// The id, then fields and values in one flat array.
pub fn reply_entry(reply: &mut Reply, entry: Entry<'_>) {
    let mut digits = itoa::Buffer::new();
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(entry.pairs.len() * 2);
    for (field, value) in entry.pairs {
        reply.bulk(field.bytes(&mut digits));
        reply.bulk(value.bytes(&mut digits));
    }
}

/// At most `count` entries (0: all). How many they were.
pub fn reply_range(reply: &mut Reply, range: Range<'_>, count: u64) -> usize {
    let most = if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) };
    let mark = reply.begin();
    let mut shown = 0;
    for entry in range.take(most) {
        reply_entry(reply, entry);
        shown += 1;
    }
    reply.end_array(mark, shown);
    shown
}

/// The commands that make a replica's group like ours, for one group of one key.
pub struct GroupEffect<'a> {
    key: &'a [u8],
    group: &'a [u8],
    rewrite: Rewrite,
}

impl<'a> GroupEffect<'a> {
    pub fn new(key: &'a [u8], group: &'a [u8]) -> GroupEffect<'a> {
        GroupEffect { key, group, rewrite: Rewrite::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.rewrite.is_empty()
    }

    /// A consumer came to be without anything being delivered to it.
    pub fn created(&mut self, consumer: &[u8]) {
        self.rewrite.push(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, consumer]);
    }

    /// As `created`, in front of what is there already: the consumer was made first.
    pub fn created_first(&mut self, consumer: &[u8]) {
        let rest = std::mem::take(&mut self.rewrite);
        self.created(consumer);
        self.append(rest);
    }

    /// An entry is pending for `nack.owner` now; or no longer pending, where the entry is gone.
    pub fn claimed(&mut self, id: &[u8], nack: &Nack, last_id: &IdText) {
        let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.rewrite.push(&[
            b"XCLAIM",
            self.key,
            self.group,
            &nack.owner,
            b"0",
            id,
            b"TIME",
            time.format(nack.delivered_at).as_bytes(),
            b"RETRYCOUNT",
            count.format(nack.deliveries).as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id,
        ]);
    }

    /// The group's position moved without a delivery that tells it.
    pub fn moved(&mut self, group: &Group) {
        let mut count = itoa::Buffer::new();
        let entries_read = match group.entries_read {
            // More than 63 bits, which XSETID can lead to, is refused by those who follow.
            Some(read) => count.format(i64::try_from(read).unwrap_or(i64::MAX)),
            None => "-1",
        };
        let last_id = group.last_id.text();
        self.rewrite.push(&[
            b"XGROUP",
            b"SETID",
            self.key,
            self.group,
            &last_id,
            b"ENTRIESREAD",
            entries_read.as_bytes(),
        ]);
    }

    fn append(&mut self, other: Rewrite) {
        self.rewrite.bytes.extend_from_slice(&other.bytes);
        self.rewrite.commands += other.commands;
    }

    /// Adds all of it to what other keys have led to.
    pub fn add_to(self, rewrite: &mut Rewrite) {
        rewrite.bytes.extend_from_slice(&self.rewrite.bytes);
        rewrite.commands += self.rewrite.commands;
    }

    pub fn into_effect(self) -> Effect {
        effect(self.rewrite)
    }
}

/// The effect of these commands.
pub fn effect(rewrite: Rewrite) -> Effect {
    if rewrite.is_empty() { Effect::None } else { Effect::Rewritten(rewrite) }
}
