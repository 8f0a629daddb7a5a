//! Transactions: EXEC runs what MULTI has queued as one unit, and WATCH makes it conditional.
//!
//! ```text
//!  EXEC: shards of all queued and all watched keys -> lock in order -> watched unchanged? -> run all -> commit one unit
//!        any queued command needs the whole keyspace, or the server  -> the same while the world stands still
//! ```
//!
//! Called by the executor. Always: nobody sees a half of a transaction, here or on a replica; a watched key is judged
//! under its lock, so no change can slip between the judgement and the run.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::clock;
use crate::base::ids::DbIndex;
use crate::commands::spec::table::{Command, CommandId, table};
use crate::commands::spec::{Args, Effect, Failure, Flags, Next, Run, keys};
use crate::exec::announce::{announce, publish_events, remember_keys};
use crate::exec::commit::Unit;
use crate::exec::engine::{ActiveSnapshot, Engine};
use crate::exec::executor::{Executor, fail};
use crate::exec::monitor;
use crate::keyspace::db::Keyspace;
use crate::keyspace::space::{Expiry, ShardRef, Space, Surroundings, Tally};
use crate::keyspace::watch::Watched;
use crate::resp::reply::Reply;
use crate::session::{Queued, Session, Transaction};

/// Commands that are not queued between MULTI and EXEC.
pub(super) fn runs_at_once(command: &Command) -> bool {
    matches!(command.row.run, Run::Exec | Run::Watch)
        || matches!(command.row.name, "multi" | "discard" | "quit" | "reset")
}

/// An EXEC that a gate refuses (no good replicas, stale data) ends its transaction and says why.
#[cold]
pub(super) fn abort_on_refusal(
    engine: &Engine,
    session: &mut Session,
    command: Option<&Command>,
    failure: Failure,
) -> Failure {
    let is_exec = command.is_some_and(|command| matches!(command.row.run, Run::Exec));
    if !is_exec {
        return failure;
    }
    // The text is the same without a transaction.
    session.transaction = None;
    session.client.queued.store(-1, Relaxed);
    session.client.queued_bytes.store(0, Relaxed);
    unwatch(&engine.watches, session);
    let reason = failure.0.strip_prefix("ERR ").unwrap_or(&failure.0);
    Failure::new(format!("EXECABORT Transaction discarded because of: {reason}"))
}

fn command_of(queued: &Queued) -> &'static Command {
    table().get(CommandId(queued.command))
}

/// WATCH key [key ...]: registers under the keys' locks, so that a change is seen from then on.
pub(super) fn watch(
    executor: &mut Executor,
    session: &mut Session,
    args: &Args<'_>,
    reply: &mut Reply,
) -> Next {
    if session.in_transaction() {
        refuse(executor, "watch", "ERR WATCH inside MULTI is not allowed", reply);
        return Next::Continue;
    }
    let keyspace = executor.view.keyspace.clone();
    let flag = session.watch_flag().clone();
    let around = Executor::surroundings(&executor.view, &executor.engine, executor.now);
    let shards = args.from(1).map(|key| Space::shard_ref(&keyspace, session.db, key)).collect();
    // Keys past their deadline are looked at, not deleted: their later deletion is then no change.
    let mut space =
        Space::many(&keyspace, session.db, shards, Surroundings { expiry: Expiry::Ignore, ..around });
    for key in args.from(1) {
        let db = session.db;
        if session.watched.iter().any(|watched| watched.db == db && watched.key == key) {
            continue;
        }
        let was_expired =
            space.peek(key).and_then(|entry| entry.deadline()).is_some_and(|at| at < executor.now);
        let watched = Arc::new(Watched::new(db, key, was_expired, flag.clone()));
        executor.engine.watches.register(watched.clone());
        session.watched.push(watched);
    }
    session.client.watching.store(session.watched.len() as u32, Relaxed);
    reply.ok();
    Next::Continue
}

/// EXEC.
pub(super) fn exec(executor: &mut Executor, session: &mut Session, reply: &mut Reply) -> Next {
    let Some(transaction) = session.transaction.take() else {
        refuse(executor, "exec", "ERR EXEC without MULTI", reply);
        return Next::Continue;
    };
    session.client.queued.store(-1, Relaxed);
    session.client.queued_bytes.store(0, Relaxed);
    if transaction.is_broken {
        forget_watches(executor, session);
        refuse(executor, "exec", "EXECABORT Transaction discarded because of previous errors.", reply);
        return Next::Continue;
    }
    let needs_whole = |queued: &Queued| match command_of(queued).row.run {
        Run::Keyed(_) => false,
        Run::Far { reach, .. } => reach(&Args::owned(&queued.words)),
        Run::Walk(_) | Run::Whole(_) => true,
        Run::Control(_) => command_of(queued).row.flags.has(Flags::ADMIN),
        Run::Exec | Run::Watch | Run::Container => unreachable!("never queued"),
    };
    session.is_executing = true;
    let next = if transaction.queue.iter().any(needs_whole) {
        let next = executor.stand_still(|executor| run_whole(executor, session, &transaction, reply));
        executor.serve_all();
        next
    } else {
        run_locked(executor, session, &transaction, reply)
    };
    session.is_executing = false;
    forget_watches(executor, session);
    next
}

/// EXEC or WATCH itself fails.
#[cold]
fn refuse(executor: &Executor, name: &str, text: &'static str, reply: &mut Reply) {
    if let Some(command) = table().original(name.as_bytes()) {
        executor.counters.failed(command.id);
    }
    executor.counters.error(text);
    reply.error(text);
}

/// Takes all locks of the queued and the watched keys in order, then runs.
fn run_locked(
    executor: &mut Executor,
    session: &mut Session,
    transaction: &Transaction,
    reply: &mut Reply,
) -> Next {
    let (keyspace, engine) = (executor.view.keyspace.clone(), executor.engine.clone());
    let snapshot = executor.view.snapshot.clone();
    let around = detach(&engine, &snapshot, executor);
    let shards = shards_of(&keyspace, session, transaction);
    let mut space = Space::many(&keyspace, session.db, shards, around);
    if is_dirty(session, &mut space) {
        reply.null_array();
        return Next::Continue;
    }
    let mut unit = executor.stream.unit();
    let mut next = Next::Continue;
    reply.array(transaction.queue.len());
    for queued in &transaction.queue {
        space.select(session.db);
        next = next.or(run_one(executor, session, queued, &mut space, &mut unit, reply));
    }
    // Still under all locks.
    conclude(executor, session, unit, space.changes.tally);
    announce(&mut executor.means.publisher, &mut space);
    let ready = std::mem::take(&mut space.changes.ready);
    drop(space);
    executor.serve(ready);
    next
}

/// The same while the world stands still, for queues that reach beyond their keys. Each command opens the keyspace anew,
/// for the one before it may have replaced it (FLUSHALL).
fn run_whole(
    executor: &mut Executor,
    session: &mut Session,
    transaction: &Transaction,
    reply: &mut Reply,
) -> Next {
    let mut unit = executor.stream.unit();
    let mut next = Next::Continue;
    let mut tally = Tally::default();
    for (index, queued) in transaction.queue.iter().enumerate() {
        let (keyspace, engine) = (executor.view.keyspace.clone(), executor.engine.clone());
        let snapshot = executor.view.snapshot.clone();
        let around = detach(&engine, &snapshot, executor);
        let mut space = Space::whole(&keyspace, session.db, around);
        if index == 0 {
            if is_dirty(session, &mut space) {
                reply.null_array();
                return Next::Continue;
            }
            reply.array(transaction.queue.len());
        }
        next = next.or(run_one(executor, session, queued, &mut space, &mut unit, reply));
        tally.add(space.changes.tally);
        announce(&mut executor.means.publisher, &mut space);
        executor.refresh();
    }
    conclude(executor, session, unit, tally);
    next
}

fn conclude(executor: &mut Executor, session: &mut Session, unit: Unit, tally: Tally) {
    if executor.stream.commit_unit(unit) {
        session.last_write_offset = executor.stream.last_offset;
    }
    executor.tally(tally);
}

/// A client's surroundings, borrowed from handles that the transaction owns instead of from the executor.
fn detach<'a>(
    engine: &'a Engine,
    snapshot: &'a Option<Arc<ActiveSnapshot>>,
    executor: &Executor,
) -> Surroundings<'a> {
    let around = Executor::surroundings(&executor.view, &executor.engine, executor.now);
    Surroundings {
        now: around.now,
        clock: around.clock,
        lfu: around.lfu,
        stamp: around.stamp,
        pre_images: snapshot.as_ref().map(|snapshot| snapshot.pre_images.as_ref()),
        watches: &engine.watches,
        waiting: &engine.blocked.waiting,
        tracked: &engine.tracking.tracked,
        lazy_free: &engine.lazy_free,
        lazy: around.lazy,
        own_deadlines: around.own_deadlines.map(|_| &engine.own_deadlines),
        notify: around.notify,
        expiry: around.expiry,
        is_followed: around.is_followed,
    }
}

fn shards_of(keyspace: &Keyspace, session: &Session, transaction: &Transaction) -> Vec<ShardRef> {
    let mut shards = Vec::new();
    for watched in &session.watched {
        shards.push(Space::shard_ref(keyspace, watched.db, &watched.key));
    }
    let mut db = session.db;
    for queued in &transaction.queue {
        let (command, args) = (command_of(queued), Args::owned(&queued.words));
        keys::each(command.row.keys, &args, db, keyspace.databases(), |db, key| {
            shards.push(Space::shard_ref(keyspace, db, key));
        });
        db = select_of(command, &args, keyspace.databases()).unwrap_or(db);
    }
    shards
}

/// A SELECT in the queue moves what comes after it: to which database?
pub(super) fn select_of(command: &Command, args: &Args<'_>, databases: usize) -> Option<DbIndex> {
    if command.row.name != "select" {
        return None;
    }
    let number = args.int(1).ok()?;
    (0..databases as i64).contains(&number).then_some(DbIndex(number as u16))
}

/// Has a watched key changed, or expired, since WATCH?
fn is_dirty(session: &Session, space: &mut Space<'_>) -> bool {
    if session.watch_flag.as_ref().is_some_and(|flag| flag.is_changed()) {
        return true;
    }
    session.watched.iter().any(|watched| {
        // Looked at shard by shard: a key that expired without anybody having met it is still there.
        !watched.was_expired() && space.is_past_deadline(watched.db, &watched.key)
    })
}

/// Runs one queued command, adding its effect to the unit. Its failure does not stop the others.
fn run_one(
    executor: &mut Executor,
    session: &mut Session,
    queued: &Queued,
    space: &mut Space<'_>,
    unit: &mut Unit,
    reply: &mut Reply,
) -> Next {
    let (command, args) = (command_of(queued), Args::owned(&queued.words));
    let started = clock::monotonic_ns();
    let mark = reply.len();
    let result = match command.row.run {
        Run::Keyed(handler) | Run::Far { handler, .. } | Run::Walk(handler) => {
            let mut ctx = executor.means.ctx(&executor.view.config, command.full_name, args, reply, space);
            handler(&mut ctx)
        }
        Run::Whole(handler) => {
            space.release();
            executor.whole_effect(session, command, handler, args, reply, false).map(|done| {
                space.changes.tally.add(Tally { dirty: done.dirty, ..Tally::default() });
                done.effect
            })
        }
        Run::Control(_) => {
            // It may look at any key by itself.
            space.release();
            let next = executor.call(session, command, args, None, reply);
            account(executor, session, command, &args, started);
            if executor.means.publisher.registry().is_monitored() {
                monitor::feed(&executor.means.publisher, session, command, &args);
            }
            return next;
        }
        Run::Exec | Run::Watch | Run::Container => unreachable!("never queued"),
    };
    let effect = result.unwrap_or_else(|failure| {
        fail(&executor.counters, command, &failure, mark, reply);
        Effect::None
    });
    account(executor, session, command, &args, started);
    publish_events(&mut executor.means.publisher, space);
    remember_keys(&executor.engine, session, command, &args);
    if executor.means.publisher.registry().is_monitored() {
        monitor::feed(&executor.means.publisher, session, command, &args);
    }
    unit.add(session.db, &args, effect, &std::mem::take(&mut space.changes.expired));
    Next::Continue
}

/// Counts a command that a transaction has run, and notes it if it was slow.
fn account(executor: &Executor, session: &Session, command: &Command, args: &Args<'_>, started: u64) {
    let nanos = clock::monotonic_ns() - started;
    executor.counters.called(command.id, nanos, executor.view.thresholds.tracks);
    if executor.is_slow(nanos) {
        executor.note_slow(&session.client, command, args, nanos);
    }
}

/// UNWATCH, and the end of every transaction.
pub fn forget_watches(executor: &Executor, session: &mut Session) {
    unwatch(&executor.engine.watches, session);
}

/// Takes a session's keys out of the table of watches.
pub fn unwatch(watches: &crate::keyspace::watch::WatchTable, session: &mut Session) {
    let Some(flag) = &session.watch_flag else { return };
    for watched in session.watched.drain(..) {
        watches.unregister(&watched);
    }
    flag.reset();
    session.client.watching.store(0, Relaxed);
}
