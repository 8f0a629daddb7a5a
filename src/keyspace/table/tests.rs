//! The table beside a map: random insertions, removals, growth and shrinking, with hashes that are spread and hashes that crowd.
//!
//! Always: every key is found where it was put, no other is, and whoever is removed leaves the others in their slots.

use std::collections::BTreeMap;

use super::{GROUP, Mark, RUN_MAX, Table, limit, next_room};
use crate::base::alloc::size_class;
use crate::base::hash::hash_key_with;
use crate::base::random::Rng;
use crate::keyspace::entry::Entry;
use crate::types::Str;

fn entry(key: u64) -> Entry {
    Entry::string(&key.to_le_bytes(), Str::Int(key as i64), None, 1, 2)
}

fn find(table: &Table, hash: u64, key: u64) -> Option<usize> {
    table.find(hash, |entry| entry.key() == key.to_le_bytes())
}

/// Runs `steps` changes on keys below `keys`; `hash` says what their hashes are.
fn check(seed: u64, keys: u64, steps: usize, hash: impl Fn(u64) -> u64) {
    let (mut rng, mut table, mut model) = (Rng::from_seed(seed), Table::new(), BTreeMap::new());
    for step in 0..steps {
        let key = rng.below(keys);
        // Waves, so that tables fill up, stay full for a while and empty again.
        let fills = (step * 8 / steps).is_multiple_of(2) != rng.below(8).is_multiple_of(8);
        match (find(&table, hash(key), key), fills) {
            (None, true) => {
                if table.is_full() {
                    table.grow();
                    model = places(&table, &model, &hash);
                }
                assert_eq!(model.insert(key, table.insert(hash(key), entry(key))), None);
            }
            (Some(index), false) => {
                assert_eq!(table.remove(index).key(), key.to_le_bytes());
                assert_eq!(model.remove(&key), Some(index), "seed {seed}");
                if table.len() * 8 < table.room() {
                    table.shrink_to(2 * table.len());
                    model = places(&table, &model, &hash);
                }
            }
            (found, _) => assert_eq!(found, model.get(&key).copied(), "seed {seed}, key {key}"),
        }
        assert_eq!(table.len(), model.len());
    }
    for key in 0..keys {
        assert_eq!(find(&table, hash(key), key), model.get(&key).copied(), "seed {seed}, key {key}");
    }
    let full = (0..table.room()).filter(|&index| table.is_full_at(index)).count();
    assert_eq!(full, model.len());
}

/// Where the keys of `model` stand now.
fn places(table: &Table, model: &BTreeMap<u64, usize>, hash: &impl Fn(u64) -> u64) -> BTreeMap<u64, usize> {
    let place =
        |&key: &u64| (key, find(table, hash(key), key).expect("no key is lost when a table is resized"));
    model.keys().map(place).collect()
}

#[test]
fn every_key_is_found_through_insertions_removals_and_resizes() {
    let spread = |key: u64| hash_key_with((1, 2), &key.to_le_bytes());
    for (seed, keys) in (1..).zip([3, 12, 17, 40, 300, 3000]) {
        check(seed, keys, 20_000, spread);
    }
}

#[test]
fn keys_that_share_their_marks_or_their_groups_are_told_apart() {
    let spread = |key: u64| hash_key_with((1, 2), &key.to_le_bytes());
    check(11, 60, 8000, |_| u64::MAX);
    check(12, 60, 8000, |_| 0);
    check(13, 400, 20_000, |key| spread(key) & 0x8000_0000_0000_0000);
    check(14, 400, 20_000, |key| spread(key) & 0x000f_ffff_ffff_ffff);
    check(15, 400, 20_000, |key| spread(key) | 0xfffc_0000_0000_0000);
}

#[test]
fn a_full_group_is_searched_no_further_once_those_that_passed_it_are_gone() {
    let mut table = Table::new();
    while table.room() <= 4 * RUN_MAX {
        table.grow();
    }
    // One more than a group, all of them at home in the last one.
    let indexes: Vec<usize> = (0..=GROUP as u64).map(|key| table.insert(u64::MAX, entry(key))).collect();
    let home = table.groups() - 1;
    assert!(indexes[..GROUP].iter().all(|index| index / GROUP == home));
    assert_ne!(indexes[GROUP] / GROUP, home);
    assert!(table.has_overflow(home));
    table.remove(indexes[GROUP]);
    assert!(!table.has_overflow(home));
    assert!(find(&table, u64::MAX, 0).is_some());
}

#[test]
fn a_mark_reaches_every_group_and_survives_its_slot() {
    for hash in [0, 1 << 46, 3 << 46, 0x1234 << 48, u64::MAX, 0xdead_beef_dead_beef] {
        let mark = Mark::of(hash);
        assert_eq!(mark.number() as u64, hash >> 46);
        for groups in [3, 4, 5, 7, 100] {
            let mut reached: Vec<usize> = (0..=groups + 1).map(|tried| mark.group(groups, tried)).collect();
            reached.sort_unstable();
            reached.dedup();
            assert_eq!(reached, (0..groups).collect::<Vec<_>>());
        }
    }
}

#[test]
fn tables_fill_the_classes_of_the_allocator() {
    let mut room = 0;
    let mut rooms = Vec::new();
    while room < 100_000 {
        room = next_room(room);
        rooms.push(room);
        assert_eq!(Table::bytes(room), size_class(8 * room), "{room}");
        assert_eq!(Table::bytes(room), 8 * room, "{room}");
        assert!(limit(room) > 0 && (room <= RUN_MAX || room.is_multiple_of(GROUP)));
    }
    assert_eq!(rooms[..18], [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 40, 48, 56, 64]);
}
