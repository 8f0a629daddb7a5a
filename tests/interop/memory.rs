//! What FLUSHALL leaves behind: memory goes back, replicas are emptied too, and with save points the file says so.
//!
//! Always: `used_memory` is looked at for as long as a sleeping worker may hold on to the databases that it saw last.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Product::Starling;
use crate::server::Server;
use crate::sync::{follow, info_number, wait_in_sync};

const KEYS: &str = "100000";
/// What may stay of more than ten megabytes: buffers, statistics, the backlog.
const REST_BYTES_MAX: i64 = 2_000_000;

fn gives_memory_back(threads: &str, flush: &str) {
    let server = Server::start_with(Starling, &[("threads", threads)]);
    // Several connections, so that every worker has seen the keys.
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    let empty = info_number(&mut clients[0], "used_memory");
    clients[0].ok(&format!("DEBUG POPULATE {KEYS} key 100"));
    clients[0].ok("SADD set a b c");
    clients.iter_mut().for_each(|client| assert_eq!(client.ok("EXISTS key:7").int(), 1));
    assert!(info_number(&mut clients[0], "used_memory") > empty + 10_000_000);
    clients[1].ok(flush);
    // Without ASYNC the answer says that it is free.
    let until = Instant::now() + Duration::from_secs(if flush.ends_with("ASYNC") { 20 } else { 0 });
    while info_number(&mut clients[0], "used_memory") > empty + REST_BYTES_MAX
        || info_number(&mut clients[2], "lazyfree_pending_objects") > 0
    {
        assert!(Instant::now() < until, "{threads} workers hold on to what {flush} has removed");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(clients[3].ok("DBSIZE").int(), 0);
}

#[test]
fn flushall_gives_memory_back_with_one_worker_and_with_two() {
    for flush in ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB"] {
        gives_memory_back("1", flush);
        gives_memory_back("2", flush);
    }
}

#[test]
fn flushall_with_save_points_leaves_an_empty_file_and_no_unsaved_change() {
    let mut server = Server::start_with(Starling, &[("save", "3600 1000000")]);
    let replica = Server::start(Starling);
    follow(&replica, server.port);
    wait_in_sync(&server, &replica);
    let mut client = server.client();
    client.ok("SET key value");
    client.ok("SAVE");
    client.ok("SET other value");
    client.ok("FLUSHALL");
    assert_eq!(info_number(&mut client, "rdb_changes_since_last_save"), 0);
    wait_in_sync(&server, &replica);
    assert_eq!(replica.client().ok("DBSIZE").int(), 0);
    server.kill();
    server.launch();
    assert_eq!(server.client().ok("DBSIZE").int(), 0);
}

#[test]
fn flushall_without_save_points_leaves_the_file_and_counts_as_a_change() {
    let mut server = Server::start(Starling);
    let mut client = server.client();
    client.ok("SET key value");
    client.ok("SAVE");
    client.ok("FLUSHALL");
    assert_eq!(info_number(&mut client, "rdb_changes_since_last_save"), 1);
    server.kill();
    server.launch();
    assert_eq!(server.client().ok("DBSIZE").int(), 1);
}
