//! The event loop of one worker: sockets in, batches to the service, replies out.
//!
//! One turn:
//!
//!     wait a moment (gather.rs), sleep in poll -> events: read, parse, run -> orders and messages -> tick
//!     -> connections that need another turn
//!
//! A worker thread owns it and calls [`EventLoop::run`]. Epoll is edge-triggered: a read shorter than the buffer has drained
//! the socket, a full one puts the connection in the queue for another turn, so that a flood from one client does not starve the
//! others. Requests are parsed where they were read, in one buffer shared by all connections; only leftovers are copied.
//! Always: one read and one write per connection and turn (more writes only for replies beyond [`FLUSH_BYTES`]), and the thread
//! sleeps nowhere but there.

use super::acceptor::NewConnection;
use super::connection::{Connection, State};
use super::gather::Gather;
use super::pool::Pool;
use super::service::{After, CloseReason, ConnectionKey, Detached, PeerInfo, Service, WorkerCounters, add};
use crate::base::clock;
use crate::base::mailbox::{Full, Mailbox, Post, mailbox};
use crate::base::pace::want_exact_timers;
use crate::resp::batch::Batch;
use crate::session::traffic::{ConnectionCounters, REPLY_ROOM};
use mio::event::Event;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The shared read buffer. Larger ones only push batches out of the cache; smaller ones cost more system calls.
pub const READ_BYTES: usize = 128 * 1024;
/// Commands in one batch at most: enough for prefetching, small enough for the quiescent point between batches to come soon.
pub const BATCH_COMMANDS_MAX: usize = 256;
/// A batch that had room for more arguments than this gives it back before the worker sleeps: to get it anew costs less than a
/// hundredth of parsing so many.
const IDLE_ARGS_MAX: usize = 1024;
/// Replies beyond this are written between two batches of one turn, to bound memory.
pub const FLUSH_BYTES: usize = 1024 * 1024;
/// Below this many pending bytes nobody asks for output limits: no sensible one is smaller.
const LIMIT_CHECK_BYTES: usize = 1024;
/// How often idle connections are looked at while there are connections.
const LOOK_EVERY_MS: u64 = 100;
/// Each look sees a fifth of them, so every connection is seen twice a second, and at least this many.
const LOOK_AT_LEAST: usize = 64;
const LOOKS_PER_ROUND: usize = 5;
/// A connection silent for so long gives its buffers back (as Redis).
const RELAX_AFTER_MS: u64 = 2000;
/// A closing connection whose peer reads nothing of its last replies for so long is dropped.
const CLOSING_MS_MAX: u64 = 60_000;
/// Messages handled in one turn before sockets get theirs again.
const MESSAGES_PER_TURN: usize = 4096;
const EVENTS_PER_POLL: usize = 1024;
const WAKER: Token = Token(usize::MAX);

/// What the acceptor and the server tell a worker.
#[derive(Debug)]
pub(super) enum Order {
    Serve(NewConnection),
    Stop,
}

/// The server's and the acceptor's way to a worker.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    orders: Post<Order>,
    counters: Arc<WorkerCounters>,
}

impl WorkerHandle {
    /// The worker writes what it can, closes its connections and returns from [`EventLoop::run`].
    pub fn stop(&self) {
        if let Err(Full(_)) = self.orders.post(Order::Stop) {
            log::error!("a worker takes no more orders and cannot be stopped");
        }
    }

    /// The worker's figures.
    pub fn counters(&self) -> &WorkerCounters {
        &self.counters
    }

    pub(super) fn serve(&self, connection: NewConnection) -> Result<(), NewConnection> {
        self.orders.post(Order::Serve(connection)).map_err(|Full(order)| match order {
            Order::Serve(connection) => connection,
            Order::Stop => unreachable!("what comes back is what was posted"),
        })
    }
}

/// A worker's poll and mailboxes, before it has a service: services need the posts of all workers when they are made.
pub struct Seat<M> {
    poll: Poll,
    orders: Mailbox<Order>,
    messages: Mailbox<M>,
    counters: Arc<WorkerCounters>,
}

impl<M: Send + 'static> Seat<M> {
    /// A seat with empty mailboxes.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let wake = move || {
            if let Err(error) = waker.wake() {
                log::error!("cannot wake a worker: {error}");
            }
        };
        let wake = Arc::new(wake);
        let for_orders = Arc::clone(&wake);
        let (orders, _) = mailbox(move || for_orders());
        let (messages, _) = mailbox(move || wake());
        Ok(Seat { poll, orders, messages, counters: Arc::default() })
    }

    /// Where other threads (and the worker itself) leave messages for the service.
    pub fn post(&self) -> Post<M> {
        self.messages.post()
    }

    /// For the acceptor and the server.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle { orders: self.orders.post(), counters: Arc::clone(&self.counters) }
    }
}

/// One worker. See the top of the file.
pub struct EventLoop<S: Service> {
    seat: Seat<S::Message>,
    service: S,
    pool: Pool<S::Session>,
    batch: Batch,
    read_buf: Vec<u8>,
    /// Monotonic time at the start of the turn.
    now_ms: u64,
    next_look_ms: u64,
    looked_at: Vec<ConnectionKey>,
    gather: Gather,
    stopping: bool,
}

impl<S: Service> EventLoop<S>
where
    S::Message: 'static,
{
    /// A worker that will serve with `service`.
    pub fn new(seat: Seat<S::Message>, service: S) -> Self {
        EventLoop {
            seat,
            service,
            pool: Pool::new(),
            batch: Batch::new(),
            read_buf: vec![0; READ_BYTES],
            now_ms: clock::monotonic_ms(),
            next_look_ms: 0,
            looked_at: Vec::new(),
            gather: Gather::new(clock::monotonic_ns()),
            stopping: false,
        }
    }

    /// Serves until it is told to stop, then gives the service back. An error is one of poll itself.
    pub fn run(mut self) -> io::Result<S> {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        if let Err(error) = want_exact_timers() {
            log::warn!("a worker's timers are not exact: {error}");
        }
        while !self.stopping {
            self.sleep(&mut events)?;
            for event in events.iter().filter(|event| event.token() != WAKER) {
                self.on_event(event);
            }
            self.read_orders();
            self.read_messages();
            self.look_at_some();
            self.service.tick(self.now_ms, &mut self.pool);
            for _ in 0..self.pool.queue_len() {
                self.on_turn();
            }
            add(&self.seat.counters.turns, 1);
        }
        self.close_all();
        Ok(self.service)
    }

    fn sleep(&mut self, events: &mut Events) -> io::Result<()> {
        let may_sleep =
            self.pool.is_queue_empty() & self.seat.orders.may_sleep() & self.seat.messages.may_sleep();
        let timeout = if may_sleep { self.time_to_next() } else { Some(Duration::ZERO) };
        if self.batch.args.capacity() > IDLE_ARGS_MAX {
            self.batch = Batch::new();
        }
        self.service.before_poll();
        if may_sleep && let Some(delay) = self.gather.delay(clock::monotonic_ns()) {
            std::thread::sleep(delay);
        }
        let polled = self.seat.poll.poll(events, timeout);
        self.service.after_poll();
        self.seat.orders.awake();
        self.seat.messages.awake();
        self.now_ms = clock::monotonic_ms();
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn time_to_next(&self) -> Option<Duration> {
        let look = (self.pool.len() > 0).then_some(self.next_look_ms);
        let next = match (look, self.service.next_deadline_ms()) {
            (Some(look), Some(deadline)) => look.min(deadline),
            (one, other) => one.or(other)?,
        };
        Some(Duration::from_millis(next.saturating_sub(clock::monotonic_ms())))
    }

    fn read_orders(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            match self.seat.orders.take() {
                Some(Order::Serve(connection)) => self.adopt(connection),
                Some(Order::Stop) => self.stopping = true,
                None => break,
            }
        }
    }

    fn read_messages(&mut self) {
        let mut appended = 0;
        for _ in 0..MESSAGES_PER_TURN {
            let Some(message) = self.seat.messages.take() else { break };
            appended += self.service.message(message, &mut self.pool);
            // What one message appends for thousands of connections is written before the next one comes.
            if appended > FLUSH_BYTES {
                break;
            }
        }
    }

    /// Handles all messages that wait now. They may be for `connection` itself, so it is in the pool meanwhile. None if it ends
    /// with them.
    #[cold]
    fn read_messages_before(
        &mut self,
        connection: Box<Connection<S::Session>>,
    ) -> Option<Box<Connection<S::Session>>> {
        let key = connection.key;
        self.pool.put(connection);
        for _ in 0..self.seat.messages.len() {
            let Some(message) = self.seat.messages.take() else { break };
            self.service.message(message, &mut self.pool);
        }
        let connection = self.pool.take(key)?;
        if !connection.is_closing() {
            return Some(connection);
        }
        self.settle(connection);
        None
    }

    fn adopt(&mut self, new: NewConnection) {
        let NewConnection { mut socket, address, local_address, unix, ticket } = new;
        let key = self.pool.reserve();
        if let Err(error) = socket.register(self.seat.poll.registry(), key.token(), Interest::READABLE) {
            log::warn!("cannot watch the connection of {address}: {error}");
            self.pool.vacate(key);
            return;
        }
        let counters: Arc<ConnectionCounters> = Arc::default();
        counters.last_active_ms.store(self.now_ms, Ordering::Relaxed);
        let fd = socket.fd();
        let peer = PeerInfo { key, address, local_address, fd, unix, counters: Arc::clone(&counters) };
        let session = self.service.connect(peer);
        self.pool.put(Box::new(Connection::new(key, socket, session, counters, ticket)));
    }

    fn on_event(&mut self, event: &Event) {
        let Some(mut connection) = self.pool.take(ConnectionKey::from_token(event.token())) else { return };
        connection.end_reported |= event.is_read_closed() || event.is_error();
        if event.is_writable() {
            connection.output.full = false;
        }
        if event.is_readable() || connection.end_reported {
            connection.unread = true;
        }
        self.turn(connection);
    }

    fn on_turn(&mut self) {
        if let Some(connection) = self.pool.take_queued() {
            self.turn(connection);
        }
    }

    /// Everything that a connection gets in one turn of the loop.
    fn turn(&mut self, mut connection: Box<Connection<S::Session>>) {
        let mut detach = false;
        if connection.runnable && connection.state == State::Open && connection.doomed.is_none() {
            detach = self.run_kept(&mut connection);
        }
        if connection.unread && !connection.is_closing() && !detach {
            let count = self.read(&mut connection);
            if count > 0 {
                if !self.seat.messages.is_empty() && self.service.hears_others(&connection.session) {
                    match self.read_messages_before(connection) {
                        Some(back) => connection = back,
                        None => return,
                    }
                }
                detach = self.take_in(&mut connection, count);
            }
        }
        if detach { self.hand_over(*connection) } else { self.settle(connection) }
    }

    /// Reads once into the read buffer. Returns how much came.
    fn read(&mut self, connection: &mut Connection<S::Session>) -> usize {
        connection.unread = false;
        match connection.socket.read(&mut self.read_buf) {
            Ok(0) => {
                connection.ended = true;
                0
            }
            Ok(count) => {
                connection.unread = count == self.read_buf.len() || connection.end_reported;
                self.gather.note(&mut connection.read_in);
                add(&self.seat.counters.reads, 1);
                add(&self.seat.counters.input_bytes, count as u64);
                add(&connection.counters.input_bytes, count as u64);
                connection.counters.last_active_ms.store(self.now_ms, Ordering::Relaxed);
                count
            }
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::WouldBlock => {}
                    io::ErrorKind::Interrupted => connection.unread = true,
                    kind => connection.doom(CloseReason::Failed(kind)),
                }
                0
            }
        }
    }

    /// Runs the first `count` bytes of the read buffer, where they are if nothing was left before them.
    fn take_in(&mut self, connection: &mut Connection<S::Session>, count: usize) -> bool {
        if !connection.input.is_empty() || connection.state != State::Open {
            connection.input.append(&self.read_buf[..count], connection.wanted);
            return connection.state == State::Open && self.run_kept(connection);
        }
        let buf = std::mem::take(&mut self.read_buf);
        let (used, detach) = self.run_bytes(connection, &buf[..count]);
        if used < count && !connection.is_closing() {
            connection.input.append(&buf[used..count], connection.wanted);
        }
        self.read_buf = buf;
        detach
    }

    /// Runs what the connection kept. True if the service takes the connection over.
    fn run_kept(&mut self, connection: &mut Connection<S::Session>) -> bool {
        connection.runnable = false;
        let mut input = std::mem::take(&mut connection.input);
        let (used, detach) = self.run_bytes(connection, input.unread());
        if connection.is_closing() {
            input.clear();
        } else {
            input.consume(used);
        }
        connection.input = input;
        detach
    }

    /// Parses and runs `buf` batch by batch. Returns how many bytes are used up, and whether the service takes the connection.
    fn run_bytes(&mut self, connection: &mut Connection<S::Session>, buf: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while used < buf.len() && connection.state == State::Open && connection.doomed.is_none() {
            let rest = &buf[used..];
            self.batch.clear();
            let limits = self.service.parse_limits(&connection.session);
            let progress = connection.parser.parse(rest, &limits, &mut self.batch, BATCH_COMMANDS_MAX);
            connection.wanted = progress.wanted;
            if !self.batch.is_empty() {
                let hard_max = self.service.buffer_limits(&connection.session).output_hard_bytes;
                connection.output.limit(hard_max);
                let after = self.service.run(
                    &mut connection.session,
                    rest,
                    &self.batch,
                    &mut connection.output.reply,
                );
                self.service.between_batches();
                if connection.output.reply.is_beyond_limit() {
                    // Its last reply may have been given up in the middle.
                    connection.doom(CloseReason::OutputBufferLimit);
                }
                match after {
                    After::Continue => {}
                    After::Yield { done } => {
                        connection.runnable = true;
                        return (used + self.rewind(connection, done), false);
                    }
                    After::Blocked { done } => {
                        connection.state = State::Blocked;
                        return (used + self.rewind(connection, done), false);
                    }
                    After::Detach { done } => return (used + self.rewind(connection, done), true),
                    After::Close => connection.finish(CloseReason::Requested),
                    After::CloseNow => connection.doom(CloseReason::Requested),
                }
            }
            used += progress.consumed;
            if let Some(error) = progress.error.filter(|_| !connection.is_closing()) {
                let reply = &mut connection.output.reply;
                self.service.protocol_error(&mut connection.session, error, reply);
                connection.finish(CloseReason::ProtocolError);
            }
            if progress.consumed == 0 {
                break;
            }
            if connection.output.pending() > FLUSH_BYTES {
                self.flush(connection);
            }
        }
        (used, false)
    }

    /// The batch stopped after `done` commands: the parser starts again behind them. Returns the bytes up to there.
    fn rewind(&self, connection: &mut Connection<S::Session>, done: usize) -> usize {
        debug_assert!(done <= self.batch.len());
        connection.parser.restart();
        connection.wanted = 0;
        done.checked_sub(1).and_then(|last| self.batch.commands.get(last)).map_or(0, |command| command.end)
    }

    /// Writes once, unless the socket is known to be full or the replies exceed their limit.
    fn flush(&mut self, connection: &mut Connection<S::Session>) {
        if connection.output.is_empty() {
            return;
        }
        if self.exceeds_output_limit(connection) {
            return connection.doom(CloseReason::OutputBufferLimit);
        }
        if connection.output.full {
            return;
        }
        match connection.output.write(&mut connection.socket) {
            Ok(count) => {
                add(&self.seat.counters.writes, 1);
                add(&self.seat.counters.output_bytes, count as u64);
                add(&connection.counters.output_bytes, count as u64);
                if count > 0 {
                    connection.counters.last_active_ms.store(self.now_ms, Ordering::Relaxed);
                }
            }
            Err(error) => return connection.doom(CloseReason::Failed(error.kind())),
        }
        if connection.output.full != connection.watches_writable {
            self.watch(connection);
        }
        if !connection.output.full {
            connection.output.forgive();
        }
    }

    fn exceeds_output_limit(&mut self, connection: &mut Connection<S::Session>) -> bool {
        connection.output.pending() > LIMIT_CHECK_BYTES && {
            let limits = self.service.buffer_limits(&connection.session);
            connection.output.exceeds(&limits, self.now_ms)
        }
    }

    /// Asks for events of writability, or no longer. Registering anew also reports what is true already.
    #[cold]
    fn watch(&mut self, connection: &mut Connection<S::Session>) {
        let full = connection.output.full;
        let interest = if full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let token = connection.key.token();
        match connection.socket.reregister(self.seat.poll.registry(), token, interest) {
            Ok(()) => connection.watches_writable = full,
            Err(error) => connection.doom(CloseReason::Failed(error.kind())),
        }
    }

    /// The end of a connection's turn: replies leave, limits are checked, and it stays or goes.
    fn settle(&mut self, mut connection: Box<Connection<S::Session>>) {
        if connection.doomed.is_none() {
            self.flush(&mut connection);
        }
        if !connection.input.is_empty() {
            let max = self.service.buffer_limits(&connection.session).query_bytes_max;
            if max > 0 && connection.input.len() > max {
                connection.doom(CloseReason::QueryBufferLimit);
            }
        }
        match connection.fate() {
            Some(reason) => self.close(*connection, reason),
            None => {
                if connection.output.is_loose() && self.service.is_memory_scarce(self.now_ms) {
                    connection.output.tighten();
                }
                connection.publish_sizes();
                self.service.settled(&connection.session);
                self.pool.put(connection);
            }
        }
    }

    #[cold]
    fn close(&mut self, connection: Connection<S::Session>, reason: CloseReason) {
        let Connection { key, mut socket, session, input, output, .. } = connection;
        // First, for the service makes room for others as soon as it knows that this one is gone.
        drop((input, output));
        match reason {
            CloseReason::PeerClosed | CloseReason::Requested | CloseReason::Shutdown => {}
            CloseReason::Failed(kind) => {
                log::debug!("connection failed ({kind}): {}", self.service.describe(&session))
            }
            CloseReason::ProtocolError => {
                log::debug!("closing for a protocol error: {}", self.service.describe(&session))
            }
            CloseReason::Idle => log::debug!("closing idle client: {}", self.service.describe(&session)),
            CloseReason::QueryBufferLimit => {
                log::warn!(
                    "closing client that exceeds client-query-buffer-limit: {}",
                    self.service.describe(&session)
                )
            }
            CloseReason::OutputBufferLimit => {
                log::warn!(
                    "closing client that exceeds its client-output-buffer-limit: {}",
                    self.service.describe(&session)
                )
            }
        }
        if let Err(error) = socket.deregister(self.seat.poll.registry()) {
            log::debug!("epoll had forgotten a connection already: {error}");
        }
        self.pool.vacate(key);
        self.service.disconnect(session, reason);
    }

    #[cold]
    fn hand_over(&mut self, connection: Connection<S::Session>) {
        let Connection { key, mut socket, session, mut input, mut output, ticket, .. } = connection;
        if let Err(error) = socket.deregister(self.seat.poll.registry()) {
            log::warn!("a connection leaves its event loop with an error: {error}");
        }
        self.pool.vacate(key);
        let detached =
            Detached { socket: socket.into_fd(), unparsed: input.take(), unsent: output.take(), ticket };
        self.service.detach(session, detached);
    }

    /// Every tenth of a second: idle connections, soft limits, memory that is no longer needed.
    fn look_at_some(&mut self) {
        if self.now_ms < self.next_look_ms || self.pool.len() == 0 {
            return;
        }
        self.next_look_ms = self.now_ms + LOOK_EVERY_MS;
        let mut keys = std::mem::take(&mut self.looked_at);
        self.pool.look(LOOKS_PER_ROUND, LOOK_AT_LEAST, &mut keys);
        for key in keys.drain(..) {
            if let Some(connection) = self.pool.take(key) {
                self.look_at(connection);
            }
        }
        self.looked_at = keys;
    }

    fn look_at(&mut self, mut connection: Box<Connection<S::Session>>) {
        let last_active = connection.counters.last_active_ms.load(Ordering::Relaxed);
        let silent_ms = self.now_ms.saturating_sub(last_active);
        let is_idle = silent_ms > RELAX_AFTER_MS;
        connection.input.relax(is_idle);
        if REPLY_ROOM.is_over(silent_ms) {
            connection.output.relax();
        }
        let max = match connection.state {
            State::Open => self.service.idle_ms_max(&connection.session),
            State::Blocked => None,
            State::Closing(_) => Some(CLOSING_MS_MAX),
        };
        if max.is_some_and(|max| silent_ms > max) {
            connection.doom(CloseReason::Idle);
        }
        self.settle(connection);
    }

    fn close_all(&mut self) {
        for key in self.pool.keys() {
            if let Some(mut connection) = self.pool.take(key) {
                self.flush(&mut connection);
                self.close(*connection, CloseReason::Shutdown);
            }
        }
    }
}
