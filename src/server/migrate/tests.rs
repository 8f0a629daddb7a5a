//! Tests of the conversation with a target: a listener on this machine that says what a test has it say.
//!
//! Always: what is sent is compared byte for byte; the peers of the interop tests are real servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::host::Migration;
use crate::exec::migration::Parcel;
use crate::server::migrate::cache::Cache;
use crate::server::migrate::send;
use crate::server::migrate::target::{Broken, Outcome, Target};
use crate::session::client::Client;

/// What one connection of a target does: it reads `expected`, says `says` and closes if told to.
struct Turn {
    expected: String,
    says: &'static str,
    closes: bool,
}

/// Serves these turns, each on a connection of its own if the one before has been closed. Its port.
fn target(turns: Vec<Turn>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let thread = std::thread::spawn(move || {
        let mut stream = None;
        for turn in turns {
            let mut open = stream.take().unwrap_or_else(|| listener.accept().expect("a connection").0);
            let mut bytes = vec![0; turn.expected.len()];
            open.read_exact(&mut bytes).expect("as many bytes as are expected");
            assert_eq!(String::from_utf8_lossy(&bytes), turn.expected);
            open.write_all(turn.says.as_bytes()).expect("it is read");
            stream = (!turn.closes).then_some(open);
        }
        // Open until the other end has gone.
        if let Some(mut stream) = stream {
            let _ = stream.read(&mut [0]);
        }
    });
    (port, thread)
}

/// A request in the words of the wire.
fn wire(requests: &[&str]) -> String {
    let encode = |request: &&str| {
        let words: Vec<&str> = request.split(' ').collect();
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{words}", request.split(' ').count())
    };
    requests.iter().map(encode).collect()
}

fn migration(port: &str, timeout_ms: u64) -> Migration {
    let client = Client::new(1, "c:1".into(), "s:1".into(), -1, 0, false, UnixMs(0), Arc::default());
    Migration {
        host: "127.0.0.1".into(),
        port: port.into(),
        to_db: 9,
        timeout: Duration::from_millis(timeout_ms),
        copies: false,
        replaces: false,
        credentials: Vec::new(),
        from_db: DbIndex(0),
        keys: Vec::new(),
        words: Vec::new(),
        client: Arc::new(client),
        is_silent: false,
    }
}

fn parcel(key: &str, deadline: Option<i64>) -> Parcel {
    Parcel::made_up(key.as_bytes(), deadline.map(UnixMs), b"payload")
}

fn connect(migration: &Migration) -> Target {
    Target::connect(&migration.host, &migration.port, migration.timeout).expect("somebody listens")
}

#[test]
fn the_database_is_chosen_once_and_deadlines_become_what_is_left() {
    let first = wire(&["SELECT 9", "RESTORE a 0 payload", "RESTORE b 500 payload", "RESTORE c 1 payload"]);
    let second = wire(&["AUTH user word", "RESTORE a 0 payload REPLACE"]);
    let (port, thread) = target(vec![
        Turn { expected: first, says: "+OK\r\n+OK\r\n-BUSYKEY there\r\n+OK\r\n", closes: false },
        Turn { expected: wire(&["SELECT 9", "RESTORE a 0 payload"]), says: "+OK\r\n+OK\r\n", closes: false },
        Turn { expected: second, says: "+OK\r\n+OK\r\n", closes: false },
    ]);
    let mut migration = migration(&port, 5000);
    let mut open = connect(&migration);
    let parcels = [parcel("a", None), parcel("b", Some(1500)), parcel("c", Some(900))];
    let expected =
        Outcome { has_got: vec![true, false, true], refusal: Some(b"BUSYKEY there".to_vec()), broken: None };
    assert_eq!(open.restore(&migration, &parcels, UnixMs(1000)), expected);
    // After an error the database is chosen anew.
    let fine = Outcome { has_got: vec![true], ..Outcome::default() };
    assert_eq!(open.restore(&migration, &parcels[..1], UnixMs(1000)), fine);
    migration.credentials = vec![b"user".to_vec(), b"word".to_vec()];
    migration.replaces = true;
    assert_eq!(open.restore(&migration, &parcels[..1], UnixMs(1000)), fine);
    drop(open);
    thread.join().expect("all turns were taken");
}

#[test]
fn what_is_said_after_a_failed_login_is_no_acknowledgement() {
    let expected = wire(&["AUTH word", "SELECT 9", "RESTORE a 0 payload"]);
    let (port, thread) =
        target(vec![Turn { expected, says: "-WRONGPASS no\r\n+OK\r\n+OK\r\n", closes: false }]);
    let mut migration = migration(&port, 5000);
    migration.credentials = vec![b"word".to_vec()];
    let mut open = connect(&migration);
    let outcome = open.restore(&migration, &[parcel("a", None)], UnixMs(0));
    let expected = Outcome { has_got: vec![false], refusal: Some(b"WRONGPASS no".to_vec()), broken: None };
    assert_eq!(outcome, expected);
    drop(open);
    thread.join().expect("all turns were taken");
}

#[test]
fn a_connection_that_was_kept_and_is_closed_is_replaced_once() {
    let once = || Turn { expected: wire(&["SELECT 9", "RESTORE a 0 payload"]), says: "", closes: true };
    let answered = Turn { says: "+OK\r\n+OK\r\n", closes: false, ..once() };
    let (port, thread) = target(vec![once(), answered]);
    let cache = Cache::default();
    let outcome = send(&cache, &migration(&port, 5000), &[parcel("a", None)]);
    assert_eq!((outcome, cache.len()), (Outcome { has_got: vec![true], ..Outcome::default() }, 1));
    drop(cache);
    thread.join().expect("all turns were taken");

    let (port, thread) = target(vec![once(), once()]);
    let cache = Cache::default();
    let outcome = send(&cache, &migration(&port, 5000), &[parcel("a", None)]);
    assert_eq!(outcome.broken, Some(Broken::Reading { timed_out: false }));
    assert_eq!(cache.len(), 0);
    thread.join().expect("all turns were taken");
}

#[test]
fn what_was_acknowledged_before_the_end_counts_and_is_not_sent_again() {
    let expected = wire(&["SELECT 9", "RESTORE a 0 payload", "RESTORE b 0 payload"]);
    let (port, thread) = target(vec![Turn { expected, says: "+OK\r\n+OK\r\n", closes: true }]);
    let outcome = send(&Cache::default(), &migration(&port, 5000), &[parcel("a", None), parcel("b", None)]);
    let broken = Some(Broken::Reading { timed_out: false });
    assert_eq!(outcome, Outcome { has_got: vec![true], refusal: None, broken });
    thread.join().expect("all turns were taken");
}

#[test]
fn nobody_waits_longer_than_the_time_out() {
    let expected = wire(&["SELECT 9", "RESTORE a 0 payload"]);
    let (port, thread) = target(vec![Turn { expected, says: "+OK\r\n", closes: false }]);
    let outcome = send(&Cache::default(), &migration(&port, 50), &[parcel("a", None)]);
    assert_eq!(outcome.broken, Some(Broken::Reading { timed_out: true }));
    thread.join().expect("all turns were taken");
}

#[test]
fn where_nobody_is_nothing_arrives() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound").port().to_string()
    };
    let check = |port: &str, broken| {
        let outcome = send(&Cache::default(), &migration(port, 1000), &[parcel("a", None)]);
        assert_eq!(outcome, Outcome { broken: Some(broken), ..Outcome::default() }, "{port}");
    };
    check(&port, Broken::Writing { timed_out: false });
    check("nonsense", Broken::Connecting);
}
