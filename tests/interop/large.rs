//! Large collections under a snapshot: they are written to all the time while replicas get them, and arrive as they were at the cut.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::client::{Client, Reply, encode};
use crate::server::Product::{Redis7, Starling, Valkey8};
use crate::server::Server;
use crate::sync::{assert_equal_digests, digest, follow, syncs, wait_in_sync};
use crate::traffic::{Random, seed};

/// Elements of each collection: a snapshot takes many steps for one.
const ELEMENTS: u64 = 40_000;
const PIPELINE: usize = 50;

fn element(number: u64) -> String {
    // Every third is so long that it has a block of its own in a set.
    format!("element:{number}{}", if number.is_multiple_of(3) { "-of-those-with-long-names" } else { "" })
}

/// Sends commands in one pipeline; what they answer is of no interest unless it is an error.
fn send(client: &mut Client, commands: &[String]) {
    let encoded = commands.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>()));
    client.send(&encoded.collect::<Vec<u8>>()).expect("the server takes the pipeline");
    for line in commands {
        let reply = client.read_reply().expect("the server answers the pipeline");
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
}

fn fill(client: &mut Client) {
    for first in (0..ELEMENTS).step_by(500) {
        let numbers = first..first + 500;
        let words = |each: &dyn Fn(u64) -> String| numbers.clone().map(each).collect::<Vec<_>>().join(" ");
        send(
            client,
            &[
                format!("HSET hash {}", words(&|number| format!("{} {number}", element(number)))),
                format!("SADD set {}", words(&element)),
                format!("ZADD zset {}", words(&|number| format!("{number} {}", element(number)))),
                format!("RPUSH list {}", words(&element)),
            ],
        );
        send(client, &numbers.map(|number| format!("XADD stream * field {number}")).collect::<Vec<_>>());
    }
}

/// Another place for a hash, and back: in a transaction, or another client would miss it.
const MOVE: [&str; 5] =
    ["MULTI", "RENAME hash elsewhere", "HSET elsewhere moved 1", "RENAME elsewhere hash", "EXEC"];

/// A random change of one of the collections, or of the place where one is.
fn change(random: &mut Random) -> Vec<String> {
    let (number, name) = (random.below(100_000), element(random.below(2 * ELEMENTS)));
    let command = match random.below(1_000) {
        0..1 => return MOVE.map(str::to_owned).to_vec(),
        1..2 => "COPY zset other-zset REPLACE".to_owned(),
        2..3 => "SUNIONSTORE other-set set".to_owned(),
        3..4 => "UNLINK other-set".to_owned(),
        4..5 => "ZREMRANGEBYRANK zset 0 300".to_owned(),
        5..6 => "SPOP set 200".to_owned(),
        6..200 => format!("HSET hash {name} {}", "v".repeat(number as usize % 60)),
        200..300 => format!("HDEL hash {name}"),
        300..400 => format!("HINCRBY hash counter:{} 1", number % 50),
        400..500 => format!("SADD set {name}"),
        500..600 => format!("SREM set {name}"),
        600..750 => format!("ZADD zset {number} {name}"),
        750..850 => format!("ZINCRBY zset 1 {name}"),
        850..900 => format!("ZREM zset {name}"),
        900..950 => "ZPOPMIN zset".to_owned(),
        950..965 => "XADD stream * field value".to_owned(),
        965..970 => format!("XTRIM stream MAXLEN {}", ELEMENTS - 100),
        970..975 => format!("LSET list {} {name}", number % 1_000),
        975..985 => "RPOP list".to_owned(),
        _ => format!("LPUSH list {name}"),
    };
    vec![command]
}

#[test]
fn large_collections_arrive_as_they_were_at_the_cut() {
    let seed = seed();
    let primary = Server::start(Starling);
    let replicas = [Server::start(Redis7), Server::start(Valkey8), Server::start(Starling)];
    fill(&mut primary.client());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (mut client, is_over) = (primary.client(), &is_over);
            scope.spawn(move || {
                let mut random = Random::new(seed + writer);
                while !is_over.load(Relaxed) {
                    let commands: Vec<_> = (0..PIPELINE).flat_map(|_| change(&mut random)).collect();
                    send(&mut client, &commands);
                }
            });
        }
        for replica in &replicas {
            follow(replica, primary.port);
            thread::sleep(Duration::from_millis(300));
        }
        // A snapshot that is given up, and another one.
        replicas[2].client().run("REPLICAOF NO ONE");
        follow(&replicas[2], primary.port);
        thread::sleep(Duration::from_millis(500));
        is_over.store(true, Relaxed);
    });
    replicas.iter().for_each(|replica| wait_in_sync(&primary, replica));
    let all: Vec<&Server> = [&primary].into_iter().chain(&replicas).collect();
    assert_equal_digests(&all);
    assert!(syncs(&primary).full >= 3);
    // And through a file.
    let mut client = primary.client();
    let before = digest(&mut client);
    client.ok("DEBUG RELOAD");
    assert_eq!(digest(&mut client), before);
}
