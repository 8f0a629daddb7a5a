//! Twins: the same random string commands to Starling and to Redis 7.0.15, replies and replication streams compared word for word.
//!
//!     commands (seeded) --+--> Starling --> replies, stream --+--> equal?
//!                         +--> Redis    --> replies, stream --+
//!
//! Odd values, missing and superfluous arguments and past deadlines are part of it: what is compared is behaviour, not success.
//! Always: a deadline in the past is followed by a read of its key, so that both servers delete the key at the same place of the stream;
//! relative times are long, and the absolute times that they become may differ by the moments between the two servers.

use crate::client::{Client, Reply, encode};
use crate::fake_replica::FakeReplica;
use crate::server::{Product, Server};
use crate::traffic::{Random, seed};

const COMMANDS: usize = 10_000;
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Milliseconds between the two servers' clocks readings of one command at most.
const CLOCK_SLACK_MS: u64 = 20_000;
/// Moments after September 2001 in milliseconds: what is larger and stands in both streams is a time.
const TIMES_MIN: u64 = 1_000_000_000_000;

const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "-1",
    "5",
    "42",
    "-3",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "01",
    "+1",
    " 1",
    "1 ",
    "",
    "x",
    "1.5",
    "4294967296",
    "17179869184",
];
const FLOATS: [&str; 16] = [
    "1.5", "-0.1", "0.1", "3.0e3", "1e100", "inf", "-inf", "nan", "0x1p3", "1e-20", "1e4932", "1e5000",
    "-1.1e2", ".5", "5.", "1e",
];
const TEXTS: [&str; 6] =
    ["hello", "ohmytext", "mynewtext", "get", "\r\n", "0123456789012345678901234567890123456789012345"];
/// Seconds or, with three zeros behind them, milliseconds.
const SPANS: [&str; 7] = ["10000", "200000", "0", "-1", "x", "9223372036854775807", "9223372036854775"];
const MOMENTS: [&str; 7] = ["99999999999", "9999999999999", "1", "1000", "0", "y", "9223372036854775807"];

#[test]
fn string_commands_answer_and_replicate_as_redis_does() {
    let mut random = Random::new(seed());
    let mut twins = [Product::Starling, Product::Redis7].map(Twin::start);
    for number in 0..COMMANDS {
        let command = command(&mut random);
        let replies = twins.each_mut().map(|twin| twin.client.command(&command));
        assert_eq!(replies[0], replies[1], "command {number}: {command:?}");
        if command.iter().any(|word| word.to_ascii_lowercase().ends_with("at")) {
            twins.iter_mut().for_each(|twin| drop(twin.client.command(&["GET", &command[1]])));
        }
    }
    let [ours, theirs] = twins.map(Twin::stream);
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!(same(ours, theirs), "command {number} of the stream: {ours:?}, Redis sends {theirs:?}");
    }
    assert_eq!(ours.len(), theirs.len(), "commands in the stream");
}

struct Twin {
    /// Dropped last.
    client: Client,
    replica: FakeReplica,
    _server: Server,
}

impl Twin {
    fn start(product: Product) -> Twin {
        let server = Server::start(product);
        let mut replica = FakeReplica::attach(server.port);
        replica.take_snapshot().expect("a snapshot of nothing");
        Twin { client: server.client(), replica, _server: server }
    }

    /// Everything that went to replicas, but for keepalives.
    fn stream(mut self) -> Vec<Vec<String>> {
        // Redis ignores an acknowledgement that comes before it has noticed the end of its child, so this one comes late.
        self.replica.client.send(&encode(&["REPLCONF", "ACK", "0"])).expect("the primary listens");
        self.client.command(&["PUBLISH", "end", "end"]);
        let mut commands = Vec::new();
        loop {
            let command = match self.replica.client.read_reply().expect("a command of the stream") {
                Reply::Array(words) => words.iter().map(Reply::text).collect::<Vec<_>>(),
                other => panic!("not a command: {other:?}"),
            };
            if command == ["PUBLISH", "end", "end"] {
                return commands;
            }
            if !command[0].eq_ignore_ascii_case("ping") {
                commands.push(command);
            }
        }
    }
}

/// Equal words, or times that are nearly equal.
fn same(ours: &[String], theirs: &[String]) -> bool {
    let time = |word: &str| word.parse::<u64>().ok().filter(|time| *time >= TIMES_MIN);
    let same_word = |(ours, theirs): (&String, &String)| {
        ours == theirs
            || matches!((time(ours), time(theirs)), (Some(a), Some(b)) if a.abs_diff(b) < CLOCK_SLACK_MS)
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same_word)
}

/// A random command, in one of a hundred cases cut short or with a word too many.
fn command(random: &mut Random) -> Vec<String> {
    let name = *random.pick(&[
        "GET",
        "set",
        "SET",
        "SETNX",
        "SETEX",
        "PSETEX",
        "GETSET",
        "getdel",
        "GETEX",
        "MGET",
        "MSET",
        "MSETNX",
        "STRLEN",
        "APPEND",
        "SETRANGE",
        "GETRANGE",
        "SUBSTR",
        "INCR",
        "DECR",
        "INCRBY",
        "DECRBY",
        "INCRBYFLOAT",
        "LCS",
    ]);
    let mut words = vec![name.to_string(), key(random)];
    match name {
        "set" | "SET" => {
            words.push(value(random));
            options(random, &["NX", "xx", "GET", "get", "KEEPTTL", "persist"], &mut words);
        }
        "GETEX" => options(random, &["PERSIST", "keepttl", "nx"], &mut words),
        "SETEX" => words.extend([random.pick(&SPANS).to_string(), value(random)]),
        "PSETEX" => words.extend([format!("{}000", random.pick(&SPANS)), value(random)]),
        "SETNX" | "GETSET" | "APPEND" => words.push(value(random)),
        "MSET" | "MSETNX" => words.extend([value(random), key(random), value(random)]),
        "MGET" => words.push(key(random)),
        "SETRANGE" => words.extend([small(random), value(random)]),
        "GETRANGE" | "SUBSTR" => words.extend([small(random), small(random)]),
        "INCRBY" | "DECRBY" => words.push(random.pick(&NUMBERS).to_string()),
        "INCRBYFLOAT" => words.push(random.pick(&FLOATS).to_string()),
        "LCS" => {
            words.push(key(random));
            for _ in 0..random.below(3) {
                words.push(random.pick(&["LEN", "idx", "WITHMATCHLEN"]).to_string());
            }
        }
        _ => {}
    }
    match random.below(200) {
        0 => words.truncate(words.len() - 1),
        1 => words.push(value(random)),
        _ => {}
    }
    words
}

fn key(random: &mut Random) -> String {
    random.pick(&KEYS).to_string()
}

fn value(random: &mut Random) -> String {
    match random.below(4) {
        0 => random.pick(&NUMBERS).to_string(),
        1 => random.pick(&FLOATS).to_string(),
        2 => random.pick(&TEXTS).to_string(),
        _ => random.below(100).to_string(),
    }
}

/// A number that makes no string long, or none at all.
fn small(random: &mut Random) -> String {
    if random.below(8) == 0 {
        random.pick(&NUMBERS).to_string()
    } else {
        (random.below(60) as i64 - 20).to_string()
    }
}

/// Up to two options, with the times that they need or without.
fn options(random: &mut Random, flags: &[&str], words: &mut Vec<String>) {
    for _ in 0..random.below(3) {
        let option = *random.pick(&["EX", "px", "EXAT", "pxat", "flag", "flag", "flag", "flag"]);
        let time = match option {
            "EX" => Some(random.pick(&SPANS).to_string()),
            "px" => Some(format!("{}000", random.pick(&SPANS))),
            "EXAT" | "pxat" => Some(random.pick(&MOMENTS).to_string()),
            _ => None,
        };
        words.push(if time.is_some() { option.to_string() } else { random.pick(flags).to_string() });
        if random.below(50) != 0 {
            words.extend(time);
        }
    }
}
