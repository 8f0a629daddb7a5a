//! A member of a large set: its bytes, short ones in place.
//!
//! ```text
//!  | 1: len | 22 bytes |      or      | 0 | pointer, length |        24 bytes either way
//! ```
//!
//! Used by `set::table`, which keeps members side by side in a vector. A member of up to 22 bytes costs no block of its own
//! and is compared without following a pointer. Always: it never changes once made.

/// Bytes that fit in place.
const INLINE_MAX: usize = 22;

/// Owned bytes.
#[derive(Clone)]
pub enum Member {
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    Heap(Box<[u8]>),
}

const _: () = assert!(size_of::<Member>() == 24);

impl Member {
    #[inline]
    pub fn new(text: &[u8]) -> Member {
        if text.len() > INLINE_MAX {
            return Member::Heap(text.into());
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

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}
