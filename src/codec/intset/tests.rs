//! Tests of the intset: Redis' bytes, a model, and bytes from elsewhere.
//!
//! Expected bytes are those that redis-server 7.0.15 dumps. Always: a test of random input shrinks by proptest.

use super::{Intset, IntsetError};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn of(values: &[i64]) -> Intset {
    let mut set = Intset::new();
    values.iter().for_each(|value| assert!(set.add(*value)));
    set
}

#[test]
fn bytes_are_those_of_redis() {
    let check = |values: &[i64], expected: &[u8]| assert_eq!(of(values).as_bytes(), expected, "{values:?}");
    check(&[], b"\x02\0\0\0\0\0\0\0");
    check(&[3, 1, 2], b"\x02\0\0\0\x03\0\0\0\x01\0\x02\0\x03\0");
    check(&[1, -40000], b"\x04\0\0\0\x02\0\0\0\xc0\x63\xff\xff\x01\0\0\0");
    check(&[-1, 1 << 40], b"\x08\0\0\0\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\x01\0\0");
}

#[test]
fn the_width_stays_when_the_widest_goes() {
    let mut set = of(&[1, 1 << 20]);
    assert!(set.remove(1 << 20));
    assert_eq!(set.as_bytes(), b"\x04\0\0\0\x01\0\0\0\x01\0\0\0");
    assert!(!set.remove(2));
    assert!(set.remove(1));
    assert!(set.is_empty());
    assert_eq!((set.min(), set.max()), (None, None));
}

#[test]
fn bytes_that_lie_are_refused() {
    let check = |bytes: &[u8], error| assert_eq!(Intset::from_bytes(bytes).err(), Some(error), "{bytes:?}");
    check(b"", IntsetError::Header);
    check(b"\x02\0\0\0\x01\0\0", IntsetError::Header);
    check(b"\x03\0\0\0\x01\0\0\0\x01\0\0", IntsetError::Header);
    check(b"\x02\0\0\0\0\0\0\0", IntsetError::Count);
    check(b"\x02\0\0\0\x02\0\0\0\x01\0", IntsetError::Count);
    check(b"\x02\0\0\0\x01\0\0\0\x01\0\x02\0", IntsetError::Count);
    check(b"\x08\0\0\0\xff\xff\xff\xff\x01\0", IntsetError::Count);
    check(b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0", IntsetError::Order);
    check(b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0", IntsetError::Order);
}

/// Integers around the limits of the widths, where the mistakes are.
fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -5i64..5,
        2 => (i64::from(i16::MIN) - 2)..(i64::from(i16::MIN) + 2),
        2 => (i64::from(i16::MAX) - 2)..(i64::from(i16::MAX) + 3),
        1 => (i64::from(i32::MAX) - 2)..(i64::from(i32::MAX) + 3),
        1 => any::<i64>(),
    ]
}

proptest! {
    #[test]
    fn an_intset_behaves_as_a_sorted_set_of_integers(steps in prop::collection::vec((any::<bool>(), integer()), 0..80)) {
        let (mut set, mut model) = (Intset::new(), BTreeSet::new());
        for (adds, value) in steps {
            if adds {
                prop_assert_eq!(set.add(value), model.insert(value));
            } else {
                prop_assert_eq!(set.remove(value), model.remove(&value));
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert_eq!(set.contains(value), model.contains(&value));
            prop_assert_eq!((set.min(), set.max()), (model.first().copied(), model.last().copied()));
        }
        let copy = set.clone();
        prop_assert_eq!(copy.as_bytes(), set.as_bytes());
        if !set.is_empty() {
            let read = Intset::from_bytes(set.as_bytes()).expect("our own bytes");
            prop_assert!(read.iter().eq(model.into_iter()));
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_come_back(width in 0u8..10, count in 0u8..4, tail in prop::collection::vec(any::<u8>(), 0..24)) {
        let mut bytes = vec![width, 0, 0, 0, count, 0, 0, 0];
        bytes.extend(tail);
        if let Ok(set) = Intset::from_bytes(&bytes) {
            prop_assert_eq!(set.as_bytes(), &bytes[..]);
        }
    }
}
