//! A worker's service: gives the bytes that the event loop reads a meaning, by way of its executor.
//!
//! ```text
//!  event loop (net) -- batch --> Worker::run -- windows --> Executor::request -> replies
//!  other threads    -- Message (mailbox) --> kill, unblock
//! ```
//!
//! One per worker thread. Always: all sessions here belong to this thread; other threads reach them by message only.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::commands::spec::table::{CommandId, table};
use crate::commands::spec::{Answer, Args, Next};
use crate::exec::executor::{Executor, Resolved};
use crate::exec::held::AllHeld;
use crate::exec::lane::Window;
use crate::exec::prefetch::WINDOW;
use crate::exec::stats::Count;
use crate::exec::transaction;
use crate::net::service::{
    After, BufferLimits, CloseReason, ConnectionKey, Detached, PeerInfo, Peers, Service,
};
use crate::pubsub::Delivery;
use crate::pubsub::tracking::Invalidation;
use crate::resp::batch::Batch;
use crate::resp::limits::{Limits, ProtocolError};
use crate::resp::reply::Reply;
use crate::server::blocked::BlockedClients;
use crate::server::client_memory::limit_bytes;
use crate::server::shared::Shared;
use crate::session::Session;
use crate::session::client::{Client, REDIRECT_BROKEN};

/// How long an idle worker sleeps at the most. Its view holds on to the databases that were current when it fell asleep: without
/// this their memory would stay after a FLUSHALL for as long as nobody speaks to this worker.
const IDLE_MS_MAX: u64 = 1000;

/// With `maxmemory-clients`, the replies of one turn end it beyond this part of that limit. A larger part makes what many clients
/// ask for at the same time go further beyond it.
const TURN_SHARE: u64 = 32;

/// How often a worker looks whether publishers may go on.
const THROTTLED_LOOK_MS: u64 = 1;

/// What other threads ask of a worker.
#[derive(Debug)]
pub enum Message {
    /// CLIENT KILL: closes the client, after its replies.
    Kill { client: u64 },
    /// All clients together hold too much: closes this one at once.
    Evict { client: u64 },
    /// A blocked client's command is answered: `reply` are encoded values.
    Unblock { client: u64, reply: Vec<u8> },
    /// A client's wait for keys has ended.
    Answer { client: u64, answer: Answer },
    /// A message for subscribers.
    Deliver(Delivery),
    /// Keys that a client must not trust any more.
    Invalidate(Invalidation),
    /// The client that this one redirects its invalidations to is gone.
    RedirectBroken { client: u64, target: u64 },
    /// Something has changed that a sleeping worker would miss (CLIENT UNPAUSE).
    Look,
}

/// One worker.
pub struct Worker {
    index: usize,
    shared: Arc<Shared>,
    executor: Executor,
    connections: HashMap<u64, ConnectionKey>,
    /// Those of them that wait for keys.
    blocked: BlockedClients,
    resolved: Vec<Resolved>,
    /// The commands that have run since the clock was read, with their places in the batch.
    ran: Vec<(CommandId, usize)>,
    /// Those whose next command waits for the end of a pause, or for keys that are held.
    postponed: Vec<u64>,
    /// What was held when the last of them was told to wait.
    postponed_by: Option<Arc<AllHeld>>,
    /// Those that publish faster than subscribers are served: they go on when the mailboxes are emptier.
    throttled: Vec<u64>,
    /// `maxmemory-clients` in bytes, as it was when this worker last looked.
    client_memory_max: u64,
    /// Length of the replies that were waiting when the present batch began.
    replies_before: usize,
    /// Scratch: the clients that a message goes to.
    receivers: Vec<u64>,
}

impl Worker {
    pub fn new(index: usize, shared: Arc<Shared>) -> Worker {
        let executor = Executor::new(shared.engine.clone());
        Worker {
            index,
            shared,
            executor,
            connections: HashMap::new(),
            blocked: BlockedClients::default(),
            resolved: Vec::with_capacity(WINDOW),
            ran: Vec::with_capacity(WINDOW),
            postponed: Vec::new(),
            postponed_by: None,
            throttled: Vec::new(),
            client_memory_max: 0,
            replies_before: 0,
            receivers: Vec::new(),
        }
    }

    /// Runs commands `from..to` of the batch.
    #[inline]
    fn window(
        &mut self,
        session: &mut Session,
        buf: &[u8],
        batch: &Batch,
        (from, to): (usize, usize),
        out: &mut Reply,
    ) -> Option<After> {
        let requests = (from..to).map(|index| Args::parsed(batch.request(buf, index)));
        self.executor.resolve_window(session.db, requests, &mut self.resolved);
        let mut started = clock::monotonic_ns();
        let mut after = None;
        let mut index = from;
        while index < to {
            let window = Window { buf, batch, first: index, resolved: &self.resolved[index - from..] };
            let done = self.executor.lane(session, window, out, &mut self.ran);
            index += done;
            if done > 0 && self.executor.has_congested() {
                after = self.leave(session, Next::Continue, index - 1, started);
                break;
            }
            if index == to {
                break;
            }
            let args = Args::parsed(batch.request(buf, index));
            let resolved = self.resolved[index - from];
            let is_alone = self.executor.is_timed_alone(resolved.command);
            if is_alone && !self.ran.is_empty() {
                started = self.account(session, buf, batch, started);
            }
            let next = self.executor.request(session, args, resolved, out);
            self.ran.extend(self.executor.ran().map(|command| (command, index)));
            if is_alone && next != Next::Block {
                started = self.account(session, buf, batch, started);
            }
            if next != Next::Continue || self.executor.has_congested() {
                after = self.leave(session, next, index, started);
                break;
            }
            index += 1;
            if self.has_grown(out) {
                after = Some(After::Yield { done: index });
                break;
            }
        }
        self.account(session, buf, batch, started);
        after
    }

    /// Have the replies of this turn become a good part of what all clients together may hold? Its turn ends then, and with that
    /// it is seen how much it holds: keys are not to go for the sake of a client that has to.
    #[inline]
    fn has_grown(&self, out: &Reply) -> bool {
        self.client_memory_max > 0
            && out.len().saturating_sub(self.replies_before) as u64 > self.client_memory_max / TURN_SHARE
    }

    /// What becomes of the connection after command number `index`, if it does not go on.
    #[cold]
    fn leave(&mut self, session: &Session, next: Next, index: usize, started: u64) -> Option<After> {
        let done = index + 1;
        match next {
            Next::Continue => {
                self.executor.forget_congestion();
                self.throttled.push(session.client.id);
                Some(After::Blocked { done })
            }
            Next::Close => Some(After::Close),
            Next::Block => {
                self.blocked.extend(self.executor.take_waiter());
                self.count_waiting(session, started);
                Some(After::Blocked { done })
            }
            Next::Postpone => {
                self.postponed.push(session.client.id);
                self.postponed_by = self.executor.view().held.clone();
                session.client.is_blocked.store(true, Relaxed);
                // It is not done.
                Some(After::Blocked { done: index })
            }
            Next::BecomeReplica => Some(After::Detach { done }),
        }
    }

    /// Spreads the time since `started` over the commands that have run in it. Returns the present time.
    #[inline]
    fn account(&mut self, session: &Session, buf: &[u8], batch: &Batch, started: u64) -> u64 {
        let now = clock::monotonic_ns();
        let Some((last, _)) = self.ran.last() else { return now };
        session.client.last_command.store(last.0, Relaxed);
        let nanos = now - started;
        if self.executor.is_slow(nanos) {
            self.note_slow(session, buf, batch, nanos);
        }
        let each = nanos / self.ran.len() as u64;
        let tracks = self.executor.view().thresholds.tracks;
        for run in self.ran.chunk_by(|one, other| one.0 == other.0) {
            self.executor.counters.called_often(run[0].0, each, run.len() as u64, tracks);
        }
        self.ran.clear();
        now
    }

    /// Several commands have taken long together: the longest request is blamed.
    #[cold]
    fn note_slow(&self, session: &Session, buf: &[u8], batch: &Batch, nanos: u64) {
        let longest = self.ran.iter().max_by_key(|(_, index)| batch.request(buf, *index).raw.len());
        let Some((command, index)) = longest else { return };
        let args = Args::parsed(batch.request(buf, *index));
        self.executor.note_slow(&session.client, table().get(*command), &args, nanos);
    }

    /// The command that has begun to wait is counted now; whether it was slow shows when it has been served.
    fn count_waiting(&mut self, session: &Session, started: u64) {
        if let Some((command, _)) = self.ran.pop() {
            session.client.last_command.store(command.0, Relaxed);
            let (nanos, tracks) = (clock::monotonic_ns() - started, self.executor.view().thresholds.tracks);
            self.executor.counters.called(command, nanos, tracks);
        }
    }
}

impl Worker {
    /// A client's wait for keys has ended.
    fn answer(&mut self, client: u64, answer: &Answer, peers: &mut dyn Peers<Session>) {
        self.blocked.remove(client);
        let Some(key) = self.connections.get(&client) else { return };
        if let Some((session, out)) = peers.get(*key) {
            session.client.is_blocked.store(false, Relaxed);
            session.last_write_offset = answer.written.unwrap_or(session.last_write_offset);
            out.raw(&answer.reply);
            if answer.reply.first() == Some(&b'-') {
                self.count_refusal(client, &answer.reply);
            }
        }
        if answer.closes {
            peers.close(*key, false);
        } else {
            peers.resume(*key);
        }
    }

    /// A client's wait has ended in an error.
    #[cold]
    fn count_refusal(&self, client: u64, reply: &[u8]) {
        let text = String::from_utf8_lossy(&reply[1..]);
        self.executor.counters.error(text.lines().next().unwrap_or("ERR"));
        if let Some(client) = self.shared.engine.roster.get(client) {
            self.executor.counters.failed(CommandId(client.last_command.load(Relaxed)));
        }
    }

    /// A session leaves: nothing of the server refers to it any more.
    fn forget(&mut self, session: &mut Session) {
        let engine = &self.shared.engine;
        transaction::unwatch(&engine.watches, session);
        session.unsubscribe_all(&engine.pubsub);
        session.unmonitor(&engine.pubsub);
        if session.tracking.is_some() {
            session.track(&engine.tracking, None);
        }
        self.shared.client_memory.forget(&session.client, clock::monotonic_ns);
        self.connections.remove(&session.client.id);
        if let Some(waiter) = self.blocked.remove(session.client.id) {
            engine.blocked.cancel(&waiter);
        }
    }

    /// Lets clients go on that were paused, if the pause is over or other keys are held. Their commands are judged anew.
    fn resume_postponed(&mut self, peers: &mut dyn Peers<Session>) {
        self.executor.catch_up();
        let view = self.executor.view();
        let is_held_as_before = match (&view.held, &self.postponed_by) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (Some(_) | None, _) => false,
        };
        if is_held_as_before || view.is_paused(UnixMs(clock::now_ms())) {
            return;
        }
        let clients = std::mem::take(&mut self.postponed);
        self.resume_all(clients, peers);
    }

    fn resume_all(&self, clients: Vec<u64>, peers: &mut dyn Peers<Session>) {
        for client in clients {
            let Some(key) = self.connections.get(&client) else { continue };
            if let Some((session, _)) = peers.get(*key) {
                session.client.is_blocked.store(false, Relaxed);
            }
            peers.resume(*key);
        }
    }

    /// Tells a client, or the one that it redirects to, of keys that have changed.
    fn invalidate(&mut self, invalidation: &Invalidation, peers: &mut dyn Peers<Session>) {
        let key = self.connections.get(&invalidation.to);
        match key.and_then(|key| peers.get(*key)) {
            Some((session, out)) => invalidation.write(out, session.subscriptions.is_some()),
            None => {
                if let Some(owner) = invalidation.owner {
                    self.shared.break_redirect(owner, invalidation.to);
                }
            }
        }
    }

    /// Tells a client of ours that nobody hears its invalidations.
    fn redirect_broken(&mut self, client: u64, target: u64, peers: &mut dyn Peers<Session>) {
        let Some(key) = self.connections.get(&client) else { return };
        let Some((session, out)) = peers.get(*key) else { return };
        session.client.tracking.fetch_or(REDIRECT_BROKEN, Relaxed);
        if out.resp3() {
            let was_suppressed = out.suppressed();
            out.set_suppressed(false);
            out.push(2);
            out.bulk(b"tracking-redir-broken");
            out.int(target as i64);
            out.set_suppressed(was_suppressed);
        }
    }

    /// Hands a message to those of our clients that it is for. Returns the bytes that this came to.
    fn deliver(&mut self, delivery: &Delivery, peers: &mut dyn Peers<Session>) -> usize {
        let mut bytes = 0;
        for part in &delivery.parts {
            self.receivers.clear();
            part.audience.collect(delivery.sequence, &mut self.receivers);
            for client in self.receivers.iter().filter(|client| **client != delivery.except) {
                let Some(key) = self.connections.get(client) else { continue };
                if let Some((_, out)) = peers.get(*key) {
                    out.pushed(&part.bytes);
                    bytes += part.bytes.len();
                }
            }
        }
        bytes
    }
}

impl Service for Worker {
    type Session = Session;
    type Message = Message;

    fn connect(&mut self, peer: PeerInfo) -> Session {
        let engine = &self.shared.engine;
        let id = engine.roster.next_id();
        let client = Arc::new(Client::new(
            id,
            peer.address,
            peer.local_address,
            peer.fd,
            self.index,
            peer.unix,
            self.executor.now(),
            peer.counters,
        ));
        engine.roster.add(client.clone());
        self.connections.insert(id, peer.key);
        self.executor.counters.add(Count::ConnectionsAccepted, 1);
        Session::new(client, self.executor.view().config.requirepass.is_none())
    }

    fn disconnect(&mut self, mut session: Session, reason: CloseReason) {
        match reason {
            CloseReason::QueryBufferLimit => self.executor.counters.add(Count::QueryLimitDisconnects, 1),
            CloseReason::OutputBufferLimit => self.executor.counters.add(Count::OutputLimitDisconnects, 1),
            CloseReason::PeerClosed
            | CloseReason::Failed(_)
            | CloseReason::Requested
            | CloseReason::ProtocolError
            | CloseReason::Idle
            | CloseReason::Shutdown => {}
        }
        self.forget(&mut session);
        self.shared.engine.roster.remove(session.client.id);
        self.shared.forget_waiter(session.client.id);
    }

    fn detach(&mut self, mut session: Session, connection: Detached) {
        self.forget(&mut session);
        self.shared.adopt_replica(session, connection);
    }

    fn parse_limits(&self, session: &Session) -> Limits {
        let config = &self.executor.view().config;
        Limits {
            max_bulk: config.proto_max_bulk_len as u64,
            authenticated: session.authenticated,
            ..Limits::default()
        }
    }

    fn run(&mut self, session: &mut Session, buf: &[u8], batch: &Batch, out: &mut Reply) -> After {
        if self.executor.view().is_stopping {
            return After::CloseNow;
        }
        let now = self.executor.tick();
        session.client.last_request.store(now.0, Relaxed);
        // What is being worked on lies in the worker's buffer; it is shown as this client's until the end of its turn.
        session.client.traffic.query_bytes.store(buf.len() as u64, Relaxed);
        self.executor.begin_batch();
        self.executor.begin_client(&session.client);
        self.replies_before = out.len();
        let mut after = After::Continue;
        let mut from = 0;
        while from < batch.len() {
            let to = (from + WINDOW).min(batch.len());
            if let Some(other) = self.window(session, buf, batch, (from, to), out) {
                after = other;
                break;
            }
            from = to;
        }
        self.executor.end_batch();
        after
    }

    fn hears_others(&self, session: &Session) -> bool {
        session.subscriptions.is_some() || session.tracking.is_some() || session.is_monitor
    }

    fn protocol_error(&mut self, session: &mut Session, error: ProtocolError, out: &mut Reply) {
        log::debug!("Protocol error ({error:?}) from client: {}", self.describe(session));
        self.executor.counters.error("ERR");
        out.error_bytes(&error.reply());
    }

    fn message(&mut self, message: Message, peers: &mut dyn Peers<Session>) -> usize {
        match message {
            Message::Kill { client } => {
                if let Some(key) = self.connections.get(&client) {
                    peers.close(*key, false);
                }
            }
            Message::Evict { client } => {
                if self.connections.get(&client).is_some_and(|key| peers.close(*key, true)) {
                    self.executor.counters.add(Count::EvictedClients, 1);
                }
            }
            Message::Unblock { client, reply } => {
                let Some(key) = self.connections.get(&client) else { return 0 };
                if let Some((session, out)) = peers.get(*key) {
                    session.client.is_blocked.store(false, Relaxed);
                    out.raw(&reply);
                }
                peers.resume(*key);
            }
            Message::Answer { client, answer } => self.answer(client, &answer, peers),
            Message::Deliver(delivery) => return self.deliver(&delivery, peers),
            Message::Invalidate(invalidation) => self.invalidate(&invalidation, peers),
            Message::RedirectBroken { client, target } => self.redirect_broken(client, target, peers),
            Message::Look => {}
        }
        0
    }

    fn tick(&mut self, _now_ms: u64, peers: &mut dyn Peers<Session>) {
        if !self.postponed.is_empty() {
            self.resume_postponed(peers);
        }
        if !self.throttled.is_empty() && !self.shared.engine.pubsub.is_congested() {
            let clients = std::mem::take(&mut self.throttled);
            self.resume_all(clients, peers);
        }
        if self.blocked.next_deadline().is_none() {
            return;
        }
        for waiter in self.blocked.due(UnixMs(clock::now_ms())) {
            // If its wait has ended otherwise by now, the answer is on its way.
            if self.shared.engine.blocked.cancel(&waiter) {
                self.answer(waiter.client.id, &waiter.timed_out(), peers);
            }
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        let longest = if self.throttled.is_empty() { IDLE_MS_MAX } else { THROTTLED_LOOK_MS };
        let idle = clock::monotonic_ms() + longest;
        let pause = self.executor.view().pause.filter(|_| !self.postponed.is_empty());
        let deadline =
            [self.blocked.next_deadline(), pause.map(|pause| pause.until)].into_iter().flatten().min();
        let Some(deadline) = deadline else { return Some(idle) };
        let left = (deadline.0 - clock::now_ms()).max(0) as u64;
        Some(idle.min(clock::monotonic_ms() + left))
    }

    #[inline]
    fn between_batches(&mut self) {
        self.executor.checkpoint();
    }

    fn before_poll(&mut self) {
        self.executor.park();
    }

    fn after_poll(&mut self) {
        self.executor.unpark();
        self.executor.tick();
        let limit = limit_bytes(&self.executor.view().config);
        if limit != self.client_memory_max {
            self.client_memory_max = limit;
            self.shared.evict_clients(limit);
        }
    }

    #[inline]
    fn settled(&mut self, session: &Session) {
        let total = self.shared.client_memory.account(&session.client);
        if self.client_memory_max > 0 && total.is_some_and(|total| total > self.client_memory_max) {
            self.shared.evict_clients(self.client_memory_max);
        }
    }

    fn is_memory_scarce(&self, now_ms: u64) -> bool {
        self.executor.view().config.maxmemory != 0 && self.shared.engine.pressure.is_scarce(now_ms)
    }

    fn buffer_limits(&self, session: &Session) -> BufferLimits {
        let config = &self.executor.view().config;
        let limits = &config.client_output_buffer_limit;
        let limit = if session.subscriptions.is_some() { limits.pubsub } else { limits.normal };
        BufferLimits {
            query_bytes_max: config.client_query_buffer_limit,
            output_hard_bytes: limit.hard_bytes as usize,
            output_soft_bytes: limit.soft_bytes as usize,
            output_soft_seconds: limit.soft_seconds,
        }
    }

    fn idle_ms_max(&self, _session: &Session) -> Option<u64> {
        let seconds = self.executor.view().config.timeout;
        (seconds > 0).then_some(seconds * 1000)
    }

    fn describe(&self, session: &Session) -> String {
        let client = &session.client;
        format!("id={} addr={} laddr={} fd={}", client.id, client.addr, client.laddr, client.fd)
    }
}
