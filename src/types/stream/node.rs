//! A node: the listpack that holds a run of a stream's entries, in the layout that Redis has in memory, RDB and DUMP.
//!
//! ```text
//!  | live | deleted | fields | field 1 | ... | field N | 0 |            the master entry, then entry after entry:
//!  | flags | ms | seq | value 1 | ... | value N | count |               with the master's fields (flags & 2)
//!  | flags | ms | seq | pairs | field 1 | value 1 | ... | count |       with fields of its own
//! ```
//!
//! `ms` and `seq` are differences to the node's key, the master id; `count` says how many elements lie between it and the
//! entry's flags, for walks from the back; `flags & 1` marks a deleted entry, which stays until its node goes.
//! Called by `log` and by the iterators of `range`. Always: `live + deleted` entries follow the master entry, and no live one
//! is below the master id; foreign nodes were checked by [`check`].

use std::cell::RefCell;

use crate::codec::listpack::{Builder, Item, Listpack, Pos};
use crate::types::stream::id::StreamId;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// Flags and the two halves of the id.
const FIXED_ELEMENTS: i64 = 3;

/// Memory that a thread keeps for the next entry that it adds.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// Where an entry is put together: a block of the heap for each would be a fifth of what adding it costs.
    static SCRATCH: RefCell<Builder> = RefCell::new(Builder::new());
}

/// A node, its master entry read.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub listpack: &'a Listpack,
    master: StreamId,
    field_count: u64,
    /// Where the master's fields begin (at its terminator if there are none).
    fields: Pos,
}

/// An entry found in a node.
#[derive(Clone, Copy)]
pub struct Found {
    pub id: StreamId,
    pub is_deleted: bool,
    /// Where its flags are.
    at: Pos,
    has_own_fields: bool,
    pairs: u64,
    /// Where its fields or values begin.
    body: Pos,
}

/// A field and its value.
pub type Pair<'a> = (Item<'a>, Item<'a>);

/// The fields and values of an entry, in order.
#[derive(Clone)]
pub struct Pairs<'a> {
    listpack: &'a Listpack,
    left: u64,
    /// The next field of the master, for an entry without fields of its own.
    field: Option<Pos>,
    next: Option<Pos>,
}

impl Pairs<'_> {
    /// How many pairs are still to come.
    pub fn len(&self) -> usize {
        self.left as usize
    }

    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let mut at = self.next?;
        let field = match self.field {
            Some(field) => {
                self.field = self.listpack.next(field);
                field
            }
            None => {
                let field = at;
                at = self.listpack.next(field)?;
                field
            }
        };
        self.next = self.listpack.next(at);
        Some((self.listpack.get(field), self.listpack.get(at)))
    }
}

/// The number at `at`, which may be stored as text in a foreign listpack.
#[inline]
fn number(listpack: &Listpack, at: Pos) -> i64 {
    listpack.get(at).as_i64().unwrap_or(0)
}

fn skip(listpack: &Listpack, from: Pos, count: u64) -> Option<Pos> {
    (0..count).try_fold(from, |at, _| listpack.next(at))
}

const CHECKED: &str = "a node has its master entry";

impl<'a> Node<'a> {
    #[inline]
    pub fn new(master: StreamId, listpack: &'a Listpack) -> Node<'a> {
        let count = skip(listpack, listpack.first().expect(CHECKED), 2).expect(CHECKED);
        let fields = listpack.next(count).expect(CHECKED);
        Node { listpack, master, field_count: number(listpack, count) as u64, fields }
    }

    /// The entry that is stored first, deleted or not.
    pub fn first(&self) -> Option<Found> {
        let terminator = skip(self.listpack, self.fields, self.field_count)?;
        self.read(self.listpack.next(terminator)?)
    }

    /// The entry that is stored last, deleted or not.
    pub fn last(&self) -> Option<Found> {
        self.ending_at(self.listpack.last()?)
    }

    /// The id of the newest entry that is not deleted.
    pub fn last_live(&self) -> Option<StreamId> {
        let mut next = self.last();
        while let Some(entry) = next {
            if !entry.is_deleted {
                return Some(entry.id);
            }
            next = self.before(&entry);
        }
        None
    }

    pub fn after(&self, entry: &Found) -> Option<Found> {
        let elements = if entry.has_own_fields { entry.pairs * 2 } else { entry.pairs };
        let count = skip(self.listpack, entry.body, elements)?;
        self.read(self.listpack.next(count)?)
    }

    pub fn before(&self, entry: &Found) -> Option<Found> {
        self.ending_at(self.listpack.prev(entry.at)?)
    }

    /// The entry whose count is at `count`; `None` at the master entry's terminator.
    fn ending_at(&self, count: Pos) -> Option<Found> {
        let elements = number(self.listpack, count);
        if elements == 0 {
            return None;
        }
        self.read((0..elements).try_fold(count, |at, _| self.listpack.prev(at))?)
    }

    #[inline]
    fn read(&self, at: Pos) -> Option<Found> {
        let listpack = self.listpack;
        let flags = number(listpack, at);
        let ms = listpack.next(at)?;
        let seq = listpack.next(ms)?;
        let id = StreamId {
            ms: self.master.ms.wrapping_add(number(listpack, ms) as u64),
            seq: self.master.seq.wrapping_add(number(listpack, seq) as u64),
        };
        let behind = listpack.next(seq)?;
        let has_own_fields = flags & SAME_FIELDS == 0;
        let (pairs, body) = if has_own_fields {
            (number(listpack, behind) as u64, listpack.next(behind)?)
        } else {
            (self.field_count, behind)
        };
        Some(Found { id, is_deleted: flags & DELETED != 0, at, has_own_fields, pairs, body })
    }

    pub fn pairs(&self, entry: &Found) -> Pairs<'a> {
        let field = (!entry.has_own_fields).then_some(self.fields);
        Pairs { listpack: self.listpack, left: entry.pairs, field, next: Some(entry.body) }
    }

    /// Are these the fields of the master entry?
    fn has_fields<'w>(&self, pairs: usize, word: &impl Fn(usize) -> &'w [u8]) -> bool {
        if pairs as u64 != self.field_count {
            return false;
        }
        let mut stored = self.listpack.iter_from(self.fields);
        (0..pairs).all(|pair| stored.next().is_some_and(|field| field.eq_bytes(word(2 * pair))))
    }
}

/// How many entries of the node are live, and how many deleted.
pub fn counts(listpack: &Listpack) -> (u64, u64) {
    let live = listpack.first().expect(CHECKED);
    let deleted = listpack.next(live).expect(CHECKED);
    (number(listpack, live) as u64, number(listpack, deleted) as u64)
}

fn set_counts(listpack: &mut Listpack, live: u64, deleted: u64) {
    let at = listpack.first().expect(CHECKED);
    listpack.replace_int(at, live as i64);
    let at = listpack.next(at).expect(CHECKED);
    listpack.replace_int(at, deleted as i64);
}

/// An element's head and backlen, where its text is short.
const OVERHEAD: usize = 4;
/// What an entry has besides its words: flags, id, count of pairs, length.
const FRAME_BYTES: usize = 40;

/// A new node for its first entry, whose id is the master id. `word` gives field, value, field, value, ..., of `bytes` altogether.
pub fn create<'w>(pairs: usize, bytes: usize, word: impl Fn(usize) -> &'w [u8]) -> Listpack {
    let mut builder = Builder::with_capacity(2 * FRAME_BYTES + bytes + 2 * pairs * OVERHEAD);
    builder.push_int(1);
    builder.push_int(0);
    builder.push_int(pairs as i64);
    (0..pairs).for_each(|pair| builder.push(word(2 * pair)));
    builder.push_int(0);
    push_entry(&mut builder, (0, 0), true, pairs, word);
    builder.finish()
}

/// Adds an entry at the end of a node.
pub fn append<'w>(
    listpack: &mut Listpack,
    master: StreamId,
    id: StreamId,
    (pairs, bytes): (usize, usize),
    word: impl Fn(usize) -> &'w [u8],
) {
    let same_fields = Node::new(master, listpack).has_fields(pairs, &word);
    let difference = (id.ms.wrapping_sub(master.ms) as i64, id.seq.wrapping_sub(master.seq) as i64);
    SCRATCH.with_borrow_mut(|builder| {
        builder.restart(FRAME_BYTES + bytes + 2 * pairs * OVERHEAD);
        push_entry(builder, difference, same_fields, pairs, word);
        listpack.extend(builder);
        // A huge entry must not keep its memory for ever.
        if builder.capacity() > SCRATCH_BYTES_MAX {
            *builder = Builder::new();
        }
    });
    let at = listpack.first().expect(CHECKED);
    listpack.replace_int(at, number(listpack, at) + 1);
}

fn push_entry<'w>(
    builder: &mut Builder,
    (ms, seq): (i64, i64),
    same_fields: bool,
    pairs: usize,
    word: impl Fn(usize) -> &'w [u8],
) {
    builder.push_int(if same_fields { SAME_FIELDS } else { 0 });
    builder.push_int(ms);
    builder.push_int(seq);
    if same_fields {
        (0..pairs).for_each(|pair| builder.push(word(2 * pair + 1)));
        builder.push_int(FIXED_ELEMENTS + pairs as i64);
    } else {
        builder.push_int(pairs as i64);
        (0..2 * pairs).for_each(|index| builder.push(word(index)));
        builder.push_int(FIXED_ELEMENTS + 1 + 2 * pairs as i64);
    }
}

/// Marks live entries as deleted for as long as `is_doomed` says so, from the first one on: how many. The counts follow.
/// Callers drop a node that would have no live entry left.
pub fn delete_while(
    listpack: &mut Listpack,
    master: StreamId,
    mut is_doomed: impl FnMut(StreamId) -> bool,
) -> u64 {
    let mut marked = 0;
    let mut next = Node::new(master, listpack).first();
    while let Some(entry) = next {
        if !entry.is_deleted {
            if !is_doomed(entry.id) {
                break;
            }
            mark(listpack, &entry);
            marked += 1;
        }
        next = Node::new(master, listpack).after(&entry);
    }
    let (live, deleted) = counts(listpack);
    set_counts(listpack, live.saturating_sub(marked), deleted + marked);
    marked
}

/// Marks one live entry as deleted. Callers drop a node that would have no live entry left.
pub fn delete(listpack: &mut Listpack, entry: &Found) {
    mark(listpack, entry);
    let (live, deleted) = counts(listpack);
    set_counts(listpack, live.saturating_sub(1), deleted + 1);
}

/// Flags are small numbers, so nothing behind them moves.
fn mark(listpack: &mut Listpack, entry: &Found) {
    listpack.replace_int(entry.at, number(listpack, entry.at) | DELETED);
}

/// Checks a foreign node all through. Its live entries' ids, which must ascend from `master`, are handed to `live`; the text
/// of an error says what is wrong.
pub fn check(
    listpack: &Listpack,
    master: StreamId,
    mut live: impl FnMut(StreamId) -> Result<(), &'static str>,
) -> Result<u64, &'static str> {
    let mut items = listpack.iter();
    let mut number = || items.next().and_then(Item::as_i64).ok_or("a stream's node lacks a number");
    let (live_count, deleted_count, field_count) = (number()?, number()?, number()?);
    if live_count < 0 || deleted_count < 0 || field_count < 0 {
        return Err("a stream's node has impossible counts");
    }
    pass(&mut items, field_count)?;
    if items.next().and_then(Item::as_i64) != Some(0) {
        return Err("a stream's node has no end of its master entry");
    }
    let (mut live_seen, mut deleted_seen) = (0, 0);
    while let Some(flags) = items.next() {
        let flags = flags.as_i64().ok_or("an entry of a stream has no flags")?;
        let mut number = || items.next().and_then(Item::as_i64).ok_or("an entry of a stream lacks a number");
        let (ms, seq) = (number()?, number()?);
        let mut count = FIXED_ELEMENTS;
        let mut elements = field_count;
        if flags & SAME_FIELDS == 0 {
            elements = number()?.checked_mul(2).ok_or("an entry of a stream has too many fields")?;
            count += 1;
        }
        pass(&mut items, elements)?;
        if items.next().and_then(Item::as_i64) != count.checked_add(elements) {
            return Err("an entry of a stream has another length than it says");
        }
        if flags & DELETED != 0 {
            deleted_seen += 1;
            continue;
        }
        live_seen += 1;
        let id = StreamId { ms: master.ms.wrapping_add(ms as u64), seq: master.seq.wrapping_add(seq as u64) };
        live(id)?;
    }
    if (live_seen, deleted_seen) != (live_count, deleted_count) {
        return Err("a stream's node has other entries than it counts");
    }
    Ok(live_count as u64)
}

/// Passes over `count` elements, which must be there.
fn pass<'a>(items: &mut impl Iterator<Item = Item<'a>>, count: i64) -> Result<(), &'static str> {
    let enough = count >= 0 && (0..count).all(|_| items.next().is_some());
    if enough { Ok(()) } else { Err("a stream's node ends within an entry") }
}
