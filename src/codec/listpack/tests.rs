//! The listpack against Redis' own bytes, against a plain vector of byte strings, and against bytes that lie.
//! The captured bytes are the payload of DUMP (RDB type 16) of a small hash in redis-server 7.0.15.

use super::*;
use proptest::prelude::*;

/// HSET h f1 v1 n 7 neg -5 s 70000 m 5000000 l 3000000000 x -300 y 30000 e "" big x*70
const CAPTURED: &str = "99000000140082663103827631\
    03816e020701836e656704dffb02817302f270110104816d02f2404b4c04816c02f4005ed0b20000000009817802ded40281\
    7902f130750381650280018362696704e0467878787878787878787878787878787878787878787878787878787878787878\
    787878787878787878787878787878787878787878787878787878787878787878787878787848ff";

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn items(listpack: &Listpack) -> Vec<Vec<u8>> {
    listpack.iter().map(Item::to_vec).collect()
}

#[test]
fn the_bytes_are_those_of_redis() {
    let big = "x".repeat(70);
    let texts = [
        "f1",
        "v1",
        "n",
        "7",
        "neg",
        "-5",
        "s",
        "70000",
        "m",
        "5000000",
        "l",
        "3000000000",
        "x",
        "-300",
        "y",
        "30000",
        "e",
        "",
        "big",
        &big,
    ];
    let captured = from_hex(CAPTURED);
    let mut listpack = Listpack::new();
    texts.iter().for_each(|text| listpack.push_back(text.as_bytes()));
    assert_eq!(listpack.as_bytes(), captured);
    assert_eq!(Listpack::from_iter(texts).as_bytes(), captured);
    let loaded = Listpack::from_bytes(&captured).expect("Redis' own bytes are valid");
    assert_eq!(items(&loaded), texts.map(|text| text.as_bytes().to_vec()));
    let mut backward: Vec<Vec<u8>> = loaded.iter_rev().map(Item::to_vec).collect();
    backward.reverse();
    assert_eq!(backward, items(&loaded));
}

#[test]
fn every_width_of_integer_comes_back() {
    for shift in 0..64 {
        for around in -2i64..=2 {
            for value in [(1i64 << shift).wrapping_add(around), (-1i64 << shift).wrapping_add(around)] {
                let mut listpack = Listpack::new();
                listpack.push_back_int(value);
                listpack.push_back(value.to_string().as_bytes());
                assert_eq!(listpack.iter().collect::<Vec<_>>(), [Item::Int(value); 2]);
                assert_eq!(listpack.iter_rev().count(), 2);
                assert_eq!(Listpack::from_bytes(listpack.as_bytes()), Ok(listpack));
            }
        }
    }
}

#[test]
fn lengths_around_every_bound_come_back() {
    for len in [
        0, 1, 63, 64, 125, 126, 127, 4095, 4096, 16_376, 16_377, 16_378, 16_379, 2_097_145, 2_097_146,
        2_097_147,
    ] {
        let text = vec![b'x'; len];
        let mut listpack = Listpack::from_iter(["a"]);
        listpack.push_back_pair(&text, b"z");
        assert_eq!(items(&listpack), [b"a".to_vec(), text.clone(), b"z".to_vec()], "{len}");
        assert_eq!(listpack.iter_rev().map(Item::len).collect::<Vec<_>>(), [1, len, 1], "{len}");
        assert_eq!(Listpack::from_bytes(listpack.as_bytes()).as_ref(), Ok(&listpack), "{len}");
        assert_eq!(Listpack::element_bytes(&text), listpack.byte_len() - EMPTY_BYTES - 6, "{len}");
    }
}

#[test]
fn more_elements_than_the_header_can_tell_are_counted() {
    let mut listpack: Listpack = (0..65_534).map(|index| index.to_string()).collect();
    assert_eq!(listpack.len(), 65_534);
    listpack.push_back(b"x");
    listpack.push_front(b"y");
    assert_eq!((listpack.len(), listpack.told_count()), (65_536, COUNT_UNKNOWN));
    assert_eq!(listpack.seek(-1).map(|pos| listpack.get(pos)), Some(Item::Bytes(b"x")));
    assert_eq!(listpack.seek(65_534).map(|pos| listpack.get(pos)), Some(Item::Int(65_533)));
    assert_eq!((listpack.seek(65_536), listpack.seek(-65_537)), (None, None));
    listpack.remove_range(0, 65_000);
    assert_eq!(listpack.len(), 536);
    assert!(Listpack::from_bytes(listpack.as_bytes()).is_ok());
}

#[test]
fn a_field_is_found_among_fields_only() {
    let listpack = Listpack::from_iter(["a", "b", "b", "5", "5", "c"]);
    let first = listpack.first().expect("not empty");
    let at = |needle: &str, skip| listpack.find(needle.as_bytes(), first, skip);
    assert_eq!(at("b", 1), listpack.seek(2));
    assert_eq!(at("b", 0), listpack.seek(1));
    assert_eq!(at("5", 1), listpack.seek(4));
    assert_eq!(at("05", 1), None);
    assert_eq!(at("c", 1), None);
    assert_eq!(at("c", 4), listpack.seek(5));
    // Redis never stores an integer as a string, but a foreign payload may.
    let foreign = Listpack::from_bytes(&[10, 0, 0, 0, 1, 0, 0x81, b'5', 2, 255]).expect("valid");
    assert_eq!(foreign.find(b"5", foreign.first().expect("not empty"), 0), foreign.first());
}

#[test]
fn equal_elements_are_noticed_in_small_and_large_listpacks() {
    for len in [0, 1, 2, 24, 25, 100] {
        let mut texts: Vec<String> = (0..len).flat_map(|n| [n.to_string(), "same".into()]).collect();
        assert!(Listpack::from_iter(&texts).are_distinct(1), "{len}");
        assert_eq!(Listpack::from_iter(&texts).are_distinct(0), len < 2, "{len}");
        texts.extend(["0".to_owned(), "same".to_owned()]);
        assert_eq!(Listpack::from_iter(&texts).are_distinct(1), len == 0, "{len}");
    }
}

#[test]
fn bytes_that_lie_are_refused() {
    #[track_caller]
    fn check(bytes: &[u8], want: Invalid) {
        assert_eq!(Listpack::from_bytes(bytes), Err(want), "{bytes:?}");
    }
    check(&[], Invalid::TooShort);
    check(&[6, 0, 0, 0, 0, 0], Invalid::TooShort);
    check(&[8, 0, 0, 0, 0, 0, 255], Invalid::WrongTotal);
    check(&[7, 0, 0, 0, 0, 0, 0], Invalid::BadEnd);
    check(&[7, 0, 0, 0, 1, 0, 255], Invalid::WrongCount);
    check(&[9, 0, 0, 0, 0, 0, 1, 1, 255], Invalid::WrongCount);
    check(&[9, 0, 0, 0, 2, 0, 1, 1, 255], Invalid::WrongCount);
    check(&[9, 0, 0, 0, 1, 0, 255, 1, 255], Invalid::BadEnd);
    check(&[9, 0, 0, 0, 1, 0, 1, 2, 255], Invalid::BadBacklen);
    check(&[9, 0, 0, 0, 1, 0, 0xf5, 1, 255], Invalid::BadElement);
    check(&[9, 0, 0, 0, 1, 0, 0x81, 1, 255], Invalid::Overlong);
    check(&[8, 0, 0, 0, 1, 0, 1, 255], Invalid::Overlong);
    check(&[8, 0, 0, 0, 1, 0, 0xe1, 255], Invalid::BadElement);
    check(&[12, 0, 0, 0, 1, 0, 0xf0, 255, 255, 255, 255, 255], Invalid::Overlong);
    check(&[11, 0, 0, 0, 1, 0, 0xf0, 255, 255, 255, 255], Invalid::BadElement);
    assert!(
        Listpack::from_bytes(&[9, 0, 0, 0, 255, 255, 1, 1, 255]).is_ok_and(|listpack| listpack.len() == 1)
    );
}

/// What is done to the listpack and to its model alike; places are taken modulo the number of elements.
#[derive(Clone, Debug)]
enum Step {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    PushPair(Vec<u8>, Vec<u8>),
    InsertBefore(usize, Vec<u8>),
    InsertPair(usize, Vec<u8>, Vec<u8>),
    InsertAfter(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize),
    RemoveRange(i64, usize),
    SplitAndAppend(usize),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        3 => (-5000i64..5000).prop_map(|value| value.to_string().into_bytes()),
        4 => proptest::collection::vec(any::<u8>(), 0..80),
        1 => (100usize..5000).prop_map(|len| vec![b'z'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        text().prop_map(Step::PushBack),
        text().prop_map(Step::PushFront),
        (text(), text()).prop_map(|(a, b)| Step::PushPair(a, b)),
        (any::<usize>(), text()).prop_map(|(at, a)| Step::InsertBefore(at, a)),
        (any::<usize>(), text(), text()).prop_map(|(at, a, b)| Step::InsertPair(at, a, b)),
        (any::<usize>(), text()).prop_map(|(at, a)| Step::InsertAfter(at, a)),
        (any::<usize>(), text()).prop_map(|(at, a)| Step::Replace(at, a)),
        any::<usize>().prop_map(Step::Remove),
        (-30i64..30, 0usize..6).prop_map(|(index, count)| Step::RemoveRange(index, count)),
        any::<usize>().prop_map(Step::SplitAndAppend),
    ]
}

fn apply(step: Step, listpack: &mut Listpack, model: &mut Vec<Vec<u8>>) {
    let place = |at: usize| (!model.is_empty()).then(|| at % model.len());
    let pos = |listpack: &Listpack, index: usize| listpack.seek(index as i64).expect("within the model");
    match step {
        Step::PushBack(a) => {
            listpack.push_back(&a);
            model.push(a);
        }
        Step::PushFront(a) => {
            listpack.push_front(&a);
            model.insert(0, a);
        }
        Step::PushPair(a, b) => {
            listpack.push_back_pair(&a, &b);
            model.extend([a, b]);
        }
        Step::InsertBefore(at, a) => {
            let Some(index) = place(at) else { return };
            let new = listpack.insert_before(pos(listpack, index), &a);
            assert!(listpack.get(new).eq_bytes(&a));
            model.insert(index, a);
        }
        Step::InsertPair(at, a, b) => {
            let Some(index) = place(at) else { return };
            listpack.insert_pair_before(pos(listpack, index), &a, &b);
            model.insert(index, b);
            model.insert(index, a);
        }
        Step::InsertAfter(at, a) => {
            let Some(index) = place(at) else { return };
            let new = listpack.insert_after(pos(listpack, index), &a);
            assert!(listpack.get(new).eq_bytes(&a));
            model.insert(index + 1, a);
        }
        Step::Replace(at, a) => {
            let Some(index) = place(at) else { return };
            listpack.replace(pos(listpack, index), &a);
            model[index] = a;
        }
        Step::Remove(at) => {
            let Some(index) = place(at) else { return };
            let next = listpack.remove(pos(listpack, index)).map(|next| listpack.get(next).to_vec());
            model.remove(index);
            assert_eq!(next.as_ref(), model.get(index));
        }
        Step::RemoveRange(index, count) => {
            listpack.remove_range(index, count);
            let start = if index < 0 { model.len() as i64 + index } else { index };
            if (0..model.len() as i64).contains(&start) {
                model.drain(start as usize..(start as usize + count).min(model.len()));
            }
        }
        Step::SplitAndAppend(at) => {
            let Some(index) = place(at) else { return };
            let tail = listpack.split_off(pos(listpack, index));
            assert_eq!(items(&tail), model[index..]);
            assert_eq!(items(listpack), model[..index]);
            listpack.append(&tail);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_holds_what_a_vector_would(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut listpack, mut model) = (Listpack::new(), Vec::new());
        for step in steps {
            apply(step, &mut listpack, &mut model);
            prop_assert_eq!(items(&listpack), model.clone());
            prop_assert_eq!(listpack.len(), model.len());
            prop_assert_eq!(&Listpack::from_iter(&model), &listpack);
            prop_assert!(Listpack::from_bytes(listpack.as_bytes()).is_ok_and(|copy| copy == listpack));
        }
        let mut reversed: Vec<_> = listpack.iter_rev().map(Item::to_vec).collect();
        reversed.reverse();
        prop_assert_eq!(reversed, model.clone());
        for (index, text) in model.iter().enumerate() {
            let found = listpack.find(text, listpack.first().expect("not empty"), 0).expect("it is in there");
            prop_assert!(listpack.get(found).eq_bytes(text));
            prop_assert!(found <= listpack.seek(index as i64).expect("within"));
        }
        prop_assert_eq!(listpack.clone(), listpack);
    }

    #[test]
    fn changed_bytes_are_refused_or_can_be_walked(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = from_hex(CAPTURED);
        for (index, byte) in flips {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(listpack) = Listpack::from_bytes(&bytes) {
            prop_assert_eq!(listpack.iter().count(), listpack.len());
            prop_assert_eq!(listpack.iter_rev().count(), listpack.len());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let total = bytes.len() as u32;
        if let Some(head) = bytes.get_mut(..4) {
            head.copy_from_slice(&total.to_le_bytes());
        }
        if let Ok(listpack) = Listpack::from_bytes(&bytes) {
            prop_assert_eq!(listpack.iter().count(), listpack.iter_rev().count());
        }
    }
}
