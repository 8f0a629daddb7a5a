//! `# CPU`: seconds of processor time, of the kernel on our behalf and of our own.
//!
//! Called by INFO. Always: straight from `getrusage`. The "main thread" is the one that answers, one of several workers.

use crate::server::info::{Lines, Moment};

pub(super) fn write(lines: &mut Lines, _moment: &Moment<'_>) {
    for (who, suffix) in
        [(libc::RUSAGE_SELF, ""), (libc::RUSAGE_CHILDREN, "_children"), (libc::RUSAGE_THREAD, "_main_thread")]
    {
        let usage = usage(who);
        lines.field(&format!("used_cpu_sys{suffix}"), seconds(usage.ru_stime));
        lines.field(&format!("used_cpu_user{suffix}"), seconds(usage.ru_utime));
    }
}

fn usage(who: libc::c_int) -> libc::rusage {
    // SAFETY: all-zero bytes are a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is ours and outlives the call; on failure it stays zero.
    unsafe { libc::getrusage(who, &mut usage) };
    usage
}

fn seconds(time: libc::timeval) -> String {
    format!("{}.{:06}", time.tv_sec, time.tv_usec)
}
