//! A reader's end of the ring: what a replica's sender and the append-only file hold. It can look and move on,
//! nothing else.
//!
//! ```text
//!   pinned from here        position     sliced            published
//!         |  segment n         |  segment n+1  |  segment n+2  |
//!   ------+--------------------+---------------+---------------+-----
//!                              |<-- slices --->|
//! ```
//!
//! Always: position <= sliced <= published; the segment of `position` and all after it stay in memory until
//! the reader passes them, is dropped, or holds back more than the ring's hard limit.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;
use std::sync::Arc;

use super::offset::Offset;
use super::ring::pieces;
use super::storage::{SEGMENT_BYTES, Segment, segment_of, segment_start};
use super::{Backlog, Gone};

/// Slices per call: 4 MiB at most, far more than a socket takes at once.
pub const SLICES_MAX: usize = 16;

/// A registered place in the stream. Made by [`Backlog::reader_at`]; dropping it lets go of what it pins.
pub struct Reader {
    backlog: Arc<Backlog>,
    /// The ring's number for this reader.
    number: usize,
    /// The partings behind it; it never reads past another one.
    partings: u64,
    position: Offset,
    /// How far `slices` has shown the stream.
    sliced: Offset,
    /// The segments from that of `position` on, as far as they were needed.
    held: VecDeque<Arc<Segment>>,
}

impl Reader {
    pub(super) fn new(backlog: Arc<Backlog>, number: usize, partings: u64, position: Offset) -> Reader {
        Reader { backlog, number, partings, position, sliced: position, held: VecDeque::new() }
    }

    /// The place before the next byte.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// Bytes between here and the end of the stream: what this reader keeps in memory.
    pub fn lag_bytes(&self) -> u64 {
        self.backlog.reserved().bytes_since(self.position)
    }

    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// The next bytes, straight from the segments and ready for a vectored write: at most `max_bytes`, at most
    /// [`SLICES_MAX`] slices, and only what is published. Empty if there is nothing new.
    ///
    /// # Errors
    /// [`Gone`] if the history goes on under another name, or the ring let go of this place because the reader was too slow.
    pub fn slices(&mut self, max_bytes: usize) -> Result<Slices<'_>, Gone> {
        let view = self.backlog.ring.view();
        if view.partings != self.partings {
            return Err(Gone::Parted);
        }
        let first = segment_of(self.position);
        let end = view
            .published
            .min(self.position + max_bytes.min(SLICES_MAX * SEGMENT_BYTES) as u64)
            .min(segment_start(first + SLICES_MAX as u64))
            .max(self.position);
        if end > self.position {
            let have = first + self.held.len() as u64;
            let need = segment_of(Offset(end.0 - 1)) + 1;
            if need > have {
                self.backlog.ring.fetch(self.number, have..need, &mut self.held)?;
            }
        }
        self.sliced = self.sliced.max(end);
        Ok(self.cut(end))
    }

    /// The slices from `position` to `end`, whose segments are held.
    fn cut(&self, end: Offset) -> Slices<'_> {
        let mut slices = Slices { slices: [IoSlice::new(&[]); SLICES_MAX], count: 0, bytes: 0 };
        for ((number, from, to), segment) in pieces(self.position, end).zip(&self.held) {
            assert_eq!(segment.number(), number);
            // SAFETY: 1. `end` is at most a `published` that this thread has read, so the bytes
            // were written and that happened before. 2. Nobody writes them again: a segment gets a new number
            // and new bytes only while it has one holder, and we hold this one while the slice lives.
            let bytes = unsafe { segment.slice(from, to) };
            slices.slices[slices.count] = IoSlice::new(bytes);
            slices.count += 1;
            slices.bytes += bytes.len();
        }
        slices
    }

    /// Moves on by `bytes`, which `slices` has shown; lets go of the segments that were passed.
    ///
    /// # Panics
    /// If they were not shown.
    pub fn advance(&mut self, bytes: usize) {
        let before = segment_of(self.position);
        self.position = self.position + bytes as u64;
        assert!(self.position <= self.sliced, "a reader moved past what it was shown");
        let now = segment_of(self.position);
        if now > before {
            let passed = ((now - before) as usize).min(self.held.len());
            self.held.drain(..passed);
            self.backlog.ring.move_pin(self.number, self.position);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.held.clear();
        self.backlog.ring.unregister(self.number);
    }
}

/// Published bytes in stream order. Derefs to the slices that `write_vectored` takes.
pub struct Slices<'a> {
    slices: [IoSlice<'a>; SLICES_MAX],
    count: usize,
    bytes: usize,
}

impl Slices<'_> {
    /// The bytes of all slices together.
    pub fn total_bytes(&self) -> usize {
        self.bytes
    }
}

impl<'a> Deref for Slices<'a> {
    type Target = [IoSlice<'a>];
    fn deref(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }
}
