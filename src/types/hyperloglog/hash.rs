//! What an element is to a sketch: a register's number, and the length of the run of zeros in the rest of its hash.
//!
//! Called for every element that is added. Always: the hash is Austin Appleby's MurmurHash64A with Redis' seed, on words
//! in little-endian order, so that sketches of different servers can be merged.

use crate::types::hyperloglog::REGISTERS;

const SEED: u64 = 0xadc8_3b19;
/// Bits of the hash behind those that choose the register.
const RUN_BITS: u32 = 64 - REGISTERS.trailing_zeros();

/// An element's register and the value that it raises it to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// Below `REGISTERS`.
    pub register: usize,
    /// 1 to 51.
    pub value: u8,
}

impl Pattern {
    pub fn of(element: &[u8]) -> Pattern {
        let hash = murmur(element);
        let run = (hash >> REGISTERS.trailing_zeros()) | 1 << RUN_BITS;
        Pattern { register: hash as usize % REGISTERS, value: run.trailing_zeros() as u8 + 1 }
    }
}

fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}
