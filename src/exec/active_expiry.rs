//! Active expiry: deletes keys, and takes out fields of hashes, whose deadline has passed although nobody asks for them.
//!
//! ```text
//!  every shard's lower bound of deadlines (one word each)  --due?-->  look through that shard  -->  delete, commit
//! ```
//!
//! Run by the cron thread on a primary, a slice of time per round; on a replica the primary's DELs do this, but for the keys
//! that clients of a writable replica have given a deadline.
//! Always: a key is judged and deleted under its shard's lock, and the DEL is committed before the lock is released, so
//! that a later write of the same key comes later in the stream as well.

use std::time::{Duration, Instant};

use crate::base::hash::hash_key;
use crate::base::ids::DbIndex;
use crate::commands::hash::expire::{DUE_FIELDS_MAX, take_due_fields};
use crate::commands::spec::{Args, Effect};
use crate::exec::announce::announce;
use crate::exec::executor::Executor;
use crate::exec::held::holds;
use crate::exec::stats::Count;
use crate::keyspace::shard::ShardGuard;
use crate::keyspace::space::{Expiry, Space, Surroundings};

/// Keys deleted between two looks at the clock and at the barrier.
const KEYS_PER_SLICE: usize = 32;

/// The state of the walk between rounds.
pub struct ActiveExpiry {
    executor: Executor,
    /// Where the next round begins: a round that runs out of time goes on there.
    next: (usize, usize),
}

/// What a round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// All shards have been looked at.
    Complete,
    OutOfTime,
}

impl ActiveExpiry {
    pub fn new(executor: Executor) -> ActiveExpiry {
        ActiveExpiry { executor, next: (0, 0) }
    }

    /// Takes up what is current: databases that are to be freed are not held any longer.
    pub fn let_go(&mut self) {
        self.executor.unpark();
        self.executor.park();
    }

    /// Looks at all shards, or at as many as `budget` allows.
    pub fn round(&mut self, budget: Duration) -> Round {
        self.executor.unpark();
        let now = self.executor.tick();
        let is_off =
            self.executor.engine().expiry_off_until.load(std::sync::atomic::Ordering::Relaxed) > now.0;
        // What is saved at the end is the end: a later DEL would leave replicas ahead of it.
        let view = self.executor.view();
        let rests = view.is_stopping || view.is_loading || view.is_paused(now) || is_off;
        let result = match (rests, view.is_replica) {
            (true, _) => Round::Complete,
            (false, true) => self.expire_own(Instant::now() + budget),
            (false, false) => {
                // Every deadline is ours.
                self.executor.engine().own_deadlines.clear();
                self.walk(Instant::now() + budget)
            }
        };
        self.executor.evict_by_clock();
        self.executor.park();
        result
    }

    /// Deletes what a replica's own clients have set to expire. No DEL goes anywhere: the stream is the primary's.
    fn expire_own(&mut self, until: Instant) -> Round {
        while let Some((db, key)) = self.executor.engine().own_deadlines.take_due(self.executor.now()) {
            self.executor.begin_batch();
            self.executor.expire(db, &key);
            self.executor.end_batch();
            self.executor.checkpoint();
            let view = self.executor.view();
            if Instant::now() >= until || !view.is_replica || view.is_stopping || view.is_loading {
                return Round::OutOfTime;
            }
        }
        Round::Complete
    }

    fn walk(&mut self, until: Instant) -> Round {
        let databases = self.executor.view().keyspace.databases();
        let (first_db, first_shard) = std::mem::take(&mut self.next);
        for number in first_db..databases {
            let start = if number == first_db { first_shard } else { 0 };
            let db = DbIndex(number as u16);
            let shards = self.executor.view().keyspace.db(db).shard_count();
            for shard in start..shards {
                let (side, now) = (self.executor.view().keyspace.db(db).side(shard), self.executor.now());
                let (keys, elements) = (side.next_due() < now, side.elements_due() < now);
                let in_time = (!keys || self.expire_shard(db, shard, until))
                    && (!elements || self.expire_elements(db, shard, until));
                if !in_time {
                    self.next = (number, shard);
                    return Round::OutOfTime;
                }
            }
        }
        Round::Complete
    }

    /// Takes out what is due within the values of one shard. False if time ran out.
    fn expire_elements(&mut self, db: DbIndex, shard: usize, until: Instant) -> bool {
        for key in self.keys_with_due_elements(db, shard) {
            loop {
                self.executor.begin_batch();
                let goes_on = self.executor.expire_fields(db, &key);
                self.executor.end_batch();
                self.executor.checkpoint();
                let view = self.executor.view();
                if Instant::now() >= until || view.is_replica || view.is_stopping || view.is_loading {
                    return false;
                }
                if !goes_on {
                    break;
                }
            }
        }
        true
    }

    fn keys_with_due_elements(&self, db: DbIndex, shard: usize) -> Vec<Vec<u8>> {
        let mut guard: ShardGuard<'_> = self.executor.view().keyspace.db(db).lock(shard);
        let due = guard.elements_due(self.executor.now());
        due.into_iter().map(|at| guard.get(at).key().to_vec()).collect()
    }

    /// Deletes what is due in one shard. False if time ran out.
    fn expire_shard(&mut self, db: DbIndex, shard: usize, until: Instant) -> bool {
        let keys = self.due_keys(db, shard);
        for slice in keys.chunks(KEYS_PER_SLICE) {
            self.executor.begin_batch();
            slice.iter().for_each(|key| self.executor.expire(db, key));
            self.executor.end_batch();
            self.executor.checkpoint();
            let view = self.executor.view();
            if Instant::now() >= until || view.is_replica || view.is_stopping || view.is_loading {
                return false;
            }
        }
        true
    }

    fn due_keys(&self, db: DbIndex, shard: usize) -> Vec<Vec<u8>> {
        let mut guard: ShardGuard<'_> = self.executor.view().keyspace.db(db).lock(shard);
        let mut due = Vec::new();
        guard.due(self.executor.now(), &mut due);
        due.into_iter().map(|at| guard.get(at).key().to_vec()).collect()
    }
}

impl Executor {
    /// Deletes a key if its deadline has passed, and tells the replicas, whoever has met it.
    pub(super) fn expire(&mut self, db: DbIndex, key: &[u8]) {
        let around =
            Surroundings { expiry: Expiry::Delete, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::one(&self.view.keyspace, db, key, hash_key(key), around);
        space.expire_if_due(key);
        self.stream.commit(db, &Args::borrowed(&[], None), Effect::None, &space.changes.expired);
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
    }

    /// Tells the replicas that a key is gone which was dropped as the data set was loaded.
    pub fn tell_dropped(&mut self, dropped: &(DbIndex, Vec<u8>)) {
        let nothing = Args::borrowed(&[], None);
        self.stream.commit(dropped.0, &nothing, Effect::None, std::slice::from_ref(dropped));
    }

    /// Takes fields of a hash out that are past their deadline, as many as go into one HDEL. True if there may be more.
    pub(super) fn expire_fields(&mut self, db: DbIndex, key: &[u8]) -> bool {
        if self.view.held.as_ref().is_some_and(|all| holds(all, db, key)) {
            // The target has got these fields with their deadlines.
            return false;
        }
        let around =
            Surroundings { expiry: Expiry::Delete, ..Self::surroundings(&self.view, &self.engine, self.now) };
        let mut space = Space::one(&self.view.keyspace, db, key, hash_key(key), around);
        let (effect, removed) = take_due_fields(&mut space, key);
        self.stream.commit(db, &Args::borrowed(&[], None), effect, &space.changes.expired);
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        drop(space);
        self.tally(tally);
        self.counters.add(Count::ExpiredFields, removed as u64);
        removed == DUE_FIELDS_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{ActiveExpiry, Round};
    use crate::base::ids::UnixMs;
    use crate::commands::harness::TestHost;
    use crate::commands::spec::Args;
    use crate::commands::spec::table::table;
    use crate::config::{Config, Live, Origin};
    use crate::exec::engine::Engine;
    use crate::exec::executor::{Executor, Resolved};
    use crate::pubsub::tracking::{Couriers, Invalidation, Options, Tracker};
    use crate::resp::reply::Reply;
    use crate::session::Session;
    use crate::session::client::Client;

    /// The keys of all invalidations, as they were sent.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl Couriers for Told {
        fn invalidate(&self, _: usize, invalidation: Invalidation) {
            let keys = invalidation.keys.map(|keys| String::from_utf8_lossy(&keys).replace("\r\n", " "));
            self.0.lock().expect("no test panics with it").push(keys.unwrap_or_default());
        }
    }

    fn run(executor: &mut Executor, session: &mut Session, request: &str) {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let resolved = Resolved::new(table().lookup(words[0]), None);
        let mut reply = Reply::new();
        executor.request(session, Args::borrowed(&words, None), resolved, &mut reply);
        assert_ne!(reply.buf[0], b'-', "{request}: {}", String::from_utf8_lossy(&reply.buf));
    }

    #[test]
    fn those_who_track_by_prefix_hear_of_fields_as_they_expire() {
        let live = Live::new(Config::default(), Origin::default());
        let engine = Arc::new(Engine::new(Arc::new(live), UnixMs(0)));
        engine.set_host(Arc::new(TestHost::default()));
        let told = Told::default();
        engine.tracking.set_couriers(Box::new(told.clone()));
        let options = Options { is_broadcast: true, ..Options::default() };
        let prefixes = BTreeSet::from([Vec::new()]);
        engine.tracking.enable(Arc::new(Tracker { client: 1, options, prefixes, ..Tracker::default() }));
        let client =
            Client::new(2, "127.0.0.1:2".into(), String::new(), -1, 0, false, UnixMs(0), Arc::default());
        let mut session = Session::new(Arc::new(client), true);
        let mut executor = Executor::new(engine.clone());
        executor.unpark();
        executor.tick();
        run(&mut executor, &mut session, "HSET h gone 1 stays 2");
        run(&mut executor, &mut session, "HPEXPIRE h 1 FIELDS 1 gone");
        executor.park();
        told.0.lock().expect("no test panics with it").clear();
        std::thread::sleep(Duration::from_millis(5));
        let mut expiry = ActiveExpiry::new(Executor::new(engine));
        assert_eq!(expiry.round(Duration::from_secs(5)), Round::Complete);
        assert_eq!(*told.0.lock().expect("no test panics with it"), ["*1 $1 h "]);
    }
}
