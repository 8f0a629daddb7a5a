//! Bytes of a connection that no command has used yet: the tail of a request, or what waits behind a blocked one.
//!
//!     bytes   |  used  |  unread  |  spare capacity
//!             0      start      len
//!
//! Empty most of the time: requests are parsed in the worker's shared read buffer and only leftovers come here. Always: the
//! memory follows the bytes that came, not what a request announces, and moving bytes to the front is linear in the whole.

/// Memory that a connection may keep between two looks of [`Input::relax`].
const KEPT_BYTES_MAX: usize = 32 * 1024;
/// What it shrinks to while it is in use.
const ROOM_BYTES: usize = 16 * 1024;
/// Room that may be reserved for an announced argument beyond doubling.
const RESERVE_BYTES_MAX: usize = 1024 * 1024;
/// Used bytes up to this stay in front: moving little is not worth a thought.
const COMPACT_BYTES_MIN: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    /// The most bytes held since the last look.
    peak: usize,
}

impl Input {
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends what was read. `wanted` more bytes are announced beyond what is held now (0 if unknown).
    pub(super) fn append(&mut self, bytes: &[u8], wanted: usize) {
        let room = self.bytes.capacity() - self.bytes.len();
        if wanted.max(bytes.len()) > room {
            let believed = wanted.min(self.bytes.len().max(RESERVE_BYTES_MAX));
            self.bytes.reserve_exact(believed.max(bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
        self.peak = self.peak.max(self.bytes.len());
    }

    /// The first `count` unread bytes have been used.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start > COMPACT_BYTES_MIN && self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Gives back memory: all of it when `idle`, else what the time since the last look did not need.
    pub(super) fn relax(&mut self, idle: bool) {
        let peak = std::mem::replace(&mut self.peak, self.bytes.len());
        if idle && self.is_empty() {
            self.bytes = Vec::new();
        } else if self.capacity() > KEPT_BYTES_MAX && peak < self.capacity() / 2 {
            self.bytes.shrink_to(peak.max(ROOM_BYTES));
        }
    }

    /// The unread bytes, for whoever takes the connection over.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..self.start);
        self.start = 0;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_whatever_is_consumed() {
        let (mut input, mut next_in, mut next_out) = (Input::default(), 0u8, 0u8);
        for round in 0..2000usize {
            let piece: Vec<u8> = (0..round % 97).map(|n| next_in.wrapping_add(n as u8)).collect();
            next_in = next_in.wrapping_add(piece.len() as u8);
            input.append(&piece, 0);
            let count = input.len().min(round % 89);
            for byte in &input.unread()[..count] {
                assert_eq!(*byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
            input.consume(count);
        }
    }

    #[test]
    fn a_claim_does_not_allocate_what_has_not_come() {
        let mut input = Input::default();
        input.append(b"*2\r\n$3\r\nSET\r\n$536870912\r\nx", 512 * 1024 * 1024);
        assert!(input.capacity() <= 2 * RESERVE_BYTES_MAX, "{}", input.capacity());
    }

    #[test]
    fn memory_goes_back_when_it_is_not_needed() {
        let mut input = Input::default();
        input.append(&vec![0; 400_000], 0);
        input.consume(400_000);
        input.relax(false);
        assert!(input.capacity() >= 400_000, "the peak was within this period");
        input.relax(false);
        assert_eq!(input.capacity(), ROOM_BYTES);
        input.relax(true);
        assert_eq!(input.capacity(), 0);
    }
}
