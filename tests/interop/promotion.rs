//! Promotion: REPLICAOF NO ONE makes a replica a primary that remembers its old history, so that its siblings resume and need no full sync.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::server::Product::{self, Redis7, Starling, Valkey8};
use crate::server::Server;
use crate::sync::{assert_equal_digests, follow, info, syncs, wait_in_sync};
use crate::traffic::{Traffic, seed};

/// Each takes a quarter of a second. On a busy machine one in a few hundred failed while the end could see what was written after it.
const PROMOTIONS: usize = 10;

/// From now on nothing but a client's command adds to the stream: no ping, and no key whose time is over.
fn keep_silent(primary: &Server) {
    primary.client().ok("CONFIG SET repl-ping-replica-period 3600");
    primary.client().ok("DEBUG SET-ACTIVE-EXPIRE 0");
}

/// The primary dies, one replica is promoted, the other follows it: a partial resync, not a full one.
fn siblings_resume(first: Product, heir: Product, sibling: Product) {
    let seed = seed();
    let (mut first, heir, sibling) = (Server::start(first), Server::start(heir), Server::start(sibling));
    Traffic::new(seed).send(&mut first.client(), 1_000);
    follow(&heir, first.port);
    follow(&sibling, first.port);
    wait_in_sync(&first, &heir);
    Traffic::new(seed + 1).send(&mut first.client(), 1_000);
    // Else the sibling may be told something in the last moment that the heir is not, and has to forget it.
    keep_silent(&first);
    wait_in_sync(&first, &heir);
    wait_in_sync(&first, &sibling);
    let old_id = info(&mut first.client(), "master_replid");
    first.kill();

    heir.client().ok("REPLICAOF NO ONE");
    assert_eq!(info(&mut heir.client(), "master_replid2"), old_id);
    assert_ne!(info(&mut heir.client(), "master_replid"), old_id);
    Traffic::new(seed + 2).send(&mut heir.client(), 500);
    follow(&sibling, heir.port);
    wait_in_sync(&heir, &sibling);
    assert_equal_digests(&[&heir, &sibling]);
    let counted = syncs(&heir);
    assert_eq!((counted.full, counted.partial), (0, 1), "{counted:?}");
}

#[test]
fn redis_resumes_at_starling_after_redis() {
    siblings_resume(Redis7, Starling, Redis7);
}

#[test]
fn starling_resumes_at_starling_after_redis() {
    siblings_resume(Redis7, Starling, Starling);
}

#[test]
fn starling_resumes_at_redis_after_starling() {
    siblings_resume(Starling, Redis7, Starling);
}

#[test]
fn valkey_resumes_at_starling_after_starling() {
    siblings_resume(Starling, Starling, Valkey8);
}

#[test]
fn starling_resumes_at_valkey_after_valkey() {
    siblings_resume(Valkey8, Valkey8, Starling);
}

/// The former primary still lives and becomes a replica of its heir: it shares the history, so it resumes too.
fn former_primary_resumes(first: Product, heir: Product) {
    let seed = seed();
    let (first, heir) = (Server::start(first), Server::start(heir));
    Traffic::new(seed).send(&mut first.client(), 1_000);
    follow(&heir, first.port);
    wait_in_sync(&first, &heir);
    // Else the primary may get ahead of its heir between the two commands.
    keep_silent(&first);
    wait_in_sync(&first, &heir);
    heir.client().ok("REPLICAOF NO ONE");
    follow(&first, heir.port);
    Traffic::new(seed + 1).send(&mut heir.client(), 500);
    wait_in_sync(&heir, &first);
    assert_equal_digests(&[&heir, &first]);
    let counted = syncs(&heir);
    assert_eq!((counted.full, counted.partial), (0, 1), "{counted:?}");
}

#[test]
fn redis_resumes_below_the_starling_that_followed_it() {
    former_primary_resumes(Redis7, Starling);
}

#[test]
fn starling_resumes_below_the_redis_that_followed_it() {
    former_primary_resumes(Starling, Redis7);
}

#[test]
fn starling_resumes_below_the_starling_that_followed_it() {
    former_primary_resumes(Starling, Starling);
}

/// The middle of a chain is promoted: what hangs below it goes on without a full sync.
fn lower_part_of_a_chain_goes_on(middle: Product, end: Product) {
    let seed = seed();
    let (head, middle, end) = (Server::start(Redis7), Server::start(middle), Server::start(end));
    Traffic::new(seed).send(&mut head.client(), 500);
    follow(&middle, head.port);
    wait_in_sync(&head, &middle);
    follow(&end, middle.port);
    wait_in_sync(&middle, &end);
    middle.client().ok("REPLICAOF NO ONE");
    Traffic::new(seed + 1).send(&mut middle.client(), 500);
    wait_in_sync(&middle, &end);
    assert_equal_digests(&[&middle, &end]);
    assert_eq!(syncs(&middle).full, 1);
}

#[test]
fn redis_goes_on_below_a_promoted_starling() {
    lower_part_of_a_chain_goes_on(Starling, Redis7);
}

#[test]
fn starling_goes_on_below_a_promoted_redis() {
    lower_part_of_a_chain_goes_on(Redis7, Starling);
}

/// Clients write to the middle of a chain at the very moment of its promotion. Not one of their bytes may reach the end under the old
/// name, or the end would be past the parting and need a full sync.
fn chain_goes_on_while_clients_write(end: Product) {
    let (head, end) = (Server::start(Starling), Server::start(end));
    for round in 1..=PROMOTIONS {
        let middle = Server::start(Starling);
        follow(&middle, head.port);
        wait_in_sync(&head, &middle);
        follow(&end, middle.port);
        wait_in_sync(&middle, &end);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // What the head is told keeps the middle's sender awake; what the middle is told it refuses until it is promoted.
            for (writer, mut client) in
                [head.client(), middle.client(), middle.client()].into_iter().enumerate()
            {
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Relaxed) {
                        client.run(&format!("INCR writer:{writer}"));
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(20));
            middle.client().ok("REPLICAOF NO ONE");
            std::thread::sleep(Duration::from_millis(20));
            is_over.store(true, Relaxed);
        });
        wait_in_sync(&middle, &end);
        assert_equal_digests(&[&middle, &end]);
        let counted = syncs(&middle);
        assert_eq!((counted.full, counted.partial), (1, 1), "promotion {round}: {counted:?}");
    }
}

#[test]
fn redis_resumes_below_a_starling_that_is_written_to_as_it_is_promoted() {
    chain_goes_on_while_clients_write(Redis7);
}

#[test]
fn starling_resumes_below_a_starling_that_is_written_to_as_it_is_promoted() {
    chain_goes_on_while_clients_write(Starling);
}

/// A replica that is pointed at an unrelated primary takes that one's data and nothing of its own is left.
#[test]
fn starling_moves_between_unrelated_primaries() {
    let seed = seed();
    let (redis, valkey, replica) = (Server::start(Redis7), Server::start(Valkey8), Server::start(Starling));
    Traffic::new(seed).send(&mut redis.client(), 500);
    Traffic::new(seed + 1).send(&mut valkey.client(), 500);
    for primary in [&redis, &valkey, &redis] {
        follow(&replica, primary.port);
        wait_in_sync(primary, &replica);
        assert_equal_digests(&[primary, &replica]);
    }
}
