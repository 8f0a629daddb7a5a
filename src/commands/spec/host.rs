//! Host: what the server offers to commands that reach beyond keys.
//!
//! Declared here, below, and implemented by `server::host`, above: a control command calls upward through this trait
//! and through nothing else.
//! Always: methods may take their time (save, stop the world), so they are called without any shard lock held.

use std::sync::Arc;
use std::time::Duration;

use crate::base::histogram::Distribution;
use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::table::CommandId;
use crate::commands::spec::{Answer, Failure};
use crate::config::{Asker, Live};
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Stamp;
use crate::keyspace::watch::WatchTable;
use crate::pubsub::{Registry, tracking};
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::session::client::Client;
use crate::session::roster::Roster;
use crate::watching::{Latency, SlowLog};

/// What REPLICAOF has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replicaof {
    Changed,
    /// That primary is the one that we follow.
    AlreadyThere,
}

/// What became of BGSAVE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saving {
    Started,
    /// It will start as soon as nothing stands in the way.
    Scheduled,
}

/// What became of DEBUG RELOAD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reloading {
    Done,
    /// The client blocks, and is answered when it is done.
    UnderWay,
}

/// What SHUTDOWN asks for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Shutdown {
    /// Who asks, and is told if it fails; 0 for a signal.
    pub client: u64,
    /// Save the data set first? Without a word: if save points are configured.
    pub saves: Option<bool>,
    /// Do not wait for replicas.
    pub is_now: bool,
    /// Stop even if the data set cannot be saved.
    pub is_forced: bool,
}

/// What MIGRATE asks for.
#[derive(Debug)]
pub struct Migration {
    /// Where the keys go, as the client has put it.
    pub host: String,
    pub port: String,
    pub to_db: i64,
    /// For each step: connecting, writing, each line of reply.
    pub timeout: Duration,
    /// The keys stay here as well.
    pub copies: bool,
    /// Keys of the target may be replaced.
    pub replaces: bool,
    /// What stands behind AUTH: a password, or a user and a password.
    pub credentials: Vec<Vec<u8>>,
    pub from_db: DbIndex,
    pub keys: Vec<Vec<u8>>,
    /// The whole request, for the slow log.
    pub words: Vec<Vec<u8>>,
    /// Who asks, and is answered.
    pub client: Arc<Client>,
    /// CLIENT REPLY OFF or SKIP: the answer is not sent.
    pub is_silent: bool,
}

/// What FAILOVER asks for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FailoverWish {
    /// Address and port of the replica that takes over, as INFO names it; none: whichever has everything first.
    pub target: Option<(String, i64)>,
    /// For how long it may be waited for.
    pub timeout: Option<Duration>,
    /// When the time is over the target takes over with what it has, instead of nobody.
    pub is_forced: bool,
}

/// Whether clients that hold much will soon hold less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relief {
    /// Some are about to be closed.
    UnderWay,
    /// They hold a good part of what they may: some may have to go. The last one went `idle_ns` nanoseconds ago.
    Possible {
        idle_ns: u64,
    },
    None,
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblocking {
    /// As if its time were over.
    TimeOut,
    /// With an error.
    Error,
}

/// What CLIENT PAUSE keeps back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Extent {
    /// Commands that change something, here or on replicas.
    Writes,
    All,
}

/// A pause of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    pub extent: Extent,
    /// The first moment at which commands run again.
    pub until: UnixMs,
}

/// What memory went to, in bytes: for MEMORY and INFO.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct MemoryFigures {
    /// Handed out by the allocator now, at most since the last CONFIG RESETSTAT, and when the server had started.
    pub used: u64,
    pub peak: u64,
    pub startup: u64,
    /// What the system has given us.
    pub resident: u64,
    /// The backlog, which all replicas read from.
    pub backlog: u64,
    /// Buffers of connections, and how many of these there are.
    pub replicas: u64,
    pub replica_count: u64,
    pub clients: u64,
    pub client_count: u64,
    /// Tables of all databases, without what their entries point to.
    pub tables: u64,
}

impl MemoryFigures {
    /// What is not data.
    pub fn overhead(&self) -> u64 {
        (self.startup + self.backlog + self.replicas + self.clients + self.tables).min(self.used)
    }

    pub fn dataset(&self) -> u64 {
        self.used - self.overhead()
    }

    /// What has come since the start: of this the data set is a share.
    pub fn beyond_startup(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }
}

pub trait Host: Send + Sync {
    fn config(&self) -> &Live;
    fn keyspace(&self) -> Arc<Keyspace>;
    /// With what entries are stamped that are new since the last cut. Only while the world stands still.
    fn stamp(&self) -> Stamp;
    fn watches(&self) -> &WatchTable;
    fn roster(&self) -> &Roster;
    /// The last slow commands.
    fn slow_log(&self) -> &SlowLog;
    /// What took long, and when.
    fn latency(&self) -> &Latency;
    /// How the durations of a command are distributed.
    fn durations(&self, command: CommandId) -> Distribution;
    /// Who is subscribed to what.
    fn pubsub(&self) -> &Registry;
    /// Which clients cache what.
    fn tracking(&self) -> &tracking::Table;
    /// CLIENT PAUSE, on top of a pause that is on; none ends it.
    fn pause(&self, pause: Option<Pause>);
    /// Makes `keyspace` the current one. Only while the world stands still.
    fn replace_keyspace(&self, keyspace: Keyspace);
    /// Gives the memory of databases that are no longer current back, on a thread of its own. True if that thread will
    /// answer OK to the client that waits for it, which blocks until then.
    fn discard(&self, keyspace: Arc<Keyspace>, waiting: Option<&Arc<Client>>) -> bool;
    /// CONFIG SET: validates all, applies all or none.
    fn set_config(&self, asker: Asker, pairs: &[(&[u8], &[u8])]) -> Result<(), Failure>;
    /// Chooses clients to be closed, if all together hold more than `maxmemory-clients`. Will there be less soon?
    fn client_relief(&self, now_ns: u64) -> Relief;
    /// CONFIG RESETSTAT: what INFO counts begins at 0 again.
    fn reset_statistics(&self);
    /// The text of INFO for the sections that were asked for by name; the default ones if `sections` is empty.
    fn info(&self, sections: &[&[u8]], now: UnixMs) -> String;
    /// What memory went to at this moment.
    fn memory(&self) -> MemoryFigures;
    /// Runs `work` while no thread is inside a command. Only from an administrative command, whose thread counts as parked.
    fn stand_still(&self, work: &mut dyn FnMut());
    /// DEBUG SET-ACTIVE-EXPIRE.
    fn set_active_expiry(&self, on: bool);
    /// DEBUG PAUSE-CRON: nothing happens by the clock from now on, or again.
    fn pause_cron(&self, on: bool);
    /// DEBUG REPLICATE: puts a command, as it is sent, into the stream.
    fn feed_replicas(&self, command: &[u8]);
    /// SHUTDOWN: leaves the wish with the main thread. The client, blocked, hears only of a failure.
    fn shutdown(&self, wish: Shutdown);
    /// SHUTDOWN ABORT: false if there is no shutdown that could still be called off.
    fn abort_shutdown(&self) -> bool;
    /// DEBUG RELOAD: the data set as it is on disk becomes the current one. Within EXEC when this returns; otherwise on a
    /// thread of its own, which answers the client, so that all others hear -LOADING meanwhile.
    fn reload(&self, saves_first: bool, client: &Arc<Client>, now: UnixMs) -> Result<Reloading, Failure>;
    /// DEBUG CHANGE-REPL-ID: the replication history gets a name that nobody knows.
    fn rename_history(&self);

    fn is_replica(&self) -> bool;
    /// Is the data set not there yet?
    fn is_loading(&self) -> bool;
    /// Closes a client or a replica, after the replies that it still has to get.
    fn kill(&self, client: &Client);
    /// Cuts the link to our primary if it is at `address` (`ip:port`; empty for any). How many links that were: 0 or 1.
    fn kill_link(&self, address: &[u8]) -> usize;
    /// The link to our primary as a line of CLIENT LIST; empty if there is none.
    fn describe_link(&self) -> String;
    /// Forgets what the session watches.
    fn unwatch(&self, session: &mut Session);

    /// May this client become a replica now? `failover`: it asks us, a replica, to take over history of this name first,
    /// and when this returns we have.
    fn admit_replica(&self, session: &Session, failover: Option<&[u8]>) -> Result<(), Failure>;
    /// REPLICAOF: follow the primary at (host, port), or nobody.
    fn replicaof(&self, primary: Option<(&str, u16)>, session: &Session) -> Result<Replicaof, Failure>;
    /// FAILOVER: a replica is to take over. Returns when writes are paused; the rest happens on a thread of its own.
    fn failover(&self, wish: FailoverWish) -> Result<(), Failure>;
    /// FAILOVER ABORT: false if there is none.
    fn abort_failover(&self) -> bool;
    /// WAIT: how many replicas acknowledged the client's last write. None: it blocks, and is answered later.
    fn wait(
        &self,
        session: &Session,
        replicas: i64,
        timeout_ms: i64,
        may_block: bool,
    ) -> Result<Option<i64>, Failure>;
    /// A client that waited for keys has its answer, and goes on. Any thread; never blocks.
    fn answer(&self, client: &Client, answer: Answer);
    /// MIGRATE: on a thread of its own, which answers the client.
    fn migrate(&self, migration: Migration) -> Result<(), Failure>;
    /// CLIENT UNBLOCK: false if no such client is blocked.
    fn unblock_client(&self, id: u64, how: Unblocking) -> bool;
    /// The reply to ROLE.
    fn write_role(&self, reply: &mut Reply);
    /// SAVE: returns when the data set is on disk.
    fn save(&self, now: UnixMs) -> Result<(), Failure>;
    /// BGSAVE; `schedule` if it may start later.
    fn bgsave(&self, schedule: bool, now: UnixMs) -> Result<Saving, Failure>;
    /// Gives up a background save that is under way.
    fn abandon_save(&self);
    /// FLUSHALL, while the world stands still: brings the file to what is left. False if that could not be done at once.
    fn save_flushed(&self, now: UnixMs) -> bool;
    /// When the data set was saved last.
    fn last_save(&self) -> UnixMs;
}
