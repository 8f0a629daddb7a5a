//! The arithmetic of `DEBUG DIGEST`: twenty bytes into which data is folded, in order or in any order.
//!
//! ```text
//!  xor(d, bytes) = d ^ SHA1(bytes)              any order gives the same
//!  mix(d, bytes) = SHA1(d ^ SHA1(bytes))        the order counts
//! ```
//!
//! Used by the types, which fold their elements, and by `keyspace::digest`, which folds keys and databases.
//! Always: the result is that of Redis for the same calls.

use sha1::{Digest as _, Sha1};

/// Twenty bytes, shown as forty hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// Folds `bytes` in where the order makes no difference (members of a set, keys of a database).
    pub fn xor(&mut self, bytes: &[u8]) {
        let hash = Sha1::digest(bytes);
        self.0.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
    }

    /// Folds `bytes` in where the order counts (elements of a list).
    pub fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
