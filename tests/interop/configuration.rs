//! The redis.conf that comes with Redis 7.0.15 is taken as it is, and means here what it means there.
//!
//!     --include redis.conf --> Starling, Redis --> CONFIG GET *: equal?
//!
//! Always: what is different on purpose stands in a table here, with the reason.

use std::collections::BTreeMap;

use crate::client::Reply;
use crate::server::{Product, Server, peer, standing_in};

/// (directive, why its value is another one)
const OWN: &[(&str, &str)] = &[
    ("dir", "of the harness"),
    ("port", "of the harness"),
    ("repl-backlog-size", "ours is 10 MB, and the file leaves it open"),
];

#[test]
fn the_file_of_redis_is_taken_whole() {
    if standing_in() {
        return;
    }
    let file = peer("REDIS_SUITE").join("redis.conf");
    let file = file.to_str().expect("a path in UTF-8");
    let settings = |product| {
        let server = Server::start_with(product, &[("include", file), ("pidfile", "")]);
        let Reply::Array(words) = server.client().ok("CONFIG GET *") else { panic!("CONFIG GET *") };
        let settings: BTreeMap<String, String> =
            words.chunks(2).map(|pair| (pair[0].text(), pair[1].text())).collect();
        (settings, server.log())
    };
    let ((ours, log), (theirs, _)) = (settings(Product::Starling), settings(Product::Redis7));
    let mut wrong = Vec::new();
    for (name, value) in &theirs {
        let is_own = OWN.iter().any(|(own, _)| own == name) || name.starts_with("tls-");
        if !is_own && ours.get(name) != Some(value) {
            wrong.push(format!("{name}: ours {:?}, theirs {value:?}", ours.get(name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!log.contains("Set without effect"), "{log}");
}
