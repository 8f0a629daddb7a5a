//! The framing of a DUMP payload, which RESTORE and MIGRATE take back.
//!
//!     type (1) | value as in an RDB | RDB version (2, little-endian) | CRC64 of all before (8, little-endian)
//!
//! Always: we write the version of Redis 7.0, which later servers accept, unless the value needs a later one; we accept every version that we can
//! read, and a checksum of 0, which Redis 8.10 writes where it computes none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::codec::crc64::checksum;
use crate::codec::rdb::{Dialect, Format};

/// Version and checksum.
const FOOTER_LEN: usize = 10;
const CHECKSUM_LEN: usize = 8;

/// Are checksums left unchecked? Written by DEBUG SET-SKIP-CHECKSUM-VALIDATION, read by every RESTORE. Relaxed: a switch of tests, which
/// publishes nothing.
static SKIPS_CHECKSUM: AtomicBool = AtomicBool::new(false);

/// For tests that make payloads by hand: checksums are no longer checked, or are again.
pub fn set_skip_checksum(skips: bool) {
    SKIPS_CHECKSUM.store(skips, Relaxed);
}

/// A payload whose version and checksum are fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dump<'a> {
    /// Decides which value types may occur.
    pub format: Format,
    /// The type byte and the value; empty in a payload that is nothing but a footer.
    pub contents: &'a [u8],
}

impl<'a> Dump<'a> {
    /// Type byte and value. `None` if there is none, or if the format does not have that type.
    pub fn split(self) -> Option<(u8, &'a [u8])> {
        let (&value_type, body) = self.contents.split_first()?;
        self.format.knows_type(value_type).then_some((value_type, body))
    }
}

/// Makes a payload of a type byte and an encoded value.
pub fn dump_payload(dialect: Dialect, value_type: u8, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1 + body.len() + FOOTER_LEN);
    payload.push(value_type);
    payload.extend_from_slice(body);
    seal_payload(dialect, &mut payload);
    payload
}

/// Appends the footer to a buffer that holds nothing but type byte and value.
pub fn seal_payload(dialect: Dialect, payload: &mut Vec<u8>) {
    payload.extend_from_slice(&dialect.version().to_le_bytes());
    let sum = checksum(payload);
    payload.extend_from_slice(&sum.to_le_bytes());
}

/// The version that a payload's footer tells; 0 if it has none.
pub fn version_of(payload: &[u8]) -> u16 {
    let hashed = payload.len().checked_sub(CHECKSUM_LEN).map_or(payload, |end| &payload[..end]);
    hashed.split_last_chunk::<2>().map_or(0, |(_, version)| u16::from_le_bytes(*version))
}

/// Checks length, version and checksum. `None` is what Redis answers with "DUMP payload version or checksum are
/// wrong"; it does not tell the reasons apart, so neither do we.
pub fn verify_dump(payload: &[u8]) -> Option<Dump<'_>> {
    let contents = &payload[..payload.len().checked_sub(FOOTER_LEN)?];
    let (hashed, stored) = payload.split_last_chunk::<CHECKSUM_LEN>()?;
    let (_, version) = hashed.split_last_chunk::<2>()?;
    let format = Format::from_dump_version(u16::from_le_bytes(*version))?;
    let stored = u64::from_le_bytes(*stored);
    let is_right = stored == 0 || stored == checksum(hashed) || SKIPS_CHECKSUM.load(Relaxed);
    is_right.then_some(Dump { format, contents })
}
