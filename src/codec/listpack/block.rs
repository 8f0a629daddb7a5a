//! The memory of a listpack: one allocation behind one thin pointer, whose own first four bytes say how long it is.
//! All unsafe code of the listpack is in this file; `codec::listpack` calls it and stays within safe Rust.
//!
//! ```text
//!   pointer -> | total bytes, u32 LE | elements, u16 LE | elements ...   | 255 | up to the end of the size class |
//!              0                     4                  6          total - 1   total                     capacity
//! ```
//!
//! Always: `total` is at least 7 and says how many bytes are initialised; the capacity is a function of `total` alone, so
//! that the layout to free is known without storing it, and a small change seldom calls the allocator.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::codec::listpack::{EMPTY_BYTES, HEADER_BYTES};

/// An owned, never empty run of bytes that begins with its own length. It is aligned to eight bytes, and the lowest three bits of
/// the pointer are clear: `types::word` relies on that.
#[repr(transparent)]
pub(super) struct Block(NonNull<u8>);

// SAFETY: a block owns its allocation, which holds plain bytes only.
unsafe impl Send for Block {}
// SAFETY: `&Block` only reads; every write takes `&mut Block`.
unsafe impl Sync for Block {}

const _: () = assert!(size_of::<Option<Block>>() == 8);

/// What an allocation for `total` bytes looks like.
#[inline]
fn layout(total: usize) -> Layout {
    Layout::from_size_align(size_class(total), 8).expect("a u32 of bytes is far below isize::MAX")
}

impl Block {
    /// A copy of `bytes`, which must begin with their own length.
    pub(super) fn new(bytes: &[u8]) -> Block {
        let total = bytes.len();
        assert!(total >= EMPTY_BYTES && bytes[..4] == (total as u32).to_le_bytes()[..]);
        assert!(u32::try_from(total).is_ok());
        let layout = layout(total);
        // SAFETY: the layout is of at least eight bytes; `total` of them are written before anyone reads them.
        unsafe {
            let Some(start) = NonNull::new(alloc(layout)) else { handle_alloc_error(layout) };
            start.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), total);
            Block(start)
        }
    }

    /// How many bytes are in use, the header and the terminator included.
    #[inline]
    pub(super) fn len(&self) -> usize {
        // SAFETY: at least seven bytes are initialised; the first four are the length.
        u32::from_le(unsafe { self.0.as_ptr().cast::<u32>().read_unaligned() }) as usize
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are initialised and live as long as the block.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.len()) }
    }

    /// Everything behind the length, for changes that keep it.
    #[inline]
    pub(super) fn bytes_behind_length_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, without the first four; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(4), self.len() - 4) }
    }

    /// Heap bytes that are taken, in the allocator's classes.
    pub(super) fn capacity(&self) -> usize {
        size_class(self.len())
    }

    /// Puts `parts` one behind the other in the place of `removed` bytes at `at`. The header's four bytes and the last one
    /// cannot be replaced.
    #[inline]
    pub(super) fn splice(&mut self, at: usize, removed: usize, parts: &[&[u8]]) {
        let old = self.len();
        let added: usize = parts.iter().map(|part| part.len()).sum();
        assert!(at >= HEADER_BYTES && removed < old && at < old - removed);
        let new = old - removed + added;
        // Callers keep listpacks below a gigabyte (`would_exceed`).
        assert!(u32::try_from(new).is_ok());
        if size_class(new) > size_class(old) {
            self.resize(old, new);
        }
        // SAFETY: `at + removed <= old` (asserted), so the moved tail is initialised, and the capacity covers both `old` and
        // `new`; the parts are borrowed from elsewhere, as `&mut self` is exclusive, and fill the gap exactly.
        unsafe {
            let start = self.0.as_ptr();
            if added != removed {
                let tail = start.add(at + removed);
                std::ptr::copy(tail, start.add(at + added), old - at - removed);
            }
            let mut gap = start.add(at);
            for part in parts {
                gap.copy_from_nonoverlapping(part.as_ptr(), part.len());
                gap = gap.add(part.len());
            }
            start.cast::<[u8; 4]>().write_unaligned((new as u32).to_le_bytes());
        }
        if size_class(new) < size_class(old) {
            self.resize(old, new);
        }
    }

    /// Moves to an allocation of the class of `to` from one of the class of `from`.
    fn resize(&mut self, from: usize, to: usize) {
        // SAFETY: the block was allocated with the layout of `from`; the new size is not zero. The bytes in use fit both.
        unsafe {
            let start = realloc(self.0.as_ptr(), layout(from), layout(to).size());
            let Some(start) = NonNull::new(start) else { handle_alloc_error(layout(to)) };
            self.0 = start;
        }
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        Block::new(self.bytes())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with the layout that its present length gives (see the top of the file).
        unsafe { dealloc(self.0.as_ptr(), layout(self.len())) };
    }
}
