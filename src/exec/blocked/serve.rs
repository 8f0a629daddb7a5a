//! Blocking and serving, as an executor does them.
//!
//! `blocking` runs a client's command that may have to wait; `serve` runs the commands of those who wait for keys that have
//! become ready. Called by the executor, at the end of every command, transaction and applied unit that made a key ready.
//! Always: no lock is held between two services, and the locks of a service are those of its command's row.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::clock;
use crate::base::ids::DbIndex;
use crate::commands::spec::KeyHandler;
use crate::commands::spec::table::Command;
use crate::commands::spec::{Answer, Args, Awaited, Blocking, Ctx, Effect, Next, Wish, keys};
use crate::exec::announce::{announce, remember_keys};
use crate::exec::blocked::registry::Registry;
use crate::exec::blocked::waiter::{WaitState, Waiter};
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, fail, open};
use crate::exec::held::changes_held;
use crate::keyspace::space::Space;
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::types::Kind;

/// Keys, in the order in which they became ready.
pub(in crate::exec) type Ready = Vec<(DbIndex, Vec<u8>)>;

/// What became of a waiter whose turn it was.
#[derive(PartialEq, Eq, Debug)]
enum Turn {
    /// It has its answer, or did not need one any more.
    Ended,
    /// There was nothing for it.
    Waits,
}

impl Engine {
    /// The server has become a replica: whoever waits for keys is told so and disconnected.
    pub fn end_all_waits(&self) {
        const CHANGED: &str =
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
        for waiter in self.blocked.cancel_all() {
            self.host().answer(&waiter.client, waiter.refused(CHANGED, true));
        }
    }
}

impl Executor {
    /// Runs a client's command that may have to wait.
    pub(in crate::exec) fn blocking(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: KeyHandler,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Next {
        loop {
            let (engine, view) = (&self.engine, &self.view);
            let around = Self::surroundings(view, engine, self.now);
            let mut space = open(view, session.db, command, &args, None, around);
            // Those who came before are served before: between a push and its service the element is theirs.
            let claimed = claimed_key(&engine.blocked, &mut space, command, &args, session.db);
            if let Some(key) = claimed {
                self.stream.commit(session.db, &args, Effect::None, &space.changes.expired);
                announce(&mut self.means.publisher, &mut space);
                let tally = space.changes.tally;
                drop(space);
                self.tally(tally);
                self.serve(vec![(session.db, key)]);
                continue;
            }
            let mark = reply.len();
            let mut ctx = Ctx {
                blocking: Blocking::allowed(),
                ..self.means.ctx(&view.config, command.full_name, args, reply, &mut space)
            };
            let result = handler(&mut ctx);
            let wish = ctx.blocking.take();
            let effect = result.unwrap_or_else(|failure| {
                fail(&self.counters, command, &failure, mark, reply);
                Effect::None
            });
            let written = self.stream.commit(session.db, &args, effect, &space.changes.expired);
            remember_keys(&self.engine, session, command, &args);
            announce(&mut self.means.publisher, &mut space);
            let mut next = Next::Continue;
            if let Some(wish) = wish {
                debug_assert_eq!(reply.len(), mark, "a command that blocks says nothing");
                let waiter = Arc::new(waiter(session, command, handler, &args, *wish, reply));
                session.client.is_blocked.store(true, Relaxed);
                // Still under the locks of its keys: who makes one ready from here on sees that somebody waits.
                engine.blocked.enter(&waiter);
                self.waiter = Some(waiter);
                next = Next::Block;
            }
            let tally = space.changes.tally;
            let ready = std::mem::take(&mut space.changes.ready);
            drop(space);
            if written {
                session.last_write_offset = self.stream.last_offset;
            }
            self.tally(tally);
            self.serve(ready);
            return next;
        }
    }

    /// The wait that the last request has begun.
    pub fn take_waiter(&mut self) -> Option<Arc<Waiter>> {
        self.waiter.take()
    }

    /// Serves those who wait for keys that have become ready. No lock is held by this thread.
    #[inline]
    pub(in crate::exec) fn serve(&mut self, ready: Ready) {
        if !ready.is_empty() {
            self.serve_waiters(ready);
        }
    }

    /// After databases have been emptied or exchanged: any key may have come or gone.
    pub(in crate::exec) fn serve_all(&mut self) {
        if self.engine.blocked.is_active() {
            self.serve_waiters(self.engine.blocked.keys());
        }
    }

    #[cold]
    fn serve_waiters(&mut self, ready: Ready) {
        // What made the keys ready may have taken its time, and keys may have expired meanwhile.
        self.tick();
        let mut queue: VecDeque<(DbIndex, Vec<u8>)> = ready.into();
        while let Some((db, key)) = queue.pop_front() {
            for kind in [Kind::List, Kind::SortedSet] {
                // Each service takes from the value, so whoever is not first has to wait until the first has been served.
                while let Some(first) = self.engine.blocked.first(db, &key, kind) {
                    if self.turn(&first, &key, &mut queue) == Turn::Waits {
                        break;
                    }
                }
            }
            // Streams are read, not emptied: everybody has a look.
            for waiter in self.engine.blocked.all(db, &key, Kind::Stream) {
                self.turn(&waiter, &key, &mut queue);
            }
        }
    }

    /// Runs a waiter's command on its behalf.
    fn turn(&mut self, waiter: &Arc<Waiter>, key: &[u8], queue: &mut VecDeque<(DbIndex, Vec<u8>)>) -> Turn {
        let started = clock::monotonic_ns();
        let (engine, view) = (&self.engine, &self.view);
        let args = Args::owned(&waiter.words);
        // BLMOVE to a key that is on its way to another server: it is served when that is over.
        let databases = view.keyspace.databases();
        if view
            .held
            .as_ref()
            .is_some_and(|all| changes_held(all, waiter.db, waiter.command, &args, databases))
        {
            return Turn::Waits;
        }
        let around = Self::surroundings(view, engine, self.now);
        let mut space = open(view, waiter.db, waiter.command, &args, None, around);
        // Under the lock of its key: it was the first then, and still is.
        if !waiter.begin() {
            return Turn::Ended;
        }
        let kind = space.peek_in(waiter.db, key).map(|entry| entry.kind());
        let mut reply = waiter.reply();
        let mut result = None;
        if kind == Some(waiter.kind) || waiter.wakes_when_gone {
            let mut ctx = Ctx {
                blocking: Blocking::again(),
                ..self.means.ctx(&view.config, waiter.command.full_name, args, &mut reply, &mut space)
            };
            let effect = (waiter.handler)(&mut ctx);
            if ctx.blocking.take().is_none() {
                result = Some(effect.unwrap_or_else(|failure| {
                    // The client's worker counts it as it passes the answer on, as it does for every wait that ends in an error.
                    reply.truncate(0);
                    reply.error(&failure.0);
                    Effect::None
                }));
            }
        }
        let ended = result.is_some();
        let effect = result.unwrap_or(Effect::None);
        // What clients of a writable replica do stays there; the link's stream is its primary's.
        let written = !self.is_link && self.stream.commit(waiter.db, &args, effect, &space.changes.expired);
        let touched = std::mem::take(&mut space.changes.touched);
        announce(&mut self.means.publisher, &mut space);
        if ended {
            self.engine.blocked.leave(waiter);
            waiter.finish();
        } else {
            waiter.rest();
        }
        let tally = space.changes.tally;
        queue.extend(std::mem::take(&mut space.changes.ready));
        drop(space);
        self.tally(tally);
        if !ended {
            self.means.publisher.tell(touched);
            return Turn::Waits;
        }
        let nanos = clock::monotonic_ns() - started;
        if self.is_slow(nanos) {
            self.note_slow(&waiter.client, waiter.command, &args, nanos);
        }
        let written = written.then_some(self.stream.last_offset);
        self.engine.host().answer(&waiter.client, Answer { reply: reply.buf, written, closes: false });
        // Behind the answer, if the client itself has cached what its command has changed.
        self.means.publisher.tell(touched);
        Turn::Ended
    }
}

/// A key of the command whose value belongs to somebody who waits for it already.
fn claimed_key(
    registry: &Registry,
    space: &mut Space<'_>,
    command: &Command,
    args: &Args<'_>,
    db: DbIndex,
) -> Option<Vec<u8>> {
    if !registry.is_active() {
        return None;
    }
    let keys = keys::positions(command.row.keys, args).into_iter().map(|index| args.get(index));
    let mut keys = keys.filter(|key| {
        [Kind::List, Kind::SortedSet].into_iter().any(|kind| {
            registry.first(db, key, kind).is_some()
                && space.peek_in(db, key).is_some_and(|entry| entry.kind() == kind)
        })
    });
    keys.next().map(<[u8]>::to_vec)
}

/// The waiter that a client becomes with this wish.
fn waiter(
    session: &Session,
    command: &'static Command,
    handler: KeyHandler,
    args: &Args<'_>,
    wish: Wish,
    reply: &Reply,
) -> Waiter {
    let mut keys = keys::positions(command.row.keys, args);
    match wish.keys {
        Awaited::All => {}
        Awaited::First => keys.truncate(1),
    }
    let words = wish.words.unwrap_or_else(|| args.to_vec());
    debug_assert_eq!(words.len(), args.len(), "the keys stand where they stood");
    let mut seen: Vec<&[u8]> = Vec::with_capacity(keys.len());
    keys.retain(|index| {
        let key = words[*index].as_slice();
        let is_new = !seen.contains(&key);
        seen.push(key);
        is_new
    });
    Waiter {
        client: session.client.clone(),
        db: session.db,
        command,
        handler,
        keys,
        kind: wish.kind,
        wakes_when_gone: wish.wakes_when_gone,
        deadline: wish.deadline,
        resp3: reply.resp3(),
        is_silent: reply.suppressed(),
        words,
        state: WaitState::new(),
    }
}
