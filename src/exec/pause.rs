//! Pause: CLIENT PAUSE keeps commands of clients back for a while, all of them or those that change something.
//!
//! ```text
//!  CLIENT PAUSE --> Engine::pause --view--> gate of every executor: Next::Postpone --> the connection waits in its worker
//!  CLIENT UNPAUSE, or the end of its time  --> the workers let their waiting connections try again
//! ```
//!
//! A shutdown and a failover that wait for replicas pause writes as well. Asked by the executor before a command runs or is queued.
//! Always: while clients are paused the data set stands still: no key expires either, and the link holds our primary's stream back.
//! Replicas are not paused.

use crate::base::ids::UnixMs;
use crate::commands::spec::host::{Extent, Pause};
use crate::commands::spec::table::{Command, CommandId, table};
use crate::commands::spec::{Flags, Run};
use crate::session::Session;

impl Pause {
    pub fn is_on(&self, now: UnixMs) -> bool {
        now < self.until
    }

    /// Both at once: the wider extent and the later end.
    pub fn and(self, other: Option<Pause>) -> Pause {
        match other {
            None => self,
            Some(other) => Pause {
                extent: self.extent.max(other.extent),
                until: UnixMs(self.until.0.max(other.until.0)),
            },
        }
    }

    /// Has this command to wait?
    #[cold]
    pub fn stops(&self, session: &Session, command: &Command, now: UnixMs) -> bool {
        if !self.is_on(now) {
            return false;
        }
        match self.extent {
            Extent::All => true,
            Extent::Writes => changes(command) || is_exec_of_changes(session, command),
        }
    }
}

pub(super) fn changes(command: &Command) -> bool {
    let flags = command.row.flags;
    flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE)
}

fn is_exec_of_changes(session: &Session, command: &Command) -> bool {
    let queue = session.transaction.as_ref().filter(|_| matches!(command.row.run, Run::Exec));
    queue.is_some_and(|transaction| {
        transaction.queue.iter().any(|queued| changes(table().get(CommandId(queued.command))))
    })
}
