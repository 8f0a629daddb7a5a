//! Memory for chunks, which goes round: from the walker to the followers and back.
//!
//! ```text
//!   walker fills a buffer -> chunk -> followers send it -> the last one lets go -> spares -> walker
//! ```
//!
//! Fresh memory is what a walk would spend most of its time on where the system hands it out in huge pages, and in a virtual machine
//! each can take milliseconds. Always: what is held here counts as set aside for the snapshot, full or empty.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::alloc::{Purpose, SetAside};
use crate::snapshot::chunks::{AHEAD_BYTES_MAX, CHUNK_BYTES};

/// What a buffer has room for: a chunk is full when it has passed its size.
const ROOM: usize = CHUNK_BYTES + CHUNK_BYTES / 8;

/// As many as a walk may be ahead, and one in each pair of hands.
const SPARES_MAX: usize = AHEAD_BYTES_MAX as usize / CHUNK_BYTES + 4;

/// Bytes that are being gathered for a chunk, or are one.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    set_aside: SetAside,
}

impl Buffer {
    fn with_room() -> Buffer {
        let set_aside = SetAside::new(Purpose::Snapshot, ROOM);
        Buffer { bytes: Vec::with_capacity(ROOM), set_aside }
    }

    /// A large value has made it grow.
    fn recount(&mut self) {
        self.set_aside.grow(self.bytes.capacity().saturating_sub(self.set_aside.bytes()));
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        let set_aside = SetAside::new(Purpose::Snapshot, bytes.capacity());
        Buffer { bytes, set_aside }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// Buffers of one walk that nobody needs at the moment.
#[derive(Debug, Default)]
pub struct Spares(Mutex<Vec<Buffer>>);

impl Spares {
    fn list(&self) -> MutexGuard<'_, Vec<Buffer>> {
        // A panic leaves nothing half done: each section pushes or pops once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer.
    pub fn take(&self) -> Buffer {
        let spare = self.list().pop();
        spare.unwrap_or_else(Buffer::with_room)
    }

    /// Keeps a buffer for `take`, unless it is not of the usual size or there are enough.
    pub fn keep(&self, mut buffer: Buffer) {
        buffer.recount();
        if buffer.set_aside.bytes() != ROOM {
            return;
        }
        buffer.bytes.clear();
        let mut list = self.list();
        if list.len() < SPARES_MAX {
            list.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_with_the_same_memory() {
        let spares = Spares::default();
        let mut buffer = spares.take();
        buffer.extend_from_slice(b"abc");
        let memory = buffer.as_ptr();
        spares.keep(buffer);
        let again = spares.take();
        assert!(again.is_empty() && again.as_ptr() == memory);
        assert_ne!(spares.take().as_ptr(), memory);
    }

    #[test]
    fn large_and_small_buffers_and_too_many_are_not_kept() {
        let spares = Spares::default();
        let mut large = spares.take();
        large.resize(2 * ROOM, 0);
        spares.keep(large);
        spares.keep(Buffer::from(vec![0; 10]));
        assert_eq!(spares.list().len(), 0);
        let many: Vec<Buffer> = (0..2 * SPARES_MAX).map(|_| spares.take()).collect();
        many.into_iter().for_each(|buffer| spares.keep(buffer));
        assert_eq!(spares.list().len(), SPARES_MAX);
    }
}
