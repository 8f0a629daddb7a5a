//! Fuzzes sorted sets: decoding of whatever calls itself one, and a sequence of changes against a simple model.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary bytes give an error or a set in order that can be written and read back; a set of any form holds what a
//! sorted list would hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::codec::rdb::value_type;
use starling::config::Config;
use starling::types::sorted_set::{Limits, rdb};
use starling::types::{Collection, SortedSet};

fn list(set: &SortedSet) -> Vec<(f64, Vec<u8>)> {
    set.iter(0..set.len()).map(|(member, score)| (score, member.to_vec())).collect()
}

fn check_decode(kind: u8, bytes: &[u8], config: &Config) {
    let Ok(set) = rdb::decode(&mut &bytes[..], kind, config) else { return };
    let all = list(&set);
    // Whoever loads it leaves an empty set out.
    if all.is_empty() {
        return;
    }
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
    for (rank, (score, member)) in all.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
    }
    let mut written = Vec::new();
    set.encode(&mut written, None);
    let again = rdb::decode(&mut &written[..], set.rdb_type(), config).expect("our own bytes");
    assert_eq!(list(&again), all);
}

/// Each step is a byte that says what to do, one for the score and two of a member.
fn check_model(bytes: &[u8]) {
    let limits = Limits { entries: 6, value: 1 };
    let (mut set, mut model) = (SortedSet::default(), Vec::<(f64, Vec<u8>)>::new());
    for step in bytes.chunks_exact(4) {
        let (score, member) = (f64::from(step[1] % 16) / 4.0, &step[2..][..usize::from(step[2] % 2 + 1)]);
        let at = model.iter().position(|(_, other)| other == member);
        match step[0] % 8 {
            0 => assert_eq!(set.remove(member), at.map(|at| model.remove(at).0)),
            1 => {
                let from = usize::from(step[1]) % (model.len() + 1);
                let to = model.len().min(from + usize::from(step[2] % 8));
                let mut shown = Vec::new();
                set.remove_ranks(from..to, |member, score| shown.push((score, member.to_vec())));
                assert_eq!(shown, model.drain(from..to).collect::<Vec<_>>());
            }
            2 => set.settle(limits),
            _ => {
                let old = at.map(|at| model.remove(at).0);
                // A score that is equal stays as it is.
                let score = old.filter(|old| *old == score).unwrap_or(score);
                let place = model.partition_point(|other| *other < (score, member.to_vec()));
                model.insert(place, (score, member.to_vec()));
                assert_eq!(set.set(member, score, limits), old);
            }
        }
        assert_eq!(list(&set), model);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    // Few members already make a large set.
    let mut config = Config::default();
    config.zset_max_listpack_entries = 8;
    match kind % 5 {
        0 => check_decode(value_type::ZSET, bytes, &config),
        1 => check_decode(value_type::ZSET_2, bytes, &config),
        2 => check_decode(value_type::ZSET_ZIPLIST, bytes, &config),
        3 => check_decode(value_type::ZSET_LISTPACK, bytes, &config),
        _ => check_model(bytes),
    }
});
