//! MIGRATE between products: everything arrives, nothing that was acknowledged is lost, and nobody else waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, Reply};
use crate::data_set::fill;
use crate::server::Product::{self, Redis7, Starling, Valkey8};
use crate::server::{Server, standing_in};
use crate::sync::{assert_equal_digests, digest, follow, info, wait_in_sync};

/// MIGRATE ... KEYS for keys of the current database.
fn move_some<A: AsRef<[u8]>>(from: &mut Client, to: &Server, db: usize, keys: &[A]) -> Reply {
    let (port, db) = (to.port.to_string(), db.to_string());
    let mut words: Vec<&[u8]> =
        ["MIGRATE", "127.0.0.1", &port, "", &db, "10000", "KEYS"].map(str::as_bytes).to_vec();
    words.extend(keys.iter().map(AsRef::as_ref));
    from.command(&words)
}

/// Moves all keys of a database, some at a time.
fn move_all(from: &mut Client, to: &Server, db: usize) {
    from.ok(&format!("SELECT {db}"));
    let Reply::Array(keys) = from.ok("KEYS *") else { panic!("KEYS answers with an array") };
    let keys: Vec<&[u8]> = keys.iter().map(Reply::bytes).collect();
    for some in keys.chunks(7) {
        assert_eq!(move_some(from, to, db, some), Reply::Simple("OK".into()));
    }
    assert_eq!(from.ok("DBSIZE").int(), 0);
    from.ok("SELECT 0");
}

/// A data set goes from one product to the other and back, and replicas of both see it go.
fn there_and_back(first: Product, second: Product) {
    let (first, second) = (Server::start(first), Server::start(second));
    let replica = Server::start(Redis7);
    fill(&mut first.client());
    follow(&replica, first.port);
    wait_in_sync(&first, &replica);
    let whole = digest(&mut first.client());
    for (from, to) in [(&first, &second), (&second, &first)] {
        let mut client = from.client();
        for db in [0, 9] {
            move_all(&mut client, to, db);
        }
        assert_eq!(digest(&mut to.client()), whole);
        assert_eq!(client.ok("PTTL string:short").int(), -2);
        assert!(to.client().ok("PTTL string:short").int() > 1_000_000_000);
        assert_eq!(info(&mut client, "migrate_cached_sockets"), "1");
        wait_in_sync(&first, &replica);
        assert_equal_digests(&[&first, &replica]);
    }
}

#[test]
fn keys_go_from_starling_to_redis_and_back() {
    there_and_back(Starling, Redis7);
}

#[test]
fn keys_go_from_starling_to_valkey_and_back() {
    there_and_back(Starling, Valkey8);
}

#[test]
fn keys_go_from_starling_to_starling_and_back() {
    there_and_back(Starling, Starling);
}

/// Clients count without a break in keys that are moved away again and again. Each number that a client has got is in a key that
/// was moved, or still here.
#[test]
fn no_acknowledged_write_is_lost() {
    const KEYS: usize = 3;
    if standing_in() {
        return;
    }
    let (source, target) = (Server::start(Starling), Server::start(Redis7));
    let replica = Server::start(Redis7);
    follow(&replica, source.port);
    wait_in_sync(&source, &replica);
    let is_over = Arc::new(AtomicBool::new(false));
    let count = |mut client: Client, is_over: Arc<AtomicBool>| {
        let mut acknowledged = 0;
        while !is_over.load(Ordering::Relaxed) {
            for key in 0..KEYS {
                match acknowledged % 3 {
                    0 => client.ok(&format!("INCR counter:{key}")),
                    1 => client.ok(&format!("INCRBY counter:{key} 1")),
                    _ => {
                        client.ok("MULTI");
                        client.ok(&format!("INCR counter:{key}"));
                        client.ok("EXEC")
                    }
                };
                acknowledged += 1;
            }
        }
        acknowledged
    };
    let counters: Vec<_> = (0..3)
        .map(|_| {
            let (client, is_over) = (source.client(), is_over.clone());
            thread::spawn(move || count(client, is_over))
        })
        .collect();
    let (mut moves, mut there) = (source.client(), target.client());
    let (mut arrived, mut moved) = (0, 0);
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let keys: Vec<String> = (0..KEYS).map(|key| format!("counter:{key}")).collect();
        moved += usize::from(move_some(&mut moves, &target, 0, &keys) == Reply::Simple("OK".into()));
        arrived += keys.iter().filter_map(|key| number(&there.ok(&format!("GETDEL {key}")))).sum::<u64>();
    }
    is_over.store(true, Ordering::Relaxed);
    let acknowledged: u64 = counters.into_iter().map(|thread| thread.join().expect("it counts")).sum();
    let here: u64 = (0..KEYS).filter_map(|key| number(&moves.ok(&format!("GET counter:{key}")))).sum();
    assert_eq!(arrived + here, acknowledged, "after {moved} moves");
    assert!(moved > 20, "{moved} moves");
    wait_in_sync(&source, &replica);
    assert_equal_digests(&[&source, &replica]);
}

fn number(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).parse().expect("a number")),
        _ => None,
    }
}

/// A target that does not answer: who wants the key waits, everybody else is served, and the key stays.
#[test]
fn a_silent_target_holds_up_only_who_wants_its_keys() {
    if standing_in() {
        return;
    }
    let (source, target) = (Server::start(Starling), Server::start(Redis7));
    let mut client = source.client();
    client.ok("SET key 1");
    client.ok("SET other 1");
    target.freeze();
    let mut moves = source.client();
    let started = Instant::now();
    let port = target.port;
    let migration = thread::spawn(move || moves.run(&format!("MIGRATE 127.0.0.1 {port} key 0 1500")));
    // It is under way when a write of the key would have to wait.
    thread::sleep(Duration::from_millis(200));
    let mut writer = source.client();
    let write = thread::spawn(move || writer.run("INCR key"));
    for number in 2..500 {
        assert_eq!(client.ok("INCR other").int(), number);
        assert_eq!(client.ok("GET key").text(), "1");
    }
    assert!(started.elapsed() < Duration::from_millis(1400), "others were held up");
    assert!(!write.is_finished());
    let reply = migration.join().expect("it is answered");
    assert_eq!(reply, Reply::Error("IOERR error or timeout reading to target instance".into()));
    assert!(started.elapsed() >= Duration::from_millis(1500));
    assert_eq!(write.join().expect("it is answered"), Reply::Int(2));
    assert_eq!(info(&mut client, "migrate_cached_sockets"), "0");
    target.thaw();
}
