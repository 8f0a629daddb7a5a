//! Threads against each other: producers append records that describe themselves, readers of different patience
//! check that the stream decodes. `STARLING_SEED=n` repeats the choices of a run (not the threads' timing).
//!
//! ```text
//!   record:  P <producer> <sequence> <database, or -> <bytes of padding> LF <padding>
//! ```
//!
//! Always checked: every record once, each producer's in order, each in the database that the last SELECT said,
//! no byte that is not part of a record or a SELECT.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::base::random::{Rng, os_seed};

const RECORDS_PER_PRODUCER: u64 = 20_000;
const DATABASES: u64 = 4;

fn seed() -> u64 {
    let given = std::env::var("STARLING_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(os_seed);
    println!("STARLING_SEED={seed}");
    seed
}

struct Producer {
    writer: Writer,
    id: u64,
    sequence: u64,
    rng: Rng,
}

impl Producer {
    fn record(&mut self) -> (Option<DbIndex>, String, Vec<u8>) {
        let db = (self.rng.below(8) > 0).then(|| DbIndex(self.rng.below(DATABASES) as u16));
        // Mostly small; now and then longer than a segment of these tests.
        let padding = match self.rng.below(500) {
            0 => self.rng.below(3 * SEGMENT_BYTES as u64),
            1..50 => self.rng.below(500),
            _ => self.rng.below(40),
        };
        let name = db.map_or("-".to_string(), |db| db.to_string());
        let head = format!("P {} {} {name} {padding}\n", self.id, self.sequence);
        self.sequence += 1;
        (db, head, vec![b'.'; padding as usize])
    }

    fn append(&mut self) {
        let (db, head, padding) = self.record();
        let range = self.writer.append(db, &[head.as_bytes(), &padding]);
        assert!(range.end.bytes_since(range.start) >= (head.len() + padding.len()) as u64);
    }

    fn reserve_some_and_fill(&mut self) {
        let open: Vec<_> = (0..1 + self.rng.below(3))
            .map(|_| {
                let (db, head, padding) = self.record();
                (self.writer.reserve(db, head.len() + padding.len()), head, padding)
            })
            .collect();
        if self.rng.below(20) == 0 {
            thread::yield_now();
        }
        for (reservation, head, padding) in open.into_iter().rev() {
            self.writer.fill(reservation, &[head.as_bytes(), &padding]);
        }
    }

    fn run(mut self) -> u64 {
        while self.sequence < RECORDS_PER_PRODUCER {
            match self.rng.below(4) {
                0 => self.append(),
                1 => self.reserve_some_and_fill(),
                _ => {
                    self.writer.begin_batch();
                    (0..self.rng.below(30)).for_each(|_| self.append());
                    self.reserve_some_and_fill();
                    self.writer.end_batch();
                }
            }
        }
        self.sequence
    }
}

/// Follows a stream that starts at the border of a record.
struct Checker {
    pending: Vec<u8>,
    db: Option<u16>,
    /// If not, the database is unknown until the first SELECT.
    saw_the_start: bool,
    /// The next sequence number of each producer; None until its first record was seen.
    next: Vec<Option<u64>>,
}

impl Checker {
    fn from_the_start(producers: usize) -> Checker {
        Checker { pending: Vec::new(), db: None, saw_the_start: true, next: vec![Some(0); producers] }
    }

    fn from_anywhere(producers: usize) -> Checker {
        Checker { pending: Vec::new(), db: None, saw_the_start: false, next: vec![None; producers] }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(length) = self.unit(done) {
            done += length;
        }
        self.pending.drain(..done);
    }

    /// Checks the unit at `from` if it is there as a whole; its length.
    fn unit(&mut self, from: usize) -> Option<usize> {
        let rest = &self.pending[from..];
        match rest.first()? {
            b'*' => {
                let select = head::Select::new(DbIndex(0));
                let select = rest.get(..select.as_bytes().len())?;
                assert!(select.starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n") && select.ends_with(b"\r\n"));
                let db = u16::from(select[select.len() - 3] - b'0');
                assert_ne!(self.db, Some(db), "a SELECT of the database that the stream is in");
                self.db = Some(db);
                Some(select.len())
            }
            b'P' => {
                let line = rest.iter().position(|byte| *byte == b'\n')?;
                let text = std::str::from_utf8(&rest[..line]).expect("a record's first line is text");
                let words: Vec<&str> = text.split(' ').collect();
                let number = |i: usize| words[i].parse::<u64>().expect("a number");
                let end = line + 1 + number(4) as usize;
                let padding = rest.get(line + 1..end)?;
                assert!(padding.iter().all(|byte| *byte == b'.'));
                let (producer, sequence) = (number(1) as usize, number(2));
                if words[3] != "-" && (self.db.is_some() || self.saw_the_start) {
                    assert_eq!(self.db.map(u64::from), Some(number(3)), "{text}");
                }
                assert!(self.next[producer].is_none_or(|next| next == sequence), "{text}");
                self.next[producer] = Some(sequence + 1);
                Some(end)
            }
            other => panic!("a byte that belongs to nothing: {other}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Patience {
    /// Spins, takes what it gets.
    None,
    /// Little at a time, with pauses: pins many segments.
    Slow,
    /// Sleeps until it is woken; with no timeout, so that a lost wake-up hangs the test.
    Sleeps,
}

fn follow(
    mut reader: Reader,
    mut checker: Checker,
    end: &dyn Fn() -> Option<Offset>,
    patience: Patience,
) -> Checker {
    let me = thread::current();
    let sleeper = reader.backlog().sleeper(move || me.unpark()).expect("a free bed");
    let step = match patience {
        Patience::None | Patience::Sleeps => 1 << 20,
        Patience::Slow => 50_000,
    };
    while end() != Some(reader.position()) {
        let slices = reader.slices(step).expect("the reader has its place");
        let total = slices.total_bytes();
        slices.iter().for_each(|slice| checker.feed(slice));
        reader.advance(total);
        match patience {
            Patience::None => {}
            Patience::Slow => thread::sleep(Duration::from_micros(200)),
            Patience::Sleeps => {
                if total == 0 && sleeper.arm(reader.position()) && end() != Some(reader.position()) {
                    thread::park();
                }
            }
        }
    }
    assert!(checker.pending.is_empty(), "the stream ends with a whole record");
    checker
}

fn producers_and_readers(producers: usize, retain: u64) {
    let seed = seed();
    let mut rng = Rng::from_seed(seed);
    let start = Offset(rng.below(1 << 50));
    let backlog = Backlog::new(retain, start, None);
    let end = std::sync::OnceLock::new();
    thread::scope(|scope| {
        let end = &end;
        let readers: Vec<_> = [Patience::None, Patience::Slow, Patience::Sleeps]
            .into_iter()
            .map(|patience| {
                let reader = backlog.reader_at(start).expect("the end is a place");
                let checker = Checker::from_the_start(producers);
                scope.spawn(move || follow(reader, checker, &|| end.get().copied(), patience))
            })
            .collect();
        let writing: Vec<_> = (0..producers as u64)
            .map(|id| {
                let writer = backlog.writer().expect("a free slot");
                let producer = Producer { writer, id, sequence: 0, rng: Rng::from_seed(seed + 1 + id) };
                scope.spawn(move || producer.run())
            })
            .collect();
        let late = join_late(&backlog, producers);
        let late = scope.spawn(move || follow(late.0, late.1, &|| end.get().copied(), Patience::Slow));
        let made: Vec<Option<u64>> =
            writing.into_iter().map(|thread| Some(thread.join().expect("no panic"))).collect();
        assert_eq!(backlog.published(), backlog.reserved());
        end.set(backlog.reserved()).expect("set once");
        // The sleeping reader looks at `end` again only when it is woken.
        backlog.sleepers.wake_after_publishing();
        for reader in readers {
            assert_eq!(reader.join().expect("no panic").next, made, "every record was read");
        }
        late.join().expect("no panic");
    });
}

/// A reader that starts where the stream is published while producers are at work.
fn join_late(backlog: &Arc<Backlog>, producers: usize) -> (Reader, Checker) {
    loop {
        if let Ok(reader) = backlog.reader_at(backlog.published()) {
            return (reader, Checker::from_anywhere(producers));
        }
    }
}

#[test]
fn two_producers_and_four_readers_agree_on_the_stream() {
    producers_and_readers(2, 1 << 20);
}

#[test]
fn many_producers_agree_on_the_stream_even_with_nothing_retained() {
    producers_and_readers(6, 1);
}
