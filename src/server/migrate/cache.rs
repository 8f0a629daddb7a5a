//! The cache: connections to targets that were used lately, for the next migration to the same place.
//!
//! ```text
//!  host:port -> (connection, last use)     take: out of here while it is used     put: back again
//! ```
//!
//! Used by the threads of migrations and by cron, which closes what nobody has needed. Always: a connection is in here or with one
//! migration; INFO's `migrate_cached_sockets` counts those in here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::base::sync::lock;
use crate::server::migrate::target::Target;

/// More are not kept, as in Redis: each is a file.
const TARGETS_MAX: usize = 64;
/// So long one is kept without being used, as in Redis.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Generic in what it keeps, for tests.
pub struct Cache<T = Target> {
    targets: Mutex<HashMap<String, (T, Instant)>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Cache<T> {
        Cache { targets: Mutex::default() }
    }
}

impl<T> Cache<T> {
    pub fn take(&self, name: &str) -> Option<T> {
        lock(&self.targets).remove(name).map(|(target, _)| target)
    }

    /// Keeps a connection. One of the same name, or the one that was not used for longest, goes for it.
    pub fn put(&self, name: String, target: T, now: Instant) {
        let mut targets = lock(&self.targets);
        if targets.len() >= TARGETS_MAX && !targets.contains_key(&name) {
            let oldest = targets.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            oldest.map(|name| targets.remove(&name));
        }
        targets.insert(name, (target, now));
    }

    /// Closes what has not been used for a while.
    pub fn expire(&self, now: Instant) {
        lock(&self.targets).retain(|_, (_, used)| now.saturating_duration_since(*used) <= KEPT_FOR);
    }

    pub fn len(&self) -> usize {
        lock(&self.targets).len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Cache, TARGETS_MAX};

    #[test]
    fn what_is_used_is_kept_and_what_is_not_is_closed() {
        let (cache, start) = (Cache::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        cache.put("a:1".into(), 1, start);
        cache.put("b:1".into(), 2, after(5));
        cache.expire(after(10));
        assert_eq!(cache.len(), 2);
        cache.expire(after(11));
        assert_eq!((cache.take("a:1"), cache.take("b:1"), cache.len()), (None, Some(2), 0));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_oldest_goes() {
        let (cache, start) = (Cache::default(), Instant::now());
        for number in 0..=TARGETS_MAX {
            cache.put(format!("h:{number}"), number, start + Duration::from_millis(number as u64));
        }
        assert_eq!((cache.len(), cache.take("h:0")), (TARGETS_MAX, None));
        // The same name takes nobody else's place.
        cache.put("h:9".into(), 0, start);
        cache.put("h:9".into(), 9, start);
        assert_eq!((cache.len(), cache.take("h:9"), cache.take("h:1")), (TARGETS_MAX, Some(9), Some(1)));
    }
}
