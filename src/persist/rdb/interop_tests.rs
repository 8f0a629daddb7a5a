//! Files between products: what we save, Redis and Valkey load and their checker accepts; what they save, we load.
//!
//! Uses whichever of `redis-server`, `valkey-server` and `redis-check-rdb` the PATH offers, and says which it misses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::tests::{Server, contents, fill};
use super::{Expired, load_current};
use crate::base::clock::now_ms;
use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::effect::encode;
use crate::config::EvictionPolicy;
use crate::keyspace::eviction::{LoadedUsage, Note, Usage};

struct Peer {
    child: Child,
    stream: BufReader<TcpStream>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// `None` if there is no such program.
    fn start(program: &str, dir: &Path) -> Option<Peer> {
        Peer::start_with(program, dir, "noeviction")
    }

    /// With a `maxmemory-policy`.
    fn start_with(program: &str, dir: &Path, policy: &str) -> Option<Peer> {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let mut command = Command::new(program);
        command.current_dir(dir).args(["--port", &port.to_string(), "--save", "", "--dir", "."]);
        command.args(["--maxmemory-policy", policy]);
        let mut child = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("left out: {program}: {error}");
                return None;
            }
        };
        let started = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                let mut peer = Peer { child, stream: BufReader::new(stream) };
                while peer.call(&[b"PING"]) != b"+PONG" {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Some(peer);
            }
            assert!(child.try_wait().expect("our child").is_none(), "{program} refused the file");
            assert!(started.elapsed() < Duration::from_secs(20), "{program} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A simple reply with its mark, or the bytes of a bulk string.
    fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut request = Vec::new();
        encode(&mut request, words.len(), words.iter().copied());
        self.stream.get_mut().write_all(&request).expect("the peer reads");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the peer answers");
        let line = line.trim_end();
        match line.strip_prefix('$').map(|len| len.parse::<usize>()) {
            Some(Ok(len)) => {
                let mut bytes = vec![0; len + 2];
                self.stream.read_exact(&mut bytes).expect("the peer answers");
                bytes.truncate(len);
                bytes
            }
            Some(Err(_)) | None => line.as_bytes().to_vec(),
        }
    }
}

fn check_both_ways(program: &str) {
    let ours = Server::new(|_| {});
    fill(&ours);
    ours.saver.save(UnixMs(now_ms())).expect("the disk takes it");
    let wanted = contents(&ours.engine.keyspace());
    let Some(mut peer) = Peer::start(program, ours.dir()) else { return };
    for (db, key, value, deadline) in &wanted {
        peer.call(&[b"SELECT", db.to_string().as_bytes()]);
        assert_eq!(&peer.call(&[b"GET", key]), value, "{program} db {db} {}", key.escape_ascii());
        let at = deadline.map_or("-1".to_owned(), |at| at.to_string());
        assert_eq!(peer.call(&[b"PEXPIRETIME", key]), format!(":{at}").as_bytes());
    }
    peer.call(&[b"SELECT", b"5"]);
    peer.call(&[b"SET", b"from the peer", b"with a deadline", b"PX", b"1000000"]);
    assert_eq!(peer.call(&[b"SAVE"]), b"+OK");
    drop(peer);
    load_current(&ours.engine, &ours.saver, Expired::Drop, UnixMs(now_ms()), &|| true)
        .expect("it loads")
        .expect("it is there");
    let mut found = contents(&ours.engine.keyspace());
    let added = found.iter().position(|(db, ..)| *db == 5).expect("the peer's key came along");
    assert_eq!(found.remove(added).1, b"from the peer");
    assert_eq!(found, wanted);
}

#[test]
fn redis_loads_our_files_and_we_load_those_of_redis() {
    check_both_ways("redis-server");
}

#[test]
fn valkey_loads_our_files_and_we_load_those_of_valkey() {
    check_both_ways("valkey-server");
}

/// The access clock of the only key.
fn clock_of(server: &Server) -> u32 {
    let keyspace = server.engine.keyspace();
    let hash = hash_key(b"key");
    let db = keyspace.db(DbIndex(0));
    let guard = db.lock(db.shard_of(hash));
    guard.get(guard.find(hash, b"key").expect("it is there")).clock()
}

/// A key's use goes through a file to the peer, and through the peer's file back to us.
fn check_use(program: &str, policy: EvictionPolicy, name: &str, question: &[u8]) {
    let ours = Server::new(|config| config.maxmemory_policy = policy);
    let usage = LoadedUsage::of(&ours.engine.config.load(), UnixMs(now_ms()));
    ours.put_used(0, b"key", b"value", Some(now_ms() + 1_000_000), usage.clock(Some(200), Some(200)));
    ours.saver.save(UnixMs(now_ms())).expect("the disk takes it");
    let Some(mut peer) = Peer::start_with(program, ours.dir(), name) else { return };
    let answer = String::from_utf8(peer.call(&[b"OBJECT", question, b"key"])).expect("digits");
    let number: u32 = answer.trim_start_matches(':').parse().expect("digits");
    // Seconds, or a minute's decay, may have passed.
    assert!((195..=215).contains(&number), "{program} {name}: {answer}");
    assert_eq!(peer.call(&[b"SAVE"]), b"+OK");
    drop(peer);
    let now = UnixMs(now_ms());
    load_current(&ours.engine, &ours.saver, Expired::Drop, now, &|| true)
        .expect("it loads")
        .expect("it is there");
    let note = Usage::of(&ours.engine.config.load(), now).note(clock_of(&ours));
    let found = match note.expect("the policy has it noted") {
        Note::Idle(seconds) => seconds,
        Note::Frequency(counter) => u32::from(counter),
    };
    assert!((195..=220).contains(&found), "{program} {name}: {found}");
}

#[test]
fn how_a_key_was_used_travels_both_ways() {
    for program in ["redis-server", "valkey-server"] {
        check_use(program, EvictionPolicy::AllkeysLru, "allkeys-lru", b"IDLETIME");
        check_use(program, EvictionPolicy::VolatileLfu, "volatile-lfu", b"FREQ");
    }
}

#[test]
fn the_checker_of_redis_finds_nothing_wrong() {
    let ours = Server::new(|_| {});
    fill(&ours);
    ours.saver.save(UnixMs(now_ms())).expect("the disk takes it");
    match Command::new("redis-check-rdb").arg(ours.file()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("RDB looks OK"), "{text}");
            assert!(text.contains("Checksum OK"), "{text}");
        }
        Err(error) => eprintln!("left out: redis-check-rdb: {error}"),
    }
}
