//! Zipmap: what Redis used for small hashes before version 2.6. It is only read: `to_listpack` gives the same fields and
//! values, alternating, in today's form. Called by the hash type's `rdb.rs`.
//!
//! ```text
//!   | pairs: 1 byte, 254 and more = unknown | len | field | len | free: 1 byte | value | free bytes | ... | 255 |
//!   len = 1 byte below 254, or 254 and 4 bytes LE
//! ```
//!
//! Always: every byte is checked before it is believed. That fields are distinct is left to the caller.

use crate::codec::listpack::{Builder, Listpack};

const END: u8 = 255;
const LONG: u8 = 254;

/// What is wrong with bytes that are no zipmap, for error types that carry a static text.
pub const BAD_ZIPMAP: &str = "a zipmap is not well-formed";

/// Fields and values, alternating. `None` if the bytes are no zipmap.
pub fn to_listpack(bytes: &[u8]) -> Option<Listpack> {
    let (&pairs, mut rest) = bytes.split_first()?;
    let mut listpack = Builder::new();
    while *rest.first()? != END {
        let field = take(&mut rest, length)?;
        let mut free = 0;
        let value = take(&mut rest, |rest| {
            let len = length(rest)?;
            free = usize::from(*take_bytes(rest, 1)?.first()?);
            Some(len)
        })?;
        take_bytes(&mut rest, free)?;
        listpack.push(field);
        listpack.push(value);
    }
    let is_told = pairs < LONG;
    let fits = rest.len() == 1 && (!is_told || usize::from(pairs) == listpack.len() / 2);
    fits.then(|| listpack.finish())
}

fn take<'a>(
    rest: &mut &'a [u8],
    mut read_len: impl FnMut(&mut &'a [u8]) -> Option<usize>,
) -> Option<&'a [u8]> {
    let len = read_len(rest)?;
    take_bytes(rest, len)
}

fn take_bytes<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    match *take_bytes(rest, 1)?.first()? {
        END => None,
        LONG => {
            let bytes: [u8; 4] = take_bytes(rest, 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(bytes) as usize)
        }
        len => Some(usize::from(len)),
    }
}

#[cfg(test)]
mod tests {
    use super::to_listpack;
    use crate::codec::listpack::Item;
    use proptest::prelude::*;

    const SAMPLE: &[u8] = b"\x02\x03foo\x05\x00world\x02hi\x03\x02you??\xff";

    #[test]
    fn fields_and_values_are_read_and_free_bytes_are_not() {
        let listpack = to_listpack(SAMPLE).expect("well-formed");
        let texts: Vec<Vec<u8>> = listpack.iter().map(Item::to_vec).collect();
        assert_eq!(texts, [b"foo".to_vec(), b"world".to_vec(), b"hi".to_vec(), b"you".to_vec()]);
        let long = [b"\xfe\xfe\x2c\x01\x00\x00".as_slice(), &[b'f'; 300], b"\x00\x00\xff"].concat();
        assert_eq!(to_listpack(&long).expect("well-formed").len(), 2);
        assert!(to_listpack(b"\x00\xff").is_some_and(|empty| empty.is_empty()));
    }

    #[test]
    fn bytes_that_lie_are_refused() {
        for bytes in [
            b"".as_slice(),
            b"\x00",
            b"\x01\xff",
            b"\x01\x03fo\xff",
            b"\x01\x01f\x01\x00\xff",
            b"\x01\x01f\x01\x05v\xff",
            b"\x01\x01f\xff",
            b"\x01\x01f\x01\x00v",
            b"\x01\x01f\x01\x00v\xff\xff",
            b"\x01\xfe\xff\xff\xff\xfff\x01\x00v\xff",
        ] {
            assert_eq!(to_listpack(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = to_listpack(&bytes);
        }
    }
}
