//! Fuzzes sets: decoding of whatever calls itself one, and a sequence of changes against a simple model.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary bytes give an error or a set that can be written and read back; a set of any form holds what a set of
//! strings would hold.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use starling::codec::rdb::value_type;
use starling::config::Config;
use starling::types::set::{Limits, Set, rdb};
use starling::types::Collection;

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.to_vec()).collect()
}

fn check_decode(kind: u8, bytes: &[u8], config: &Config) {
    let Ok(set) = rdb::decode(&mut &bytes[..], kind, config) else { return };
    let all = members(&set);
    assert_eq!(all.len(), set.len());
    let mut written = Vec::new();
    set.encode(&mut written, None);
    let again = rdb::decode(&mut &written[..], set.rdb_type(), config);
    assert!(set.is_empty() || members(&again.expect("our own bytes")) == all);
}

/// Each step is a byte that says what to do and up to three bytes of a member.
fn check_model(bytes: &[u8]) {
    let limits = Limits { intset_entries: 4, listpack_entries: 6, listpack_value: 2 };
    let (mut set, mut model) = (Set::default(), BTreeSet::new());
    for step in bytes.chunks(4) {
        let (what, member) = (step[0], &step[1..]);
        // Digits often, so that integers meet.
        let member: Vec<u8> = member.iter().map(|byte| if byte & 64 == 0 { b'0' + byte % 10 } else { *byte }).collect();
        match what % 3 {
            0 => assert_eq!(set.remove(&member), model.remove(&member)),
            1 if !set.is_empty() => {
                let position = usize::from(what) % set.len();
                assert!(model.remove(&set.get(position).to_vec()));
                set.remove_at(position);
            }
            _ => assert_eq!(set.add(&member, &limits), model.insert(member)),
        }
        assert_eq!(members(&set), model);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let config = Config::default();
    match kind % 4 {
        0 => check_decode(value_type::SET, bytes, &config),
        1 => check_decode(value_type::SET_INTSET, bytes, &config),
        2 => check_decode(value_type::SET_LISTPACK, bytes, &config),
        _ => check_model(bytes),
    }
});
