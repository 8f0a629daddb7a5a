//! Threads that have long work to do while others serve clients: they sleep for a moment again and again, so that whoever has been
//! woken on their core runs at once. Without that it waits until the kernel's next tick finds their slice used up, 4 ms and more where
//! all cores are busy.
//!
//! The walker and a replica's loader pace themselves. Always: with nobody else to run they lose a fifth of their time at most.

use std::io;
use std::time::{Duration, Instant};

/// How long a client may have to wait. Shorter: the sleeps take more of the time.
const WORK: Duration = Duration::from_micros(200);
/// Shorter: in a virtual machine the timer has run out before the thread has got to sleep, and nobody else gets the core (measured at
/// 10 us: 1 to 3 ms without a change of threads).
const NAP: Duration = Duration::from_micros(40);

/// One thread's pace.
#[derive(Debug)]
pub struct Pace {
    worked_since: Instant,
}

impl Pace {
    /// It has its timers exact from now on.
    pub fn of_this_thread() -> Self {
        if let Err(error) = want_exact_timers() {
            log::warn!("a background thread's timers are not exact: {error}");
        }
        Pace { worked_since: Instant::now() }
    }

    /// Sleeps if it is time for that. Call it every some ten microseconds, with no lock held.
    #[inline]
    pub fn breathe(&mut self) {
        if self.worked_since.elapsed() >= WORK {
            std::thread::sleep(NAP);
            self.worked_since = Instant::now();
        }
    }
}

/// Has this thread's timers run out when they are due, instead of up to 50 us later.
///
/// # Errors
/// The system refuses.
pub fn want_exact_timers() -> io::Result<()> {
    const SLACK_NS: libc::c_ulong = 1_000;
    // SAFETY: this option takes a number and changes nothing but this thread's timers.
    match unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_can_be_exact() {
        want_exact_timers().expect("a thread may always ask for this");
    }

    #[test]
    fn it_sleeps_when_it_has_worked_for_long_and_not_before() {
        let mut pace = Pace::of_this_thread();
        let mut naps = 0;
        let until = Instant::now() + 20 * WORK;
        while Instant::now() < until {
            let since = pace.worked_since;
            pace.breathe();
            if pace.worked_since != since {
                assert!(pace.worked_since - since >= WORK + NAP);
                naps += 1;
            }
        }
        assert!((1..=20).contains(&naps), "{naps}");
    }
}
