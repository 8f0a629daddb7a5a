//! What a command is made of: its row, its arguments, what its handler may touch, its effect and its failures.
//!
//! Read by the command groups beside this folder, which consist of rows and handlers, and by `exec`, which runs them.
//! Always: handlers are pure with respect to the machine. They see locked entries, arguments, the time and a random
//! source; they never touch a socket, a file, a thread or the backlog. What must reach further goes through `Host`.

pub mod args;
pub mod blocking;
pub mod effect;
pub mod failure;
pub mod help;
pub mod host;
pub mod keys;
pub mod row;
pub mod scan;
pub mod table;

pub use args::Args;
pub use blocking::{Answer, Awaited, Blocking, Wish};
pub use effect::{Effect, Rewrite};
pub use failure::Failure;
pub use host::Host;
pub use row::{Flags, Group, KeyHandler, Keys, Row, Run, flags};

use crate::base::ids::UnixMs;
use crate::base::random::Rng;
use crate::config::Config;
use crate::keyspace::space::Space;
use crate::pubsub::Publisher;
use crate::resp::reply::Reply;
use crate::session::Session;

/// What a handler on keys sees.
pub struct Ctx<'c, 'a> {
    pub args: Args<'c>,
    pub reply: &'c mut Reply,
    pub space: &'c mut Space<'a>,
    pub rng: &'c mut Rng,
    /// Where messages for subscribers go.
    pub publisher: &'c mut Publisher,
    pub config: &'c Config,
    /// As error texts name the command: `set`, `object|freq`.
    pub full_name: &'static str,
    /// Whether the request is a client's or comes from our primary (whose conditions are taken as they come).
    pub from_primary: bool,
    /// May it wait for its keys? See `blocking`.
    pub blocking: Blocking,
}

impl Ctx<'_, '_> {
    pub fn now(&self) -> UnixMs {
        self.space.now()
    }
}

/// What a handler on the session and the server sees.
pub struct Control<'c> {
    pub reply: &'c mut Reply,
    pub session: &'c mut Session,
    pub host: &'c dyn Host,
    pub now: UnixMs,
    pub rng: &'c mut Rng,
    pub full_name: &'static str,
    /// May a command on the whole keyspace answer later? Not within EXEC, and not in a primary's stream.
    pub may_block: bool,
    /// What becomes of the connection after this command.
    pub next: Next,
}

/// What becomes of a connection after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Continue,
    /// The replies go out, then it closes.
    Close,
    /// No further command of this connection runs until `Host` answers for it (WAIT).
    Block,
    /// Clients are paused: the command is tried again when they are not.
    Postpone,
    /// The socket leaves the worker for a replica sender (PSYNC, SYNC).
    BecomeReplica,
}

impl Next {
    /// What becomes of the connection after a transaction: closing wins, waiting and leaving are not for transactions.
    pub fn or(self, other: Next) -> Next {
        match (self, other) {
            (Next::Close, _) | (_, Next::Close) => Next::Close,
            (_, Next::Continue | Next::Block | Next::Postpone | Next::BecomeReplica) => Next::Continue,
        }
    }
}
