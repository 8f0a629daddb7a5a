//! The log, in Redis' format: `pid:role date level message`, to standard output or to `logfile`.
//!
//! ```text
//!  4242:M 23 Nov 2026 21:38:10.123 * Ready to accept connections
//!       |                          | . debug   - verbose   * notice   # warning
//!       M primary, S replica
//! ```
//!
//! The backend of the `log` facade: `error!` and `warn!` are Redis' warning, `info!` is notice, `debug!` verbose, `trace!`
//! debug. The file is opened for each line, so that it can be rotated away at any time.
//! Always: logging never fails the caller and never panics.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::base::clock;
use crate::config::{Config, LogLevel};

/// Shown as `S` if set. Written on a change of role, read by every line; Relaxed: a display.
static IS_REPLICA: AtomicBool = AtomicBool::new(false);

static LOGGER: Logger = Logger { file: Mutex::new(None) };

struct Logger {
    file: Mutex<Option<PathBuf>>,
}

/// Starts logging as configured; later calls change level and file (CONFIG SET loglevel).
pub fn configure(config: &Config) {
    let file = (!config.logfile.as_os_str().is_empty()).then(|| absolute(&config.dir, &config.logfile));
    *LOGGER.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
    // Fails only when a logger is already there, which is then this one.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(match config.loglevel {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
    });
}

fn absolute(dir: &Path, file: &Path) -> PathBuf {
    if file.is_absolute() { file.to_owned() } else { dir.join(file) }
}

/// Lines are marked `S` from now on, or `M`.
pub fn set_replica(is_replica: bool) {
    IS_REPLICA.store(is_replica, Relaxed);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mark = match record.level() {
            Level::Error | Level::Warn => '#',
            Level::Info => '*',
            Level::Debug => '-',
            Level::Trace => '.',
        };
        let role = if IS_REPLICA.load(Relaxed) { 'S' } else { 'M' };
        let mut line = format!("{}:{role} ", std::process::id());
        write_time(&mut line, clock::now_ms());
        // Writing into a String cannot fail.
        let _ = writeln!(line, " {mark} {}", record.args());
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = match file.as_ref() {
            None => std::io::stdout().write_all(line.as_bytes()),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes())),
        };
    }

    fn flush(&self) {}
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn write_time(line: &mut String, now_ms: i64) {
    let seconds = now_ms / 1000;
    // SAFETY: `localtime_r` fills the zeroed structure that it is given and keeps no pointer to it.
    let local = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut local);
        local
    };
    let month = MONTHS.get(local.tm_mon as usize).copied().unwrap_or("???");
    let _ = write!(
        line,
        "{:02} {month} {} {:02}:{:02}:{:02}.{:03}",
        local.tm_mday,
        local.tm_year + 1900,
        local.tm_hour,
        local.tm_min,
        local.tm_sec,
        now_ms % 1000
    );
}
