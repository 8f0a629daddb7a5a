//! The entries of a stream: nodes in the order of their master ids, and what is remembered of entries that are gone.
//!
//! ```text
//!  nodes      master id -> listpack    (see `node`)          first_id ........ last_id
//!             [5-0: 5-0 5-1 6-0] [7-3: 7-3 8-0 ...]          the oldest there  the newest that ever was
//! ```
//!
//! Called by the handlers through [`crate::types::Stream`], and by `rdb`. Always: live entries ascend over all nodes and none
//! is above `last_id`; `len` is their number; every node has one; `first_id` is the oldest one's id, 0-0 if there is none.

use std::collections::BTreeMap;

use crate::base::alloc::size_class;
use crate::codec::listpack::Listpack;
use crate::types::frozen::Shared;
use crate::types::stream::id::{StreamId, WantedId};
use crate::types::stream::node::{self, Node};
use crate::types::stream::range::{Entry, Range};

/// A node never grows beyond this many bytes, whatever the configuration says (Redis' bound; a listpack's size is a u32).
pub const NODE_BYTES_MAX: usize = 1 << 30;

/// When a node is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `stream-node-max-bytes`; 0 for no limit of its own.
    pub node_bytes: usize,
    /// `stream-node-max-entries`, deleted ones included; 0 for no limit.
    pub node_entries: u64,
}

/// Why no entry can be added under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The id is not above the last one.
    NotAbove,
    /// The last possible id has been used.
    Exhausted,
}

/// What a trim is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// At most this many entries, the newest.
    Newest(u64),
    /// No entry below this id.
    From(StreamId),
}

/// A trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub keep: Keep,
    /// Whole nodes only (`~`).
    pub is_approximate: bool,
    /// Remove at most this many entries; 0 for any number.
    pub limit: u64,
}

/// See the top of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// A frozen stream may hold them as well.
    pub(super) nodes: BTreeMap<StreamId, Shared<Listpack>>,
    pub(super) len: u64,
    pub(super) first_id: StreamId,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
}

/// What it is and holds.
impl Log {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many listpacks there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The id of the oldest entry; 0-0 if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The newest id that was ever given, or what XSETID made of it.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The highest id that was deleted by XDEL; 0-0 if none was.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The entries from `start` to `end`, both included, from either side.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        Range::new(&self.nodes, start, end)
    }

    pub fn all(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// The id of the newest entry that is there.
    pub fn newest(&self) -> Option<StreamId> {
        let (master, listpack) = self.nodes.last_key_value()?;
        Node::new(*master, listpack).last_live()
    }

    /// The id that is stored first, be its entry deleted or not: what a replica must trim to, to have the same nodes.
    pub fn first_stored_id(&self) -> Option<StreamId> {
        let (master, listpack) = self.nodes.first_key_value()?;
        Some(Node::new(*master, listpack).first()?.id)
    }

    /// Was an entry at or behind `start` deleted, as far as that is remembered? Only the highest id is.
    pub fn has_tombstones_from(&self, start: StreamId) -> bool {
        self.len > 0
            && self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && start <= self.max_deleted_id
    }

    /// How many entries had been added when `id` was, if that can be told without counting: at both ends, and where nothing
    /// was deleted in between.
    pub fn count_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if (self.is_empty() && id <= self.last_id) || id == self.last_id {
            return Some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !is_whole {
            return None;
        }
        let before_first = self.entries_added.wrapping_sub(self.len);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Bytes of heap: the listpacks exactly, the map around them by estimate.
    pub fn heap_bytes(&self) -> usize {
        let slot = size_of::<(StreamId, Shared<Listpack>)>() + size_class(Shared::<Listpack>::BYTES);
        self.nodes.values().map(|listpack| listpack.heap_bytes() + slot).sum()
    }
}

/// Changing it.
impl Log {
    /// The id that an entry gets which is added now.
    pub fn next_id(&self, wanted: Option<WantedId>, now_ms: i64) -> Result<StreamId, Refusal> {
        let last = self.last_id;
        if last == StreamId::MAX {
            return Err(Refusal::Exhausted);
        }
        let id = match wanted {
            None => {
                let ms = u64::try_from(now_ms).unwrap_or(0);
                if ms > last.ms { StreamId::new(ms, 0) } else { last.next().ok_or(Refusal::Exhausted)? }
            }
            Some(WantedId::Exact(id)) => id,
            Some(WantedId::AnySequence { ms }) if ms == last.ms => {
                StreamId::new(ms, last.seq.checked_add(1).ok_or(Refusal::NotAbove)?)
            }
            Some(WantedId::AnySequence { ms }) => StreamId::new(ms, 0),
        };
        if id > last { Ok(id) } else { Err(Refusal::NotAbove) }
    }

    /// Adds an entry of `pairs` fields and values; `word` gives them in turn, `bytes` is their length altogether.
    /// `id` must be what `next_id` gave, `bytes` at most [`NODE_BYTES_MAX`].
    pub fn append<'w>(
        &mut self,
        id: StreamId,
        pairs: usize,
        bytes: usize,
        word: impl Fn(usize) -> &'w [u8],
        limits: Limits,
    ) {
        debug_assert!(id > self.last_id && bytes <= NODE_BYTES_MAX);
        match self.nodes.last_entry() {
            Some(mut last) if has_room(last.get(), bytes, limits) => {
                let master = *last.key();
                node::append(last.get_mut(), master, id, (pairs, bytes), word);
            }
            Some(_) | None => {
                self.nodes.insert(id, node::create(pairs, bytes, word).into());
            }
        }
        self.len += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
    }

    /// XDEL: deletes the entries that are there, and remembers the highest id. How many those were.
    pub fn delete(&mut self, ids: impl Iterator<Item = StreamId>) -> u64 {
        let before = self.len;
        let mut lost_first = false;
        for id in ids {
            if self.delete_one(id) {
                lost_first |= id == self.first_id;
                self.max_deleted_id = self.max_deleted_id.max(id);
            }
        }
        if lost_first {
            self.find_first();
        }
        before - self.len
    }

    fn delete_one(&mut self, id: StreamId) -> bool {
        let Some((&master, listpack)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let Some(entry) = Range::in_node(master, listpack, id) else { return false };
        if node::counts(listpack).0 > 1 {
            node::delete(listpack, &entry);
        } else {
            self.nodes.remove(&master);
        }
        self.len -= 1;
        true
    }

    fn find_first(&mut self) {
        self.first_id = self.all().next().map_or(StreamId::MIN, |entry| entry.id);
    }

    /// XTRIM: removes the oldest entries. How many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut removed = 0;
        while let Some(mut first) = self.nodes.first_entry() {
            let (live, _) = node::counts(first.get());
            if let Keep::Newest(count) = trim.keep
                && self.len <= count
            {
                break;
            }
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let goes_whole = match trim.keep {
                Keep::Newest(count) => self.len - live >= count,
                Keep::From(id) => {
                    Node::new(*first.key(), first.get()).last_live().is_none_or(|last| last < id)
                }
            };
            if goes_whole {
                first.remove();
                self.len -= live;
                removed += live;
                continue;
            }
            if !trim.is_approximate {
                let master = *first.key();
                removed += trim_node(first.get_mut(), master, trim.keep, &mut self.len);
            }
            break;
        }
        if removed > 0 {
            self.find_first();
        }
        removed
    }

    /// XSETID. The caller has checked that no entry is above `last_id` and that the counter is not below the length.
    pub fn set_last_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        debug_assert!(self.newest().is_none_or(|newest| newest <= last_id));
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }
}

#[inline]
fn has_room(listpack: &Listpack, bytes: usize, limits: Limits) -> bool {
    let bytes_max = match limits.node_bytes {
        0 => NODE_BYTES_MAX,
        limit => limit.min(NODE_BYTES_MAX),
    };
    if listpack.byte_len() + bytes >= bytes_max {
        return false;
    }
    let (live, deleted) = node::counts(listpack);
    limits.node_entries == 0 || live + deleted < limits.node_entries
}

/// Deletes what must go from the front of a node of which something stays. How many entries that were.
fn trim_node(listpack: &mut Listpack, master: StreamId, keep: Keep, len: &mut u64) -> u64 {
    node::delete_while(listpack, master, |id| {
        let is_doomed = match keep {
            Keep::Newest(count) => *len > count,
            Keep::From(from) => id < from,
        };
        *len -= u64::from(is_doomed);
        is_doomed
    })
}
