//! The hash of user keys: SipHash-1-3 under a key drawn when the process starts. It decides a key's shard and its
//! bucket, so an attacker who could choose colliding keys would turn one shard into a list; faster hashes such as
//! foldhash do not promise resistance against that.
//!
//! Always: within one process the same bytes give the same hash; across processes they do not, so a hash must
//! never be stored, sent or compared between servers.

use siphasher::sip::SipHasher13;
use std::sync::OnceLock;

use crate::base::random::os_seed;

/// Hashes a user key under the process-wide secret.
#[inline]
pub fn hash_key(key: &[u8]) -> u64 {
    // Written once by whoever hashes first, read by all threads; OnceLock publishes it (acquire/release). On
    // x86 that acquire is a plain load.
    static SECRET: OnceLock<SipHasher13> = OnceLock::new();
    SECRET.get_or_init(|| SipHasher13::new_with_keys(os_seed(), os_seed())).hash(key)
}

/// Hashes under a given secret: for tests that must replay, and for tables that want their own key.
#[inline]
pub fn hash_key_with(secret: (u64, u64), key: &[u8]) -> u64 {
    SipHasher13::new_with_keys(secret.0, secret.1).hash(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_hash_alike_and_different_keys_spread() {
        assert_eq!(hash_key(b"key:000000000042"), hash_key(b"key:000000000042"));
        assert_ne!(hash_key(b""), hash_key(b"\0"));
        let mut buckets = [0u32; 64];
        for number in 0..64_000 {
            buckets[(hash_key(format!("key:{number:012}").as_bytes()) >> 58) as usize] += 1;
        }
        assert!(buckets.iter().all(|&keys| (800..1200).contains(&keys)), "{buckets:?}");
    }

    #[test]
    fn the_secret_decides_the_hash() {
        assert_ne!(hash_key_with((1, 2), b"key"), hash_key_with((1, 3), b"key"));
        assert_eq!(hash_key_with((1, 2), b"key"), hash_key_with((1, 2), b"key"));
    }
}
