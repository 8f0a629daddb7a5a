//! Where in an entry's block everything stands, by the bits of its header (the picture is in `keyspace::entry`).

use std::alloc::Layout;

use crate::base::alloc::size_class;
use crate::types::HELD_BYTES;

pub(super) const HEADER_BYTES: usize = 8;
pub(super) const SLOT_BYTES: usize = 8;
pub(super) const WORD_BYTES: usize = 8;
pub(super) const NO_DEADLINE: i64 = i64::MIN;

pub(super) const CLOCK_MASK: u32 = 0x00ff_ffff;
pub(super) const KIND_SHIFT: u32 = 24;
pub(super) const KIND_MASK: u32 = 0b111 << KIND_SHIFT;
pub(super) const HAS_SLOT: u32 = 1 << 27;
pub(super) const STORAGE_SHIFT: u32 = 28;
pub(super) const STORAGE_MASK: u32 = 0b11 << STORAGE_SHIFT;
pub(super) const RAW: u32 = 1 << 30;
/// The key's length takes four bytes.
pub(super) const IS_LONG: u32 = 1 << 31;

/// Longer keys than this have their length in four bytes.
pub(super) const SHORT_KEY_BYTES_MAX: usize = u8::MAX as usize;
/// Longer inline values have their length in two bytes.
pub(super) const SHORT_VALUE_BYTES_MAX: usize = u8::MAX as usize;

#[repr(C)]
pub(super) struct Header {
    pub stamp: u32,
    pub meta: u32,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

/// Where the value is, and how many bytes its length takes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Storage {
    /// Behind the key, up to `SHORT_VALUE_BYTES_MAX` bytes.
    Inline = 0,
    Int = 1,
    Held = 2,
    /// Behind the key, more bytes.
    InlineLong = 3,
}

impl Storage {
    pub fn inline(len: usize) -> Storage {
        if len <= SHORT_VALUE_BYTES_MAX { Storage::Inline } else { Storage::InlineLong }
    }
}

#[inline]
pub(super) const fn storage_of(meta: u32) -> Storage {
    match (meta & STORAGE_MASK) >> STORAGE_SHIFT {
        0 => Storage::Inline,
        1 => Storage::Int,
        2 => Storage::Held,
        _ => Storage::InlineLong,
    }
}

/// Where the parts of a block start that stand at a place of their own for each header, in bytes from its start.
#[derive(Clone, Copy)]
struct Places {
    lengths: u8,
    key: u8,
}

/// The places for each value of the header's five highest bits: looked up, since every access to a key asks for them.
static PLACES: [Places; 1 << (u32::BITS - PLACES_SHIFT)] = {
    let mut all = [Places { lengths: 0, key: 0 }; 1 << (u32::BITS - PLACES_SHIFT)];
    let mut index = 0;
    while index < all.len() {
        all[index] = places((index as u32) << PLACES_SHIFT);
        index += 1;
    }
    all
};
const PLACES_SHIFT: u32 = HAS_SLOT.trailing_zeros();

const fn places(meta: u32) -> Places {
    let slot = if meta & HAS_SLOT != 0 { SLOT_BYTES } else { 0 };
    let (held, val_len_bytes) = match storage_of(meta) {
        Storage::Inline => (0, size_of::<u8>()),
        Storage::InlineLong => (0, size_of::<u16>()),
        Storage::Int => (0, 0),
        Storage::Held => (HELD_BYTES, 0),
    };
    let lengths = HEADER_BYTES + slot + held;
    Places { lengths: lengths as u8, key: (lengths + key_len_bytes(meta) + val_len_bytes) as u8 }
}

/// Where the lengths start, from the start of the block.
#[inline]
pub(super) fn lengths_offset(meta: u32) -> usize {
    usize::from(PLACES[(meta >> PLACES_SHIFT) as usize].lengths)
}

#[inline]
pub(super) const fn key_len_bytes(meta: u32) -> usize {
    if meta & IS_LONG == 0 { size_of::<u8>() } else { size_of::<u32>() }
}

/// Where the key starts.
#[inline]
pub(super) fn key_offset(meta: u32) -> usize {
    usize::from(PLACES[(meta >> PLACES_SHIFT) as usize].key)
}

/// Bytes of a block that are in use.
#[inline]
pub(super) fn block_bytes(meta: u32, key_len: usize, val_len: usize) -> usize {
    let value = if storage_of(meta) == Storage::Int { WORD_BYTES } else { val_len };
    key_offset(meta) + key_len + value
}

/// Of a block of which so many bytes are in use: a whole size class, so that small changes seldom call the allocator.
#[inline]
pub(super) fn layout(used: usize) -> Layout {
    // SAFETY: 8 is a power of two, and the parts are bounded by 4 GiB each, far from overflowing isize.
    unsafe { Layout::from_size_align_unchecked(size_class(used), WORD_BYTES) }
}
