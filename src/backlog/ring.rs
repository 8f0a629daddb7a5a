//! The ring: the newest part of the replication stream, written by any core, read by every sender.
//! `Writer` and `Reader` are its two ends; nobody outside this folder sees it.
//!
//! ```text
//!       oldest         first_offset            published       head         ready
//!         | for readers  | for partial resyncs     | being filled |  allocated  |
//!   ------+--------------+-------------------------+--------------+-------------+----   offsets only grow
//!         |<-- segments in memory, found through the table --------------------->|
//! ```
//!
//! A producer (1) stores a lower bound of what it is about to reserve in its slot, (2) moves `head` by
//! compare-and-swap, (3) copies its bytes, (4) stores IDLE in its slot. Whoever wants to know what is complete
//! loads `head` and then all slots, and takes the lowest: if it saw the head of (2), it also sees (1) or (4).
//!
//! Always: oldest <= published <= head. A segment leaves memory only when all of it is below `published`, so no
//! producer is writing to it, and only when no reader pins it. Offsets never go back.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crossbeam::utils::CachePadded;

use super::head::Head;
use super::kept::{Kept, Pin};
use super::offset::Offset;
use super::storage::{SEGMENT_BYTES, SLOTS, Segment, Table, place_in_segment, segment_of, segment_start};
use super::{Gone, RETAIN_BYTES_MAX, WRITERS_MAX};
use crate::base::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, lock, yield_now};

/// A slot whose producer is not copying anything.
pub(super) const IDLE: u64 = u64::MAX;

/// The part of the ring that changes at segment crossings and is read by every append: one cache line.
pub(super) struct Edge {
    /// Where the stream in memory begins, and the hint that widens `head`. Writer: the holder of `kept`'s mutex.
    /// Readers: all. Release/Acquire: who sees it sees a `head` that is not before it.
    oldest: AtomicU64,
    /// Up to here segments are allocated and in the table. Writer: the holder of `kept`'s mutex, Release.
    /// Readers: producers, Acquire, which publishes the table's entries to them.
    ready: AtomicU64,
    /// How often the history got another name. Writer: `part`, under `kept`'s mutex. Readers: those who read the stream. Relaxed:
    /// ordered by `head`, whose Acquire shows the partings before every byte that can be read.
    partings: AtomicU64,
    /// What is retained for nobody, in bytes. Writer: `set_retain`. Readers: all. Relaxed: publishes nothing.
    retain: AtomicU64,
    /// How many slots were ever taken; the others need no look. Writer: `take_slot`, under `kept`'s mutex,
    /// Release. Readers: `published`, after `head`, whose Acquire covers every slot that moved it.
    slots_used: AtomicUsize,
}

pub(super) struct Ring {
    /// The packed `Head`. Writers: producers and `forget_db`, by compare-and-swap (AcqRel).
    /// Readers: all, Acquire: who sees a reservation sees the slot that announced it.
    pub head: CachePadded<AtomicU64>,
    pub edge: CachePadded<Edge>,
    /// One per producer: the lowest offset that it may still be copying, or IDLE. Writer: its producer, Release
    /// (IDLE publishes the copied bytes). Readers: `published`, Acquire.
    pub slots: Box<[CachePadded<AtomicU64>]>,
    pub table: Table,
    kept: Mutex<Kept>,
    /// Readers that hold back more than this lose their place.
    pinned_bytes_max: u64,
}

/// One consistent look at the stream.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub partings: u64,
    pub oldest: Offset,
    pub head: Head,
    pub published: Offset,
}

impl Ring {
    pub fn new(retain_bytes: u64, head: Head, pinned_bytes_max: u64) -> Ring {
        assert!(pinned_bytes_max < (SLOTS * SEGMENT_BYTES) as u64);
        let start = head.offset;
        let edge = Edge {
            oldest: AtomicU64::new(start.0),
            ready: AtomicU64::new(segment_start(segment_of(start)).0),
            partings: AtomicU64::new(0),
            retain: AtomicU64::new(retain_bytes.min(RETAIN_BYTES_MAX)),
            slots_used: AtomicUsize::new(0),
        };
        Ring {
            head: CachePadded::new(AtomicU64::new(head.pack())),
            edge: CachePadded::new(edge),
            slots: (0..WRITERS_MAX).map(|_| CachePadded::new(AtomicU64::new(IDLE))).collect(),
            table: Table::new(),
            kept: Mutex::new(Kept::new(segment_of(start), WRITERS_MAX)),
            pinned_bytes_max,
        }
    }

    // ---- Reading the state ----

    /// A consistent look at the stream. `published` may be lower than an earlier call said, for an instant: a
    /// producer may announce a bound that is out of date. It is never too high.
    pub fn view(&self) -> View {
        // The hint before the head, or it might be ahead of it. The head before the slots, or a reservation
        // could be announced and made unseen between the two.
        let oldest = Offset(self.edge.oldest.load(Ordering::Acquire));
        let head = Head::unpack(self.head.load(Ordering::Acquire), oldest);
        let used = self.edge.slots_used.load(Ordering::Acquire);
        let copying = self.slots[..used].iter().map(|slot| slot.load(Ordering::Acquire)).min();
        let published = head.offset.min(Offset(copying.unwrap_or(IDLE)));
        // After the head: who sees a byte from behind a parting sees the parting.
        let partings = self.edge.partings.load(Ordering::Relaxed);
        View { partings, oldest, head, published: published.max(oldest) }
    }

    /// The head word and what it means, for a compare-and-swap.
    #[inline]
    pub fn load_head(&self) -> (u64, Head) {
        let oldest = Offset(self.edge.oldest.load(Ordering::Acquire));
        let word = self.head.load(Ordering::Acquire);
        (word, Head::unpack(word, oldest))
    }

    /// The oldest offset that a partial resync may ask for.
    pub fn first_offset(&self, view: View) -> Offset {
        let retain = self.edge.retain.load(Ordering::Relaxed);
        Offset(view.head.offset.0.saturating_sub(retain)).max(view.oldest)
    }

    pub fn resident_bytes(&self) -> u64 {
        (lock(&self.kept).segments() * SEGMENT_BYTES) as u64
    }

    // ---- Producers ----

    pub fn take_slot(&self) -> Option<usize> {
        let mut kept = lock(&self.kept);
        let slot = kept.slots_taken.iter().position(|taken| !taken)?;
        kept.slots_taken[slot] = true;
        let used = self.edge.slots_used.load(Ordering::Relaxed);
        self.edge.slots_used.store(used.max(slot + 1), Ordering::Release);
        Some(slot)
    }

    pub fn release_slot(&self, slot: usize) {
        debug_assert_eq!(self.slots[slot].load(Ordering::Relaxed), IDLE);
        lock(&self.kept).slots_taken[slot] = false;
    }

    /// Makes sure that there is memory up to `end`, which the calling producer has reserved.
    #[inline]
    pub fn make_ready(&self, end: Offset) {
        if end.0 > self.edge.ready.load(Ordering::Acquire) {
            self.grow(end);
        }
    }

    #[cold]
    fn grow(&self, end: Offset) {
        let last = segment_of(Offset(end.0 - 1));
        let mut garbage = Vec::new();
        loop {
            let mut kept = lock(&self.kept);
            if end.0 <= self.edge.ready.load(Ordering::Relaxed) {
                return;
            }
            self.trim(&mut kept, &mut garbage);
            if last - kept.first() < SLOTS as u64 {
                while kept.end() <= last {
                    self.table.insert(kept.push_back());
                }
                self.edge.ready.store(segment_start(kept.end()).0, Ordering::Release);
                return;
            }
            // 64 GiB are reserved and not yet copied. The other producers finish without our help.
            drop(kept);
            yield_now();
        }
    }

    // ---- Trimming ----

    /// Lets go of every segment that is neither retained, nor pinned, nor being written.
    fn trim(&self, kept: &mut Kept, garbage: &mut Vec<Arc<Segment>>) {
        let view = self.view();
        let head = view.head.offset;
        let retained_from = self.first_offset(view).min(view.published);
        let pin_limit = segment_of(Offset(head.0.saturating_sub(self.pinned_bytes_max)));
        let pinned_from = kept.oldest_pin(pin_limit).unwrap_or(u64::MAX);
        let keep_from = segment_of(retained_from).min(pinned_from);
        while kept.first() < keep_from {
            let Some(number) = kept.pop_front(garbage) else { break };
            self.table.remove(number);
        }
        let oldest = view.oldest.max(segment_start(kept.first()));
        self.edge.oldest.store(oldest.0, Ordering::Release);
    }

    fn trim_now(&self, change: impl FnOnce(&mut Kept)) {
        let mut garbage = Vec::new();
        let mut kept = lock(&self.kept);
        change(&mut kept);
        self.trim(&mut kept, &mut garbage);
        drop(kept);
        // Memory is freed here, outside the mutex.
        drop(garbage);
    }

    /// Lets go of what nothing keeps any more. Producers do that when they need another segment, and readers when they move on;
    /// without either, one large append would stay.
    pub fn tidy(&self) {
        self.trim_now(|_| ());
    }

    pub fn set_retain(&self, bytes: u64) {
        self.edge.retain.store(bytes.min(RETAIN_BYTES_MAX), Ordering::Relaxed);
        self.trim_now(|_| ());
    }

    /// From now on partial resyncs reach back to here only; readers keep what they have.
    pub fn forget_past(&self) {
        let mut garbage = Vec::new();
        let mut kept = lock(&self.kept);
        let published = self.view().published;
        self.edge.oldest.store(published.0, Ordering::Release);
        self.trim(&mut kept, &mut garbage);
    }

    // ---- Readers ----

    /// Registers a reader: its number, and how many partings lie behind it.
    pub fn register(&self, next: Offset) -> Result<(usize, u64), Gone> {
        // Trimming needs the same mutex, so what is found here stays until the pin is set.
        let mut kept = lock(&self.kept);
        let view = self.view();
        if next < self.first_offset(view) {
            return Err(Gone::Trimmed);
        }
        if next > view.head.offset {
            return Err(Gone::Future);
        }
        Ok((kept.pin(segment_of(next)), view.partings))
    }

    pub fn unregister(&self, reader: usize) {
        self.trim_now(|kept| kept.unpin(reader));
    }

    pub fn move_pin(&self, reader: usize, next: Offset) {
        self.trim_now(|kept| kept.move_pin(reader, segment_of(next)));
    }

    /// Adds the segments `numbers` to those that the reader holds.
    pub fn fetch(
        &self,
        reader: usize,
        numbers: Range<u64>,
        held: &mut VecDeque<Arc<Segment>>,
    ) -> Result<(), Gone> {
        let kept = lock(&self.kept);
        if kept.pin_of(reader) == Pin::Lost {
            return Err(Gone::Overrun);
        }
        for number in numbers {
            held.push_back(Arc::clone(kept.segment(number).ok_or(Gone::Overrun)?));
        }
        Ok(())
    }

    // ---- Changes of role ----

    /// Sets the database of the stream aside: the next write says SELECT again.
    pub fn forget_db(&self) {
        loop {
            let (word, head) = self.load_head();
            let new = Head { db: None, ..head }.pack();
            if self.head.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// What is appended from now on has another name: those who read under the old one are [`Gone`]. Nobody appends meanwhile.
    pub fn part(&self) {
        let _one_at_a_time = lock(&self.kept);
        let partings = self.edge.partings.load(Ordering::Relaxed);
        self.edge.partings.store(partings + 1, Ordering::Relaxed);
    }
}

/// Cuts `from..to` at the segments' borders: for each piece the segment's number and the places in it.
pub(super) fn pieces(from: Offset, to: Offset) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = from;
    std::iter::from_fn(move || {
        (at < to).then(|| {
            let place = place_in_segment(at);
            let length = (to.bytes_since(at)).min((SEGMENT_BYTES - place) as u64);
            let piece = (segment_of(at), place, place + length as usize);
            at = at + length;
            piece
        })
    })
}
