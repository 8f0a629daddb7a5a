//! Entries through every change of value, kind and deadline.
//!
//! Always: key, deadline and stamp survive whatever happens to the value.

use super::{Encoding, Entry, INLINE_BYTES_MAX};
use crate::base::ids::UnixMs;
use crate::types::list::End;
use crate::types::{Collection, List, Str, Value};

fn check(entry: &Entry, key: &[u8], value: &[u8], deadline: Option<i64>) {
    assert_eq!(entry.key(), key);
    assert_eq!(entry.as_str().expect("a string").to_vec(), value);
    assert_eq!(entry.deadline(), deadline.map(UnixMs));
}

#[test]
fn an_entry_keeps_its_key_through_every_change_of_value_and_deadline() {
    // The lengths at which those of key and value begin to take more bytes are among them.
    let long = [b'k'; 70_000];
    for key in [&b"a key"[..], b"", &long[..255], &long[..256], &long] {
        let big = vec![b'x'; INLINE_BYTES_MAX + 1];
        let values: [&[u8]; 9] = [
            b"",
            b"12",
            b"-5",
            b"hello",
            &[0, 255, 10],
            &big[..255],
            &big[..256],
            &big[..INLINE_BYTES_MAX],
            &big,
        ];
        for first in values {
            for second in values {
                change_to_and_fro(key, first, second);
            }
        }
    }
}

fn change_to_and_fro(key: &[u8], first: &[u8], second: &[u8]) {
    let mut entry = Entry::string(key, Str::encode(first), None, 7, 3);
    check(&entry, key, first, None);
    entry.set_deadline(Some(UnixMs(99)));
    check(&entry, key, first, Some(99));
    entry.set_string(Str::encode(second));
    check(&entry, key, second, Some(99));
    entry.set_deadline(None);
    check(&entry, key, second, None);
    entry.bytes_mut().expect("a string").extend_from_slice(b"++");
    check(&entry, key, &[second, b"++"].concat(), None);
    assert_eq!(entry.encoding(), Encoding::Raw);
    entry.set_string(Str::encode(first));
    check(&entry, key, first, None);
    let copy = entry.copy_as(b"b", Some(UnixMs(1)), 8, 4);
    check(&copy, b"b", first, Some(1));
    assert_eq!((entry.stamp(), entry.clock(), copy.stamp(), copy.clock()), (7, 3, 8, 4));
    let old = entry.exchange(Entry::string(key, Str::encode(second), None, 9, 5));
    check(&old, key, first, None);
    check(&entry, key, second, None);
    check(&entry.renamed(b"another", None, 1, 2), b"another", second, None);
}

#[test]
fn a_collection_moves_to_another_key_without_a_copy() {
    let list: List = (0..100).fold(List::default(), |mut list, _| {
        list.push(End::Tail, b"element");
        list
    });
    let mut entry = Entry::new(b"key", Value::List(list), Some(UnixMs(4)), 1, 2);
    entry.set_deadline(None);
    let address = std::ptr::from_ref(entry.get::<List>().expect("a list"));
    let entry = entry.renamed(&[b'n'; 300], None, 1, 2);
    let list = entry.get::<List>().expect("a list");
    assert_ne!(address, std::ptr::from_ref(list));
    assert_eq!((list.len(), entry.key()), (100, &[b'n'; 300][..]));
}

#[test]
fn small_entries_take_what_they_need() {
    let bytes = |key: &[u8], value: Value| Entry::new(key, value, None, 0, 0).heap_bytes();
    assert_eq!(bytes(&[b'k'; 16], Value::Bytes(vec![b'v'; 64])), 96);
    assert_eq!(bytes(&[b'k'; 16], Value::Int(1)), 40);
    assert_eq!(bytes(&[b'k'; 13], Value::List(List::default())), 32 + 8);
}

#[test]
fn encodings_are_named_as_redis_names_them() {
    let of = |bytes: &[u8]| Entry::string(b"k", Str::encode(bytes), None, 0, 0).encoding();
    assert_eq!(of(b"17"), Encoding::Int);
    assert_eq!(of(&[b'a'; 44]), Encoding::Embstr);
    assert_eq!(of(&[b'a'; 45]), Encoding::Raw);
}
