//! The process: working directory, daemon, pid file, descriptors, signals.
//!
//! Called by `boot`, before any thread is started where that matters (`daemonize`).
//! Always: what the system refuses is logged and, where Redis goes on without it, gone on without.

use std::io;
use std::path::Path;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::Config;
use crate::persist::rdb::save::temporary_name;

/// Descriptors kept for files, listeners and links, beside one per client.
const RESERVED_FDS: u64 = 64;

/// Detaches from the terminal. Must run before the first thread starts, for only the calling thread survives a fork.
pub fn daemonize() -> io::Result<()> {
    // SAFETY: no other thread exists yet, so the child inherits a consistent process; the parent leaves at once.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: `_exit` skips destructors, which belong to the child now.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: plain system calls on our own descriptors; /dev/null replaces the three standard ones.
    unsafe {
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null == -1 {
            return Err(io::Error::last_os_error());
        }
        for fd in 0..3 {
            libc::dup2(null, fd);
        }
        if null > 2 {
            libc::close(null);
        }
    }
    Ok(())
}

/// Writes our pid; a file that cannot be written is only a warning, as in Redis.
pub fn write_pid_file(path: &Path) {
    if let Err(error) = std::fs::write(path, format!("{}\n", std::process::id())) {
        log::warn!("Failed to write PID file {}: {error}", path.display());
    }
}

pub fn remove_pid_file(config: &Config) {
    if let Some(path) = pid_file(config) {
        // It may not be there: nothing is lost then.
        let _ = std::fs::remove_file(path);
    }
}

/// The pid file to write: the configured one, or Redis' default for a daemon.
pub fn pid_file(config: &Config) -> Option<&Path> {
    let default = config.daemonize.then_some(Path::new("/var/run/starling.pid"));
    config.pidfile.as_deref().or(default)
}

/// Raises the limit of open files for `clients` clients and returns how many clients really fit.
pub fn raise_open_files(clients: u32) -> u32 {
    let wanted = u64::from(clients) + RESERVED_FDS;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours and outlives the calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return clients;
        }
        if limit.rlim_cur < wanted {
            let raised = libc::rlimit {
                rlim_cur: wanted.min(limit.rlim_max.max(wanted)),
                rlim_max: limit.rlim_max.max(wanted),
            };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
                return clients;
            }
            let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
                limit.rlim_cur = limit.rlim_max;
            }
        }
    }
    let room = limit.rlim_cur.saturating_sub(RESERVED_FDS).max(1);
    if room < u64::from(clients) {
        log::warn!("maxclients is {room} instead of {clients}: the system allows no more open files");
    }
    u32::try_from(room.min(u64::from(clients))).unwrap_or(clients)
}

/// Calls `ask_to_stop` for SIGTERM and SIGINT. A SIGINT while that is under way, which it then says with false, ends the process at
/// once, and takes the file with it that is being written.
pub fn watch_signals(ask_to_stop: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in &mut signals {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            log::warn!("Received {name} scheduling shutdown...");
            if !ask_to_stop() && signal == SIGINT {
                log::warn!("You insist... exiting now.");
                // It may not be there.
                let _ = std::fs::remove_file(temporary_name());
                std::process::exit(1);
            }
        }
    })?;
    Ok(())
}
