//! WAIT under loom: a client that begins to wait and acknowledgements that come at the same time, in all interleavings up to a
//! number of preemptions. `tests/run loom` runs them with the others.
//!
//! Always: the client has exactly one answer in the end, at once or through the list; nobody looks at the list later, as the
//! upkeep would.

use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::thread;

use super::Waits;
use crate::base::ids::UnixMs;
use crate::replication::primary::follower::{Follower, FollowerState};
use crate::replication::primary::roster::Followers;
use crate::session::client::Client;
use crate::session::{ReplicaTraits, SyncRequest};

const WRITTEN: u64 = 10;

fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 10_000;
    builder.check(run);
}

fn client(id: u64) -> Arc<Client> {
    let nowhere = || "127.0.0.1:1".to_owned();
    Arc::new(Client::new(id, nowhere(), nowhere(), -1, 0, false, UnixMs(0), Arc::default()))
}

/// A replica that has the snapshot and has acknowledged nothing yet.
fn follower(id: u64) -> Arc<Follower> {
    let traits = ReplicaTraits::default();
    let follower = Follower::new(client(id), 0, &traits, &SyncRequest::Sync, UnixMs(0));
    follower.set_state(FollowerState::Online);
    Arc::new(follower)
}

/// A client waits for as many replicas as there are, each of which acknowledges once, from a sender of its own.
fn check(replicas: u64, preemptions: usize) {
    model(preemptions, move || {
        let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
        let post = answers.clone();
        let waits = Arc::new(Waits::new(Arc::new(move |_: &Client, reply| {
            post.lock().expect("no panic").push(reply);
        })));
        let followers = Arc::new(Followers::default());
        let senders: Vec<_> = (1..=replicas)
            .map(|id| {
                let follower = follower(id);
                followers.add(follower.clone());
                let (waits, followers) = (waits.clone(), followers.clone());
                thread::spawn(move || {
                    follower.acknowledge(WRITTEN, None, UnixMs(0));
                    waits.on_acknowledged(&followers);
                })
            })
            .collect();
        let at_once = waits.enter(&client(100), WRITTEN, replicas as i64, None, &followers);
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
        let answers = answers.lock().expect("no panic");
        assert_eq!(answers.len() + usize::from(at_once.is_some()), 1, "one answer, and no more");
        assert!(answers.iter().all(|reply| *reply == format!(":{replicas}\r\n").into_bytes()));
        assert!(waits.is_empty());
    });
}

#[test]
fn an_acknowledgement_and_a_client_that_begins_to_wait_see_each_other() {
    check(1, 3);
}

#[test]
fn the_last_of_two_acknowledgements_answers() {
    check(2, 2);
}
