//! The wire rules, one by one, against a scripted replica on a real socket: what it must see, and what it must not.
//!
//! Always: every wait has a limit, and nothing here depends on how fast the machine is, but for the waits themselves.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::backlog::Offset;
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::commands::spec::Args;
use crate::commands::spec::table::table;
use crate::config::{Config, Live, OutputLimit};
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, Resolved};
use crate::replication::primary::Arrival;
use crate::replication::primary::follower::FollowerState;
use crate::replication::role::{LinkState, LinkStatus};
use crate::replication::{Replication, info};
use crate::resp::reply::Reply;
use crate::session::client::Client;
use crate::session::{ReplicaTraits, Session, SyncRequest};

const PATIENCE: Duration = Duration::from_secs(10);

fn now() -> UnixMs {
    UnixMs(clock::now_ms())
}

/// Answers that clients in WAIT have got.
type Answers = Arc<Mutex<Vec<(u64, String)>>>;

struct Server {
    engine: Arc<Engine>,
    replication: Arc<Replication>,
    executor: Executor,
    answers: Answers,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.replication.stop();
    }
}

/// A primary that syncs at once unless `adjust` says otherwise.
fn server(adjust: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    config.repl_diskless_sync_delay = 0;
    config.repl_ping_replica_period = 1000;
    config.dir = std::env::temp_dir();
    adjust(&mut config);
    let live = Live::new(config, crate::config::Origin::default());
    let engine = Arc::new(Engine::new(Arc::new(live), now()));
    let answers = Answers::default();
    let post = answers.clone();
    let unblock = Arc::new(move |client: &Client, reply: Vec<u8>| {
        let reply = String::from_utf8(reply).expect("replies here are text");
        post.lock().expect("no test panics while holding it").push((client.id, reply));
    });
    let replication = Replication::new(engine.clone(), unblock);
    replication.start().expect("threads can be had");
    let executor = Executor::new(engine.clone());
    Server { engine, replication, executor, answers }
}

impl Server {
    fn session(&self) -> Session {
        let id = self.engine.roster.next_id();
        let client = Arc::new(Client::new(
            id,
            format!("127.0.0.1:{id}"),
            "127.0.0.1:1".into(),
            -1,
            0,
            false,
            now(),
            Arc::default(),
        ));
        self.engine.roster.add(client.clone());
        Session::new(client, true)
    }

    /// Runs a command as a client of database 0.
    fn run(&mut self, session: &mut Session, words: &[&[u8]]) {
        self.executor.unpark();
        self.executor.tick();
        let raw = encode(words);
        let args = Args::borrowed(words, Some(&raw));
        let resolved = Resolved::new(table().lookup(args.get(0)), None);
        let mut reply = Reply::new();
        self.executor.request(session, args, resolved, &mut reply);
        assert!(!reply.buf.starts_with(b"-"), "{}", String::from_utf8_lossy(&reply.buf));
        self.executor.park();
    }

    fn set(&mut self, key: &str, value: &[u8]) {
        let mut session = self.session();
        self.run(&mut session, &[b"SET", key.as_bytes(), value]);
    }

    /// A replica's socket, attached. `capa eof`, `capa psync2` as given.
    fn attach(&self, request: SyncRequest, eof: bool, psync2: bool) -> Replica {
        let (ours, theirs) = UnixStream::pair().expect("sockets can be had");
        theirs.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let session = self.session();
        let id = session.client.id;
        let arrival = Arrival {
            client: session.client,
            traits: ReplicaTraits { eof, psync2, listening_port: 7000, ..ReplicaTraits::default() },
            request,
            socket: ours.into(),
            unparsed: Vec::new(),
            unsent: b"+OK\r\n".to_vec(),
            ticket: Box::new(()),
        };
        self.replication.attach(arrival, now());
        let mut replica = Replica { socket: theirs, id };
        assert_eq!(replica.line(), "+OK", "what was left over goes first");
        replica
    }

    fn follow(&self) -> Replica {
        self.attach(SyncRequest::Psync { replid: b"?".to_vec(), offset: -1 }, true, true)
    }

    fn continues(&self, id: &str, offset: u64) -> Replica {
        let request = SyncRequest::Psync { replid: id.as_bytes().to_vec(), offset: offset as i64 };
        self.attach(request, true, true)
    }

    fn id(&self) -> String {
        self.replication.identity().id.to_string()
    }

    fn followers(&self) -> usize {
        self.replication.primary.followers.len()
    }

    fn info(&self) -> String {
        info::section(&self.replication, now())
    }
}

fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut raw = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        raw.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        raw.extend_from_slice(word);
        raw.extend_from_slice(b"\r\n");
    }
    raw
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The other end.
struct Replica {
    socket: UnixStream,
    id: u64,
}

impl Replica {
    fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes).expect("so many bytes come");
        bytes
    }

    /// The next line that is not empty: bare newlines only say "wait".
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            let byte = self.exactly(1)[0];
            match byte {
                b'\n' if line.is_empty() => {}
                b'\n' => break,
                b'\r' => {}
                other => line.push(other),
            }
        }
        String::from_utf8(line).expect("lines are text")
    }

    #[track_caller]
    fn expect(&mut self, words: &[&[u8]]) {
        let expected = encode(words);
        let got = self.exactly(expected.len());
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&expected));
    }

    /// Nothing comes for a while.
    #[track_caller]
    fn expect_silence(&mut self) {
        self.socket.set_read_timeout(Some(Duration::from_millis(150))).expect("a timeout can be set");
        let mut byte = [0];
        let error = self.socket.read(&mut byte).expect_err("nothing may come");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    }

    #[track_caller]
    fn expect_end(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well: we may have been sent what nobody reads any more.
        let _ = self.socket.read_to_end(&mut rest);
        let mut byte = [0];
        assert!(matches!(self.socket.read(&mut byte), Ok(0)), "the connection is closed");
    }

    fn say(&mut self, words: &[&[u8]]) {
        self.socket.write_all(&encode(words)).expect("it is read");
    }

    fn acknowledge(&mut self, offset: u64) {
        self.say(&[b"REPLCONF", b"ACK", offset.to_string().as_bytes()]);
    }

    /// Reads a full sync with an end mark; returns the id, the offset and the RDB.
    fn load(&mut self) -> (String, u64, Vec<u8>) {
        let line = self.line();
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("+FULLRESYNC"), "{line}");
        let id = words.next().expect("an id").to_owned();
        let offset = words.next().expect("an offset").parse().expect("a number");
        let line = self.line();
        let mark = line.strip_prefix("$EOF:").expect("the form with a mark").as_bytes().to_vec();
        assert_eq!(mark.len(), 40);
        let mut rdb = self.exactly(mark.len());
        while !rdb.ends_with(&mark) {
            rdb.extend(self.exactly(1));
        }
        rdb.truncate(rdb.len() - mark.len());
        assert!(rdb.starts_with(b"REDIS00"), "{}", rdb.escape_ascii());
        (id, offset, rdb)
    }

    /// A full sync up to the first acknowledgement.
    fn synced(&mut self) -> (String, u64) {
        let (id, offset, _) = self.load();
        self.acknowledge(offset);
        (id, offset)
    }
}

#[test]
fn after_an_end_mark_nothing_comes_before_the_first_acknowledgement() {
    let mut server = server(|_| {});
    server.set("before", b"1");
    let mut replica = server.follow();
    let (id, offset, rdb) = replica.load();
    assert_eq!((id, offset), (server.id(), 0), "nothing was kept of what nobody followed");
    assert!(rdb.windows(6).any(|bytes| bytes == b"before"));
    server.set("after", b"2");
    replica.expect_silence();
    // A newline is no acknowledgement.
    replica.socket.write_all(b"\n").expect("it is read");
    replica.expect_silence();
    replica.acknowledge(0);
    replica.expect(&[b"SELECT", b"0"]);
    replica.expect(&[b"SET", b"after", b"2"]);
    server.set("more", b"3");
    replica.expect(&[b"SET", b"more", b"3"]);
    replica.acknowledge(server.replication.offset().0);
    let offset = server.replication.offset();
    eventually("the acknowledgement shows", || {
        server.info().contains(&format!("state=online,offset={offset},lag="))
    });
    assert!(
        server.info().contains("connected_slaves:1\r\nslave0:ip=127.0.0.1,port=7000,"),
        "{}",
        server.info()
    );
}

#[test]
fn without_capa_eof_the_length_comes_first_and_the_stream_at_once() {
    let mut server = server(|_| {});
    server.set("before", b"1");
    let mut replica = server.attach(SyncRequest::Sync, false, false);
    let line = replica.line();
    let len: usize = line.strip_prefix('$').and_then(|len| len.parse().ok()).expect("a length");
    let rdb = replica.exactly(len);
    assert!(rdb.starts_with(b"REDIS00") && rdb.windows(6).any(|bytes| bytes == b"before"));
    server.set("after", b"2");
    replica.expect(&[b"SELECT", b"0"]);
    replica.expect(&[b"SET", b"after", b"2"]);
    let psync = SyncRequest::Psync { replid: b"?".to_vec(), offset: -1 };
    let mut other = server.attach(psync, false, true);
    assert!(other.line().starts_with("+FULLRESYNC "));
    assert!(other.line().starts_with('$'));
}

#[test]
fn who_waits_together_gets_one_snapshot_and_newlines_meanwhile() {
    let mut server = server(|config| {
        config.repl_diskless_sync_delay = 3600;
        config.repl_diskless_sync_max_replicas = 3;
    });
    server.set("key", b"value");
    let mut replicas = vec![server.follow(), server.follow()];
    assert_eq!(replicas[0].exactly(2), b"\n\n", "one each second");
    assert!(server.info().contains("state=wait_bgsave"));
    replicas.push(server.follow());
    let mut loads = replicas.iter_mut().map(Replica::load);
    let first = loads.next().expect("three");
    loads.for_each(|load| assert!(load == first));
    server.set("after", b"2");
    for replica in &mut replicas {
        replica.acknowledge(0);
        replica.expect(&[b"SELECT", b"0"]);
        replica.expect(&[b"SET", b"after", b"2"]);
    }
    assert_eq!(server.replication.primary.counters.full.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn a_replica_continues_where_it_was() {
    let mut server = server(|_| {});
    let mut replica = server.follow();
    let (id, offset) = replica.synced();
    server.set("one", b"1");
    drop(replica);
    server.set("two", b"2");
    let behind = server.replication.offset().0 - encode(&[b"SET", b"two", b"2"]).len() as u64;
    let mut again = server.continues(&id, behind + 1);
    assert_eq!(again.line(), format!("+CONTINUE {id}"));
    again.expect(&[b"SET", b"two", b"2"]);
    let request = SyncRequest::Psync { replid: id.clone().into_bytes(), offset: offset as i64 + 1 };
    let mut old = server.attach(request, true, false);
    assert_eq!(old.line(), "+CONTINUE", "without capa psync2 it is not told the name");
    old.expect(&[b"SELECT", b"0"]);
    old.expect(&[b"SET", b"one", b"1"]);
    let mut ahead = server.continues(&id, server.replication.offset().0 + 2);
    assert!(ahead.line().starts_with("+FULLRESYNC "));
    let counters = &server.replication.primary.counters;
    let counts = [&counters.full, &counters.partial_ok, &counters.partial_err];
    assert_eq!(counts.map(|count| count.load(std::sync::atomic::Ordering::Relaxed)), [2, 2, 1]);
}

#[test]
fn wait_asks_for_acknowledgements_and_is_answered_by_them() {
    let mut server = server(|_| {});
    let mut replica = server.follow();
    replica.synced();
    let mut session = server.session();
    server.run(&mut session, &[b"SET", b"k", b"v"]);
    let wait = |server: &Server, replicas, ms| {
        server.replication.wait(&session, replicas, ms, true, now()).expect("we are a primary")
    };
    assert_eq!(wait(&server, 0, 0), Some(0));
    assert_eq!(wait(&server, 1, 0), None);
    replica.expect(&[b"SELECT", b"0"]);
    replica.expect(&[b"SET", b"k", b"v"]);
    replica.expect(&[b"REPLCONF", b"GETACK", b"*"]);
    // The answer does not count the question.
    replica.acknowledge(session.last_write_offset);
    let id = session.client.id;
    eventually("the client is answered", || {
        *server.answers.lock().expect("unpoisoned") == [(id, ":1\r\n".to_owned())]
    });
    assert_eq!(wait(&server, 1, 0), Some(1));
    assert_eq!(wait(&server, 2, 50), None);
    eventually("the time is over", || server.answers.lock().expect("unpoisoned").len() == 2);
    assert_eq!(server.answers.lock().expect("unpoisoned")[1].1, ":1\r\n");
    assert_eq!(wait(&server, 2, 0), None);
    server.replication.become_replica(Arc::new(LinkStatus::new("h".into(), 1)));
    assert!(server.answers.lock().expect("unpoisoned")[2].1.starts_with("-UNBLOCKED "));
    assert!(server.replication.wait(&session, 0, 0, true, now()).is_err());
}

#[test]
fn only_a_top_primary_puts_pings_into_the_stream() {
    let server = server(|config| config.repl_ping_replica_period = 1);
    let mut replica = server.follow();
    replica.synced();
    replica.expect(&[b"PING"]);
    let link = Arc::new(LinkStatus::new("h".into(), 1));
    link.set_state(LinkState::Connected, now());
    server.replication.become_replica(link.clone());
    let offset = server.replication.offset();
    std::thread::sleep(Duration::from_millis(2200));
    assert_eq!(server.replication.offset(), offset);
    assert_eq!(server.replication.admit(None), Ok(false));
    link.set_state(LinkState::Connect, now());
    let refusal = server.replication.admit(None).expect_err("the link is down");
    assert_eq!(refusal.0, "NOMASTERLINK Can't SYNC while not connected with my master");
}

#[test]
fn a_promoted_replica_takes_a_new_name_and_its_siblings_continue() {
    let mut server = server(|_| {});
    let mut replica = server.follow();
    let (old, _) = replica.synced();
    server.set("k", b"v");
    server.replication.become_replica(Arc::new(LinkStatus::new("h".into(), 1)));
    assert_eq!(server.id(), old, "the history goes on");
    replica.expect(&[b"SELECT", b"0"]);
    replica.expect(&[b"SET", b"k", b"v"]);
    assert!(server.replication.admit(Some(b"x")).is_err());
    assert_eq!(server.replication.admit(Some(old.as_bytes())), Ok(true));
    let parting = server.replication.offset().0 + 1;
    server.replication.become_primary(now());
    replica.expect_end();
    let identity = server.replication.identity();
    assert_eq!((identity.second.to_string(), identity.second_offset), (old.clone(), parting as i64));
    assert!(server.replication.admit(Some(old.as_bytes())).is_err(), "a primary has nothing to take over");
    let mut sibling = server.continues(&old, parting);
    assert_eq!(sibling.line(), format!("+CONTINUE {}", server.id()));
    server.set("new", b"1");
    sibling.expect(&[b"SELECT", b"0"]);
    sibling.expect(&[b"SET", b"new", b"1"]);
    let mut gone_on = server.continues(&old, parting + 1);
    assert!(gone_on.line().starts_with("+FULLRESYNC "), "it has bytes of the old history that we never had");
}

#[test]
fn another_data_set_sends_replicas_away() {
    let server = server(|_| {});
    let mut replica = server.follow();
    replica.synced();
    server.replication.become_replica(Arc::new(LinkStatus::new("h".into(), 1)));
    let id = crate::replication::ReplId::new([b'e'; 40]);
    server.replication.restart_history(id, Offset(5000), None);
    replica.expect_end();
    eventually("it is forgotten", || server.followers() == 0);
    assert_eq!((server.replication.identity().id, server.replication.offset()), (id, Offset(5000)));
    let mut same = server.continues(&id.to_string(), 5001);
    assert_eq!(same.line(), format!("+CONTINUE {id}"));
    let other = crate::replication::ReplId::new([b'f'; 40]);
    server.replication.adopt_id(other);
    same.expect_end();
    assert_eq!(server.replication.identity().second_offset, 5001);
}

#[test]
fn a_backlog_that_nobody_follows_is_freed_with_its_name() {
    let mut server = server(|config| config.repl_backlog_ttl = 1);
    let mut replica = server.follow();
    let (id, _) = replica.synced();
    server.set("k", b"v");
    let offset = server.replication.offset();
    assert!(offset > Offset(0));
    drop(replica);
    eventually("the backlog is freed", || server.engine.backlog().is_none());
    assert_ne!(server.id(), id);
    assert_eq!(server.replication.offset(), offset);
    assert!(server.info().contains("repl_backlog_active:0"));
}

#[test]
fn a_replica_that_reads_nothing_is_cut_off_at_the_limit() {
    let mut server = server(|config| {
        config.repl_backlog_size = 16 * 1024;
        config.client_output_buffer_limit.replica =
            OutputLimit { hard_bytes: 1024 * 1024, soft_bytes: 0, soft_seconds: 0 };
    });
    let (mut slow, mut fast) = (server.follow(), server.follow());
    slow.synced();
    fast.synced();
    let value = vec![b'x'; 64 * 1024];
    let reading = std::thread::spawn(move || {
        let mut total = 0;
        let mut buffer = vec![0; 64 * 1024];
        while total < 4 * 1024 * 1024 {
            total += fast.socket.read(&mut buffer).expect("it is sent");
        }
        fast
    });
    for _ in 0..64 {
        server.set("k", &value);
        // Slow enough for the one that reads.
        std::thread::sleep(Duration::from_millis(2));
    }
    let fast = reading.join().expect("all was read");
    eventually("the slow one is gone", || server.followers() == 1);
    slow.expect_end();
    assert_eq!(server.replication.primary.followers.list()[0].id(), fast.id);
}

#[test]
fn replicas_that_talk_out_of_turn_or_are_killed_are_closed() {
    let server = server(|_| {});
    let mut chatty = server.follow();
    chatty.synced();
    chatty.say(&[b"PING"]);
    chatty.expect_end();
    let mut killed = server.follow();
    killed.synced();
    eventually("it is online", || {
        let follower = server.replication.primary.followers.get(killed.id);
        follower.is_some_and(|follower| follower.state() == FollowerState::Online)
    });
    assert!(server.replication.primary.kill(killed.id));
    killed.expect_end();
    eventually("both are forgotten", || server.followers() == 0);
    assert!(!server.replication.primary.kill(killed.id));
    assert_eq!(server.engine.roster.len(), 0);
}

#[test]
fn good_replicas_are_those_that_were_heard_of_lately() {
    let server = server(|config| {
        config.min_replicas_to_write = 1;
        config.min_replicas_max_lag = 3;
    });
    let mut replica = server.follow();
    replica.synced();
    let good = || server.engine.good_replicas.load(std::sync::atomic::Ordering::Relaxed);
    eventually("it counts", || good() == 1);
    assert!(server.info().contains("min_slaves_good_slaves:1\r\n"));
    eventually("its silence is noticed", || good() == 0);
}

#[test]
fn newlines_keep_a_replica_that_loads_for_long() {
    let server = server(|config| config.repl_timeout = 3);
    let mut replica = server.follow();
    replica.load();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(250));
        replica.socket.write_all(b"\n").expect("it is still there");
    }
    assert_eq!(server.followers(), 1);
    replica.expect_end();
    eventually("its silence was too long", || server.followers() == 0);
}

#[test]
fn a_server_that_ends_waits_for_its_replicas_and_sends_the_rest() {
    let mut server = server(|_| {});
    let mut replica = server.follow();
    replica.synced();
    server.set("k", b"v");
    let offset = server.replication.offset().0;
    eventually("it is online", || server.replication.primary.followers.lagging(offset) == 1);
    assert_eq!(server.replication.drain(Instant::now(), || true), 1, "no time, no question");
    server.replication.resume_upkeep();
    assert_eq!(server.replication.drain(Instant::now() + Duration::from_millis(20), || true), 1);
    assert_eq!(server.replication.drain(Instant::now() + Duration::from_secs(60), || false), 1, "called off");
    replica.expect(&[b"SELECT", b"0"]);
    replica.expect(&[b"SET", b"k", b"v"]);
    replica.expect(&[b"REPLCONF", b"GETACK", b"*"]);
    replica.acknowledge(offset);
    eventually("it has everything", || server.replication.primary.followers.lagging(offset) == 0);
    server.set("last", b"words");
    server.replication.stop();
    replica.expect(&[b"SET", b"last", b"words"]);
    replica.expect_end();
}
