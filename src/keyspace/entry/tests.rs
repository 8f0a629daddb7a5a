//! Entries through every change of value, kind and deadline.
//!
//! Always: key, deadline and stamp survive whatever happens to the value.

use super::{Encoding, Entry, INLINE_BYTES_MAX};
use crate::base::ids::UnixMs;
use crate::types::Str;

fn check(entry: &Entry, key: &[u8], value: &[u8], deadline: Option<i64>) {
    assert_eq!(entry.key(), key);
    assert_eq!(entry.as_str().expect("a string").to_vec(), value);
    assert_eq!(entry.deadline(), deadline.map(UnixMs));
}

#[test]
fn an_entry_keeps_its_key_through_every_change_of_value_and_deadline() {
    let big = vec![b'x'; INLINE_BYTES_MAX + 1];
    let values: [&[u8]; 6] = [b"", b"12", b"-5", b"hello", &[0, 255, 10], &big];
    for first in values {
        for second in values {
            let mut entry = Entry::string(b"a key", Str::encode(first), None, 7, 3);
            check(&entry, b"a key", first, None);
            entry.set_deadline(Some(UnixMs(99)));
            check(&entry, b"a key", first, Some(99));
            entry.set_string(Str::encode(second));
            check(&entry, b"a key", second, Some(99));
            entry.set_deadline(None);
            check(&entry, b"a key", second, None);
            entry.bytes_mut().expect("a string").extend_from_slice(b"++");
            check(&entry, b"a key", &[second, b"++"].concat(), None);
            assert_eq!(entry.encoding(), Encoding::Raw);
            entry.set_string(Str::encode(first));
            check(&entry, b"a key", first, None);
            let copy = entry.copy_as(b"b", Some(UnixMs(1)), 8, 4);
            check(&copy, b"b", first, Some(1));
            assert_eq!((entry.stamp(), entry.clock(), copy.stamp(), copy.clock()), (7, 3, 8, 4));
        }
    }
}

#[test]
fn encodings_are_named_as_redis_names_them() {
    let of = |bytes: &[u8]| Entry::string(b"k", Str::encode(bytes), None, 0, 0).encoding();
    assert_eq!(of(b"17"), Encoding::Int);
    assert_eq!(of(&[b'a'; 44]), Encoding::Embstr);
    assert_eq!(of(&[b'a'; 45]), Encoding::Raw);
}
