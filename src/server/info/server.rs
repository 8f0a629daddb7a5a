//! `# Server`: which program this is, where it runs and since when.
//!
//! Called by INFO. Always: `redis_version` is the version whose behaviour clients may expect; our own stands beside it.

use std::ffi::CStr;

use crate::base::clock;
use crate::base::version::{REDIS_VERSION, STARLING_VERSION};
use crate::keyspace::space::access_clock;
use crate::server::info::{Lines, Moment};

const SECONDS_PER_DAY: i64 = 24 * 3600;

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    let (shared, config) = (moment.shared, &moment.config);
    let uptime = (moment.now.0 - shared.engine.started.0).max(0) / 1000;
    let run_id = String::from_utf8_lossy(&shared.run_id);
    let executable = std::env::current_exe().map_or(String::new(), |path| path.display().to_string());
    let file = shared.engine.config.origin().file.as_ref();
    lines.field("redis_version", REDIS_VERSION);
    lines.field("redis_git_sha1", "00000000");
    lines.field("redis_git_dirty", 0);
    lines.field("redis_build_id", format_args!("starling-{STARLING_VERSION}"));
    lines.field("redis_mode", "standalone");
    lines.field("os", system());
    lines.field("arch_bits", usize::BITS);
    lines.field("monotonic_clock", "POSIX clock_gettime");
    lines.field("multiplexing_api", "epoll");
    lines.field("atomicvar_api", "rust-core");
    lines.field("gcc_version", "0.0.0");
    lines.field("process_id", std::process::id());
    lines.field("process_supervised", "no");
    lines.field("run_id", run_id);
    lines.field("tcp_port", config.port);
    lines.field("server_time_usec", clock::now_us());
    lines.field("uptime_in_seconds", uptime);
    lines.field("uptime_in_days", uptime / SECONDS_PER_DAY);
    lines.fields(&["hz", "configured_hz"], config.hz);
    lines.field("lru_clock", access_clock(moment.now));
    lines.field("executable", executable);
    lines.field("config_file", file.map_or(String::new(), |path| path.display().to_string()));
    lines.field("io_threads_active", 0);
    if let Some(left) = shared.ending.time_left() {
        lines.field("shutdown_in_milliseconds", left.as_millis());
    }
    lines.field("starling_version", STARLING_VERSION);
    lines.field("starling_threads", config.threads);
}

/// Name, release and machine, as `uname` prints them.
fn system() -> String {
    // SAFETY: all-zero bytes are a valid `utsname`, a struct of character arrays.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is ours and outlives the call.
    if unsafe { libc::uname(&mut name) } != 0 {
        return "unknown".into();
    }
    let word = |chars: &[libc::c_char]| {
        // SAFETY: `uname` ends each array with a zero byte, and zeroed arrays are full of them.
        unsafe { CStr::from_ptr(chars.as_ptr()) }.to_string_lossy().into_owned()
    };
    format!("{} {} {}", word(&name.sysname), word(&name.release), word(&name.machine))
}
