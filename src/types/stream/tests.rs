//! Streams against Redis' own bytes, the corners of trimming, deleting and counting, and payloads that lie.
//! The captured bytes are the payload of DUMP (RDB type 19) in redis-server 7.0.15.

use super::*;
use crate::config::Config;

const LIMITS: Limits = Limits { node_bytes: 4096, node_entries: 3 };

/// With `stream-node-max-entries 3`: XADD s 5-1 f v n 7, 5-2 f w n -300, 6-0 other 1, 7-0 f x n 70000, 7-1 a 1 b 2 c 3,
/// 1700000000000-5 f 12345678901 n "", 1700000000001-0 k v; XDEL s 5-2; XGROUP CREATE s g 5-1; XGROUP CREATE s empty $;
/// XGROUP CREATECONSUMER s g idle; XCLAIM s g alice 0 7-0 7-1 TIME 1700000000000 RETRYCOUNT 3 FORCE JUSTID;
/// XCLAIM s g bob 0 6-0 TIME 1700000000500 RETRYCOUNT 1 FORCE JUSTID
const CAPTURED: &str = "\
    0310000000000000000500000000000000014044440000001900020101010201816602816e020001020100010001817602070105\
    01030100010101817702ded402050100010101dfff020101856f746865720601010601ff10000000000000000700000000000000\
    00405a5a0000001d00030100010201816602816e020001020100010001817802f270110104050100010001010103018161020101\
    816202020181630203010a010201f4f967e5cf8b010000090501f4351cdcdf020000000980010501ff100000018bcfe568010000\
    0000000000001d1d0000000a00010100010101816b0200010201000100018176020401ff06810000018bcfe56801000501050207\
    0205656d707479810000018bcfe568010081ffffffffffffffff00000167050181ffffffffffffffff0300000000000000060000\
    000000000000f469e5cf8b01000001000000000000000700000000000000000068e5cf8b01000003000000000000000700000000\
    000000010068e5cf8b010000030305616c6963653b4bef0aa2010000020000000000000007000000000000000000000000000000\
    07000000000000000103626f623f4bef0aa201000001000000000000000600000000000000000469646c65364bef0aa201000000";

/// What DEBUG DIGEST-VALUE says of the entries above.
const CAPTURED_DIGEST: &str = "27c026d5b2db884a667f19ba4635d61fef4e57be";

fn captured() -> Vec<u8> {
    let digits: Vec<char> = CAPTURED.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).expect("two digits");
    digits.chunks(2).map(byte).collect()
}

fn id(text: &str) -> StreamId {
    StreamId::parse(text.as_bytes(), 0).expect("an id")
}

fn add_within(stream: &mut Stream, at: &str, words: &[&str], limits: Limits) {
    let bytes = words.iter().map(|word| word.len()).sum();
    stream.log_mut().append(id(at), words.len() / 2, bytes, |index| words[index].as_bytes(), limits);
}

fn add(stream: &mut Stream, at: &str, words: &[&str]) {
    add_within(stream, at, words, LIMITS);
}

/// Entries `first` to `last`, each `id-0`.
fn numbered(first: u64, last: u64) -> Stream {
    let mut stream = Stream::new();
    (first..=last).for_each(|ms| add(&mut stream, &format!("{ms}-0"), &["f", "v"]));
    stream
}

fn ids(range: Range<'_>) -> Vec<u64> {
    range.map(|entry| entry.id.ms).collect()
}

/// The stream of `CAPTURED`, made by hand.
fn built() -> Stream {
    let mut stream = Stream::new();
    add(&mut stream, "5-1", &["f", "v", "n", "7"]);
    add(&mut stream, "5-2", &["f", "w", "n", "-300"]);
    add(&mut stream, "6-0", &["other", "1"]);
    add(&mut stream, "7-0", &["f", "x", "n", "70000"]);
    add(&mut stream, "7-1", &["a", "1", "b", "2", "c", "3"]);
    add(&mut stream, "1700000000000-5", &["f", "12345678901", "n", ""]);
    add(&mut stream, "1700000000001-0", &["k", "v"]);
    assert_eq!(stream.log_mut().delete([id("5-2"), id("5-3")].into_iter()), 1);
    let last_id = stream.log().last_id();
    assert!(stream.create_group(b"empty", Group::new(last_id, None)));
    let mut group = Group::new(id("5-1"), None);
    let times = [("idle", 1_795_479_784_246), ("alice", 1_795_479_784_251), ("bob", 1_795_479_784_255)];
    for (name, seen_at) in times {
        group.create_consumer(name.as_bytes(), seen_at);
        group.consumer_mut(name.as_bytes()).expect("created").active_at = seen_at;
    }
    let (alice, bob) = (group.shared_name(b"alice").unwrap(), group.shared_name(b"bob").unwrap());
    group.assign(id("7-0"), &alice, 1_700_000_000_000, 3);
    group.assign(id("7-1"), &alice, 1_700_000_000_000, 3);
    group.assign(id("6-0"), &bob, 1_700_000_000_500, 1);
    assert!(stream.create_group(b"g", group));
    stream
}

fn decode(mut bytes: &[u8], value_type: u8) -> Result<Stream, String> {
    let stream =
        rdb::decode(&mut bytes, value_type, &Config::default()).map_err(|error| error.to_string())?;
    if bytes.is_empty() { Ok(stream) } else { Err("bytes are left".into()) }
}

fn encoded(stream: &Stream) -> Vec<u8> {
    let mut out = Vec::new();
    stream.encode(&mut out, None);
    out
}

#[test]
fn the_bytes_are_those_of_redis() {
    let stream = built();
    assert_eq!(encoded(&stream), captured());
    let loaded = decode(&captured(), value_type::STREAM_LISTPACKS_2).expect("Redis' own bytes");
    assert_eq!(loaded, stream);
    let mut digest = Digest::default();
    digest.mix(&Kind::Stream.digest_number().to_be_bytes());
    stream.digest(&mut digest);
    assert_eq!(digest.hex(), CAPTURED_DIGEST);
}

#[test]
fn older_and_newer_forms_are_read() {
    let node = &captured()[1..1 + 17 + 1 + 1 + 68];
    let log = [&[1], node, &[2, 6, 0]].concat();
    let group = b"\x01\x01g\x05\x01\x01\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x02";
    let consumer = b"\x01\x01c\x07\0\0\0\0\0\0\0";
    let pending = b"\x01\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0";
    let old = decode(&[&log, &group[..], consumer, pending].concat(), value_type::STREAM_LISTPACKS).unwrap();
    assert_eq!((old.log().first_id(), old.log().entries_added()), (id("5-1"), 2));
    assert_eq!(old.group(b"g").unwrap().entries_read, Some(1));
    let counters = b"\x05\x01\x05\x02\x03";
    let group = [&group[..5], b"\x02", &group[5..]].concat();
    let active = b"\x08\0\0\0\0\0\0\0";
    let bytes = [&log[..], counters, &group, consumer, active, pending].concat();
    let new = decode(&bytes, value_type::STREAM_LISTPACKS_3).unwrap();
    let consumer = new.group(b"g").unwrap().consumer(b"c").unwrap();
    assert_eq!((consumer.seen_at, consumer.active_at, consumer.pending().len()), (7, 8, 1));
    assert_eq!((new.log().max_deleted_id(), new.log().entries_added()), (id("5-2"), 3));
    assert_eq!(new.group(b"g").unwrap().entries_read, Some(2));
}

#[test]
fn payloads_that_lie_are_refused() {
    let good = captured();
    let check = |at: usize, byte: u8, expected: &str| {
        let mut bad = good.clone();
        assert_ne!(bad[at], byte);
        bad[at] = byte;
        let error = decode(&bad, value_type::STREAM_LISTPACKS_2).expect_err(expected);
        assert!(error.contains(expected), "{at}: {error}");
    };
    let find = |needle: &[u8]| good.windows(needle.len()).position(|part| part == needle).expect("is there");
    check(1, 0x11, "a key that is no id");
    let first = 1 + 17 + 2;
    check(first + 6, 3, "other entries than it counts");
    check(first + 8, 0, "other entries than it counts");
    check(first + 10, 1, "end of its master entry");
    let counts = find(b"\x06\x81\0\0\x01\x8b\xcf\xe5\x68\x01\0\x05\x01");
    check(counts, 7, "another length than its nodes");
    check(counts + 8, 0x67, "above its last id");
    check(counts + 15, 5, "fewer entries than it has");
    let alice = find(b"\x05alice");
    check(alice - 1, 2, "bytes are left");
    check(alice + 6 + 8 + 1 + 15, 1, "twice");
    check(alice + 6 + 8 + 1 + 16 + 15, 2, "not for its group");
    check(alice + 6 + 8, 1, "");
    for cut in 0..good.len() {
        decode(&good[..cut], value_type::STREAM_LISTPACKS_2).expect_err("a part is no stream");
    }
    assert_eq!(decode(&good, 26).unwrap_err(), "values of RDB type 26 can't be loaded");
}

#[test]
fn ranges_go_both_ways_and_pass_over_what_was_deleted() {
    let mut stream = numbered(1, 10);
    stream.log_mut().delete(["2", "4", "5", "6", "10"].map(id).into_iter());
    let log = stream.log();
    let check = |start: &str, end: &str, expected: &[u64]| {
        assert_eq!(ids(log.range(id(start), id(end))), expected, "{start} {end}");
        let mut backward = ids(log.range(id(start), id(end)).reversed());
        backward.reverse();
        assert_eq!(backward, expected, "{start} {end} reversed");
    };
    check("0", "20", &[1, 3, 7, 8, 9]);
    check("2", "7", &[3, 7]);
    check("3", "3", &[3]);
    check("4", "6", &[]);
    check("8", "2", &[]);
    check("11", "20", &[]);
    check("0", "0", &[]);
    assert_eq!((log.len(), log.node_count()), (5, 2));
    assert!(log.contains(id("7")) && !log.contains(id("4")) && !log.contains(id("7-1")));
    assert_eq!((log.newest(), log.last_id()), (Some(id("9")), id("10")));
    assert_eq!((log.first_id(), log.max_deleted_id()), (id("1"), id("10")));
}

#[test]
fn new_ids_follow_the_clock_and_never_go_back() {
    let mut stream = numbered(5, 5);
    let check = |stream: &Stream, wanted: Option<&str>, now, expected: Result<&str, Refusal>| {
        let wanted = wanted.map(|text| WantedId::parse(text.as_bytes()).expect("an id"));
        assert_eq!(stream.log().next_id(wanted, now), expected.map(id), "{wanted:?} {now}");
    };
    check(&stream, None, 7, Ok("7-0"));
    check(&stream, None, 5, Ok("5-1"));
    check(&stream, None, -3, Ok("5-1"));
    check(&stream, Some("5-*"), 0, Ok("5-1"));
    check(&stream, Some("6-*"), 0, Ok("6-0"));
    check(&stream, Some("4-*"), 0, Err(Refusal::NotAbove));
    check(&stream, Some("5-0"), 0, Err(Refusal::NotAbove));
    check(&stream, Some("5-1"), 0, Ok("5-1"));
    check(&Stream::new(), Some("0-*"), 0, Ok("0-1"));
    check(&Stream::new(), Some("0-0"), 0, Err(Refusal::NotAbove));
    stream.log_mut().set_last_id(StreamId::new(9, u64::MAX), None, None);
    check(&stream, Some("9-*"), 0, Err(Refusal::NotAbove));
    check(&stream, None, 0, Ok("10-0"));
    stream.log_mut().set_last_id(StreamId::MAX, None, None);
    check(&stream, None, 0, Err(Refusal::Exhausted));
}

#[test]
fn trims_take_whole_nodes_or_exactly_what_is_asked() {
    let check = |keep: Keep, is_approximate, limit, expected: &[u64]| {
        let mut stream = numbered(1, 8);
        let removed = stream.log_mut().trim(Trim { keep, is_approximate, limit });
        assert_eq!(ids(stream.log().all()), expected, "{keep:?} {is_approximate} {limit}");
        assert_eq!(removed, 8 - expected.len() as u64);
        let first = expected.first().map_or(StreamId::MIN, |ms| StreamId::new(*ms, 0));
        assert_eq!(stream.log().first_id(), first);
        assert_eq!(stream.log().last_id(), id("8"));
    };
    check(Keep::Newest(4), false, 0, &[5, 6, 7, 8]);
    check(Keep::Newest(4), true, 0, &[4, 5, 6, 7, 8]);
    check(Keep::Newest(0), true, 0, &[]);
    check(Keep::Newest(0), true, 4, &[4, 5, 6, 7, 8]);
    check(Keep::Newest(0), false, 0, &[]);
    check(Keep::Newest(9), false, 0, &[1, 2, 3, 4, 5, 6, 7, 8]);
    check(Keep::From(StreamId::new(4, 0)), true, 0, &[4, 5, 6, 7, 8]);
    check(Keep::From(StreamId::new(3, 0)), true, 0, &[1, 2, 3, 4, 5, 6, 7, 8]);
    check(Keep::From(StreamId::new(3, 0)), false, 0, &[3, 4, 5, 6, 7, 8]);
    check(Keep::From(StreamId::new(9, 0)), false, 0, &[]);
    let mut stream = numbered(1, 3);
    stream.log_mut().delete([id("3")].into_iter());
    assert_eq!(stream.log_mut().trim(Trim { keep: Keep::From(id("3")), is_approximate: false, limit: 0 }), 2);
    assert_eq!(stream.log().node_count(), 0);
}

#[test]
fn nodes_are_cut_by_entries_and_by_bytes() {
    let check = |limits, entries: u64, nodes| {
        let mut stream = Stream::new();
        for ms in 1..=entries {
            add_within(&mut stream, &format!("{ms}"), &["field", &"v".repeat(90)], limits);
        }
        assert_eq!(stream.log().node_count(), nodes, "{limits:?}");
    };
    check(Limits { node_bytes: 0, node_entries: 0 }, 300, 1);
    check(Limits { node_bytes: 0, node_entries: 100 }, 300, 3);
    check(Limits { node_bytes: 1, node_entries: 0 }, 4, 4);
    check(Limits { node_bytes: 4096, node_entries: 100 }, 40, 1);
    check(Limits { node_bytes: 4096, node_entries: 100 }, 41, 2);
}

#[test]
fn lag_is_told_where_it_can_be() {
    let mut stream = numbered(1, 5);
    let check = |stream: &Stream, last: &str, read: Option<u64>, expected: Option<i64>| {
        assert_eq!(Group::new(id(last), read).lag(stream.log()), expected, "{last} {read:?}");
    };
    check(&Stream::new(), "0", None, Some(0));
    check(&stream, "0", Some(0), Some(5));
    check(&stream, "0", None, Some(5));
    check(&stream, "1", None, Some(4));
    check(&stream, "2", None, None);
    check(&stream, "2", Some(2), Some(3));
    check(&stream, "5", None, Some(0));
    check(&stream, "9", None, None);
    stream.log_mut().delete([id("3")].into_iter());
    check(&stream, "2", Some(2), None);
    check(&stream, "4", Some(4), Some(1));
    check(&stream, "0", None, None);
    stream.log_mut().trim(Trim { keep: Keep::From(id("4")), is_approximate: false, limit: 0 });
    check(&stream, "0", None, Some(2));
    stream.log_mut().trim(Trim { keep: Keep::Newest(0), is_approximate: false, limit: 0 });
    check(&stream, "2", None, Some(0));
}

#[test]
fn a_group_counts_what_it_reads() {
    let mut stream = numbered(1, 4);
    stream.create_group(b"g", Group::new(StreamId::MIN, None));
    let (log, group) = stream.group_mut(b"g").unwrap();
    assert!(group.advance(log, id("1")));
    assert_eq!((group.last_id, group.entries_read), (id("1"), Some(1)));
    assert!(group.advance(log, id("2")));
    assert!(!group.advance(log, id("2")));
    assert_eq!(group.entries_read, Some(2));
    stream.log_mut().delete([id("4")].into_iter());
    let (log, group) = stream.group_mut(b"g").unwrap();
    assert!(group.advance(log, id("3")));
    assert_eq!(group.entries_read, None);
}
