//! Clients and replicas that misbehave: each gets its error or loses its connection, everybody else is served as before.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::client::{Client, Reply, encode};
use crate::fake_replica::FakeReplica;
use crate::server::Product::{Redis7, Starling};
use crate::server::Server;
use crate::sync::{assert_equal_digests, follow, info_number, wait_in_sync, wait_until};

/// A replica that stops reading is dropped at its limit; the primary and the other replica do not notice it.
#[test]
fn replica_that_stops_reading_is_dropped() {
    let limits = [("client-output-buffer-limit", "replica 4mb 2mb 2"), ("repl-backlog-size", "1mb")];
    let primary = Server::start_with(Starling, &limits);
    let good = Server::start(Redis7);
    follow(&good, primary.port);
    wait_in_sync(&primary, &good);
    let mut lazy = FakeReplica::attach(primary.port);
    lazy.take_snapshot().expect("the snapshot arrives");
    lazy.client.send(&encode(&["REPLCONF", "ACK", "0"])).expect("the primary listens");
    let mut client = primary.client();
    wait_until("both replicas are known", || match info_number(&mut client, "connected_slaves") {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    let value = vec![b'v'; 50_000];
    wait_until("the one that does not read is dropped", || {
        for number in 0..40 {
            client.command(&[b"SET", format!("key:{number}").as_bytes(), &value]);
        }
        match info_number(&mut client, "connected_slaves") {
            1 => Ok(()),
            other => Err(other.to_string()),
        }
    });
    wait_in_sync(&primary, &good);
    assert_equal_digests(&[&primary, &good]);
}

/// A replica that stops reading in the middle of its snapshot does not hold up one that reads.
#[test]
fn replica_that_stalls_in_its_snapshot_delays_nobody() {
    let primary = Server::start(Starling);
    let mut client = primary.client();
    for number in 0..400 {
        client.command(&[b"SET", format!("key:{number}").as_bytes(), &vec![b'v'; 50_000]]);
    }
    let _stalled = FakeReplica::attach(primary.port);
    let good = Server::start(Redis7);
    follow(&good, primary.port);
    client.ok("SET after it");
    wait_in_sync(&primary, &good);
    assert_equal_digests(&[&primary, &good]);
}

/// Connections beyond maxclients get an error and are closed; those before them work on, and places that become free are given again.
#[test]
fn flood_of_connections_is_limited() {
    let server = Server::start_with(Starling, &[("maxclients", "20")]);
    let mut first = server.client();
    first.ok("SET a 1");
    let mut crowd: Vec<_> = (0..60).filter_map(|_| Client::connect(server.port).ok()).collect();
    let mut refused = 0;
    for client in &mut crowd {
        match client.try_command(&["PING"]) {
            Ok(Reply::Simple(_)) => {}
            Ok(reply) => {
                assert_eq!(reply, Reply::Error("ERR max number of clients reached".into()));
                refused += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!((40..=45).contains(&refused), "{refused} of 60 were refused");
    assert_eq!(first.ok("GET a").text(), "1");
    crowd.clear();
    wait_until("places are free again", || {
        match Client::connect(server.port).and_then(|mut client| client.try_command(&["PING"])) {
            Ok(Reply::Simple(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// A client that has sent everything and closed its half still gets its replies.
#[test]
fn half_closed_clients_are_answered() {
    let server = Server::start(Starling);
    let mut client = server.client();
    let commands: Vec<u8> = (0..1_000)
        .flat_map(|number| encode(&["SET".to_string(), format!("k{number}"), "v".to_string()]))
        .collect();
    client.send(&commands).expect("the server takes it");
    client.stream().shutdown(Shutdown::Write).expect("half of a connection can be closed");
    for _ in 0..1_000 {
        assert_eq!(client.read_reply().expect("a reply"), Reply::Simple("OK".into()));
    }
    assert!(client.read_reply().is_err(), "then the server closes too");
}

/// A client that asks for much and reads nothing is closed at its limit.
#[test]
fn clients_that_do_not_read_are_closed_at_their_limit() {
    let server = Server::start_with(Starling, &[("client-output-buffer-limit", "normal 8mb 0 0")]);
    let mut client = server.client();
    client.command(&[b"SET".as_slice(), b"big", &vec![b'b'; 1_000_000]]);
    let mut greedy = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
    greedy.set_write_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    let _ = greedy.write_all(&encode(&["GET", "big"]).repeat(200));
    wait_until("only this client is left", || match info_number(&mut client, "connected_clients") {
        1 => Ok(()),
        other => Err(format!("{other} clients")),
    });
    let mut got = Vec::new();
    let _ = greedy.read_to_end(&mut got);
    assert!(got.len() < 150_000_000, "{} bytes were kept for it", got.len());
    assert_eq!(client.ok("PING").text(), "PONG");
}

/// Pipelines of any depth, cut into pieces of any size, are answered in order.
#[test]
fn deep_pipelines_in_odd_pieces_are_answered_in_order() {
    let server = Server::start(Starling);
    for piece in [1_usize, 3, 17, 1_000, 65_536] {
        let depth = if piece < 10 { 300 } else { 30_000 };
        let mut client = server.client();
        client.ok("DEL counter");
        let bytes: Vec<u8> = (0..depth).flat_map(|_| encode(&["INCR", "counter"])).collect();
        let mut writer = client.stream().try_clone().expect("a second handle");
        let sender =
            std::thread::spawn(move || bytes.chunks(piece).all(|part| writer.write_all(part).is_ok()));
        for number in 1..=depth {
            assert_eq!(client.read_reply().expect("a reply").int(), number, "pieces of {piece} bytes");
        }
        assert!(sender.join().expect("the sender ends"));
    }
}

/// Rubbish instead of commands: a protocol error and a closed connection, or an unknown command, and nobody else notices.
#[test]
fn rubbish_is_answered_by_errors() {
    let server = Server::start(Starling);
    let cases: [(&[u8], &str); 6] = [
        (b"*1000000000000\r\n", "-ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$99999999999\r\n", "-ERR Protocol error: invalid bulk length"),
        (b"*1\r\n+OK\r\n", "-ERR Protocol error: expected '$', got '+'"),
        (b"set \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request"),
        (b"NOSUCH a b\r\n", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
    ];
    let mut witness = server.client();
    for (bytes, expected) in cases {
        let mut client = server.client();
        client.send(bytes).expect("the server takes it");
        assert_eq!(
            client.read_line().expect("an answer").trim_end(),
            expected.trim_end(),
            "{}",
            String::from_utf8_lossy(bytes)
        );
        assert_eq!(witness.ok("PING").text(), "PONG");
    }
}
