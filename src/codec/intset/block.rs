//! The memory of an intset: one block whose own header says how long it is, behind a pointer of eight bytes.
//!
//! ```text
//!  | width u32 | count u32 | width * count bytes | room up to the allocator's size class |
//!    ^ the pointer is that of the third byte: its lowest three bits are 2, by which `types::word` knows an intset
//! ```
//!
//! Used by `intset` alone. Always: the block has been allocated with `size_class(8 + width * count)` bytes, and the first
//! `8 + width * count` of them are initialised. The header is changed only here, so that both stay true.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::codec::intset::HEADER_BYTES;

#[repr(transparent)]
pub(super) struct Block {
    third: NonNull<u8>,
}

/// From the block's start to the byte that its pointer is of.
const POINTER_OFFSET: usize = 2;

// SAFETY: a block owns its memory alone and has no interior mutability.
unsafe impl Send for Block {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Block {}

fn layout(used: usize) -> Layout {
    Layout::from_size_align(size_class(used), 8).expect("an intset is far smaller than the address space")
}

impl Block {
    /// Without integers.
    pub fn new(width: usize) -> Block {
        let layout = layout(HEADER_BYTES);
        // SAFETY: the layout's size is not zero.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: a block has at least eight bytes.
        let mut block = Block { third: unsafe { at.add(POINTER_OFFSET) } };
        block.set_header(width, 0);
        block
    }

    /// Where the block starts, aligned to eight bytes.
    #[inline]
    fn start(&self) -> NonNull<u8> {
        // SAFETY: the pointer is so far from the start of its block.
        unsafe { self.third.sub(POINTER_OFFSET) }
    }

    fn set_header(&mut self, width: usize, count: usize) {
        let count = u32::try_from(count).expect("thresholds keep an intset below 2^30 integers");
        let header = u64::from(count) << 32 | width as u64;
        // SAFETY: a block has at least eight bytes, aligned to eight.
        unsafe { self.start().cast::<u64>().write(header.to_le()) };
    }

    fn header(&self) -> u64 {
        // SAFETY: a block begins with an initialised header, aligned to eight.
        u64::from_le(unsafe { self.start().cast::<u64>().read() })
    }

    /// Bytes of one integer.
    #[inline]
    pub fn width(&self) -> usize {
        self.header() as u32 as usize
    }

    #[inline]
    pub fn count(&self) -> usize {
        (self.header() >> 32) as usize
    }

    fn used(&self) -> usize {
        HEADER_BYTES + self.width() * self.count()
    }

    pub fn heap_bytes(&self) -> usize {
        size_class(self.used())
    }

    /// Header and integers.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block owns `used` initialised bytes.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.used()) }
    }

    /// The integers.
    #[inline]
    pub fn contents(&self) -> &[u8] {
        &self.bytes()[HEADER_BYTES..]
    }

    #[inline]
    pub fn contents_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` makes the access exclusive, and the header is left out.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.start().as_ptr().add(HEADER_BYTES),
                self.used() - HEADER_BYTES,
            )
        }
    }

    /// Room for `count` integers of `width` bytes. Bytes at the front stay; new ones are zero.
    pub fn resize(&mut self, width: usize, count: usize) {
        let (old, new) = (self.used(), HEADER_BYTES + width * count);
        let (before, after) = (layout(old), layout(new));
        if before != after {
            // SAFETY: the block was allocated with `before`, the layout of `old` bytes; the new size is not zero.
            let at = unsafe { realloc(self.start().as_ptr(), before, after.size()) };
            let Some(at) = NonNull::new(at) else { handle_alloc_error(after) };
            // SAFETY: as in `new`.
            self.third = unsafe { at.add(POINTER_OFFSET) };
        }
        if new > old {
            // SAFETY: the block now has room for `new` bytes.
            unsafe { self.start().as_ptr().add(old).write_bytes(0, new - old) };
        }
        self.set_header(width, count);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with the layout of what it uses, and is not used after this.
        unsafe { dealloc(self.start().as_ptr(), layout(self.used())) };
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        let mut block = Block::new(self.width());
        block.resize(self.width(), self.count());
        block.contents_mut().copy_from_slice(self.contents());
        block
    }
}
