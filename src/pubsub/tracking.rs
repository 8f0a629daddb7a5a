//! Client tracking: which clients have read which keys, and who hears that a key has changed.
//!
//! ```text
//!  default mode   GET k by a tracking client --> keys: k -> [client]           a change of k --> each of them, and k is forgotten
//!  BCAST          prefixes: "user:" -> [client]                              a change of user:1 --> each of them
//!
//!  change --> Space notes the key --> Table::invalidate --> Invalidation --> worker of the client, or of whom it redirects to
//! ```
//!
//! Written by executors: a read registers, and a change invalidates, while the key's shard is locked. So a client that has the
//! old value is told, whatever happens in between.
//! Always: the key table never holds more than `tracking-table-max-keys` keys for long; keys that have to go are invalidated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use dashmap::DashMap;

use crate::base::alloc::size_class;
use crate::keyspace::tracked::{Touched, Tracked};
use crate::resp::reply::Reply;

/// The channel on which RESP2 clients hear of changes, from a client that redirects to them.
pub const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a client asked for with CLIENT TRACKING.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    pub is_broadcast: bool,
    pub is_optin: bool,
    pub is_optout: bool,
    pub is_noloop: bool,
}

/// One tracking client.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    pub client: u64,
    pub worker: usize,
    pub options: Options,
    /// Who hears in its place: client and worker.
    pub redirect: Option<(u64, usize)>,
    /// BCAST: what keys must begin with. One empty prefix stands for all keys.
    pub prefixes: BTreeSet<Vec<u8>>,
}

impl Tracker {
    /// The client that hears of changes: this one, or that to which it redirects.
    fn hears_for_it(&self) -> u64 {
        self.redirect.map_or(self.client, |(to, _)| to)
    }

    fn invalidation(&self, keys: Option<Arc<[u8]>>) -> Invalidation {
        let owner = self.redirect.map(|_| (self.client, self.worker));
        Invalidation { to: self.hears_for_it(), owner, keys }
    }
}

/// Keys that a client must not trust any more.
#[derive(Clone, Debug)]
pub struct Invalidation {
    /// Who hears it.
    pub to: u64,
    /// The client that tracks, if that is another one, and its worker.
    pub owner: Option<(u64, usize)>,
    /// An array of keys in RESP; none: all keys.
    pub keys: Option<Arc<[u8]>>,
}

/// The ways to the workers; implemented above.
pub trait Couriers: Send + Sync {
    fn invalidate(&self, worker: usize, invalidation: Invalidation);
}

/// See the top of the file.
#[derive(Default)]
pub struct Table {
    pub tracked: Tracked,
    clients: DashMap<u64, Arc<Tracker>>,
    /// Who has read a key since it was invalidated last.
    keys: DashMap<Vec<u8>, Vec<u64>>,
    prefixes: RwLock<BTreeMap<Vec<u8>, BTreeSet<u64>>>,
    /// Keys in `keys`, and clients noted with them. Written by executors beside the map; Relaxed, for display and the limit.
    key_count: AtomicUsize,
    item_count: AtomicUsize,
    /// Prefixes in `prefixes`. Written under its lock, read Relaxed before taking it.
    prefix_count: AtomicUsize,
    couriers: OnceLock<Box<dyn Couriers>>,
}

impl Table {
    /// Ties the workers in; once, before any client tracks.
    pub fn set_couriers(&self, couriers: Box<dyn Couriers>) {
        assert!(self.couriers.set(couriers).is_ok(), "the couriers are set once, by boot");
    }

    /// A client tracks from now on, or differently.
    pub fn enable(&self, tracker: Arc<Tracker>) {
        if tracker.options.is_broadcast {
            let mut prefixes = self.prefixes.write().unwrap_or_else(PoisonError::into_inner);
            for prefix in &tracker.prefixes {
                prefixes.entry(prefix.clone()).or_default().insert(tracker.client);
            }
            self.prefix_count.store(prefixes.len(), Relaxed);
        }
        if self.clients.insert(tracker.client, tracker).is_none() {
            self.tracked.enter();
        }
    }

    /// A client tracks no longer. The keys that it has read are forgotten when they change.
    pub fn disable(&self, client: u64) {
        let Some((_, tracker)) = self.clients.remove(&client) else { return };
        if tracker.options.is_broadcast {
            let mut prefixes = self.prefixes.write().unwrap_or_else(PoisonError::into_inner);
            for prefix in &tracker.prefixes {
                if let Some(clients) = prefixes.get_mut(prefix) {
                    clients.remove(&client);
                }
            }
            prefixes.retain(|_, clients| !clients.is_empty());
            self.prefix_count.store(prefixes.len(), Relaxed);
        }
        self.tracked.leave();
    }

    /// A tracking client has read a key. Called under the lock of the key's shard.
    pub fn remember(&self, client: u64, key: &[u8]) {
        let mut readers = self.keys.entry(key.to_vec()).or_insert_with(|| {
            self.key_count.fetch_add(1, Relaxed);
            Vec::new()
        });
        if !readers.contains(&client) {
            readers.push(client);
            self.item_count.fetch_add(1, Relaxed);
        }
    }

    /// Keys have changed by a command of client `by` (0: of nobody): those who have read them are told.
    #[cold]
    pub fn invalidate(&self, touched: &[Touched], by: u64) {
        for touched in touched {
            self.invalidate_readers(&touched.key, if touched.by_server { 0 } else { by }, None);
        }
    }

    /// As `invalidate`, for changes that nobody's command has made. What client `own` hears of it is left in `first`.
    #[cold]
    /// Returns the bytes of memory that forgetting the keys has freed.
    pub fn invalidate_but(&self, touched: &[Touched], own: u64, first: &mut Vec<Invalidation>) -> usize {
        touched.iter().map(|touched| self.invalidate_readers(&touched.key, 0, Some((own, first)))).sum()
    }

    /// Does any client track in BCAST mode?
    pub fn is_broadcasting(&self) -> bool {
        self.prefix_count.load(Relaxed) > 0
    }

    /// Tells those who have read a key, and forgets them. Returns the bytes that they took.
    fn invalidate_readers(
        &self,
        key: &[u8],
        by: u64,
        mut own: Option<(u64, &mut Vec<Invalidation>)>,
    ) -> usize {
        let Some((known, readers)) = self.keys.remove(key) else { return 0 };
        let bytes = size_class(known.capacity()) + size_class(readers.capacity() * size_of::<u64>());
        self.key_count.fetch_sub(1, Relaxed);
        self.item_count.fetch_sub(readers.len(), Relaxed);
        let keys = encode(std::iter::once(key), 1);
        for reader in readers {
            let Some(tracker) = self.clients.get(&reader).map(|tracker| tracker.clone()) else { continue };
            let is_own = tracker.options.is_noloop && reader == by;
            if is_own || tracker.options.is_broadcast {
                continue;
            }
            match &mut own {
                Some((client, first)) if tracker.hears_for_it() == *client => {
                    first.push(tracker.invalidation(Some(keys.clone())));
                }
                Some(_) | None => self.send(&tracker, Some(keys.clone())),
            }
        }
        bytes
    }

    /// The same for those who track in BCAST mode: one message per client and prefix, whatever the number of keys.
    #[cold]
    pub fn broadcast(&self, touched: &[Touched], by: u64) {
        let prefixes = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        for (prefix, clients) in prefixes.iter() {
            let keys: BTreeSet<&[u8]> = matching(touched, prefix, |_| true);
            if keys.is_empty() {
                continue;
            }
            let all = encode(keys.iter().copied(), keys.len());
            for client in clients {
                let Some(tracker) = self.clients.get(client).map(|tracker| tracker.clone()) else { continue };
                if !(tracker.options.is_noloop && *client == by) {
                    self.send(&tracker, Some(all.clone()));
                    continue;
                }
                let of_others = matching(touched, prefix, |touched| touched.by_server);
                if !of_others.is_empty() {
                    self.send(&tracker, Some(encode(of_others.iter().copied(), of_others.len())));
                }
            }
        }
    }

    /// All keys may have changed: databases were emptied, exchanged or replaced.
    pub fn invalidate_all(&self) {
        // Keys that clients have read before they stopped tracking are still there.
        if !self.tracked.is_anyone() && self.key_count.load(Relaxed) == 0 {
            return;
        }
        self.keys.retain(|_, readers| {
            self.key_count.fetch_sub(1, Relaxed);
            self.item_count.fetch_sub(readers.len(), Relaxed);
            false
        });
        let trackers: Vec<Arc<Tracker>> = self.clients.iter().map(|tracker| tracker.clone()).collect();
        trackers.iter().for_each(|tracker| self.send(tracker, None));
    }

    /// Forgets keys until there are no more than `max`, and tells their readers.
    pub fn limit(&self, max: usize) {
        let excess = self.key_count.load(Relaxed).saturating_sub(max);
        if excess == 0 {
            return;
        }
        let victims: Vec<Vec<u8>> = self.keys.iter().take(excess).map(|entry| entry.key().clone()).collect();
        victims.iter().for_each(|key| {
            self.invalidate_readers(key, 0, None);
        });
    }

    fn send(&self, tracker: &Tracker, keys: Option<Arc<[u8]>>) {
        let Some(couriers) = self.couriers.get() else { return };
        let worker = tracker.redirect.map_or(tracker.worker, |(_, worker)| worker);
        couriers.invalidate(worker, tracker.invalidation(keys));
    }

    /// For INFO: keys, clients noted with them, prefixes.
    pub fn counts(&self) -> (usize, usize, usize) {
        let (keys, items) = (self.key_count.load(Relaxed), self.item_count.load(Relaxed));
        (keys, items, self.prefix_count.load(Relaxed))
    }
}

fn matching<'a>(
    touched: &'a [Touched],
    prefix: &[u8],
    is_wanted: fn(&Touched) -> bool,
) -> BTreeSet<&'a [u8]> {
    let fits = |touched: &&Touched| touched.key.starts_with(prefix) && is_wanted(touched);
    touched.iter().filter(fits).map(|touched| touched.key.as_slice()).collect()
}

fn encode<'a>(keys: impl Iterator<Item = &'a [u8]>, count: usize) -> Arc<[u8]> {
    let mut reply = Reply::new();
    reply.array(count);
    keys.for_each(|key| reply.bulk(key));
    reply.buf.into()
}

impl Invalidation {
    /// Appends it for the client that hears it: a push message in RESP3; in RESP2 a message on the channel of invalidations, if
    /// another client has sent it here and this one is a subscriber.
    pub fn write(&self, out: &mut Reply, is_subscriber: bool) {
        let is_resp3 = out.resp3();
        let is_heard = is_resp3 || (self.owner.is_some() && is_subscriber);
        if !is_heard {
            return;
        }
        let was_suppressed = out.suppressed();
        out.set_suppressed(false);
        if is_resp3 {
            out.push(2);
            out.bulk(b"invalidate");
        } else {
            out.array(3);
            out.bulk(b"message");
            out.bulk(CHANNEL);
        }
        match &self.keys {
            Some(keys) => out.raw(keys),
            None => out.null(),
        }
        out.set_suppressed(was_suppressed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Couriers, Invalidation, Options, Table, Tracker};
    use crate::keyspace::tracked::Touched;

    #[derive(Default, Clone)]
    struct Sent(Arc<Mutex<Vec<(u64, String)>>>);

    impl Couriers for Sent {
        fn invalidate(&self, _worker: usize, invalidation: Invalidation) {
            let keys = invalidation.keys.map_or("all".into(), |keys| {
                let text = String::from_utf8_lossy(&keys).into_owned();
                text.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
            });
            self.0.lock().expect("no test panics with it").push((invalidation.to, keys.trim().to_owned()));
        }
    }

    fn table() -> (Table, Sent) {
        let (table, sent) = (Table::default(), Sent::default());
        table.set_couriers(Box::new(sent.clone()));
        (table, sent)
    }

    fn tracker(client: u64, options: Options, prefixes: &[&str]) -> Arc<Tracker> {
        let prefixes = prefixes.iter().map(|prefix| prefix.as_bytes().to_vec()).collect();
        Arc::new(Tracker { client, options, prefixes, ..Tracker::default() })
    }

    #[track_caller]
    fn check(sent: &Sent, expected: &[(u64, &str)]) {
        let sent = std::mem::take(&mut *sent.0.lock().expect("no test panics with it"));
        let sent: Vec<(u64, &str)> = sent.iter().map(|(to, keys)| (*to, keys.as_str())).collect();
        assert_eq!(sent, expected);
    }

    fn touched(keys: &[&str]) -> Vec<Touched> {
        keys.iter().map(|key| Touched { key: key.as_bytes().to_vec(), by_server: false }).collect()
    }

    #[test]
    fn a_reader_hears_once_of_a_change_and_only_of_what_it_read() {
        let (table, sent) = table();
        table.enable(tracker(1, Options::default(), &[]));
        table.remember(1, b"a");
        table.remember(1, b"a");
        assert_eq!(table.counts(), (1, 1, 0));
        table.invalidate(&touched(&["b", "a", "a"]), 7);
        check(&sent, &[(1, "a")]);
        table.remember(1, b"a");
        table.disable(1);
        table.invalidate(&touched(&["a"]), 7);
        check(&sent, &[]);
        assert!(!table.tracked.is_anyone());
    }

    #[test]
    fn broadcasts_gather_the_keys_of_a_command_by_prefix() {
        let (table, sent) = table();
        let options = Options { is_broadcast: true, ..Options::default() };
        table.enable(tracker(1, options, &["a", "b"]));
        table.enable(tracker(2, Options { is_noloop: true, ..options }, &[""]));
        table.broadcast(&touched(&["a2", "c", "a1", "b1"]), 2);
        check(&sent, &[(1, "a1 a2"), (1, "b1")]);
        let expired = [Touched { key: b"a".to_vec(), by_server: true }];
        table.broadcast(&expired, 2);
        check(&sent, &[(2, "a"), (1, "a")]);
    }

    #[test]
    fn beyond_the_limit_keys_are_given_up_and_their_readers_told() {
        let (table, sent) = table();
        table.enable(tracker(1, Options::default(), &[]));
        (0..10).for_each(|n| table.remember(1, format!("k{n}").as_bytes()));
        table.limit(3);
        assert_eq!(table.counts(), (3, 3, 0));
        assert_eq!(sent.0.lock().expect("no test panics with it").len(), 7);
        table.invalidate_all();
        assert_eq!(sent.0.lock().expect("no test panics with it").pop(), Some((1, "all".into())));
        assert_eq!(table.counts(), (0, 0, 0));
    }
}
