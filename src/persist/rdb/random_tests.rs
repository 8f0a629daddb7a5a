//! The cut is exact: while threads write, rename, expire, move, flush and swap at random, every snapshot that is taken
//! and loaded again equals the replay of the log of changes up to its cut, every key once.
//!
//! Writers append to a log of their own while they hold the locks of what they change, as commands reserve their place
//! in the backlog; its length at the cut is the offset. Shards are few and slices tiny, so that tables grow, shrink and
//! rehash under the walker. A run prints its seed; `STARLING_SEED` repeats one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};

use crate::base::clock::now_ms;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::{Rng, os_seed};
use crate::codec::rdb::Dialect;
use crate::config::{Config, Live};
use crate::exec::engine::Engine;
use crate::exec::executor::Executor;
use crate::keyspace::db::{Db, Keyspace};
use crate::keyspace::eviction::Usage;
use crate::keyspace::lazy_free::Lazy;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, ShardRef, Slot, Space, Surroundings};
use crate::persist::rdb::{Expired, LoadOptions, load};
use crate::snapshot::{Cut, Following, Request, SnapshotError, Snapshots, Subscription, WalkOptions};
use crate::types::Str;

const DATABASES: usize = 4;
const KEYS: u64 = 1000;
/// Writers grow the data set for so many milliseconds, then shrink it, so that tables are rehashed under the walker.
const MOOD_MS: i64 = 12;
const WRITERS: u64 = 3;
const CUTS: usize = 150;

/// A change, as replaying it needs it.
enum Change {
    Put { db: DbIndex, key: Vec<u8>, value: Vec<u8>, deadline: Option<UnixMs> },
    Append { db: DbIndex, key: Vec<u8>, tail: Vec<u8> },
    Deadline { db: DbIndex, key: Vec<u8>, deadline: Option<UnixMs> },
    Delete { db: DbIndex, key: Vec<u8> },
    Flush(Vec<DbIndex>),
    Swap(DbIndex, DbIndex),
}

type Data = Vec<BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMs>)>>;

fn apply(data: &mut Data, change: &Change) {
    match change {
        Change::Put { db, key, value, deadline } => {
            data[db.0 as usize].insert(key.clone(), (value.clone(), *deadline));
        }
        Change::Append { db, key, tail } => {
            data[db.0 as usize].entry(key.clone()).or_default().0.extend_from_slice(tail);
        }
        Change::Deadline { db, key, deadline } => {
            data[db.0 as usize].get_mut(key).expect("the key is there").1 = *deadline;
        }
        Change::Delete { db, key } => {
            data[db.0 as usize].remove(key);
        }
        Change::Flush(dbs) => dbs.iter().for_each(|db| data[db.0 as usize].clear()),
        Change::Swap(a, b) => data.swap(a.0 as usize, b.0 as usize),
    }
}

struct Writer {
    executor: Executor,
    rng: Rng,
    log: Arc<Mutex<Vec<Change>>>,
}

impl Writer {
    fn key(&mut self) -> Vec<u8> {
        format!("key:{}", self.rng.below(KEYS)).into_bytes()
    }

    fn db(&mut self) -> DbIndex {
        DbIndex(self.rng.below(DATABASES as u64) as u16)
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.below(4) {
            0 => (self.rng.next_u64() as i64 >> self.rng.below(64)).to_string().into_bytes(),
            1 => vec![b'a' + self.rng.below(26) as u8; self.rng.below(200) as usize],
            2 => (0..self.rng.below(60)).map(|_| self.rng.next_u64() as u8).collect(),
            _ => b"v".to_vec(),
        }
    }

    fn deadline(&mut self) -> Option<UnixMs> {
        let soon = self.rng.below(20) as i64;
        match self.rng.below(4) {
            0 => Some(UnixMs(now_ms() + soon)),
            1 => Some(UnixMs(now_ms() + 100_000 + soon)),
            _ => None,
        }
    }

    fn run(&mut self, done: &AtomicBool) {
        self.executor.unpark();
        while !done.load(Relaxed) {
            for _ in 0..self.rng.below(30) {
                self.change();
            }
            self.executor.checkpoint();
        }
        self.executor.park();
    }

    fn change(&mut self) {
        match self.rng.below(1000) {
            0 => self.replace(true),
            1..4 => self.replace(false),
            _ if now_ms() / MOOD_MS % 2 == 0 => self.change_keys(),
            _ => (0..6).for_each(|_| self.shrink()),
        }
    }

    fn shrink(&mut self) {
        let (db, key) = (self.db(), self.key());
        let view = self.executor.view();
        let shards = vec![Space::shard_ref(&view.keyspace, db, &key)];
        let mut space = Space::many(&view.keyspace, db, shards, surroundings(&self.executor));
        // It is gone afterwards, deleted or found expired.
        let _ = space.delete(&key);
        self.log.lock().expect("no panic").push(Change::Delete { db, key });
        drop(space);
    }

    /// FLUSHALL, FLUSHDB, SWAPDB.
    fn replace(&mut self, everything: bool) {
        let (a, b, swap) = (self.db(), self.db(), self.rng.below(2) == 0);
        let engine = self.executor.engine().clone();
        self.executor.park();
        engine.barrier.stop(None, || {
            let (old, mut log) = (engine.keyspace(), self.log.lock().expect("no panic"));
            let (new, change) = if everything {
                (crowded(&old, |_| true), Change::Flush((0..DATABASES as u16).map(DbIndex).collect()))
            } else if swap {
                (old.with_swapped(a, b), Change::Swap(a, b))
            } else {
                (crowded(&old, |db| db == a), Change::Flush(vec![a]))
            };
            engine.replace_keyspace(Arc::new(new));
            log.push(change);
        });
        self.executor.unpark();
    }

    fn change_keys(&mut self) {
        let (db, other_db, key, other) = (self.db(), self.db(), self.key(), self.key());
        let (kind, value, deadline) = (self.rng.below(10), self.value(), self.deadline());
        let view = self.executor.view();
        let around = surroundings(&self.executor);
        let at = |db, key: &[u8]| Space::shard_ref(&view.keyspace, db, key);
        let shards: Vec<ShardRef> = vec![at(db, &key), at(db, &other), at(other_db, &key)];
        let mut space = Space::many(&view.keyspace, db, shards, around);
        let changes = match kind {
            0..4 => {
                space.put(&key, Str::encode(&value), deadline);
                vec![Change::Put { db, key, value, deadline }]
            }
            4 | 5 if space.delete(&key) => vec![Change::Delete { db, key }],
            6 => append(&mut space, db, key, value),
            7 => set_deadline(&mut space, db, key, deadline),
            8 => move_to(&mut space, (db, key), (db, other)),
            9 => move_to(&mut space, (db, key.clone()), (other_db, key)),
            _ => Vec::new(),
        };
        let mut log = self.log.lock().expect("no panic");
        for (db, key) in std::mem::take(&mut space.changes.expired) {
            log.push(Change::Delete { db, key });
        }
        log.extend(changes);
        drop(space);
    }
}

/// The same databases but for `emptied`, which start anew with two shards.
fn crowded(old: &Keyspace, emptied: impl Fn(DbIndex) -> bool) -> Keyspace {
    let db =
        |(index, db): (DbIndex, &Arc<Db>)| if emptied(index) { Arc::new(Db::new(2)) } else { db.clone() };
    Keyspace::of(old.iter().map(db))
}

fn surroundings(executor: &Executor) -> Surroundings<'_> {
    let view = executor.view();
    Surroundings {
        now: UnixMs(now_ms()),
        clock: 0,
        lfu: None,
        stamp: view.stamp,
        pre_images: view.snapshot.as_ref().map(|snapshot| snapshot.pre_images.as_ref()),
        watches: &executor.engine().watches,
        waiting: &executor.engine().blocked.waiting,
        tracked: &executor.engine().tracking.tracked,
        lazy_free: &executor.engine().lazy_free,
        lazy: Lazy::default(),
        own_deadlines: None,
        is_followed: true,
        notify: Classes::default(),
        expiry: Expiry::Delete,
    }
}

fn append(space: &mut Space<'_>, db: DbIndex, key: Vec<u8>, tail: Vec<u8>) -> Vec<Change> {
    match space.slot(&key) {
        Slot::Occupied(mut slot) => {
            slot.change_bytes(|bytes| bytes.extend_from_slice(&tail)).expect("only strings");
        }
        Slot::Vacant(slot) => slot.insert_string(Str::Bytes(&tail), None),
    }
    vec![Change::Append { db, key, tail }]
}

fn set_deadline(space: &mut Space<'_>, db: DbIndex, key: Vec<u8>, deadline: Option<UnixMs>) -> Vec<Change> {
    match space.slot(&key) {
        Slot::Occupied(mut slot) => slot.set_deadline(deadline),
        Slot::Vacant(_) => return Vec::new(),
    }
    vec![Change::Deadline { db, key, deadline }]
}

/// RENAME and MOVE.
fn move_to(space: &mut Space<'_>, from: (DbIndex, Vec<u8>), to: (DbIndex, Vec<u8>)) -> Vec<Change> {
    let Slot::Occupied(slot) = space.slot_in(from.0, &from.1) else { return Vec::new() };
    let entry = slot.remove();
    if let Slot::Occupied(slot) = space.slot_in(to.0, &to.1) {
        drop(slot.remove());
    }
    let (value, deadline) = (entry.as_str().expect("only strings").to_vec(), entry.deadline());
    match space.slot_in(to.0, &to.1) {
        Slot::Vacant(slot) => slot.insert_copy(&entry, deadline),
        Slot::Occupied(_) => unreachable!("it was just removed"),
    }
    vec![Change::Delete { db: from.0, key: from.1 }, Change::Put { db: to.0, key: to.1, value, deadline }]
}

fn loaded(bytes: &[u8]) -> Data {
    let options = LoadOptions {
        databases: DATABASES,
        now: UnixMs(0),
        expired: Expired::Keep,
        verify_checksum: true,
        config: &Config::default(),
        key_load_delay: 0,
        pace: None,
        on_progress: &mut |_| ControlFlow::Continue(()),
    };
    let loaded = load(bytes, options).unwrap_or_else(|error| panic!("a snapshot does not load: {error}"));
    let mut data = Data::new();
    for (_, db) in loaded.keyspace.iter() {
        let mut all = BTreeMap::new();
        for shard in 0..db.shard_count() {
            let guard = db.lock(shard);
            for at in guard.iter() {
                let entry = guard.get(at);
                let value = entry.as_str().expect("only strings").to_vec();
                assert!(all.insert(entry.key().to_vec(), (value, entry.deadline())).is_none());
            }
        }
        data.push(all);
    }
    data
}

struct Taken {
    cut: Arc<Cut>,
    subscription: Subscription,
    log_len: usize,
}

fn enlist(snapshots: &Snapshots, log: &Arc<Mutex<Vec<Change>>>) -> mpsc::Receiver<Taken> {
    let (sender, receiver) = mpsc::channel();
    let log = log.clone();
    snapshots.enlist(Request {
        following: Following::File,
        reads: Dialect::Valkey80,
        lag_bytes_max: u64::MAX,
        wake: None,
        on_start: Box::new(move |cut, subscription| {
            let log_len = log.lock().expect("no panic").len();
            sender.send(Taken { cut: cut.clone(), subscription, log_len }).expect("the test waits");
        }),
    });
    receiver
}

fn collect(mut subscription: Subscription) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = subscription.wait_next()? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn options(rng: &mut Rng) -> WalkOptions {
    // A delay makes the walk last, so that much happens to a shard between two of its slices.
    let key_save_delay = [-20, -3, 1, 60][rng.index(4).expect("there are some")];
    WalkOptions {
        compress: rng.below(2) == 0,
        checksum: true,
        key_save_delay,
        used_memory: 0,
        usage: Usage::Unnoted,
    }
}

/// Takes one snapshot, with one or two followers, and compares it with the log up to its cut.
fn check_one_cut(
    snapshots: &Arc<Snapshots>,
    log: &Arc<Mutex<Vec<Change>>>,
    replayed: &mut (usize, Data),
    rng: &mut Rng,
) {
    let first = enlist(snapshots, log);
    let second = (rng.below(2) == 0).then(|| enlist(snapshots, log));
    snapshots.start(options(rng), UnixMs(now_ms())).expect("nothing walks");
    let taken = first.recv().expect("the cut was taken");
    let second = second.map(|second| {
        let subscription = second.recv().expect("the cut was taken").subscription;
        std::thread::spawn(move || collect(subscription))
    });
    if rng.below(10) == 0 {
        // A walk that was given up must not harm the next.
        snapshots.cancel();
    }
    let keys_at_cut = taken.cut.keys();
    let result = collect(taken.subscription);
    while snapshots.is_walking() {
        std::thread::yield_now();
    }
    let same = second.map(|second| second.join().expect("no panic"));
    let Ok(bytes) = result else {
        assert_eq!(result, Err(SnapshotError::Cancelled));
        return;
    };
    if let Some(same) = same {
        assert!(same.expect("both followers see the same end") == bytes, "two followers got different bytes");
    }
    {
        let log = log.lock().expect("no panic");
        log[replayed.0..taken.log_len].iter().for_each(|change| apply(&mut replayed.1, change));
        replayed.0 = taken.log_len;
    }
    let data = loaded(&bytes);
    assert_eq!(data.iter().map(|db| db.len() as u64).sum::<u64>(), keys_at_cut);
    for (db, (found, wanted)) in data.iter().zip(&replayed.1).enumerate() {
        for (key, value) in wanted {
            assert_eq!(found.get(key), Some(value), "db {db} key {}", key.escape_ascii());
        }
        assert_eq!(found.len(), wanted.len(), "db {db} has keys that were not there at the cut");
    }
}

#[test]
fn a_snapshot_is_the_replay_of_the_stream_up_to_its_cut() {
    let seed = std::env::var("STARLING_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(os_seed);
    println!("STARLING_SEED={seed}");
    let mut config = Config::default();
    config.databases = DATABASES as u32;
    let engine = Arc::new(Engine::new(Arc::new(Live::new(config, Default::default())), UnixMs(now_ms())));
    engine.barrier.stop(None, || engine.replace_keyspace(Arc::new(crowded(&engine.keyspace(), |_| true))));
    let snapshots = Snapshots::new(engine.clone(), Box::new(|_| None));
    let log = Arc::new(Mutex::new(Vec::new()));
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (engine, log, done) = (engine.clone(), log.clone(), done.clone());
            std::thread::spawn(move || {
                let rng = Rng::from_seed(seed.wrapping_add(1 + number));
                Writer { executor: Executor::new(engine), rng, log }.run(&done);
            })
        })
        .collect();
    let mut rng = Rng::from_seed(seed);
    let mut replayed = (0, vec![BTreeMap::new(); DATABASES]);
    for _ in 0..CUTS {
        check_one_cut(&snapshots, &log, &mut replayed, &mut rng);
    }
    done.store(true, Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    assert!(replayed.0 > 1000, "the writers hardly wrote");
}
