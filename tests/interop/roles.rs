//! What each role promises its clients: replicas refuse writes and never expire on their own, WAIT counts, transactions arrive whole,
//! INFO and ROLE say what tools read.

use std::thread;
use std::time::Duration;

use crate::client::Reply;
use crate::pairs::for_each_pair;
use crate::server::{Product, Server};
use crate::sync::{assert_equal_digests, follow, info, info_number, syncs, wait_in_sync, wait_until};

/// Writes to a replica get Redis' words, and change nothing.
fn replica_refuses_writes(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    primary.client().ok("SET key hello,world");
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let mut client = replica.client();
    let refusal = Reply::Error("READONLY You can't write against a read only replica.".into());
    assert_eq!(client.run("SET key other"), refusal);
    assert_eq!(client.run("DEL key"), refusal);
    assert_eq!(client.run("GET key"), Reply::Bulk(b"hello,world".to_vec()));
    replica.client().ok("REPLICAOF NO ONE");
    assert_eq!(client.run("SET key other"), Reply::Simple("OK".into()));
}
for_each_pair!(replica_refuses_writes);

/// A replica shows an expired key as missing, but removes it only when its primary says so.
fn expiry_is_driven_by_the_primary(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let mut client = primary.client();
    client.ok("SET stays forever");
    client.ok("SET goes soon PX 2000");
    wait_in_sync(&primary, &replica);
    let mut below = replica.client();
    primary.freeze();
    assert_eq!(below.ok("DBSIZE").int(), 2);
    thread::sleep(Duration::from_millis(2_200));
    assert_eq!(below.ok("GET goes"), Reply::Nil, "it is logically gone");
    assert_eq!(below.ok("EXISTS goes").int(), 0);
    assert_eq!(below.ok("DBSIZE").int(), 2, "but its primary has not deleted it yet");
    primary.thaw();
    wait_until("the primary's deletion arrives", || match below.ok("DBSIZE").int() {
        1 => Ok(()),
        other => Err(format!("{other} keys")),
    });
    assert_eq!(info_number(&mut below, "expired_keys"), 0);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
}
for_each_pair!(expiry_is_driven_by_the_primary);

/// WAIT returns the number of replicas that have acknowledged the client's writes.
fn wait_counts_acknowledgements(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let mut client = primary.client();
    client.ok("SET a 1");
    assert_eq!(client.ok("WAIT 1 10000").int(), 1);
    assert_eq!(client.ok("WAIT 0 10").int(), 1);
    replica.freeze();
    client.ok("SET a 2");
    assert_eq!(client.ok("WAIT 1 300").int(), 0, "a replica that hangs has acknowledged nothing");
    replica.thaw();
    assert_eq!(client.ok("WAIT 1 10000").int(), 1);
    let refused = replica.client().run("WAIT 1 10").text();
    assert!(refused.contains("WAIT cannot be used with replica instances"), "{refused}");
}
for_each_pair!(wait_counts_acknowledgements);

/// What a transaction writes is seen on the replica whole or not at all.
fn transactions_arrive_whole(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let port = primary.port;
    let writer = thread::spawn(move || {
        let mut client = crate::client::Client::connect(port).expect("the primary listens");
        for number in 0..2_000 {
            client.ok("MULTI");
            for key in ["left", "middle", "right"] {
                client.ok(&format!("SET {key} {number}"));
            }
            client.ok("EXEC");
        }
    });
    let mut below = replica.client();
    while !writer.is_finished() {
        let Reply::Array(values) = below.ok("MGET left middle right") else {
            panic!("MGET answers with an array")
        };
        assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "torn: {values:?}");
    }
    writer.join().expect("the writer succeeds");
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
}
for_each_pair!(transactions_arrive_whole);

/// The fields of INFO replication that clients and Sentinel read, on both sides.
fn both_sides_show_their_link(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    primary.client().ok("SET a 1");
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let mut above = primary.client();
    wait_until("the primary shows its replica online", || {
        let line = info(&mut above, "slave0");
        let expected = format!("ip=127.0.0.1,port={},state=online,offset=", replica.port);
        if line.starts_with(&expected) && line.contains(",lag=") { Ok(()) } else { Err(line) }
    });
    let mut below = replica.client();
    for (field, value) in [
        ("role", "slave".to_string()),
        ("master_host", "127.0.0.1".to_string()),
        ("master_port", primary.port.to_string()),
        ("master_sync_in_progress", "0".to_string()),
        ("slave_read_only", "1".to_string()),
        ("slave_priority", "100".to_string()),
        ("replica_announced", "1".to_string()),
        ("connected_slaves", "0".to_string()),
        ("master_replid", info(&mut above, "master_replid")),
        ("master_replid2", "0".repeat(40)),
        ("second_repl_offset", "-1".to_string()),
        ("repl_backlog_active", "1".to_string()),
    ] {
        assert_eq!(info(&mut below, field), value, "INFO field {field} of the replica");
    }
    for field in [
        "master_failover_state",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
        "master_repl_offset",
    ] {
        assert_ne!(info(&mut above, field), "", "INFO field {field} of the primary");
    }
    let Reply::Array(role) = below.ok("ROLE") else { panic!("ROLE answers with an array") };
    assert_eq!(
        role[..4].iter().map(Reply::text).collect::<Vec<_>>().join(" "),
        format!("slave 127.0.0.1 {} connected", primary.port)
    );
    let Reply::Array(role) = above.ok("ROLE") else { panic!("ROLE answers with an array") };
    assert_eq!(role[0].text(), "master");
    assert!(role[2].text().starts_with(&format!("127.0.0.1 {} ", replica.port)), "{role:?}");
}
for_each_pair!(both_sides_show_their_link);

/// Things in the stream of a real primary that change no key: they are taken along and the link stays.
fn publish_and_scripts_pass_through(primary: Product, replica: Product) {
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    let mut client = primary.client();
    client.ok("PUBLISH channel message");
    if primary.product != Product::Starling {
        let script = "redis.call('set', KEYS[1], ARGV[1]); redis.call('incr', KEYS[2]); return redis.call('publish', 'c', 'm')";
        for number in 0..20 {
            client.command(&["EVAL", script, "2", "from-script", "counter", &number.to_string()]);
        }
    }
    client.ok("SET after it");
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    let counted = syncs(&primary);
    assert_eq!((counted.full, counted.partial), (1, 0), "the link never broke: {counted:?}");
}
for_each_pair!(publish_and_scripts_pass_through);

/// A password between the two, and a wrong one first.
fn replica_authenticates(primary: Product, replica: Product) {
    let primary = Server::start_with(primary, &[("requirepass", "se\"cret")]);
    let replica = Server::start_with(replica, &[("masterauth", "wrong")]);
    let mut above = primary.client();
    above.command(&["AUTH", "se\"cret"]);
    above.ok("SET a 1");
    follow(&replica, primary.port);
    thread::sleep(Duration::from_millis(300));
    let mut below = replica.client();
    assert_eq!(info(&mut below, "master_link_status"), "down");
    below.command(&["CONFIG", "SET", "masterauth", "se\"cret"]);
    wait_until("the right password is tried", || match info(&mut below, "master_link_status").as_str() {
        "up" => Ok(()),
        other => Err(other.to_string()),
    });
    assert_eq!(below.ok("GET a").text(), "1");
}
for_each_pair!(replica_authenticates);
