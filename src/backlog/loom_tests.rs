//! The ring under loom: small runs in all interleavings (up to a number of preemptions), with segments of 32 bytes.
//! `RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release --lib backlog::loom`
//!
//! Every byte of a segment has a loom cell beside it: a read of a byte whose write did not happen before, a write
//! to a byte that somebody may still read, and a segment reused too early all fail, whatever values were seen.
//!
//! Always: two or three threads and a handful of appends; what is larger belongs to `random_tests.rs`.

use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::thread;

use super::*;

/// Preemptions tried between two threads, and among three. One more multiplies the time by ten or more; the
/// environment's `LOOM_MAX_PREEMPTIONS` asks for it. With these, each ordering, fence and check that was taken out
/// of the ring on trial made a model fail.
const AMONG_TWO: usize = 2;
const AMONG_THREE: usize = 1;

const SELECT_BYTES: usize = 23;

fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 10_000;
    builder.check(run);
}

/// A letter names its database: 'a' is written to 0, 'b' to 1, '-' to none.
fn db_of(letter: u8) -> Option<DbIndex> {
    match letter {
        b'a' => Some(DbIndex(0)),
        b'b' => Some(DbIndex(1)),
        _ => None,
    }
}

fn append(writer: &mut Writer, letter: u8) -> Offset {
    writer.append(db_of(letter), &[&[letter]]).end
}

/// What is published now, to the reader's end.
fn read(reader: &mut Reader, into: &mut Vec<u8>) {
    let slices = reader.slices(usize::MAX).expect("the reader has its place");
    slices.iter().for_each(|slice| into.extend_from_slice(slice));
    let total = slices.total_bytes();
    reader.advance(total);
}

/// Letters with the SELECTs that they need and no other; returns the letters.
fn letters(mut stream: &[u8]) -> Vec<u8> {
    let (mut db, mut letters) = (None, Vec::new());
    while let Some(first) = stream.first() {
        if *first == b'*' {
            let digit = stream[SELECT_BYTES - 3] - b'0';
            let next = Some(DbIndex(u16::from(digit)));
            assert_eq!(&stream[..SELECT_BYTES], head::Select::new(DbIndex(u16::from(digit))).as_bytes());
            assert_ne!(db, next, "a SELECT for nothing");
            db = next;
            stream = &stream[SELECT_BYTES..];
            assert_eq!(db_of(stream[0]), db, "a SELECT and its write are one unit");
        } else {
            assert!(db_of(*first).is_none_or(|needed| db == Some(needed)), "a write in the wrong database");
            letters.push(*first);
            stream = &stream[1..];
        }
    }
    letters
}

#[test]
fn a_reader_sees_whole_units_in_the_right_database_and_only_published_bytes() {
    model(AMONG_THREE, || {
        let backlog = Backlog::new(128, Offset(5), None);
        let mut reader = backlog.reader_at(Offset(5)).expect("the end is a place");
        let producers: Vec<_> = [b"aa".as_slice(), b"b"]
            .map(|letters| {
                let mut writer = backlog.writer().expect("a free slot");
                thread::spawn(move || {
                    letters.iter().for_each(|letter| assert!(append(&mut writer, *letter) > Offset(5)));
                })
            })
            .into_iter()
            .collect();
        let mut stream = Vec::new();
        read(&mut reader, &mut stream);
        letters(&stream);
        producers.into_iter().for_each(|producer| producer.join().expect("no panic"));
        read(&mut reader, &mut stream);
        let mut all = letters(&stream);
        all.sort_unstable();
        assert_eq!(all, b"aab");
    });
}

#[test]
fn reservations_filled_late_are_not_read_early() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(128, Offset(0), Some(DbIndex(0)));
        let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
        let mut writer = backlog.writer().expect("a free slot");
        let producer = thread::spawn(move || {
            let reservation = writer.reserve(db_of(b'a'), 1);
            append(&mut writer, b'-');
            writer.fill(reservation, &[b"a"]);
        });
        let mut stream = Vec::new();
        read(&mut reader, &mut stream);
        assert!(b"a-".starts_with(&stream));
        producer.join().expect("no panic");
        read(&mut reader, &mut stream);
        assert_eq!(stream, b"a-");
    });
}

#[test]
fn the_bytes_of_a_batch_are_in_place_when_they_are_read() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(128, Offset(0), Some(DbIndex(0)));
        let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
        let mut writer = backlog.writer().expect("a free slot");
        let producer = thread::spawn(move || {
            writer.begin_batch();
            append(&mut writer, b'a');
            append(&mut writer, b'-');
            writer.end_batch();
        });
        let mut stream = Vec::new();
        read(&mut reader, &mut stream);
        assert!(b"a-".starts_with(&stream));
        producer.join().expect("no panic");
        read(&mut reader, &mut stream);
        assert_eq!(stream, b"a-");
    });
}

/// A lost wake-up leaves the sleeper parked when all others are done, which loom reports as a deadlock.
fn sleep_until_all_is_read(producers: u64) {
    let backlog = Backlog::new(128, Offset(0), None);
    let me = thread::current();
    let sleeper = backlog.sleeper(move || me.unpark()).expect("a free bed");
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let mut writer = backlog.writer().expect("a free slot");
            thread::spawn(move || {
                append(&mut writer, b'-');
            })
        })
        .collect();
    let mut seen = Offset(0);
    while seen < Offset(producers) {
        if sleeper.arm(seen) {
            thread::park();
        }
        seen = backlog.published();
    }
    threads.into_iter().for_each(|producer| producer.join().expect("no panic"));
}

#[test]
fn a_reader_that_sleeps_is_woken_by_a_producer() {
    model(AMONG_TWO, || sleep_until_all_is_read(1));
}

#[test]
fn a_reader_that_sleeps_is_woken_by_the_last_of_two_producers() {
    model(AMONG_THREE, || sleep_until_all_is_read(2));
}

/// Appends 31 bytes twice from place 20: two crossings, and the second reuses the segment that the first trimmed
/// unless somebody needs it.
fn cross_twice(mut writer: Writer) {
    writer.append(None, &[&[b'-'; 31]]);
    writer.append(None, &[&[b'-'; 31]]);
}

#[test]
fn trimming_takes_nothing_that_a_writer_is_filling() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(1, Offset(20), None);
        let crossing = backlog.writer().expect("a free slot");
        let mut filling = backlog.writer().expect("a free slot");
        let crossing = thread::spawn(move || cross_twice(crossing));
        let reservation = filling.reserve(None, 3);
        filling.fill(reservation, &[b"-", b"--"]);
        crossing.join().expect("no panic");
        assert_eq!((backlog.published(), backlog.first_offset()), (Offset(85), Offset(84)));
    });
}

#[test]
fn trimming_takes_nothing_that_a_reader_pins() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(1, Offset(20), None);
        let crossing = backlog.writer().expect("a free slot");
        let crossing = thread::spawn(move || cross_twice(crossing));
        let next = backlog.published();
        match backlog.reader_at(next) {
            Ok(mut reader) => {
                let mut stream = Vec::new();
                read(&mut reader, &mut stream);
                crossing.join().expect("no panic");
                read(&mut reader, &mut stream);
                assert_eq!(stream, vec![b'-'; 82 - next.0 as usize]);
            }
            Err(gone) => {
                assert_eq!(gone, Gone::Trimmed);
                crossing.join().expect("no panic");
            }
        }
    });
}

#[test]
fn a_reader_sees_nothing_from_behind_a_parting() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(128, Offset(1000), None);
        let mut reader = backlog.reader_at(Offset(1000)).expect("the end is a place");
        let mut writer = backlog.writer().expect("a free slot");
        append(&mut writer, b'-');
        let promoted = thread::spawn(move || {
            writer.backlog().part();
            append(&mut writer, b'a');
        });
        match reader.slices(100) {
            Ok(slices) => assert!(slices.iter().all(|slice| &**slice == b"-")),
            Err(gone) => assert_eq!(gone, Gone::Parted),
        }
        promoted.join().expect("no panic");
        assert_eq!(reader.slices(100).err(), Some(Gone::Parted));
        let mut sibling = backlog.reader_at(Offset(1000)).expect("all is retained");
        let mut stream = Vec::new();
        read(&mut sibling, &mut stream);
        assert_eq!(letters(&stream), b"-a");
    });
}

#[test]
fn forgetting_the_database_loses_no_reservation() {
    model(AMONG_TWO, || {
        let backlog = Backlog::new(128, Offset(60), None);
        let mut writer = backlog.writer().expect("a free slot");
        append(&mut writer, b'-');
        let forgetting = Arc::clone(&backlog);
        let cut = thread::spawn(move || forgetting.forget_db());
        let end = append(&mut writer, b'a');
        cut.join().expect("no panic");
        assert_eq!(end, Offset(61 + SELECT_BYTES as u64 + 1));
        assert!([None, Some(DbIndex(0))].contains(&backlog.current_db()));
    });
}
