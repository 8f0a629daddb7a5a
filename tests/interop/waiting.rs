//! Clients that wait for lists, over real sockets and several workers, with replicas of both kinds behind them.
//!
//! Always: every element that was pushed is popped once or still there, and replicas end up with the same lists, although most
//! elements were in no list for longer than their push took.

use std::collections::BTreeSet;
use std::thread;

use starling::base::random::Rng;

use crate::client::{Client, Reply};
use crate::server::Product::{Redis7, Starling};
use crate::server::Server;
use crate::sync::{assert_equal_digests, follow, wait_in_sync};
use crate::traffic::seed;

const KEYS: [&str; 3] = ["a", "b", "c"];
const CLIENTS: u64 = 6;
const REQUESTS: u64 = 600;

/// What one client pushed, and what it got.
#[derive(Default)]
struct Seen {
    pushed: Vec<String>,
    popped: Vec<String>,
}

fn churn(mut client: Client, number: u64, mut rng: Rng) -> Seen {
    let mut seen = Seen::default();
    for n in 0..REQUESTS {
        let (key, other) = (KEYS[rng.below(3) as usize], KEYS[rng.below(3) as usize]);
        let element = format!("{number}-{n}");
        let pops = match rng.below(10) {
            0..3 => {
                client.run(&format!("{} {key} {element}", if n % 2 == 0 { "LPUSH" } else { "RPUSH" }));
                seen.pushed.push(element);
                continue;
            }
            3 => {
                client.ok("MULTI");
                client.run(&format!("RPUSH {key} {element}"));
                client.run(&format!("LMOVE {key} {other} LEFT LEFT"));
                client.run("EXEC");
                seen.pushed.push(element);
                continue;
            }
            4 => {
                client.run(&format!("BLMOVE {key} {other} LEFT RIGHT 0.005"));
                continue;
            }
            5..8 => format!("BLPOP {key} {other} 0.005"),
            8 => format!("BRPOP {key} 0.005"),
            _ => format!("BLMPOP 0.005 2 {key} {other} RIGHT COUNT 3"),
        };
        // The key, and behind it what it had.
        seen.popped.extend(client.run(&pops).text().split(' ').skip(1).map(str::to_owned));
    }
    seen
}

#[test]
fn no_element_is_lost_or_served_twice_and_replicas_agree() {
    let seed = seed();
    let primary = Server::start_with(Starling, &[("threads", "4"), ("repl-diskless-sync-delay", "0")]);
    let replicas = [Server::start(Starling), Server::start(Redis7)];
    for replica in &replicas {
        follow(replica, primary.port);
        wait_in_sync(&primary, replica);
    }
    let threads: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = primary.client();
            thread::spawn(move || churn(client, number, Rng::from_seed(seed ^ number)))
        })
        .collect();
    let (mut pushed, mut fates) = (BTreeSet::new(), Vec::new());
    for thread in threads {
        let seen = thread.join().expect("no client has panicked");
        pushed.extend(seen.pushed);
        fates.extend(seen.popped);
    }
    let mut client = primary.client();
    for key in KEYS {
        if let Reply::Array(left) = client.run(&format!("LRANGE {key} 0 -1")) {
            fates.extend(left.iter().map(Reply::text));
        }
    }
    let all: BTreeSet<String> = fates.iter().cloned().collect();
    assert_eq!(all.len(), fates.len(), "an element was served twice");
    assert_eq!(all, pushed);
    for replica in &replicas {
        wait_in_sync(&primary, replica);
    }
    assert_equal_digests(&[&primary, &replicas[0], &replicas[1]]);
}
