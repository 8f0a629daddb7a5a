//! How an admitted command runs, by the kind of its row: on its keys, over all shards, on the server, on the whole keyspace.
//!
//! ```text
//!  Keyed    lock its shards -> handler -> commit -> announce -> unlock -> serve those who waited
//!  Far      the same; the world stands still if it reaches beyond its keys
//!  Walk     one shard's lock at a time; nothing is committed
//!  Control  no lock; an administrative one leaves the barrier meanwhile
//!  Whole    the world stands still
//! ```
//!
//! Called by `request`, and by transactions for what they have queued. Always: a handler that fails has changed nothing,
//! and what it has written of a reply is taken back.

use crate::base::random::Rng;
use crate::commands::spec::row::WholeHandler;
use crate::commands::spec::table::Command;
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, KeyHandler, Next, Run};
use crate::exec::announce::{announce, remember_keys};
use crate::exec::executor::{Executor, fail, open};
use crate::exec::stats::Count;
use crate::exec::transaction;
use crate::keyspace::space::{Expiry, Space, Surroundings};
use crate::resp::reply::Reply;
use crate::session::Session;

/// What a command on the whole keyspace came to.
pub(in crate::exec) struct WholeDone {
    pub effect: Effect,
    pub dirty: u64,
    pub next: Next,
}

impl Executor {
    /// Runs an admitted command.
    pub(in crate::exec) fn call(
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
            Run::Whole(_) => self.whole(session, command, args, reply),
            Run::Exec => transaction::exec(self, session, reply),
            Run::Watch => transaction::watch(self, session, &args, reply),
            Run::Container => unreachable!("admit has replaced a container by its subcommand"),
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
        let mut ctx = self.means.ctx(&self.view.config, command.full_name, args, reply, &mut space);
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
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        if written {
            session.last_write_offset = self.stream.last_offset;
        }
        self.tally(tally);
        self.serve(ready);
    }

    /// A walk holds one shard's lock at a time, so it must not delete what it finds expired: the DEL could fall behind a
    /// later write of the same key. On a primary such keys are deleted after it, each under its own lock, unless clients are paused.
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
        let mut ctx = self.means.ctx(&self.view.config, command.full_name, args, reply, &mut space);
        if let Err(failure) = handler(&mut ctx) {
            fail(&self.counters, command, &failure, mark, reply);
        }
        announce(&mut self.means.publisher, &mut space);
        let met = std::mem::take(&mut space.changes.due);
        let tally = space.changes.tally;
        drop(space);
        self.tally(tally);
        if !self.view.is_replica && !self.view.is_paused(self.now) {
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
            rng: &mut self.means.rng,
            full_name: command.full_name,
            may_block: false,
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
    fn whole(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Next {
        let next = self.stand_still(|executor| executor.whole_standing(session, command, args, reply));
        self.serve_all();
        next
    }

    fn whole_standing(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Next {
        let Run::Whole(handler) = command.row.run else { unreachable!("only called for such rows") };
        let (db, mark) = (session.db, reply.len());
        let result = self.whole_effect(session, command, handler, args, reply, true);
        self.refresh();
        match result {
            Ok(done) => {
                if self.stream.commit(db, &args, done.effect, &[]) {
                    session.last_write_offset = self.stream.last_offset;
                }
                self.counters.add(Count::Dirty, done.dirty);
                done.next
            }
            Err(failure) => {
                fail(&self.counters, command, &failure, mark, reply);
                Next::Continue
            }
        }
    }

    /// Runs the handler; the world stands still. `may_block`: its client can wait for an answer that comes later.
    pub(in crate::exec) fn whole_effect(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        handler: WholeHandler,
        args: Args<'_>,
        reply: &mut Reply,
        may_block: bool,
    ) -> Result<WholeDone, Failure> {
        let engine = self.engine.clone();
        let keyspace = self.view.keyspace.clone();
        let mut around = Self::surroundings(&self.view, &engine, self.now);
        if self.is_link {
            around.expiry = Expiry::Ignore;
        }
        let mut space = Space::whole(&keyspace, session.db, around);
        // The handler has two sources of randomness in its hands, of which it uses one.
        let mut rng = Rng::from_seed(self.means.rng.next_u64());
        let mut ctx = Ctx {
            from_primary: self.is_link,
            ..self.means.ctx(&self.view.config, command.full_name, args, reply, &mut space)
        };
        let mut unused = Reply::new();
        let mut control = Control {
            reply: &mut unused,
            session,
            host: engine.host(),
            now: self.now,
            rng: &mut rng,
            full_name: command.full_name,
            may_block,
            next: Next::Continue,
        };
        let effect = handler(&mut ctx, &mut control)?;
        announce(&mut self.means.publisher, &mut space);
        Ok(WholeDone { effect, dirty: space.changes.tally.dirty, next: control.next })
    }
}
