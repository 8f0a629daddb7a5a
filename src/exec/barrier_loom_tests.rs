//! The barrier under loom: a handful of steps in all interleavings up to a number of preemptions.
//! `tests/run loom` runs them with the backlog's.
//!
//! The world is a loom cell: an access that is not ordered behind the last one of another thread fails, whatever values were seen.
//! Always: two or three threads; what is longer belongs to the threaded test in `barrier.rs`.

use std::sync::Arc;

use ::loom::cell::UnsafeCell;
use ::loom::model::Builder;
use ::loom::thread;

use super::{Barrier, Participant};

/// Preemptions tried; `LOOM_MAX_PREEMPTIONS` asks for more.
const PREEMPTIONS: usize = 2;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 10_000;
    builder.check(run);
}

/// What a command of the one participant, or a stopper, changes.
struct World(UnsafeCell<u32>);

// SAFETY: loom checks every access to the cell, which is what the models are about.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World(UnsafeCell::new(0)))
    }

    fn change(&self) {
        // SAFETY: loom fails the model if another thread is at it; no reference leaves the closure.
        self.0.with_mut(|world| unsafe { *world += 1 });
    }

    fn value(&self) -> u32 {
        // SAFETY: as in `change`.
        self.0.with(|world| unsafe { *world })
    }
}

/// Two commands with a checkpoint between them.
fn work(me: &Participant, world: &World) {
    me.run();
    world.change();
    me.checkpoint();
    world.change();
    me.park();
}

#[test]
fn a_participant_and_a_stopper_never_overlap() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let (me, theirs) = (barrier.join(), world.clone());
        let worker = thread::spawn(move || work(&me, &theirs));
        barrier.stop(None, || world.change());
        worker.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 3);
    });
}

/// A lost wake-up leaves the participant asleep for ever: loom reports the deadlock.
#[test]
fn a_participant_goes_on_after_each_of_two_stops() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let (me, theirs) = (barrier.join(), world.clone());
        let worker = thread::spawn(move || {
            me.run();
            theirs.change();
            me.park();
        });
        barrier.stop(None, || world.change());
        barrier.stop(None, || world.change());
        worker.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 3);
    });
}

#[test]
fn two_stoppers_take_turns() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let theirs = (barrier.clone(), world.clone());
        let other = thread::spawn(move || theirs.0.stop(None, || theirs.1.change()));
        barrier.stop(None, || {
            world.change();
            assert!(barrier.stands_for_me());
        });
        other.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 2);
    });
}

#[test]
fn who_comes_and_goes_while_the_world_stands_still_changes_nothing_meanwhile() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let theirs = (barrier.clone(), world.clone());
        let guest = thread::spawn(move || {
            let me = theirs.0.join();
            me.run();
            theirs.1.change();
            // Leaves while running.
            drop(me);
        });
        barrier.stop(None, || world.change());
        guest.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 2);
    });
}

#[test]
fn a_stop_inside_a_stop_runs_at_once_and_the_outer_one_still_stands() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let (me, theirs) = (barrier.join(), world.clone());
        let worker = thread::spawn(move || work(&me, &theirs));
        barrier.stop(None, || {
            barrier.stop(None, || world.change());
            assert!(barrier.stands_for_me());
            world.change();
        });
        assert!(!barrier.stands_for_me());
        worker.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 4);
    });
}

/// If a stopper kept its own seat while it waits for its turn, the two would wait for each other: loom reports that.
#[test]
fn two_participants_that_stop_the_world_do_not_wait_for_each_other() {
    model(|| {
        let (barrier, world) = (Arc::new(Barrier::default()), World::new());
        let (me, other) = (barrier.join(), barrier.join());
        let theirs = (barrier.clone(), world.clone());
        let worker = thread::spawn(move || {
            other.run();
            theirs.0.stop(Some(&other), || theirs.1.change());
            other.park();
        });
        me.run();
        barrier.stop(Some(&me), || world.change());
        me.park();
        worker.join().expect("no panic");
        assert_eq!(barrier.stop(None, || world.value()), 2);
    });
}
