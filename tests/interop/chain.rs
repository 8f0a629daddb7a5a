//! The chain: redis -> starling -> starling -> redis under load, with cut links; four equal digests and one full sync for each link.
//!
//! `STARLING_CHAIN_SECONDS` sets how long the load lasts (8 by default, a minute for the long run).

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use crate::cut::Cut;
use crate::server::{Product, Server};
use crate::sync::{assert_equal_digests, follow, syncs, wait_for_link, wait_in_sync};
use crate::traffic::{Load, Random, Traffic, seed};

fn chain_under_cuts(products: &[Product]) {
    let seed = seed();
    let seconds = env::var("STARLING_CHAIN_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let directives = [("repl-backlog-size", "256mb")];
    let servers: Vec<_> = products.iter().map(|product| Server::start_with(*product, &directives)).collect();
    Traffic::new(seed).send(&mut servers[0].client(), 2_000);
    let links: Vec<_> = servers[..servers.len() - 1].iter().map(|primary| Cut::new(primary.port)).collect();
    for (link, replica) in links.iter().zip(&servers[1..]) {
        follow(replica, link.port);
        wait_for_link(replica);
    }
    let load = Load::start(&servers[0], seed + 1, 4, 2_000);
    let mut random = Random::new(seed + 2);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(200 + random.below(800)));
        random.pick(&links).cut();
    }
    let sent = load.stop();
    for pair in servers.windows(2) {
        wait_in_sync(&pair[0], &pair[1]);
    }
    assert_equal_digests(&servers.iter().collect::<Vec<_>>());
    for (number, primary) in servers[..servers.len() - 1].iter().enumerate() {
        let counted = syncs(primary);
        println!("link {number}: {counted:?} after {sent} commands");
        assert_eq!(counted.full, 1, "link {number} below {:?}: {counted:?}", primary.product);
    }
}

#[test]
fn redis_starling_starling_redis_ends_with_equal_digests() {
    chain_under_cuts(&[Product::Redis7, Product::Starling, Product::Starling, Product::Redis7]);
}

#[test]
fn starling_valkey_starling_redis_starling_ends_with_equal_digests() {
    use Product::{Redis7, Starling, Valkey8};
    chain_under_cuts(&[Starling, Valkey8, Starling, Redis7, Starling]);
}
