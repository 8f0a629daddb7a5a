//! Costs of a sorted set in each of its forms, without key, command or socket. `cargo bench --bench sorted_set`.
//!
//! Figures to look at: ns for a rank, for another score and for taking the lowest member among a million; ns per member for
//! building a large set, for cloning it and for walking it; bytes per member, printed once.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use starling::base::random::Rng;
use starling::types::Collection;
use starling::types::SortedSet;
use starling::types::sorted_set::{Limits, Probe};

const SEED: u64 = 1;
const LIMITS: Limits = Limits { entries: 128, value: 64 };
/// Scores lie below this.
const SCORES: u64 = 1 << 40;

fn name(number: u64) -> Vec<u8> {
    format!("element:{number:012}").into_bytes()
}

fn build(count: u64) -> SortedSet {
    let (mut set, mut rng) = (SortedSet::default(), Rng::from_seed(SEED));
    (0..count).for_each(|number| {
        set.set(&name(number), rng.below(SCORES) as f64, LIMITS);
    });
    set
}

fn single(c: &mut Criterion) {
    for (form, count) in [("listpack_100", 100), ("tree_1m", 1_000_000)] {
        let mut group = c.benchmark_group(format!("sorted_set/{form}"));
        let mut set = build(count);
        println!("{form}: {} bytes a member", set.heap_bytes() / set.len());
        let mut rng = Rng::from_seed(SEED);
        group.bench_function("score", |b| b.iter(|| set.score(&name(rng.below(count)))));
        group.bench_function("rank", |b| b.iter(|| set.rank(&name(rng.below(count)))));
        group.bench_function("range_of_ten", |b| {
            b.iter(|| {
                let start = set.rank_of(Probe::Score(rng.below(SCORES) as f64));
                let end = set.len().min(start + 10);
                set.iter(start..end).map(|(_, score)| black_box(score)).sum::<f64>()
            })
        });
        group.bench_function("another_score", |b| {
            b.iter(|| set.set(&name(rng.below(count)), rng.below(SCORES) as f64, LIMITS))
        });
        group.bench_function("take_lowest_and_add", |b| {
            b.iter(|| {
                let mut member = Vec::new();
                set.remove_ranks(0..1, |bytes, _| member.extend_from_slice(bytes));
                set.set(&member, rng.below(SCORES) as f64, LIMITS)
            })
        });
        group.finish();
    }
}

fn whole(c: &mut Criterion) {
    const COUNT: u64 = 100_000;
    let mut group = c.benchmark_group("sorted_set/tree_100k");
    group.sample_size(20).throughput(Throughput::Elements(COUNT));
    group.bench_function("build", |b| b.iter(|| build(black_box(COUNT))));
    let set = build(COUNT);
    group.bench_function("walk", |b| b.iter(|| set.iter(0..set.len()).map(|(_, score)| score).sum::<f64>()));
    group.bench_function("clone", |b| b.iter_batched(|| (), |()| set.clone(), BatchSize::PerIteration));
    let mut out = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            set.encode(&mut out, None);
        })
    });
    group.finish();
}

criterion_group!(benches, single, whole);
criterion_main!(benches);
