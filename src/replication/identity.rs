//! Identity: the name of a replication history, and the name that the same history had before.
//!
//! ```text
//!    replid2 ............................ second offset
//!        history that we share with old siblings | bytes that only we (and our replicas) have
//!    replid ..................................................................................... now
//! ```
//!
//! Held by `Replication`; the PSYNC decision reads it, promotion and the link change it.
//! Always: two servers with the same `replid` and the same offset hold the same data. Whoever makes bytes that the old
//! history does not have takes a new name first, and keeps the old one for what lies before.

use std::fmt;

use crate::backlog::Offset;
use crate::base::random::ID_LEN;

/// The name of a history: forty hexadecimal digits on the wire, compared without regard to case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplId([u8; ID_LEN]);

impl ReplId {
    /// Forty zeros: no history. It is what INFO shows for a `replid2` that there is not.
    pub const NONE: ReplId = ReplId([b'0'; ID_LEN]);

    /// A name from forty digits that were just drawn.
    pub fn new(digits: [u8; ID_LEN]) -> ReplId {
        ReplId(digits)
    }

    /// Reads a name off the wire. Anything that is not forty bytes long is nobody's name.
    pub fn parse(bytes: &[u8]) -> Option<ReplId> {
        let mut digits: [u8; ID_LEN] = bytes.try_into().ok()?;
        digits.make_ascii_lowercase();
        Some(ReplId(digits))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ReplId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&digit| fmt::Write::write_char(f, char::from(digit)))
    }
}

impl fmt::Debug for ReplId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What our history is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// `master_replid`.
    pub id: ReplId,
    /// `master_replid2`: the name under which this history was known up to `second_offset`.
    pub second: ReplId,
    /// `second_repl_offset`: the first offset, counted as PSYNC counts, at which the histories part. -1 without `second`.
    pub second_offset: i64,
}

impl Identity {
    /// A history of its own.
    pub fn new(id: ReplId) -> Identity {
        Identity { id, second: ReplId::NONE, second_offset: -1 }
    }

    /// From `offset` on this history goes its own way under `id`; what lies before stays known under the old name.
    /// (A promoted replica; a replica whose primary was promoted.)
    pub fn shift(&mut self, id: ReplId, offset: Offset) {
        self.second = self.id;
        self.second_offset = psync_offset(offset);
        self.id = id;
    }

    /// May a follower of history `id` that asks for `offset` (as PSYNC counts) go on with ours?
    pub fn shares(&self, id: ReplId, offset: i64) -> bool {
        id == self.id || self.is_second(id) && offset <= self.second_offset
    }

    /// Is `id` the name that our history had before?
    pub fn is_second(&self, id: ReplId) -> bool {
        self.second_offset >= 0 && id == self.second
    }
}

/// PSYNC counts the byte that is wanted next, from 1: one more than the bytes that precede it.
pub fn psync_offset(offset: Offset) -> i64 {
    i64::try_from(offset.0).map_or(i64::MAX, |bytes| bytes.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::{Identity, ReplId};
    use crate::backlog::Offset;

    fn id(digit: u8) -> ReplId {
        ReplId::new([digit; 40])
    }

    #[test]
    fn names_are_forty_digits_in_any_case() {
        let upper = ReplId::parse("AB".repeat(20).as_bytes()).expect("forty bytes");
        assert_eq!(upper.to_string(), "ab".repeat(20));
        assert_eq!(ReplId::parse(b"?"), None);
        assert_eq!(ReplId::parse("a".repeat(41).as_bytes()), None);
    }

    #[test]
    fn an_old_name_is_good_up_to_where_the_histories_part() {
        let mut identity = Identity::new(id(b'a'));
        assert!(!identity.shares(ReplId::NONE, 0), "no second name, so its zeros match nobody");
        identity.shift(id(b'b'), Offset(100));
        assert_eq!(identity.second_offset, 101);
        for (asked, offset, shares) in
            [(b'b', 1, true), (b'b', 1 << 40, true), (b'a', 101, true), (b'a', 102, false), (b'c', 1, false)]
        {
            assert_eq!(identity.shares(id(asked), offset), shares, "{} {offset}", asked as char);
        }
    }
}
