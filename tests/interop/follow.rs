//! Following: full sync, streaming, partial resync after cuts, full resync when the backlog no longer reaches, awkward networks.
//!
//! Each scenario runs for every pair of products with Starling on at least one side.

use std::thread;
use std::time::Duration;

use crate::cut::Cut;
use crate::pairs::for_each_pair;
use crate::server::{Product, Server};
use crate::sync::{assert_equal_digests, follow, syncs, wait_for_link, wait_in_sync, wait_until};
use crate::traffic::{Load, Traffic, seed};

/// Data that is there before, written during and after the full sync: all of it arrives, in all databases.
fn full_sync_under_writes(primary: Product, replica: Product) {
    let seed = seed();
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    Traffic::new(seed).send(&mut primary.client(), 3_000);
    Traffic::new(seed + 1).send(&mut replica.client(), 300);
    let load = Load::start(&primary, seed + 2, 2, 3_000);
    follow(&replica, primary.port);
    wait_for_link(&replica);
    thread::sleep(Duration::from_millis(500));
    let sent = load.stop();
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    assert_eq!(syncs(&primary).full, 1, "{sent} commands were sent meanwhile");
}
for_each_pair!(full_sync_under_writes);

/// Cut links under writes: each resumes where it stopped, the first full sync stays the only one.
fn cut_links_resume(primary: Product, replica: Product) {
    let seed = seed();
    let directives = [("repl-backlog-size", "64mb")];
    let (primary, replica) =
        (Server::start_with(primary, &directives), Server::start_with(replica, &directives));
    let link = Cut::new(primary.port);
    Traffic::new(seed).send(&mut primary.client(), 1_000);
    follow(&replica, link.port);
    wait_in_sync(&primary, &replica);
    let load = Load::start(&primary, seed + 1, 2, 3_000);
    for _ in 0..3 {
        link.refuse();
        thread::sleep(Duration::from_millis(200));
        link.heal();
        wait_for_link(&replica);
        thread::sleep(Duration::from_millis(200));
    }
    load.stop();
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    let counted = syncs(&primary);
    assert_eq!(counted.full, 1, "{counted:?}");
    assert!(counted.partial >= 3, "{counted:?}");
}
for_each_pair!(cut_links_resume);

/// More writes during a cut than the backlog holds: the replica is refused a partial resync and gets a full one.
fn wrapped_backlog_needs_a_full_sync(primary: Product, replica: Product) {
    let seed = seed();
    let (primary, replica) =
        (Server::start_with(primary, &[("repl-backlog-size", "16kb")]), Server::start(replica));
    let link = Cut::new(primary.port);
    Traffic::new(seed).send(&mut primary.client(), 1_000);
    follow(&replica, link.port);
    wait_in_sync(&primary, &replica);
    link.refuse();
    // The ring may be kept longer than asked for (whole segments), so much more than its size is written.
    let mut client = primary.client();
    for number in 0..400 {
        client.command(&["SET".as_bytes(), format!("wrap:{number}").as_bytes(), &vec![b'x'; 20_000]]);
    }
    link.heal();
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    let counted = syncs(&primary);
    assert_eq!((counted.full, counted.refused >= 1), (2, true), "{counted:?}");
}
for_each_pair!(wrapped_backlog_needs_a_full_sync);

/// A network that delivers a few bytes at a time changes nothing.
fn fragments_are_put_together(primary: Product, replica: Product) {
    let seed = seed();
    let (primary, replica) = (Server::start(primary), Server::start(replica));
    let link = Cut::new(primary.port);
    link.fragment(7);
    Traffic::new(seed).send(&mut primary.client(), 200);
    follow(&replica, link.port);
    wait_for_link(&replica);
    link.fragment(1);
    Traffic::new(seed + 1).send(&mut primary.client(), 200);
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    assert_eq!(syncs(&primary).full, 1);
}
for_each_pair!(fragments_are_put_together);

/// A link that stays open and passes nothing on is given up after repl-timeout and then resumed.
fn silent_links_are_given_up(primary: Product, replica: Product) {
    let seed = seed();
    let directives = [("repl-timeout", "2"), ("repl-backlog-size", "16mb")];
    let (primary, replica) =
        (Server::start_with(primary, &directives), Server::start_with(replica, &directives));
    let link = Cut::new(primary.port);
    follow(&replica, link.port);
    wait_in_sync(&primary, &replica);
    link.stall();
    Traffic::new(seed).send(&mut primary.client(), 500);
    let mut client = replica.client();
    wait_until("the replica gives its silent link up", || {
        let status = crate::sync::info(&mut client, "master_link_status");
        if status == "down" { Ok(()) } else { Err(status) }
    });
    link.heal();
    link.cut();
    wait_in_sync(&primary, &replica);
    assert_equal_digests(&[&primary, &replica]);
    assert_eq!(syncs(&primary).full, 1);
}
for_each_pair!(silent_links_are_given_up);

/// Several replicas that join together and a late one all get the same data.
#[test]
fn a_star_of_different_products_follows_one_primary() {
    let seed = seed();
    let primary = Server::start(Product::Starling);
    Traffic::new(seed).send(&mut primary.client(), 3_000);
    let load = Load::start(&primary, seed + 1, 1, 2_000);
    let products = [Product::Redis7, Product::Starling, Product::Valkey8, Product::Starling];
    let mut replicas: Vec<_> = products.iter().map(|product| Server::start(*product)).collect();
    replicas.iter().for_each(|replica| follow(replica, primary.port));
    replicas.iter().for_each(wait_for_link);
    let late = Server::start(Product::Redis7);
    follow(&late, primary.port);
    wait_for_link(&late);
    replicas.push(late);
    load.stop();
    replicas.iter().for_each(|replica| wait_in_sync(&primary, replica));
    let mut all = vec![&primary];
    all.extend(&replicas);
    assert_equal_digests(&all);
    assert_eq!(syncs(&primary).full, replicas.len() as i64);
}
