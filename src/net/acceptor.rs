//! The acceptor: one thread that accepts on all listening sockets and deals connections round robin to the workers.
//!
//!     listeners --accept--> admission --refused--> error, close
//!                               \--ticket--> socket options --> worker 0, 1, 2, 0, ...
//!
//! The server starts it and owns its [`AcceptorHandle`]. Dealing spreads few connections evenly, where letting the kernel
//! choose (SO_REUSEPORT) does not. Always: a connection is either refused or has a ticket and a worker; when the process runs
//! out of descriptors the acceptor waits and tries again.

use super::admission::{Admission, Ticket};
use super::event_loop::WorkerHandle;
use super::listener::{ListenError, Listener};
use super::socket::Socket;
use crate::base::mailbox::{Full, Mailbox, Post, mailbox};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Connections accepted from one listener before the others get their turn.
const ACCEPTS_PER_TURN: usize = 1000;
/// Pause after the system refused to accept, for want of descriptors or memory.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const WAKER: Token = Token(usize::MAX);

/// An accepted connection on its way to a worker.
#[derive(Debug)]
pub(super) struct NewConnection {
    pub(super) socket: Socket,
    pub(super) address: String,
    pub(super) local_address: String,
    pub(super) unix: bool,
    pub(super) ticket: Ticket,
}

/// Opens listening sockets; may be called more than once.
pub type Opener = Box<dyn Fn() -> Result<Vec<Listener>, ListenError> + Send>;

enum Order {
    /// Listen on what `new` opens, or on what `old` does if that fails, and tell how it went.
    Reopen {
        new: Opener,
        old: Opener,
        outcome: Sender<Result<(), ListenError>>,
    },
    Stop,
}

/// The server's way to the acceptor.
#[derive(Clone)]
pub struct AcceptorHandle(Post<Order>);

impl AcceptorHandle {
    /// From now on accepts on what `new` opens and closes the present sockets (CONFIG SET of `bind` and `port`). If `new` fails,
    /// those that `old` opens stay. Waits for the acceptor, which waits for nobody.
    pub fn reopen(&self, new: Opener, old: Opener) -> Result<(), ListenError> {
        let (outcome, result) = channel();
        let order = Order::Reopen { new, old, outcome };
        let has_ended =
            || ListenError { address: "acceptor".to_string(), cause: io::ErrorKind::BrokenPipe.into() };
        self.0.post(order).map_err(|Full(_)| has_ended())?;
        result.recv().unwrap_or_else(|_| Err(has_ended()))
    }

    /// Closes all listening sockets and ends [`Acceptor::run`].
    pub fn stop(&self) {
        if let Err(Full(_)) = self.0.post(Order::Stop) {
            log::error!("the acceptor takes no more orders");
        }
    }
}

/// One listening socket and whether it may have connections that were not accepted yet.
struct Watched {
    listener: Listener,
    ready: bool,
}

/// What accepting from one socket came to.
enum Accepted {
    Connection(Socket, Option<SocketAddr>),
    Drained,
    Again,
    /// Descriptors or memory have run out.
    Exhausted,
}

/// See the top of the file.
pub struct Acceptor {
    poll: Poll,
    orders: Mailbox<Order>,
    watched: Vec<Watched>,
    workers: Vec<WorkerHandle>,
    next_worker: usize,
    admission: Arc<Admission>,
    exhausted: bool,
}

impl Acceptor {
    /// Accepts on `listeners` for `workers`, of which there is at least one.
    pub fn new(
        listeners: Vec<Listener>,
        workers: Vec<WorkerHandle>,
        admission: Arc<Admission>,
    ) -> io::Result<Acceptor> {
        assert!(!workers.is_empty(), "connections need a worker");
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (orders, _) = mailbox(move || {
            if let Err(error) = waker.wake() {
                log::error!("cannot wake the acceptor: {error}");
            }
        });
        let watched = watch_all(poll.registry(), listeners)?;
        Ok(Acceptor { poll, orders, watched, workers, next_worker: 0, admission, exhausted: false })
    }

    /// For the server, to change or stop it later.
    pub fn handle(&self) -> AcceptorHandle {
        AcceptorHandle(self.orders.post())
    }

    /// Accepts until it is told to stop. An error is one of poll itself.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        loop {
            let may_sleep = self.orders.may_sleep() && !self.watched.iter().any(|watched| watched.ready);
            let timeout = if may_sleep { None } else { Some(Duration::ZERO) };
            let timeout = if self.exhausted { Some(RETRY_AFTER) } else { timeout };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.orders.awake();
            for event in events.iter().filter(|event| event.token() != WAKER) {
                if let Some(watched) = self.watched.get_mut(event.token().0) {
                    watched.ready = true;
                }
            }
            while let Some(order) = self.orders.take() {
                match order {
                    Order::Reopen { new, old, outcome } => {
                        // Nobody waits for the outcome when the server is going down.
                        let _ = outcome.send(self.reopen(&new, &old));
                    }
                    Order::Stop => return Ok(()),
                }
            }
            self.exhausted = false;
            for index in 0..self.watched.len() {
                self.accept_from(index);
            }
        }
    }

    /// Opens the new sockets beside the present ones, so that no client is refused meanwhile. Where they claim the same
    /// address the present ones have to go first.
    fn reopen(&mut self, new: &Opener, old: &Opener) -> Result<(), ListenError> {
        let opened = match new() {
            Err(error) if error.cause.kind() == io::ErrorKind::AddrInUse => {
                self.watched.clear();
                new()
            }
            outcome => outcome,
        };
        let (listeners, outcome) = match opened {
            Ok(listeners) => (listeners, Ok(())),
            Err(error) if self.watched.is_empty() => (old().unwrap_or_default(), Err(error)),
            Err(error) => return Err(error),
        };
        self.watched.clear();
        match watch_all(self.poll.registry(), listeners) {
            Ok(watched) => self.watched = watched,
            Err(cause) => return Err(ListenError { address: "poll".to_string(), cause }),
        }
        outcome
    }

    fn accept_from(&mut self, index: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.watched[index].ready {
                return;
            }
            match accept(&self.watched[index].listener) {
                Accepted::Connection(socket, peer) => self.welcome(socket, peer, index),
                Accepted::Drained => self.watched[index].ready = false,
                Accepted::Again => {}
                Accepted::Exhausted => {
                    self.exhausted = true;
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: Socket, peer: Option<SocketAddr>, index: usize) {
        let ticket = match self.admission.admit(peer) {
            Ok(ticket) => ticket,
            Err(text) => return refuse(socket, text),
        };
        if let Err(error) = socket.prepare(self.admission.keepalive_seconds()) {
            log::debug!("socket options of a new connection: {error}");
        }
        let (address, local_address) = addresses(&socket, peer, &self.watched[index].listener);
        let unix = peer.is_none();
        let mut new = NewConnection { socket, address, local_address, unix, ticket };
        for _ in 0..self.workers.len() {
            let worker = &self.workers[self.next_worker];
            self.next_worker = (self.next_worker + 1) % self.workers.len();
            match worker.serve(new) {
                Ok(()) => return,
                Err(back) => new = back,
            }
        }
        log::error!("no worker takes the connection of {}", new.address);
        refuse(new.socket, "-ERR the server is overloaded\r\n");
    }
}

fn watch_all(registry: &Registry, listeners: Vec<Listener>) -> io::Result<Vec<Watched>> {
    let mut watched = Vec::with_capacity(listeners.len());
    for (index, mut listener) in listeners.into_iter().enumerate() {
        match &mut listener {
            Listener::Tcp(socket) => registry.register(socket, Token(index), Interest::READABLE)?,
            Listener::Unix(socket, _) => registry.register(socket, Token(index), Interest::READABLE)?,
        }
        watched.push(Watched { listener, ready: true });
    }
    Ok(watched)
}

fn accept(listener: &Listener) -> Accepted {
    let accepted: io::Result<(Socket, Option<SocketAddr>)> = match listener {
        Listener::Tcp(listener) => listener.accept().map(|(stream, peer)| (Socket::Tcp(stream), Some(peer))),
        Listener::Unix(listener, _) => listener.accept().map(|(stream, _)| (Socket::Unix(stream), None)),
    };
    match accepted {
        Ok((socket, peer)) => Accepted::Connection(socket, peer),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Drained,
        Err(error) => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                log::warn!("cannot accept connections now: {error}");
                Accepted::Exhausted
            }
            // The connection itself failed before it was accepted; the next one need not.
            Some(_) | None => Accepted::Again,
        },
    }
}

fn addresses(socket: &Socket, peer: Option<SocketAddr>, listener: &Listener) -> (String, String) {
    match (socket, peer, listener) {
        (Socket::Tcp(stream), Some(peer), _) => {
            let local = stream.local_addr().map_or_else(|_| "?:0".to_string(), |address| address.to_string());
            (peer.to_string(), local)
        }
        (_, _, Listener::Unix(_, file)) => {
            let path = format!("{}:0", file.path().display());
            (path.clone(), path)
        }
        (_, _, Listener::Tcp(_)) => ("?:0".to_string(), "?:0".to_string()),
    }
}

/// Sends the reason, if the socket takes it at once, and closes.
fn refuse(mut socket: Socket, text: &str) {
    if let Err(error) = socket.write(text.as_bytes()) {
        log::debug!("a refused client did not learn why: {error}");
    }
}
