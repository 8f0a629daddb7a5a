//! The dense form: 16,384 registers of 6 bits, packed from the low bits of each byte upwards.
//!
//! ```text
//!  byte 0    byte 1    byte 2
//!  11000000  22221111  33333322     the digits: which register a bit belongs to, high bit first
//! ```
//!
//! Called by `hyperloglog` on the bytes behind the header. Always: there are exactly `BYTES` of them.

use crate::types::hyperloglog::{Pattern, REGISTERS};

/// The registers, in bytes.
pub const BYTES: usize = REGISTERS * BITS / 8;

const BITS: usize = 6;
const MASK: u32 = (1 << BITS) - 1;

/// Three bytes hold four registers.
fn group(registers: &[u8], index: usize) -> u32 {
    let at = index / 4 * 3;
    u32::from_le_bytes([registers[at], registers[at + 1], registers[at + 2], 0])
}

pub fn get(registers: &[u8], index: usize) -> u8 {
    ((group(registers, index) >> (index % 4 * BITS)) & MASK) as u8
}

pub fn set(registers: &mut [u8], index: usize, value: u8) {
    let shift = index % 4 * BITS;
    let new = (group(registers, index) & !(MASK << shift)) | (u32::from(value) & MASK) << shift;
    registers[index / 4 * 3..][..3].copy_from_slice(&new.to_le_bytes()[..3]);
}

/// Raises a register; true if it was lower.
pub fn raise(registers: &mut [u8], pattern: Pattern) -> bool {
    let is_lower = would_raise(registers, pattern);
    if is_lower {
        set(registers, pattern.register, pattern.value);
    }
    is_lower
}

/// Is the register lower than the pattern?
pub fn would_raise(registers: &[u8], pattern: Pattern) -> bool {
    get(registers, pattern.register) < pattern.value
}

/// All registers in order.
pub fn values(registers: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let (groups, _) = registers.as_chunks::<3>();
    groups.iter().flat_map(|&[a, b, c]| {
        let group = u32::from_le_bytes([a, b, c, 0]);
        [0, 1, 2, 3].map(|index| ((group >> (index * BITS)) & MASK) as u8)
    })
}
