//! The executor: runs commands, one batch after another, for one thread.
//!
//! ```text
//!  request -> resolve (row, hash) -> gates -> lock -> handler -> commit to the backlog -> unlock -> reply
//!             \________ request.rs ________/  \____________________ run.rs ____________________/
//! ```
//!
//! Each worker owns one; so do the link (which applies what a primary sends) and active expiry. Everything around a
//! handler happens here, once: look-up, arity, authentication, role, locks, lazy expiry, WATCH, statistics, commit.
//! Here is what an executor is and what all its ways of running commands share.
//! Always: a write's effect is reserved in the backlog under the same locks under which it changed its keys.

mod request;
mod run;

use std::sync::Arc;

use crate::backlog::Writer;
use crate::base::clock;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::Rng;
use crate::commands::spec::table::{Command, CommandId};
use crate::commands::spec::{Args, Blocking, Ctx, Failure, Keys, Run, keys};
use crate::config::Config;
use crate::exec::barrier::Participant;
use crate::exec::blocked::Waiter;
use crate::exec::commit::Stream;
use crate::exec::engine::{Engine, View};
use crate::exec::eviction::{self, Eviction};
use crate::exec::stats::{Count, Counters};
use crate::keyspace::ahead::Block;
use crate::keyspace::eviction::Lfu;
use crate::keyspace::space::{Expiry, ShardRef, Space, Surroundings, Tally, access_clock};
use crate::pubsub::Publisher;
use crate::resp::reply::Reply;
use crate::session::client::Client;

/// Runs commands for one thread.
pub struct Executor {
    pub(super) engine: Arc<Engine>,
    pub(super) view: View,
    pub(super) participant: Participant,
    pub(super) stream: Stream,
    pub(super) means: Means,
    pub(super) eviction: Eviction,
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

/// What handlers may use beyond the keys that their command names.
pub(super) struct Means {
    pub(super) rng: Rng,
    pub(super) publisher: Publisher,
}

impl Means {
    /// What a handler sees when it runs for a client and may not wait. Whoever runs what our primary sends, or what may
    /// wait, says so on top.
    #[inline]
    pub(super) fn ctx<'c, 'a>(
        &'c mut self,
        config: &'c Config,
        full_name: &'static str,
        args: Args<'c>,
        reply: &'c mut Reply,
        space: &'c mut Space<'a>,
    ) -> Ctx<'c, 'a> {
        Ctx {
            args,
            reply,
            space,
            rng: &mut self.rng,
            publisher: &mut self.publisher,
            config,
            full_name,
            from_primary: false,
            blocking: Blocking::default(),
        }
    }
}

/// A request with what the prefetch pass has already found out.
#[derive(Clone, Copy)]
pub struct Resolved {
    pub command: Option<&'static Command>,
    /// Hash of the first key, if the command has exactly one.
    pub hash: Option<u64>,
    /// Where that key's entry lies, if it has been looked for.
    pub block: Block,
}

impl Resolved {
    /// What is known before memory is asked for.
    pub fn new(command: Option<&'static Command>, hash: Option<u64>) -> Resolved {
        Resolved { command, hash, block: Block::default() }
    }
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
            means: Means { rng: Rng::from_os(), publisher },
            eviction: Eviction::default(),
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
        self.means.publisher.has_congested
    }

    pub fn forget_congestion(&mut self) {
        self.means.publisher.has_congested = false;
    }

    /// Whose commands run next. What they publish to their own client follows the reply.
    #[inline]
    pub fn begin_client(&mut self, client: &Client) {
        self.means.publisher.begin(client.id, client.worker);
    }

    #[inline]
    pub fn end_batch(&mut self) {
        self.stream.end_batch();
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
            is_followed: view.backlog.is_some(),
            notify: view.notify,
            expiry: if view.is_replica || view.is_paused(now) { Expiry::Hide } else { Expiry::Delete },
        }
    }

    /// Adds what a command has counted to the statistics.
    #[inline]
    pub(super) fn tally(&self, tally: Tally) {
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
}

/// What it has counted stays.
impl Drop for Executor {
    fn drop(&mut self) {
        self.engine.statistics.retire(&self.counters);
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
