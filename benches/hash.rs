//! Costs of a hash in each of its forms, without key, command or socket, and of the listpack beneath. `cargo bench --bench hash`.
//!
//! Figures to look at: ns for reading a field, for overwriting its value, for one that comes and goes, and for a deadline that
//! moves; ns per field for building a large hash, for walking it, for its RDB form and for reading that back.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::base::ids::UnixMs;
use starling::base::random::Rng;
use starling::codec::listpack::Listpack;
use starling::codec::rdb::Dialect;
use starling::config::Config;
use starling::types::hash::{Deadline, HashForm, Limits, NEVER, rdb};
use starling::types::{Collection, Hash};

const SEED: u64 = 1;
const VALUE: &[u8] = b"xxx";

/// (name, fields): as many as the form usually holds.
fn forms() -> [(&'static str, Vec<String>); 3] {
    let element = |number: usize| format!("element:{number:012}");
    [
        ("listpack_10", (0..10).map(element).collect()),
        ("listpack_100", (0..100).map(element).collect()),
        ("table_100k", (0..100_000).map(element).collect()),
    ]
}

fn build(names: &[String], limits: Limits) -> Hash {
    let mut hash = Hash::default();
    for name in names {
        assert!(hash.set(name.as_bytes(), VALUE, Deadline::Clear, NEVER, limits));
    }
    hash
}

fn single(c: &mut Criterion) {
    let limits = Limits::of(&Config::default());
    for (name, names) in forms() {
        let mut group = c.benchmark_group(format!("hash/{name}"));
        let mut hash = build(&names, limits);
        let mut rng = Rng::from_seed(SEED);
        let mut some = || names[rng.below(names.len() as u64) as usize].as_bytes();
        group.bench_function("get", |b| b.iter(|| hash.get(black_box(some()), NEVER).is_some()));
        group.bench_function("overwrite", |b| {
            b.iter(|| hash.set(some(), black_box(VALUE), Deadline::Clear, NEVER, limits))
        });
        group.bench_function("remove_and_set", |b| {
            b.iter(|| {
                let name = some();
                hash.remove(name, NEVER);
                hash.set(name, VALUE, Deadline::Clear, NEVER, limits)
            })
        });
        if matches!(hash.form(), HashForm::Table(_)) {
            let mut at = 0;
            group.bench_function("set_deadline", |b| {
                b.iter(|| {
                    at += 1;
                    hash.set_deadline(some(), Some(UnixMs(at)))
                })
            });
        }
        group.finish();
    }
}

fn whole(c: &mut Criterion) {
    let config = Config::default();
    let limits = Limits::of(&config);
    for (name, names) in forms() {
        let mut group = c.benchmark_group(format!("hash/{name}"));
        group.throughput(Throughput::Elements(names.len() as u64));
        group.bench_function("build", |b| b.iter(|| build(&names, limits)));
        let hash = build(&names, limits);
        group.bench_function("walk", |b| b.iter(|| hash.iter(NEVER).map(black_box).count()));
        let mut out = Vec::new();
        group.bench_function("encode_rdb", |b| {
            b.iter(|| {
                out.clear();
                hash.encode(&mut out, None);
            })
        });
        let kind = hash.rdb_type_in(Dialect::Common);
        group.bench_function("decode_rdb", |b| {
            b.iter(|| rdb::decode(&mut &out[..], kind, &config).expect("what was encoded").len())
        });
        group.finish();
    }
}

fn listpack(c: &mut Criterion) {
    let mut group = c.benchmark_group("listpack");
    let texts: Vec<String> = (0..200).map(|number| format!("element:{number:012}")).collect();
    let mut list: Listpack = texts.iter().collect();
    let first = list.first().expect("it has elements");
    group.bench_function("find_last_of_200", |b| {
        b.iter(|| list.find(black_box(b"element:000000000199"), first, 0).is_some())
    });
    group.bench_function("validate_200", |b| {
        let bytes = list.as_bytes().to_vec();
        b.iter(|| Listpack::from_bytes(black_box(&bytes)).is_ok())
    });
    group.bench_function("push_and_pop_back", |b| {
        b.iter(|| {
            list.push_back(black_box(VALUE));
            let last = list.last().expect("just pushed");
            list.remove(last)
        })
    });
    group.finish();
}

criterion_group!(benches, single, whole, listpack);
criterion_main!(benches);
