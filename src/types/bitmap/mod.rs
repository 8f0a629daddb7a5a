//! Bitmaps: strings seen as bits, bit 0 being the highest bit of the first byte.
//!
//! ```text
//!  byte     0                1                2
//!  bit      0 1 2 3 4 5 6 7  8 9 ...
//! ```
//!
//! Called by the bitmap commands, which read and grow the strings. Pure functions on byte slices: nothing here knows keys.
//! Always: a bit behind the last byte counts as 0.

pub mod count;
pub mod field;
pub mod logic;

/// The bit at `offset`.
pub fn bit(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & mask(offset) != 0)
}

/// Sets or clears the bit at `offset`, which lies within `bytes`.
pub fn set_bit(bytes: &mut [u8], offset: u64, on: bool) {
    let byte = &mut bytes[(offset / 8) as usize];
    *byte = if on { *byte | mask(offset) } else { *byte & !mask(offset) };
}

/// The place of a bit within its byte.
const fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}
