//! The data set from disk becomes the current one: at the start, and in DEBUG RELOAD.
//!
//! ```text
//!  dir/dbfilename -> load -> a new Keyspace --world stands still--> the engine's
//!       engine.loading: Blocking, with how far it has come               Ready
//! ```
//!
//! Called by `server::boot` and, through the host, by DEBUG RELOAD. A full sync uses `load` itself.
//! Always: a load that fails leaves the present data set as it is; nobody changes a key while one is under way.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::base::ids::UnixMs;
use crate::base::number::parse_i64;
use crate::exec::engine::Engine;
use crate::exec::loading::{LoadState, Loading};
use crate::persist::rdb::load::{Expired, LoadError, LoadOptions, LoadReport, load};
use crate::persist::rdb::save::SaveError;
use crate::persist::rdb::saver::Saver;

/// Why the data set is still the old one.
#[derive(Debug)]
pub enum ReloadError {
    Save(SaveError),
    Load(LoadError),
    /// There is no file.
    Missing,
    /// Another data set is being loaded.
    Busy,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Save(error) => error.fmt(f),
            ReloadError::Load(error) => error.fmt(f),
            ReloadError::Missing => write!(f, "there is no snapshot to load"),
            ReloadError::Busy => write!(f, "a data set is being loaded already"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// Loads `dir/dbfilename` and makes it the current data set. `Ok(None)` if there is no such file. `is_wanted` is asked now and
/// then: once it says no, nothing is loaded.
///
/// # Errors
/// See [`LoadError`]; the data set is the old one then.
pub fn load_current(
    engine: &Engine,
    saver: &Saver,
    expired: Expired,
    now: UnixMs,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Option<LoadReport>, LoadError> {
    let started = Instant::now();
    let config = engine.config.load().clone();
    let file = match File::open(config.dir.join(&config.dbfilename)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LoadError::Open(error)),
    };
    engine.loading.expect_bytes(file.metadata().map_or(0, |metadata| metadata.len()));
    let options = LoadOptions {
        databases: config.databases as usize,
        now,
        expired,
        verify_checksum: config.rdbchecksum,
        config: &config,
        key_load_delay: config.key_load_delay,
        pace: None,
        on_progress: &mut |progress| {
            engine.loading.expect_memory(progress.memory_bytes);
            if is_wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    };
    let bytes = WatchedBytes { file, read: 0, loading: &engine.loading, is_wanted };
    let loaded =
        load(bytes, options).map_err(|error| if is_wanted() { error } else { LoadError::Cancelled })?;
    log_contents(&loaded.report, now);
    let keyspace = Arc::new(loaded.keyspace);
    engine.barrier.stop(None, || engine.replace_keyspace(keyspace));
    saver.note_load(&loaded.report);
    log::info!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
    Ok(Some(loaded.report))
}

/// A file whose reading shows in INFO, and ends when nobody wants it any more: also within a huge value.
struct WatchedBytes<'a> {
    file: File,
    read: u64,
    loading: &'a Loading,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Read for WatchedBytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !(self.is_wanted)() {
            return Err(io::Error::other("loading was cancelled"));
        }
        let count = self.file.read(into)?;
        self.read += count as u64;
        self.loading.advance_to(self.read);
        Ok(count)
    }
}

/// What the file says of itself, in Redis' words.
fn log_contents(report: &LoadReport, now: UnixMs) {
    for (name, value) in &report.aux {
        let text = value.escape_ascii();
        match name.as_slice() {
            b"redis-ver" | b"valkey-ver" => log::info!("Loading RDB produced by version {text}"),
            b"ctime" => {
                let age = parse_i64(value).map_or(0, |ctime| (now.0 / 1000 - ctime).max(0));
                log::info!("RDB age {age} seconds");
            }
            b"used-mem" => {
                let megabytes = parse_i64(value).unwrap_or(0) as f64 / (1024.0 * 1024.0);
                log::info!("RDB memory usage when created {megabytes:.2} Mb");
            }
            // Information for people, which Redis prints as it comes.
            [b'%', ..] => log::info!("RDB '{}': {text}", name.escape_ascii()),
            _ => {}
        }
    }
    let LoadReport { keys, expired, empty, .. } = report;
    log::info!(
        "Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}."
    );
}

/// DEBUG RELOAD: saves (unless told not to) and loads again. Clients are refused with -LOADING meanwhile, as in Redis; whoever
/// follows a primary waits. Within EXEC the world stands still anyway. The caller must not be inside a command that holds
/// locks.
///
/// # Errors
/// See [`ReloadError`]; the data set is the old one then.
pub fn reload(
    engine: &Arc<Engine>,
    saver: &Arc<Saver>,
    save_first: bool,
    now: UnixMs,
) -> Result<LoadReport, ReloadError> {
    engine.barrier.stop(None, || {
        // First of all, so that nobody else begins while the file is being written.
        if !engine.begin_loading(LoadState::Blocking, 0, now) {
            return Err(ReloadError::Busy);
        }
        if save_first && let Err(error) = saver.save_now(now) {
            engine.end_loading();
            return Err(ReloadError::Save(error));
        }
        Ok(())
    })?;
    let _loading = UnderWay { engine };
    // A replica gets its primary's DEL for what has expired.
    let expired = if engine.is_replica() { Expired::Keep } else { Expired::Drop };
    let report = load_current(engine, saver, expired, now, &|| true).map_err(ReloadError::Load)?;
    let report = report.ok_or(ReloadError::Missing)?;
    log::warn!("DB reloaded by DEBUG RELOAD");
    Ok(report)
}

/// However the load ends, clients are served again.
struct UnderWay<'a> {
    engine: &'a Engine,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.engine.end_loading();
    }
}
