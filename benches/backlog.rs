//! Costs of the backlog: one producer alone, alone in batches, several producers, and producers with a reader
//! that takes everything. `cargo bench --bench backlog`.
//!
//! The figure to look at is the time per append of a small SET as the stream carries it (97 bytes). Aim: 6-10 ns
//! for a producer alone in batches. With several producers the time is that of the run divided by all appends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use starling::backlog::{Backlog, Offset, Reader, Writer};
use starling::base::ids::DbIndex;

const RETAIN_BYTES: u64 = 1 << 20;
const BATCH: u64 = 64;

fn set_command() -> Vec<u8> {
    let value = "x".repeat(64);
    format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000123456\r\n$64\r\n{value}\r\n").into_bytes()
}

fn log() -> Arc<Backlog> {
    Backlog::new(RETAIN_BYTES, Offset(0), None)
}

fn append_alone(c: &mut Criterion) {
    let mut group = c.benchmark_group("backlog/append");
    let command = set_command();
    let db = Some(DbIndex(0));
    let mut writer = log().writer().expect("the first writer");
    group.throughput(Throughput::Elements(1));
    group.bench_function("alone", |b| b.iter(|| writer.append(db, &[&command])));
    group.bench_function("alone_two_phases", |b| {
        b.iter(|| {
            let reservation = writer.reserve(db, command.len());
            writer.fill(reservation, &[&command]);
        })
    });
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("alone_in_batches_of_64", |b| {
        b.iter(|| {
            writer.begin_batch();
            (0..BATCH).for_each(|_| {
                writer.append(db, &[&command]);
            });
            writer.end_batch();
        })
    });
    let large = vec![b'x'; 1 << 20];
    group.throughput(Throughput::Bytes(large.len() as u64));
    group.bench_function("one_mebibyte", |b| b.iter(|| writer.append(db, &[&large])));
    group.finish();
}

fn produce(mut writer: Writer, appends: u64, command: &[u8]) {
    for _ in 0..appends / BATCH {
        writer.begin_batch();
        for _ in 0..BATCH {
            writer.append(Some(DbIndex(0)), &[command]);
            // What a command does beside its append: about 50 ns, to be subtracted.
            (0..2).for_each(|_| std::hint::spin_loop());
        }
        writer.end_batch();
    }
}

/// Takes everything until told to stop, looking again every 50 microseconds as a sender does.
fn take_all(mut reader: Reader, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let shown = reader.slices(usize::MAX).expect("the reader has its place").total_bytes();
        reader.advance(shown);
        if shown == 0 {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

/// The time in which `producers` threads make `appends` appends together.
fn run_together(producers: u64, with_reader: bool, appends: u64, command: &[u8]) -> Duration {
    let backlog = log();
    let stop = AtomicBool::new(false);
    let each = appends.div_ceil(producers * BATCH) * BATCH;
    thread::scope(|scope| {
        if with_reader {
            let reader = backlog.reader_at(Offset(0)).expect("the end is a place");
            scope.spawn(|| take_all(reader, &stop));
        }
        let begin = Instant::now();
        let threads: Vec<_> = (0..producers)
            .map(|_| {
                let writer = backlog.writer().expect("a free slot");
                scope.spawn(move || produce(writer, each, command))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let time = begin.elapsed();
        stop.store(true, Ordering::Relaxed);
        time
    })
}

fn append_together(c: &mut Criterion) {
    let command = set_command();
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let mut group = c.benchmark_group("backlog/together");
    group.throughput(Throughput::Elements(1));
    for producers in [1, 2, 4, 8].into_iter().filter(|producers| *producers <= cores.max(2)) {
        for (name, with_reader) in [("producers", false), ("producers_and_a_reader", true)] {
            group.bench_function(BenchmarkId::new(name, producers), |b| {
                b.iter_custom(|appends| run_together(producers, with_reader, appends, &command))
            });
        }
    }
    group.finish();
}

fn read_back(c: &mut Criterion) {
    let backlog = log();
    let mut writer = backlog.writer().expect("the first writer");
    let command = set_command();
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    let mut group = c.benchmark_group("backlog/read");
    group.bench_function("append_show_and_pass_one", |b| {
        b.iter(|| {
            writer.append(Some(DbIndex(0)), &[&command]);
            let shown = reader.slices(usize::MAX).expect("the reader has its place").total_bytes();
            reader.advance(shown);
        })
    });
    group.bench_function("published", |b| b.iter(|| backlog.published()));
    group.finish();
}

criterion_group!(benches, append_alone, append_together, read_back);
criterion_main!(benches);
