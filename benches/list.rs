//! Costs of a list in each of its forms, without key, command or socket. `cargo bench --bench list`.
//!
//! Figures to look at: ns for a push, a pop and an element by index, in a small list, in one of a million elements and in one
//! whose inner nodes are compressed; ns per element for a range of a hundred, for building, walking and encoding.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::base::random::Rng;
use starling::types::list::{End, Limits};
use starling::types::{Collection, List};

const SEED: u64 = 1;

fn element(number: u64) -> Vec<u8> {
    format!("element:{number:012}").into_bytes()
}

fn push(list: &mut List, end: End, element: &[u8], limits: Limits) {
    list.expect(element.len(), 1, limits);
    list.push(end, element);
}

fn build(count: u64, limits: Limits) -> List {
    let mut list = List::default();
    (0..count).for_each(|number| push(&mut list, End::Tail, &element(number), limits));
    list
}

fn single(c: &mut Criterion) {
    let forms = [("listpack_100", 100, 0), ("quicklist_1m", 1_000_000, 0), ("compressed_1m", 1_000_000, 1)];
    for (form, count, depth) in forms {
        let limits = Limits::new(-2, depth);
        let mut group = c.benchmark_group(format!("list/{form}"));
        let mut list = build(count, limits);
        println!("{form}: {} bytes an element", list.heap_bytes() / list.len());
        let mut rng = Rng::from_seed(SEED);
        for (name, end) in [("head", End::Head), ("tail", End::Tail)] {
            let added = element(rng.next_u64() % 1000);
            group.bench_function(format!("push_and_pop_{name}"), |b| {
                b.iter(|| {
                    push(&mut list, end, &added, limits);
                    list.pop(end, |item| black_box(item.len()))
                })
            });
        }
        group.bench_function("by_index", |b| {
            b.iter(|| {
                let index = rng.below(count) as usize;
                list.visit(End::Head, index, |item| {
                    black_box(item);
                    false
                })
            })
        });
        group.bench_function("range_of_100", |b| {
            b.iter(|| {
                let mut left = 100;
                list.visit(End::Head, 0, |item| {
                    black_box(item);
                    left -= 1;
                    left > 0
                })
            })
        });
        group.finish();
    }
}

fn whole(c: &mut Criterion) {
    const COUNT: u64 = 100_000;
    let mut group = c.benchmark_group("list/quicklist_100k");
    group.sample_size(20).throughput(Throughput::Elements(COUNT));
    let limits = Limits::new(-2, 0);
    group.bench_function("build", |b| b.iter(|| build(black_box(COUNT), limits)));
    let list = build(COUNT, limits);
    group.bench_function("walk", |b| {
        b.iter(|| {
            let mut bytes = 0;
            list.visit(End::Head, 0, |item| {
                bytes += item.len();
                true
            });
            bytes
        })
    });
    let mut out = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            list.encode(&mut out, None);
        })
    });
    group.finish();
}

criterion_group!(benches, single, whole);
criterion_main!(benches);
