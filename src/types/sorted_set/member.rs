//! A member of a large sorted set: one heap block, which both the table of members and the tree of scores point to.
//!
//! ```text
//!   8 bytes   1 byte (9 from 255 bytes on)   len bytes
//!  +-------+-------------------------------+-----------+
//!  | score | len, or 255 and len in 8 bytes | member    |
//!  +-------+-------------------------------+-----------+
//! ```
//!
//! Made and freed by `ranked` alone; `table` and `tree` keep copies of the pointer and read through it.
//! Always: bytes and length never change while the block lives; the score changes only through `ranked`, which holds the
//! set exclusively then. The upper 16 bits of the address are zero: the table keeps part of a hash there.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::base::prefetch::prefetch;
use crate::types::frozen::Block;

/// The score lies at the front, which also gives the block its alignment.
const SCORE_BYTES: usize = 8;
/// In place of the length: eight bytes of length follow.
const LONG: u8 = u8::MAX;

/// A pointer to a member's block. Copies are not owners: `ranked` frees the block once both table and tree let go of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member(NonNull<u8>);

impl Member {
    /// A new block.
    pub fn new(bytes: &[u8], score: f64) -> Member {
        let layout = layout(bytes.len());
        // SAFETY: the layout's size is not zero.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        assert!(block.as_ptr().addr() >> 48 == 0, "user space ends at 48 bits of address");
        let front = front_bytes(bytes.len());
        // SAFETY: the block has room for score, length and bytes, in this order, and nobody else knows it yet.
        unsafe {
            block.as_ptr().cast::<f64>().write(score);
            if front == SCORE_BYTES + 1 {
                block.as_ptr().add(SCORE_BYTES).write(bytes.len() as u8);
            } else {
                block.as_ptr().add(SCORE_BYTES).write(LONG);
                block.as_ptr().add(SCORE_BYTES + 1).cast::<u64>().write_unaligned(bytes.len() as u64);
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.as_ptr().add(front), bytes.len());
        }
        Member(block)
    }

    /// Frees the block.
    ///
    /// # Safety
    /// Nobody uses this pointer or a copy of it afterwards.
    pub unsafe fn free(self) {
        // SAFETY: the block is alive, says the caller, and was allocated with the layout of its length.
        unsafe {
            let len = self.bytes().len();
            dealloc(self.0.as_ptr(), layout(len));
        }
    }

    /// # Safety
    /// The block lives for `'a`.
    #[inline]
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        let at = self.0.as_ptr();
        // SAFETY: the block lives, says the caller, and `new` wrote length and bytes, which nobody changes.
        unsafe {
            let short = at.add(SCORE_BYTES).read();
            if short == LONG {
                let len = at.add(SCORE_BYTES + 1).cast::<u64>().read_unaligned() as usize;
                return std::slice::from_raw_parts(at.add(SCORE_BYTES + 9), len);
            }
            std::slice::from_raw_parts(at.add(SCORE_BYTES + 1), short as usize)
        }
    }

    /// # Safety
    /// The block is alive.
    #[inline]
    pub unsafe fn score(self) -> f64 {
        // SAFETY: the block lives and begins with its score.
        unsafe { self.0.as_ptr().cast::<f64>().read() }
    }

    /// # Safety
    /// The block is alive, and its set is held exclusively.
    #[inline]
    pub unsafe fn set_score(self, score: f64) {
        // SAFETY: as above; nobody else reads or writes it meanwhile.
        unsafe { self.0.as_ptr().cast::<f64>().write(score) };
    }

    /// Bytes of heap that a block for a member of this length takes.
    pub fn heap_bytes(len: usize) -> usize {
        size_class(front_bytes(len) + len)
    }

    pub fn as_ptr(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// The member that [`Member::as_ptr`] led to.
    ///
    /// # Safety
    /// The pointer came from there.
    #[inline]
    pub unsafe fn from_ptr(pointer: *mut u8) -> Member {
        // SAFETY: it came from a `NonNull`, says the caller.
        Member(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// Begins to load the block into the cache.
    #[inline]
    pub fn prefetch(self) {
        prefetch(self.0.as_ptr());
    }
}

/// A member's block, owned: what the set has let go of.
pub struct Owned(Member);

impl Owned {
    /// # Safety
    /// Neither table nor tree has the member any more, and no copy of the pointer is used after this is dropped.
    pub unsafe fn new(member: Member) -> Owned {
        Owned(member)
    }
}

// SAFETY: it owns its block, which holds plain bytes only.
unsafe impl Send for Owned {}

impl Block for Owned {
    fn address(&self) -> Option<usize> {
        Some(self.0.as_ptr().addr())
    }

    fn heap_bytes(&self) -> usize {
        // SAFETY: the block is freed when this is dropped, not earlier.
        Member::heap_bytes(unsafe { self.0.bytes() }.len())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: says the contract of `new`.
        unsafe { self.0.free() }
    }
}

fn front_bytes(len: usize) -> usize {
    SCORE_BYTES + if len < LONG as usize { 1 } else { 9 }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(front_bytes(len) + len, SCORE_BYTES)
        .expect("members are arguments or parts of an RDB, far below the address space")
}

#[cfg(test)]
mod tests {
    use super::Member;

    #[test]
    fn a_member_gives_back_what_it_was_made_of() {
        for len in [0, 1, 7, 8, 254, 255, 256, 70_000] {
            let bytes = vec![b'm'; len];
            let member = Member::new(&bytes, 1.5);
            // SAFETY: the block lives until `free`, and nobody else has it.
            unsafe {
                assert_eq!(member.bytes(), bytes);
                assert_eq!(member.score(), 1.5);
                member.set_score(-0.0);
                assert!(member.score().is_sign_negative());
                assert_eq!(Member::from_ptr(member.as_ptr()), member);
                member.free();
            }
        }
    }
}
