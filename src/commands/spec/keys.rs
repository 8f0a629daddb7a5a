//! Which keys a request names, read off its row: for locks, for COMMAND GETKEYS, for access rules.
//!
//! Called by the dispatcher before a handler runs. Always: what is found here covers every key that the handler touches;
//! arguments that make no sense (a key count that is no number) yield no keys, and the handler then fails on them.

use crate::base::ids::DbIndex;
use crate::base::number::parse_i64;
use crate::commands::spec::{Args, Keys};

/// Argument indexes of a command's keys.
pub fn positions(keys: Keys, args: &Args<'_>) -> Vec<usize> {
    match keys {
        Keys::None => Vec::new(),
        Keys::Range { first, last, step } => {
            let argc = args.len() as i64;
            let last = if last < 0 { argc + i64::from(last) } else { i64::from(last) };
            (first as i64..=last.min(argc - 1)).step_by(step).map(|index| index as usize).collect()
        }
        Keys::Counted { at } => counted(at, args),
        Keys::FirstAndCounted { at } => {
            let sources = counted(at, args);
            if sources.is_empty() { sources } else { [1].into_iter().chain(sources).collect() }
        }
        Keys::FirstAndStored { from } => {
            let word = |index: &usize| args.is(*index, "store") || args.is(*index, "storedist");
            let words = (from..args.len().saturating_sub(1)).filter(word);
            [1].into_iter().chain(words.map(|word| word + 1)).collect()
        }
        Keys::Streams { .. } => {
            let first = streams_at(args).map_or(args.len(), |at| at + 1);
            let words = args.len() - first;
            (first..first + words / 2).collect()
        }
        Keys::Moved => moved(args),
        Keys::Sort { stores } => [1].into_iter().chain(stores.then(|| sort_store(args)).flatten()).collect(),
        Keys::OtherDb { pair } => (1..if pair { 3 } else { 2 }).filter(|index| *index < args.len()).collect(),
    }
}

/// The keys of MIGRATE host port key db timeout [...] [KEYS key ...].
fn moved(args: &Args<'_>) -> Vec<usize> {
    let mut at = 6;
    while at < args.len() && !args.is(at, "keys") {
        at += if args.is(at, "auth2") {
            3
        } else if args.is(at, "auth") {
            2
        } else {
            1
        };
    }
    let has_key = args.opt(3).is_some_and(|key| !key.is_empty());
    match (at + 1 < args.len(), has_key) {
        (false, _) => vec![3],
        (true, false) => (at + 1..args.len()).collect(),
        (true, true) => Vec::new(),
    }
}

/// The destination that SORT's options name: the last one.
fn sort_store(args: &Args<'_>) -> Option<usize> {
    let (mut at, mut found) = (2, None);
    while at < args.len() {
        at += if args.is(at, "limit") {
            3
        } else if args.is(at, "by") || args.is(at, "get") {
            2
        } else if args.is(at, "store") && at + 1 < args.len() {
            found = Some(at + 1);
            2
        } else {
            1
        };
    }
    found
}

/// The keys behind the count at `at`, if it is one that fits.
fn counted(at: usize, args: &Args<'_>) -> Vec<usize> {
    let count = args.opt(at).and_then(parse_i64).unwrap_or(0);
    let room = args.len().saturating_sub(at + 1) as i64;
    if count < 1 || count > room {
        return Vec::new();
    }
    (at + 1..=at + count as usize).collect()
}

/// Where the word STREAMS is in an XREAD or XREADGROUP that has at least one word behind it. Options before it are passed over
/// with their values, so that a group called "streams" is not taken for it.
pub fn streams_at(args: &Args<'_>) -> Option<usize> {
    let mut at = 1;
    while at + 1 < args.len() {
        at += match args.get(at) {
            word if word.eq_ignore_ascii_case(b"streams") => return Some(at),
            word if word.eq_ignore_ascii_case(b"block") || word.eq_ignore_ascii_case(b"count") => 2,
            word if word.eq_ignore_ascii_case(b"group") => 3,
            word if word.eq_ignore_ascii_case(b"noack") => 1,
            _ => return None,
        };
    }
    None
}

/// Calls `found` with every (database, key) that has to be locked.
pub fn each<'a>(
    keys: Keys,
    args: &Args<'a>,
    db: DbIndex,
    databases: usize,
    mut found: impl FnMut(DbIndex, &'a [u8]),
) {
    for index in positions(keys, args) {
        found(db, args.get(index));
    }
    if let Keys::OtherDb { pair } = keys
        && let Some(other) = other_db(pair, args, databases)
    {
        found(other, args.get(if pair { 2 } else { 1 }));
    }
}

/// The database that MOVE or COPY names, if it names a valid one.
fn other_db(pair: bool, args: &Args<'_>, databases: usize) -> Option<DbIndex> {
    let index = if pair {
        // COPY source destination [DB n] [REPLACE]: the last DB counts.
        (3..args.len()).rev().find(|index| args.is(*index, "db"))? + 1
    } else {
        2
    };
    let db = args.opt(index).and_then(parse_i64)?;
    (0..databases as i64).contains(&db).then_some(DbIndex(db as u16))
}

#[cfg(test)]
mod tests {
    use super::{each, positions};
    use crate::base::ids::DbIndex;
    use crate::commands::spec::{Args, Keys};

    fn check(keys: Keys, request: &str, expected: &[usize]) {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        assert_eq!(positions(keys, &Args::borrowed(&words, None)), expected, "{request}");
    }

    #[test]
    fn keys_are_found_where_the_row_says() {
        check(Keys::None, "ping", &[]);
        check(Keys::ONE, "get a", &[1]);
        check(Keys::ALL, "del a b c", &[1, 2, 3]);
        check(Keys::PAIRS, "mset a 1 b 2", &[1, 3]);
        check(Keys::PAIRS, "mset a 1 b", &[1, 3]);
        check(Keys::Counted { at: 1 }, "lmpop 2 a b left", &[2, 3]);
        check(Keys::Counted { at: 1 }, "lmpop x a b left", &[]);
        check(Keys::Counted { at: 1 }, "lmpop 9 a b left", &[]);
        check(Keys::FirstAndCounted { at: 2 }, "zunionstore d 2 a b weights 1 2", &[1, 3, 4]);
        check(Keys::FirstAndCounted { at: 2 }, "zunionstore d 9 a b", &[]);
        check(Keys::FirstAndStored { from: 6 }, "georadius k 0 0 1 km", &[1]);
        check(Keys::FirstAndStored { from: 6 }, "georadius k 0 0 1 km asc store a storedist b", &[1, 8, 10]);
        check(Keys::FirstAndStored { from: 6 }, "georadius k 0 0 1 km store", &[1]);
        let streams = Keys::Streams { from: 1 };
        check(streams, "xread streams a b 0 0", &[2, 3]);
        check(streams, "xread count 5 block 0 STREAMS a $", &[6]);
        check(streams, "xread streams a b 0", &[2]);
        check(streams, "xread streams", &[]);
        check(streams, "xread what streams a 0", &[]);
        check(streams, "xreadgroup group streams streams noack streams a >", &[6]);
        check(Keys::Moved, "migrate h 1 k 0 9 auth keys", &[3]);
        check(Keys::Moved, "migrate h 1  0 9 copy auth2 keys keys KEYS keys b", &[11, 12]);
        check(Keys::Moved, "migrate h 1 k 0 9 keys a", &[]);
        let sort = Keys::Sort { stores: true };
        check(sort, "sort k by store store a get store store b limit store 1", &[1, 9]);
        check(sort, "sort k desc store", &[1]);
        check(Keys::Sort { stores: false }, "sort_ro k store d", &[1]);
    }

    #[test]
    fn move_and_copy_lock_their_key_in_the_other_database_too() {
        let check = |pair, request: &str, expected: &[(u16, &str)]| {
            let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
            let mut found = Vec::new();
            let args = Args::borrowed(&words, None);
            each(Keys::OtherDb { pair }, &args, DbIndex(1), 16, |db, key| {
                found.push((db.0, std::str::from_utf8(key).expect("ascii")));
            });
            assert_eq!(found, expected, "{request}");
        };
        check(false, "move k 3", &[(1, "k"), (3, "k")]);
        check(false, "move k 99", &[(1, "k")]);
        check(true, "copy a b", &[(1, "a"), (1, "b")]);
        check(true, "copy a b replace db 2", &[(1, "a"), (1, "b"), (2, "b")]);
    }
}
