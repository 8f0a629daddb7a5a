//! The data set from disk becomes the current one: at the start, and in DEBUG RELOAD.
//!
//! ```text
//!  dir/dbfilename -> load -> a new Keyspace --world stands still--> the engine's
//! ```
//!
//! Called by `server::boot` and, through the host, by DEBUG RELOAD. A full sync uses `load` itself.
//! Always: a load that fails leaves the present data set as it is.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::base::ids::UnixMs;
use crate::base::number::parse_i64;
use crate::exec::engine::Engine;
use crate::persist::rdb::load::{Expired, LoadError, LoadOptions, LoadReport, load_file};
use crate::persist::rdb::save::SaveError;
use crate::persist::rdb::saver::Saver;

/// Why the data set is still the old one.
#[derive(Debug)]
pub enum ReloadError {
    Save(SaveError),
    Load(LoadError),
    /// There is no file.
    Missing,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Save(error) => error.fmt(f),
            ReloadError::Load(error) => error.fmt(f),
            ReloadError::Missing => write!(f, "there is no snapshot to load"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// Loads `dir/dbfilename` and makes it the current data set. `Ok(None)` if there is no such file. `expired`: dropped here,
/// keys leave no trace in the stream; at start they are kept, because replicas that resume hold them as well and wait for
/// the DEL that active expiry will write.
///
/// # Errors
/// See [`LoadError`]; the data set is the old one then.
pub fn load_current(
    engine: &Engine,
    saver: &Saver,
    expired: Expired,
    now: UnixMs,
) -> Result<Option<LoadReport>, LoadError> {
    let started = Instant::now();
    let config = engine.config.load().clone();
    let options = LoadOptions {
        databases: config.databases as usize,
        now,
        expired,
        verify_checksum: config.rdbchecksum,
        config: &config,
        key_load_delay: config.key_load_delay,
        on_progress: &mut |_| ControlFlow::Continue(()),
    };
    let Some(loaded) = load_file(&config.dir.join(&config.dbfilename), options)? else { return Ok(None) };
    log_contents(&loaded.report, now);
    let keyspace = Arc::new(loaded.keyspace);
    engine.barrier.stop(None, || engine.replace_keyspace(keyspace));
    saver.note_load(&loaded.report);
    log::info!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
    Ok(Some(loaded.report))
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

/// DEBUG RELOAD: saves (unless told not to) and loads again while the world stands still. The caller must not be inside
/// a command that holds locks.
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
        if save_first {
            saver.save_now(now).map_err(ReloadError::Save)?;
        }
        // A replica gets its primary's DEL for what has expired.
        let expired = if engine.is_replica() { Expired::Keep } else { Expired::Drop };
        let report = load_current(engine, saver, expired, now).map_err(ReloadError::Load)?;
        let report = report.ok_or(ReloadError::Missing)?;
        log::warn!("DB reloaded by DEBUG RELOAD");
        Ok(report)
    })
}
