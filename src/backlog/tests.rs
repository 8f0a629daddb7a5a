//! What the log promises its users, one thread at a time: bytes, offsets, SELECTs, retention, pins, wake-ups.
//! Threads against each other are in `random_tests.rs`, all their interleavings in `loom_tests.rs`.
//!
//! Always: segments are 4 KiB here, so a few appends cross several.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const SELECT_0: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
const SELECT_12: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n";
const MANY: u64 = 1 << 20;

fn log_at(start: u64) -> (Arc<Backlog>, Writer) {
    let backlog = Backlog::new(MANY, Offset(start), None);
    let writer = backlog.writer().expect("the first writer");
    (backlog, writer)
}

/// Reads all that is published, `step` bytes at a time.
fn drain(reader: &mut Reader, step: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let slices = reader.slices(step).expect("the reader has its place");
        let total = slices.total_bytes();
        assert_eq!(total, slices.iter().map(|slice| slice.len()).sum::<usize>());
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        if total == 0 {
            return bytes;
        }
        reader.advance(total);
    }
}

fn range(from: u64, to: u64) -> Range<Offset> {
    Offset(from)..Offset(to)
}

#[test]
fn a_reader_gets_what_was_appended_from_any_start() {
    for start in [0, 1, 4095, 4096, 4097, (1 << 48) - 3, 1 << 48, i64::MAX as u64 - 100_000] {
        let (backlog, mut writer) = log_at(start);
        let mut reader = backlog.reader_at(Offset(start)).expect("the end is a place");
        assert_eq!(writer.append(None, &[b"ab", b"", b"c"]), range(start, start + 3));
        assert_eq!(writer.append(None, &[&[b'x'; 10_000]]), range(start + 3, start + 10_003));
        let mut expected = b"abc".to_vec();
        expected.extend_from_slice(&[b'x'; 10_000]);
        assert_eq!(drain(&mut reader, 777), expected, "start {start}");
        assert_eq!((reader.position(), reader.lag_bytes()), (Offset(start + 10_003), 0));
        assert_eq!((backlog.reserved(), backlog.published()), (reader.position(), reader.position()));
        assert_eq!(backlog.first_offset(), Offset(start));
    }
}

#[test]
fn an_empty_part_may_stand_at_the_border_of_a_segment() {
    let (backlog, mut writer) = log_at(0);
    writer.append(None, &[&[b'x'; 4096], b""]);
    writer.append(None, &[b"", b"y"]);
    assert_eq!(backlog.published(), Offset(4097));
}

#[test]
fn select_stands_before_a_write_to_another_database_only() {
    let (backlog, mut writer) = log_at(0);
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    let mut check = |db: Option<u16>, expected: &[&[u8]]| {
        let before = backlog.reserved();
        let range = writer.append(db.map(DbIndex), &[b"w"]);
        let expected = expected.concat();
        assert_eq!(range, before..before + expected.len() as u64);
        assert_eq!(drain(&mut reader, 1000), expected);
    };
    check(None, &[b"w"]);
    check(Some(0), &[SELECT_0, b"w"]);
    check(Some(0), &[b"w"]);
    check(Some(12), &[SELECT_12, b"w"]);
    check(None, &[b"w"]);
    check(Some(12), &[b"w"]);
    backlog.forget_db();
    assert_eq!(backlog.current_db(), None);
    check(None, &[b"w"]);
    check(Some(12), &[SELECT_12, b"w"]);
    assert_eq!(backlog.reserved_and_db(), (backlog.reserved(), Some(DbIndex(12))));
}

#[test]
fn verbatim_bytes_carry_the_database_they_say() {
    let (backlog, mut writer) = log_at(100);
    writer.append_verbatim(SELECT_12, Some(DbIndex(12)));
    assert_eq!(backlog.current_db(), Some(DbIndex(12)));
    writer.append_verbatim(b"w", None);
    assert_eq!(backlog.current_db(), Some(DbIndex(12)));
    assert_eq!(backlog.reserved(), Offset(100 + SELECT_12.len() as u64 + 1));
    assert_eq!(writer.append(Some(DbIndex(12)), &[b"w"]).start, Offset(125));
}

#[test]
fn what_is_reserved_is_not_read_before_all_before_it_is_filled() {
    let (backlog, mut first) = log_at(0);
    let mut second = backlog.writer().expect("a second writer");
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    let early = first.reserve(Some(DbIndex(0)), 5);
    assert_eq!((early.range(), early.len()), (range(0, 28), 5));
    second.append(Some(DbIndex(0)), &[b"later"]);
    assert_eq!((backlog.published(), backlog.reserved()), (Offset(0), Offset(33)));
    assert!(drain(&mut reader, 1000).is_empty());
    first.fill(early, &[b"ear", b"ly"]);
    assert_eq!(drain(&mut reader, 1000), [SELECT_0, b"earlylater"].concat());
}

#[test]
fn reservations_of_one_writer_may_be_filled_in_any_order() {
    let (backlog, mut writer) = log_at(0);
    let a = writer.reserve(None, 1);
    let b = writer.reserve(None, 1);
    writer.fill(b, &[b"b"]);
    assert_eq!(backlog.published(), Offset(0));
    writer.fill(a, &[b"a"]);
    assert_eq!(drain(&mut backlog.reader_at(Offset(0)).expect("retained"), 10), b"ab");
}

#[test]
fn a_batch_is_published_as_a_whole() {
    let (backlog, mut writer) = log_at(0);
    writer.begin_batch();
    writer.append(None, &[b"a"]);
    let late = writer.reserve(None, 1);
    writer.append(None, &[b"c"]);
    writer.fill(late, &[b"b"]);
    assert_eq!((backlog.published(), backlog.reserved()), (Offset(0), Offset(3)));
    writer.end_batch();
    assert_eq!(backlog.published(), Offset(3));
    writer.begin_batch();
    writer.end_batch();
    writer.append(None, &[b"d"]);
    assert_eq!(drain(&mut backlog.reader_at(Offset(0)).expect("retained"), 10), b"abcd");
}

#[test]
fn history_is_bounded_by_what_is_retained_to_the_byte() {
    let (backlog, mut writer) = log_at(1000);
    backlog.set_retain(16);
    for _ in 0..1000 {
        writer.append(None, &[b"0123456789"]);
    }
    assert_eq!((backlog.reserved(), backlog.first_offset()), (Offset(11_000), Offset(10_984)));
    assert_eq!(drain(&mut backlog.reader_at(Offset(10_984)).expect("retained"), 100), b"4567890123456789");
    assert_eq!(backlog.reader_at(Offset(10_983)).err(), Some(Gone::Trimmed));
    assert_eq!(backlog.reader_at(Offset(11_001)).err(), Some(Gone::Future));
    assert!(backlog.reader_at(Offset(11_000)).is_ok());
}

#[test]
fn memory_follows_what_is_retained() {
    let (backlog, mut writer) = log_at(0);
    backlog.set_retain(20 * 4096);
    for _ in 0..1000 {
        writer.append(None, &[&[b'x'; 1000]]);
    }
    let resident = backlog.resident_bytes();
    assert!((20 * 4096..=27 * 4096).contains(&resident), "{resident}");
    backlog.set_retain(1);
    assert!(backlog.resident_bytes() <= 5 * 4096);
    backlog.set_retain(MANY);
    assert!(backlog.first_offset() >= Offset(1_000_000 - 4096), "what is gone does not come back");
}

#[test]
fn what_one_large_append_leaves_is_given_back_without_another_one() {
    let (backlog, mut writer) = log_at(0);
    backlog.set_retain(4096);
    writer.append(None, &[&[b'x'; 100 * 4096]]);
    assert!(backlog.resident_bytes() >= 100 * 4096, "it is all there at first");
    backlog.tidy();
    assert!(backlog.resident_bytes() <= 5 * 4096);
    assert_eq!(backlog.first_offset(), Offset(99 * 4096));
}

#[test]
fn the_past_can_be_dropped_without_hurting_a_reader() {
    let (backlog, mut writer) = log_at(0);
    writer.append(None, &[&[b'x'; 9000]]);
    let mut slow = backlog.reader_at(Offset(1)).expect("retained");
    backlog.forget_past();
    assert_eq!(backlog.first_offset(), Offset(9000));
    assert_eq!(backlog.reader_at(Offset(8999)).err(), Some(Gone::Trimmed));
    assert_eq!(drain(&mut slow, 5000).len(), 8999);
    drop(slow);
    assert_eq!(writer.append(None, &[b"y"]), range(9000, 9001));
}

#[test]
fn a_slow_reader_keeps_its_bytes_until_it_passes_them() {
    let (backlog, mut writer) = log_at(0);
    backlog.set_retain(1);
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    let mut expected = Vec::new();
    for i in 0..3000u32 {
        let record = format!("{i:07};");
        writer.append(None, &[record.as_bytes()]);
        expected.extend_from_slice(record.as_bytes());
    }
    assert_eq!(reader.lag_bytes(), 24_000);
    assert!(backlog.resident_bytes() >= 24_000);
    assert_eq!(drain(&mut reader, 1234), expected);
    assert!(backlog.resident_bytes() <= 5 * 4096, "one in use, four spare");
}

#[test]
fn one_call_shows_a_limited_number_of_slices() {
    let (backlog, mut writer) = log_at(10);
    writer.append(None, &[&[b'x'; 30 * 4096]]);
    let mut reader = backlog.reader_at(Offset(10)).expect("retained");
    let slices = reader.slices(usize::MAX).expect("the reader has its place");
    assert_eq!((slices.len(), slices.total_bytes()), (SLICES_MAX, SLICES_MAX * 4096 - 10));
    assert_eq!(drain(&mut reader, usize::MAX).len(), 30 * 4096);
}

#[test]
fn a_reader_beyond_the_hard_limit_loses_its_place_and_nothing_else() {
    let backlog = Backlog::with_pin_limit(1, Offset(0), None, 10 * 4096);
    let mut writer = backlog.writer().expect("the first writer");
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    writer.append(None, &[b"begin"]);
    let shown = reader.slices(100).expect("the reader has its place");
    for _ in 0..20 {
        writer.append(None, &[&[b'x'; 4096]]);
    }
    assert_eq!(&*shown[0], b"begin", "what a reader was shown stays valid");
    reader.advance(5);
    assert_eq!(reader.slices(10_000).err(), Some(Gone::Overrun));
    assert!(backlog.resident_bytes() <= 6 * 4096);
}

#[test]
fn a_parting_ends_the_readers_and_keeps_what_is_retained() {
    let (backlog, mut writer) = log_at(0);
    writer.append(Some(DbIndex(3)), &[&[b'x'; 9000]]);
    let mut behind = backlog.reader_at(Offset(0)).expect("retained");
    let mut level = backlog.reader_at(backlog.reserved()).expect("the end is a place");
    backlog.part();
    let parting = backlog.reserved();
    assert_eq!(backlog.current_db(), Some(DbIndex(3)));
    writer.append(None, &[b"y"]);
    assert_eq!(behind.slices(10).err(), Some(Gone::Parted));
    assert_eq!(level.slices(10).err(), Some(Gone::Parted));
    for start in [Offset(8000), parting] {
        let mut reader = backlog.reader_at(start).expect("what was retained still is");
        let stream = drain(&mut reader, 1000);
        assert_eq!((stream.len() as u64, stream.last()), (parting.bytes_since(start) + 1, Some(&b'y')));
    }
}

#[test]
fn slots_are_limited_and_given_back() {
    let (backlog, writer) = log_at(0);
    let mut writers: Vec<Writer> = (1..WRITERS_MAX).map(|_| backlog.writer().expect("a free slot")).collect();
    assert!(backlog.writer().is_none());
    drop(writer);
    writers.push(backlog.writer().expect("the slot that was given back"));
    writers.iter_mut().for_each(|writer| {
        writer.append(None, &[b"x"]);
    });
    assert_eq!(backlog.published(), Offset(WRITERS_MAX as u64));
}

#[test]
fn an_armed_sleeper_is_woken_once_by_the_next_publication() {
    let (backlog, mut writer) = log_at(0);
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let sleeper = backlog.sleeper(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let sleeper = sleeper.expect("the first sleeper");
    writer.append(None, &[b"a"]);
    assert_eq!(woken.load(Ordering::SeqCst), 0, "nobody sleeps");
    assert!(!sleeper.arm(Offset(0)), "there is something to read");
    assert!(sleeper.arm(Offset(1)));
    writer.begin_batch();
    writer.append(None, &[b"b"]);
    assert_eq!(woken.load(Ordering::SeqCst), 0, "not published");
    writer.end_batch();
    writer.append(None, &[b"c"]);
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    assert!(sleeper.arm(Offset(3)));
    backlog.part();
    assert_eq!(woken.load(Ordering::SeqCst), 2, "a parting wakes everybody");
    drop(sleeper);
    writer.append(None, &[b"d"]);
    assert_eq!(woken.load(Ordering::SeqCst), 2);
}
