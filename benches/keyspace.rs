//! Costs of the keyspace: one key found, read or replaced under its shard's lock. `cargo bench --bench keyspace`.
//!
//! The figure to look at is the time per key. `small` fits into the caches and shows the instructions, `large` does not
//! and shows the memory: the rest of its time is waiting for three cache lines (shard, bucket, entry).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use starling::base::hash::hash_key;
use starling::base::ids::{DbIndex, UnixMs};
use starling::base::random::Rng;
use starling::keyspace::db::Keyspace;
use starling::keyspace::lazy_free::{Lazy, LazyFree};
use starling::keyspace::notify::Classes;
use starling::keyspace::ready::Waiting;
use starling::keyspace::space::{Expiry, Space, Surroundings, access_clock};
use starling::keyspace::tracked::Tracked;
use starling::keyspace::watch::WatchTable;
use starling::types::Str;

const SIZES: [(&str, u64); 2] = [("small", 1_000), ("large", 1_000_000)];
const DB: DbIndex = DbIndex(0);
const NOW: UnixMs = UnixMs(1_700_000_000_000);
const SEED: u64 = 1;

struct Bench {
    keyspace: Keyspace,
    watches: WatchTable,
    keys: Vec<[u8; 16]>,
    rng: Rng,
}

impl Bench {
    fn filled(count: u64) -> Bench {
        let key = |number: u64| -> [u8; 16] {
            format!("key:{number:012}").into_bytes().try_into().expect("sixteen digits")
        };
        let bench = Bench {
            keyspace: Keyspace::new(1),
            watches: WatchTable::default(),
            keys: (0..count).map(key).collect(),
            rng: Rng::from_seed(SEED),
        };
        for index in 0..bench.keys.len() {
            let key = bench.keys[index];
            bench.open(&key, |space| space.put(&key, Str::Bytes(&[b'x'; 64]), None));
        }
        bench
    }

    /// Locks one key as a command does and hands it to `work`.
    #[inline]
    fn open<R>(&self, key: &[u8], work: impl FnOnce(&mut Space<'_>) -> R) -> R {
        let (waiting, tracked) = (Waiting::default(), Tracked::default());
        let lazy_free = LazyFree::default();
        let around = Surroundings {
            now: NOW,
            clock: access_clock(NOW),
            lfu: None,
            stamp: 0,
            pre_images: None,
            watches: &self.watches,
            waiting: &waiting,
            tracked: &tracked,
            own_deadlines: None,
            is_followed: true,
            lazy_free: &lazy_free,
            lazy: Lazy::default(),
            notify: Classes::default(),
            expiry: Expiry::Delete,
        };
        work(&mut Space::one(&self.keyspace, DB, key, hash_key(key), around))
    }

    /// Any of the keys.
    fn any(&mut self) -> [u8; 16] {
        let index = self.rng.index(self.keys.len()).expect("there are keys");
        self.keys[index]
    }
}

fn keyspace(c: &mut Criterion) {
    for (size, count) in SIZES {
        let mut bench = Bench::filled(count);
        let mut group = c.benchmark_group("keyspace");
        group.bench_function(BenchmarkId::new("read64", size), |b| {
            b.iter(|| {
                let key = bench.any();
                bench.open(&key, |space| {
                    let value =
                        space.read(&key).and_then(|entry| entry.as_str()).expect("filled with strings");
                    black_box(value.len())
                })
            })
        });
        group.bench_function(BenchmarkId::new("put64", size), |b| {
            let value = [b'y'; 64];
            b.iter(|| {
                let key = bench.any();
                bench.open(&key, |space| space.put(&key, black_box(Str::Bytes(&value)), None));
            })
        });
        group.bench_function(BenchmarkId::new("put_int", size), |b| {
            b.iter(|| {
                let key = bench.any();
                bench.open(&key, |space| space.put(&key, black_box(Str::Int(7)), None));
            })
        });
        group.bench_function(BenchmarkId::new("delete_and_insert64", size), |b| {
            let value = [b'z'; 64];
            b.iter(|| {
                let key = bench.any();
                bench.open(&key, |space| {
                    assert!(space.delete(&key));
                    space.put(&key, black_box(Str::Bytes(&value)), None);
                });
            })
        });
        group.finish();
    }
}

criterion_group!(benches, keyspace);
criterion_main!(benches);
