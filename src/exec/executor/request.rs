//! A client's request, from the word that it begins with to the reply: what may refuse it, and what queues it.
//!
//! Called by the worker for each request that the lane leaves (`exec::lane`); what is admitted runs in `run`.
//! Always: a refused request changes nothing but statistics, and breaks the transaction that it was meant for.

use std::sync::atomic::Ordering::Relaxed;

use crate::commands::spec::table::{Command, CommandId};
use crate::commands::spec::{Args, Failure, Flags, Next};
use crate::exec::eviction::Room;
use crate::exec::executor::{Executor, Resolved};
use crate::exec::gates;
use crate::exec::held;
use crate::exec::monitor;
use crate::exec::stats::Count;
use crate::exec::transaction;
use crate::resp::reply::Reply;
use crate::session::{Queued, ReplyMode, Session};

impl Executor {
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
        let command = match self.admit(session, &args, resolved.command, reply) {
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
            return Self::postpone(session);
        }
        if let Some(all) = &self.view.held
            && held::stops(all, session, command, &args, self.view.keyspace.databases())
        {
            return Self::postpone(session);
        }
        self.counters.add(Count::Commands, 1);
        let next = match &mut session.transaction {
            Some(transaction) if !transaction::runs_at_once(command) => {
                if command.row.flags.has(Flags::NO_MULTI) || command.row.flags.has(Flags::ALONE) {
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
                if self.means.publisher.registry().is_monitored() {
                    monitor::feed(&self.means.publisher, session, command, &args);
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

    /// The request comes again as if it had not come yet.
    #[cold]
    fn postpone(session: &mut Session) -> Next {
        if session.reply_mode == ReplyMode::Skipping {
            session.reply_mode = ReplyMode::SkipNext;
        }
        Next::Postpone
    }

    /// The command that the last request ran, if it did.
    #[inline]
    pub fn ran(&self) -> Option<CommandId> {
        self.ran
    }

    /// Messages that a command has sent to its own client.
    #[inline]
    pub(in crate::exec) fn push_to_own(&mut self, reply: &mut Reply) {
        if !self.means.publisher.pushes.is_empty() {
            self.means.publisher.pushes.drain(..).for_each(|message| reply.pushed(&message));
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
        reply: &mut Reply,
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
            self.means.publisher.write_first(session.subscriptions.is_some(), reply);
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
}
