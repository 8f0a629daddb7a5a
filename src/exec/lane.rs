//! The lane: plain commands of one client, one after another, with what they share set up once.
//!
//! ```text
//!  once      surroundings, space, context                    may this session's commands run as they come?
//!  for each  enter (lock) -> handler -> commit -> leave      until one is not plain, or leaves something to be done
//!  once      statistics; then keys that became ready are served
//! ```
//!
//! Called by the worker for the commands of a window, before the general way (`Executor::request`), which also takes up what
//! the lane leaves. Always: a command here does what it would do there; what this thread does on behalf of others
//! (waking blocked clients) happens without any lock held, before the client's next command.

use crate::commands::spec::table::CommandId;
use crate::commands::spec::{Args, Effect};
use crate::exec::announce::announce;
use crate::exec::executor::{Executor, Resolved, fail};
use crate::exec::stats::Count;
use crate::keyspace::space::Space;
use crate::resp::batch::Batch;
use crate::resp::reply::Reply;
use crate::session::{ReplyMode, Session};

/// Commands of a batch from `first` on, looked up. `buf` is the buffer that was parsed.
#[derive(Clone, Copy)]
pub struct Window<'w> {
    pub buf: &'w [u8],
    pub batch: &'w Batch,
    pub first: usize,
    pub resolved: &'w [Resolved],
}

/// How many commands before its turn an entry is brought into the first-level cache.
const NEAR: usize = 2;

impl Executor {
    /// Runs commands from the window's first on for as long as they are plain. How many it has run.
    pub fn lane(
        &mut self,
        session: &mut Session,
        window: Window<'_>,
        reply: &mut Reply,
        ran: &mut Vec<(CommandId, usize)>,
    ) -> usize {
        let is_plain = |resolved: &Resolved| resolved.command.is_some_and(|command| command.plain.is_some());
        if !self.is_lane_open(session) || !window.resolved.first().is_some_and(is_plain) {
            return 0;
        }
        let around = Self::surroundings(&self.view, &self.engine, self.now);
        let mut space = Space::lane(&self.view.keyspace, session.db, around);
        let mut ctx = self.means.ctx(&self.view.config, "", Args::borrowed(&[], None), reply, &mut space);
        let mut done = 0;
        for (index, resolved) in window.resolved.iter().enumerate() {
            if let Some(later) = window.resolved.get(index + NEAR) {
                later.block.draw_near();
            }
            let (Some(command), Some(hash)) = (resolved.command, resolved.hash) else { break };
            let Some(plain) = command.plain else { break };
            // Put where the handler finds them, and looked at there: to move them costs a stall.
            ctx.args = Args::parsed(window.batch.request(window.buf, window.first + done));
            if !command.row.accepts(ctx.args.len()) {
                break;
            }
            ctx.full_name = command.full_name;
            let mark = ctx.reply.len();
            ctx.space.enter(ctx.args.get(plain.key), hash);
            let result = (plain.handler)(&mut ctx);
            let has_expired = !ctx.space.changes.expired.is_empty();
            // Still under the shard's lock: the order of the stream is the order of the changes. The usual outcomes are told
            // by their tag alone: to move the others costs a stall.
            let written = match result {
                Ok(Effect::None) if !has_expired => false,
                Ok(Effect::Verbatim) if !has_expired => self.stream.commit_verbatim(session.db, &ctx.args),
                other => {
                    let effect = other.unwrap_or_else(|failure| {
                        fail(&self.counters, command, &failure, mark, ctx.reply);
                        Effect::None
                    });
                    self.stream.commit(session.db, &ctx.args, effect, &ctx.space.changes.expired)
                }
            };
            if written {
                session.last_write_offset = self.stream.last_offset;
            }
            let has_followers = ctx.space.changes.has_followers();
            if has_followers {
                announce(ctx.publisher, ctx.space);
            }
            ctx.space.leave();
            ran.push((command.id, window.first + done));
            done += 1;
            if has_expired {
                ctx.space.changes.expired.clear();
            }
            if has_followers {
                break;
            }
        }
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.counters.add(Count::Commands, done as u64);
        self.tally(tally);
        self.serve(ready);
        self.push_to_own(reply);
        done
    }

    /// May this session's commands run as they come, without a gate to pass and without being queued?
    #[inline]
    fn is_lane_open(&self, session: &Session) -> bool {
        session.authenticated
            && session.transaction.is_none()
            && session.reply_mode == ReplyMode::On
            && session.tracking.is_none()
            && !session.is_caching
            && !session.is_subscriber_mode()
            && !session.is_no_touch
            && self.view.is_open()
            && self.view.pause.is_none()
            && !self.view.thresholds.times_each
            && !self.means.publisher.registry().is_monitored()
    }
}
