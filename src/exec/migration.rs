//! Migration: what happens to the keys here while they go to another server.
//!
//! ```text
//!  hold        the world stands still once: from then on nobody changes the keys
//!  pick_up     locks of all keys -> payloads                                        no lock is held while these travel
//!  hand_over   locks of those that have been acknowledged -> DEL into the stream
//!  let_go      who waited goes on
//! ```
//!
//! Called by the thread that talks to the target (`server::migrate`), each step with an executor of its own, so that none is kept
//! (with the databases of its view) while the network is waited for.
//! Always: a key is deleted only if it is what the target has got. `held` sees to that; each parcel is watched besides, as by
//! WATCH, and what has changed in spite of all (a primary's stream on a writable replica, for one) stays.

use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::generic::dump::payload_of;
use crate::commands::spec::{Args, Effect};
use crate::exec::announce::announce;
use crate::exec::executor::Executor;
use crate::exec::held::Hold;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Space;
use crate::keyspace::watch::{WatchFlag, Watched};

/// How often a migration that is through looks whether clients are still paused.
const PAUSE_LOOK: Duration = Duration::from_millis(5);

/// One key on its way.
pub struct Parcel {
    pub key: Vec<u8>,
    pub deadline: Option<UnixMs>,
    /// As RESTORE takes it.
    pub payload: Vec<u8>,
    watched: Arc<Watched>,
    flag: Arc<WatchFlag>,
}

#[cfg(test)]
impl Parcel {
    /// One that was never in a data set.
    pub fn made_up(key: &[u8], deadline: Option<UnixMs>, payload: &[u8]) -> Parcel {
        let flag = Arc::new(WatchFlag::default());
        let watched = Arc::new(Watched::new(DbIndex(0), key, false, flag.clone()));
        Parcel { key: key.to_vec(), deadline, payload: payload.to_vec(), watched, flag }
    }
}

/// What became of the keys that the target has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandedOver {
    /// They are gone from here. `written`: the stream's offset behind the DEL, if there was one.
    Gone { written: Option<u64> },
    /// Some have changed meanwhile, and are here too.
    SomeChanged,
    /// The server has become a replica, or is about to end: its data set is not ours to change. All are here too.
    NotOurs,
}

impl Executor {
    /// The keys that exist, as they are at one moment. If they are held nobody changes them from then on.
    pub fn pick_up(&mut self, db: DbIndex, keys: &[Vec<u8>], hold: Option<&Hold>) -> Vec<Parcel> {
        self.unpark();
        self.begin_batch();
        if hold.is_some() {
            // Commands that began before the hold are over then, and whoever begins after it knows of it.
            self.stand_still(|_| ());
        }
        self.tick();
        let around = Self::surroundings(&self.view, &self.engine, self.now);
        let shards = keys.iter().map(|key| Space::shard_ref(&self.view.keyspace, db, key)).collect();
        let mut space = Space::many(&self.view.keyspace, db, shards, around);
        let mut parcels = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(entry) = space.read(key) else { continue };
            let flag = Arc::new(WatchFlag::default());
            let watched = Arc::new(Watched::new(db, key, false, flag.clone()));
            let (deadline, payload) = (entry.deadline(), payload_of(entry));
            self.engine.watches.register(watched.clone());
            parcels.push(Parcel { key: key.clone(), deadline, payload, watched, flag });
        }
        self.stream.commit(db, &Args::borrowed(&[], None), Effect::None, &space.changes.expired);
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
        self.end_batch();
        self.park();
        parcels
    }

    /// Deletes the keys that the target has acknowledged. While clients are paused nothing is written, so it waits until they
    /// are not. `was_replica`: the role of this server when the keys were picked up.
    pub fn hand_over(&mut self, db: DbIndex, parcels: &[&Parcel], was_replica: bool) -> HandedOver {
        loop {
            self.unpark();
            let now = self.tick();
            if self.view.is_stopping || (self.view.is_replica && !was_replica) {
                self.park();
                return HandedOver::NotOurs;
            }
            if !self.view.is_paused(now) && !self.view.is_loading {
                break;
            }
            self.park();
            std::thread::sleep(PAUSE_LOOK);
        }
        self.begin_batch();
        let result = self.delete_parcels(db, parcels);
        self.end_batch();
        self.park();
        result
    }

    fn delete_parcels(&mut self, db: DbIndex, parcels: &[&Parcel]) -> HandedOver {
        let around = Self::surroundings(&self.view, &self.engine, self.now);
        let shards =
            parcels.iter().map(|parcel| Space::shard_ref(&self.view.keyspace, db, &parcel.key)).collect();
        let mut space = Space::many(&self.view.keyspace, db, shards, around);
        let mut words: Vec<&[u8]> = vec![b"DEL"];
        let mut has_changed = false;
        // All are judged before any is deleted: the same key may be among them twice.
        let is_same: Vec<bool> = parcels.iter().map(|parcel| !parcel.flag.is_changed()).collect();
        for (parcel, is_same) in parcels.iter().zip(is_same) {
            if !is_same {
                has_changed |= space.peek(&parcel.key).is_some();
            } else if space.delete(&parcel.key) {
                space.notify(Classes::GENERIC, "del", &parcel.key);
                words.push(&parcel.key);
            }
        }
        let effect = if words.len() > 1 { Effect::rewritten(&words) } else { Effect::None };
        let written = self.stream.commit(db, &Args::borrowed(&[], None), effect, &space.changes.expired);
        announce(&mut self.means.publisher, &mut space);
        let tally = space.changes.tally;
        let ready = std::mem::take(&mut space.changes.ready);
        drop(space);
        self.tally(tally);
        self.serve(ready);
        if has_changed {
            HandedOver::SomeChanged
        } else {
            HandedOver::Gone { written: written.then_some(self.stream.last_offset) }
        }
    }

    /// The migration is over: nobody watches its parcels any more, and who waited for the keys goes on. Connections that wait in
    /// workers have to be woken besides.
    pub fn let_go(&mut self, parcels: &[Parcel], hold: Option<Hold>) {
        for parcel in parcels {
            self.engine.watches.unregister(&parcel.watched);
        }
        if hold.is_none() {
            return;
        }
        drop(hold);
        // Clients that wait for other keys may have been passed over, since they would have written to held ones.
        self.unpark();
        self.begin_batch();
        self.serve_all();
        self.end_batch();
        self.park();
    }
}

#[cfg(test)]
mod tests;
