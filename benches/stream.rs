//! Costs of streams apart from any command: adding entries, going through them, delivering them to a group, and their RDB
//! form. `cargo bench --bench stream`.
//!
//! Figures to look at: ns for an entry of three fields with values of 10 to 20 bytes, in nodes of 100 entries as configured by
//! default. One element is one entry.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use starling::config::Config;
use starling::types::Collection;
use starling::types::stream::{Group, Keep, Limits, Stream, StreamId, Trim, rdb};
use std::hint::black_box;

const ENTRIES: u64 = 10_000;
const LIMITS: Limits = Limits { node_bytes: 4096, node_entries: 100 };
const WORDS: [&[u8]; 6] =
    [b"sensor", b"thermometer-12", b"temperature", b"21.5", b"payload", b"0123456789abcdefghij"];

fn add(stream: &mut Stream, ms: u64) {
    let bytes = WORDS.iter().map(|word| word.len()).sum();
    stream.log_mut().append(StreamId::new(ms, 0), 3, bytes, |index| WORDS[index], LIMITS);
}

fn filled() -> Stream {
    let mut stream = Stream::new();
    (1..=ENTRIES).for_each(|ms| add(&mut stream, ms));
    stream
}

fn log(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream/log");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("append", |b| b.iter_with_large_drop(filled));
    let stream = filled();
    group.bench_function("range", |b| {
        b.iter(|| stream.log().all().map(|entry| entry.pairs.count()).sum::<usize>())
    });
    group.bench_function("range_reversed", |b| {
        b.iter(|| stream.log().all().reversed().map(|entry| entry.pairs.count()).sum::<usize>())
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |b| b.iter(|| stream.log().contains(black_box(StreamId::new(5_050, 0)))));
    let mut capped = filled();
    let mut ms = ENTRIES;
    group.bench_function("append_capped", |b| {
        b.iter(|| {
            ms += 1;
            add(&mut capped, ms);
            capped.log_mut().trim(Trim { keep: Keep::Newest(ENTRIES), is_approximate: true, limit: 10_000 })
        })
    });
    group.finish();
}

fn groups(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream/group");
    group.throughput(Throughput::Elements(ENTRIES));
    let mut stream = filled();
    let mut reading = Group::new(StreamId::MIN, Some(0));
    reading.create_consumer(b"consumer", 0);
    stream.create_group(b"group", reading);
    group.bench_function("deliver_and_acknowledge", |b| {
        b.iter_batched_ref(
            || stream.clone(),
            |stream| {
                let (log, group) = stream.group_mut(b"group").expect("just made");
                let owner = group.shared_name(b"consumer").expect("just made");
                for entry in log.all() {
                    group.advance(log, entry.id);
                    group.assign(entry.id, &owner, 1, 1);
                }
                (1..=ENTRIES).for_each(|ms| drop(group.acknowledge(StreamId::new(ms, 0))));
            },
            BatchSize::LargeInput,
        )
    });
    group.finish();
}

fn persistence(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream/rdb");
    group.throughput(Throughput::Elements(ENTRIES));
    let stream = filled();
    let mut out = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            stream.encode(&mut out, None);
        })
    });
    let config = Config::default();
    group.bench_function("decode", |b| {
        b.iter(|| rdb::decode(&mut &out[..], stream.rdb_type(), &config).expect("what was encoded").len())
    });
    group.finish();
}

criterion_group!(benches, log, groups, persistence);
criterion_main!(benches);
