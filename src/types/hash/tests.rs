//! The hash type against a plain map, in both forms, and its RDB form in both directions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::codec::rdb::{RdbError, value_type};

const SMALL: Limits = Limits { entries: 6, value: 10 };
const NOW: UnixMs = UnixMs(1_000_000);

/// Name -> value and deadline.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, bool),
    Remove(u8),
    SetDeadline(u8, Option<i64>),
    TakeDue(usize),
    Reload(Dialect),
}

fn step() -> impl Strategy<Value = Step> {
    let deadline = prop::option::of(NOW.0 - 3..NOW.0 + 3);
    prop_oneof![
        6 => (0u8..20, prop::collection::vec(any::<u8>(), 0..12), any::<bool>())
            .prop_map(|(name, value, keep)| Step::Set(name, value, keep)),
        3 => (0u8..20).prop_map(Step::Remove),
        2 => (0u8..20, deadline).prop_map(|(name, at)| Step::SetDeadline(name, at)),
        1 => (0usize..4).prop_map(Step::TakeDue),
        1 => prop::sample::select(&[Dialect::Redis12, Dialect::Valkey80]).prop_map(Step::Reload),
    ]
}

fn name_of(number: u8) -> Vec<u8> {
    if number.is_multiple_of(2) {
        number.to_string().into_bytes()
    } else {
        vec![b'f'; usize::from(number) / 2 + 1]
    }
}

fn is_due(deadline: Option<i64>) -> bool {
    deadline.is_some_and(|at| at < NOW.0)
}

fn apply(step: Step, hash: &mut Hash, model: &mut Model) {
    match step {
        Step::Set(number, value, keeps) => {
            let name = name_of(number);
            let old = model.get(&name).map(|(_, deadline)| *deadline);
            let was_live = old.is_some_and(|deadline| !is_due(deadline));
            let kept = old.flatten().filter(|_| keeps && was_live);
            let deadline = if keeps { Deadline::Keep } else { Deadline::Clear };
            assert_eq!(hash.set(&name, &value, deadline, NOW, SMALL), !was_live);
            model.insert(name, (value, kept));
        }
        Step::Remove(number) => {
            let removed = match model.remove(&name_of(number)) {
                None => Removed::No,
                Some((_, deadline)) if is_due(deadline) => Removed::Due,
                Some(_) => Removed::Live,
            };
            assert_eq!(hash.remove(&name_of(number), NOW), removed);
        }
        Step::SetDeadline(number, at) => {
            let known = model.get_mut(&name_of(number));
            assert_eq!(hash.set_deadline(&name_of(number), at.map(UnixMs)), known.is_some());
            known.into_iter().for_each(|(_, deadline)| *deadline = at);
        }
        Step::TakeDue(max) => {
            let due = model.values().filter(|(_, deadline)| is_due(*deadline)).count();
            let names = hash.take_due(NOW, max);
            assert_eq!(names.len(), due.min(max));
            for name in names {
                assert!(model.remove(&name).is_some_and(|(_, deadline)| is_due(deadline)));
            }
        }
        Step::Reload(dialect) => *hash = reload(hash, dialect),
    }
}

fn reload(hash: &Hash, dialect: Dialect) -> Hash {
    let mut bytes = Vec::new();
    hash.encode_in(dialect, &mut bytes, None);
    let kind = hash.rdb_type_in(dialect);
    let mut source = bytes.as_slice();
    let config = config();
    let loaded = rdb::decode(&mut source, kind, &config).expect("our own bytes are valid");
    assert!(source.is_empty());
    loaded
}

fn config() -> Config {
    let mut config = Config::default();
    (config.hash_max_listpack_entries, config.hash_max_listpack_value) = (SMALL.entries, SMALL.value);
    config
}

fn contents(hash: &Hash, now: UnixMs) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let pairs: Vec<_> = hash.iter(now).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "every field once");
    map
}

fn compare(hash: &Hash, model: &Model) {
    let all = model.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
    assert_eq!(contents(hash, NEVER), all);
    let live: BTreeMap<_, _> = (model.iter())
        .filter(|(_, (_, deadline))| !is_due(*deadline))
        .map(|(name, (value, _))| (name.clone(), value.clone()))
        .collect();
    assert_eq!((hash.len(), hash.live_len(NOW)), (model.len(), live.len()));
    for number in 0..20 {
        let name = name_of(number);
        assert_eq!(hash.get(&name, NOW).map(Item::to_vec).as_ref(), live.get(&name));
        let deadline = model.get(&name).map(|(_, deadline)| *deadline).filter(|at| !is_due(*at));
        assert_eq!(hash.deadline(&name, NOW).map(|at| at.map(|at| at.0)), deadline);
    }
    let next = model.values().filter_map(|(_, deadline)| *deadline).min();
    assert!(next.is_none_or(|next| hash.next_due().is_some_and(|due| due.0 <= next)));
    assert!(next.is_some() || hash.next_due().is_none());
    let positions: BTreeMap<_, _> = (0..hash.len())
        .filter_map(|position| hash.at(position, NOW))
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(positions, live);
    assert_eq!(contents(hash, NOW), live);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_holds_what_a_map_would(steps in prop::collection::vec(step(), 1..60)) {
        let (mut hash, mut model) = (Hash::default(), Model::new());
        for step in steps {
            apply(step, &mut hash, &mut model);
            compare(&hash, &model);
        }
        compare(&hash.clone(), &model);
        let is_small = matches!(hash.form(), HashForm::Listpack(_));
        prop_assert!(!is_small || model.len() <= SMALL.entries && model.values().all(|(_, at)| at.is_none()));
    }

    #[test]
    fn arbitrary_bytes_are_a_hash_or_an_error(kind in prop::sample::select(TYPES), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(hash) = rdb::decode(&mut bytes.as_slice(), kind, &config()) {
            prop_assert_eq!(contents(&hash, NEVER).len(), hash.len());
        }
    }
}

const TYPES: &[u8] = &[
    value_type::HASH,
    value_type::HASH_ZIPMAP,
    value_type::HASH_ZIPLIST,
    value_type::HASH_LISTPACK,
    value_type::VALKEY_HASH_2,
    value_type::HASH_METADATA,
    value_type::HASH_LISTPACK_EX,
];

#[test]
fn what_is_there_throughout_a_scan_is_shown() {
    let mut hash = Hash::default();
    let set = |hash: &mut Hash, number: u32| {
        hash.set(format!("field:{number}").as_bytes(), b"v", Deadline::Clear, NOW, SMALL);
    };
    (0..200).for_each(|number| set(&mut hash, number));
    let (mut cursor, mut shown, mut round) = (0, std::collections::BTreeSet::new(), 0);
    loop {
        cursor = hash.scan(cursor, 10, NOW, |name, _| {
            shown.insert(name.to_vec());
        });
        if cursor == 0 {
            break;
        }
        // Odd fields leave and new ones come in while it goes on.
        for number in (round * 20 + 1..round * 20 + 20).step_by(2) {
            hash.remove(format!("field:{number}").as_bytes(), NOW);
            set(&mut hash, 1000 + number);
        }
        round += 1;
    }
    assert!((0..200).step_by(2).all(|number| shown.contains(format!("field:{number}").as_bytes())));
}

fn load(kind: u8, bytes: &[u8]) -> Result<Hash, RdbError> {
    rdb::decode(&mut { bytes }, kind, &config())
}

fn words(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    texts.iter().for_each(|text| write_string(&mut bytes, text.as_bytes(), None));
    bytes
}

#[test]
fn hashes_with_deadlines_come_from_both_families_of_servers() {
    let check = |kind: u8, bytes: &[u8]| {
        let hash = load(kind, bytes).expect("valid");
        assert_eq!(hash.encoding(), Encoding::Hashtable);
        let at = |name: &str| hash.deadline(name.as_bytes(), NEVER).map(|at| at.map(|at| at.0));
        assert_eq!((at("a"), at("b"), at("c")), (Some(None), Some(Some(5000)), Some(Some(7000))));
        assert_eq!(hash.get(b"c", NEVER), Some(Item::Bytes(b"3")));
        assert_eq!((hash.len(), hash.next_due()), (3, Some(UnixMs(5000))));
    };
    let deadline = |at: i64| at.to_le_bytes().to_vec();
    let valkey =
        [vec![3], words(&["a", "1"]), deadline(-1), words(&["b", "2"]), deadline(5000), words(&["c", "3"])];
    check(value_type::VALKEY_HASH_2, &[valkey.concat(), deadline(7000)].concat());
    let mut metadata = deadline(5000);
    metadata.extend([3, 0]);
    metadata.extend(words(&["a", "1"]));
    metadata.push(1);
    metadata.extend(words(&["b", "2"]));
    write_length(&mut metadata, 2001);
    metadata.extend(words(&["c", "3"]));
    check(value_type::HASH_METADATA, &metadata);
    let list = Listpack::from_iter(["b", "2", "5000", "c", "3", "7000", "a", "1", "0"]);
    let mut triplets = deadline(5000);
    write_string(&mut triplets, list.as_bytes(), None);
    check(value_type::HASH_LISTPACK_EX, &triplets);
}

#[test]
fn hashes_that_lie_are_refused() {
    let listpack = |texts: &[&str]| {
        let mut bytes = Vec::new();
        write_string(&mut bytes, Listpack::from_iter(texts).as_bytes(), None);
        bytes
    };
    let refused = |kind: u8, bytes: &[u8]| assert!(load(kind, bytes).is_err(), "{kind} {bytes:?}");
    refused(value_type::HASH, &[vec![2], words(&["a", "1", "a", "2"])].concat());
    refused(value_type::HASH, &[vec![2], words(&["a", "1", "b"])].concat());
    refused(value_type::HASH, &[0x81, 255, 255, 255, 255, 255, 255, 255, 255]);
    refused(value_type::HASH_LISTPACK, &listpack(&["a", "1", "b"]));
    refused(value_type::HASH_LISTPACK, &listpack(&["7", "1", "7", "2"]));
    refused(
        value_type::VALKEY_HASH_2,
        &[vec![1], words(&["a", "1"]), (-2i64).to_le_bytes().to_vec()].concat(),
    );
    let metadata = |earliest: i64, after: u64| {
        let mut bytes = earliest.to_le_bytes().to_vec();
        bytes.push(1);
        write_length(&mut bytes, after);
        [bytes, words(&["a", "1"])].concat()
    };
    assert!(load(value_type::HASH_METADATA, &metadata(7, 1)).is_ok());
    refused(value_type::HASH_METADATA, &metadata(i64::MAX, 2));
    refused(value_type::HASH_METADATA, &metadata(0, u64::MAX));
    refused(value_type::HASH_METADATA, &metadata(-1, 1));
    let triplets = |texts: &[&str]| [7i64.to_le_bytes().to_vec(), listpack(texts)].concat();
    refused(value_type::HASH_LISTPACK_EX, &triplets(&["a", "1", "-1"]));
    refused(value_type::HASH_LISTPACK_EX, &triplets(&["a", "1", "x"]));
    refused(value_type::HASH_LISTPACK_EX, &triplets(&["a", "1"]));
    refused(value_type::HASH_LISTPACK_EX, &triplets(&["a", "1", "5", "a", "2", "0"]));
    assert!(load(value_type::HASH_LISTPACK, &listpack(&[])).is_ok_and(|hash| hash.is_empty()));
}

#[test]
fn the_small_form_ends_at_its_limits() {
    let mut hash = Hash::default();
    for number in 0..SMALL.entries {
        assert!(hash.set(number.to_string().as_bytes(), b"v", Deadline::Clear, NOW, SMALL));
    }
    assert_eq!((hash.encoding(), hash.rdb_type()), (Encoding::Listpack, value_type::HASH_LISTPACK));
    let mut longer = hash.clone();
    assert!(!longer.set(b"0", b"eleven bytes", Deadline::Clear, NOW, SMALL));
    assert_eq!((longer.encoding(), longer.rdb_type()), (Encoding::Hashtable, value_type::HASH));
    assert!(hash.set(b"one more", b"v", Deadline::Clear, NOW, SMALL));
    assert_eq!((hash.encoding(), hash.len()), (Encoding::Hashtable, SMALL.entries + 1));
    let types = |hash: &Hash| {
        [Dialect::Common, Dialect::Redis12, Dialect::Valkey80].map(|dialect| hash.rdb_type_in(dialect))
    };
    assert_eq!(types(&hash), [value_type::HASH; 3]);
    assert!(hash.set_deadline(b"0", Some(NOW)));
    assert_eq!(types(&hash), [value_type::HASH, value_type::HASH_METADATA, value_type::VALKEY_HASH_2]);
    let plain = reload(&hash, Dialect::Common);
    assert_eq!((contents(&plain, NEVER), plain.next_due()), (contents(&hash, NEVER), None));
    assert!(hash.set_deadline(b"0", None));
    assert_eq!(types(&hash), [value_type::HASH; 3]);
}
