//! What the ring holds in memory and for whom: the chain of segments, the readers' pins, the producers' slots.
//! `ring.rs` keeps one of these behind its mutex; it is touched when somebody crosses a segment, never per append.
//!
//! ```text
//!   chain     [ first | first+1 | ... ]      every byte of the stream that is in memory, in order
//!   pins          ^ reader 0       ^ reader 1      the oldest segment that each reader still needs
//!   spare     [ ][ ]                         segments of nobody, ready for the next crossing
//! ```
//!
//! Always: the chain has no holes; a pin that is not lost points into the chain or right behind it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::storage::Segment;

/// Segments kept for the next crossings (1 MiB). Fewer: fresh memory costs a page fault per 4 KiB of stream.
/// More: an idle server holds on to memory that a slow reader once needed.
const SPARE_SEGMENTS_MAX: usize = 4;

/// A reader's claim on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// Everything from this segment on stays in memory.
    From(u64),
    /// The ring let go of what this reader needs.
    Lost,
}

pub(super) struct Kept {
    first: u64,
    chain: VecDeque<Arc<Segment>>,
    spare: Vec<Arc<Segment>>,
    pins: Vec<Option<Pin>>,
    pub slots_taken: Vec<bool>,
}

impl Kept {
    pub fn new(first: u64, slots: usize) -> Kept {
        Kept {
            first,
            chain: VecDeque::new(),
            spare: Vec::new(),
            pins: Vec::new(),
            slots_taken: vec![false; slots],
        }
    }

    /// The number of the oldest segment in memory; of the next one to be made if there is none.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the newest segment in memory.
    pub fn end(&self) -> u64 {
        self.first + self.chain.len() as u64
    }

    /// Segments in memory, spare ones included.
    pub fn segments(&self) -> usize {
        self.chain.len() + self.spare.len()
    }

    pub fn segment(&self, number: u64) -> Option<&Arc<Segment>> {
        self.chain.get(number.checked_sub(self.first)? as usize)
    }

    /// Lengthens the chain by one segment.
    pub fn push_back(&mut self) -> &Arc<Segment> {
        let number = self.end();
        let segment = match self.spare.pop() {
            Some(mut segment) => {
                Arc::get_mut(&mut segment).expect("a spare segment has one holder").renumber(number);
                segment
            }
            None => Arc::new(Segment::new(number)),
        };
        self.chain.push_back(segment);
        &self.chain[self.chain.len() - 1]
    }

    /// Shortens the chain by its oldest segment and tells its number. It becomes a spare one if nobody holds it
    /// and one is wanted; else it goes to `garbage`, to be freed by the caller when the mutex is released.
    pub fn pop_front(&mut self, garbage: &mut Vec<Arc<Segment>>) -> Option<u64> {
        let mut segment = self.chain.pop_front()?;
        let number = self.first;
        debug_assert_eq!(segment.number(), number);
        self.first += 1;
        if self.spare.len() < SPARE_SEGMENTS_MAX && Arc::get_mut(&mut segment).is_some() {
            self.spare.push(segment);
        } else {
            garbage.push(segment);
        }
        Some(number)
    }

    /// Registers a reader and tells under which number.
    pub fn pin(&mut self, segment: u64) -> usize {
        let pin = Some(Pin::From(segment));
        match self.pins.iter().position(Option::is_none) {
            Some(free) => {
                self.pins[free] = pin;
                free
            }
            None => {
                self.pins.push(pin);
                self.pins.len() - 1
            }
        }
    }

    pub fn pin_of(&self, reader: usize) -> Pin {
        self.pins[reader].expect("a reader is registered until it is dropped")
    }

    /// Moves a reader's pin forward; one that was lost stays lost.
    pub fn move_pin(&mut self, reader: usize, segment: u64) {
        if let Pin::From(from) = self.pin_of(reader) {
            debug_assert!(from <= segment);
            self.pins[reader] = Some(Pin::From(segment));
        }
    }

    pub fn unpin(&mut self, reader: usize) {
        self.pins[reader] = None;
    }

    /// The oldest segment that any reader needs. Readers that need one before `limit` lose it first.
    pub fn oldest_pin(&mut self, limit: u64) -> Option<u64> {
        let mut oldest = None;
        for pin in self.pins.iter_mut().flatten() {
            match *pin {
                Pin::From(segment) if segment < limit => *pin = Pin::Lost,
                Pin::From(segment) => oldest = Some(oldest.map_or(segment, |least: u64| least.min(segment))),
                Pin::Lost => {}
            }
        }
        oldest
    }
}
