//! Fuzzes lists: decoding of whatever calls itself one, and a sequence of changes against a vector. Run it with `fuzz/run`.
//!
//! Always: arbitrary bytes give an error or a list that can be written and read back; a list of any node size and compression
//! depth holds what a vector would hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::codec::rdb::value_type;
use starling::config::Config;
use starling::types::list::{End, Limits, Side, rdb};
use starling::types::{Collection, List};

fn elements(list: &List) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.visit(End::Head, 0, |item| {
        all.push(item.to_vec());
        true
    });
    all
}

fn check_decode(kind: u8, bytes: &[u8], config: &Config) {
    let Ok(list) = rdb::decode(&mut &bytes[..], kind, config) else { return };
    let all = elements(&list);
    assert_eq!(all.len(), list.len());
    let mut backward = Vec::new();
    list.visit(End::Tail, 0, |item| {
        backward.push(item.to_vec());
        true
    });
    backward.reverse();
    assert_eq!(all, backward);
    let mut written = Vec::new();
    list.encode(&mut written, None);
    let again = rdb::decode(&mut &written[..], list.rdb_type(), config).expect("our own bytes");
    assert_eq!(elements(&again), all);
}

/// Each step is a byte that says what to do, one for a place, one for an element.
fn check_model(bytes: &[u8], limits: Limits) {
    let (mut list, mut model) = (List::default(), Vec::<Vec<u8>>::new());
    for step in bytes.chunks_exact(3) {
        let element = vec![b'a' + step[2] % 4; 1 + usize::from(step[2]) * usize::from(step[2] % 5 == 0)];
        let end = if step[1] % 2 == 0 { End::Head } else { End::Tail };
        let index = usize::from(step[1]) % (model.len() + 1);
        match step[0] % 8 {
            0 => {
                let wanted = if end == End::Head { model.first() } else { model.last() }.cloned();
                assert_eq!(list.pop(end, |item| item.to_vec()), wanted);
                if wanted.is_some() {
                    model.remove(if end == End::Head { 0 } else { model.len() - 1 });
                }
                list.shrink(limits);
            }
            1 => {
                assert_eq!(list.set(index as i64, &element, limits), index < model.len());
                if index < model.len() {
                    model[index] = element;
                }
            }
            2 => {
                let pivot = vec![b'a' + step[1] % 4];
                let at = model.iter().position(|other| *other == pivot);
                let side = if step[1] % 8 < 4 { Side::Before } else { Side::After };
                assert_eq!(list.insert(&pivot, side, &element, limits), at.is_some());
                if let Some(at) = at {
                    model.insert(at + usize::from(side == Side::After), element);
                }
            }
            3 => {
                let equal = model.iter().filter(|other| **other == element).count();
                assert_eq!(list.remove_equal(&element, end, usize::MAX, limits), equal);
                model.retain(|other| *other != element);
            }
            4 => {
                let count = (model.len() - index).min(usize::from(step[2]));
                list.remove_range(index, count, limits);
                model.drain(index..index + count);
            }
            _ => {
                list.expect(element.len(), 1, limits);
                list.push(end, &element);
                model.insert(if end == End::Head { 0 } else { model.len() }, element);
            }
        }
        assert_eq!(elements(&list), model);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let config = Config::default();
    match kind % 6 {
        0 => check_decode(value_type::LIST, bytes, &config),
        1 => check_decode(value_type::LIST_ZIPLIST, bytes, &config),
        2 => check_decode(value_type::LIST_QUICKLIST, bytes, &config),
        3 => check_decode(value_type::LIST_QUICKLIST_2, bytes, &config),
        _ => check_model(
            bytes,
            Limits::new([-1, 2, 5, -2][usize::from(kind / 6) % 4], u32::from(kind / 24) % 3),
        ),
    }
});
