//! Random numbers: a small fast generator (xoshiro256**) that commands receive as an argument, seeds from the
//! operating system, and the forty-character ids that name a run and a replication history.
//!
//! Always: a generator made by `from_seed` gives the same sequence on every machine, so a printed seed replays a
//! test. Nothing here is fit for secrets, except what `os_seed` returns.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Length of a run id or replication id: forty lower-case hexadecimal digits (Redis' `CONFIG_RUN_ID_SIZE`).
pub const ID_LEN: usize = 40;

/// xoshiro256** by Blackman and Vigna: 256 bits of state, one multiplication and a few shifts a number.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator whose whole sequence is determined by `seed`.
    pub fn from_seed(seed: u64) -> Rng {
        // splitmix64 spreads the seed as the authors of xoshiro advise; its outputs are never all zero.
        let mut mix = seed;
        let state = std::array::from_fn(|_| {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = mix;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        });
        Rng { state }
    }

    /// A generator seeded by the operating system, all 256 bits of it.
    pub fn from_os() -> Rng {
        let mut state = std::array::from_fn(|_| os_seed());
        // The one state that xoshiro cannot leave; chance 2^-256.
        state[0] |= 1;
        Rng { state }
    }

    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0. The bias is below bound / 2^64.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into a collection of `len` items, `None` if it is empty.
    #[inline]
    pub fn index(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.below(len as u64) as usize)
    }

    /// A number in [0, 1) with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Forty random hexadecimal digits: 160 bits, enough for ids that must differ across a fleet.
    pub fn hex_id(&mut self) -> [u8; ID_LEN] {
        let mut id = [0; ID_LEN];
        for chunk in id.chunks_mut(16) {
            let mut word = self.next_u64();
            for digit in chunk {
                *digit = b"0123456789abcdef"[(word & 15) as usize];
                word >>= 4;
            }
        }
        id
    }
}

/// 64 unpredictable bits.
///
/// The standard library keys every `RandomState` from the system's random source (once a thread, distinct key
/// each time); hashing nothing under that key makes the key's randomness visible without giving the key away.
pub fn os_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A fresh run id or replication id from the operating system's randomness.
pub fn new_id() -> [u8; ID_LEN] {
    Rng::from_os().hex_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_sequence() {
        // Expected words: the authors' reference code, seeded through splitmix64 with 42.
        let mut rng = Rng::from_seed(42);
        let first: [u64; 3] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(first, [0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1]);
        assert_eq!(Rng::from_seed(7).next_u64(), Rng::from_seed(7).next_u64());
        assert_ne!(Rng::from_seed(7).next_u64(), Rng::from_seed(8).next_u64());
    }

    #[test]
    fn bounded_numbers_stay_in_bounds_and_reach_both_ends() {
        let mut rng = Rng::from_seed(1);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[rng.below(5) as usize] = true;
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.index(0), None);
        assert_eq!(rng.index(1), Some(0));
    }

    #[test]
    fn ids_are_forty_hex_digits_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert!(a.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')));
        assert_ne!(a, b);
        assert_ne!(os_seed(), os_seed());
    }
}
