//! The ring's memory: segments of fixed size, and the table that finds the segment of an offset.
//! Only `ring.rs` calls this; it decides who may touch which bytes when, this file moves them.
//!
//! ```text
//!   table   [ .. | null |  s7  |  s8  |  s9  | null | .. ]     SLOTS entries, index = segment number % SLOTS
//!                           |      |      |
//!   segments             [bytes][bytes][bytes]                  segment number = offset / SEGMENT_BYTES
//! ```
//!
//! Always: an entry is null or points to a segment that the ring's chain holds, so a table lookup of a segment
//! in the chain needs no reference count. An empty table is zeroed memory that was never touched: it costs
//! address space, no RAM.

use std::sync::Arc;

use super::offset::Offset;
use crate::base::alloc::{Purpose, SetAside, count_again, count_not};
use crate::base::small_pages::SmallPages;
use crate::base::sync::{AtomicPtr, Ordering};

/// Bytes per segment. Larger: a small `repl-backlog-size` costs more memory than it says. Smaller: the mutex at
/// the crossings gets warmer. From 64 KiB to 1 MiB throughput was measured equal. Tests cross often.
pub(super) const SEGMENT_BYTES: usize = if cfg!(loom) {
    32
} else if cfg!(test) {
    4 * 1024
} else {
    256 * 1024
};

/// Table entries, so the stream in memory never exceeds `SLOTS * SEGMENT_BYTES` (64 GiB). The table takes 2 MiB
/// of address space.
pub(super) const SLOTS: usize = if cfg!(loom) { 8 } else { 256 * 1024 };

const _: () = assert!(SEGMENT_BYTES.is_power_of_two() && SLOTS.is_power_of_two());

/// The number of the segment that holds the byte after `offset`.
pub(super) fn segment_of(offset: Offset) -> u64 {
    offset.0 / SEGMENT_BYTES as u64
}

/// The offset at which segment `number` begins.
pub(super) fn segment_start(number: u64) -> Offset {
    Offset(number * SEGMENT_BYTES as u64)
}

/// Where in its segment the byte after `offset` stands.
pub(super) fn place_in_segment(offset: Offset) -> usize {
    offset.0 as usize % SEGMENT_BYTES
}

/// One segment. Written by many producers at once in disjoint ranges, then read by anybody: every access goes through the unsafe
/// functions below, whose callers promise writes that are disjoint and happen before all reads of the same bytes.
pub(super) struct Segment {
    number: u64,
    /// Not from the allocator: the stream grows while clients wait.
    bytes: SmallPages,
    _set_aside: SetAside,
    #[cfg(loom)]
    guards: Box<[loom::cell::UnsafeCell<()>]>,
}

// SAFETY: loom's guards are there to watch accesses by many threads.
#[cfg(loom)]
unsafe impl Sync for Segment {}

// SAFETY: a segment owns its memory and is tied to no thread.
#[cfg(loom)]
unsafe impl Send for Segment {}

impl Segment {
    pub fn new(number: u64) -> Segment {
        let _set_aside = SetAside::new(Purpose::Stream, SEGMENT_BYTES);
        Segment {
            number,
            bytes: SmallPages::new(SEGMENT_BYTES),
            _set_aside,
            #[cfg(loom)]
            guards: (0..SEGMENT_BYTES).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        }
    }

    /// Gives a segment that nobody else holds another number; its bytes count as unwritten again.
    pub fn renumber(&mut self, number: u64) {
        self.number = number;
        #[cfg(loom)]
        self.guards.iter().for_each(|guard| guard.with_mut(|_| ()));
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// The bytes from place `from` to place `to`.
    ///
    /// # Safety
    /// They have been written, the write happened before this call, and nobody writes them again while the
    /// slice lives.
    pub unsafe fn slice(&self, from: usize, to: usize) -> &[u8] {
        assert!(from <= to && to <= SEGMENT_BYTES);
        #[cfg(loom)]
        self.guards[from..to].iter().for_each(|guard| guard.with(|_| ()));
        let start = self.bytes.as_ptr();
        // SAFETY: in bounds by the assertion; initialised and not written meanwhile by the caller's promise.
        unsafe { std::slice::from_raw_parts(start.add(from), to - from) }
    }

    /// Copies `source` to place `at`.
    ///
    /// # Safety
    /// `at + source.len() <= SEGMENT_BYTES`, and until this returns nobody else reads or writes these places.
    unsafe fn write(&self, at: usize, source: &[u8]) {
        debug_assert!(at + source.len() <= SEGMENT_BYTES);
        #[cfg(loom)]
        self.guards[at..at + source.len()].iter().for_each(|guard| guard.with_mut(|_| ()));
        // SAFETY: in bounds and exclusive by the caller's promise; the pointer covers all pages.
        unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), self.bytes.as_ptr().add(at), source.len()) }
    }
}

/// Segment number -> segment, for the segments that the ring's chain holds.
///
/// Each entry: written under the ring's mutex, read by producers. Stored and loaded Relaxed, because a producer
/// loads it only after it has seen `ready` (Acquire) pass the segment, which is stored after the entry (Release).
pub(super) struct Table {
    entries: Box<[AtomicPtr<Segment>]>,
}

impl Table {
    pub fn new() -> Table {
        let entries = zeroed_entries();
        count_not(size_of_val(&*entries));
        Table { entries }
    }

    fn entry(&self, number: u64) -> &AtomicPtr<Segment> {
        &self.entries[number as usize % SLOTS]
    }

    pub fn insert(&self, segment: &Arc<Segment>) {
        let entry = self.entry(segment.number());
        debug_assert!(entry.load(Ordering::Relaxed).is_null());
        entry.store(Arc::as_ptr(segment).cast_mut(), Ordering::Relaxed);
    }

    pub fn remove(&self, number: u64) {
        self.entry(number).store(std::ptr::null_mut(), Ordering::Relaxed);
    }

    /// Copies `source` into the stream at `at`, over as many segments as that takes.
    ///
    /// # Safety
    /// 1. Every segment of `at .. at + source.len()` was inserted, and this thread has seen that (by `ready`).
    /// 2. None of them is removed before this returns.
    /// 3. Until this returns nobody else reads or writes that range of the stream.
    #[inline]
    pub unsafe fn write(&self, at: Offset, source: &[u8]) {
        // An empty part may stand at the border of a segment that does not exist yet.
        if source.is_empty() {
            return;
        }
        let place = place_in_segment(at);
        if source.len() <= SEGMENT_BYTES - place {
            // SAFETY: the same promises; the range ends in the segment in which it begins.
            unsafe { self.write_within(at, source) }
        } else {
            // SAFETY: the same promises.
            unsafe { self.write_across(at, source) }
        }
    }

    /// # Safety
    /// As for `write`, and the range is not empty and ends in the segment in which it begins.
    #[inline]
    unsafe fn write_within(&self, at: Offset, source: &[u8]) {
        let segment = self.entry(segment_of(at)).load(Ordering::Relaxed);
        debug_assert!(!segment.is_null());
        // SAFETY: by 1, as the range has a byte in this segment, the entry is set and by 2 what it points to is alive throughout; by 3 the places are
        // exclusively ours.
        unsafe {
            debug_assert_eq!((*segment).number(), segment_of(at));
            (*segment).write(place_in_segment(at), source);
        }
    }

    /// # Safety
    /// As for `write`.
    #[cold]
    unsafe fn write_across(&self, mut at: Offset, mut source: &[u8]) {
        while !source.is_empty() {
            let fits = source.len().min(SEGMENT_BYTES - place_in_segment(at));
            let (now, later) = source.split_at(fits);
            // SAFETY: a part of the caller's range, cut so that it stays in one segment.
            unsafe { self.write_within(at, now) };
            at = at + fits as u64;
            source = later;
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        count_again(size_of_val(&*self.entries));
    }
}

#[cfg(not(loom))]
fn zeroed_entries() -> Box<[AtomicPtr<Segment>]> {
    use crate::base::huge_pages::keep_small_pages;
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
    let layout = Layout::array::<AtomicPtr<Segment>>(SLOTS).expect("2 MiB is a legal layout");
    // SAFETY: the layout is not of size 0, and the block is ours. An all-zero `AtomicPtr` is a null pointer, so every element is
    // initialised; the box frees with the same layout that was allocated here.
    unsafe {
        let entries = alloc_zeroed(layout).cast::<AtomicPtr<Segment>>();
        if entries.is_null() {
            handle_alloc_error(layout);
        }
        keep_small_pages(entries.cast(), layout.size());
        Box::from_raw(std::ptr::slice_from_raw_parts_mut(entries, SLOTS))
    }
}

#[cfg(loom)]
fn zeroed_entries() -> Box<[AtomicPtr<Segment>]> {
    (0..SLOTS).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect()
}
