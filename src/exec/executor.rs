//! The executor: runs commands, one batch after another, for one thread.
//!
//! ```text
//!  request -> resolve (row, hash) -> gates -> lock -> handler -> commit to the backlog -> unlock -> reply
//! ```
//!
//! Each worker owns one; so do the link (which applies what a primary sends) and active expiry. Everything around a
//! handler happens here, once: look-up, arity, authentication, role, locks, lazy expiry, WATCH, statistics, commit.
//! Always: a write's effect is reserved in the backlog under the same locks under which it changed its keys.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::backlog::Writer;
use crate::base::clock;
use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::Rng;
use crate::commands::hash::expire::{DUE_FIELDS_MAX, take_due_fields};
use crate::commands::spec::table::{Command, CommandId};
use crate::commands::spec::{
    Args, Blocking, Control, Ctx, Effect, Failure, Flags, KeyHandler, Keys, Next, Run, keys,
};
use crate::exec::barrier::Participant;
use crate::exec::blocked::Waiter;
use crate::exec::commit::Stream;
use crate::exec::engine::{Engine, View};
use crate::exec::eviction::{self, Eviction, Room};
use crate::exec::gates;
use crate::exec::monitor;
use crate::exec::stats::{Count, Counters};
use crate::exec::transaction;
use crate::keyspace::eviction::Lfu;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, ShardRef, Space, Surroundings, access_clock};
use crate::pubsub::tracking::Tracker;
use crate::pubsub::{Kind, Publisher};
use crate::resp::reply::Reply;
use crate::session::client::Client;
use crate::session::{Queued, ReplyMode, Session};

/// Runs commands for one thread.
pub struct Executor {
    pub(super) engine: Arc<Engine>,
    pub(super) view: View,
    pub(super) participant: Participant,
    pub(super) stream: Stream,
    pub(super) rng: Rng,
    pub(super) eviction: Eviction,
    pub(super) publisher: Publisher,
    pub counters: Arc<Counters>,
    pub(super) now: UnixMs,
    /// Does it apply what our primary sends? Only then does it append to a replica's stream: what clients write to a
    /// writable replica stays there.
    pub(super) is_link: bool,
    /// The wait that the last request has begun, for the worker to take.
    pub(super) waiter: Option<Arc<Waiter>>,
    /// The command that ran last, for statistics; none if the request was refused or queued.
    ran: Option<CommandId>,
}

/// A request with what the prefetch pass has already found out.
#[derive(Clone, Copy)]
pub struct Resolved {
    pub command: Option<&'static Command>,
    /// Hash of the first key, if the command has exactly one.
    pub hash: Option<u64>,
}

impl Executor {
    /// Joins the barrier, parked.
    pub fn new(engine: Arc<Engine>) -> Executor {
        Executor::with_role(engine, false)
    }

    pub(super) fn with_role(engine: Arc<Engine>, is_link: bool) -> Executor {
        let participant = engine.barrier.join();
        let counters = engine.statistics.register();
        let view = engine.view();
        let publisher = Publisher::new(engine.pubsub.clone(), engine.tracking.clone());
        let now = UnixMs(clock::now_ms());
        let mut executor = Executor {
            engine,
            view,
            participant,
            stream: Stream::default(),
            rng: Rng::from_os(),
            eviction: Eviction::default(),
            publisher,
            counters,
            now,
            is_link,
            waiter: None,
            ran: None,
        };
        executor.refresh();
        executor
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// Before this thread waits for something: the world may stop without it.
    pub fn park(&self) {
        self.participant.park();
    }

    /// After it has waited.
    pub fn unpark(&mut self) {
        self.participant.run();
        self.catch_up();
    }

    /// Between two batches.
    #[inline]
    pub fn checkpoint(&mut self) {
        self.participant.checkpoint();
        self.catch_up();
    }

    #[inline]
    pub fn catch_up(&mut self) {
        if self.engine.generation() != self.view.generation {
            self.refresh();
        }
    }

    #[cold]
    pub(super) fn refresh(&mut self) {
        self.view = self.engine.view();
        self.counters.follow_reset(self.engine.statistics.epoch());
        let appends = self.is_link || !self.view.is_replica;
        self.stream.follow(self.view.backlog.as_ref().filter(|_| appends));
    }

    /// Reads the clock: once per batch.
    pub fn tick(&mut self) -> UnixMs {
        self.now = UnixMs(clock::now_ms());
        self.now
    }

    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// The writer into the current backlog, for those who mint offsets outside of commands (PING, GETACK).
    pub fn writer(&mut self) -> Option<&mut Writer> {
        self.stream.writer()
    }

    /// The stream's offset behind the last effect that this executor committed.
    pub fn last_offset(&self) -> u64 {
        self.stream.last_offset
    }

    /// Opens a batch: publication of what it writes is put off to `end_batch`.
    #[inline]
    pub fn begin_batch(&mut self) {
        self.stream.begin_batch();
    }

    /// Has a publisher been told that subscribers are served more slowly than it publishes?
    #[inline]
    pub fn has_congested(&self) -> bool {
        self.publisher.has_congested
    }

    pub fn forget_congestion(&mut self) {
        self.publisher.has_congested = false;
    }

    /// Whose commands run next. What they publish to their own client follows the reply.
    #[inline]
    pub fn begin_client(&mut self, client: &Client) {
        self.publisher.begin(client.id, client.worker);
    }

    #[inline]
    pub fn end_batch(&mut self) {
        self.stream.end_batch();
    }

    /// Runs one request of a client to its reply.
    pub fn request(
        &mut self,
        session: &mut Session,
        args: Args<'_>,
        resolved: Resolved,
        reply: &mut Reply,
    ) -> Next {
        self.ran = None;
        if session.reply_mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::Skipping;
        }
        let command = match self.admit(session, &args, resolved.command) {
            Ok(command) => command,
            Err(failure) => {
                let failure = transaction::abort_on_refusal(&self.engine, session, resolved.command, failure);
                self.refuse(session, resolved.command, &failure, reply);
                return self.after_reply(session, reply, Next::Continue);
            }
        };
        if let Some(pause) = self.view.pause
            && pause.stops(session, command, self.now)
        {
            if session.reply_mode == ReplyMode::Skipping {
                session.reply_mode = ReplyMode::SkipNext;
            }
            return Next::Postpone;
        }
        self.counters.add(Count::Commands, 1);
        let next = match &mut session.transaction {
            Some(transaction) if !transaction::runs_at_once(command) => {
                if command.row.flags.has(Flags::NO_MULTI) {
                    transaction.is_broken = true;
                    let failure = Failure::text("ERR Command not allowed inside a transaction");
                    self.refuse(session, Some(command), &failure, reply);
                    return self.after_reply(session, reply, Next::Continue);
                }
                let words = args.to_vec();
                let bytes = words.iter().map(|word| word.capacity() + size_of::<Vec<u8>>()).sum::<usize>();
                session.client.queued_bytes.fetch_add((bytes + size_of::<Queued>()) as u64, Relaxed);
                transaction.queue.push(Queued { command: command.id.0, words });
                session.client.queued.store(transaction.queue.len() as i64, Relaxed);
                reply.simple("QUEUED");
                Next::Continue
            }
            _ => {
                self.ran = Some(command.id);
                let next = self.call(session, command, args, resolved.hash, reply);
                if self.publisher.registry().is_monitored() {
                    monitor::feed(&self.publisher, session, command, &args);
                }
                if session.is_caching {
                    session.forget_caching(
                        command.container.is_some() && command.full_name.starts_with("client|"),
                    );
                }
                next
            }
        };
        self.after_reply(session, reply, next)
    }

    /// The command that the last request ran, if it did.
    #[inline]
    pub fn ran(&self) -> Option<CommandId> {
        self.ran
    }

    /// Messages that a command has sent to its own client.
    #[inline]
    pub(super) fn push_to_own(&mut self, reply: &mut Reply) {
        if !self.publisher.pushes.is_empty() {
            self.publisher.pushes.drain(..).for_each(|message| reply.pushed(&message));
        }
    }

    /// CLIENT REPLY SKIP covers exactly one command. Messages that the command has sent to its own client follow its reply.
    #[inline]
    fn after_reply(&mut self, session: &mut Session, reply: &mut Reply, next: Next) -> Next {
        self.push_to_own(reply);
        if session.reply_mode != ReplyMode::On {
            if session.reply_mode == ReplyMode::Skipping {
                session.reply_mode = ReplyMode::On;
            }
            reply.set_suppressed(session.reply_mode != ReplyMode::On);
        }
        next
    }

    /// Everything that may refuse a request before it runs or is queued.
    #[inline]
    fn admit(
        &mut self,
        session: &Session,
        args: &Args<'_>,
        command: Option<&'static Command>,
    ) -> Result<&'static Command, Failure> {
        let Some(mut command) = command else { return Err(gates::unknown_command(args)) };
        if !command.subcommands.is_empty() {
            command = gates::subcommand(command, args)?;
        }
        if !command.row.accepts(args.len()) {
            return Err(Failure::wrong_arity(command.full_name));
        }
        if !session.authenticated {
            gates::authentication(command)?;
        }
        if session.is_subscriber_mode() {
            gates::subscriber(command)?;
        }
        if !self.view.is_open() {
            let is_full = self.view.config.maxmemory != 0 && self.make_room() == Room::Full;
            gates::role(&self.engine, &self.view, session, command, is_full)?;
        }
        Ok(command)
    }

    #[cold]
    fn refuse(
        &mut self,
        session: &mut Session,
        command: Option<&'static Command>,
        failure: &Failure,
        reply: &mut Reply,
    ) {
        if let Some(command) = command {
            self.counters.rejected(command.id);
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.is_broken = true;
        }
        self.counters.error(&failure.0);
        reply.error(&failure.0);
    }

    /// Runs an admitted command.
    pub(super) fn call(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args<'_>,
        hash: Option<u64>,
        reply: &mut Reply,
    ) -> Next {
        match command.row.run {
            Run::Keyed(handler) if command.row.flags.has(Flags::BLOCKING) => {
                self.blocking(session, command, handler, args, reply)
            }
            Run::Keyed(handler) => {
                self.keyed(session, command, handler, args, hash, reply);
                Next::Continue
            }
            Run::Far { reach, handler } => {
                if reach(&args) {
                    self.stand_still(|executor| executor.keyed(session, command, handler, args, hash, reply));
                } else {
                    self.keyed(session, command, handler, args, hash, reply);
                }
                Next::Continue
            }
            Run::Walk(handler) => {
                self.walk(session, command, handler, args, reply);
                Next::Continue
            }
            Run::Control(handler) => self.control(session, command, handler, &args, reply),
            Run::Whole(_) => {
                self.whole(session, command, args, reply);
                Next::Continue
            }
            Run::Exec => transaction::exec(self, session, reply),
            Run::Watch => transaction::watch(self, session, &args, reply),
            Run::Container => unreachable!("admit has replaced a container by its subcommand"),
        }
    }

    /// The surroundings of a client's commands. A free function of the view, so that the stream can be borrowed beside it.
    #[inline]
    pub(super) fn surroundings<'v>(view: &'v View, engine: &'v Engine, now: UnixMs) -> Surroundings<'v> {
        let lfu = eviction::lfu(&view.config, now);
        Surroundings {
            now,
            clock: lfu.map_or_else(|| access_clock(now), Lfu::born),
            lfu,
            stamp: view.stamp,
            pre_images: view.snapshot.as_ref().map(|snapshot| snapshot.pre_images.as_ref()),
            watches: &engine.watches,
            waiting: &engine.blocked.waiting,
            tracked: &engine.tracking.tracked,
            lazy_free: &engine.lazy_free,
            lazy: view.lazy,
            own_deadlines: view.is_replica.then_some(&engine.own_deadlines),
            notify: view.notify,
            expiry: if view.is_replica || view.is_paused(now) { Expiry::Hide } else { Expiry::Delete },
        }
    }

    #[inline]
    fn keyed(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: KeyHandler,
        args: Args<'_>,
        hash: Option<u64>,
        reply: &mut Reply,
    ) {
        let around = Self::surroundings(&self.view, &self.engine, self.now);
        let mut space = open(&self.view, session.db, command, &args, hash, around);
        if session.is_no_touch && command.row.name != "touch" {
            space.leave_clocks();
        }
        let mark = reply.len();
        let mut ctx = Ctx {
            args,
            reply,
            space: &mut space,
            rng: &mut self.rng,
            publisher: &mut self.publisher,
            config: &self.view.config,
            full_name: command.full_name,
            from_primary: false,
            blocking: Blocking::default(),
        };
        let effect = match handler(&mut ctx) {
            Ok(effect) => effect,
            Err(failure) => {
                fail(&self.counters, command, &failure, mark, reply);
                Effect::None
            }
        };
        // Still under the shards' locks: the order of the stream is the order of the changes.
        let written = self.stream.commit(space.db(), &args, effect, &space.changes.expired);
        remember_keys(&self.engine, session, command, &args);
        announce(&mut self.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        if written {
            session.last_write_offset = self.stream.last_offset;
        }
        self.tally(tally);
        self.serve(ready);
    }

    /// Deletes a key if its deadline has passed, and tells the replicas, whoever has met it.
    pub(super) fn expire(&mut self, db: DbIndex, key: &[u8]) {
        let around =
            Surroundings { expiry: Expiry::Delete, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::one(&self.view.keyspace, db, key, hash_key(key), around);
        space.expire_if_due(key);
        self.stream.commit(db, &Args::borrowed(&[], None), Effect::None, &space.changes.expired);
        announce(&mut self.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
    }

    /// Takes fields of a hash out that are past their deadline, as many as go into one HDEL. True if there may be more.
    pub(super) fn expire_fields(&mut self, db: DbIndex, key: &[u8]) -> bool {
        let around =
            Surroundings { expiry: Expiry::Delete, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::one(&self.view.keyspace, db, key, hash_key(key), around);
        let (effect, removed) = take_due_fields(&mut space, key);
        self.stream.commit(db, &Args::borrowed(&[], None), effect, &space.changes.expired);
        publish_events(&mut self.publisher, &mut space);
        let tally = space.changes.tally;
        drop(space);
        self.tally(tally);
        self.counters.add(Count::ExpiredFields, removed as u64);
        removed == DUE_FIELDS_MAX
    }

    /// Adds what a command has counted to the statistics.
    #[inline]
    pub(super) fn tally(&self, tally: crate::keyspace::space::Tally) {
        if tally.hits != 0 {
            self.counters.add(Count::Hits, tally.hits);
        }
        if tally.misses != 0 {
            self.counters.add(Count::Misses, tally.misses);
        }
        if tally.dirty != 0 {
            self.counters.add(Count::Dirty, tally.dirty);
        }
        if tally.expired != 0 {
            self.counters.add(Count::Expired, tally.expired);
        }
    }

    /// A walk holds one shard's lock at a time, so it must not delete what it finds expired: the DEL could fall behind a
    /// later write of the same key. On a primary such keys are deleted after it, each under its own lock.
    fn walk(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: KeyHandler,
        args: Args<'_>,
        reply: &mut Reply,
    ) {
        let around =
            Surroundings { expiry: Expiry::Hide, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::whole(&self.view.keyspace, session.db, around);
        let mark = reply.len();
        let mut ctx = Ctx {
            args,
            reply,
            space: &mut space,
            rng: &mut self.rng,
            publisher: &mut self.publisher,
            config: &self.view.config,
            full_name: command.full_name,
            from_primary: false,
            blocking: Blocking::default(),
        };
        if let Err(failure) = handler(&mut ctx) {
            fail(&self.counters, command, &failure, mark, reply);
        }
        announce(&mut self.publisher, &mut space);
        let met = std::mem::take(&mut space.changes.due);
        let tally = space.changes.tally;
        drop(space);
        self.tally(tally);
        if !self.view.is_replica {
            met.iter().for_each(|key| self.expire(session.db, key));
        }
    }

    fn control(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: fn(&Args<'_>, &mut Control<'_>) -> Result<(), Failure>,
        args: &Args<'_>,
        reply: &mut Reply,
    ) -> Next {
        let mark = reply.len();
        let engine = self.engine.clone();
        let mut control = Control {
            reply,
            session,
            host: engine.host(),
            now: self.now,
            rng: &mut self.rng,
            full_name: command.full_name,
            next: Next::Continue,
        };
        // An administrative command may take its time, or stop the world: nobody has to wait for this thread meanwhile.
        // Within EXEC the world stands still already.
        let parked = command.row.flags.has(Flags::ADMIN) && !self.engine.barrier.stands_for_me();
        if parked {
            self.stream.end_batch();
            self.participant.park();
        }
        let result = handler(args, &mut control);
        let next = control.next;
        if parked {
            self.unpark();
            self.stream.begin_batch();
        }
        match result {
            Ok(()) => next,
            Err(failure) => {
                fail(&self.counters, command, &failure, mark, reply);
                Next::Continue
            }
        }
    }

    /// Runs a command on the whole keyspace while all other threads stand still.
    fn whole(&mut self, session: &mut Session, command: &'static Command, args: Args<'_>, reply: &mut Reply) {
        self.stand_still(|executor| executor.whole_standing(session, command, args, reply));
        self.serve_all();
    }

    /// Stops the world around `work`, with a view that is fresh before and after it.
    pub(super) fn stand_still<R>(&mut self, work: impl FnOnce(&mut Executor) -> R) -> R {
        // What this thread has not published yet would keep readers of the stream waiting.
        self.stream.end_batch();
        let engine = self.engine.clone();
        self.participant.park();
        let result = engine.barrier.stop(None, || {
            self.refresh();
            work(self)
        });
        self.unpark();
        self.stream.begin_batch();
        result
    }

    /// As `whole`, when the world stands still already (EXEC).
    pub(super) fn whole_standing(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
    ) {
        let Run::Whole(handler) = command.row.run else { unreachable!("only called for such rows") };
        let (db, mark) = (session.db, reply.len());
        let result = self.whole_effect(session, command, handler, args, reply);
        self.refresh();
        match result {
            Ok((effect, dirty)) => {
                if self.stream.commit(db, &args, effect, &[]) {
                    session.last_write_offset = self.stream.last_offset;
                }
                self.counters.add(Count::Dirty, dirty);
            }
            Err(failure) => fail(&self.counters, command, &failure, mark, reply),
        }
    }

    pub(super) fn whole_effect(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: crate::commands::spec::row::WholeHandler,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Result<(Effect, u64), Failure> {
        let engine = self.engine.clone();
        let keyspace = self.view.keyspace.clone();
        let mut around = Self::surroundings(&self.view, &engine, self.now);
        if self.is_link {
            around.expiry = Expiry::Ignore;
        }
        let mut space = Space::whole(&keyspace, session.db, around);
        // The handler has two sources of randomness in its hands, of which it uses one.
        let mut rng = Rng::from_seed(self.rng.next_u64());
        let mut ctx = Ctx {
            args,
            reply,
            space: &mut space,
            rng: &mut self.rng,
            publisher: &mut self.publisher,
            config: &self.view.config,
            full_name: command.full_name,
            from_primary: self.is_link,
            blocking: Blocking::default(),
        };
        let mut unused = Reply::new();
        let mut control = Control {
            reply: &mut unused,
            session,
            host: engine.host(),
            now: self.now,
            rng: &mut rng,
            full_name: command.full_name,
            next: Next::Continue,
        };
        let effect = handler(&mut ctx, &mut control)?;
        announce(&mut self.publisher, &mut space);
        Ok((effect, space.changes.tally.dirty))
    }
}

/// Locks what a command touches.
#[inline]
pub(super) fn open<'v>(
    view: &'v View,
    db: DbIndex,
    command: &Command,
    args: &Args<'_>,
    hash: Option<u64>,
    around: Surroundings<'v>,
) -> Space<'v> {
    match (hash, command.row.keys) {
        (Some(hash), Keys::Range { first, .. }) => {
            Space::one(&view.keyspace, db, args.get(first), hash, around)
        }
        (_, spec) => {
            if let Run::Far { reach, .. } = command.row.run
                && reach(args)
            {
                // The caller has made the world stand still.
                return Space::whole(&view.keyspace, db, around);
            }
            let mut shards: Vec<ShardRef> = Vec::with_capacity(args.len());
            keys::each(spec, args, db, view.keyspace.databases(), |db, key| {
                shards.push(Space::shard_ref(&view.keyspace, db, key));
            });
            Space::many(&view.keyspace, db, shards, around)
        }
    }
}

/// Publishes what has happened to keys, while their shards are still locked, so that events of one key keep the order of its
/// changes; and tells those who have read what has changed.
#[inline]
pub(super) fn publish_events(publisher: &mut Publisher, space: &mut Space<'_>) {
    if !space.changes.events.is_empty() {
        publish_some(publisher, space);
    }
    if !space.changes.touched.is_empty() {
        publisher.invalidate(std::mem::take(&mut space.changes.touched));
    }
}

/// As `publish_events`, where a command or a transaction ends.
#[inline]
pub(super) fn announce(publisher: &mut Publisher, space: &mut Space<'_>) {
    publish_events(publisher, space);
    publisher.broadcast();
}

/// A client that caches is noted as a reader of the keys of a command that reads. Under the locks of these keys.
#[inline]
pub(super) fn remember_keys(engine: &Engine, session: &Session, command: &Command, args: &Args<'_>) {
    if let Some(tracker) = &session.tracking
        && command.row.flags.has(Flags::READONLY)
    {
        remember_some(engine, session, tracker, command, args);
    }
}

#[cold]
fn remember_some(engine: &Engine, session: &Session, tracker: &Tracker, command: &Command, args: &Args<'_>) {
    let options = tracker.options;
    let is_left_out = (options.is_optin && !session.is_caching) || (options.is_optout && session.is_caching);
    if options.is_broadcast || is_left_out || command.row.flags.has(Flags::PUBSUB) {
        return;
    }
    for index in keys::positions(command.row.keys, args) {
        engine.tracking.remember(tracker.client, args.get(index));
    }
}

#[cold]
fn publish_some(publisher: &mut Publisher, space: &mut Space<'_>) {
    let wanted = space.around().notify;
    for event in space.changes.events.drain(..) {
        if wanted.has(Classes::KEYSPACE) {
            publisher.publish(Kind::Channel, &event.keyspace_channel(), event.name.as_bytes());
        }
        if wanted.has(Classes::KEYEVENT) {
            publisher.publish(Kind::Channel, &event.keyevent_channel(), &event.key);
        }
    }
}

#[cold]
pub(super) fn fail(
    counters: &Counters,
    command: &Command,
    failure: &Failure,
    mark: usize,
    reply: &mut Reply,
) {
    counters.failed(command.id);
    counters.error(&failure.0);
    reply.truncate(mark);
    reply.error(&failure.0);
}
