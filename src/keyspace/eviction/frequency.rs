//! How often a key is used: a logarithmic counter that decays, in the 24 bits of an entry's access clock.
//!
//! ```text
//!  | 23-8 minutes of the last decay, wrapping | 7-0 counter |
//! ```
//!
//! Used in place of the time of the last access while an LFU policy is configured. Called by `Space` for every access.
//! Always: Redis' numbers: new keys begin at 5, one of `(counter - 5) * lfu-log-factor + 1` accesses counts, and each
//! `lfu-decay-time` minutes take one away.

use std::cell::Cell;

use crate::base::ids::UnixMs;
use crate::base::random::os_seed;

/// New keys begin here, so that they are not given up before they could be used again.
const INITIAL: u8 = 5;

/// The circumstances under which counters change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lfu {
    /// Minutes since 1970, the lowest 16 bits.
    minutes: u16,
    log_factor: u32,
    /// 0: counters never decay.
    decay_minutes: u32,
}

impl Lfu {
    pub fn new(now: UnixMs, log_factor: u32, decay_minutes: u32) -> Lfu {
        Lfu { minutes: (now.0 / 60_000) as u16, log_factor, decay_minutes }
    }

    /// The clock of a key with this counter, as of now.
    pub fn clock(self, counter: u8) -> u32 {
        u32::from(self.minutes) << 8 | u32::from(counter)
    }

    /// The clock of a new key.
    pub fn born(self) -> u32 {
        self.clock(INITIAL)
    }

    /// The counter of a key, decayed up to now.
    pub fn counter(self, clock: u32) -> u8 {
        let elapsed = u32::from(self.minutes.wrapping_sub((clock >> 8) as u16));
        let decays = elapsed.checked_div(self.decay_minutes).unwrap_or(0);
        (clock as u8).saturating_sub(u8::try_from(decays).unwrap_or(u8::MAX))
    }

    /// Was the counter changed up to `minutes` after this? For the minutes wrap.
    pub(super) fn is_ahead(self, clock: u32, minutes: u32) -> bool {
        let ahead = u32::from(((clock >> 8) as u16).wrapping_sub(self.minutes));
        ahead != 0 && ahead <= minutes
    }

    /// The clock of a key that is used now.
    pub fn accessed(self, clock: u32) -> u32 {
        self.accessed_with(clock, chance())
    }

    /// As `accessed`; `chance` is in [0, 1).
    fn accessed_with(self, clock: u32, chance: f64) -> u32 {
        let counter = self.counter(clock);
        let above = f64::from(counter.saturating_sub(INITIAL));
        let counts = chance * (above * f64::from(self.log_factor) + 1.0) < 1.0;
        self.clock(if counts { counter.saturating_add(1) } else { counter })
    }
}

thread_local! {
    /// A generator of its own for each thread: an access has none in its hands, and its quality hardly matters.
    static STATE: Cell<u64> = Cell::new(os_seed() | 1);
}

/// A number in [0, 1).
fn chance() -> f64 {
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        (x >> 11) as f64 / (1u64 << 53) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::Lfu;
    use crate::base::ids::UnixMs;

    #[test]
    fn counters_grow_ever_more_seldom_and_decay() {
        let at = |minutes: i64| Lfu::new(UnixMs(minutes * 60_000), 10, 1);
        let born = at(100).born();
        assert_eq!(at(100).counter(born), 5);
        assert_eq!(at(103).counter(born), 2);
        assert_eq!(at(1000).counter(born), 0);
        assert_eq!(at(100).counter(at(100).accessed_with(born, 0.99)), 6);
        assert_eq!(at(100).counter(at(100).accessed_with(at(100).clock(6), 0.5)), 6);
        assert_eq!(at(100).counter(at(100).accessed_with(at(100).clock(6), 0.05)), 7);
        assert_eq!(at(100).counter(at(100).accessed_with(at(100).clock(255), 0.0)), 255);
        assert_eq!(Lfu::new(UnixMs(i64::MAX / 2), 10, 0).counter(born), 5);
        // The minutes wrap.
        assert_eq!(at(65_537).counter(at(65_535).clock(9)), 7);
    }
}
