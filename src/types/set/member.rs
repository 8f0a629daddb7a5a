//! A member of a large set: its bytes, short ones in place.
//!
//! ```text
//!  | 1: len | 22 bytes |      or      | 0 | pointer, length |        24 bytes either way
//! ```
//!
//! Used by `set::table`, which keeps members side by side in a vector. A member of up to 22 bytes costs no block of its own
//! and is compared without following a pointer. Always: it never changes once made.

use std::ops::Deref;
use std::ptr::NonNull;

use crate::types::frozen::Block;

/// Bytes that fit in place.
const INLINE_MAX: usize = 22;

/// Owned bytes.
#[derive(Clone)]
pub enum Member {
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    Heap(Bytes),
}

/// An owned block of bytes. Unlike a box it may be looked at through copies of its pointer, as `types::frozen` does.
pub struct Bytes(NonNull<[u8]>);

// SAFETY: it owns its block, which holds plain bytes.
unsafe impl Send for Bytes {}
// SAFETY: nothing changes the bytes.
unsafe impl Sync for Bytes {}

impl Bytes {
    fn new(bytes: &[u8]) -> Bytes {
        Bytes(NonNull::from(Box::leak(Box::<[u8]>::from(bytes))))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the block was leaked by `new`, and lives as long as this.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Bytes {
        Bytes::new(self)
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: the block was leaked by `new`, and nobody looks at it again.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

const _: () = assert!(size_of::<Member>() == 24);

impl Member {
    #[inline]
    pub fn new(text: &[u8]) -> Member {
        if text.len() > INLINE_MAX {
            return Member::Heap(Bytes::new(text));
        }
        let mut bytes = [0; INLINE_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Member::Inline { len: text.len() as u8, bytes }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Member::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Member::Heap(bytes) => bytes,
        }
    }

    /// Bytes outside of its place.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Member::Inline { .. } => 0,
            Member::Heap(bytes) => crate::base::alloc::size_class(bytes.len()),
        }
    }
}

impl Block for Member {
    fn address(&self) -> Option<usize> {
        match self {
            Member::Inline { .. } => None,
            Member::Heap(bytes) => Some(bytes.as_ptr().addr()),
        }
    }

    fn heap_bytes(&self) -> usize {
        Member::heap_bytes(self)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}
