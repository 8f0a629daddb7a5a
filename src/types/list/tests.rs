//! Tests of lists: against a model of plain vectors, at every node size, and through RDB.
//!
//! Always: what a list of any limits does is what a vector of byte strings does, and its inner order holds after each step.

use std::collections::VecDeque;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use crate::codec::lzf::Compressor;
use crate::codec::rdb::value_type;
use crate::config::Config;
use crate::types::list::node::Data;
use crate::types::list::{End, Limits, ListForm, Side, rdb};
use crate::types::{Collection, List};

/// One change of a list.
#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<Vec<u8>>),
    Pop(End, usize),
    Set(i64, Vec<u8>),
    Insert(Vec<u8>, Side, Vec<u8>),
    Remove(Vec<u8>, End, usize),
    Trim(usize, usize),
}

/// Few different elements, so that they are found again; some integers, some long, one longer than small nodes.
fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..6u8).prop_map(|n| vec![b'a' + n]),
        3 => (-3..3i64).prop_map(|n| n.to_string().into_bytes()),
        2 => (0..4usize).prop_map(|n| b"filler ".repeat(20 * n)),
        1 => Just(vec![b'x'; 5000]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Head), Just(End::Tail)]
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    prop_oneof![
        8 => (end(), proptest::collection::vec(element(), 1..12)).prop_map(|(end, all)| Step::Push(end, all)),
        2 => (end(), 1..8usize).prop_map(|(end, count)| Step::Pop(end, count)),
        3 => (-40..40i64, element()).prop_map(|(index, element)| Step::Set(index, element)),
        3 => (element(), side, element()).prop_map(|(pivot, side, element)| Step::Insert(pivot, side, element)),
        2 => (element(), end(), 1..4usize).prop_map(|(element, end, max)| Step::Remove(element, end, max)),
        1 => (0..10usize, 0..10usize).prop_map(|(head, tail)| Step::Trim(head, tail)),
    ]
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, step: Step, limits: Limits) {
    match step {
        Step::Push(end, elements) => {
            list.expect(elements.iter().map(Vec::len).sum(), elements.len(), limits);
            for element in elements {
                list.push(end, &element);
                match end {
                    End::Head => model.push_front(element),
                    End::Tail => model.push_back(element),
                }
            }
        }
        Step::Pop(end, count) => {
            for _ in 0..count {
                let wanted = match end {
                    End::Head => model.pop_front(),
                    End::Tail => model.pop_back(),
                };
                assert_eq!(list.pop(end, |item| item.to_vec()), wanted);
            }
            list.shrink(limits);
        }
        Step::Set(index, element) => {
            let place = list.index(index);
            assert_eq!(list.set(index, &element, limits), place.is_some());
            if let Some(place) = place {
                model[place] = element;
            }
        }
        Step::Insert(pivot, side, element) => {
            let place = model.iter().position(|other| *other == pivot);
            assert_eq!(list.insert(&pivot, side, &element, limits), place.is_some());
            if let Some(place) = place {
                model.insert(if side == Side::Before { place } else { place + 1 }, element);
            }
        }
        Step::Remove(element, from, max) => {
            let mut places: Vec<usize> = (0..model.len()).filter(|index| model[*index] == element).collect();
            if from == End::Tail {
                places.reverse();
            }
            places.truncate(max);
            assert_eq!(list.remove_equal(&element, from, max, limits), places.len());
            places.sort_unstable();
            places.into_iter().rev().for_each(|index| drop(model.remove(index)));
        }
        Step::Trim(head, tail) => {
            let head = head.min(model.len());
            let tail = tail.min(model.len() - head);
            list.remove_range(model.len() - tail, tail, limits);
            list.remove_range(0, head, limits);
            model.truncate(model.len() - tail);
            model.drain(..head);
        }
    }
}

fn all(list: &List, from: End) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.visit(from, 0, |item| {
        all.push(item.to_vec());
        true
    });
    all
}

/// The order inside: see the tops of `quicklist` and `node`.
fn check_nodes(list: &List) {
    let ListForm::Quicklist(list) = list.form() else { return };
    let (depth, count) = (list.limits.depth as usize, list.nodes.len());
    assert_eq!(list.nodes.iter().map(|node| node.count as usize).sum::<usize>(), list.len);
    for (index, node) in list.nodes.iter().enumerate() {
        assert!(node.count > 0, "node {index} is empty");
        let is_inner = depth > 0 && index >= depth && index + depth < count;
        match &node.data {
            Data::Packed(packed) => assert_eq!(packed.len(), node.count as usize),
            Data::Plain(_) => assert_eq!(node.count, 1),
            Data::Compressed(_) => assert!(is_inner, "node {index} of {count} is compressed"),
        }
        if let (Data::Packed(packed), true) = (&node.data, is_inner) {
            let packs =
                Compressor::new().compress(packed.as_bytes(), packed.byte_len().saturating_sub(8)).is_some();
            assert!(packed.byte_len() < 48 || !packs, "node {index} of {count} is not compressed");
        }
    }
}

fn check(list: &List, model: &VecDeque<Vec<u8>>) {
    assert_eq!(list.len(), model.len());
    assert_eq!(list.is_empty(), model.is_empty());
    assert_eq!(all(list, End::Head), Vec::from(model.clone()));
    assert_eq!(all(list, End::Tail), model.iter().rev().cloned().collect::<Vec<_>>());
    check_nodes(list);
    for index in (0..model.len()).step_by(3) {
        let mut found = Vec::new();
        list.visit(End::Head, index, |item| {
            found = item.to_vec();
            false
        });
        assert_eq!(found, model[index], "index {index}");
    }
}

fn config(size: i32, depth: u32) -> Config {
    let mut config = Config::default();
    config.list_max_listpack_size = size;
    config.list_compress_depth = depth;
    config
}

proptest! {
    #[test]
    fn a_list_is_a_vector_of_elements_at_any_node_size(
        steps in proptest::collection::vec(step(), 1..60),
        size in prop_oneof![Just(-2), Just(-1), Just(3), Just(1), Just(16)],
        depth in 0..3u32,
        seed in any::<bool>(),
    ) {
        let limits = Limits::new(size, depth);
        let (mut list, mut model) = (List::default(), VecDeque::new());
        for step in steps {
            apply(&mut list, &mut model, step, limits);
            check(&list, &model);
        }
        let mut bytes = Vec::new();
        list.encode(&mut bytes, seed.then(Compressor::new).as_mut());
        let mut source = &bytes[..];
        let loaded = rdb::decode(&mut source, list.rdb_type(), &config(size, depth)).expect("written by us");
        assert!(source.is_empty());
        check(&loaded, &model);
    }
}

/// The encodings that Redis 7.2 reports, with its default of 8 KiB and with elements counted.
#[test]
fn a_list_leaves_the_listpack_at_the_limit_and_comes_back_at_half_of_it() {
    let limits = Limits::new(128, 0);
    let mut list = List::default();
    let is_listpack = |list: &List| matches!(list.form(), ListForm::Listpack(_));
    for n in 0..128 {
        list.expect(1, 1, limits);
        list.push(End::Tail, b"a");
        assert!(is_listpack(&list), "{n}");
    }
    list.expect(1, 1, limits);
    list.push(End::Tail, b"a");
    assert!(!is_listpack(&list));
    while list.len() > 65 {
        list.pop(End::Tail, |_| ());
        list.shrink(limits);
    }
    // Its elements are still spread over two nodes, or are more than half of the limit.
    assert!(!is_listpack(&list));
    list.pop(End::Tail, |_| ());
    list.shrink(limits);
    assert!(is_listpack(&list));
    let mut large = List::default();
    large.expect(8193, 1, Limits::default());
    assert!(!is_listpack(&large));
}

/// What Redis 5, 6 and 7 wrote: each list holds a, 1 and a string of thirty letters.
#[test]
fn lists_of_every_age_are_loaded() {
    let long = [b'q'; 30];
    let mut ziplist = vec![0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 1, b'a', 3, 0xf2, 2, 30];
    let last = 14u32;
    ziplist.extend_from_slice(&long);
    ziplist.push(255);
    let total = ziplist.len() as u32;
    ziplist[..4].copy_from_slice(&total.to_le_bytes());
    ziplist[4..8].copy_from_slice(&(last + 1).to_le_bytes());
    let string = |bytes: &[u8]| [&[bytes.len() as u8][..], bytes].concat();
    let plain = [&[3][..], &string(b"a"), &string(b"1"), &string(&long)].concat();
    let check = |kind, bytes: &[u8]| {
        let mut source = bytes;
        let list = rdb::decode(&mut source, kind, &Config::default()).expect("well formed");
        assert_eq!(all(&list, End::Head), [b"a".to_vec(), b"1".to_vec(), long.to_vec()], "type {kind}");
        assert!(source.is_empty());
        assert!(matches!(list.form(), ListForm::Listpack(_)));
        for cut in 0..bytes.len() {
            assert!(
                rdb::decode(&mut &bytes[..cut], kind, &Config::default()).is_err(),
                "type {kind} cut at {cut}"
            );
        }
    };
    check(value_type::LIST, &plain);
    check(value_type::LIST_ZIPLIST, &string(&ziplist));
    check(value_type::LIST_QUICKLIST, &[&[1][..], &string(&ziplist)].concat());
    let mut list = List::default();
    for element in [&b"a"[..], b"1", &long] {
        list.push(End::Tail, element);
    }
    let mut bytes = Vec::new();
    list.encode(&mut bytes, None);
    check(value_type::LIST_QUICKLIST_2, &bytes);
}

#[test]
fn hostile_bytes_are_an_error() {
    let check = |kind, bytes: &[u8]| {
        assert!(rdb::decode(&mut &bytes[..], kind, &Config::default()).is_err(), "type {kind}: {bytes:?}");
    };
    // A count of 2^40 elements, none of which is there.
    check(value_type::LIST, &[0x81, 0, 0, 1, 0, 0, 0, 0, 0]);
    check(value_type::LIST_QUICKLIST_2, &[0x81, 0, 0, 1, 0, 0, 0, 0, 0]);
    // A node that is neither plain nor packed, and one that is no listpack.
    check(value_type::LIST_QUICKLIST_2, &[1, 3, 1, b'a']);
    check(value_type::LIST_QUICKLIST_2, &[1, 2, 3, 1, 2, 3]);
    check(value_type::LIST_ZIPLIST, &[3, 1, 2, 3]);
}
