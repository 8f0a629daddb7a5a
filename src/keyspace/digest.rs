//! The digest of a data set: twenty bytes that two servers share if, and nearly only if, they hold the same data.
//!
//! ```text
//!  data set = for each database with keys: mix(number), then xor of all its keys
//!  key      = mix(key), mix(type), value (a string: mix its bytes), then xor of the word `!!expire!!` if it has a deadline
//! ```
//!
//! Called by DEBUG DIGEST and DEBUG DIGEST-VALUE. The result is that of Redis for the same data, so that tests can compare a
//! replica of one kind with a primary of the other.
//! Always: deadlines count as such, whatever their time; keys past theirs count until they are deleted; encodings do not.

use crate::base::digest::Digest;
use crate::each_collection;
use crate::keyspace::db::{Db, Keyspace};
use crate::keyspace::entry::Entry;
use crate::types::Collection;

/// The digest of everything. Exact only while nobody writes: the caller lets the world stand still.
pub fn of_keyspace(keyspace: &Keyspace) -> Digest {
    let mut all = Digest::default();
    for (index, db) in keyspace.iter().filter(|(_, db)| !db.is_empty()) {
        all.mix(&u32::from(index.0).to_be_bytes());
        xor_db(&mut all, db);
    }
    all
}

fn xor_db(all: &mut Digest, db: &Db) {
    for shard in 0..db.shard_count() {
        let guard = db.lock(shard);
        for at in guard.iter() {
            let entry = guard.get(at);
            let mut digest = Digest::default();
            digest.mix(entry.key());
            add_value(&mut digest, entry);
            all.xor(&digest.0);
        }
    }
}

/// The digest of a value and of whether it has a deadline, without its key.
pub fn of_value(entry: &Entry) -> Digest {
    let mut digest = Digest::default();
    add_value(&mut digest, entry);
    digest
}

fn add_value(digest: &mut Digest, entry: &Entry) {
    digest.mix(&entry.kind().digest_number().to_be_bytes());
    each_collection!(entry.value(),
        string => digest.mix(string.bytes(&mut itoa::Buffer::new())),
        collection => collection.digest(digest));
    if entry.deadline().is_some() {
        digest.xor(b"!!expire!!");
    }
}

#[cfg(test)]
mod tests {
    use super::of_keyspace;
    use crate::base::hash::hash_key;
    use crate::base::ids::{DbIndex, UnixMs};
    use crate::keyspace::db::Keyspace;
    use crate::keyspace::entry::Entry;
    use crate::types::Str;

    /// What redis-server 7.0.15 answers to DEBUG DIGEST with the same keys: (database, key, value, has a deadline).
    #[test]
    fn the_digest_is_that_of_redis() {
        let check = |keys: &[(u16, &str, &str, bool)], expected: &str| {
            let keyspace = Keyspace::new(16);
            for (db, key, value, has_deadline) in keys {
                let (db, hash) = (keyspace.db(DbIndex(*db)), hash_key(key.as_bytes()));
                let deadline = has_deadline.then_some(UnixMs(1));
                let entry = Entry::string(key.as_bytes(), Str::encode(value.as_bytes()), deadline, 0, 0);
                db.lock(db.shard_of(hash)).insert(hash, entry);
            }
            assert_eq!(of_keyspace(&keyspace).hex(), expected, "{keys:?}");
        };
        check(&[], "0000000000000000000000000000000000000000");
        check(&[(0, "a", "hello", false)], "7bba0c6c0ba7cf343554878a513cce31a28c4abb");
        check(&[(0, "a", "123", false), (0, "b", "0123", false)], "9afcdbca8c98474a2684cf099327dd9802af52bd");
        check(&[(0, "k", "v", true)], "bf83f210388eea94f06fb90d517490e16a08d7dd");
        check(&[(0, "k", "v", false)], "264ccf65edec66bccfa7cc659414ccca432057d2");
        check(
            &[(0, "a", "1", false), (0, "b", "2", false), (9, "a", "1", true), (15, "c", "", false)],
            "b3062057d64ddb3030817f1d88fd46007f9cd0f0",
        );
    }
}
