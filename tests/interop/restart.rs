//! Restarts: data and replication identity are in the RDB of a clean stop, so that both sides resume after it.

use crate::pairs::for_each_pair;
use crate::server::{Product, Server};
use crate::sync::{assert_equal_digests, follow, syncs, wait_in_sync};
use crate::traffic::{Traffic, seed};

/// A replica is stopped with a save, misses some writes, starts again: a partial resync brings them.
fn restarted_replica_resumes(primary: Product, replica: Product) {
    let seed = seed();
    let (primary, mut replica) = (Server::start(primary), Server::start(replica));
    Traffic::new(seed).send(&mut primary.client(), 1_000);
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    replica.shutdown_save();
    Traffic::new(seed + 1).send(&mut primary.client(), 500);
    replica.set_directive("replicaof", &format!("127.0.0.1 {}", primary.port));
    replica.launch();
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    let counted = syncs(&primary);
    assert_eq!((counted.full, counted.partial), (1, 1), "{counted:?}");
}
for_each_pair!(restarted_replica_resumes);

/// A primary is stopped with a save and starts again: its replica resumes, and writes go on.
fn restarted_primary_is_resumed(primary: Product, replica: Product) {
    let seed = seed();
    let (mut primary, replica) = (Server::start(primary), Server::start(replica));
    Traffic::new(seed).send(&mut primary.client(), 1_000);
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    primary.shutdown_save();
    primary.launch();
    wait_in_sync(&primary, &replica);
    Traffic::new(seed + 1).send(&mut primary.client(), 500);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    let counted = syncs(&primary);
    assert_eq!((counted.full, counted.partial), (0, 1), "{counted:?}");
}
for_each_pair!(restarted_primary_is_resumed);

/// A primary that was killed comes back empty, under a new identity: the replica does not resume but takes what there is.
fn killed_primary_is_followed_anew(primary: Product, replica: Product) {
    let seed = seed();
    let (mut primary, replica) = (Server::start(primary), Server::start(replica));
    Traffic::new(seed).send(&mut primary.client(), 500);
    follow(&replica, primary.port);
    wait_in_sync(&primary, &replica);
    primary.kill();
    primary.launch();
    Traffic::new(seed + 1).send(&mut primary.client(), 200);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    assert_eq!(syncs(&primary).full, 1);
}
for_each_pair!(killed_primary_is_followed_anew);

/// SIGTERM saves where save points are configured, and not otherwise.
#[test]
fn sigterm_saves_where_save_points_are_set() {
    for (points, keys_after) in [("3600 1", 100), ("", 0)] {
        let mut server = Server::start_with(Product::Starling, &[("save", points)]);
        let mut client = server.client();
        for number in 0..100 {
            client.ok(&format!("SET key:{number} {number}"));
        }
        drop(client);
        server.terminate();
        server.launch();
        assert_eq!(server.client().ok("DBSIZE").int(), keys_after, "with save points {points:?}");
    }
}
