//! Fuzzes the RDB stream reader, which takes bytes from files and from whatever calls itself a primary.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary contents give events or an error; pieces of any size give the same as the whole; and what
//! was read can be written again and read back.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use starling::codec::crc64::checksum;
use starling::codec::rdb::decode::{RdbString, read_string};
use starling::codec::rdb::reader::{Event, KeyHead, RdbReader};
use starling::codec::rdb::{Dialect, RdbError, encode, opcode, value_type};

/// Hands out pieces of the sizes that the fuzzer chose, over and over.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: &'a [u8],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let size =
            self.sizes.get(self.turn % self.sizes.len().max(1)).map_or(1, |&size| usize::from(size) + 1);
        self.turn += 1;
        let count = into.len().min(size);
        self.bytes.read(&mut into[..count])
    }
}

type Seen = Vec<(Event, Option<RdbString>)>;

fn read_all(stream: impl Read, verify: bool) -> (Seen, Option<RdbError>) {
    let mut seen = Vec::new();
    let mut reader = match RdbReader::new(stream) {
        Ok(reader) => reader,
        Err(error) => return (seen, Some(error)),
    };
    reader.set_verify_checksum(verify);
    loop {
        let event = match reader.next_event() {
            Ok(event) => event,
            Err(error) => return (seen, Some(error)),
        };
        match &event {
            Event::Key(KeyHead { value_type: value_type::STRING, .. }) => match read_string(&mut reader) {
                Ok(value) => seen.push((event, Some(value))),
                Err(error) => return (seen, Some(error)),
            },
            Event::Key(head) => return (seen, Some(RdbError::UnknownType(head.value_type))),
            Event::Eof { .. } => {
                seen.push((event, None));
                return (seen, None);
            }
            _ => seen.push((event, None)),
        }
    }
}

/// The keys and databases of a stream, written anew.
fn rewrite(seen: &Seen) -> Vec<u8> {
    let mut out = Vec::new();
    encode::write_header(&mut out, Dialect::Common);
    for (event, value) in seen {
        match (event, value) {
            (Event::SelectDb(db), _) => encode::write_select_db(&mut out, *db),
            (Event::Aux { name, value }, _) => encode::write_aux(&mut out, name, value),
            (Event::Key(head), Some(value)) => {
                if let Some(deadline_ms) = head.expire_at_ms {
                    encode::write_expire_ms(&mut out, deadline_ms);
                }
                out.push(head.value_type);
                encode::write_string(&mut out, &head.key, None);
                match value {
                    RdbString::Int(value) => encode::write_integer(&mut out, *value),
                    RdbString::Bytes(bytes) => encode::write_string(&mut out, bytes, None),
                }
            }
            _ => {}
        }
    }
    encode::write_eof(&mut out);
    let sum = checksum(&out);
    encode::write_checksum(&mut out, sum);
    out
}

fn keys(seen: &Seen) -> Vec<(Vec<u8>, Option<i64>, Vec<u8>)> {
    let key = |(event, value): &(Event, Option<RdbString>)| match (event, value) {
        (Event::Key(head), Some(value)) => {
            Some((head.key.clone(), head.expire_at_ms, value.clone().into_bytes()))
        }
        _ => None,
    };
    seen.iter().filter_map(key).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else { return };
    let (sizes, bytes) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let (whole, error) = read_all(bytes, false);
    let (pieces, pieces_error) = read_all(Pieces { bytes, sizes, turn: 0 }, false);
    assert_eq!(whole, pieces);
    assert_eq!(error.map(|error| error.to_string()), pieces_error.map(|error| error.to_string()));
    let (again, error) = read_all(&rewrite(&whole)[..], true);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(keys(&again), keys(&whole));

    // The same bytes as the contents of a stream whose ends are right, so that the fuzzer need not find a header.
    let mut framed = [b"REDIS0012", bytes, &[opcode::EOF]].concat();
    let sum = checksum(&framed);
    encode::write_checksum(&mut framed, sum);
    read_all(&framed[..], true);
});
