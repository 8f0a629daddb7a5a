//! Apply: runs what our primary sends. It has passed all gates there, and its effect is what was sent.
//!
//! ```text
//!  one command    lock its shards -> handler                       the link appends the same bytes to our own stream
//!  a unit         lock the shards of all its commands -> handlers      before its next checkpoint
//!  whole keyspace the world stands still -> handlers -> append
//! ```
//!
//! Called by the link to the primary (`replication::replica`), which knows the grammar of the stream. Always: no key counts
//! as expired, no reply is sent, no effect is committed; a failure means that our data set is not our primary's.

use std::sync::Arc;

use crate::backlog::Writer;
use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::table::Command;
use crate::commands::spec::{Args, Ctx, Failure, KeyHandler, Run, keys};
use crate::exec::announce::announce;
use crate::exec::engine::{Engine, View};
use crate::exec::executor::{Executor, open};
use crate::exec::stats::Count;
use crate::keyspace::space::{Expiry, ShardRef, Space, Surroundings};
use crate::resp::reply::Reply;
use crate::session::Session;

/// A command of a unit, and the database that the stream is in when it comes.
pub struct Placed<'a> {
    pub db: DbIndex,
    pub command: &'static Command,
    pub args: Args<'a>,
}

impl Placed<'_> {
    /// Does it reach beyond the keys that it names?
    pub fn needs_whole(&self) -> bool {
        match self.command.row.run {
            Run::Keyed(_) => false,
            Run::Far { reach, .. } => reach(&self.args),
            Run::Walk(_) | Run::Whole(_) | Run::Control(_) | Run::Exec | Run::Watch | Run::Container => true,
        }
    }
}

/// A command of the stream that failed.
pub struct FailedCommand {
    /// Its place in the unit.
    pub index: usize,
    pub failure: Failure,
}

/// What became of a unit for which the world had to stand still.
pub enum Standing {
    Applied,
    /// By then nobody wanted it any more; nothing has changed.
    Unwanted,
    Failed(FailedCommand),
}

impl Executor {
    /// An executor that applies a primary's stream: the only one that appends to the stream of a replica.
    pub fn for_link(engine: Arc<Engine>) -> Executor {
        Executor::with_role(engine, true)
    }

    /// What a primary sends meets keys past their deadline, and the primary ends the deadlines that it sets.
    fn surroundings_of_link<'v>(view: &'v View, engine: &'v Engine, now: UnixMs) -> Surroundings<'v> {
        Surroundings { expiry: Expiry::Ignore, own_deadlines: None, ..Self::surroundings(view, engine, now) }
    }

    /// Applies one command on keys. `reply` is scratch and stays empty if it is suppressed.
    ///
    /// # Errors
    /// The handler's; nothing has changed then.
    #[inline]
    pub fn apply(
        &mut self,
        db: DbIndex,
        command: &'static Command,
        handler: KeyHandler,
        args: Args<'_>,
        hash: Option<u64>,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        let around = Self::surroundings_of_link(&self.view, &self.engine, self.now);
        let mut space = open(&self.view, db, command, &args, hash, around);
        let mut ctx = Ctx {
            from_primary: true,
            ..self.means.ctx(&self.view.config, command.full_name, args, reply, &mut space)
        };
        let result = handler(&mut ctx);
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
        result.map(drop)
    }

    /// Applies several commands under all their locks, as one.
    ///
    /// # Errors
    /// The first failure; the commands before it have been applied.
    pub fn apply_unit(&mut self, unit: &[Placed<'_>], reply: &mut Reply) -> Result<(), FailedCommand> {
        let Some(first) = unit.first() else { return Ok(()) };
        let around = Self::surroundings_of_link(&self.view, &self.engine, self.now);
        let keyspace = &self.view.keyspace;
        let mut shards: Vec<ShardRef> = Vec::with_capacity(unit.len());
        for placed in unit {
            keys::each(placed.command.row.keys, &placed.args, placed.db, keyspace.databases(), |db, key| {
                shards.push(Space::shard_ref(keyspace, db, key));
            });
        }
        let mut space = Space::many(keyspace, first.db, shards, around);
        let mut result = Ok(());
        for (index, placed) in unit.iter().enumerate() {
            let (Run::Keyed(handler) | Run::Far { handler, .. }) = placed.command.row.run else {
                unreachable!("a unit with such a command needs the world to stand still")
            };
            space.select(placed.db);
            let mut ctx = Ctx {
                from_primary: true,
                ..self.means.ctx(&self.view.config, placed.command.full_name, placed.args, reply, &mut space)
            };
            if let Err(failure) = handler(&mut ctx) {
                result = Err(FailedCommand { index, failure });
                break;
            }
        }
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
        result
    }

    /// Applies several commands while the world stands still, if `is_wanted` says so by then; `append` puts them into our
    /// own stream before anybody goes on. This thread is a running participant of the barrier before and after.
    pub fn apply_standing(
        &mut self,
        session: &mut Session,
        unit: &[Placed<'_>],
        reply: &mut Reply,
        is_wanted: impl FnOnce() -> bool,
        append: impl FnOnce(&mut Writer),
    ) -> Standing {
        let engine = self.engine.clone();
        self.participant.park();
        let outcome = engine.barrier.stop(None, || {
            self.refresh();
            if !is_wanted() {
                return Standing::Unwanted;
            }
            for (index, placed) in unit.iter().enumerate() {
                if let Err(failure) = self.apply_one_standing(session, placed, reply) {
                    return Standing::Failed(FailedCommand { index, failure });
                }
                // The command may have replaced the keyspace (FLUSHALL).
                self.refresh();
            }
            if let Some(writer) = self.stream.writer() {
                append(writer);
            }
            Standing::Applied
        });
        self.unpark();
        self.serve_all();
        outcome
    }

    fn apply_one_standing(
        &mut self,
        session: &mut Session,
        placed: &Placed<'_>,
        reply: &mut Reply,
    ) -> Result<(), Failure> {
        match placed.command.row.run {
            Run::Keyed(handler) | Run::Far { handler, .. } => {
                self.apply(placed.db, placed.command, handler, placed.args, None, reply)
            }
            Run::Whole(handler) => {
                session.db = placed.db;
                let done = self.whole_effect(session, placed.command, handler, placed.args, reply, false)?;
                self.counters.add(Count::Dirty, done.dirty);
                Ok(())
            }
            Run::Walk(_) | Run::Control(_) | Run::Exec | Run::Watch | Run::Container => {
                Err(Failure::text("ERR this command has no place in a replication stream"))
            }
        }
    }
}
