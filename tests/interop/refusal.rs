//! What Starling refuses without losing anything: types it does not have, rubbish from a primary at any byte, files that are damaged.
//!
//! Always, whatever came: the server still answers, its present data is still there, and it follows a sound primary afterwards.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::fake_primary::{FakePrimary, Script};
use crate::fake_replica::FakeReplica;
use crate::server::Product::{Redis7, Starling};
use crate::server::{Server, standing_in};
use crate::sync::{assert_equal_digests, digest, follow, info, wait_in_sync, wait_until};
use crate::traffic::{Random, seed};

/// Positions of a long script that are tried; all of a short one.
const TRIALS: usize = 120;

/// A primary whose snapshot holds a type that the replica lacks: the old data stays and the log says why.
#[test]
fn snapshot_with_an_unsupported_type_leaves_the_old_data() {
    let (primary, replica) = (Server::start(Redis7), Server::start(Starling));
    if standing_in() || !replica.client().run("LPUSH probe x").text().contains("unknown command") {
        return;
    }
    replica.client().ok("SET mine kept");
    let mut above = primary.client();
    above.ok("SET theirs new");
    above.ok("XADD stream 1-1 field value");
    follow(&replica, primary.port);
    wait_until("the log names the refusal", || {
        let log = replica.log().to_lowercase();
        if log.contains("stream") || log.contains("type 19") { Ok(()) } else { Err(log) }
    });
    let mut below = replica.client();
    assert_eq!(below.ok("GET mine").text(), "kept");
    assert_eq!(info(&mut below, "master_link_status"), "down");
    above.ok("DEL stream");
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
}

/// A command in the stream that the replica lacks: it drops the link and says so, and never skips the command.
#[test]
fn stream_with_an_unknown_command_breaks_the_link_loudly() {
    let (primary, replica) = (Server::start(Redis7), Server::start(Starling));
    if standing_in() || !replica.client().run("XADD probe 1-1 a b").text().contains("unknown command") {
        return;
    }
    follow(&replica, primary.port);
    primary.client().ok("SET before it");
    wait_in_sync(&primary, &replica);
    primary.client().ok("XADD stream 1-1 field value");
    wait_until("the log names the command", || {
        let log = replica.log().to_lowercase();
        if log.contains("xadd") { Ok(()) } else { Err(log) }
    });
    assert_eq!(replica.client().ok("GET before").text(), "it");
    primary.client().ok("DEL stream");
    primary.client().ok("SET after it");
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
}

/// The RDB that a real Redis sends for a small data set.
fn real_snapshot() -> Vec<u8> {
    let primary = Server::start(Redis7);
    let mut client = primary.client();
    client.ok("MSET theirs new number 12345");
    client.command(&[b"SET".as_slice(), b"long", &[b'l'; 100], b"EX", b"5000"]);
    FakeReplica::attach(primary.port).take_snapshot().expect("the snapshot arrives")
}

/// Feeds `script` to the replica once and checks that it survives with its data.
fn survives(replica: &mut Server, script: Script, what: &str) {
    let fake = FakePrimary::start(script);
    let mut client = replica.client();
    client.ok("REPLICAOF NO ONE");
    client.ok("FLUSHALL");
    client.ok("SET mine kept");
    follow(replica, fake.port);
    wait_until(what, || {
        if fake.served() > 0 || info(&mut client, "master_link_status") == "up" {
            Ok(())
        } else {
            Err("still at it".into())
        }
    });
    assert!(replica.is_alive(), "{what}");
    client.ok("REPLICAOF NO ONE");
    let (mine, theirs) = (client.ok("GET mine").text(), client.ok("GET theirs").text());
    let whole = (mine == "kept" && theirs.is_empty()) || (mine.is_empty() && !theirs.is_empty());
    assert!(whole, "{what}: neither the old data nor the new: mine {mine:?}, theirs {theirs:?}");
}

fn sound_script() -> Script {
    let stream = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$6\r\nstream\r\n$4\r\nmore\r\n*1\r\n$4\r\nPING\r\n";
    Script::full_sync(&real_snapshot(), stream)
}

/// Any single byte of handshake, snapshot or stream replaced by another.
#[test]
fn any_wrong_byte_from_a_primary_is_survived() {
    if standing_in() {
        return;
    }
    let mut random = Random::new(seed());
    let script = sound_script();
    let mut replica = Server::start_with(Starling, &[("repl-timeout", "3")]);
    for _ in 0..TRIALS {
        let (position, byte) = (random.below(script.length() as u64) as usize, random.next() as u8);
        survives(&mut replica, script.with_byte(position, byte), &format!("byte {position} is {byte:#04x}"));
    }
    follows_a_sound_primary(&replica);
}

/// Handshake, snapshot or stream cut off at any byte.
#[test]
fn any_cut_short_sync_is_survived() {
    if standing_in() {
        return;
    }
    let mut random = Random::new(seed());
    let script = sound_script();
    let mut replica = Server::start_with(Starling, &[("repl-timeout", "3")]);
    for _ in 0..TRIALS / 2 {
        let position = random.below(script.length() as u64) as usize;
        survives(&mut replica, script.cut_at(position), &format!("cut off at byte {position}"));
    }
    follows_a_sound_primary(&replica);
}

/// Pure noise instead of a stream.
#[test]
fn noise_in_the_stream_is_survived() {
    if standing_in() {
        return;
    }
    let mut random = Random::new(seed());
    let rdb = real_snapshot();
    let mut replica = Server::start_with(Starling, &[("repl-timeout", "3")]);
    for round in 0..20 {
        let noise: Vec<u8> = (0..random.below(5_000)).map(|_| random.next() as u8).collect();
        survives(&mut replica, Script::full_sync(&rdb, &noise), &format!("noise of round {round}"));
    }
    follows_a_sound_primary(&replica);
}

fn follows_a_sound_primary(replica: &Server) {
    let primary = Server::start(Redis7);
    primary.client().ok("SET sound data");
    follow(replica, primary.port);
    wait_in_sync(&primary, replica);
    assert_equal_digests(&[&primary, replica]);
}

/// A damaged file at start: the process says what is wrong, ends with an error and leaves the file as it is.
#[test]
fn damaged_files_are_refused_at_start() {
    if standing_in() {
        return;
    }
    let sound = real_snapshot();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 0x10;
    let mut newer = sound.clone();
    newer[5..9].copy_from_slice(b"0099");
    let cases = [
        ("cut short", sound[..sound.len() - 20].to_vec()),
        ("corrupted", flipped),
        ("of a newer version", newer),
        ("not an RDB", b"something else entirely".to_vec()),
        ("empty", Vec::new()),
    ];
    for (what, bytes) in cases {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("dump.rdb");
        fs::write(&file, &bytes).expect("the file is written");
        let outcome = std::panic::catch_unwind(|| Server::start_in(Starling, directory, &[]));
        let message = outcome.err().and_then(|panic| panic.downcast::<String>().ok()).map(|text| *text);
        let message = message.unwrap_or_else(|| panic!("a file that is {what} was accepted"));
        assert!(message.contains("ended at start with exit status: 1"), "{what}: {message}");
        assert!(!message.contains("panicked"), "{what}: {message}");
    }
}

/// A primary that is not there, then is: the replica keeps trying and keeps serving meanwhile.
#[test]
fn absent_primary_is_awaited() {
    let replica = Server::start(Starling);
    replica.client().ok("SET mine kept");
    let before = digest(&mut replica.client());
    let port = crate::server::free_port();
    follow(&replica, port);
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(digest(&mut replica.client()), before);
    assert_eq!(info(&mut replica.client(), "master_link_status"), "down");
    let primary = Server::start(Redis7);
    primary.client().ok("SET theirs new");
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
}
