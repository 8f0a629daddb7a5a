//! A sender: one thread that serves many replicas.
//!
//! ```text
//!   asleep in epoll, armed at the backlog
//!      | a producer published                       | an order, a socket's event, a chunk of a snapshot
//!      v                                            v
//!   send to all who have room --> patience: 1 ms --> send again ... --> nothing came in the meantime: arm, sleep
//! ```
//!
//! Started by `Primary`; gets its replicas as orders. Always: it takes no lock that a command waits for, and producers
//! wake it only when it sleeps. The patience is measured: with one replica and no pipelining, sending each write at once
//! cost 5.4 us of sender time per SET, gathering for a millisecond 0.5 us.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam::queue::SegQueue;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::backlog::{Backlog, Gone, Offset, Reader, Sleeper};
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::replication::primary::connection::{Connection, Loss, MARK_BYTES, Pumped, Stage};
use crate::replication::primary::follower::FollowerState;
use crate::replication::primary::incoming::Said;
use crate::replication::primary::{Primary, limits};
use crate::resp::batch::Batch;
use crate::snapshot::{SnapshotError, Subscription};

/// How long writes are gathered while there is traffic. Longer: less CPU per write, older data on replicas.
const PATIENCE_MS: u64 = 1;
/// What one replica gets before the others have their turn.
const TURN_BYTES: usize = 1024 * 1024;
/// How often limits and timeouts are looked at while a replica is behind.
const LOOK_EVERY_MS: u64 = 100;
/// How often a replica that waits hears from us.
const NEWLINE_EVERY_MS: u64 = 1000;
/// Acknowledgements are short.
const READ_BYTES: usize = 16 * 1024;
const EVENTS_PER_POLL: usize = 256;
const WAKER: Token = Token(0);

/// What a sender is told.
pub enum Order {
    /// A new replica.
    Adopt(Box<Connection>),
    /// The cut is taken; the snapshot comes in chunks.
    Feed {
        id: u64,
        reply: String,
        mark: [u8; MARK_BYTES],
        subscription: Subscription,
        reader: Reader,
    },
    /// The cut is taken; the snapshot goes to a file first.
    AwaitSpool {
        id: u64,
        reply: String,
        reader: Reader,
    },
    /// The file is complete, or could not be made.
    SendFile {
        id: u64,
        spooled: Result<(Arc<File>, u64), String>,
    },
    /// Ends one replica's connection.
    Close {
        id: u64,
    },
    /// Ends all of them: they shall ask for synchronisation anew.
    CloseAll,
    Stop,
}

/// A sender's letter box. Any thread posts.
pub struct Inbox {
    orders: SegQueue<Order>,
    waker: Waker,
}

impl Inbox {
    pub fn post(&self, order: Order) {
        self.orders.push(order);
        self.wake();
    }

    /// Makes the sender look at everything.
    pub fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake a sender of the replication stream: {error}");
        }
    }
}

/// The thread's state.
pub struct Sender {
    poll: Poll,
    inbox: Arc<Inbox>,
    primary: Arc<Primary>,
    connections: HashMap<u64, Connection>,
    /// Where it sleeps, and at which log.
    bed: Option<(Arc<Backlog>, Sleeper)>,
    /// Monotonic ms before which the stream is left to gather.
    gather_until: u64,
    /// Monotonic ms of the next look at limits, and of the next newline.
    next_look: u64,
    next_newline: u64,
    buffer: Vec<u8>,
    batch: Batch,
}

/// What one round over the connections has found.
#[derive(Default)]
struct Round {
    /// Somebody has room and there is more.
    more: bool,
    /// Stream bytes went out.
    streamed: bool,
    /// Somebody streams and has everything.
    listening: bool,
    /// Somebody has not got everything.
    behind: bool,
}

impl Sender {
    pub fn new(primary: Arc<Primary>) -> io::Result<(Sender, Arc<Inbox>)> {
        let poll = Poll::new()?;
        let inbox = Arc::new(Inbox { orders: SegQueue::new(), waker: Waker::new(poll.registry(), WAKER)? });
        let sender = Sender {
            poll,
            inbox: inbox.clone(),
            primary,
            connections: HashMap::new(),
            bed: None,
            gather_until: 0,
            next_look: 0,
            next_newline: 0,
            buffer: vec![0; READ_BYTES],
            batch: Batch::new(),
        };
        Ok((sender, inbox))
    }

    /// Serves until it is told to stop.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        let mut timeout = None;
        loop {
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::error!("a sender of the replication stream cannot wait for events: {error}");
                    return;
                }
            }
            if !self.take_orders() {
                self.send_what_is_left();
                return;
            }
            let now = UnixMs(clock::now_ms());
            for event in &events {
                self.on_event(event, now);
            }
            timeout = self.turn(now);
        }
    }

    /// The last words before the server ends, as far as the sockets take them at once.
    fn send_what_is_left(&mut self) {
        let now = UnixMs(clock::now_ms());
        while self.round(true, now).more {}
    }

    /// False when it is to stop.
    fn take_orders(&mut self) -> bool {
        while let Some(order) = self.inbox.orders.pop() {
            match order {
                Order::Adopt(connection) => self.adopt(*connection),
                Order::Feed { id, reply, mark, subscription, reader } => {
                    if let Some(connection) = self.connections.get_mut(&id) {
                        connection.feed(&reply, subscription, mark, reader);
                    }
                }
                Order::AwaitSpool { id, reply, reader } => {
                    if let Some(connection) = self.connections.get_mut(&id) {
                        connection.await_spool(&reply, reader);
                    }
                }
                Order::SendFile { id, spooled } => match spooled {
                    Ok((file, len)) => {
                        if let Some(connection) = self.connections.get_mut(&id) {
                            connection.send_file(file, len);
                        }
                    }
                    Err(reason) => {
                        log::warn!("SYNC failed. BGSAVE child returned an error: {reason}");
                        self.close(id, None);
                    }
                },
                Order::Close { id } => self.close(id, None),
                Order::CloseAll => {
                    let all: Vec<u64> = self.connections.keys().copied().collect();
                    all.into_iter().for_each(|id| self.close(id, None));
                }
                Order::Stop => return false,
            }
        }
        true
    }

    fn adopt(&mut self, connection: Connection) {
        let id = connection.follower.id();
        let fd = connection.socket.as_raw_fd();
        let token = Token(id as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut SourceFd(&fd), token, interest);
        self.connections.insert(id, connection);
        if let Err(error) = registered {
            self.close(id, Some(Loss::Io(error)));
        }
    }

    fn on_event(&mut self, event: &mio::event::Event, now: UnixMs) {
        let id = event.token().0 as u64;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if event.is_writable() {
            connection.is_full = false;
        }
        if (event.is_readable() || event.is_read_closed() || event.is_error())
            && let Err(loss) = self.listen(id, now)
        {
            self.close(id, Some(loss));
        }
    }

    /// Reads all that the replica has sent.
    fn listen(&mut self, id: u64, now: UnixMs) -> Result<(), Loss> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let mut heard = Vec::new();
        while let Some(bytes) = connection.read(&mut self.buffer)? {
            connection.follower.client.last_request.store(now.0, Relaxed);
            if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                connection.follower.hear(now);
            }
            let result = connection.incoming.take(bytes, &mut self.batch, |said| heard.push(said));
            if let Err(error) = result {
                log::warn!("Protocol error from replica {}: {error}", connection.follower.name());
                return Err(Loss::Done);
            }
        }
        let mut acknowledged = false;
        for said in heard {
            match said {
                Said::Acknowledged { offset, aof } => {
                    connection.follower.acknowledge(offset, aof, now);
                    connection.release();
                    acknowledged = true;
                }
                Said::Nothing => {}
                Said::NeedsReply(command) => {
                    let name = connection.follower.name();
                    log::warn!("Replica generated a reply to command '{command}', disconnecting it: {name}");
                    return Err(Loss::Done);
                }
                Said::Quit => return Err(Loss::Closed),
            }
        }
        if acknowledged {
            self.primary.waits.on_acknowledged(&self.primary.followers);
        }
        Ok(())
    }

    /// Sends, looks after everybody, and says how long there is nothing to do.
    fn turn(&mut self, now: UnixMs) -> Option<Duration> {
        let clock = clock::monotonic_ms();
        if clock >= self.next_newline {
            self.next_newline = clock + NEWLINE_EVERY_MS;
            self.connections.values_mut().for_each(Connection::keep_patient);
        }
        if clock >= self.next_look {
            self.next_look = clock + LOOK_EVERY_MS;
            self.look(now);
        }
        let may_stream = clock >= self.gather_until;
        let seen = self.published();
        let round = self.round(may_stream, now);
        if round.more {
            return Some(Duration::ZERO);
        }
        if self.connections.is_empty() {
            self.bed = None;
            return None;
        }
        if round.streamed {
            self.gather_until = clock + PATIENCE_MS;
        }
        let rest = if clock < self.gather_until {
            self.gather_until - clock
        } else if round.listening && !self.may_sleep(seen) {
            PATIENCE_MS
        } else if round.behind {
            LOOK_EVERY_MS
        } else {
            self.next_newline.saturating_sub(clock).max(1)
        };
        Some(Duration::from_millis(rest))
    }

    /// One pass over all connections.
    fn round(&mut self, may_stream: bool, now: UnixMs) -> Round {
        let mut round = Round::default();
        let mut lost = Vec::new();
        for (id, connection) in &mut self.connections {
            let streams = matches!(connection.stage, Stage::Streaming);
            if connection.is_full {
                round.behind = true;
                continue;
            }
            if streams && !may_stream {
                continue;
            }
            let before = connection.bytes_sent;
            let pumped = connection.pump(TURN_BYTES, now);
            let sent = connection.bytes_sent - before;
            self.primary.counters.bytes_sent.fetch_add(sent, Relaxed);
            round.streamed |= streams && sent > 0;
            match pumped {
                Ok(Pumped::More) => round.more = true,
                Ok(Pumped::Full) => round.behind = true,
                Ok(Pumped::Idle) => {
                    round.listening |= streams;
                    round.behind |= !streams;
                }
                Err(loss) => lost.push((*id, loss)),
            }
            if put_online(connection, now) {
                self.primary.count_good(self.primary.engine.config.load().min_replicas_max_lag, now);
            }
        }
        lost.into_iter().for_each(|(id, loss)| self.close(id, Some(loss)));
        round
    }

    /// The end of what can be read now.
    fn published(&mut self) -> Option<Offset> {
        self.primary.engine.backlog().map(|backlog| backlog.published())
    }

    /// Everybody who listens has everything up to `seen`: arms the wake-up, unless more has come.
    fn may_sleep(&mut self, seen: Option<Offset>) -> bool {
        let (Some(seen), Some(backlog)) = (seen, self.primary.engine.backlog()) else { return true };
        let is_made = self.bed.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &backlog));
        if !is_made {
            let inbox = self.inbox.clone();
            self.bed = backlog.sleeper(move || inbox.wake()).map(|sleeper| (backlog, sleeper));
        }
        // Without a bed there are more sleepers than the log knows: look again after the patience.
        self.bed.as_ref().is_some_and(|(_, sleeper)| sleeper.arm(seen))
    }

    /// Limits and timeouts.
    fn look(&mut self, now: UnixMs) {
        let config = self.primary.engine.config.load().clone();
        let limit = &config.client_output_buffer_limit.replica;
        let timeout = i64::try_from(config.repl_timeout).unwrap_or(i64::MAX).saturating_mul(1000);
        let mut lost = Vec::new();
        for (id, connection) in &mut self.connections {
            let follower = &connection.follower;
            let name = follower.name();
            let unsent = connection.unsent_bytes();
            follower.unsent_bytes.store(unsent, Relaxed);
            follower.client.traffic.pending_bytes.store(unsent, Relaxed);
            let backlog_size = config.repl_backlog_size;
            if limits::is_overstepped(unsent, limit, backlog_size, &mut connection.soft_since, now) {
                log::warn!(
                    "Client id={id} addr={} (replica {name}) scheduled to be closed ASAP for overcoming of output \
                     buffer limits.",
                    follower.client.addr
                );
                lost.push(*id);
            } else if follower.state() == FollowerState::Online
                && !follower.is_old_protocol
                && i64::try_from(follower.lag_seconds(now)).unwrap_or(i64::MAX).saturating_mul(1000) > timeout
            {
                log::warn!("Disconnecting timedout replica (streaming sync): {name}");
                lost.push(*id);
            } else if connection.is_full
                && connection.stage.is_bulk()
                && now.0.saturating_sub(connection.last_write.0) > timeout
            {
                log::warn!("Disconnecting timedout replica (full sync): {name}");
                lost.push(*id);
            }
        }
        lost.into_iter().for_each(|id| self.close(id, None));
    }

    /// Ends a connection; without a loss the reason has been told already.
    fn close(&mut self, id: u64, loss: Option<Loss>) {
        let Some(connection) = self.connections.remove(&id) else { return };
        let name = connection.follower.name();
        match loss {
            None => {}
            Some(Loss::Closed) => log::info!("Connection with replica {name} lost."),
            Some(Loss::Io(error)) => log::info!("Connection with replica {name} lost: {error}"),
            Some(Loss::Gone(Gone::Parted)) => {
                log::info!("Replica {name} has to learn the new name of the history.")
            }
            Some(Loss::Gone(reason)) => log::warn!("Disconnecting replica {name}: {reason}"),
            Some(Loss::Snapshot(SnapshotError::TooSlow)) => log::warn!(
                "Client id={id} addr={} (replica {name}) scheduled to be closed ASAP for overcoming of output buffer \
                 limits.",
                connection.follower.client.addr
            ),
            Some(Loss::Snapshot(error)) => log::warn!("Full sync of replica {name} failed: {error}"),
            Some(Loss::Spool(error)) => log::warn!("Read error sending DB to replica {name}: {error}"),
            Some(Loss::Done) => {}
        }
        let fd = connection.socket.as_raw_fd();
        if let Err(error) = self.poll.registry().deregister(&mut SourceFd(&fd)) {
            log::debug!("a replica's socket was not registered: {error}");
        }
        self.primary.forget(&connection.follower);
    }
}

/// The snapshot is out: everybody may know that the replica counts. True if that is new.
fn put_online(connection: &Connection, now: UnixMs) -> bool {
    let follower = &connection.follower;
    match connection.stage {
        Stage::Holding | Stage::Streaming => {}
        Stage::Finishing if follower.state() == FollowerState::Loading => {
            let name = follower.name();
            log::info!("RDB transfer completed, rdb only replica ({name}) should be disconnected asap");
            return false;
        }
        Stage::Waiting | Stage::Spooling | Stage::Feeding(_) | Stage::File(_) | Stage::Finishing => {
            return false;
        }
    }
    let is_new = follower.state() != FollowerState::Online;
    if is_new {
        follower.set_online(now);
        log::info!("Synchronization with replica {} succeeded", follower.name());
    }
    is_new
}
