//! MIGRATE: threads that take keys to other servers, each for one client at a time, which waits.
//!
//! ```text
//!  worker: MIGRATE --> start --> thread: hold -> pick up -> send (cache, target) -> hand over -> let go
//!          Message::Answer <-------------------------------------------------------- answer
//! ```
//!
//! Called by the host for the command, by cron and by INFO. A thread ends when no client waits for one. What happens to the keys is
//! in `exec::migration`; here is what is said to the target.
//! Always: a worker never waits for another server; no lock is held while a thread does.

mod cache;
mod target;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::sync::lock;
use crate::commands::spec::host::Migration;
use crate::commands::spec::table::table;
use crate::commands::spec::{Answer, Args, Failure};
use crate::exec::executor::Executor;
use crate::exec::migration::{HandedOver, Parcel};
use crate::resp::reply::Reply;
use crate::server::migrate::cache::Cache;
use crate::server::migrate::target::{Broken, Outcome, Target};
use crate::server::shared::Shared;

/// Migrations at one time; further ones wait. More: more threads and, for a moment each, places at the stream.
const THREADS_MAX: usize = 16;

const CHANGED: &str =
    "ERR Some keys have changed while they were moved: they are here and at the target instance";
const NOT_OURS: &str =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/// All migrations of the server.
#[derive(Default)]
pub struct Migrations {
    cache: Cache,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    threads: usize,
    waiting: VecDeque<Migration>,
}

impl Migrations {
    /// Takes a migration on.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(shared: &Arc<Shared>, migration: Migration) -> Result<(), Failure> {
        let mut queue = lock(&shared.migrations.queue);
        migration.client.is_blocked.store(true, Relaxed);
        if queue.threads >= THREADS_MAX {
            queue.waiting.push_back(migration);
            return Ok(());
        }
        let (theirs, client) = (shared.clone(), migration.client.clone());
        let thread = std::thread::Builder::new().name("migrate".into()).spawn(move || {
            let mut next = Some(migration);
            while let Some(migration) = next {
                run(&theirs, &migration);
                next = theirs.migrations.next();
            }
        });
        match thread {
            Ok(_) => {
                queue.threads += 1;
                Ok(())
            }
            Err(cause) => {
                client.is_blocked.store(false, Relaxed);
                Err(Failure::new(format!("ERR no thread can be had: {cause}")))
            }
        }
    }

    /// The next one for a thread that has finished one; none ends it.
    fn next(&self) -> Option<Migration> {
        let mut queue = lock(&self.queue);
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.threads -= 1;
        }
        next
    }

    /// For INFO: connections that are kept.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Called by cron.
    pub fn every_second(&self) {
        self.cache.expire(Instant::now());
    }
}

/// How a migration ends for the client.
enum End {
    Done,
    NoKey,
    Failed(Vec<u8>),
}

/// One migration, from the keys to the answer.
fn run(shared: &Arc<Shared>, migration: &Migration) {
    let (started, engine) = (clock::monotonic_ns(), &shared.engine);
    let executor = || Executor::new(engine.clone());
    let (db, was_replica) = (migration.from_db, engine.is_replica());
    let hold = (!migration.copies).then(|| engine.hold(db, &migration.keys));
    let parcels = executor().pick_up(db, &migration.keys, hold.as_ref());
    let (mut end, mut written) = (End::NoKey, None);
    if !parcels.is_empty() {
        let outcome = send(&shared.migrations.cache, migration, &parcels);
        let arrived: Vec<&Parcel> =
            parcels.iter().zip(&outcome.has_got).filter(|(_, got)| **got).map(|(parcel, _)| parcel).collect();
        end = end_of(&outcome);
        if !migration.copies && !arrived.is_empty() {
            match executor().hand_over(db, &arrived, was_replica) {
                HandedOver::Gone { written: offset } => written = offset,
                HandedOver::SomeChanged => end = End::Failed(CHANGED.into()),
                HandedOver::NotOurs => end = End::Failed(NOT_OURS.into()),
            }
        }
    }
    let mut last = executor();
    last.let_go(&parcels, hold);
    shared.wake_workers();
    let nanos = clock::monotonic_ns() - started;
    if last.is_slow(nanos)
        && let Some(command) = table().original(b"migrate")
    {
        last.note_slow(&migration.client, command, &Args::owned(&migration.words), nanos);
    }
    let mut reply = Reply::new();
    reply.set_suppressed(migration.is_silent);
    match end {
        End::Done => reply.ok(),
        End::NoKey => reply.simple("NOKEY"),
        End::Failed(text) => reply.error_bytes(&text),
    }
    shared.answer(&migration.client, Answer { reply: reply.buf, written, closes: false });
}

/// Sends the parcels, on a connection that is there or on a new one. If that was of no use and it is sure that nothing has been
/// acknowledged, a second time on a new one: the other end may have closed what was kept.
fn send(cache: &Cache, migration: &Migration, parcels: &[Parcel]) -> Outcome {
    let name = format!("{}:{}", migration.host, migration.port);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let target = cache
            .take(&name)
            .map_or_else(|| Target::connect(&migration.host, &migration.port, migration.timeout), Ok);
        let mut target = match target {
            Ok(target) => target,
            Err(broken) => return Outcome { broken: Some(broken), ..Outcome::default() },
        };
        let outcome = target.restore(migration, parcels, UnixMs(clock::now_ms()));
        match outcome.broken {
            None => {
                cache.put(name, target, Instant::now());
                return outcome;
            }
            Some(broken)
                if attempts == 1
                    && outcome.has_got.is_empty()
                    && outcome.refusal.is_none()
                    && Broken::is_worth_retrying(broken) => {}
            Some(_) => return outcome,
        }
    }
}

/// What the client hears: what the target has refused, or else where the conversation broke off.
fn end_of(outcome: &Outcome) -> End {
    match (&outcome.refusal, outcome.broken) {
        (Some(refusal), _) => {
            End::Failed([b"ERR Target instance replied with error: ".as_slice(), refusal].concat())
        }
        (None, Some(broken)) => End::Failed(broken.text().into()),
        (None, None) => End::Done,
    }
}
