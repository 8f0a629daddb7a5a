//! Costs of a set in each of its forms, without key, command or socket. `cargo bench --bench set`.
//!
//! Figures to look at: ns for adding a member that is there already, for one that comes and goes, and for a member by
//! chance; ns per member for building a large set and for walking it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::base::random::Rng;
use starling::codec::listpack::Item;
use starling::config::Config;
use starling::types::Collection;
use starling::types::set::{Limits, Set};

const SEED: u64 = 1;

/// (name, members): as many as the form usually holds.
fn forms() -> [(&'static str, Vec<String>); 3] {
    let element = |number: usize| format!("element:{number:012}");
    [
        ("intset_500", (0..500).map(|number| (number * 7).to_string()).collect()),
        ("listpack_100", (0..100).map(element).collect()),
        ("table_100k", (0..100_000).map(element).collect()),
    ]
}

fn build(members: &[String], limits: &Limits) -> Set {
    let mut set = Set::suited(members[0].as_bytes(), 1, limits);
    members.iter().for_each(|member| assert!(set.add(member.as_bytes(), limits)));
    set
}

fn single(c: &mut Criterion) {
    let limits = Limits::of(&Config::default());
    for (name, members) in forms() {
        let mut group = c.benchmark_group(format!("set/{name}"));
        let mut set = build(&members, &limits);
        let mut rng = Rng::from_seed(SEED);
        let mut some = || members[rng.below(members.len() as u64) as usize].as_bytes();
        group.bench_function("add_known", |b| b.iter(|| set.add(black_box(some()), &limits)));
        group.bench_function("remove_and_add", |b| {
            b.iter(|| {
                let member = some();
                set.remove(member) && set.add(member, &limits)
            })
        });
        group.bench_function("contains", |b| b.iter(|| set.contains(black_box(some()))));
        let mut rng = Rng::from_seed(SEED);
        group.bench_function("pick", |b| {
            b.iter(|| {
                let position = set.pick(&mut rng).expect("it has members");
                black_box(set.get(position));
            })
        });
        group.finish();
    }
}

fn whole(c: &mut Criterion) {
    let limits = Limits::of(&Config::default());
    for (name, members) in forms() {
        let mut group = c.benchmark_group(format!("set/{name}"));
        group.throughput(Throughput::Elements(members.len() as u64));
        group.bench_function("build", |b| b.iter(|| build(&members, &limits)));
        let set = build(&members, &limits);
        group.bench_function("walk", |b| {
            b.iter(|| {
                set.for_each(|member: Item<'_>| {
                    black_box(member);
                })
            })
        });
        let mut out = Vec::new();
        group.bench_function("encode_rdb", |b| {
            b.iter(|| {
                out.clear();
                set.encode(&mut out, None);
            })
        });
        group.finish();
    }
}

criterion_group!(benches, single, whole);
criterion_main!(benches);
