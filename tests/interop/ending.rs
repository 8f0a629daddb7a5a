//! SHUTDOWN while a replica hangs: writes wait, ABORT calls it off, and the end comes when the replica is back or time is over.
//!
//! Always: a frozen replica acknowledges nothing, so the primary has somebody to wait for.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Product::Starling;
use crate::server::Server;
use crate::sync::{follow, wait_in_sync};

const REFUSED: &str = "ERR Errors trying to SHUTDOWN. Check logs.";

/// A primary and a replica that was in step and then hung; the primary has written more since.
fn pair_with_a_hanging_replica(shutdown_timeout: &str) -> (Server, Server, Client) {
    let primary = Server::start_with(Starling, &[("shutdown-timeout", shutdown_timeout)]);
    let replica = Server::start(Starling);
    follow(&replica, primary.port);
    let mut client = primary.client();
    client.ok("SET key 1");
    wait_in_sync(&primary, &replica);
    replica.freeze();
    client.ok("SET key 2");
    (primary, replica, client)
}

fn send(client: &mut Client, line: &str) {
    client.send(format!("{line}\r\n").as_bytes()).expect("the server reads");
}

fn wait_until_it_waits(client: &mut Client) {
    let until = Instant::now() + Duration::from_secs(10);
    while !client.ok("INFO server").text().contains("shutdown_in_milliseconds:") {
        assert!(Instant::now() < until, "no shutdown waits for a replica");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_shutdown_that_waits_holds_writes_back_and_can_be_called_off() {
    let (primary, replica, mut client) = pair_with_a_hanging_replica("300");
    assert_eq!(client.run("SHUTDOWN ABORT").text(), "ERR No shutdown in progress.");
    let mut askers = [primary.client(), primary.client()];
    askers.iter_mut().for_each(|asker| send(asker, "SHUTDOWN"));
    wait_until_it_waits(&mut client);
    let mut writer = primary.client();
    send(&mut writer, "SET key 3");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(client.ok("GET key").text(), "2", "reads are served, writes wait");
    assert_eq!(client.ok("SHUTDOWN ABORT").text(), "OK");
    for asker in &mut askers {
        assert_eq!(asker.read_reply().expect("a reply").text(), REFUSED);
    }
    assert_eq!(writer.read_reply().expect("a reply").text(), "OK");
    assert_eq!(client.ok("GET key").text(), "3");
    assert!(!client.ok("INFO server").text().contains("shutdown_in_milliseconds:"));
    assert_eq!(client.run("SHUTDOWN ABORT").text(), "ERR No shutdown in progress.");
    assert!(primary.log().contains("Shutdown manually aborted"));
    replica.thaw();
    wait_in_sync(&primary, &replica);
}

#[test]
fn a_shutdown_ends_when_the_replica_has_everything() {
    let (mut primary, replica, mut client) = pair_with_a_hanging_replica("300");
    send(&mut primary.client(), "SHUTDOWN");
    wait_until_it_waits(&mut client);
    thread::sleep(Duration::from_millis(200));
    assert!(primary.is_alive());
    replica.thaw();
    let until = Instant::now() + Duration::from_secs(10);
    while primary.is_alive() {
        assert!(Instant::now() < until, "the replica has everything, and the primary is still there");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(replica.client().ok("GET key").text(), "2");
    assert!(primary.log().contains("1 of 1 replicas are in sync"));
}

#[test]
fn a_shutdown_waits_no_longer_than_its_timeout_and_not_at_all_with_now() {
    for (timeout, request, at_most) in [("1", "SHUTDOWN", 6), ("300", "SHUTDOWN NOW", 5)] {
        let (mut primary, replica, mut client) = pair_with_a_hanging_replica(timeout);
        send(&mut client, request);
        let started = Instant::now();
        while primary.is_alive() {
            assert!(started.elapsed() < Duration::from_secs(at_most), "{request} takes too long");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(primary.log().contains("0 of 1 replicas are in sync"));
        replica.thaw();
    }
}
