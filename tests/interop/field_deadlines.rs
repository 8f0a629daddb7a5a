//! Deadlines of hash fields: they reach those who know them, and the values reach everybody.
//!
//! Always: a replica of any product has the fields and values that we have, before and after fields expire, whether they came
//! with the snapshot or with the stream; our own replicas and files have the deadlines too.

use crate::server::{Product, Server, standing_in};
use crate::sync::{assert_equal_digests, follow, wait_in_sync, wait_until};

/// A hash with three kinds of fields: for good, for long, and about to expire. Also a large one without deadlines.
fn fill(server: &Server) {
    let mut client = server.client();
    client.ok("HSET plain a 1 b 2");
    client.ok("HSET timed stays 1 long 2 short 3");
    client.ok("HEXPIRE timed 1000 FIELDS 1 long");
    client.ok("HPEXPIRE timed 1500 FIELDS 1 short");
}

/// Changes that the stream tells in other words.
fn change(server: &Server) {
    let mut client = server.client();
    client.ok("HINCRBY timed long 40");
    client.ok("HSETEX timed EX 500 FIELDS 2 new 5 other 6");
    client.ok("HSETEX timed KEEPTTL FIELDS 1 new 7");
    client.ok("HGETEX timed PERSIST FIELDS 1 other");
    client.ok("HGETDEL timed FIELDS 1 stays");
    client.ok("HSETEX timed PXAT 5 FIELDS 1 over 1");
}

fn left(server: &Server) -> Vec<i64> {
    let reply = server.client().run("HTTL timed FIELDS 4 long new other short");
    let text = reply.text();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn values_arrive(product: Product) {
    if standing_in() {
        return;
    }
    let (primary, replica) = (Server::start(Product::Starling), Server::start(product));
    fill(&primary);
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    change(&primary);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    wait_until("the short field has expired", || match primary.client().run("HLEN timed").int() {
        3 => Ok(()),
        fields => Err(format!("{fields} fields")),
    });
    wait_in_sync(&primary, &replica);
    assert_eq!(replica.client().run("HGET timed long").text(), "42");
    assert_equal_digests(&[&primary, &replica]);
}

#[test]
fn values_of_fields_with_deadlines_arrive_in_redis() {
    values_arrive(Product::Redis7);
}

#[test]
fn values_of_fields_with_deadlines_arrive_in_valkey() {
    values_arrive(Product::Valkey8);
}

#[test]
fn deadlines_of_fields_arrive_in_our_replicas_and_survive_a_restart() {
    if standing_in() {
        return;
    }
    let mut primary = Server::start(Product::Starling);
    let replica = Server::start(Product::Starling);
    fill(&primary);
    follow(&replica, primary.port);
    change(&primary);
    wait_in_sync(&primary, &replica);
    let check = |server: &Server| {
        let left = left(server);
        assert!((900..=1000).contains(&left[0]) && (400..=500).contains(&left[1]), "{left:?}");
        assert_eq!(left[2], -1);
    };
    check(&primary);
    check(&replica);
    primary.shutdown_save();
    primary.launch();
    check(&primary);
}
