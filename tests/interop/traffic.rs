//! Seeded random writes in several databases: every string and generic command that changes something, alone and in transactions.
//!
//! Used by the replication scenarios to fill a primary and to keep it busy. The same seed gives the same commands; the seed is printed, and
//! `STARLING_SEED` repeats a run. Always: no command of it is a syntax error, so an error reply that is not about a value fails the test.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::client::{Client, Reply, encode};
use crate::server::Server;

const DATABASES: u64 = 4;
const KEYS: u64 = 300;
/// Commands per pipeline: long enough to fill read buffers, short enough to keep the link cuts between them.
const BATCH: usize = 50;
/// Error replies that depend on the values that chance has put there.
const EXPECTED_ERRORS: [&str; 6] = [
    "ERR value is not an integer",
    "ERR value is not a valid float",
    "ERR increment or decrement would overflow",
    "ERR no such key",
    "ERR source and destination objects are the same",
    "ERR increment would produce",
];

/// splitmix64: small, good enough, the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// The seed of this run: `STARLING_SEED`, or the clock. Printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let clock = || {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
    };
    let seed = env::var("STARLING_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
    println!("STARLING_SEED={seed}");
    seed
}

/// A source of random commands for one connection.
pub struct Traffic {
    random: Random,
}

type Words = Vec<Vec<u8>>;

impl Traffic {
    pub fn new(seed: u64) -> Traffic {
        Traffic { random: Random::new(seed) }
    }

    /// Sends `count` random commands (about; transactions count once) in pipelines and checks the replies.
    pub fn send(&mut self, client: &mut Client, count: usize) {
        for _ in 0..count.div_ceil(BATCH) {
            let commands: Vec<_> = (0..BATCH).flat_map(|_| self.unit()).collect();
            let bytes: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
            client.send(&bytes).expect("the server takes the pipeline");
            for words in &commands {
                let reply = client.read_reply().expect("the server answers the pipeline");
                check_reply(words, &reply);
            }
        }
    }

    /// One command, or a transaction of some.
    fn unit(&mut self) -> Vec<Words> {
        if self.random.below(20) > 0 {
            return vec![self.command()];
        }
        let mut unit = vec![words(&["MULTI"])];
        for _ in 0..self.random.below(5) {
            unit.push(self.command());
        }
        unit.push(words(&["EXEC"]));
        unit
    }

    fn command(&mut self) -> Words {
        match self.random.below(1000) {
            0 => words(&["FLUSHDB"]),
            1..5 => words(&[
                "SWAPDB",
                &self.random.below(DATABASES).to_string(),
                &self.random.below(DATABASES).to_string(),
            ]),
            5..60 => words(&["SELECT", &self.random.below(DATABASES).to_string()]),
            60..350 => self.set(),
            350..650 => self.change_value(),
            650..800 => self.change_deadline(),
            _ => self.change_keys(),
        }
    }

    fn set(&mut self) -> Words {
        let (key, value) = (self.key(), self.value());
        let mut command = vec![b"SET".to_vec(), key, value];
        let far_seconds = (100 + self.random.below(10_000)).to_string();
        let soon_ms = (1 + self.random.below(400)).to_string();
        let options: &[&[&str]] = &[
            &[],
            &[],
            &[],
            &["EX", &far_seconds],
            &["PX", &soon_ms],
            &["PXAT", "33177117420000"],
            &["EXAT", "33177117420"],
            &["KEEPTTL"],
            &["NX"],
            &["XX"],
            &["GET"],
            &["XX", "GET", "EX", &far_seconds],
        ];
        let chosen = self.random.pick(options);
        command.extend(words(chosen));
        command
    }

    fn change_value(&mut self) -> Words {
        let (key, other, value) = (self.key(), self.key(), self.value());
        let number = (self.random.below(2_000) as i64 - 1_000).to_string().into_bytes();
        let offset = self.random.below(200).to_string().into_bytes();
        match self.random.below(13) {
            0 => vec![b"APPEND".to_vec(), key, value],
            1 => vec![b"SETRANGE".to_vec(), key, offset, value],
            2 => vec![b"INCR".to_vec(), key],
            3 => vec![b"DECR".to_vec(), key],
            4 => vec![b"INCRBY".to_vec(), key, number],
            5 => vec![b"DECRBY".to_vec(), key, number],
            6 => vec![b"INCRBYFLOAT".to_vec(), key, b"1.25".to_vec()],
            7 => vec![b"SETNX".to_vec(), key, value],
            8 => vec![b"GETSET".to_vec(), key, value],
            9 => vec![b"MSET".to_vec(), key, value.clone(), other, value],
            10 => vec![b"MSETNX".to_vec(), key, value.clone(), other, value],
            11 => vec![b"GETDEL".to_vec(), key],
            _ => vec![b"SETEX".to_vec(), key, b"1000".to_vec(), value],
        }
    }

    fn change_deadline(&mut self) -> Words {
        let key = self.key();
        let options: &[&[&str]] = &[
            &["EXPIRE", "5000"],
            &["EXPIRE", "5000", "NX"],
            &["EXPIRE", "100", "GT"],
            &["EXPIRE", "-1"],
            &["PEXPIRE", "150"],
            &["PEXPIREAT", "33177117420000"],
            &["EXPIREAT", "1"],
            &["PERSIST"],
            &["GETEX", "EX", "7000"],
            &["GETEX", "PERSIST"],
        ];
        let choice = self.random.pick(options);
        let mut command = words(&choice[..1]);
        command.push(key);
        command.extend(words(&choice[1..]));
        command
    }

    fn change_keys(&mut self) -> Words {
        let (key, other) = (self.key(), self.key());
        let database = self.random.below(DATABASES).to_string().into_bytes();
        match self.random.below(8) {
            0 | 1 => vec![b"DEL".to_vec(), key, other],
            2 => vec![b"UNLINK".to_vec(), key],
            3 => vec![b"RENAME".to_vec(), key, other],
            4 => vec![b"RENAMENX".to_vec(), key, other],
            5 => vec![b"COPY".to_vec(), key, other, b"REPLACE".to_vec()],
            6 => vec![b"COPY".to_vec(), key, other, b"DB".to_vec(), database],
            _ => vec![b"MOVE".to_vec(), key, database],
        }
    }

    fn key(&mut self) -> Vec<u8> {
        match self.random.below(50) {
            0 => b"binary \r\n\x00\xff key".to_vec(),
            1 => vec![b'k'; 300],
            _ => format!("key:{}", self.random.below(KEYS)).into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.random.below(10) {
            0 | 1 => self.random.below(20_000).to_string().into_bytes(),
            2 => (self.random.next() as i64).to_string().into_bytes(),
            3 => vec![b'a'; self.random.below(2_000) as usize],
            4 => (0..self.random.below(600)).map(|_| self.random.next() as u8).collect(),
            5 => Vec::new(),
            6 => b"*3\r\n$3\r\nSET\r\n".to_vec(),
            _ => format!("value-{}", self.random.next()).into_bytes(),
        }
    }
}

fn words(list: &[&str]) -> Words {
    list.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn check_reply(command: &[Vec<u8>], reply: &Reply) {
    match reply {
        Reply::Error(text) if !EXPECTED_ERRORS.iter().any(|known| text.starts_with(known)) => {
            let line: Vec<_> =
                command.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            panic!("{}: {text}", line.join(" "));
        }
        Reply::Array(items) => items.iter().for_each(|item| check_reply(command, item)),
        Reply::Error(_) | Reply::Simple(_) | Reply::Int(_) | Reply::Bulk(_) | Reply::Nil => {}
    }
}

/// Writers in the background, each with its own connection and seed, until `stop`.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<usize>>,
}

impl Load {
    /// Starts `writers` connections, each of which sends about `per_second` commands a second.
    pub fn start(server: &Server, seed: u64, writers: usize, per_second: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let pause = Duration::from_secs_f64(BATCH as f64 / per_second as f64);
        let writers = (0..writers)
            .map(|number| {
                let (stop, mut client) = (Arc::clone(&stop), server.client());
                let mut traffic = Traffic::new(seed.wrapping_add(number as u64 * 1_000_003));
                thread::spawn(move || {
                    let mut sent = 0;
                    while !stop.load(Ordering::Relaxed) {
                        traffic.send(&mut client, BATCH);
                        sent += BATCH;
                        thread::sleep(pause);
                    }
                    sent
                })
            })
            .collect();
        Load { stop, writers }
    }

    /// Ends the load; returns how many commands were sent.
    pub fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.into_iter().map(|writer| writer.join().expect("a writer met an unexpected reply")).sum()
    }
}
