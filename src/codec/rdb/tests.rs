//! Fixtures made by redis-server 7.0.15, round trips, and streams that are cut, changed or made up.

use std::io::Read;

use super::decode::{RdbString, read_bytes, read_length, read_string};
use super::dump::{Dump, dump_payload, verify_dump};
use super::reader::{Event, KeyHead, ModuleId, RdbReader, Verified};
use super::source::{Source, StreamSource};
use super::{Dialect, Format, RdbError, encode, opcode, value_type};
use crate::base::random::Rng;
use crate::codec::crc64::checksum;
use crate::codec::lzf::Compressor;
use proptest::prelude::*;

/// What redis-server 7.0.15 saved: ten strings in all encodings, one of them with a deadline, in databases 0 and 3.
const REDIS_FILE: &str = "\
    524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c2cf \
    b2046bfa08757365642d6d656dc2e0190f00fa08616f662d62617365c000fe00fb09010003613235c30919016161e00c0001 \
    616100056c656e36333f6162636465666768696a6b6c6d6e6f707172737475767778797a3031323334353637383941424344 \
    45464748494a4b4c4d4e4f505152535455565758595a7e0003693332c27011010000026938c00c00037261770568656c6c6f \
    0003693136c1d4fe00056c656e37304046393930306164393038303264343964343931616235393539636132386437666335 \
    61653666396633666631643337643862336461653166643534623263663662336330316137fc7bd8c32cbb03000000036c7a \
    66c30937016161e02a0001616100036936340e3132333435363738393031323334fe03fb010000056f746865720530303031 \
    32ff8fbc3ddaae89bc36 \
";

fn redis_file() -> Vec<u8> {
    let digits: Vec<u8> = REDIS_FILE.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Everything in a stream of strings: the events, and the value behind each key.
fn read_all(stream: impl Read) -> Result<Vec<(Event, Option<RdbString>)>, RdbError> {
    let mut reader = RdbReader::new(stream)?;
    let mut seen = Vec::new();
    loop {
        let event = reader.next_event()?;
        let value = match &event {
            Event::Key(KeyHead { value_type: value_type::STRING, .. }) => Some(read_string(&mut reader)?),
            Event::Key(head) => return Err(RdbError::UnknownType(head.value_type)),
            Event::Eof { .. } => {
                seen.push((event, None));
                return Ok(seen);
            }
            Event::Aux { .. }
            | Event::SelectDb(_)
            | Event::ResizeDb { .. }
            | Event::SlotInfo { .. }
            | Event::Function(_)
            | Event::ModuleAux { .. } => None,
        };
        seen.push((event, value));
    }
}

/// A reader that hands out one byte at a time, as a slow socket would.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(1);
        self.0.read(&mut into[..count])
    }
}

fn aux(name: &str, value: &str) -> Event {
    Event::Aux { name: name.into(), value: value.into() }
}

fn key(name: &str, expire_at_ms: Option<i64>) -> Event {
    let (idle_seconds, frequency) = (None, None);
    Event::Key(KeyHead { key: name.into(), value_type: 0, expire_at_ms, idle_seconds, frequency })
}

#[test]
fn a_file_saved_by_redis_is_read() {
    let bytes = |text: &str| Some(RdbString::Bytes(text.into()));
    let want = vec![
        (aux("redis-ver", "7.0.15"), None),
        (aux("redis-bits", "64"), None),
        (aux("ctime", "1795470031"), None),
        (aux("used-mem", "989664"), None),
        (aux("aof-base", "0"), None),
        (Event::SelectDb(0), None),
        (Event::ResizeDb { keys: 9, expires: 1 }, None),
        (key("a25", None), bytes(&"a".repeat(25))),
        (key("len63", None), bytes("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ~")),
        (key("i32", None), Some(RdbString::Int(70000))),
        (key("i8", None), Some(RdbString::Int(12))),
        (key("raw", None), bytes("hello")),
        (key("i16", None), Some(RdbString::Int(-300))),
        (key("len70", None), bytes("9900ad90802d49d491ab5959ca28d7fc5ae6f9f3ff1d37d8b3dae1fd54b2cf6b3c01a7")),
        (key("lzf", Some(4102444800123)), bytes(&"a".repeat(55))),
        (key("i64", None), bytes("12345678901234")),
        (Event::SelectDb(3), None),
        (Event::ResizeDb { keys: 1, expires: 0 }, None),
        (key("other", None), bytes("00012")),
        (Event::Eof { checksum: Verified::Right }, None),
    ];
    let file = redis_file();
    assert_eq!(read_all(&file[..]).unwrap(), want);
    assert_eq!(read_all(Drip(&file)).unwrap(), want);
}

#[test]
fn a_file_cut_anywhere_is_truncated() {
    let file = redis_file();
    for len in 0..file.len() {
        match read_all(&file[..len]) {
            Err(RdbError::Truncated) => {}
            other => panic!("cut at {len}: {other:?}"),
        }
    }
}

#[test]
fn a_changed_byte_never_passes_and_never_panics() {
    let file = redis_file();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            // REDIS0011, 0012 and 0000... are versions of their own; the checksum covers the header as well.
            assert!(read_all(&changed[..]).is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn bytes_behind_the_end_are_given_back() {
    let mut stream = redis_file();
    let len = stream.len() as u64;
    stream.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let mut reader = RdbReader::new(&stream[..]).unwrap();
    loop {
        match reader.next_event().unwrap() {
            Event::Key(_) => drop(read_bytes(&mut reader).unwrap()),
            Event::Eof { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reader.position(), len);
    assert_eq!(reader.into_parts().1, b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn headers_name_what_they_are() {
    #[track_caller]
    fn check(header: &[u8; 9], want: Result<Format, &str>) {
        let got = Format::parse(header).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned));
    }
    let known = "(known are REDIS0001 to REDIS0013 and VALKEY080)";
    check(b"REDIS0001", Ok(Format::Redis(1)));
    check(b"REDIS0013", Ok(Format::Redis(13)));
    check(b"VALKEY080", Ok(Format::Valkey(80)));
    check(b"REDIS0000", Err(&format!("can't handle RDB format REDIS0000 {known}")));
    check(b"REDIS0014", Err(&format!("can't handle RDB format REDIS0014 {known}")));
    check(b"REDIS0080", Err(&format!("can't handle RDB format REDIS0080 {known}")));
    check(b"VALKEY081", Err(&format!("can't handle RDB format VALKEY081 {known}")));
    check(b"VALKEY011", Err(&format!("can't handle RDB format VALKEY011 {known}")));
    for header in [b"REDIS001x", b"redis0010", b"VALKEY0 0", b"<html>   ", b"REDIS-001"] {
        assert!(matches!(Format::parse(header), Err(RdbError::BadMagic)));
    }
}

#[test]
fn types_belong_to_their_format() {
    #[track_caller]
    fn check(format: Format, refused: &[u8]) {
        for value_type in 0..opcode::HASH_TEMPLATE {
            let known = value_type < 27 && !refused.contains(&value_type);
            assert_eq!(format.knows_type(value_type), known, "{format} {value_type}");
        }
    }
    check(Format::Redis(12), &[8, 22, 23]);
    check(Format::Valkey(80), &[8, 23, 24, 25, 26]);
}

/// A stream with the given contents and a right checksum.
fn stream_of(header: &[u8], contents: &[u8]) -> Vec<u8> {
    let mut stream = [header, contents, &[opcode::EOF]].concat();
    let sum = checksum(&stream);
    encode::write_checksum(&mut stream, sum);
    stream
}

#[test]
fn every_opcode_is_read() {
    #[track_caller]
    fn check(contents: &[u8], want: Event) {
        let value = matches!(want, Event::Key(_)).then_some(RdbString::Bytes(b"v".into()));
        let seen = read_all(&stream_of(b"REDIS0012", contents)[..]).unwrap();
        assert_eq!(seen, [(want, value), (Event::Eof { checksum: Verified::Right }, None)]);
    }
    let head =
        KeyHead { key: b"k".into(), value_type: 0, expire_at_ms: None, idle_seconds: None, frequency: None };
    check(
        b"\xfd\x01\x02\0\0\0\x01k\x01v",
        Event::Key(KeyHead { expire_at_ms: Some(513_000), ..head.clone() }),
    );
    check(
        b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xf8\x41\0\0\x01k\x01v",
        Event::Key(KeyHead { expire_at_ms: Some(-1), idle_seconds: Some(256), ..head.clone() }),
    );
    check(b"\xf9\xff\0\x01k\x01v", Event::Key(KeyHead { frequency: Some(255), ..head }));
    check(b"\xf4\x41\x00\x02\x01", Event::SlotInfo { slot: 256, keys: 2, expires: 1 });
    check(b"\xf5\x04#!lu", Event::Function(b"#!lu".into()));
    let module =
        [&b"\xf7\x81"[..], &module_id("bloom-flt", 3).0.to_be_bytes(), b"\x02\x01\x01\x05\x03\0\0\0\0"];
    let rest = b"\x04\0\0\0\0\0\0\0\0\x05\xc0\x07\0";
    check(&[&module.concat()[..], rest].concat(), Event::ModuleAux { module: module_id("bloom-flt", 3) });
    assert_eq!(module_id("bloom-flt", 3).name(), "bloom-flt");
}

fn module_id(name: &str, version: u64) -> ModuleId {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let packed = name.chars().fold(0, |id, c| id << 6 | alphabet.find(c).unwrap() as u64);
    ModuleId(packed << 10 | version)
}

#[test]
fn what_cannot_be_read_is_named() {
    #[track_caller]
    fn check(header: &[u8; 9], contents: &[u8], want: &str) {
        let error = read_all(&stream_of(header, contents)[..]).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    check(b"REDIS0012", b"\x16\x01k", "values of RDB type 22 can't be loaded");
    check(b"VALKEY080", b"\x18\x01k", "values of RDB type 24 can't be loaded");
    check(b"REDIS0012", b"\x04\x01k", "values of RDB type 4 can't be loaded");
    check(b"REDIS0012", b"\xf6", "RDB opcode 246 is not understood");
    check(b"REDIS0013", b"\xf3", "RDB opcode 243 is not understood");
    check(b"REDIS0012", b"\xf2", "RDB opcode 242 is not understood");
    check(b"REDIS0010", b"\xfe\xc0", "the RDB is corrupt: a string encoding stands where a length should");
    check(b"REDIS0010", b"\xfe\x82", "the RDB is corrupt: a length starts with an undefined byte");
    check(b"REDIS0010", b"\0\xc4", "the RDB is corrupt: a string has an undefined encoding");
    check(b"REDIS0010", b"\xf7\x05\x06", "the RDB is corrupt: a module's data has a piece of undefined kind");
    check(
        b"REDIS0010",
        b"\0\xc3\x01\x04\0",
        "the RDB is corrupt: a compressed string ends within an instruction",
    );
    check(
        b"REDIS0010",
        b"\0\xc3\x02\x03\x20\0",
        "the RDB is corrupt: a compressed string refers to before its start",
    );
    check(b"REDIS0010", b"\0\xc3\x02\x02\0a", "the RDB is corrupt: a compressed string has another length");
    check(
        b"REDIS0010",
        b"\0\x81\0\0\0\x01\0\0\0\x01",
        "an RDB string of 4294967297 bytes is over the limit of 4294967296 bytes",
    );
}

#[test]
fn checksums_are_compared_unless_absent_old_or_unwanted() {
    #[track_caller]
    fn check(stream: &[u8], verify: bool, want: Result<Verified, &str>) {
        let mut reader = RdbReader::new(stream).unwrap();
        reader.set_verify_checksum(verify);
        let got = reader.next_event().map_err(|error| error.to_string());
        assert_eq!(got, want.map(|checksum| Event::Eof { checksum }).map_err(str::to_owned));
    }
    check(&stream_of(b"REDIS0010", b""), true, Ok(Verified::Right));
    check(b"REDIS0010\xff\0\0\0\0\0\0\0\0", true, Ok(Verified::NotStored));
    check(b"REDIS0004\xff", true, Ok(Verified::NotChecked));
    check(b"REDIS0010\xff\x01\0\0\0\0\0\0\0", false, Ok(Verified::NotChecked));
    let computed = format!("{:016x}", checksum(b"REDIS0010\xff"));
    let wrong = format!("RDB CRC error: 0000000000000001 is stored, {computed} is computed");
    check(b"REDIS0010\xff\x01\0\0\0\0\0\0\0", true, Err(&wrong));
}

#[test]
fn a_promise_of_many_bytes_takes_no_memory() {
    // 4 GiB announced, three bytes there.
    let claim = b"\x81\0\0\0\x01\0\0\0\0abc";
    assert!(matches!(read_string(&mut &claim[..]), Err(RdbError::Truncated)));
    let mut stream = StreamSource::new(&claim[..]);
    assert!(matches!(read_string(&mut stream), Err(RdbError::Truncated)));
    let packed = b"\xc3\x03\x81\0\0\0\x01\0\0\0\0\x01aa";
    assert!(matches!(read_string(&mut &packed[..]), Err(RdbError::Corrupt(_))));
}

#[test]
fn strings_and_lengths_are_encoded_as_redis_encodes_them() {
    #[track_caller]
    fn check(text: &str, want: &[u8]) {
        let mut out = Vec::new();
        encode::write_string(&mut out, text.as_bytes(), Some(&mut Compressor::new()));
        assert_eq!(out, want, "{text}");
        assert_eq!(read_bytes(&mut &out[..]).unwrap(), text.as_bytes());
    }
    check("", b"\0");
    check("12", b"\xc0\x0c");
    check("-128", b"\xc0\x80");
    check("128", b"\xc1\x80\0");
    check("-300", b"\xc1\xd4\xfe");
    check("70000", b"\xc2p\x11\x01\0");
    check("-2147483648", b"\xc2\0\0\0\x80");
    check("2147483648", b"\x0a2147483648");
    check("12345678901234", b"\x0e12345678901234");
    check("00012", b"\x0500012");
    check("hello", b"\x05hello");
    let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ~";
    check(alphabet, format!("\x3f{alphabet}").as_bytes());
    check(&"a".repeat(20), format!("\x14{}", "a".repeat(20)).as_bytes());
    check(&"a".repeat(21), b"\xc3\x05\x15\0a\xe0\x0b\0");

    #[track_caller]
    fn check_length(len: u64, want: &[u8]) {
        let mut out = Vec::new();
        encode::write_length(&mut out, len);
        assert_eq!(out, want, "{len}");
    }
    check_length(63, b"\x3f");
    check_length(64, b"\x40\x40");
    check_length(16383, b"\x7f\xff");
    check_length(16384, b"\x80\0\0\x40\0");
    check_length(u64::from(u32::MAX), b"\x80\xff\xff\xff\xff");
    check_length(1 << 32, b"\x81\0\0\0\x01\0\0\0\0");
}

#[test]
fn dumps_are_those_of_redis() {
    #[track_caller]
    fn check(payload: &[u8], text: &str) {
        let mut body = Vec::new();
        encode::write_string(&mut body, text.as_bytes(), None);
        assert_eq!(dump_payload(Dialect::Common, value_type::STRING, &body), payload);
    }
    check(b"\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5", "12");
    check(b"\x00\xc1\xd4\xfe\n\x00\xc6\xc4\x86#\xfe\xbe\xde.", "-300");
    check(b"\x00\x0e12345678901234\n\x00\xaf\xcb\x8c{v\xa0\x8bj", "12345678901234");
    check(b"\x00\x05hello\n\x00cr\xdfve4 \n", "hello");
}

#[test]
fn dumps_are_verified() {
    let packed = b"\x00\xc3\t\x19\x01aa\xe0\x0c\x00\x01aa\n\x00\xd0\x8dg\x00\x9b\x1b\x83\xb3";
    let (value_type, mut body) = verify_dump(packed).unwrap().split().unwrap();
    assert_eq!((value_type, read_bytes(&mut body).unwrap()), (0, vec![b'a'; 25]));
    assert!(body.is_empty());
    for at in 0..packed.len() {
        let mut changed = *packed;
        changed[at] ^= 4;
        assert_eq!(verify_dump(&changed), None, "byte {at}");
        assert_eq!(verify_dump(&packed[..at]), None, "cut at {at}");
    }

    /// A payload with this version and checksum 0.
    fn unsigned(contents: &[u8], version: u8) -> Vec<u8> {
        [contents, &[version, 0], &[0; 8]].concat()
    }
    let format = |version| verify_dump(&unsigned(b"\0\0", version)).map(|dump| dump.format);
    assert_eq!(format(6), Some(Format::Redis(6)));
    assert_eq!(format(13), Some(Format::Redis(13)));
    assert_eq!(format(14), None);
    assert_eq!(format(79), None);
    assert_eq!(format(80), Some(Format::Valkey(80)));
    assert_eq!(format(81), None);
    assert_eq!(verify_dump(&unsigned(b"", 10)), Some(Dump { format: Format::Redis(10), contents: b"" }));
    assert_eq!(verify_dump(&unsigned(b"", 10)).unwrap().split(), None);
    assert_eq!(verify_dump(&unsigned(b"\x16", 10)).unwrap().split(), None);
    assert_eq!(verify_dump(&unsigned(b"\x16", 80)).unwrap().split(), Some((22, &b""[..])));
}

/// Up to `len_max` bytes of `kinds` different values; made from a seed, because drawing them one by one is slow.
fn noise(len_max: usize, kinds: u64) -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 0..len_max).prop_map(move |(seed, len)| {
        let mut rng = Rng::from_seed(seed);
        (0..len).map(|_| rng.below(kinds) as u8).collect()
    })
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        noise(20_000, 3),
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (-200_000i64..200_000).prop_map(|value| value.to_string().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn lengths_come_back(len: u64, shift in 0u32..64) {
        let mut out = Vec::new();
        encode::write_length(&mut out, len >> shift);
        prop_assert_eq!(read_length(&mut &out[..]).unwrap(), len >> shift);
    }

    #[test]
    fn integers_come_back(value: i64, shift in 0u32..64) {
        let (value, mut out, mut text) = (value >> shift, Vec::new(), Vec::new());
        encode::write_integer(&mut out, value);
        encode::write_string(&mut text, value.to_string().as_bytes(), None);
        prop_assert_eq!(&out, &text);
        prop_assert_eq!(read_bytes(&mut &out[..]).unwrap(), value.to_string().into_bytes());
    }

    #[test]
    fn a_written_stream_comes_back(
        databases in proptest::collection::vec(
            proptest::collection::vec((any_text(), any_text(), any::<Option<i64>>()), 0..8), 0..4),
        compress: bool,
    ) {
        let mut compressor = Compressor::new();
        let (mut out, mut want) = (Vec::new(), vec![(aux("redis-bits", "64"), None)]);
        encode::write_header(&mut out, Dialect::Common);
        encode::write_aux(&mut out, b"redis-bits", b"64");
        for (db, keys) in databases.into_iter().enumerate() {
            let expires = keys.iter().filter(|(_, _, expire_at_ms)| expire_at_ms.is_some()).count() as u64;
            encode::write_select_db(&mut out, db as u64);
            encode::write_resize_db(&mut out, keys.len() as u64, expires);
            want.push((Event::SelectDb(db as u64), None));
            want.push((Event::ResizeDb { keys: keys.len() as u64, expires }, None));
            for (key, value, expire_at_ms) in keys {
                if let Some(deadline_ms) = expire_at_ms {
                    encode::write_expire_ms(&mut out, deadline_ms);
                }
                out.push(value_type::STRING);
                encode::write_string(&mut out, &key, None);
                encode::write_string(&mut out, &value, compress.then_some(&mut compressor));
                let head = KeyHead { key, value_type: 0, expire_at_ms, idle_seconds: None, frequency: None };
                want.push((Event::Key(head), Some(RdbString::Bytes(value))));
            }
        }
        encode::write_eof(&mut out);
        let sum = checksum(&out);
        encode::write_checksum(&mut out, sum);
        want.push((Event::Eof { checksum: Verified::Right }, None));
        let seen: Vec<_> = read_all(&out[..]).unwrap();
        let seen: Vec<_> = seen.into_iter().map(|(event, value)| (event, value.map(as_bytes))).collect();
        prop_assert_eq!(&seen, &want);
    }

    #[test]
    fn made_up_streams_do_not_panic(contents: Vec<u8>) {
        read_all(&stream_of(b"REDIS0012", &contents)[..]).ok();
        read_all(&contents[..]).ok();
        verify_dump(&contents);
    }

    #[test]
    fn a_stream_source_hands_out_and_hashes_everything(
        bytes in noise(300_000, 256),
        steps in proptest::collection::vec(prop_oneof![0usize..40, 0usize..100_000], 1..9),
    ) {
        let mut source = StreamSource::new(&bytes[..]);
        let mut at = 0;
        for step in steps.into_iter().cycle().take(20) {
            let step = step.min(bytes.len() - at);
            prop_assert_eq!(&source.read_vec(step).unwrap(), &bytes[at..at + step]);
            at += step;
            prop_assert_eq!(source.position(), at as u64);
        }
        prop_assert_eq!(source.checksum(), checksum(&bytes[..at]));
        prop_assert!(matches!(source.read_vec(bytes.len() - at + 1), Err(RdbError::Truncated)));
    }
}

fn as_bytes(value: RdbString) -> RdbString {
    RdbString::Bytes(value.into_bytes())
}
