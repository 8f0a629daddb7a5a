//! What can be carried by hand from one product to another: RDB files and DUMP payloads.

use std::fs;
use std::process::Command;

use crate::client::{Client, Reply};
use crate::fake_replica::FakeReplica;
use crate::server::Product::{self, Redis7, Starling, Valkey8};
use crate::server::{Server, peer};
use crate::sync::{assert_equal_digests, digest, follow, wait_in_sync, wait_until};
use crate::traffic::{Traffic, seed};

/// Values of every string encoding: integers of each width, short, long, compressible, random, empty, binary.
fn values() -> Vec<Vec<u8>> {
    let numbers = [
        "0",
        "-1",
        "127",
        "-128",
        "32767",
        "-32768",
        "2147483647",
        "-2147483648",
        "9223372036854775807",
        "12345678901234567890",
    ];
    let mut values: Vec<Vec<u8>> = numbers.iter().map(|number| number.as_bytes().to_vec()).collect();
    values.extend([b"007".to_vec(), b" 1".to_vec(), b"1.5".to_vec(), Vec::new(), b"a\r\n\0\xff".to_vec()]);
    for length in [1, 20, 21, 44, 45, 63, 64, 16_383, 16_384, 100_000] {
        values.push(vec![b'c'; length]);
        values.push((0..length).map(|at| (at * at * 31 + at / 7) as u8).collect());
    }
    values
}

fn fill_with_values(client: &mut Client) {
    for (number, value) in values().iter().enumerate() {
        client.ok(&format!("SELECT {}", number % 3));
        client.command(&[b"SET", format!("value:{number}").as_bytes(), value.as_slice()]);
        client.command(&[
            b"SET",
            format!("deadline:{number}").as_bytes(),
            value.as_slice(),
            b"PXAT",
            b"33177117420123",
        ]);
    }
    client.ok("SELECT 0");
}

/// Leaves no deadline that could pass during the test, and waits until what has expired is gone, so that digests hold still.
fn keep_only_far_deadlines(client: &mut Client) {
    for database in 0..4 {
        client.ok(&format!("SELECT {database}"));
        let Reply::Array(keys) = client.ok("KEYS *") else { panic!("KEYS answers with an array") };
        for key in keys {
            let left = client.command(&[b"PTTL".as_slice(), key.bytes()]).int();
            if (0..3_600_000).contains(&left) {
                client.command(&[b"PERSIST".as_slice(), key.bytes()]);
            }
        }
        wait_until("expired keys are gone", || {
            let Reply::Array(shown) = client.ok("KEYS *") else { panic!("KEYS answers with an array") };
            let held = client.ok("DBSIZE").int();
            if held == shown.len() as i64 {
                Ok(())
            } else {
                Err(format!("{held} held, {} shown", shown.len()))
            }
        });
    }
    client.ok("SELECT 0");
}

/// The file that one product saves, another loads at start: the same data.
fn file_is_loaded(writer: Product, reader: Product) {
    let seed = seed();
    let mut writer = Server::start(writer);
    let mut client = writer.client();
    Traffic::new(seed).send(&mut client, 3_000);
    client.ok("SELECT 0");
    fill_with_values(&mut client);
    keep_only_far_deadlines(&mut client);
    client.ok("SAVE");
    let before = digest(&mut client);
    writer.kill();
    let reader = Server::start_in(reader, writer.into_directory(), &[]);
    assert_eq!(digest(&mut reader.client()), before);
}

#[test]
fn redis_loads_the_file_of_starling() {
    file_is_loaded(Starling, Redis7);
}

#[test]
fn valkey_loads_the_file_of_starling() {
    file_is_loaded(Starling, Valkey8);
}

#[test]
fn starling_loads_the_file_of_redis() {
    file_is_loaded(Redis7, Starling);
}

#[test]
fn starling_loads_the_file_of_valkey() {
    file_is_loaded(Valkey8, Starling);
}

#[test]
fn starling_loads_its_own_file() {
    file_is_loaded(Starling, Starling);
}

/// BGSAVE writes the same as SAVE, next to writes that go on, and redis-check-rdb finds nothing wrong with it.
#[test]
fn background_save_of_starling_is_a_sound_file() {
    let server = Server::start(Starling);
    let mut client = server.client();
    fill_with_values(&mut client);
    Traffic::new(seed()).send(&mut client, 1_000);
    let saved_at = crate::sync::info(&mut client, "rdb_last_save_time");
    client.ok("BGSAVE");
    Traffic::new(seed()).send(&mut client, 1_000);
    wait_until("the background save is done", || {
        let running = crate::sync::info(&mut client, "rdb_bgsave_in_progress");
        let status = crate::sync::info(&mut client, "rdb_last_bgsave_status");
        let there = server.directory().join("dump.rdb").exists();
        if running == "0" && status == "ok" && there {
            Ok(())
        } else {
            Err(format!("{running} {status} since {saved_at}"))
        }
    });
    let file = server.directory().join("dump.rdb");
    let check = Command::new(peer("REDIS_CHECK_RDB")).arg(&file).output().expect("redis-check-rdb runs");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && said.contains("Checksum OK"), "{said}");
}

/// Compressible values make a file that is smaller than they are, unless compression is off.
#[test]
fn compression_is_used_and_can_be_turned_off() {
    let server = Server::start(Starling);
    let mut client = server.client();
    for number in 0..100 {
        client.command(&[b"SET", format!("key:{number}").as_bytes(), &vec![b'z'; 10_000]]);
    }
    let mut size_with = |setting: &str| {
        client.ok(&format!("CONFIG SET rdbcompression {setting}"));
        client.ok("SAVE");
        fs::metadata(server.directory().join("dump.rdb")).expect("the file is there").len()
    };
    let (with, without) = (size_with("yes"), size_with("no"));
    assert!(with < 100_000 && without > 1_000_000, "{with} bytes compressed, {without} bytes not");
}

/// A payload that only newer servers know is handed on to an old replica in a form that it knows.
#[test]
fn the_replica_of_starling_need_not_know_the_payloads_of_newer_servers() {
    let (valkey, starling, replica) =
        (Server::start(Valkey8), Server::start(Starling), Server::start(Redis7));
    follow(&replica, starling.port);
    wait_in_sync(&starling, &replica);
    let (mut from, mut to) = (valkey.client(), starling.client());
    from.ok("SADD words a b c");
    from.ok("XADD entries 1-1 f v");
    from.ok("SET text v");
    for (key, ttl) in [("words", "0"), ("entries", "100000000"), ("text", "0")] {
        let payload = from.ok(&format!("DUMP {key}"));
        let reply = to.command(&[b"RESTORE".as_slice(), key.as_bytes(), ttl.as_bytes(), payload.bytes()]);
        assert_eq!(reply, Reply::Simple("OK".into()), "{key}");
    }
    wait_in_sync(&starling, &replica);
    assert_equal_digests(&[&starling, &replica]);
    assert_eq!(replica.client().ok("DBSIZE").int(), 3);
    assert!(replica.client().ok("PTTL entries").int() > 90_000_000);
}

/// DUMP here, RESTORE there: the same value.
fn payload_is_restored(giver: Product, taker: Product) {
    let (giver, taker) = (Server::start(giver), Server::start(taker));
    let (mut from, mut to) = (giver.client(), taker.client());
    for value in values() {
        from.command(&[b"SET".as_slice(), b"key", &value]);
        let payload = from.ok("DUMP key");
        let reply = to.command(&[b"RESTORE".as_slice(), b"key", b"0", payload.bytes(), b"REPLACE"]);
        assert_eq!(reply, Reply::Simple("OK".into()), "a value of {} bytes", value.len());
        assert_eq!(to.ok("GET key"), Reply::Bulk(value));
    }
}

#[test]
fn redis_restores_the_payload_of_starling() {
    payload_is_restored(Starling, Redis7);
}

#[test]
fn valkey_restores_the_payload_of_starling() {
    payload_is_restored(Starling, Valkey8);
}

#[test]
fn starling_restores_the_payload_of_redis() {
    payload_is_restored(Redis7, Starling);
}

#[test]
fn starling_restores_the_payload_of_valkey() {
    payload_is_restored(Valkey8, Starling);
}

/// A payload with any byte changed is refused and changes nothing.
#[test]
fn damaged_payloads_are_refused() {
    let server = Server::start(Starling);
    let mut client = server.client();
    client.ok("SET key value-of-some-length");
    let payload = client.ok("DUMP key").bytes().to_vec();
    for position in 0..payload.len() {
        let mut damaged = payload.clone();
        damaged[position] ^= 0x55;
        let reply = client.command(&[b"RESTORE".as_slice(), b"other", b"0", &damaged]);
        assert!(matches!(reply, Reply::Error(_)), "byte {position} changed: {reply:?}");
    }
    assert_eq!(client.ok("EXISTS other").int(), 0);
}

/// SYNC, the oldest way to ask, gives a snapshot that Redis loads as a file.
#[test]
fn snapshot_of_starling_is_a_sound_file() {
    let primary = Server::start(Starling);
    let mut client = primary.client();
    fill_with_values(&mut client);
    let rdb = FakeReplica::attach(primary.port).take_snapshot().expect("the snapshot arrives");
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("dump.rdb"), &rdb).expect("the file is written");
    let reader = Server::start_in(Redis7, directory, &[]);
    assert_eq!(digest(&mut reader.client()), digest(&mut client));
}
