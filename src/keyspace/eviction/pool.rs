//! The pool: the best candidates of all samples so far, so that a few samples come close to the exact order.
//!
//! ```text
//!  every database: some keys at random --score--> [ 16 candidates, the least needed last ] --pop--> evict
//! ```
//!
//! One per executor. Always: holds copies of keys, which may be gone or used again by the time they are taken.

use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::Rng;
use crate::keyspace::db::{Db, Keyspace};
use crate::keyspace::entry::Entry;
use crate::keyspace::eviction::Lfu;

/// As many as Redis keeps.
const CANDIDATES_MAX: usize = 16;

/// What makes a key less needed than another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ranking {
    /// The longest not used; the present access clock.
    Idle(u32),
    /// The least often used.
    Seldom(Lfu),
    /// The one that expires first.
    Deadline,
}

impl Ranking {
    /// The higher, the less needed.
    fn score(self, entry: &Entry) -> u64 {
        match self {
            Ranking::Idle(clock) => u64::from(clock.wrapping_sub(entry.clock()) & 0x00ff_ffff),
            Ranking::Seldom(lfu) => 255 - u64::from(lfu.counter(entry.clock())),
            Ranking::Deadline => u64::MAX - entry.deadline().unwrap_or(UnixMs(i64::MAX)).0.max(0) as u64,
        }
    }
}

struct Candidate {
    score: u64,
    db: DbIndex,
    key: Vec<u8>,
}

/// The candidates, the least needed last.
#[derive(Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
}

impl Pool {
    /// Takes `samples` keys of each database into account; only keys with a deadline if `volatile`.
    pub fn sample(
        &mut self,
        keyspace: &Keyspace,
        ranking: Ranking,
        volatile: bool,
        samples: usize,
        rng: &mut Rng,
    ) {
        for (number, db) in keyspace.iter() {
            some_keys(db, volatile, samples, rng, |entry| {
                self.offer(ranking.score(entry), number, entry.key());
            });
        }
    }

    fn offer(&mut self, score: u64, db: DbIndex, key: &[u8]) {
        let at = self.candidates.partition_point(|known| known.score < score);
        let is_full = self.candidates.len() == CANDIDATES_MAX;
        if (is_full && at == 0) || self.candidates.iter().any(|known| known.db == db && known.key == key) {
            return;
        }
        self.candidates.insert(at, Candidate { score, db, key: key.to_vec() });
        if is_full {
            self.candidates.remove(0);
        }
    }

    /// The least needed candidate.
    pub fn pop(&mut self) -> Option<(DbIndex, Vec<u8>)> {
        self.candidates.pop().map(|candidate| (candidate.db, candidate.key))
    }

    /// Forgets all candidates: another policy, another data set.
    pub fn clear(&mut self) {
        self.candidates.clear();
    }
}

/// A key at random; only one with a deadline if `volatile`.
pub fn any_key(db: &Db, volatile: bool, rng: &mut Rng) -> Option<Vec<u8>> {
    let mut found = None;
    some_keys(db, volatile, 1, rng, |entry| found = Some(entry.key().to_vec()));
    found
}

/// Shows `found` up to `wanted` keys, from a place chosen by chance on.
fn some_keys(db: &Db, volatile: bool, wanted: usize, rng: &mut Rng, mut found: impl FnMut(&Entry)) {
    let shards = db.shard_count();
    let first = rng.below(shards as u64) as usize;
    let mut left = wanted;
    for shard in (first..shards).chain(0..first) {
        let side = db.side(shard);
        if (if volatile { side.expires() } else { side.keys() }) == 0 {
            continue;
        }
        let guard = db.lock(shard);
        let buckets = guard.buckets();
        let Some(start) = rng.index(buckets) else { continue };
        for bucket in (start..buckets).chain(0..start) {
            let Some(at) = guard.at(bucket) else { continue };
            let entry = guard.get(at);
            if volatile && entry.deadline().is_none() {
                continue;
            }
            found(entry);
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pool, Ranking};
    use crate::base::hash::hash_key;
    use crate::base::ids::{DbIndex, UnixMs};
    use crate::base::random::Rng;
    use crate::keyspace::db::Keyspace;
    use crate::keyspace::entry::Entry;
    use crate::types::Str;

    #[test]
    fn the_longest_idle_and_the_first_to_expire_come_first() {
        let keyspace = Keyspace::new(1);
        let db = keyspace.db(DbIndex(0));
        for number in 0..10u32 {
            let key = format!("k{number}");
            let deadline = (number >= 5).then(|| UnixMs(i64::from(100 - number)));
            let entry = Entry::string(key.as_bytes(), Str::Bytes(b"v"), deadline, 0, number);
            let hash = hash_key(key.as_bytes());
            db.lock(db.shard_of(hash)).insert(hash, entry);
        }
        let check = |ranking, volatile, expected: &str| {
            let mut pool = Pool::default();
            // All keys are sampled: the choice is exact.
            pool.sample(&keyspace, ranking, volatile, 10, &mut Rng::from_seed(7));
            let (_, key) = pool.pop().expect("there are keys");
            assert_eq!(key, expected.as_bytes(), "{ranking:?} {volatile}");
        };
        check(Ranking::Idle(20), false, "k0");
        check(Ranking::Idle(20), true, "k5");
        check(Ranking::Deadline, true, "k9");
    }
}
