//! Held keys: keys that are on their way to another server (MIGRATE), which nobody changes until they have arrived.
//!
//! ```text
//!  MIGRATE's thread --> Engine::hold --view--> gate of every executor: Next::Postpone --> the connection waits in its worker
//!  Hold is dropped                   --view--> the workers let their waiting connections try again
//! ```
//!
//! Redis serves nobody while it talks to the target; here those wait who would change the keys in question, and all others are
//! served. Asked by the executor before a command runs, by those who serve blocked clients, and by active expiry for fields.
//! Always: from the first look at the keys (after the world has stood still once) to their deletion no command changes a held
//! key. Expiry and eviction may delete it, which loses nothing. Commands that only read go on.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::base::ids::DbIndex;
use crate::base::sync::lock;
use crate::commands::spec::table::{Command, CommandId, table};
use crate::commands::spec::{Args, Run, keys};
use crate::exec::engine::Engine;
use crate::exec::pause::changes;
use crate::exec::transaction::{self, select_of};
use crate::session::Session;

/// The keys of one migration.
pub struct HeldKeys {
    db: DbIndex,
    keys: HashSet<Vec<u8>>,
}

/// Those of all migrations that are under way.
pub type AllHeld = Vec<Arc<HeldKeys>>;

/// What is held now. Changed under the mutex, each time as a new list, so that executors keep theirs.
#[derive(Default)]
pub struct Held {
    all: Mutex<Arc<AllHeld>>,
    released: Condvar,
}

impl Held {
    /// For a view: none is the usual case.
    pub(super) fn current(&self) -> Option<Arc<AllHeld>> {
        let all = lock(&self.all).clone();
        (!all.is_empty()).then_some(all)
    }
}

/// Ends with its drop, however the migration ends.
pub struct Hold {
    engine: Arc<Engine>,
    keys: Arc<HeldKeys>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = &self.engine.held;
        let mut all = lock(&held.all);
        *all = Arc::new(all.iter().filter(|other| !Arc::ptr_eq(other, &self.keys)).cloned().collect());
        drop(all);
        self.engine.bump();
        held.released.notify_all();
    }
}

impl Engine {
    /// Holds these keys; waits as long as another migration holds one of them. Executors know of it after their next
    /// checkpoint. Not on a thread that serves clients.
    pub fn hold(self: &Arc<Engine>, db: DbIndex, keys: &[Vec<u8>]) -> Hold {
        let mine = Arc::new(HeldKeys { db, keys: keys.iter().cloned().collect() });
        let mut all = lock(&self.held.all);
        while all.iter().any(|other| other.db == db && !other.keys.is_disjoint(&mine.keys)) {
            all = self.held.released.wait(all).unwrap_or_else(PoisonError::into_inner);
        }
        *all = Arc::new(all.iter().chain([&mine]).cloned().collect());
        drop(all);
        self.bump();
        Hold { engine: self.clone(), keys: mine }
    }
}

/// Is this key held?
pub(super) fn holds(all: &AllHeld, db: DbIndex, key: &[u8]) -> bool {
    all.iter().any(|held| held.db == db && held.keys.contains(key))
}

/// Has this request to wait?
#[cold]
pub(super) fn stops(
    all: &AllHeld,
    session: &Session,
    command: &Command,
    args: &Args<'_>,
    databases: usize,
) -> bool {
    match &session.transaction {
        Some(transaction) if matches!(command.row.run, Run::Exec) => {
            let mut db = session.db;
            transaction.queue.iter().any(|queued| {
                let (command, args) = (table().get(CommandId(queued.command)), Args::owned(&queued.words));
                let changes_held = changes_held(all, db, command, &args, databases);
                db = select_of(command, &args, databases).unwrap_or(db);
                changes_held
            })
        }
        // It is only queued.
        Some(_) if !transaction::runs_at_once(command) => false,
        Some(_) | None => changes_held(all, session.db, command, args, databases),
    }
}

/// May this command change a held key?
pub(super) fn changes_held(
    all: &AllHeld,
    db: DbIndex,
    command: &Command,
    args: &Args<'_>,
    databases: usize,
) -> bool {
    if !changes(command) {
        return false;
    }
    // FLUSHALL, SWAPDB: any key.
    let mut found = matches!(command.row.run, Run::Whole(_));
    keys::each(command.row.keys, args, db, databases, |db, key| found |= holds(all, db, key));
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::{changes_held, holds};
    use crate::base::ids::{DbIndex, UnixMs};
    use crate::commands::spec::Args;
    use crate::commands::spec::table::table;
    use crate::config::{Config, Live, Origin};
    use crate::exec::engine::Engine;

    fn engine() -> Arc<Engine> {
        Arc::new(Engine::new(Arc::new(Live::new(Config::default(), Origin::default())), UnixMs(0)))
    }

    #[test]
    fn commands_that_would_change_a_held_key_have_to_wait() {
        let engine = engine();
        let hold = engine.hold(DbIndex(0), &[b"a".to_vec(), b"b".to_vec()]);
        let all = engine.held.current().expect("something is held");
        let check = |db, request: &str, waits| {
            let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
            let command = table().lookup(words[0]).expect("a command");
            let args = Args::borrowed(&words, None);
            assert_eq!(changes_held(&all, DbIndex(db), command, &args, 16), waits, "{db}: {request}");
        };
        check(0, "set a 1", true);
        check(1, "set a 1", false);
        check(0, "set c 1", false);
        check(0, "mset c 1 b 1", true);
        check(0, "get a", false);
        check(0, "pfcount a", true);
        check(0, "publish a 1", false);
        check(1, "copy c a db 0", true);
        check(0, "copy c d db 1", false);
        check(0, "sort c store a", true);
        check(0, "flushall", true);
        check(0, "keys *", false);
        check(0, "migrate h 1 x 0 5 keys c b", false);
        drop(hold);
        assert!(engine.held.current().is_none());
    }

    #[test]
    fn a_key_is_held_by_one_migration_at_a_time() {
        let engine = engine();
        let first = engine.hold(DbIndex(0), &[b"a".to_vec()]);
        let other = engine.hold(DbIndex(0), &[b"b".to_vec()]);
        let elsewhere = engine.hold(DbIndex(1), &[b"a".to_vec()]);
        let (sender, receiver) = channel();
        let waiting = engine.clone();
        let thread = std::thread::spawn(move || {
            let hold = waiting.hold(DbIndex(0), &[b"b".to_vec(), b"a".to_vec()]);
            sender.send(()).expect("the test listens");
            drop(hold);
        });
        assert!(receiver.recv_timeout(Duration::from_millis(20)).is_err());
        drop(first);
        assert!(receiver.recv_timeout(Duration::from_millis(20)).is_err());
        drop(other);
        receiver.recv_timeout(Duration::from_secs(10)).expect("both keys are free");
        thread.join().expect("it does not panic");
        let all = engine.held.current().expect("something is held");
        assert!(holds(&all, DbIndex(1), b"a") && !holds(&all, DbIndex(0), b"a"));
        drop(elsewhere);
    }
}
