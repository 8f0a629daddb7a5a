//! A shard's table: one word per key, of which the bits that an address does not need hold a part of the key's hash.
//!
//! ```text
//!  slot     | 63-48 mark, high part | 47-3 address of the entry's block | 2-1 mark, low part | 0 overflow |
//!
//!  1 to 16 slots    a run of exactly as many as are needed, searched from its start; an entry stands anywhere
//!  24 and more      groups of 8 slots, a cache line each; the mark says where to look: home, the line beside it, elsewhere
//! ```
//!
//! The mark is the top 18 bits of the hash. It tells nearly all strangers apart without a look at their keys, and it is all
//! that a growing table needs: entries are not touched, so growth is quick, and can go in small steps. An entry that finds its
//! group full goes on to the next one, and leaves a set overflow bit in each group that it has passed: who searches goes on
//! only behind a group with such bits. They count: eight of a group stand for eight entries or more, which is not counted
//! back. Called by `shard`, which has the lock.
//! Always: an entry stays in its slot until it is removed or the table is resized; a word with an address is an entry with the
//! mark of its hash. Entries know the extra bits and look past them (`keyspace::entry`).

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::base::prefetch::prefetch;
use crate::keyspace::entry::{ADDRESS_BITS, Entry};

/// A run is searched from its start up to this length: two cache lines.
const RUN_MAX: usize = 16;
/// Slots of a group: a cache line.
const GROUP: usize = 8;
const LINE_BYTES: usize = 64;

/// Set in one slot of a group for each entry that has passed the group.
const OVERFLOW: usize = 1;
const MARK_BITS: u32 = 18;
/// Odd, and 0.62 of the marks.
const SCATTER: usize = 0x2_7d4b;
const MARK_HIGH: usize = 0xffff << 48;
const MARK_LOW: usize = 0b110;

const _: () = assert!(usize::BITS == 64 && MARK_HIGH | ADDRESS_BITS | MARK_LOW | OVERFLOW == usize::MAX);
const _: () = assert!(GROUP * size_of::<Slot>() == LINE_BYTES && size_of::<Entry>() == size_of::<Slot>());

/// See the top of the file.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Slot(*mut u8);

/// The part of a hash that is kept, where a slot has it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark(usize);

impl Mark {
    #[inline]
    fn of(hash: u64) -> Mark {
        Mark(hash as usize & MARK_HIGH | (hash >> 45) as usize & MARK_LOW)
    }

    /// The 18 bits as a number.
    #[inline]
    fn number(self) -> usize {
        (self.0 >> 48) << 2 | (self.0 & MARK_LOW) >> 1
    }

    /// The group among `groups` that is looked into after `tried` others. All are reached before `tried` exceeds `groups + 1`.
    #[inline]
    fn group(self, groups: usize, tried: usize) -> usize {
        let among = |number: usize| (number * groups) >> MARK_BITS;
        match tried {
            0 => among(self.number()),
            1 => beside(among(self.number()), groups),
            _ => {
                // Far apart for marks that stand side by side: neighbours are as full as the home.
                let scattered = self.number().wrapping_mul(SCATTER) & ((1 << MARK_BITS) - 1);
                (among(scattered) + tried - 2) % groups
            }
        }
    }
}

/// The other group of two cache lines, which processors fetch together. The last of an odd number shares its neighbour's.
#[inline]
fn beside(group: usize, groups: usize) -> usize {
    if group ^ 1 < groups { group ^ 1 } else { group - 1 }
}

impl Slot {
    #[inline]
    fn is_full(self) -> bool {
        self.0.addr() & ADDRESS_BITS != 0
    }

    #[inline]
    fn mark(self) -> Mark {
        Mark(self.0.addr() & (MARK_HIGH | MARK_LOW))
    }

    /// Full, and of a key with this mark?
    #[inline]
    fn matches(self, mark: Mark) -> bool {
        (self.0.addr() ^ mark.0) & (MARK_HIGH | MARK_LOW) == 0 && self.is_full()
    }

    /// Another content. The overflow bit belongs to the group and stays.
    #[inline]
    fn with(self, address: *mut u8, mark: Mark) -> Slot {
        let overflow = self.0.addr() & OVERFLOW;
        Slot(address.map_addr(|address| address & ADDRESS_BITS | mark.0 | overflow))
    }
}

/// Entries by the hash of their keys.
pub(super) struct Table {
    slots: NonNull<Slot>,
    len: u32,
    room: u32,
}

// SAFETY: a table owns its slots and the entries in them, which are Send; it has no interior mutability.
unsafe impl Send for Table {}
// SAFETY: as above; `&Table` only reads.
unsafe impl Sync for Table {}

impl Table {
    pub const fn new() -> Table {
        Table { slots: NonNull::dangling(), len: 0, room: 0 }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Slots, full or not.
    #[inline]
    pub fn room(&self) -> usize {
        self.room as usize
    }

    #[inline]
    fn groups(&self) -> usize {
        self.room() / GROUP
    }

    #[inline]
    fn is_run(&self) -> bool {
        self.room() <= RUN_MAX
    }

    /// Bytes that the slots of such a table take.
    pub fn bytes(room: usize) -> usize {
        if room == 0 { 0 } else { size_class(room * size_of::<Slot>()) }
    }

    #[inline]
    fn slot(&self, index: usize) -> Slot {
        debug_assert!(index < self.room());
        // SAFETY: all `room` slots are initialised, and callers stay below it (asserted above for tests).
        unsafe { self.slots.add(index).read() }
    }

    #[inline]
    fn set_slot(&mut self, index: usize, slot: Slot) {
        debug_assert!(index < self.room());
        // SAFETY: as in `slot`.
        unsafe { self.slots.add(index).write(slot) }
    }

    #[inline]
    pub fn is_full_at(&self, index: usize) -> bool {
        index < self.room() && self.slot(index).is_full()
    }

    #[inline]
    pub fn get(&self, index: usize) -> &Entry {
        debug_assert!(self.is_full_at(index));
        // SAFETY: indexes are only handed out for full slots, and are not used across removals and resizes. A full slot is an
        // entry with extra bits, which entries look past, and both are one pointer.
        unsafe { self.slots.add(index).cast::<Entry>().as_ref() }
    }

    /// The entry must stay: who wants another one in its place uses `Entry::exchange`, which keeps the extra bits.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> &mut Entry {
        debug_assert!(self.is_full_at(index));
        // SAFETY: as in `get`; `&mut self` makes the access exclusive.
        unsafe { self.slots.add(index).cast::<Entry>().as_mut() }
    }

    /// Where the key with this hash stands of which `is_wanted` is true. It is asked about few others.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_wanted: impl Fn(&Entry) -> bool + Copy) -> Option<usize> {
        let mark = Mark::of(hash);
        if self.is_run() {
            return self.find_in_run(mark, is_wanted);
        }
        let home = mark.group(self.groups(), 0);
        let found = self.find_in(home, mark, is_wanted);
        if found.is_some() || !self.has_overflow(home) {
            return found;
        }
        self.find_beyond(mark, is_wanted)
    }

    fn find_in_run(&self, mark: Mark, is_wanted: impl Fn(&Entry) -> bool) -> Option<usize> {
        (0..self.room()).find(|&index| self.slot(index).matches(mark) && is_wanted(self.get(index)))
    }

    // `Iterator::find` is not inlined with what it asks.
    #[allow(clippy::manual_find)]
    #[inline(always)]
    fn find_in(&self, group: usize, mark: Mark, is_wanted: impl Fn(&Entry) -> bool) -> Option<usize> {
        for index in self.equal(group, MARK_HIGH | MARK_LOW, mark.0) {
            // An empty slot is marked like a key whose mark is zero.
            if self.slot(index).is_full() && is_wanted(self.get(index)) {
                return Some(index);
            }
        }
        None
    }

    /// One key in ten is not at home when a table is as full as it gets.
    #[cold]
    fn find_beyond(&self, mark: Mark, is_wanted: impl Fn(&Entry) -> bool + Copy) -> Option<usize> {
        for tried in 1..=self.groups() + 1 {
            let group = mark.group(self.groups(), tried);
            let found = self.find_in(group, mark, is_wanted);
            if found.is_some() || !self.has_overflow(group) {
                return found;
            }
        }
        None
    }

    /// The slots of a group whose bits in `mask` are those of `value`, as positions.
    #[inline]
    fn equal(&self, group: usize, mask: usize, value: usize) -> Equal {
        debug_assert!(group < self.groups());
        // SAFETY: `Mark::group` gives out groups of the table only. All slots of the group are within the table, initialised, and the group is aligned to its size.
        Equal { first: group * GROUP, bits: unsafe { equal(self.slots.add(group * GROUP), mask, value) } }
    }

    /// Asks for the cache line that is looked into first, and for the one beside it, where nearly all others are.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let line = |group: usize| self.slots.as_ptr().wrapping_add(group * GROUP);
        if self.is_run() {
            prefetch(line(0));
            return prefetch(line(1));
        }
        let home = Mark::of(hash).group(self.groups(), 0);
        prefetch(line(home));
        prefetch(line(beside(home, self.groups())));
    }

    /// Must it grow before anything is inserted?
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() == limit(self.room())
    }

    /// Adds an entry whose key is not in the table, which is not full. Returns where it stands.
    pub fn insert(&mut self, hash: u64, entry: Entry) -> usize {
        assert!(!self.is_full());
        self.len += 1;
        self.place(entry.into_raw(), Mark::of(hash))
    }

    fn place(&mut self, address: *mut u8, mark: Mark) -> usize {
        let index = self.vacancy(mark);
        self.set_slot(index, self.slot(index).with(address, mark));
        index
    }

    /// The slot for a new entry, after whose insertion the groups that it has passed count it.
    fn vacancy(&mut self, mark: Mark) -> usize {
        const HAS_ROOM: &str = "a table that is not full has an empty slot";
        if self.is_run() {
            return (0..self.room()).find(|&index| !self.slot(index).is_full()).expect(HAS_ROOM);
        }
        for tried in 0..=self.groups() + 1 {
            let group = mark.group(self.groups(), tried);
            match self.equal(group, ADDRESS_BITS, 0).next() {
                Some(index) => return index,
                None => self.count_overflow(group),
            }
        }
        unreachable!("{HAS_ROOM}")
    }

    #[inline]
    fn has_overflow(&self, group: usize) -> bool {
        self.equal(group, OVERFLOW, OVERFLOW).bits != 0
    }

    /// One more entry has passed the group.
    fn count_overflow(&mut self, group: usize) {
        if let Some(index) = self.equal(group, OVERFLOW, 0).next() {
            self.set_slot(index, Slot(self.slot(index).0.map_addr(|bits| bits | OVERFLOW)));
        }
    }

    /// One of the entries that have passed the group is gone.
    fn uncount_overflow(&mut self, group: usize) {
        if self.equal(group, OVERFLOW, 0).bits == 0 {
            // There may have been more than are counted.
            return;
        }
        let set = self.equal(group, OVERFLOW, OVERFLOW).next();
        debug_assert!(set.is_some(), "an entry that has passed a group was counted there");
        if let Some(index) = set {
            self.set_slot(index, Slot(self.slot(index).0.map_addr(|bits| bits & !OVERFLOW)));
        }
    }

    /// Takes the entry in this full slot out. All others stay where they are.
    pub fn remove(&mut self, index: usize) -> Entry {
        assert!(self.is_full_at(index));
        let slot = self.slot(index);
        if !self.is_run() {
            for tried in 0..=self.groups() + 1 {
                let passed = slot.mark().group(self.groups(), tried);
                if passed == index / GROUP {
                    break;
                }
                self.uncount_overflow(passed);
            }
        }
        self.set_slot(index, slot.with(std::ptr::null_mut(), Mark(0)));
        self.len -= 1;
        // SAFETY: the slot was full, so its address is that of an entry, and nobody else owns it any more.
        unsafe { Entry::from_raw(slot.0) }
    }

    /// Makes room for at least one more entry. Entries move.
    #[cold]
    pub fn grow(&mut self) {
        self.resize(next_room(self.room()));
    }

    /// The smallest table for `len` entries, or as many as there are. Entries move.
    pub fn shrink_to(&mut self, len: usize) {
        let len = len.max(self.len());
        let mut room = 0;
        while limit(room) < len {
            room = next_room(room);
        }
        if room < self.room() {
            self.resize(room);
        }
    }

    fn resize(&mut self, room: usize) {
        assert!(limit(room) >= self.len());
        let mut resized = Table { slots: allocate(room), len: self.len, room: room as u32 };
        for index in 0..self.room() {
            let slot = self.slot(index);
            if slot.is_full() {
                resized.place(slot.0, slot.mark());
            }
        }
        // The entries are those of the other table now.
        (self.len, resized.len) = (0, self.len);
        free(self.slots, self.room());
        (self.slots, self.room) = (NonNull::dangling(), 0);
        std::mem::swap(self, &mut resized);
    }
}

/// Positions in a group, ascending.
struct Equal {
    first: usize,
    /// Two for each slot of the group, of which the lower one says whether it is among them.
    bits: u32,
}

impl Iterator for Equal {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            return None;
        }
        let at = self.bits.trailing_zeros() as usize / 2;
        self.bits &= self.bits - 1;
        Some(self.first + at)
    }
}

/// All slots of a group at once. A loop that ends with the slot that is wanted ends somewhere else each time, which the processor
/// predicts wrongly, and while it waits for the group it then does not go on to the next key (30 ns of a GET's 330 with a loop).
///
/// # Safety
/// `group` is the first of eight initialised slots, aligned to a cache line.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn equal(group: NonNull<Slot>, mask: usize, value: usize) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi32, _mm_load_si128, _mm_movemask_epi8, _mm_packs_epi16,
        _mm_packs_epi32, _mm_set1_epi64x,
    };
    // SAFETY: every processor of this architecture has SSE2. The four pairs of slots are 16 bytes each, at addresses that are
    // multiples of 16.
    unsafe {
        let (masks, values) = (_mm_set1_epi64x(mask as i64), _mm_set1_epi64x(value as i64));
        let pair = |number: usize| {
            let slots = _mm_load_si128(group.as_ptr().cast::<__m128i>().add(number));
            _mm_cmpeq_epi32(_mm_and_si128(slots, masks), values)
        };
        let low = _mm_packs_epi32(pair(0), pair(1));
        let high = _mm_packs_epi32(pair(2), pair(3));
        // A bit for each half of each slot.
        let halves = _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32;
        halves & (halves >> 1) & 0x5555
    }
}

/// See above.
///
/// # Safety
/// As above.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn equal(group: NonNull<Slot>, mask: usize, value: usize) -> u32 {
    (0..GROUP).fold(0, |bits, number| {
        // SAFETY: the caller's promise: there are eight.
        let slot = unsafe { group.add(number).read() };
        bits | u32::from(slot.0.addr() & mask == value) << (2 * number)
    })
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.len > 0 {
            for index in 0..self.room() {
                if self.slot(index).is_full() {
                    // SAFETY: as in `remove`; nobody looks at the slot again.
                    drop(unsafe { Entry::from_raw(self.slot(index).0) });
                }
            }
        }
        free(self.slots, self.room());
    }
}

/// How many entries fit. Groups are kept from filling up altogether, or most entries would be somewhere else than at home.
#[inline]
fn limit(room: usize) -> usize {
    if room <= RUN_MAX { room } else { room - room / 8 }
}

/// The next larger table: what the allocator's next class takes, in whole groups where there are groups.
fn next_room(room: usize) -> usize {
    let steps = room.checked_ilog2().map_or(1, |log| 1usize << log.saturating_sub(2));
    if room < RUN_MAX { room + steps.max(1) } else { room + steps.max(GROUP) }
}

fn layout(room: usize) -> Layout {
    let align = if room.is_multiple_of(GROUP) { LINE_BYTES } else { align_of::<Slot>() };
    Layout::from_size_align(room * size_of::<Slot>(), align)
        .expect("far fewer slots than there are addresses")
}

/// Empty slots.
fn allocate(room: usize) -> NonNull<Slot> {
    if room == 0 {
        return NonNull::dangling();
    }
    let layout = layout(room);
    // SAFETY: the layout's size is not zero. A slot of zeroes is empty.
    let slots = unsafe { alloc_zeroed(layout) };
    NonNull::new(slots.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

fn free(slots: NonNull<Slot>, room: usize) {
    if room > 0 {
        // SAFETY: the slots were allocated by `allocate` for as much room, and their table forgets them.
        unsafe { dealloc(slots.as_ptr().cast(), layout(room)) };
    }
}

#[cfg(test)]
mod tests;
