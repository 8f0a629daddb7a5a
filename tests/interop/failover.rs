//! FAILOVER between products: the replica takes over with everything, the old primary follows it without a full sync, and no
//! acknowledged write is lost.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Reply;
use crate::server::Product::{self, Redis7, Starling, Valkey8};
use crate::server::{Server, standing_in};
use crate::sync::{assert_equal_digests, follow, info, info_number, syncs, wait_in_sync, wait_until};
use crate::traffic::{Traffic, seed};

fn wait_for_phase(server: &Server, phase: &str) {
    let mut client = server.client();
    wait_until("the failover gets there", || match info(&mut client, "master_failover_state") {
        found if found == phase => Ok(()),
        found => Err(found),
    });
}

/// Under load, to a replica that is named, with a third server that goes on below the new primary.
fn takes_over(first: Product, heir: Product, sibling: Product) {
    let seed = seed();
    let (first, heir, sibling) = (Server::start(first), Server::start(heir), Server::start(sibling));
    Traffic::new(seed).send(&mut first.client(), 500);
    for replica in [&heir, &sibling] {
        follow(replica, first.port);
        wait_in_sync(&first, replica);
    }
    let (before, old_id) = (syncs(&heir), info(&mut first.client(), "master_replid"));
    let mut counter = first.client();
    let count = thread::spawn(move || {
        let mut acknowledged = 0;
        loop {
            match counter.run("INCR counter") {
                Reply::Int(number) => acknowledged = number,
                Reply::Error(text) => return (acknowledged, text),
                other => panic!("{other:?}"),
            }
        }
    });
    thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    first.client().ok(&format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 20000", heir.port));
    wait_for_phase(&first, "no-failover");
    println!("{:?} from the command to the new primary", started.elapsed());

    // Whoever was writing was told so when the part had been handed over, and all that was acknowledged is there.
    let (acknowledged, refusal) = count.join().expect("the writer hears of it");
    assert!(refusal.starts_with("READONLY"), "{refusal}");
    assert_eq!(heir.client().ok("GET counter").text(), acknowledged.to_string());
    assert_eq!(info(&mut heir.client(), "role"), "master");
    assert_eq!(info(&mut first.client(), "role"), "slave");
    assert_eq!(info(&mut heir.client(), "master_replid2"), old_id);

    follow(&sibling, heir.port);
    Traffic::new(seed + 1).send(&mut heir.client(), 500);
    for replica in [&first, &sibling] {
        wait_in_sync(&heir, replica);
    }
    assert_equal_digests(&[&heir, &first, &sibling]);
    let after = syncs(&heir);
    assert_eq!((after.full - before.full, after.partial - before.partial), (0, 2), "{before:?} {after:?}");
}

#[test]
fn redis_takes_over_from_starling() {
    takes_over(Starling, Redis7, Starling);
}

#[test]
fn valkey_takes_over_from_starling() {
    takes_over(Starling, Valkey8, Redis7);
}

#[test]
fn starling_takes_over_from_starling() {
    takes_over(Starling, Starling, Redis7);
}

#[test]
fn starling_takes_over_from_redis() {
    takes_over(Redis7, Starling, Redis7);
}

#[test]
fn starling_takes_over_from_valkey() {
    takes_over(Valkey8, Starling, Starling);
}

/// To and fro, each time to whoever has everything, with writes of all kinds in between.
#[test]
fn the_part_goes_round_under_load() {
    let seed = seed();
    let servers = [Server::start(Starling), Server::start(Redis7)];
    follow(&servers[1], servers[0].port);
    wait_in_sync(&servers[0], &servers[1]);
    for round in 0..4 {
        let (from, to) = (&servers[round % 2], &servers[(round + 1) % 2]);
        Traffic::new(seed + round as u64).send(&mut from.client(), 300);
        from.client().ok("FAILOVER");
        wait_for_phase(from, "no-failover");
        wait_in_sync(to, from);
        assert_equal_digests(&[to, from]);
        assert_eq!(info_number(&mut to.client(), "sync_full"), i64::from(round % 2 == 1), "round {round}");
    }
}

/// A replica that does not answer: reads go on, writes wait; then the time is over, or the failover is called off, and they go on.
#[test]
fn a_failover_that_comes_to_nothing_costs_nothing() {
    if standing_in() {
        return;
    }
    let (first, heir) = (Server::start(Starling), Server::start(Redis7));
    follow(&heir, first.port);
    wait_in_sync(&first, &heir);
    let mut client = first.client();
    let id = info(&mut client, "master_replid");
    for ends in ["TIMEOUT 300", "TIMEOUT 60000"] {
        client.ok("SET short v PX 20");
        heir.freeze();
        client.ok("INCR key");
        client.ok(&format!("FAILOVER TO 127.0.0.1 {} {ends}", heir.port));
        assert_eq!(info(&mut client, "master_failover_state"), "waiting-for-sync");
        let mut writer = first.client();
        let write = thread::spawn(move || writer.run("INCR key"));
        thread::sleep(Duration::from_millis(100));
        assert!(!write.is_finished());
        // Nothing comes into the stream: no expiry either, whoever meets the key.
        let offset = info(&mut client, "master_repl_offset");
        client.ok("KEYS *");
        client.ok("GET short");
        thread::sleep(Duration::from_millis(50));
        assert_eq!(info(&mut client, "master_repl_offset"), offset);
        let before = client.ok("GET key").text();
        for (request, refusal) in [
            ("FAILOVER", "ERR FAILOVER already in progress."),
            ("REPLICAOF NO ONE", "ERR REPLICAOF not allowed while failing over."),
        ] {
            assert_eq!(client.run(request), Reply::Error(refusal.into()));
        }
        if ends == "TIMEOUT 60000" {
            client.ok("FAILOVER ABORT");
        }
        let written = write.join().expect("it is answered").int();
        assert_eq!(written, before.parse::<i64>().expect("a number") + 1);
        wait_for_phase(&first, "no-failover");
        heir.thaw();
        wait_in_sync(&first, &heir);
        assert_equal_digests(&[&first, &heir]);
    }
    assert_eq!((info(&mut client, "role").as_str(), info(&mut client, "master_replid")), ("master", id));
    assert_eq!(syncs(&first).full, 1);
}

/// A target that is one no more refuses: the old primary leads on, and takes replicas and writes again.
#[test]
fn a_refusal_leaves_the_primary_what_it_was() {
    if standing_in() {
        return;
    }
    let (first, heir) = (Server::start(Starling), Server::start(Redis7));
    follow(&heir, first.port);
    wait_in_sync(&first, &heir);
    heir.freeze();
    let mut client = first.client();
    client.ok("SET key value");
    client.ok(&format!("FAILOVER TO 127.0.0.1 {} FORCE TIMEOUT 100", heir.port));
    wait_for_phase(&first, "failover-in-progress");
    assert_eq!(info(&mut client, "role"), "slave");
    // Sent to the frozen server, which becomes a primary of its own accord before it hears of the failover.
    let mut other = heir.client();
    let mut words = Vec::new();
    for word in ["*3", "$9", "REPLICAOF", "$2", "NO", "$3", "ONE", ""] {
        words.extend_from_slice(word.as_bytes());
        words.extend_from_slice(b"\r\n");
    }
    words.truncate(words.len() - 2);
    other.send(&words).expect("the kernel takes it");
    heir.thaw();
    wait_for_phase(&first, "no-failover");
    wait_until("the primary leads on", || match info(&mut client, "role").as_str() {
        "master" => Ok(()),
        role => Err(role.to_owned()),
    });
    assert!(first.log().contains("Failover target rejected psync request"));
    client.ok("SET key other");
}

/// What cannot be is refused in the words of Redis.
#[test]
fn refusals_are_those_of_redis() {
    let (ours, theirs) = (Server::start(Starling), Server::start(Redis7));
    let (one, other) = (Server::start(Redis7), Server::start(Redis7));
    let check = |requests: &[&str]| {
        for request in requests {
            assert_eq!(ours.client().run(request), theirs.client().run(request), "{request}");
        }
    };
    check(&["FAILOVER", "FAILOVER ABORT", "FAILOVER TO 127.0.0.1 1", "FAILOVER x", "FAILOVER TIMEOUT 0"]);
    for (replica, primary) in [(&one, &ours), (&other, &theirs)] {
        follow(replica, primary.port);
        wait_in_sync(primary, replica);
    }
    check(&[
        "FAILOVER TO 127.0.0.1 1",
        "FAILOVER TO nowhere 7000",
        "FAILOVER TO 127.0.0.1 99999999",
        "FAILOVER TO 127.0.0.1 x",
        "FAILOVER FORCE",
        "FAILOVER FORCE TIMEOUT 100",
        "FAILOVER TO 127.0.0.1 1 FORCE",
        "FAILOVER TO 127.0.0.1 1 FORCE TIMEOUT 100",
        "FAILOVER TIMEOUT x",
        "FAILOVER ABORT",
        "FAILOVER ABORT x",
        "PSYNC 0123456789012345678901234567890123456789 1 FAILOVER",
    ]);
    follow(&ours, one.port);
    follow(&theirs, one.port);
    wait_until("both have become replicas", || {
        let roles = [&ours, &theirs].map(|server| info(&mut server.client(), "master_link_status"));
        if roles == ["up", "up"] { Ok(()) } else { Err(roles.join(" ")) }
    });
    check(&["FAILOVER", "PSYNC 0123456789012345678901234567890123456789 1 FAILOVER"]);
}
