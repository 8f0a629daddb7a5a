//! Usage: what a snapshot notes of how recently, or how often, a key was used, so that who loads it evicts no worse.
//!
//! ```text
//!  maxmemory-policy    *-lru               *-lfu                others
//!  saved               IDLE seconds        FREQ counter         nothing
//!  loaded              sets the clock      sets the counter     IDLE sets the clock
//!                      (unless *-lfu)      (only with *-lfu)
//! ```
//!
//! Written by `snapshot`, read by `persist::rdb::load`, both with the clock of an entry in their hands.
//! Always: as Redis has it (RDB opcodes 248 and 249); a note that does not fit the policy is passed over.

use crate::base::ids::UnixMs;
use crate::config::{Config, EvictionPolicy};
use crate::keyspace::eviction::Lfu;

/// Bits of an entry's access clock.
const CLOCK_MASK: u32 = 0x00ff_ffff;

/// A walk notes usage as of its cut, but keys are used while it goes on. Clocks up to so far ahead of the cut are such; beyond
/// it they are old ones that have wrapped. Seconds.
const AHEAD_SECONDS_MAX: u32 = 24 * 3600;

/// What stands before a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Seconds since the last access.
    Idle(u32),
    /// The access counter.
    Frequency(u8),
}

/// What a walk notes of each key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usage {
    Unnoted,
    /// Idle times, as of this access clock.
    Idle(u32),
    Frequency(Lfu),
}

impl Usage {
    /// What `config` wants, as of `now`.
    pub fn of(config: &Config, now: UnixMs) -> Usage {
        use EvictionPolicy::{
            AllkeysLfu, AllkeysLru, AllkeysRandom, NoEviction, VolatileLfu, VolatileLru, VolatileRandom,
            VolatileTtl,
        };
        match config.maxmemory_policy {
            VolatileLru | AllkeysLru => Usage::Idle(seconds(now)),
            VolatileLfu | AllkeysLfu => {
                Usage::Frequency(Lfu::new(now, config.lfu_log_factor, config.lfu_decay_time))
            }
            VolatileRandom | AllkeysRandom | VolatileTtl | NoEviction => Usage::Unnoted,
        }
    }

    /// The note for a key with this access clock.
    #[inline]
    pub fn note(self, clock: u32) -> Option<Note> {
        match self {
            Usage::Unnoted => None,
            Usage::Idle(now) => {
                let idle = now.wrapping_sub(clock) & CLOCK_MASK;
                let is_ahead = CLOCK_MASK - idle < AHEAD_SECONDS_MAX;
                Some(Note::Idle(if is_ahead { 0 } else { idle }))
            }
            Usage::Frequency(lfu) => Some(Note::Frequency(if lfu.is_ahead(clock, AHEAD_SECONDS_MAX / 60) {
                clock as u8
            } else {
                lfu.counter(clock)
            })),
        }
    }
}

/// How a load sets access clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadedUsage {
    /// Seconds.
    now: u32,
    lfu: Option<Lfu>,
}

impl LoadedUsage {
    pub fn of(config: &Config, now: UnixMs) -> LoadedUsage {
        let lfu = match Usage::of(config, now) {
            Usage::Frequency(lfu) => Some(lfu),
            Usage::Unnoted | Usage::Idle(_) => None,
        };
        LoadedUsage { now: seconds(now), lfu }
    }

    /// The clock of a key before which these notes stood.
    pub fn clock(self, idle_seconds: Option<u64>, frequency: Option<u8>) -> u32 {
        match self.lfu {
            Some(lfu) => frequency.map_or_else(|| lfu.born(), |counter| lfu.clock(counter)),
            None => {
                // Nothing can be idle for longer than the clock shows.
                let idle = idle_seconds.unwrap_or(0).min(u64::from(CLOCK_MASK - AHEAD_SECONDS_MAX)) as u32;
                self.now.wrapping_sub(idle) & CLOCK_MASK
            }
        }
    }
}

/// The access clock, as `keyspace::space::access_clock` has it.
fn seconds(now: UnixMs) -> u32 {
    (now.0 / 1000) as u32 & CLOCK_MASK
}

#[cfg(test)]
mod tests {
    use super::{LoadedUsage, Note, Usage};
    use crate::base::ids::UnixMs;
    use crate::config::{Config, EvictionPolicy};

    fn config(policy: EvictionPolicy) -> Config {
        let mut config = Config::default();
        config.maxmemory_policy = policy;
        config
    }

    #[test]
    fn what_is_noted_under_a_policy_comes_back_under_it() {
        let now = UnixMs(1_700_000_000_000);
        let check = |policy, clock, note: Option<Note>, back| {
            assert_eq!(Usage::of(&config(policy), now).note(clock), note, "{policy:?} {clock}");
            let (idle, frequency) = match note {
                Some(Note::Idle(seconds)) => (Some(u64::from(seconds)), None),
                Some(Note::Frequency(counter)) => (None, Some(counter)),
                None => (None, None),
            };
            let loaded = LoadedUsage::of(&config(policy), now);
            assert_eq!(loaded.clock(idle, frequency), back, "{policy:?} {clock}");
        };
        let seconds = 1_700_000_000u32 & 0x00ff_ffff;
        check(EvictionPolicy::AllkeysLru, seconds - 77, Some(Note::Idle(77)), seconds - 77);
        // Used since the cut.
        check(EvictionPolicy::VolatileLru, seconds + 5, Some(Note::Idle(0)), seconds);
        check(EvictionPolicy::NoEviction, seconds - 77, None, seconds);
        let minutes = (1_700_000_000u32 / 60) & 0xffff;
        let (old, ahead) = ((minutes - 3) << 8 | 9, (minutes + 2) << 8 | 9);
        check(EvictionPolicy::AllkeysLfu, old, Some(Note::Frequency(6)), minutes << 8 | 6);
        check(EvictionPolicy::VolatileLfu, ahead, Some(Note::Frequency(9)), minutes << 8 | 9);
    }

    #[test]
    fn a_note_that_does_not_fit_the_policy_is_passed_over() {
        let now = UnixMs(1_700_000_000_000);
        let (seconds, minutes) = (1_700_000_000u32 & 0x00ff_ffff, (1_700_000_000u32 / 60) & 0xffff);
        let lfu = LoadedUsage::of(&config(EvictionPolicy::AllkeysLfu), now);
        assert_eq!(lfu.clock(Some(100), None), minutes << 8 | 5, "as a new key");
        let random = LoadedUsage::of(&config(EvictionPolicy::AllkeysRandom), now);
        assert_eq!(random.clock(Some(100), None), seconds - 100);
        assert_eq!(random.clock(None, Some(200)), seconds);
        assert!(random.clock(Some(u64::MAX), None) <= 0x00ff_ffff);
    }
}
