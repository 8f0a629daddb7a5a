//! The link, against a scripted primary on a real socket: every form that a primary may use, and every way to break one.
//!
//! Always: every wait has a limit; nothing depends on how fast the machine is, but for the waits themselves.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use mio::Poll;

use super::apply::{Applier, ApplyError};
use super::control::Control;
use super::{Links, link_client};
use crate::backlog::Offset;
use crate::base::clock;
use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::codec::crc64::Crc64;
use crate::commands::harness::Harness;
use crate::commands::spec::effect::encode;
use crate::config::{Config, Live, Origin};
use crate::exec::engine::Engine;
use crate::keyspace::db::{Db, Keyspace};
use crate::replication::identity::ReplId;
use crate::replication::role::{LinkState, LinkStatus};
use crate::replication::{Replication, Role};
use crate::session::Session;

const PATIENCE: Duration = Duration::from_secs(10);
const ID: &str = "0123456789012345678901234567890123456789";
const OTHER_ID: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";

struct Replica {
    engine: Arc<Engine>,
    replication: Arc<Replication>,
    links: Links,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.links.stop();
    }
}

fn engine(adjust: impl FnOnce(&mut Config)) -> Arc<Engine> {
    let mut config = Config::default();
    config.repl_timeout = 5;
    adjust(&mut config);
    let live = Live::new(config, Origin::default());
    let engine = Arc::new(Engine::new(Arc::new(live), UnixMs(clock::now_ms())));
    engine.set_host(Arc::new(Harness::new().host));
    engine
}

fn replica_with(adjust: impl FnOnce(&mut Config)) -> Replica {
    let engine = engine(adjust);
    let replication = Replication::new(engine.clone(), Arc::new(|_, _| {}));
    Replica { links: Links::new(replication.clone()), engine, replication }
}

fn replica() -> Replica {
    replica_with(|_| {})
}

fn value(engine: &Engine, db: u16, key: &str) -> Option<String> {
    let keyspace = engine.keyspace();
    let (db, hash) = (keyspace.db(DbIndex(db)), hash_key(key.as_bytes()));
    let guard = db.lock(db.shard_of(hash));
    let found = guard.find(hash, key.as_bytes())?;
    guard.get(found).as_str().map(|value| String::from_utf8_lossy(&value.to_vec()).into_owned())
}

impl Replica {
    fn follow(&self, primary: &Primary) {
        assert!(self.links.follow("127.0.0.1", primary.port).expect("threads can be had"));
    }

    fn status(&self) -> Arc<LinkStatus> {
        match self.replication.role() {
            Role::Replica(link) => link,
            Role::Primary => panic!("it is no replica"),
        }
    }

    fn get(&self, db: u16, key: &str) -> Option<String> {
        value(&self.engine, db, key)
    }

    fn eventually_has(&self, db: u16, key: &str, expected: &str) {
        eventually(&format!("{key} is {expected}"), || self.get(db, key).as_deref() == Some(expected));
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

struct Primary {
    listener: TcpListener,
    port: u16,
}

/// One connection of the replica, from the primary's side.
struct Conn {
    socket: TcpStream,
    buffered: Vec<u8>,
}

impl Primary {
    fn start() -> Primary {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        listener.set_nonblocking(true).expect("sockets can be non-blocking");
        Primary { listener, port }
    }

    fn accept(&self) -> Conn {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(false).expect("sockets can block");
                    socket.set_read_timeout(Some(PATIENCE)).expect("timeouts can be set");
                    socket.set_nodelay(true).expect("delays can be switched off");
                    return Conn { socket, buffered: Vec::new() };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < until, "nobody connects");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Accepts, answers everything up to PSYNC by the book, and tells what PSYNC asked for.
    fn accept_psync(&self) -> (Conn, Vec<String>) {
        let mut conn = self.accept();
        let asked = conn.handshake();
        (conn, asked)
    }

    /// Serves a full sync of one key: `origin` is `synced`, at offset 1000.
    fn serve(&self) -> Conn {
        let (mut conn, _) = self.accept_psync();
        conn.send(format!("+FULLRESYNC {ID} 1000\r\n").as_bytes());
        conn.send(&with_length(&rdb(&[(0, "origin", "synced")])));
        conn
    }
}

impl Conn {
    fn handshake(&mut self) -> Vec<String> {
        loop {
            let words = self.command();
            match words[0].to_lowercase().as_str() {
                "ping" => self.send(b"+PONG\r\n"),
                "psync" => return words,
                _ => self.send(b"+OK\r\n"),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the replica is there");
    }

    fn say(&mut self, words: &[&str]) {
        self.send(&command(words));
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.buffered.extend_from_slice(&piece[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffered.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffered.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            assert!(self.more(), "the replica hung up");
        }
    }

    /// The next command; newlines before it are signs of life.
    fn command(&mut self) -> Vec<String> {
        let mut line = self.line();
        while line.is_empty() {
            line = self.line();
        }
        let Some(count) = line.strip_prefix('*') else {
            return line.split(' ').map(str::to_owned).collect();
        };
        let count: usize = count.parse().expect("an array");
        (0..count)
            .map(|_| {
                let len: usize = self.line()[1..].parse().expect("a bulk");
                while self.buffered.len() < len + 2 {
                    assert!(self.more(), "the replica hung up");
                }
                let word: Vec<u8> = self.buffered.drain(..len + 2).take(len).collect();
                String::from_utf8_lossy(&word).into_owned()
            })
            .collect()
    }

    fn expect_ack(&mut self, offset: u64) {
        let expected = ["REPLCONF".to_owned(), "ACK".to_owned(), offset.to_string()];
        let until = Instant::now() + PATIENCE;
        let mut last = self.command();
        while last != expected {
            assert!(last[1] == "ACK" && Instant::now() < until, "{last:?} is not {expected:?}");
            last = self.command();
        }
    }

    fn expect_end(&mut self) {
        while self.more() {}
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, words.len(), words.iter().map(|word| word.as_bytes()));
    bytes
}

/// An RDB of short strings.
fn rdb(keys: &[(u8, &str, &str)]) -> Vec<u8> {
    let mut bytes = b"REDIS0011".to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(u8::try_from(text.len()).expect("short"));
        bytes.extend_from_slice(text.as_bytes());
    };
    bytes.push(250);
    text(&mut bytes, "redis-ver");
    text(&mut bytes, "7.2.0");
    for (db, key, value) in keys {
        bytes.extend_from_slice(&[254, *db, 0]);
        text(&mut bytes, key);
        text(&mut bytes, value);
    }
    bytes.push(255);
    let mut checksum = Crc64::new();
    checksum.update(&bytes);
    bytes.extend_from_slice(&checksum.value().to_le_bytes());
    bytes
}

fn with_length(rdb: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", rdb.len()).as_bytes(), rdb].concat()
}

fn with_mark(rdb: &[u8]) -> Vec<u8> {
    let mark = [b'm'; 40];
    [b"$EOF:", mark.as_slice(), b"\r\n", rdb, &mark].concat()
}

#[test]
fn both_framings_load_and_the_stream_follows_behind_the_acknowledgement() {
    for framed in [with_length, with_mark] {
        let (replica, primary) = (replica(), Primary::start());
        replica.follow(&primary);
        assert!(!replica.links.follow("127.0.0.1", primary.port).expect("nothing is started"));
        let (mut conn, asked) = primary.accept_psync();
        assert_eq!(asked[2], "1", "a fresh server asks for its own history, from the start");
        conn.send(b"\n\n");
        conn.send(format!("+FULLRESYNC {ID} 1000\r\n\n\n").as_bytes());
        conn.send(&framed(&rdb(&[(0, "a", "1"), (3, "b", "two")])));
        conn.expect_ack(1000);
        assert_eq!((replica.get(0, "a"), replica.get(3, "b")), (Some("1".into()), Some("two".into())));
        assert_eq!(replica.replication.identity().id.to_string(), ID);
        let select = command(&["SELECT", "3"]);
        let set = command(&["SET", "b", "three"]);
        conn.send(&[select.as_slice(), &set].concat());
        replica.eventually_has(3, "b", "three");
        eventually("the offset follows", || {
            replica.replication.offset().0 == 1000 + (select.len() + set.len()) as u64
        });
        assert_eq!(replica.status().state(), LinkState::Connected);
        let backlog = replica.engine.backlog().expect("a replica keeps its stream");
        assert_eq!(backlog.current_db(), Some(DbIndex(3)));
    }
}

#[test]
fn a_handshake_says_what_is_configured() {
    let replica = replica_with(|config| {
        config.masteruser = Some(b"joe".to_vec());
        config.masterauth = Some(b"se\r\ncret".to_vec());
        config.replica_announce_ip = Some("10.0.0.9".into());
        config.replica_announce_port = 7777;
    });
    let primary = Primary::start();
    replica.follow(&primary);
    let mut conn = primary.accept();
    assert_eq!(conn.command(), ["PING"]);
    conn.send(b"-NOAUTH Authentication required.\r\n");
    assert_eq!(conn.command(), ["AUTH", "joe", "se\r\ncret"]);
    assert_eq!(conn.command(), ["REPLCONF", "listening-port", "7777"]);
    assert_eq!(conn.command(), ["REPLCONF", "ip-address", "10.0.0.9"]);
    assert_eq!(conn.command(), ["REPLCONF", "capa", "eof", "capa", "psync2"]);
    assert_eq!(conn.command(), ["REPLCONF", "version", "9.0.0"]);
    conn.send(b"+OK\r\n-ERR what port?\r\n-ERR what address?\r\n+OK\r\n-ERR what version?\r\n");
    assert_eq!(conn.command()[0], "PSYNC");
    assert_eq!(replica.status().state(), LinkState::Handshake);
}

#[test]
fn a_primary_that_refuses_is_asked_again_a_second_later() {
    let replica = replica_with(|config| config.masterauth = Some(b"wrong".to_vec()));
    let primary = Primary::start();
    replica.follow(&primary);
    let mut conn = primary.accept();
    conn.command();
    conn.send(b"+PONG\r\n");
    conn.send(b"-WRONGPASS invalid\r\n+OK\r\n+OK\r\n+OK\r\n");
    conn.expect_end();
    let mut conn = primary.accept();
    conn.send(b"HTTP/1.1 400 Bad Request\r\n");
    conn.expect_end();
    let (mut conn, _) = primary.accept_psync();
    conn.send(b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    conn.expect_end();
    primary.serve();
    replica.eventually_has(0, "origin", "synced");
}

#[test]
fn a_primary_without_psync_is_asked_to_sync() {
    let (replica, primary) = (replica(), Primary::start());
    replica.follow(&primary);
    let (mut conn, _) = primary.accept_psync();
    conn.send(b"-ERR unknown command 'PSYNC'\r\n");
    assert_eq!(conn.command(), ["SYNC"]);
    conn.send(&with_length(&rdb(&[(0, "a", "1")])));
    conn.say(&["SET", "b", "2"]);
    replica.eventually_has(0, "b", "2");
    assert_eq!(replica.get(0, "a").as_deref(), Some("1"));
}

#[test]
fn a_cut_link_continues_where_it_was_and_learns_a_new_name() {
    let (replica, primary) = (replica(), Primary::start());
    replica.follow(&primary);
    let mut conn = primary.serve();
    conn.expect_ack(1000);
    let (select, set) = (command(&["SELECT", "2"]), command(&["SET", "k", "v"]));
    conn.send(&[select.as_slice(), &set, b"*3\r\n$3\r\nSET\r\n$4\r\nha"].concat());
    replica.eventually_has(2, "k", "v");
    let address = format!("127.0.0.1:{}", primary.port);
    assert!(replica.links.describe(UnixMs(clock::now_ms())).contains(&format!("addr={address} ")));
    assert!(!replica.links.cut_if(b"127.0.0.1:1"));
    assert!(replica.links.cut_if(address.as_bytes()));
    let (mut conn, asked) = primary.accept_psync();
    let offset = 1000 + (select.len() + set.len()) as u64;
    assert_eq!(asked, ["PSYNC", ID, &(offset + 1).to_string()]);
    conn.send(format!("+CONTINUE {OTHER_ID}\r\n").as_bytes());
    conn.say(&["SET", "k", "w"]);
    replica.eventually_has(2, "k", "w");
    let identity = replica.replication.identity();
    assert_eq!((identity.id.to_string(), identity.second.to_string()), (OTHER_ID.into(), ID.into()));
    assert_eq!(identity.second_offset, i64::try_from(offset + 1).expect("small"));
    drop(conn);
    let (mut conn, asked) = primary.accept_psync();
    assert_eq!(asked[1], OTHER_ID);
    conn.send(b"+CONTINUE\r\n");
    conn.say(&["SET", "k", "x"]);
    replica.eventually_has(2, "k", "x");
}

#[test]
fn a_question_is_answered_without_its_own_bytes() {
    let (replica, primary) = (replica(), Primary::start());
    replica.follow(&primary);
    let mut conn = primary.serve();
    conn.expect_ack(1000);
    let (set, ask) = (command(&["SET", "k", "v"]), command(&["REPLCONF", "GETACK", "*"]));
    conn.send(&[set.as_slice(), &ask, &set].concat());
    conn.expect_ack(1000 + set.len() as u64);
    conn.expect_ack(1000 + (2 * set.len() + ask.len()) as u64);
}

#[test]
fn a_broken_snapshot_leaves_the_data_as_they_were() {
    let (replica, primary) = (replica(), Primary::start());
    replica.follow(&primary);
    let conn = primary.serve();
    replica.eventually_has(0, "origin", "synced");
    drop(conn);
    let good = rdb(&[(0, "new", "1")]);
    let twice = rdb(&[(0, "new", "1"), (0, "new", "2")]);
    let far = rdb(&[(200, "new", "1")]);
    let unknown = {
        let mut bytes = good.clone();
        let at = bytes.len() - 8 - 1 - 7;
        bytes[at] = 2;
        bytes
    };
    let corrupt = {
        let mut bytes = good.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    let broken_mark = {
        let mut bytes = with_mark(&good);
        let last = bytes.len() - 1;
        bytes[last] = b'x';
        bytes
    };
    let cases: [(&str, Vec<u8>); 9] = [
        ("a key twice", with_length(&twice)),
        ("a database that is not there", with_mark(&far)),
        ("a type that cannot be loaded", with_length(&unknown)),
        ("a wrong checksum", with_length(&corrupt)),
        ("a wrong mark", broken_mark),
        ("cut short", with_length(&good)[..20].to_vec()),
        ("longer than its length", [b"$10\r\n".as_slice(), &good].concat()),
        ("shorter than its length", [b"$999\r\n".as_slice(), &good].concat()),
        ("given up", b"-ERR the child died\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        let (mut conn, asked) = primary.accept_psync();
        assert_eq!(asked, ["PSYNC", ID, "1001"], "{what}: the place in the history is kept");
        conn.send(format!("+FULLRESYNC {OTHER_ID} 5\r\n").as_bytes());
        conn.send(&bytes);
        conn.socket.shutdown(std::net::Shutdown::Write).expect("half of a connection can be closed");
        conn.expect_end();
        assert_eq!(replica.get(0, "origin").as_deref(), Some("synced"), "{what}");
        assert_eq!(replica.get(0, "new"), None, "{what}");
        assert_eq!(replica.replication.identity().id.to_string(), ID, "{what}");
    }
}

#[test]
fn what_cannot_be_applied_ends_in_a_full_sync() {
    for bytes in [
        command(&["NOSUCH", "a"]),
        command(&["SET", "a"]),
        command(&["SELECT", "99"]),
        command(&["INCR", "origin"]),
        command(&["EXEC"]),
        command(&["CONFIG", "SET", "maxclients", "1"]),
        [command(&["MULTI"]), command(&["MULTI"]), command(&["EXEC"])].concat(),
        b"SET a b\r\n".to_vec(),
        b"*1\r\n+OK\r\n".to_vec(),
    ] {
        let (replica, primary) = (replica(), Primary::start());
        replica.follow(&primary);
        let mut conn = primary.serve();
        conn.expect_ack(1000);
        let before = command(&["SET", "before", "1"]);
        conn.send(&[before.as_slice(), &bytes, &command(&["SET", "after", "1"])].concat());
        conn.expect_end();
        let (_conn, asked) = primary.accept_psync();
        let what = String::from_utf8_lossy(&bytes);
        assert_ne!(asked[1], ID, "{what}: no partial resync");
        assert_eq!(asked[2], (1001 + before.len()).to_string(), "{what}: the offset is that of the data");
        assert_eq!(replica.get(0, "before").as_deref(), Some("1"), "{what}");
        assert_eq!(replica.get(0, "after"), None, "{what}: nothing is skipped");
    }
}

#[test]
fn rubbish_at_any_byte_breaks_nothing() {
    let mut script = b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n".to_vec();
    script.extend_from_slice(format!("+FULLRESYNC {ID} 1000\r\n").as_bytes());
    script.extend_from_slice(&with_length(&rdb(&[(0, "a", "1"), (1, "b", "22")])));
    script.extend_from_slice(&command(&["SELECT", "1"]));
    script.extend_from_slice(&command(&["MULTI"]));
    script.extend_from_slice(&command(&["SET", "b", "3"]));
    script.extend_from_slice(&command(&["EXEC"]));
    let replica = replica();
    for position in 0..script.len() {
        for rubbish in [b'\n', 0xff] {
            let primary = Primary::start();
            let mut bytes = script.clone();
            bytes[position] = rubbish;
            replica.follow(&primary);
            let mut conn = primary.accept();
            // The replica may have hung up by now.
            let _ = conn.socket.write_all(&bytes);
            let _ = conn.socket.shutdown(std::net::Shutdown::Write);
            conn.expect_end();
            assert!(replica.links.lead());
        }
    }
    let primary = Primary::start();
    replica.follow(&primary);
    primary.serve();
    replica.eventually_has(0, "origin", "synced");
}

#[test]
fn a_link_stops_at_once_wherever_it_waits() {
    let (replica, primary) = (replica(), Primary::start());
    let stages: [fn(&mut Conn); 4] = [
        |_| {},
        |conn| {
            conn.handshake();
        },
        |conn| {
            conn.handshake();
            conn.send(format!("+FULLRESYNC {ID} 1000\r\n$1000\r\nREDIS0011").as_bytes());
        },
        |conn| {
            conn.handshake();
            conn.send(format!("+FULLRESYNC {ID} 1000\r\n").as_bytes());
            conn.send(&with_length(&rdb(&[(0, "a", "1")])));
            conn.expect_ack(1000);
            // A unit that is not complete.
            conn.send(&[command(&["MULTI"]), command(&["SET", "a", "2"])].concat());
        },
    ];
    for stage in stages {
        replica.follow(&primary);
        let mut conn = primary.accept();
        stage(&mut conn);
        let before = Instant::now();
        assert!(replica.links.lead());
        conn.expect_end();
        assert!(before.elapsed() < Duration::from_secs(1));
        assert!(!replica.engine.is_replica());
    }
    assert_eq!(replica.get(0, "a").as_deref(), Some("1"));
    assert_eq!(replica.replication.identity().second.to_string(), ID, "the old name stays known");
    assert_eq!(replica.replication.offset(), Offset(1000));
    assert!(!replica.links.lead());
}

#[test]
fn another_primary_is_asked_to_go_on_where_the_first_one_ended() {
    let (replica, first, second) = (replica(), Primary::start(), Primary::start());
    replica.follow(&first);
    let mut conn = first.serve();
    conn.expect_ack(1000);
    replica.follow(&second);
    conn.expect_end();
    let (mut conn, asked) = second.accept_psync();
    assert_eq!(asked, ["PSYNC", ID, "1001"]);
    conn.send(b"+CONTINUE\r\n");
    conn.say(&["SET", "a", "1"]);
    replica.eventually_has(0, "a", "1");
}

#[test]
fn a_silent_primary_is_given_up() {
    let (replica, primary) = (replica_with(|config| config.repl_timeout = 1), Primary::start());
    replica.follow(&primary);
    let mut conn = primary.serve();
    conn.expect_ack(1000);
    conn.expect_end();
    let (_conn, asked) = primary.accept_psync();
    assert_eq!(asked[2], "1001");
    assert!(replica.status().down_since.load(Relaxed) > 0);
}

/// An applier without a link.
fn applier(engine: &Arc<Engine>) -> (Applier, Poll) {
    let poll = Poll::new().expect("the system has events");
    let control = Arc::new(Control::new(&poll, Arc::default()).expect("the system has events"));
    let client = link_client(&LinkStatus::new("h".into(), 1));
    let mut applier = Applier::new(engine.clone(), control, Session::new(Arc::new(client), true));
    applier.executor.unpark();
    applier.begin();
    (applier, poll)
}

/// Feeds `bytes` as the link does; what is left over comes back.
fn feed(applier: &mut Applier, mut bytes: &[u8]) -> Result<Vec<u8>, ApplyError> {
    loop {
        let fed = applier.feed(bytes)?;
        bytes = &bytes[fed.consumed..];
        if fed.consumed == 0 || bytes.is_empty() {
            return Ok(bytes.to_vec());
        }
    }
}

#[test]
fn a_stream_may_be_cut_anywhere_and_units_appear_at_once() {
    let pieces = [
        command(&["SET", "a", "1"]),
        command(&["PING"]),
        command(&["SELECT", "1"]),
        command(&["SET", "b", "x"]),
        [
            command(&["MULTI"]),
            command(&["SET", "c", "1"]),
            command(&["SELECT", "2"]),
            command(&["SET", "d", "2"]),
            command(&["EXEC"]),
        ]
        .concat(),
        command(&["SET", "e", "3"]),
        [command(&["MULTI"]), command(&["EXEC"])].concat(),
        command(&["PUBLISH", "channel", "message"]),
    ];
    let stream = pieces.concat();
    let borders: Vec<u64> = pieces
        .iter()
        .scan(0, |end, piece| {
            *end += piece.len() as u64;
            Some(*end)
        })
        .chain([0])
        .collect();
    let engine = engine(|config| config.databases = 3);
    let replication = Replication::new(engine.clone(), Arc::new(|_, _| {}));
    replication.become_replica(Arc::new(LinkStatus::new("h".into(), 1)));
    for first in 0..stream.len() {
        let second = (first + first * 7 % 31 + 1).min(stream.len());
        engine.barrier.stop(None, || {
            engine.replace_keyspace(Arc::new(Keyspace::of((0..3).map(|_| Arc::new(Db::new(2))))));
            replication.restart_history(ReplId::new([b'a'; 40]), Offset(0), None);
        });
        let (mut applier, _poll) = applier(&engine);
        let mut rest = Vec::new();
        for range in [0..first, first..second, second..stream.len()] {
            rest.extend_from_slice(&stream[range]);
            rest = feed(&mut applier, &rest).expect("a good stream");
            assert!(borders.contains(&applier.offset()), "cut at {first}: {}", applier.offset());
            let (c, d) = (value(&engine, 1, "c"), value(&engine, 2, "d"));
            assert_eq!(c.is_some(), d.is_some(), "cut at {first}: half a unit is there");
        }
        assert_eq!(applier.offset(), stream.len() as u64, "cut at {first}");
        assert_eq!(value(&engine, 2, "e").as_deref(), Some("3"), "cut at {first}");
        let backlog = engine.backlog().expect("a replica keeps its stream");
        let mut reader = backlog.reader_at(Offset(0)).expect("all of it is there");
        let slices = reader.slices(usize::MAX).expect("nothing was trimmed");
        let copied: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(copied, stream, "cut at {first}: our own stream is the primary's");
        assert_eq!(backlog.current_db(), Some(DbIndex(2)));
    }
}
