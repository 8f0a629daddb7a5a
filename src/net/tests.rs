//! The event loop and the acceptor over real sockets, with a small service in place of the executor.
//!
//! [`Rig`] runs an acceptor and workers; the [`Echo`] service knows a handful of verbs that end in every kind of [`After`].
//! Disconnects and detached connections are reported to the test through channels.

use super::acceptor::{Acceptor, AcceptorHandle, Opener};
use super::admission::Admission;
use super::event_loop::{EventLoop, Seat, WorkerHandle};
use super::listener::{Listener, listen_anywhere, listen_tcp, listen_unix};
use super::service::{After, BufferLimits, CloseReason, ConnectionKey, Detached, PeerInfo, Peers, Service};
use crate::base::mailbox::Post;
use crate::resp::batch::Batch;
use crate::resp::limits::Limits;
use crate::resp::reply::Reply;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
enum Say {
    /// Append a simple string to a connection, then let it go on if it was blocked.
    Resume(ConnectionKey, &'static str),
    Kill(ConnectionKey),
    Everybody(&'static str),
}

struct Echo {
    settings: Settings,
    blocked: Sender<ConnectionKey>,
    gone: Sender<CloseReason>,
    taken: Sender<(u64, Detached)>,
    commands: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Default)]
struct Settings {
    buffers: BufferLimits,
    idle_ms: Option<u64>,
}

struct Client {
    peer: PeerInfo,
    commands: u64,
    yielded: bool,
}

impl Echo {
    fn run_one(
        &mut self,
        client: &mut Client,
        batch: &Batch,
        buf: &[u8],
        index: usize,
        out: &mut Reply,
    ) -> After {
        let request = batch.request(buf, index);
        let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
        match request.name() {
            b"PING" => out.simple("PONG"),
            b"ECHO" => out.bulk(request.arg(1)),
            b"WHO" => out.bulk(client.peer.address.as_bytes()),
            b"BIG" => out.bulk(&vec![b'x'; number(request.arg(1)).expect("a number")]),
            b"BLOCK" => {
                self.blocked.send(client.peer.key).expect("the test listens");
                return After::Blocked { done: index + 1 };
            }
            b"YIELD" if !client.yielded => {
                client.yielded = true;
                return After::Yield { done: index };
            }
            b"YIELD" => {
                client.yielded = false;
                out.simple("YIELDED");
            }
            b"TAKE" => return After::Detach { done: index + 1 },
            b"QUIT" => {
                out.ok();
                return After::Close;
            }
            b"DIE" => return After::CloseNow,
            _ => out.error("ERR unknown command"),
        }
        client.commands += 1;
        self.commands.fetch_add(1, Ordering::Relaxed);
        After::Continue
    }
}

impl Service for Echo {
    type Session = Client;
    type Message = Say;

    fn connect(&mut self, peer: PeerInfo) -> Client {
        Client { peer, commands: 0, yielded: false }
    }

    fn disconnect(&mut self, _: Client, reason: CloseReason) {
        // A test that is over no longer listens.
        let _ = self.gone.send(reason);
    }

    fn detach(&mut self, client: Client, connection: Detached) {
        self.taken.send((client.commands, connection)).expect("the test listens");
    }

    fn parse_limits(&self, _: &Client) -> Limits {
        Limits::default()
    }

    fn run(&mut self, client: &mut Client, buf: &[u8], batch: &Batch, out: &mut Reply) -> After {
        for index in 0..batch.len() {
            match self.run_one(client, batch, buf, index, out) {
                After::Continue => {}
                other => return other,
            }
        }
        After::Continue
    }

    fn message(&mut self, message: Say, peers: &mut dyn Peers<Client>) -> usize {
        match message {
            Say::Resume(key, text) => {
                if let Some((_, reply)) = peers.get(key) {
                    reply.simple(text);
                    assert!(peers.resume(key));
                }
            }
            Say::Kill(key) => {
                peers.close(key, true);
            }
            Say::Everybody(text) => peers.for_each(&mut |_, _, reply| reply.simple(text)),
        }
        0
    }

    fn tick(&mut self, _: u64, _: &mut dyn Peers<Client>) {}

    fn next_deadline_ms(&self) -> Option<u64> {
        None
    }

    fn buffer_limits(&self, _: &Client) -> BufferLimits {
        self.settings.buffers
    }

    fn idle_ms_max(&self, _: &Client) -> Option<u64> {
        self.settings.idle_ms
    }

    fn describe(&self, client: &Client) -> String {
        format!("addr={}", client.peer.address)
    }
}

struct Rig {
    address: SocketAddr,
    admission: Arc<Admission>,
    workers: Vec<WorkerHandle>,
    posts: Vec<Post<Say>>,
    acceptor: AcceptorHandle,
    blocked: Receiver<ConnectionKey>,
    gone: Receiver<CloseReason>,
    taken: Receiver<(u64, Detached)>,
    commands: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Rig {
    fn start(workers: usize, settings: Settings) -> Rig {
        Rig::start_on(vec![listen_anywhere().expect("a port")], workers, settings)
    }

    fn start_on(listeners: Vec<Listener>, workers: usize, settings: Settings) -> Rig {
        let address = listeners[0].tcp_address().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (blocked_in, blocked) = channel();
        let (gone_in, gone) = channel();
        let (taken_in, taken) = channel();
        let commands = Arc::new(AtomicU64::new(0));
        let (mut handles, mut posts, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..workers {
            let seat = Seat::new().expect("a poll");
            handles.push(seat.handle());
            posts.push(seat.post());
            let service = Echo {
                settings,
                blocked: blocked_in.clone(),
                gone: gone_in.clone(),
                taken: taken_in.clone(),
                commands: Arc::clone(&commands),
            };
            let event_loop = EventLoop::new(seat, service);
            threads.push(std::thread::spawn(move || drop(event_loop.run().expect("poll works"))));
        }
        let admission = Admission::new(10_000);
        let acceptor = Acceptor::new(listeners, handles.clone(), Arc::clone(&admission)).expect("a poll");
        let handle = acceptor.handle();
        threads.push(std::thread::spawn(move || acceptor.run().expect("poll works")));
        Rig {
            address,
            admission,
            workers: handles,
            posts,
            acceptor: handle,
            blocked,
            gone,
            taken,
            commands,
            threads,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the acceptor listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    fn gone(&self) -> CloseReason {
        self.gone.recv_timeout(PATIENCE).expect("a connection ends")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.acceptor.stop();
        self.workers.iter().for_each(WorkerHandle::stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() && !std::thread::panicking() {
                panic!("a thread of the rig panicked");
            }
        }
    }
}

#[track_caller]
fn expect(stream: &mut impl Read, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).expect("a reply");
    assert!(got == expected, "{:?}", String::from_utf8_lossy(&got[..got.len().min(200)]));
}

#[track_caller]
fn expect_end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    assert!(rest.is_empty() && (end.is_ok() || is_reset(end)), "{:?}", String::from_utf8_lossy(&rest));
}

fn is_reset(result: std::io::Result<usize>) -> bool {
    result.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn requests_in_any_pieces_are_answered_in_order() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    let request = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\nPING\r\n";
    for cut in 1..request.len() {
        stream.write_all(&request[..cut]).expect("writable");
        std::thread::sleep(Duration::from_millis(1));
        stream.write_all(&request[cut..]).expect("writable");
        expect(&mut stream, b"$5\r\nhello\r\n+PONG\r\n");
    }
}

#[test]
fn a_pipeline_of_a_hundred_thousand_commands_is_answered() {
    let rig = Rig::start(2, Settings::default());
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = rig.connect();
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a socket");
                let sender = std::thread::spawn(move || {
                    writer.write_all(&b"*1\r\n$4\r\nPING\r\n".repeat(100_000)).expect("writable");
                });
                expect(&mut stream, &b"+PONG\r\n".repeat(100_000));
                sender.join().expect("the sender does not panic");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("every client is answered"));
    assert_eq!(rig.commands.load(Ordering::Relaxed), 300_000);
    let input: u64 =
        rig.workers.iter().map(|worker| worker.counters().input_bytes.load(Ordering::Relaxed)).sum();
    assert_eq!(input, 300_000 * 14);
}

#[test]
fn a_large_argument_arrives_whole() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    let value = vec![b'v'; 5_000_000];
    let mut request = format!("*2\r\n$4\r\nECHO\r\n${}\r\n", value.len()).into_bytes();
    request.extend_from_slice(&value);
    request.extend_from_slice(b"\r\nPING\r\n");
    let mut writer = stream.try_clone().expect("a socket");
    let sender = std::thread::spawn(move || writer.write_all(&request).expect("writable"));
    expect(&mut stream, b"$5000000\r\n");
    expect(&mut stream, &value);
    expect(&mut stream, b"\r\n+PONG\r\n");
    sender.join().expect("the sender does not panic");
}

#[test]
fn a_half_closed_peer_gets_its_replies_and_then_the_end() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    let mut request = b"PING\r\n".repeat(1000);
    request.extend_from_slice(b"*2\r\n$3\r\nBIG\r\n$7\r\n3000000\r\n*1\r\n$4\r\nunfinished");
    stream.write_all(&request).expect("writable");
    stream.shutdown(Shutdown::Write).expect("a socket");
    expect(&mut stream, &b"+PONG\r\n".repeat(1000));
    expect(&mut stream, b"$3000000\r\n");
    expect(&mut stream, &vec![b'x'; 3_000_000]);
    expect(&mut stream, b"\r\n");
    // `unfi` is the command; its line end is not checked, and what follows it is no whole request.
    expect(&mut stream, b"-ERR unknown command\r\n");
    expect_end(&mut stream);
    assert_eq!(rig.gone(), CloseReason::PeerClosed);
    eventually("the place is free again", || rig.admission.connected() == 0);
}

#[test]
fn beyond_maxclients_there_is_an_error_and_the_end() {
    let rig = Rig::start(2, Settings::default());
    rig.admission.set_max_clients(2);
    let mut inside: Vec<TcpStream> = (0..2).map(|_| rig.connect()).collect();
    for stream in &mut inside {
        stream.write_all(b"PING\r\n").expect("writable");
        expect(stream, b"+PONG\r\n");
    }
    for _ in 0..200 {
        let mut outside = rig.connect();
        expect(&mut outside, b"-ERR max number of clients reached\r\n");
        expect_end(&mut outside);
    }
    assert_eq!((rig.admission.rejected(), rig.admission.accepted()), (200, 2));
    inside.pop();
    eventually("a place is free", || rig.admission.connected() == 1);
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\n").expect("writable");
    expect(&mut stream, b"+PONG\r\n");
}

#[test]
fn a_reader_that_does_not_read_hits_the_hard_limit() {
    let buffers = BufferLimits { output_hard_bytes: 1 << 20, ..Default::default() };
    let rig = Rig::start(1, Settings { buffers, ..Default::default() });
    let mut stream = rig.connect();
    for _ in 0..200 {
        if stream.write_all(b"*2\r\n$3\r\nBIG\r\n$6\r\n200000\r\n").is_err() {
            break;
        }
    }
    assert_eq!(rig.gone(), CloseReason::OutputBufferLimit);
}

#[test]
fn a_reader_that_does_not_read_hits_the_soft_limit_after_its_time() {
    let buffers = BufferLimits { output_soft_bytes: 1 << 20, output_soft_seconds: 1, ..Default::default() };
    let rig = Rig::start(1, Settings { buffers, ..Default::default() });
    let mut stream = rig.connect();
    stream.write_all(b"*2\r\n$3\r\nBIG\r\n$8\r\n30000000\r\n").expect("writable");
    let start = Instant::now();
    assert_eq!(rig.gone(), CloseReason::OutputBufferLimit);
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[test]
fn a_request_that_never_ends_hits_the_query_buffer_limit() {
    let buffers = BufferLimits { query_bytes_max: 1 << 20, ..Default::default() };
    let rig = Rig::start(1, Settings { buffers, ..Default::default() });
    let mut stream = rig.connect();
    stream.write_all(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n").expect("writable");
    while stream.write_all(&[b'x'; 65536]).is_ok() {}
    assert_eq!(rig.gone(), CloseReason::QueryBufferLimit);
}

#[test]
fn silence_beyond_the_timeout_ends_a_connection_and_a_blocked_one_stays() {
    let rig = Rig::start(1, Settings { idle_ms: Some(300), ..Default::default() });
    let mut blocked = rig.connect();
    blocked.write_all(b"BLOCK\r\nPING\r\n").expect("writable");
    let key = rig.blocked.recv_timeout(PATIENCE).expect("blocked");
    let mut silent = rig.connect();
    assert_eq!(rig.gone(), CloseReason::Idle);
    expect_end(&mut silent);
    rig.posts[0].post(Say::Resume(key, "GO")).expect("room");
    expect(&mut blocked, b"+GO\r\n+PONG\r\n");
}

#[test]
fn rubbish_gets_an_error_and_the_end() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\n*1\r\nfoo\r\nPING\r\n").expect("writable");
    expect(&mut stream, b"+PONG\r\n-ERR Protocol error: expected '$', got 'f'\r\n");
    expect_end(&mut stream);
    assert_eq!(rig.gone(), CloseReason::ProtocolError);
}

#[test]
fn a_blocked_connection_keeps_what_follows_and_goes_on_when_resumed() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\nBLOCK\r\nBLOCK\r\nECHO a\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhe").expect("writable");
    expect(&mut stream, b"+PONG\r\n");
    for _ in 0..2 {
        let key = rig.blocked.recv_timeout(PATIENCE).expect("blocked");
        stream.write_all(b"l").expect("writable");
        rig.posts[0].post(Say::Resume(key, "GO")).expect("room");
        expect(&mut stream, b"+GO\r\n");
    }
    expect(&mut stream, b"$1\r\na\r\n");
    stream.write_all(b"o\r\nBLOCK\r\n").expect("writable");
    expect(&mut stream, b"$5\r\nhello\r\n");
    rig.blocked.recv_timeout(PATIENCE).expect("blocked");
    drop(stream);
    assert_eq!(rig.gone(), CloseReason::PeerClosed, "a blocked client that leaves is noticed");
}

#[test]
fn a_yielding_command_runs_again_later() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\nYIELD\r\nPING\r\nYIELD\r\n").expect("writable");
    expect(&mut stream, b"+PONG\r\n+YIELDED\r\n+PONG\r\n+YIELDED\r\n");
}

#[test]
fn quit_answers_and_ends_and_what_follows_does_not_run() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    stream.write_all(b"QUIT\r\nPING\r\n").expect("writable");
    expect(&mut stream, b"+OK\r\n");
    expect_end(&mut stream);
    assert_eq!(rig.gone(), CloseReason::Requested);
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\nDIE\r\n").expect("writable");
    expect_end(&mut stream);
    assert_eq!(rig.commands.load(Ordering::Relaxed), 1, "only the PING before DIE ran");
}

#[test]
fn another_thread_kills_a_connection_and_reaches_all() {
    let rig = Rig::start(1, Settings::default());
    let (mut one, mut other) = (rig.connect(), rig.connect());
    one.write_all(b"BLOCK\r\n").expect("writable");
    other.write_all(b"PING\r\n").expect("writable");
    expect(&mut other, b"+PONG\r\n");
    let key = rig.blocked.recv_timeout(PATIENCE).expect("blocked");
    rig.posts[0].post(Say::Everybody("NEWS")).expect("room");
    expect(&mut one, b"+NEWS\r\n");
    expect(&mut other, b"+NEWS\r\n");
    rig.posts[0].post(Say::Kill(key)).expect("room");
    expect_end(&mut one);
    assert_eq!(rig.gone(), CloseReason::Requested);
    rig.posts[0].post(Say::Kill(key)).expect("room");
    other.write_all(b"PING\r\n").expect("writable");
    expect(&mut other, b"+PONG\r\n");
}

#[test]
fn a_detached_connection_leaves_with_all_its_bytes() {
    let rig = Rig::start(1, Settings::default());
    let mut stream = rig.connect();
    stream.write_all(b"PING\r\nTAKE\r\nREST of it").expect("writable");
    let (commands, detached) = rig.taken.recv_timeout(PATIENCE).expect("detached");
    assert_eq!(commands, 1);
    assert_eq!((&detached.unsent[..], &detached.unparsed[..]), (&b"+PONG\r\n"[..], &b"REST of it"[..]));
    assert_eq!(rig.admission.connected(), 1, "it still counts");
    let mut taken = TcpStream::from(detached.socket);
    taken.write_all(b"from the new owner").expect("writable");
    expect(&mut stream, b"from the new owner");
    drop(detached.ticket);
    assert_eq!(rig.admission.connected(), 0);
}

#[test]
fn a_flood_from_one_client_does_not_starve_another() {
    let rig = Rig::start(1, Settings::default());
    let flood = rig.connect();
    let mut writer = flood.try_clone().expect("a socket");
    let mut reader = flood.try_clone().expect("a socket");
    let sender = std::thread::spawn(move || {
        let block = b"PING\r\n".repeat(20_000);
        while writer.write_all(&block).is_ok() {}
    });
    let receiver = std::thread::spawn(move || {
        let mut block = vec![0; 1 << 16];
        while reader.read(&mut block).is_ok_and(|count| count > 0) {}
    });
    let mut stream = rig.connect();
    for _ in 0..20 {
        stream.write_all(b"PING\r\n").expect("writable");
        expect(&mut stream, b"+PONG\r\n");
    }
    flood.shutdown(Shutdown::Both).expect("a socket");
    sender.join().expect("no panic");
    receiver.join().expect("no panic");
}

#[test]
fn the_unix_socket_serves_and_new_listeners_replace_old_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("server.sock");
    let rig = Rig::start_on(vec![listen_unix(&path, None, 16).expect("listening")], 1, Settings::default());
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("the acceptor listens");
    stream.write_all(b"WHO\r\n").expect("writable");
    let name = format!("{}:0", path.display());
    expect(&mut stream, format!("${}\r\n{name}\r\n", name.len()).as_bytes());
    let address = free_address();
    let path_again = path.clone();
    let listen = move |addresses: Vec<SocketAddr>| -> Opener {
        Box::new(move || {
            let mut listeners = Vec::new();
            for address in &addresses {
                listeners.extend(listen_tcp(&[address.ip().to_string()], address.port(), 16)?);
            }
            Ok(listeners)
        })
    };
    let unix: Opener = Box::new(move || Ok(vec![listen_unix(&path_again, None, 16)?]));
    rig.acceptor.reopen(listen(vec![address]), unix).expect("the port is free");
    assert!(!path.exists());
    let ping = |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).expect("the acceptor listens");
        stream.write_all(b"PING\r\n").expect("writable");
        expect(&mut stream, b"+PONG\r\n");
    };
    ping(address);
    let more = free_address();
    rig.acceptor
        .reopen(listen(vec![more, address]), listen(vec![address]))
        .expect("our own port is no obstacle");
    ping(address);
    ping(more);
    let holder = listen_anywhere().expect("a port");
    let taken = holder.tcp_address().expect("an address");
    let error = rig.acceptor.reopen(listen(vec![taken]), listen(vec![address])).expect_err("in use");
    assert!(error.to_string().contains(&taken.to_string()));
    ping(address);
}

fn free_address() -> SocketAddr {
    listen_anywhere().expect("a port").tcp_address().expect("an address")
}
