//! Tests of the set: thresholds, a model over all forms, scanning, chance, and the RDB form.
//!
//! Always: random input comes from proptest or from a printed seed.

use super::table::Table;
use super::{Limits, Set};
use crate::base::random::Rng;
use crate::codec::listpack::Item;
use crate::codec::rdb::value_type;
use crate::config::Config;
use crate::types::set::rdb;
use crate::types::word::Large;
use crate::types::{Collection, Encoding};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const SMALL: Limits = Limits { intset_entries: 4, listpack_entries: 3, listpack_value: 5 };

fn of(members: &[&str], limits: &Limits) -> Set {
    let mut set = Set::suited(members[0].as_bytes(), 1, limits);
    members.iter().for_each(|member| assert!(set.add(member.as_bytes(), limits)));
    set
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(Item::to_vec).collect()
}

#[test]
fn a_set_has_the_form_that_redis_would_give_it() {
    let check = |members: &[&str], expected: Encoding| {
        assert_eq!(of(members, &SMALL).encoding(), expected, "{members:?}");
    };
    check(&["1", "2", "3", "4"], Encoding::Intset);
    check(&["1", "2", "3", "4", "5"], Encoding::Hashtable);
    check(&["1", "01"], Encoding::Listpack);
    check(&["a", "b", "c"], Encoding::Listpack);
    check(&["a", "b", "c", "d"], Encoding::Hashtable);
    check(&["a", "longer"], Encoding::Hashtable);
    check(&["longer"], Encoding::Hashtable);
    check(&["1", "2", "x"], Encoding::Listpack);
    check(&["1", "2", "3", "x"], Encoding::Hashtable);
    check(&["123456", "x"], Encoding::Hashtable);
    let without = Limits { listpack_entries: 0, ..SMALL };
    assert_eq!(of(&["a"], &without).encoding(), Encoding::Hashtable);
    assert_eq!(of(&["1", "a"], &without).encoding(), Encoding::Hashtable);
    assert_eq!(Set::suited(b"1", 5, &SMALL).encoding(), Encoding::Hashtable);
    assert_eq!(Set::suited(b"1", 4, &SMALL).encoding(), Encoding::Intset);
}

#[test]
fn few_integers_go_back_to_an_intset_when_asked() {
    let mut set = Set::from(Large::<Table>::default());
    ["3", "1", "2"].iter().for_each(|member| assert!(set.add(member.as_bytes(), &SMALL)));
    set.compact(&SMALL);
    assert_eq!(set.encoding(), Encoding::Intset);
    let mut set = of(&["1", "a"], &SMALL);
    set.compact(&SMALL);
    assert_eq!(set.encoding(), Encoding::Listpack);
}

#[test]
fn every_member_is_as_likely_as_any_other() {
    for names in [&["1", "2", "3"][..], &["a", "b", "c"], &["a", "b", "c", "d", "longest"]] {
        let (set, mut rng) = (of(names, &SMALL), Rng::from_seed(7));
        let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for _ in 0..1000 * names.len() {
            *seen.entry(set.get(set.pick(&mut rng).expect("not empty")).to_vec()).or_default() += 1;
        }
        assert!(
            seen.len() == names.len() && seen.values().all(|times| (850..1150).contains(times)),
            "{seen:?}"
        );
    }
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-3i64..12).prop_map(|value| value.to_string().into_bytes()),
        "[a-f]{0,2}".prop_map(String::into_bytes),
        Just(b"a member of more than twenty-two bytes".to_vec()),
        Just(b"0007".to_vec()),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (0usize..8, 0usize..8, 0usize..8).prop_map(|(intset_entries, listpack_entries, listpack_value)| Limits {
        intset_entries,
        listpack_entries,
        listpack_value,
    })
}

proptest! {
    #[test]
    fn a_set_behaves_as_a_set_of_strings_in_every_form(
        limits in limits(),
        steps in prop::collection::vec((0u8..4, member()), 0..60),
    ) {
        let (mut set, mut model) = (Set::default(), BTreeSet::new());
        let mut rng = Rng::from_seed(steps.len() as u64);
        for (step, member) in steps {
            match step {
                0 | 1 => prop_assert_eq!(set.add(&member, &limits), model.insert(member)),
                2 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                _ => if let Some(position) = set.pick(&mut rng) {
                    prop_assert!(model.remove(&set.get(position).to_vec()));
                    set.remove_at(position);
                },
            }
            prop_assert_eq!(&members(&set), &model);
            prop_assert_eq!(set.len(), model.len());
            prop_assert!(model.iter().all(|member| set.contains(member)));
            prop_assert!(!set.contains(b"absent") && !set.contains(b"99"));
        }
        let mut bytes = Vec::new();
        set.encode(&mut bytes, None);
        if !set.is_empty() {
            let config = Config::default();
            let read = rdb::decode(&mut &bytes[..], set.rdb_type(), &config).expect("our own bytes");
            prop_assert_eq!(members(&read), model);
        }
    }

    #[test]
    fn a_scan_shows_whatever_stays(
        steps in prop::collection::vec((any::<bool>(), 0u16..300), 0..200),
        count in 1usize..20,
    ) {
        let mut set = Set::from(Large::<Table>::default());
        (100..200u16).for_each(|stays| assert!(set.add(stays.to_string().as_bytes(), &SMALL)));
        let (mut shown, mut cursor) = (HashSet::new(), 0);
        let mut steps = steps.into_iter();
        loop {
            cursor = set.scan(cursor, count, |member| {
 shown.insert(member.to_vec());
});
            if cursor == 0 {
                break;
            }
            for (adds, number) in steps.by_ref().take(7).filter(|(_, number)| !(100..200).contains(number)) {
                let member = number.to_string();
                if adds { set.add(member.as_bytes(), &SMALL) } else { set.remove(member.as_bytes()) };
            }
        }
        prop_assert!((100..200u16).all(|stays| shown.contains(stays.to_string().as_bytes())));
    }

    #[test]
    fn arbitrary_bytes_are_a_set_or_an_error(
        kind in prop_oneof![Just(value_type::SET), Just(value_type::SET_INTSET), Just(value_type::SET_LISTPACK)],
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let config = Config::default();
        if let Ok(set) = rdb::decode(&mut &bytes[..], kind, &config) {
            prop_assert_eq!(members(&set).len(), set.len());
        }
    }
}

#[test]
fn payloads_that_lie_are_refused() {
    let config = Config::default();
    let check = |kind: u8, bytes: &[u8]| {
        assert!(rdb::decode(&mut &bytes[..], kind, &config).is_err(), "{kind} {bytes:?}");
    };
    // Twice the same member; the last one as an integer.
    check(value_type::SET, b"\x02\x01a\x01a");
    check(value_type::SET, b"\x02\x011\xc0\x01");
    // More members than bytes, and a count that would take all memory.
    check(value_type::SET, b"\x03\x01a\x01b");
    check(value_type::SET, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a");
    check(value_type::SET_INTSET, b"\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0");
    // A listpack with the same member twice.
    check(value_type::SET_LISTPACK, b"\x0b\x0b\0\0\0\x02\0\x01\x01\x01\x01\xff");
    check(19, b"");
}
