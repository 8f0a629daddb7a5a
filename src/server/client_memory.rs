//! Memory of clients: what all of them hold together, and whose connections end when that exceeds `maxmemory-clients`.
//!
//! ```text
//!  a worker, at the end of a connection's turn:  account: grown by a step and the sum is beyond the limit? --+
//!  a worker that sees a new limit, cron:                                                                     +--> evict
//!  who is chosen is leaving, until its worker has closed it and its buffers are free --> forget
//! ```
//!
//! Kept by `Shared`. Evicting measures everybody anew, so the running sum only decides when that is worth while. Always: the
//! clients that hold most go first, those with CLIENT NO-EVICT count but stay, and replicas neither count nor go.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, MemoryOrShare};
use crate::session::client::{Client, GONE, LEAVES, STAYS};
use crate::session::roster::Roster;

/// A client whose memory has changed by less is not accounted anew. Larger makes the limit that much vaguer per client; smaller
/// makes workers write to the common sum more often.
pub const STEP_BYTES: u64 = 4096;

/// The limit in bytes; 0 is none. A share of no `maxmemory` is none.
pub fn limit_bytes(config: &Config) -> u64 {
    match config.maxmemory_clients {
        MemoryOrShare::Bytes(bytes) => bytes,
        MemoryOrShare::Percent(share) => (u128::from(config.maxmemory) * u128::from(share) / 100) as u64,
    }
}

/// What all clients hold together.
#[derive(Default)]
pub struct ClientMemory {
    /// The sum of `Client::accounted_bytes`. Every worker adds and subtracts, Relaxed: it publishes nothing.
    total_bytes: AtomicU64,
    /// How many are chosen and not gone yet. Who chooses adds, the worker that has closed one subtracts; Relaxed, as a hint.
    leaving: AtomicU64,
    /// Monotonic ns when the last of those went, plus one; 0: never. Written by that worker, Relaxed.
    left_at: AtomicU64,
    /// One eviction at a time, or two would choose twice as many.
    turn: Mutex<()>,
}

impl ClientMemory {
    /// Notes what `client` holds now; only by the worker that serves it. Returns the sum of all if the client has grown.
    #[inline]
    pub fn account(&self, client: &Client) -> Option<u64> {
        let (held, before) = (client.memory_bytes(), client.accounted_bytes.load(Relaxed));
        if held.abs_diff(before) < STEP_BYTES {
            return None;
        }
        client.accounted_bytes.store(held, Relaxed);
        let change = held.wrapping_sub(before);
        let total = self.total_bytes.fetch_add(change, Relaxed).wrapping_add(change);
        (held > before).then_some(total)
    }

    /// What all hold together, as far as it is accounted.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Relaxed)
    }

    /// Chosen clients that are still there: their memory is about to be free.
    pub fn are_any_leaving(&self) -> bool {
        self.leaving.load(Relaxed) > 0
    }

    /// Nanoseconds since a chosen client went; `u64::MAX` if none ever did.
    pub fn since_last_left_ns(&self, now_ns: u64) -> u64 {
        match self.left_at.load(Relaxed) {
            0 => u64::MAX,
            at => (now_ns + 1).saturating_sub(at),
        }
    }

    /// The client is gone, and its buffers are free.
    pub fn forget(&self, client: &Client, now_ns: impl FnOnce() -> u64) {
        self.total_bytes.fetch_sub(client.accounted_bytes.swap(0, Relaxed), Relaxed);
        if client.eviction.swap(GONE, Relaxed) == LEAVES {
            self.leaving.fetch_sub(1, Relaxed);
            self.left_at.store(now_ns() + 1, Relaxed);
        }
    }

    /// Those that have to go so that the others stay within `limit_bytes`, each with what it holds. `evict` is called for each
    /// and takes it from the roster.
    #[cold]
    pub fn evict(&self, roster: &Roster, limit_bytes: u64, mut evict: impl FnMut(&Client, u64)) {
        let unaccounted = STEP_BYTES * roster.len() as u64;
        if limit_bytes == 0 || self.total_bytes.load(Relaxed).saturating_add(unaccounted) <= limit_bytes {
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = roster.list().into_iter().filter(|client| !client.is_replica.load(Relaxed));
        let mut clients: Vec<(u64, Arc<Client>)> =
            clients.map(|client| (client.memory_bytes(), client)).collect();
        let mut total: u64 = clients.iter().map(|(held, _)| held).sum();
        clients.retain(|(_, client)| !client.is_no_evict.load(Relaxed));
        clients.sort_unstable_by_key(|(held, _)| std::cmp::Reverse(*held));
        for (held, client) in clients {
            if total <= limit_bytes {
                return;
            }
            // Its worker may be closing it by itself at this moment.
            self.leaving.fetch_add(1, Relaxed);
            if client.eviction.compare_exchange(STAYS, LEAVES, Relaxed, Relaxed).is_err() {
                self.leaving.fetch_sub(1, Relaxed);
            }
            evict(&client, held);
            total -= held;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;

    use super::{ClientMemory, limit_bytes};
    use crate::base::ids::UnixMs;
    use crate::config::{Config, MemoryOrShare};
    use crate::session::client::Client;
    use crate::session::roster::Roster;

    /// Clients that hold so many kilobytes of replies, with ids from 1.
    fn roster(memory: &ClientMemory, kilobytes: &[u64]) -> Roster {
        let roster = Roster::default();
        for held in kilobytes {
            let id = roster.next_id();
            let traffic = Arc::default();
            let client = Client::new(id, "".into(), "".into(), 0, 0, false, UnixMs(0), traffic);
            client.traffic.reply_capacity.store(held * 1024, Relaxed);
            memory.account(&client);
            roster.add(Arc::new(client));
        }
        roster
    }

    fn evicted(memory: &ClientMemory, roster: &Roster, kilobytes: u64) -> Vec<u64> {
        let mut ids = Vec::new();
        memory.evict(roster, kilobytes * 1024, |client, _| ids.push(client.id));
        ids
    }

    #[test]
    fn the_largest_go_until_the_rest_is_within_the_limit() {
        let memory = ClientMemory::default();
        let roster = roster(&memory, &[10, 300, 20, 200, 100]);
        for (limit, expected) in
            [(0, &[][..]), (700, &[]), (600, &[2]), (350, &[2]), (150, &[2, 4]), (1, &[2, 4, 5, 3, 1])]
        {
            assert_eq!(evicted(&memory, &roster, limit), expected, "{limit} kB");
        }
    }

    #[test]
    fn who_must_stay_counts_but_stays_and_a_replica_does_neither() {
        let memory = ClientMemory::default();
        let roster = roster(&memory, &[500, 100, 500, 100]);
        roster.get(1).expect("it is there").is_no_evict.store(true, Relaxed);
        roster.get(3).expect("it is there").is_replica.store(true, Relaxed);
        assert_eq!(evicted(&memory, &roster, 800), [0; 0]);
        assert_eq!(evicted(&memory, &roster, 100), [2, 4]);
    }

    #[test]
    fn growth_is_reported_by_steps_and_what_has_gone_is_forgotten() {
        let memory = ClientMemory::default();
        let roster = roster(&memory, &[100]);
        let client = roster.get(1).expect("it is there");
        client.traffic.reply_capacity.fetch_add(1000, Relaxed);
        assert_eq!(memory.account(&client), None, "less than a step");
        client.traffic.reply_capacity.fetch_add(10_000, Relaxed);
        assert_eq!(memory.account(&client), Some(client.memory_bytes()));
        client.traffic.reply_capacity.store(0, Relaxed);
        assert_eq!(memory.account(&client), None, "it has shrunk");
        memory.forget(&client, || 0);
        assert_eq!(memory.total_bytes.load(Relaxed), 0);
    }

    #[test]
    fn a_share_is_one_of_maxmemory() {
        let mut config = Config::default();
        config.maxmemory = 6 << 20;
        assert_eq!(limit_bytes(&config), 0, "no limit by default");
        config.maxmemory_clients = MemoryOrShare::Percent(7);
        assert_eq!(limit_bytes(&config), 440_401);
        config.maxmemory = 0;
        assert_eq!(limit_bytes(&config), 0);
    }

    #[test]
    fn who_is_chosen_is_leaving_until_it_is_gone_whoever_is_first() {
        let memory = ClientMemory::default();
        let roster = roster(&memory, &[300, 200]);
        let (first, second) = (roster.get(1).expect("it is there"), roster.get(2).expect("it is there"));
        assert_eq!((memory.are_any_leaving(), memory.since_last_left_ns(5)), (false, u64::MAX));
        assert_eq!(evicted(&memory, &roster, 250), [1]);
        assert!(memory.are_any_leaving());
        memory.forget(&first, || 70);
        assert_eq!((memory.are_any_leaving(), memory.since_last_left_ns(100)), (false, 30));
        // Its worker has closed it by itself, and it is chosen before it has left the roster.
        memory.account(&first);
        memory.forget(&second, || 90);
        assert_eq!(evicted(&memory, &roster, 100), [1, 2]);
        assert!(!memory.are_any_leaving());
        assert_eq!(memory.since_last_left_ns(100), 30, "nobody who was chosen has left since");
    }
}
