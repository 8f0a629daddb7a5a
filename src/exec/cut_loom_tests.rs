//! The cut under loom: an executor that writes, and a snapshot that is cut and walked meanwhile, in all interleavings up to a number
//! of preemptions. `tests/run loom` runs them with the others.
//!
//! ```text
//!   writer   SET a two | checkpoint | DEL b ...            engine, keyspace, backlog, barrier, pre-images and walker are
//!   cutter       stop, note the offset | walk the shards    the real ones, with two shards and segments of 32 bytes
//! ```
//!
//! Always: what the RDB holds is what a replay of the stream up to the cut's offset comes to, every key once. What is larger
//! belongs to `persist::rdb::random_tests`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::loom::model::Builder;
use ::loom::thread;

use crate::backlog::{Backlog, Offset};
use crate::base::ids::UnixMs;
use crate::codec::rdb::Dialect;
use crate::commands::harness::TestHost;
use crate::commands::spec::Args;
use crate::commands::spec::effect::encode;
use crate::commands::spec::table::table;
use crate::config::{Config, Live, Origin};
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, Resolved};
use crate::keyspace::eviction::Usage;
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::session::client::Client;
use crate::snapshot::{Following, Request, Snapshots, StreamPosition, Subscription, WalkOptions};

/// Preemptions tried; `LOOM_MAX_PREEMPTIONS` asks for more.
const PREEMPTIONS: usize = 2;

/// Of each thread.
const STACK_BYTES: usize = 512 * 1024;

/// What the keys hold before the model begins.
const BEFORE: [(&str, &str); 2] = [("a", "old"), ("b", "old")];

/// Keys are one letter, values three.
type Data = BTreeMap<String, String>;

fn run(executor: &mut Executor, session: &mut Session, request: &str) {
    let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
    let mut raw = Vec::new();
    encode(&mut raw, words.len(), words.iter().copied());
    let resolved = Resolved::new(table().lookup(words[0]), None);
    let mut reply = Reply::new();
    executor.request(session, Args::borrowed(&words, Some(&raw)), resolved, &mut reply);
    assert_ne!(reply.buf[0], b'-', "{request}: {}", String::from_utf8_lossy(&reply.buf));
}

/// The data after what the stream says.
fn replay(stream: &[u8]) -> Data {
    let mut data: Data = BEFORE.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let text = String::from_utf8(stream.to_vec()).expect("the commands here are text");
    for command in text.split('*').skip(1) {
        let words: Vec<&str> = command.split("\r\n").skip(1).filter(|line| !line.starts_with('$')).collect();
        match words[0] {
            "SELECT" => {}
            "SET" => drop(data.insert(words[1].into(), words[2].into())),
            "DEL" => drop(data.remove(words[1])),
            "RENAME" => {
                let value = data.remove(words[1]).expect("it was there");
                data.insert(words[2].into(), value);
            }
            other => panic!("the model does not know {other}"),
        }
    }
    data
}

/// The records of an RDB, each of which is: type string, one letter of key, three of value.
fn records(rdb: &[u8]) -> Data {
    let mut data = Data::new();
    for record in rdb.windows(7).filter(|at| at[..2] == [0, 1] && at[2].is_ascii_lowercase() && at[3] == 3) {
        let (key, value) =
            (char::from(record[2]).to_string(), String::from_utf8_lossy(&record[4..]).into_owned());
        assert!(data.insert(key, value).is_none(), "a key comes twice");
    }
    data
}

fn read(mut subscription: Subscription) -> Vec<u8> {
    let mut rdb = Vec::new();
    while let Some(chunk) = subscription.wait_next().expect("the walk succeeds") {
        rdb.extend_from_slice(&chunk);
    }
    rdb
}

/// Cuts and walks; the RDB and the offset that it belongs to.
fn snapshot(engine: &Arc<Engine>, backlog: &Arc<Backlog>) -> (Vec<u8>, u64) {
    let stream = backlog.clone();
    let position = Box::new(move |_| {
        let (offset, db) = stream.reserved_and_db();
        Some(StreamPosition { replid: String::new(), offset: offset.0, db })
    });
    let snapshots = Snapshots::new(engine.clone(), position);
    let begun = Arc::new(Mutex::new(None));
    let begins = begun.clone();
    snapshots.enlist(Request {
        following: Following::File,
        reads: Dialect::Common,
        lag_bytes_max: u64::MAX,
        wake: None,
        on_start: Box::new(move |cut, subscription| {
            let offset = cut.position.as_ref().expect("there is a stream").offset;
            *begins.lock().expect("no panic") = Some((offset, subscription));
        }),
    });
    let options = WalkOptions {
        compress: false,
        checksum: false,
        key_save_delay: 0,
        used_memory: 0,
        usage: Usage::Unnoted,
    };
    let walk = |walk: crate::snapshot::snapshots::Walk| {
        walk();
        Ok(())
    };
    snapshots.start_on(options, UnixMs(0), walk).expect("nobody else walks");
    let (offset, subscription) = begun.lock().expect("no panic").take().expect("the cut was taken");
    (read(subscription), offset)
}

/// A writer's requests against one cut.
fn check(requests: &'static [&'static str]) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 100_000;
    builder.check(move || spawn(move || model(requests)).join().expect("no panic"));
}

/// A command's handler in a build without optimisation needs more than loom's few kilobytes.
fn spawn(run: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(run).expect("loom has room for a thread")
}

fn model(requests: &'static [&'static str]) {
    let mut config = Config::default();
    config.databases = 1;
    let live = Live::new(config, Origin::default());
    let engine = Arc::new(Engine::new(Arc::new(live), UnixMs(0)));
    engine.set_host(Arc::new(TestHost::default()));
    let client = Client::new(1, "127.0.0.1:1".into(), String::new(), -1, 0, false, UnixMs(0), Arc::default());
    let mut session = Session::new(Arc::new(client), true);
    let mut executor = Executor::new(engine.clone());
    executor.unpark();
    for (key, value) in BEFORE {
        run(&mut executor, &mut session, &format!("SET {key} {value}"));
    }
    executor.park();
    let backlog = Backlog::new(1024, Offset(0), None);
    let mut reader = backlog.reader_at(Offset(0)).expect("the end is a place");
    engine.replace_backlog(Some(backlog.clone()));
    let writer = spawn(move || {
        executor.unpark();
        for request in requests {
            run(&mut executor, &mut session, request);
            executor.checkpoint();
        }
        executor.park();
    });
    let (rdb, offset) = snapshot(&engine, &backlog);
    writer.join().expect("no panic");
    let mut stream = Vec::new();
    let slices = reader.slices(usize::MAX).expect("the reader has its place");
    slices.iter().for_each(|slice| stream.extend_from_slice(slice));
    assert_eq!(records(&rdb), replay(&stream[..offset as usize]), "the cut is at {offset}");
}

#[test]
fn a_write_is_in_the_snapshot_or_behind_it_in_the_stream() {
    check(&["SET a new"]);
}

#[test]
fn a_key_that_changes_twice_is_captured_once() {
    check(&["SET a one", "SET a two"]);
}

#[test]
fn a_key_that_goes_and_comes_back_is_captured_once() {
    check(&["DEL a", "SET a new"]);
}

#[test]
fn a_key_that_moves_to_another_shard_is_captured_under_its_old_name() {
    check(&["RENAME a c", "RENAME b d"]);
}
