//! The saver: when the data set goes to disk, and what became of it.
//!
//! ```text
//!                   BGSAVE, save point                    file written, or failed
//!   idle  ------------------------------------->  saving ------------------------> idle
//!     |    SCHEDULE, or a walk is under way          ^
//!     `------------------> scheduled ----------------'   by the next tick, or along with the next full sync
//! ```
//!
//! One per server. Called by SAVE, BGSAVE, LASTSAVE, INFO and SHUTDOWN through the host, and by cron (`tick`).
//! Always: one save at a time; no lock of this file is held while the world is being stopped or a file is written.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::base::alloc::used_memory;
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::codec::rdb::Dialect;
use crate::exec::engine::Engine;
use crate::exec::stats::Count;
use crate::persist::rdb::load::LoadReport;
use crate::persist::rdb::save::{SaveError, write_file};
use crate::snapshot::snapshots::Ticket;
use crate::snapshot::{Following, Request, SnapshotError, Snapshots, StartError, Subscription, WalkOptions};

/// After a save that failed, the next one by itself comes no sooner than this, as in Redis.
const RETRY_MS: i64 = 5000;

/// How often somebody who insists on saving looks whether what stands in the way has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What became of a wish to save in the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BgSave {
    Started,
    Scheduled,
}

/// Why nothing was saved.
#[derive(Debug)]
pub enum Refusal {
    /// A save, or a full sync's walk, is under way.
    InProgress,
    Failed(SaveError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::InProgress => write!(f, "Background save already in progress"),
            Refusal::Failed(error) => error.fmt(f),
        }
    }
}

/// What INFO persistence shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SaveStatus {
    /// `rdb_changes_since_last_save`
    pub changes_since_last_save: u64,
    /// `rdb_bgsave_in_progress`
    pub is_bgsave_in_progress: bool,
    /// `rdb_last_save_time`, in ms.
    pub last_save: UnixMs,
    /// `rdb_last_bgsave_status`
    pub is_last_bgsave_ok: bool,
    /// `rdb_last_bgsave_time_sec`; `None` (-1) before the first.
    pub last_bgsave_seconds: Option<i64>,
    /// `rdb_current_bgsave_time_sec`; `None` (-1) while there is none.
    pub current_bgsave_seconds: Option<i64>,
    /// `rdb_saves`
    pub saves: u64,
    /// `rdb_last_load_keys_expired`, `rdb_last_load_keys_loaded`
    pub last_load_expired: u64,
    pub last_load_keys: u64,
}

#[derive(Clone, Copy)]
struct Saving {
    since: UnixMs,
    is_background: bool,
}

struct State {
    saving: Option<Saving>,
    scheduled: Option<Ticket>,
    last_save: UnixMs,
    last_try: Option<UnixMs>,
    is_last_ok: bool,
    last_seconds: Option<i64>,
    /// The count of all changes that the last save contains.
    changes_saved: u64,
    saves: u64,
    last_load_expired: u64,
    last_load_keys: u64,
}

/// What a save gets at the cut.
struct Begun {
    chunks: Subscription,
    changes: u64,
}

pub struct Saver {
    engine: Arc<Engine>,
    snapshots: Arc<Snapshots>,
    state: Mutex<State>,
}

impl Saver {
    pub fn new(engine: Arc<Engine>, snapshots: Arc<Snapshots>, now: UnixMs) -> Arc<Saver> {
        let state = State {
            saving: None,
            scheduled: None,
            last_save: now,
            last_try: None,
            is_last_ok: true,
            last_seconds: None,
            changes_saved: 0,
            saves: 0,
            last_load_expired: 0,
            last_load_keys: 0,
        };
        Arc::new(Saver { engine, snapshots, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every section leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> u64 {
        self.engine.statistics.count_since_start(Count::Dirty)
    }

    /// SAVE: writes the file before it returns. Others go on meanwhile.
    ///
    /// # Errors
    /// If a save or a full sync's walk is under way, or the file cannot be written.
    pub fn save(self: &Arc<Self>, now: UnixMs) -> Result<(), Refusal> {
        let begun = {
            let mut state = self.state();
            if state.saving.is_some() {
                return Err(Refusal::InProgress);
            }
            if let Some(ticket) = state.scheduled.take() {
                // What was scheduled is done herewith.
                self.snapshots.withdraw(ticket);
            }
            state.saving = Some(Saving { since: now, is_background: false });
            let (sender, begun) = mpsc::channel();
            (self.enlist(sender, false), begun)
        };
        let (ticket, begun) = begun;
        let result = match self.start(now) {
            Ok(()) => {
                let begun = begun.recv().expect("a walk that started has called those who waited for it");
                self.write(begun)
            }
            Err(refusal) => {
                self.snapshots.withdraw(ticket);
                self.state().saving = None;
                return Err(refusal);
            }
        };
        self.conclude(result).map_err(Refusal::Failed)
    }

    /// Saves whatever stands in the way: a save or a full sync that is under way is given up. For SHUTDOWN and
    /// DEBUG RELOAD.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_now(self: &Arc<Self>, now: UnixMs) -> Result<(), SaveError> {
        loop {
            match self.save(now) {
                Ok(()) => return Ok(()),
                Err(Refusal::Failed(error)) => return Err(error),
                Err(Refusal::InProgress) => {
                    self.snapshots.cancel();
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    /// After FLUSHALL, while the world stands still: saves what is left, in place of a background save that is under way. A full
    /// sync goes on; then the save is scheduled, and comes after it. False unless the file is written when this returns.
    pub fn save_flushed(self: &Arc<Self>, now: UnixMs) -> bool {
        loop {
            match self.save(now) {
                Ok(()) => return true,
                Err(Refusal::Failed(_)) => return false,
                Err(Refusal::InProgress) if self.is_soon_free() => {
                    self.cancel();
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(Refusal::InProgress) => {
                    if let Err(refusal) = self.bgsave(true, now) {
                        log::warn!("{refusal}");
                    }
                    return false;
                }
            }
        }
    }

    /// Does nothing stand in the way of a save but a background save, or the rest of a walk for nobody?
    fn is_soon_free(&self) -> bool {
        let saving = self.state().saving;
        saving.map_or_else(|| self.snapshots.is_free_of_replicas(), |saving| saving.is_background)
    }

    /// BGSAVE, BGSAVE SCHEDULE. In a transaction the save is scheduled, for half of a transaction is no place for a cut.
    ///
    /// # Errors
    /// If a save is under way (without SCHEDULE, also a full sync's walk), or no thread can be had.
    pub fn bgsave(self: &Arc<Self>, schedule: bool, now: UnixMs) -> Result<BgSave, Refusal> {
        let in_transaction = self.engine.barrier.stands_for_me();
        let must_wait = in_transaction || self.snapshots.is_walking();
        {
            let mut state = self.state();
            if state.saving.is_some() || (must_wait && !schedule && !in_transaction) {
                return Err(Refusal::InProgress);
            }
            self.schedule(&mut state).map_err(Refusal::Failed)?;
        }
        if must_wait { Ok(BgSave::Scheduled) } else { self.begin(now).map(|()| BgSave::Started) }
    }

    /// What cron does every second or more often: starts what is scheduled, and saves at the save points.
    pub fn tick(self: &Arc<Self>, now: UnixMs) {
        if self.snapshots.is_walking() {
            return;
        }
        let config = self.engine.config.load().clone();
        {
            let mut state = self.state();
            let may_try = state.is_last_ok || state.last_try.is_none_or(|last| now.0 - last.0 > RETRY_MS);
            if state.saving.is_some() || !may_try {
                return;
            }
            if state.scheduled.is_none() {
                let changes = self.changes() - state.changes_saved;
                let seconds = (now.0 - state.last_save.0) / 1000;
                let is_due = |changes_min: u64, after: u64| changes >= changes_min && seconds > after as i64;
                let Some(point) = config.save.iter().find(|point| is_due(point.changes, point.seconds))
                else {
                    return;
                };
                log::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
                if let Err(error) = self.schedule(&mut state) {
                    log::warn!("{error}");
                    return;
                }
            }
        }
        if let Err(refusal) = self.begin(now) {
            log::warn!("{refusal}");
        }
    }

    /// Ends a background save that is under way, with the walk that it shares.
    pub fn cancel(&self) {
        let state = self.state();
        if state.saving.is_some_and(|saving| saving.is_background) {
            self.snapshots.cancel();
        }
    }

    /// LASTSAVE.
    pub fn last_save(&self) -> UnixMs {
        self.state().last_save
    }

    /// `stop-writes-on-bgsave-error`: should writes be refused?
    pub fn refuses_writes(&self) -> bool {
        let config = self.engine.config.load();
        config.stop_writes_on_bgsave_error && !config.save.is_empty() && !self.state().is_last_ok
    }

    /// A data set was loaded: what is in memory is what is on disk, or at the primary.
    pub fn note_load(&self, report: &LoadReport) {
        let changes = self.changes();
        let mut state = self.state();
        state.changes_saved = changes;
        state.last_load_keys = report.keys;
        state.last_load_expired = report.expired;
    }

    pub fn status(&self, now: UnixMs) -> SaveStatus {
        let changes = self.changes();
        let state = self.state();
        let background = state.saving.filter(|saving| saving.is_background);
        SaveStatus {
            changes_since_last_save: changes.saturating_sub(state.changes_saved),
            is_bgsave_in_progress: background.is_some(),
            last_save: state.last_save,
            is_last_bgsave_ok: state.is_last_ok,
            last_bgsave_seconds: state.last_seconds,
            current_bgsave_seconds: background.map(|saving| (now.0 - saving.since.0) / 1000),
            saves: state.saves,
            last_load_expired: state.last_load_expired,
            last_load_keys: state.last_load_keys,
        }
    }

    /// Waits for the next walk, whoever starts it, with a thread that will write the file.
    fn schedule(self: &Arc<Self>, state: &mut State) -> Result<(), SaveError> {
        if state.scheduled.is_some() {
            return Ok(());
        }
        let (sender, begun) = mpsc::channel();
        let saver = self.clone();
        let writer = move || {
            // Nothing comes if the request was withdrawn.
            if let Ok(begun) = begun.recv() {
                let result = saver.write(begun);
                let _ = saver.conclude(result);
            }
        };
        std::thread::Builder::new().name("rdb-writer".into()).spawn(writer).map_err(SaveError::Start)?;
        state.scheduled = Some(self.enlist(sender, true));
        Ok(())
    }

    fn enlist(self: &Arc<Self>, sender: mpsc::Sender<Begun>, is_background: bool) -> Ticket {
        let saver = self.clone();
        self.snapshots.enlist(Request {
            following: Following::File,
            reads: Dialect::Valkey80,
            // A disk that is slower than a replica's line must not cost the save.
            lag_bytes_max: u64::MAX,
            wake: None,
            on_start: Box::new(move |cut, chunks| {
                if is_background {
                    let mut state = saver.state();
                    state.scheduled = None;
                    state.saving = Some(Saving { since: cut.taken_at, is_background });
                    state.last_try = Some(cut.taken_at);
                    log::info!("Background saving started by pid {}", std::process::id());
                }
                // The receiver is gone only if the thread that waited has died.
                let _ = sender.send(Begun { chunks, changes: saver.changes() });
            }),
        })
    }

    /// Starts the walk for which this saver has enlisted.
    fn begin(self: &Arc<Self>, now: UnixMs) -> Result<(), Refusal> {
        let started = self.start(now);
        if started.is_err()
            && let Some(ticket) = self.state().scheduled.take()
        {
            self.snapshots.withdraw(ticket);
        }
        started
    }

    fn start(&self, now: UnixMs) -> Result<(), Refusal> {
        let options = WalkOptions::of(&self.engine.config.load(), used_memory(), now);
        match self.snapshots.start(options, now) {
            // `NobodyWaits`: somebody else's start has taken us along.
            Ok(_) | Err(StartError::NobodyWaits) => Ok(()),
            Err(StartError::Busy) => Err(Refusal::InProgress),
            Err(StartError::NoThread(error)) => Err(Refusal::Failed(SaveError::Start(error))),
        }
    }

    fn write(&self, begun: Begun) -> Result<u64, SaveError> {
        let config = self.engine.config.load().clone();
        write_file(&config.dir, &config.dbfilename, begun.chunks)?;
        log::info!("DB saved on disk");
        Ok(begun.changes)
    }

    /// Notes how a save has ended. `result` holds the count of changes that it contains.
    fn conclude(&self, result: Result<u64, SaveError>) -> Result<(), SaveError> {
        let now = UnixMs(clock::now_ms());
        let mut state = self.state();
        let saving = state.saving.take();
        let is_background = saving.is_some_and(|saving| saving.is_background);
        if let Some(saving) = saving.filter(|saving| saving.is_background) {
            state.last_seconds = Some((now.0 - saving.since.0) / 1000);
        }
        match result {
            Ok(changes) => {
                state.changes_saved = changes;
                state.last_save = now;
                state.is_last_ok = true;
                state.saves += 1;
                drop(state);
                if is_background {
                    log::info!("Background saving terminated with success");
                }
                Ok(())
            }
            Err(error) => {
                let is_cancelled = matches!(error, SaveError::Snapshot(SnapshotError::Cancelled));
                state.is_last_ok &= is_cancelled || !is_background;
                drop(state);
                log::warn!("{error}");
                if is_background {
                    log::warn!("Background saving error");
                }
                Err(error)
            }
        }
    }
}
