//! Fuzzes hashes: decoding of whatever calls itself one, and a sequence of changes against a simple model.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary bytes give an error or a hash that can be written in every dialect and read back; bytes that pass as a
//! listpack can be walked both ways and changed; a hash of any form holds what a map would hold.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use starling::base::ids::UnixMs;
use starling::codec::listpack::{Item, Listpack};
use starling::codec::rdb::{Dialect, value_type};
use starling::codec::{ziplist, zipmap};
use starling::config::Config;
use starling::types::hash::{Deadline, Limits, NEVER, Removed, rdb};
use starling::types::{Collection, Hash};

const NOW: UnixMs = UnixMs(100);

fn contents(hash: &Hash, now: UnixMs) -> BTreeMap<Vec<u8>, Vec<u8>> {
    hash.iter(now).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn check_decode(kind: u8, bytes: &[u8]) {
    let config = Config::default();
    let Ok(hash) = rdb::decode(&mut &bytes[..], kind, &config) else { return };
    let all = contents(&hash, NEVER);
    assert_eq!(all.len(), hash.len());
    for dialect in [Dialect::Common, Dialect::Redis12, Dialect::Valkey80] {
        let mut written = Vec::new();
        hash.encode_in(dialect, &mut written, None);
        let again = rdb::decode(&mut &written[..], hash.rdb_type_in(dialect), &config);
        assert_eq!(contents(&again.expect("our own bytes"), NEVER), all);
    }
}

fn check_listpack(bytes: &[u8]) {
    let Ok(mut list) = Listpack::from_bytes(bytes) else { return };
    let forward: Vec<Vec<u8>> = list.iter().map(Item::to_vec).collect();
    let mut backward: Vec<Vec<u8>> = list.iter_rev().map(Item::to_vec).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    list.are_distinct(0);
    list.push_front(b"x");
    assert_eq!(list.find(b"x", list.first().expect("just pushed"), 0), list.first());
    list.remove_range(0, 1);
    assert_eq!(list.iter().map(Item::to_vec).collect::<Vec<_>>(), forward);
}

/// Each step is a byte that says what to do, two of a name and one of a value or deadline.
fn check_model(bytes: &[u8]) {
    let limits = Limits { entries: 4, value: 3 };
    let (mut hash, mut model) = (Hash::default(), BTreeMap::<Vec<u8>, (Vec<u8>, Option<i64>)>::new());
    for step in bytes.chunks_exact(4) {
        let (what, name, last) = (step[0] % 5, vec![b'0' + step[1] % 6; 1 + usize::from(step[2] % 4)], step[3]);
        let is_due = |deadline: &Option<i64>| deadline.is_some_and(|at| at < NOW.0);
        match what {
            0 | 1 => {
                let value = vec![last; usize::from(last % 5)];
                assert_eq!(
                    hash.set(&name, &value, Deadline::Clear, NOW, limits),
                    model.insert(name, (value, None)).is_none_or(|(_, deadline)| is_due(&deadline))
                );
            }
            2 => {
                let removed = match model.remove(&name) {
                    None => Removed::No,
                    Some((_, deadline)) if is_due(&deadline) => Removed::Due,
                    Some(_) => Removed::Live,
                };
                assert_eq!(hash.remove(&name, NOW), removed);
            }
            3 => {
                let deadline = (last > 50).then_some(i64::from(last));
                assert_eq!(hash.set_deadline(&name, deadline.map(UnixMs)), model.contains_key(&name));
                model.entry(name).and_modify(|(_, at)| *at = deadline);
            }
            _ => {
                let taken = hash.take_due(NOW, usize::from(last % 3));
                assert!(taken.iter().all(|name| model.remove(name).is_some_and(|(_, at)| is_due(&at))));
            }
        }
        let all: BTreeMap<_, _> = model.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        assert_eq!(contents(&hash, NEVER), all);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 10 {
        0 => check_decode(value_type::HASH, bytes),
        1 => check_decode(value_type::HASH_ZIPMAP, bytes),
        2 => check_decode(value_type::HASH_ZIPLIST, bytes),
        3 => check_decode(value_type::HASH_LISTPACK, bytes),
        4 => check_decode(value_type::VALKEY_HASH_2, bytes),
        5 => check_decode(value_type::HASH_METADATA, bytes),
        6 => check_decode(value_type::HASH_LISTPACK_EX, bytes),
        7 => check_listpack(bytes),
        8 => {
            let _ = (ziplist::to_listpack(bytes), zipmap::to_listpack(bytes));
        }
        _ => check_model(bytes),
    }
});
