//! CRC64 with the Jones polynomial, bit-reflected, starting at zero and not inverted: the checksum at the end of
//! RDB files and DUMP payloads. A thin cover over `crc-fast`, so that nobody else names the algorithm.
//!
//! Always: the checksum of the ASCII digits 1 to 9 is 0xe9c6d914c4b8d9ca. Feeding many bytes at once is much
//! faster than many small pieces (the vectorised core starts at 256 bytes): callers hash whole buffers.

use crc_fast::{CrcAlgorithm, Digest};

/// A running checksum.
#[derive(Clone, Debug)]
pub struct Crc64 {
    digest: Digest,
}

impl Default for Crc64 {
    fn default() -> Self {
        Crc64::new()
    }
}

impl Crc64 {
    pub fn new() -> Crc64 {
        Crc64 { digest: Digest::new(CrcAlgorithm::Crc64Redis) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The checksum of all bytes so far; more may follow.
    pub fn value(&self) -> u64 {
        self.digest.finalize()
    }
}

/// The checksum of one piece.
pub fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// The checksum of two pieces one after the other, from the checksum of each and the length of the second. With
/// it, chunks of a snapshot are hashed where they are made, in any order and by any thread.
pub fn combine(first: u64, second: u64, second_len: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Redis, first, second, second_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_value_is_that_of_redis() {
        assert_eq!(checksum(b"123456789"), 0xe9c6d914c4b8d9ca);
        assert_eq!(checksum(b""), 0);
    }

    proptest! {
        #[test]
        fn pieces_give_the_checksum_of_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut: u16) {
            let cut = usize::from(cut) % (bytes.len() + 1);
            let (a, b) = bytes.split_at(cut);
            let mut running = Crc64::new();
            running.update(a);
            prop_assert_eq!(running.value(), checksum(a));
            running.update(b);
            prop_assert_eq!(running.value(), checksum(&bytes));
            prop_assert_eq!(combine(checksum(a), checksum(b), b.len() as u64), checksum(&bytes));
        }
    }
}
