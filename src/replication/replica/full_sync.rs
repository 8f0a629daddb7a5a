//! Full sync: another data set arrives over the wire and takes the place of ours when it is complete and proven right.
//!
//! ```text
//!   newlines ... "$<length>" or "$EOF:<mark>" -> RDB --decode--> new keyspace      the present one keeps serving
//!                                                                    |
//!   the world stands still: keyspace, watches, history, backlog  <---+---  or nothing has changed
//! ```
//!
//! Called by the link after +FULLRESYNC (or SYNC). Always: until the swap this server is as it was; the reason of a failure
//! is in the log; the primary gets a newline each second, which shows it that we live.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::backlog::Offset;
use crate::base::clock;
use crate::base::huge_pages;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::pace::Pace;
use crate::base::random::ID_LEN;
use crate::exec::engine::Engine;
use crate::exec::loading::LoadState;
use crate::keyspace::db::Keyspace;
use crate::persist::rdb::{Expired, LoadError, LoadOptions, Loaded, load};
use crate::replication::identity::ReplId;
use crate::replication::replica::control::Control;
use crate::replication::replica::handshake::show;
use crate::replication::replica::wire::{Lost, Wire};
use crate::replication::role::LinkStatus;
use crate::replication::state::Replication;

/// The primary hears from us this often while we load.
const NEWLINE_EVERY: Duration = Duration::from_secs(1);
/// While our own data set is being loaded, a full sync looks this often whether it may begin.
const LOADED_LOOK: Duration = Duration::from_millis(5);
/// The mark behind a snapshot without a length.
const MARK_BYTES: usize = ID_LEN;

/// Why no data set was taken over. The texts are for the log, and mostly Redis'.
#[derive(Debug)]
pub enum SyncError {
    Lost(Lost),
    /// The primary gave up.
    Aborted(String),
    /// The line before the snapshot makes no sense.
    BadHeader(String),
    Load(LoadError),
    /// The length or the mark does not fit the snapshot.
    BadEnd(&'static str),
}

impl From<Lost> for SyncError {
    fn from(lost: Lost) -> SyncError {
        SyncError::Lost(lost)
    }
}

/// How the snapshot ends.
#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Mark([u8; MARK_BYTES]),
}

impl Framing {
    /// 0 if nobody knows.
    fn announced_bytes(self) -> u64 {
        match self {
            Framing::Length(bytes) => bytes,
            Framing::Mark(_) => 0,
        }
    }
}

/// Where the stream goes on behind the snapshot.
#[derive(Clone, Copy)]
pub struct Origin {
    pub id: ReplId,
    pub offset: Offset,
}

/// What a full sync works on.
pub struct FullSync<'a, 'l> {
    pub wire: &'a mut Wire<'l>,
    pub control: &'a Control,
    pub status: &'a LinkStatus,
    pub replication: &'a Arc<Replication>,
}

impl FullSync<'_, '_> {
    /// Receives, decodes and takes over. False if the link was not wanted any more when it came to that.
    ///
    /// # Errors
    /// See [`SyncError`]; nothing has changed then.
    pub fn run(mut self, origin: Origin) -> Result<bool, SyncError> {
        let patience = self.patience();
        let framing = self.header(patience)?;
        match framing {
            Framing::Length(bytes) => {
                log::info!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master to parser")
            }
            Framing::Mark(_) => {
                log::info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser");
            }
        }
        let engine = self.replication.engine();
        // Until the swap, so that nobody loads another data set in between.
        let _loading = LoadingBeside::begin(engine, framing.announced_bytes(), self.control)?;
        log::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        let started = Instant::now();
        let loaded = self.receive(framing, patience)?;
        let report = &loaded.report;
        log::info!(
            "Done loading RDB, keys loaded: {}, format {}, {} bytes in {:.3} seconds",
            report.keys,
            report.format,
            report.bytes,
            started.elapsed().as_secs_f64()
        );
        let db = report.stream_db;
        log::info!("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
        let is_ours = self.take_over(loaded.keyspace, origin, db);
        if is_ours {
            log::info!("MASTER <-> REPLICA sync: Finished with success");
        }
        Ok(is_ours)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.replication.engine().config.load().repl_timeout)
    }

    /// The line before the snapshot; empty ones before it mean "wait".
    fn header(&mut self, patience: Duration) -> Result<Framing, SyncError> {
        loop {
            let line = self.wire.line(patience)?;
            self.status.sync_last_io.store(clock::now_ms(), Relaxed);
            match line.as_slice() {
                [] => {}
                [b'-', reason @ ..] => return Err(SyncError::Aborted(show(reason))),
                [b'$', announced @ ..] => {
                    return parse_framing(announced).ok_or_else(|| SyncError::BadHeader(show(&line)));
                }
                _ => return Err(SyncError::BadHeader(show(&line))),
            }
        }
    }

    /// Decodes the snapshot as it comes.
    fn receive(&mut self, framing: Framing, patience: Duration) -> Result<Loaded, SyncError> {
        let engine = self.replication.engine().clone();
        let databases = engine.keyspace().databases();
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::Mark(_) => None,
        };
        self.status.sync_read_bytes.store(0, Relaxed);
        self.status
            .sync_total_bytes
            .store(length.map_or(0, |length| i64::try_from(length).unwrap_or(0)), Relaxed);
        let control = self.control;
        let mut bytes = SnapshotBytes {
            wire: self.wire,
            status: self.status,
            left: length,
            patience,
            newline_at: Instant::now() + NEWLINE_EVERY,
            lost: None,
        };
        let config = engine.config.load().clone();
        let _small_pages = huge_pages::Pause::new(config.disable_thp);
        let loaded = load(
            &mut bytes,
            LoadOptions {
                databases,
                now: UnixMs(clock::now_ms()),
                expired: Expired::Keep,
                verify_checksum: true,
                config: &config,
                key_load_delay: config.key_load_delay,
                pace: Some(Pace::of_this_thread()),
                on_progress: &mut |progress| {
                    engine.loading.expect_memory(progress.memory_bytes);
                    engine.loading.advance_to(progress.bytes);
                    match control.is_wanted() {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                },
            },
        );
        let (lost, left) = (bytes.lost.take(), bytes.left);
        let mut loaded = match (loaded, lost) {
            (_, Some(lost)) => return Err(SyncError::Lost(lost)),
            (Err(LoadError::Cancelled), None) => return Err(SyncError::Lost(Lost::Unwanted)),
            (Err(error), None) => return Err(SyncError::Load(error)),
            (Ok(loaded), None) => loaded,
        };
        let rest = std::mem::take(&mut loaded.report.rest);
        match framing {
            Framing::Length(_) if left != Some(0) || !rest.is_empty() => {
                return Err(SyncError::BadEnd("the snapshot is shorter than announced"));
            }
            Framing::Length(_) => {}
            Framing::Mark(mark) => self.check_mark(rest, &mark, patience)?,
        }
        Ok(loaded)
    }

    /// Behind the snapshot stands its mark, and behind that perhaps the stream already.
    fn check_mark(
        &mut self,
        mut rest: Vec<u8>,
        mark: &[u8; MARK_BYTES],
        patience: Duration,
    ) -> Result<(), SyncError> {
        while rest.len() < MARK_BYTES {
            let mut piece = [0; MARK_BYTES];
            let room = MARK_BYTES - rest.len();
            let count = self.wire.read_blocking(&mut piece[..room], patience, |_| Ok(()))?;
            rest.extend_from_slice(&piece[..count]);
        }
        let (found, stream) = rest.split_at(MARK_BYTES);
        if found != mark {
            return Err(SyncError::BadEnd("Replication stream EOF marker is broken"));
        }
        if !stream.is_empty() {
            self.wire.give_back(stream);
        }
        Ok(())
    }

    /// The new data set becomes ours, at one moment for everybody.
    fn take_over(&self, keyspace: Keyspace, origin: Origin, db: Option<DbIndex>) -> bool {
        let engine = self.replication.engine();
        let new = Arc::new(keyspace);
        let now = UnixMs(clock::now_ms());
        let old = engine.barrier.stop(None, || {
            if !self.control.is_wanted() {
                return None;
            }
            let old = engine.keyspace();
            engine
                .watches
                .touch_all(|db, key| (old.db(db).presence(key, now), new.db(db).presence(key, now)));
            engine.replace_keyspace(new.clone());
            engine.own_deadlines.clear();
            self.replication.restart_history(origin.id, origin.offset, db);
            Some(old)
        });
        let is_ours = old.is_some();
        if is_ours {
            log::info!("MASTER <-> REPLICA sync: Discarding old DB in background");
        }
        engine.host().discard(old.unwrap_or(new), None);
        is_ours
    }
}

/// INFO says that a data set is being loaded beside the present one for as long as this lives.
struct LoadingBeside<'a> {
    engine: &'a Engine,
}

impl<'a> LoadingBeside<'a> {
    /// Waits for the end of a load of our own data set (DEBUG RELOAD), which would replace what we are about to load.
    fn begin(
        engine: &'a Engine,
        total_bytes: u64,
        control: &Control,
    ) -> Result<LoadingBeside<'a>, SyncError> {
        let now = UnixMs(clock::now_ms());
        while !engine.barrier.stop(None, || engine.begin_loading(LoadState::Beside, total_bytes, now)) {
            if !control.is_wanted() {
                return Err(SyncError::Lost(Lost::Unwanted));
            }
            std::thread::sleep(LOADED_LOOK);
        }
        Ok(LoadingBeside { engine })
    }
}

impl Drop for LoadingBeside<'_> {
    fn drop(&mut self) {
        self.engine.end_loading();
    }
}

fn parse_framing(announced: &[u8]) -> Option<Framing> {
    if let Some(mark) = announced.strip_prefix(b"EOF:") {
        return Some(Framing::Mark(mark.try_into().ok()?));
    }
    let is_number = !announced.is_empty() && announced.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(announced).ok().filter(|_| is_number)?.parse().ok()?;
    Some(Framing::Length(length))
}

/// The bytes of a snapshot, as a reader that blocks until they come.
struct SnapshotBytes<'a, 'l> {
    wire: &'a mut Wire<'l>,
    status: &'a LinkStatus,
    /// Bytes that have not come yet, if their number was announced.
    left: Option<u64>,
    patience: Duration,
    newline_at: Instant,
    /// Why the reader failed.
    lost: Option<Lost>,
}

impl Read for SnapshotBytes<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room =
            self.left.map_or(into.len(), |left| into.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        if room == 0 {
            return Ok(0);
        }
        let newline_at = &mut self.newline_at;
        let keep_alive = |wire: &mut Wire<'_>| {
            if Instant::now() < *newline_at {
                return Ok(());
            }
            *newline_at = Instant::now() + NEWLINE_EVERY;
            wire.send_if_room(b"\n")
        };
        match self.wire.read_blocking(&mut into[..room], self.patience, keep_alive) {
            Ok(count) => {
                self.left = self.left.map(|left| left - count as u64);
                self.status.sync_read_bytes.fetch_add(count as i64, Relaxed);
                self.status.sync_last_io.store(clock::now_ms(), Relaxed);
                Ok(count)
            }
            Err(lost) => {
                self.lost = Some(lost);
                Err(io::Error::other("the connection to the primary ended"))
            }
        }
    }
}
