//! Own deadlines: the keys that clients of a writable replica have given a deadline themselves.
//!
//! ```text
//!  set with a deadline (space)  -->  (deadline, database, key), ordered  --due-->  active expiry looks and deletes
//! ```
//!
//! A primary tells its replicas when a key expires, but it knows nothing of these. Written by `Space` under the lock of the
//! key's shard, read by active expiry.
//! Always: a hint. The key's own entry says whether it has expired; who takes a hint out looks there.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::ids::{DbIndex, UnixMs};

/// A key, and when it was to expire when that was noted.
pub type OwnDeadline = (UnixMs, DbIndex, Vec<u8>);

/// Ordered by deadline. The lock is the innermost: nothing else is locked under it.
#[derive(Default)]
pub struct OwnDeadlines {
    keys: Mutex<BTreeSet<OwnDeadline>>,
}

impl OwnDeadlines {
    fn keys(&self) -> MutexGuard<'_, BTreeSet<OwnDeadline>> {
        // Every section leaves the set whole.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, deadline: UnixMs, db: DbIndex, key: &[u8]) {
        self.keys().insert((deadline, db, key.to_vec()));
    }

    /// Takes out the first key that was to expire before `now`.
    pub fn take_due(&self, now: UnixMs) -> Option<(DbIndex, Vec<u8>)> {
        let mut keys = self.keys();
        if keys.first().is_none_or(|(deadline, ..)| *deadline >= now) {
            return None;
        }
        keys.pop_first().map(|(_, db, key)| (db, key))
    }

    /// The data set is another one, or ours alone.
    pub fn clear(&self) {
        self.keys().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_in_the_order_of_their_deadlines_and_not_before() {
        let own = OwnDeadlines::default();
        own.note(UnixMs(30), DbIndex(0), b"late");
        own.note(UnixMs(10), DbIndex(1), b"early");
        own.note(UnixMs(10), DbIndex(1), b"early");
        assert_eq!(own.take_due(UnixMs(10)), None, "a deadline is passed a millisecond later");
        assert_eq!(own.take_due(UnixMs(11)), Some((DbIndex(1), b"early".to_vec())));
        assert_eq!(own.take_due(UnixMs(11)), None);
        own.clear();
        assert_eq!(own.take_due(UnixMs(i64::MAX)), None);
    }
}
