//! What a snapshot costs: the walk over many keys with a follower that only takes, and the load of what it wrote.
//!
//! Run with `cargo bench --bench snapshot`. Keys have 16 bytes, values 100; `same` compresses well, `random` not at all.
//! Always: one element is one key, so the figures compare with those of a full sync.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use starling::base::hash::hash_key;
use starling::base::ids::{DbIndex, UnixMs};
use starling::base::random::Rng;
use starling::codec::rdb::Dialect;
use starling::config::{Config, Live};
use starling::exec::engine::Engine;
use starling::keyspace::entry::Entry;
use starling::keyspace::eviction::Usage;
use starling::persist::rdb::{Expired, LoadOptions, load};
use starling::snapshot::{Following, Request, Snapshots, WalkOptions};
use starling::types::Str;

const KEYS: u64 = 500_000;
const VALUE_BYTES: usize = 100;

fn engine(is_random: bool) -> Arc<Engine> {
    let live = Arc::new(Live::new(Config::default(), Default::default()));
    let engine = Arc::new(Engine::new(live, UnixMs(0)));
    let (keyspace, mut rng) = (engine.keyspace(), Rng::from_seed(1));
    let db = keyspace.db(DbIndex(0));
    for number in 0..KEYS {
        let key = format!("key:{number:012}").into_bytes();
        let byte = |rng: &mut Rng| if is_random { rng.next_u64() as u8 } else { b'x' };
        let value: Vec<u8> = (0..VALUE_BYTES).map(|_| byte(&mut rng)).collect();
        let hash = hash_key(&key);
        db.lock(db.shard_of(hash)).insert(hash, Entry::string(&key, Str::Bytes(&value), None, 0, 0));
    }
    engine
}

/// One whole walk; returns the RDB if it is wanted.
fn walk(snapshots: &Arc<Snapshots>, compress: bool, keep: bool) -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    snapshots.enlist(Request {
        following: Following::File,
        reads: Dialect::Valkey80,
        lag_bytes_max: u64::MAX,
        wake: None,
        on_start: Box::new(move |_, chunks| sender.send(chunks).expect("the bench waits")),
    });
    let options =
        WalkOptions { compress, checksum: true, key_save_delay: 0, used_memory: 0, usage: Usage::Unnoted };
    snapshots.start(options, UnixMs(0)).expect("nothing walks");
    let mut chunks = receiver.recv().expect("the cut was taken");
    let mut rdb = Vec::new();
    while let Some(chunk) = chunks.wait_next().expect("the walk succeeds") {
        if keep {
            rdb.extend_from_slice(&chunk);
        }
    }
    while snapshots.is_walking() {
        std::thread::yield_now();
    }
    rdb
}

fn options() -> LoadOptions<'static> {
    LoadOptions {
        databases: 16,
        now: UnixMs(0),
        expired: Expired::Keep,
        verify_checksum: true,
        config: Box::leak(Box::default()),
        key_load_delay: 0,
        pace: None,
        on_progress: Box::leak(Box::new(|_| ControlFlow::Continue(()))),
    }
}

fn snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    group.throughput(Throughput::Elements(KEYS)).sample_size(10).measurement_time(Duration::from_secs(4));
    for (name, is_random) in [("same", false), ("random", true)] {
        let engine = engine(is_random);
        let snapshots = Snapshots::new(engine.clone(), Box::new(|_| None));
        for (how, compress) in [("compressed", true), ("plain", false)] {
            group.bench_function(format!("walk/{name}/{how}"), |bencher| {
                bencher.iter(|| walk(&snapshots, compress, false));
            });
            let rdb = walk(&snapshots, compress, true);
            group.bench_function(format!("load/{name}/{how}"), |bencher| {
                bencher.iter_batched(
                    || (),
                    |()| load(&rdb[..], options()).expect("it loads").keyspace,
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, snapshot);
criterion_main!(benches);
