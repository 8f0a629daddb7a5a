//! Costs of a command from its parsed request to its reply, with everything but the socket: look-up, gates, prefetch,
//! locks, handler, effect, statistics. `cargo bench --bench dispatch`.
//!
//! The figure to look at is the time per element: one element is one command of a pipeline. Parsing is not in it
//! (`--bench resp` has that). `followed` commits to a backlog as if a replica were there.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::backlog::{Backlog, Offset};
use starling::base::clock;
use starling::base::ids::UnixMs;
use starling::base::random::Rng;
use starling::commands::spec::Args;
use starling::config::{Config, Live, Origin};
use starling::exec::engine::Engine;
use starling::exec::executor::{Executor, Resolved};
use starling::exec::prefetch::WINDOW;
use starling::resp::batch::Batch;
use starling::resp::limits::Limits;
use starling::resp::parser::Parser;
use starling::resp::reply::Reply;
use starling::session::Session;
use starling::session::client::Client;

const KEYS: u64 = 100_000;
const PIPELINE: usize = 64;
const BACKLOG_BYTES: u64 = 1 << 20;
const SEED: u64 = 1;

/// One thread's executor with one client.
struct Bench {
    executor: Executor,
    session: Session,
    reply: Reply,
    resolved: Vec<Resolved>,
}

impl Bench {
    fn new(followed: bool) -> Bench {
        let now = UnixMs(clock::now_ms());
        let live = Live::new(Config::default(), Origin::default());
        let engine = Arc::new(Engine::new(Arc::new(live), now));
        if followed {
            engine.replace_backlog(Some(Backlog::new(BACKLOG_BYTES, Offset(0), None)));
        }
        let client = Client::new(1, String::new(), String::new(), -1, 0, false, now, Arc::default());
        let mut bench = Bench {
            executor: Executor::new(engine),
            session: Session::new(Arc::new(client), true),
            reply: Reply::new(),
            resolved: Vec::new(),
        };
        bench.executor.unpark();
        for number in 0..KEYS {
            bench.run(&Pipeline::new(&[&["SET", &key(number), &"x".repeat(64)]]));
        }
        bench
    }

    /// A turn of a worker: the pipeline in windows, then the publication of what it wrote.
    fn run(&mut self, pipeline: &Pipeline) {
        self.reply.buf.clear();
        self.executor.checkpoint();
        self.executor.tick();
        self.executor.begin_batch();
        let requests: Vec<Args<'_>> = pipeline.batch.requests(&pipeline.bytes).map(Args::parsed).collect();
        for window in requests.chunks(WINDOW) {
            self.executor.resolve_window(self.session.db, window.iter().copied(), &mut self.resolved);
            for (args, resolved) in window.iter().zip(&self.resolved) {
                self.executor.request(&mut self.session, *args, *resolved, &mut self.reply);
            }
        }
        self.executor.end_batch();
        black_box(&self.reply.buf);
    }
}

/// Parsed requests.
struct Pipeline {
    bytes: Vec<u8>,
    batch: Batch,
}

impl Pipeline {
    fn new(requests: &[&[&str]]) -> Pipeline {
        let mut bytes = Vec::new();
        for words in requests {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in *words {
                bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        let mut batch = Batch::new();
        let progress = Parser::new().parse(&bytes, &Limits::default(), &mut batch, usize::MAX);
        assert_eq!((progress.consumed, batch.len()), (bytes.len(), requests.len()));
        Pipeline { bytes, batch }
    }

    /// `PIPELINE` commands on keys at random.
    fn of(name: &str, values: &[&str]) -> Pipeline {
        let mut rng = Rng::from_seed(SEED);
        let keys: Vec<String> = (0..PIPELINE).map(|_| key(rng.below(KEYS))).collect();
        let requests: Vec<Vec<&str>> =
            keys.iter().map(|key| [&[name, key.as_str()], values].concat()).collect();
        let requests: Vec<&[&str]> = requests.iter().map(Vec::as_slice).collect();
        Pipeline::new(&requests)
    }
}

fn key(number: u64) -> String {
    format!("key:{number:012}")
}

fn dispatch(c: &mut Criterion) {
    let value = "y".repeat(64);
    let cases = [
        ("get64", Pipeline::of("GET", &[])),
        ("set64", Pipeline::of("SET", &[&value])),
        ("set64_ex", Pipeline::of("SET", &[&value, "EX", "1000"])),
        ("mget_of_1", Pipeline::of("MGET", &[])),
    ];
    for (group, followed) in [("dispatch/alone", false), ("dispatch/followed", true)] {
        let mut bench = Bench::new(followed);
        let mut group = c.benchmark_group(group);
        group.throughput(Throughput::Elements(PIPELINE as u64));
        for (name, pipeline) in &cases {
            group.bench_function(*name, |b| b.iter(|| bench.run(pipeline)));
        }
        // On keys of their own: the others hold no numbers.
        let counters: Vec<String> = (0..PIPELINE).map(|number| format!("counter:{number}")).collect();
        let requests: Vec<[&str; 2]> = counters.iter().map(|key| ["INCR", key.as_str()]).collect();
        let requests: Vec<&[&str]> = requests.iter().map(|words| words.as_slice()).collect();
        let pipeline = Pipeline::new(&requests);
        group.bench_function("incr", |b| b.iter(|| bench.run(&pipeline)));
        group.finish();
    }
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
