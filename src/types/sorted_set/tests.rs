//! Sorted sets of both forms against a model, and their RDB forms, against bytes that Redis has written and against damage.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::{Limits, Probe, SortedSet, rdb};
use crate::codec::listpack::Listpack;
use crate::codec::rdb::RdbError;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::config::Config;
use crate::types::{Collection, Encoding};

/// A finite or infinite score, as a key that sorts as scores do.
fn order(score: f64) -> i64 {
    let bits = (score + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[derive(Default)]
struct Model {
    scores: HashMap<Vec<u8>, f64>,
    sorted: BTreeMap<(i64, Vec<u8>), f64>,
}

impl Model {
    fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.remove(member);
        self.scores.insert(member.to_vec(), score);
        self.sorted.insert((order(score), member.to_vec()), score);
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let old = self.scores.remove(member)?;
        self.sorted.remove(&(order(old), member.to_vec()));
        Some(old)
    }

    fn list(&self) -> Vec<(Vec<u8>, f64)> {
        self.sorted.iter().map(|((_, member), score)| (member.clone(), *score)).collect()
    }
}

fn list(set: &SortedSet) -> Vec<(Vec<u8>, f64)> {
    set.iter(0..set.len()).map(|(member, score)| (member.to_vec(), score)).collect()
}

fn scanned(set: &SortedSet) -> BTreeMap<Vec<u8>, f64> {
    let (mut shown, mut cursor) = (BTreeMap::new(), 0);
    loop {
        cursor = set.scan(cursor, 3, |member, score| {
            assert!(shown.insert(member.to_vec(), score).is_none(), "shown twice although nothing changed");
        });
        if cursor == 0 {
            return shown;
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRanks(usize, usize),
    Settle,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..40u32).prop_map(|number| number.to_string().into_bytes()),
        (0..40u32).prop_map(|number| format!("m{number}").into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..12),
        (200..300usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3..3i32).prop_map(f64::from),
        any::<f64>().prop_filter("scores are numbers", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.1),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (member(), score()).prop_map(|(member, score)| Op::Set(member, score)),
        3 => member().prop_map(Op::Remove),
        1 => (any::<prop::sample::Index>(), 0..5usize).prop_map(|(at, count)| Op::RemoveRanks(at.index(100), count)),
        1 => Just(Op::Settle),
    ]
}

fn check_agreement(set: &SortedSet, model: &Model) {
    let expected = model.list();
    assert_eq!(list(set), expected);
    let mut backwards: Vec<_> =
        set.iter_rev(0..set.len()).map(|(member, score)| (member.to_vec(), score)).collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    assert_eq!(scanned(set), expected.iter().cloned().collect());
    for (rank, (member, score)) in expected.iter().enumerate() {
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member), Some((rank, *score)));
        let below = expected.iter().filter(|(_, other)| other < score).count();
        let up_to = expected.iter().filter(|(_, other)| other <= score).count();
        assert_eq!(
            (set.rank_of(Probe::Score(*score)), set.rank_of(Probe::BehindScore(*score))),
            (below, up_to)
        );
    }
    assert_eq!(set.score(b"no member"), None);
    assert_eq!(set.rank(b"no member"), None);
    assert_eq!(set.len(), expected.len());
    assert!(set.heap_bytes() > 0);
}

/// Written and read back, the same; the copy as well.
fn check_round_trip(set: &SortedSet) {
    let mut bytes = Vec::new();
    set.encode(&mut bytes, None);
    let back = decode(&bytes, set.rdb_type()).expect("our own bytes");
    assert_eq!(list(&back), list(set));
    assert_eq!(list(&set.clone()), list(set));
    for cut in [bytes.len() / 2, bytes.len() - 1] {
        assert!(decode(&bytes[..cut], set.rdb_type()).is_err());
    }
}

fn decode(mut bytes: &[u8], value_type: u8) -> Result<SortedSet, RdbError> {
    rdb::decode(&mut bytes, value_type, &Config::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn sets_of_every_form_agree_with_a_model(entries in 0..30usize, ops in proptest::collection::vec(op(), 1..200)) {
        let limits = Limits { entries, value: 64 };
        let (mut set, mut model) = (SortedSet::default(), Model::default());
        for op in ops {
            match op {
                Op::Set(member, score) => {
                    assert_eq!(set.set(&member, score, limits), model.set(&member, score));
                }
                Op::Remove(member) => assert_eq!(set.remove(&member), model.remove(&member)),
                Op::RemoveRanks(from, count) => {
                    let from = from.min(set.len());
                    let to = set.len().min(from + count);
                    let gone: Vec<_> = model.list()[from..to].to_vec();
                    let mut shown = Vec::new();
                    set.remove_ranks(from..to, |member, score| shown.push((member.to_vec(), score)));
                    assert_eq!(shown, gone);
                    for (member, _) in gone {
                        model.remove(&member);
                    }
                }
                Op::Settle => set.settle(limits),
            }
            let is_small = set.encoding() == Encoding::Listpack;
            assert!(!is_small || set.len() <= entries);
        }
        check_agreement(&set, &model);
        if set.len() > 0 {
            check_round_trip(&set);
        }
    }
}

#[test]
fn a_set_grows_out_of_its_listpack_by_number_and_by_length() {
    let check = |members: &[&[u8]], expected: Encoding| {
        let mut set = SortedSet::default();
        for member in members {
            set.set(member, 1.0, Limits { entries: 2, value: 3 });
        }
        assert_eq!((set.encoding(), set.len()), (expected, members.len()));
        set.settle(Limits { entries: 3, value: 4 });
        assert_eq!(set.encoding(), Encoding::Listpack);
    };
    check(&[b"a", b"b"], Encoding::Listpack);
    check(&[b"a", b"b", b"c"], Encoding::Skiplist);
    check(&[b"abcd"], Encoding::Skiplist);
    check(&[b"abc", b"1"], Encoding::Listpack);
}

#[test]
fn a_large_set_is_no_larger_than_it_must_be() {
    let mut set = SortedSet::default();
    let limits = Limits { entries: 128, value: 64 };
    let mut rng = crate::base::random::Rng::from_seed(3);
    for number in 0..50_000 {
        set.set(format!("element:{number:08}").as_bytes(), rng.below(1 << 30) as f64, limits);
    }
    // A block of 32 bytes, a word in the table, a word and a score in the tree, and what is free in both.
    let each = set.heap_bytes() / set.len();
    assert!(each < 72, "{each} bytes a member");
}

fn pairs(words: &[&str]) -> Vec<u8> {
    let listpack: Listpack = words.iter().collect();
    let mut bytes = Vec::new();
    write_string(&mut bytes, listpack.as_bytes(), None);
    bytes
}

#[test]
fn damaged_listpacks_are_refused() {
    let check = |words: &[&str], refused: bool| {
        assert_eq!(decode(&pairs(words), 17).is_err(), refused, "{words:?}");
    };
    check(&["a", "1", "b", "2"], false);
    check(&["a", "1", "b", "1.5", "7", "inf"], false);
    check(&["a", "-inf", "b", "-1"], false);
    // Nobody stores it; whoever loads it leaves its key out.
    check(&[], false);
    check(&["a"], true);
    check(&["a", "1", "b"], true);
    check(&["a", "x"], true);
    check(&["a", "nan"], true);
    check(&["a", "1", "a", "2"], true);
    check(&["a", "2", "b", "1"], true);
    check(&["b", "1", "a", "1"], true);
}

#[test]
fn members_one_by_one_are_checked() {
    let five = |members: &[(&str, f64)]| {
        let mut bytes = Vec::new();
        write_length(&mut bytes, members.len() as u64);
        for (member, score) in members {
            write_string(&mut bytes, member.as_bytes(), None);
            bytes.extend_from_slice(&score.to_le_bytes());
        }
        bytes
    };
    let set = decode(&five(&[("b", 2.0), ("a", 2.0), ("c", -0.5)]), 5).expect("sound");
    assert_eq!(list(&set), [(b"c".to_vec(), -0.5), (b"a".to_vec(), 2.0), (b"b".to_vec(), 2.0)]);
    assert_eq!(set.encoding(), Encoding::Listpack);
    assert!(decode(&five(&[]), 5).expect("nothing").is_empty());
    assert!(decode(&five(&[("a", f64::NAN)]), 5).is_err());
    assert!(decode(&five(&[("a", 1.0), ("a", 2.0)]), 5).is_err());
    // A count that is a lie costs nothing.
    assert!(decode(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, b'a'], 5).is_err());
    // The old form: scores as text.
    let text = [4, 1, b'a', 3, b'1', b'.', b'5', 1, b'b', 254, 1, b'c', 255, 2, b'd', b'd', 1, b'7'];
    let set = decode(&text, 3).expect("sound");
    let expected = [("c", f64::NEG_INFINITY), ("a", 1.5), ("dd", 7.0), ("b", f64::INFINITY)];
    assert_eq!(list(&set), expected.map(|(member, score)| (member.as_bytes().to_vec(), score)));
    assert!(decode(&[1, 1, b'a', 253], 3).is_err());
    assert!(decode(&[1, 1, b'a', 1, b'x'], 3).is_err());
}
