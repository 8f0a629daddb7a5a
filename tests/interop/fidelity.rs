//! Every type in every encoding, carried between products: as files, by replication and as DUMP payloads, and out of old files.
//!
//!     Redis 7.0 --> Starling --> Valkey --> Starling         one DEBUG DIGEST, the same groups in streams
//!
//! Always: the data set is that of `data_set`; what Starling makes of it has the encodings of Redis 7.2.

use std::fs;

use crate::client::{Client, Reply};
use crate::data_set::{ENCODINGS, fill, stream_facts};
use crate::server::Product::{self, Redis7, Starling, Valkey8};
use crate::server::{Server, peer, standing_in};
use crate::sync::{assert_equal_digests, digest, follow, wait_in_sync};

/// What has to stay the same on the way.
fn state(client: &mut Client) -> (String, Vec<String>) {
    (digest(client), stream_facts(client))
}

fn assert_encodings(client: &mut Client) {
    for (key, expected) in ENCODINGS {
        assert_eq!(client.ok(&format!("OBJECT ENCODING {key}")).text(), expected, "{key}");
    }
}

#[test]
fn files_pass_from_product_to_product() {
    let mut server = Server::start(Redis7);
    fill(&mut server.client());
    let before = state(&mut server.client());
    for next in [Starling, Valkey8, Starling, Redis7, Valkey8, Starling] {
        // Redis 7.0 does not load what Valkey has written, but all load what Starling writes.
        server.client().ok("SAVE");
        server.kill();
        server = Server::start_in(next, server.into_directory(), &[]);
        assert_eq!(state(&mut server.client()), before, "{next:?}");
        if next == Starling && !standing_in() {
            assert_encodings(&mut server.client());
        }
    }
}

#[test]
fn data_made_here_has_the_digest_of_redis() {
    let servers = [Starling, Redis7, Valkey8].map(Server::start);
    let states = servers.each_ref().map(|server| {
        fill(&mut server.client());
        state(&mut server.client())
    });
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0], states[2]);
    if !standing_in() {
        assert_encodings(&mut servers[0].client());
    }
    servers[0].client().ok("DEBUG RELOAD");
    assert_eq!(state(&mut servers[0].client()), states[0], "after a reload");
}

#[test]
fn a_chain_of_replicas_holds_the_same() {
    let chain = [Redis7, Starling, Valkey8, Starling].map(Server::start);
    fill(&mut chain[0].client());
    for pair in chain.windows(2) {
        follow(&pair[1], pair[0].port);
        wait_in_sync(&pair[0], &pair[1]);
    }
    assert_equal_digests(&chain.each_ref());
    let expected = stream_facts(&mut chain[0].client());
    for server in &chain[1..] {
        assert_eq!(stream_facts(&mut server.client()), expected, "{:?}", server.product);
    }
}

fn keys(client: &mut Client) -> Vec<Vec<u8>> {
    let Reply::Array(keys) = client.ok("KEYS *") else { panic!("KEYS answers with an array") };
    keys.iter().map(|key| key.bytes().to_vec()).collect()
}

/// DUMP of every key there, RESTORE here: the same data set.
fn payloads_are_restored(giver: Product, taker: Product) {
    let (giver, taker) = (Server::start(giver), Server::start(taker));
    let (mut from, mut to) = (giver.client(), taker.client());
    fill(&mut from);
    from.ok("SELECT 9");
    from.ok("FLUSHDB");
    from.ok("SELECT 0");
    for key in keys(&mut from) {
        let payload = from.command(&[b"DUMP".as_slice(), &key]);
        let deadline = from.command(&[b"PEXPIRETIME".as_slice(), &key]).int().max(0).to_string();
        let reply =
            to.command(&[b"RESTORE".as_slice(), &key, deadline.as_bytes(), payload.bytes(), b"ABSTTL"]);
        assert_eq!(reply, Reply::Simple("OK".into()), "{}", String::from_utf8_lossy(&key));
    }
    assert_eq!(state(&mut to), state(&mut from));
}

#[test]
fn redis_restores_every_payload_of_starling() {
    payloads_are_restored(Starling, Redis7);
}

#[test]
fn valkey_restores_every_payload_of_starling() {
    payloads_are_restored(Starling, Valkey8);
}

#[test]
fn starling_restores_every_payload_of_redis() {
    payloads_are_restored(Redis7, Starling);
}

#[test]
fn starling_restores_every_payload_of_valkey() {
    payloads_are_restored(Valkey8, Starling);
}

/// The files of Redis' own suite, some of them from Redis 2.4: ziplists, zipmaps, quicklists of ziplists, every string encoding.
#[test]
fn old_files_are_loaded_as_redis_loads_them() {
    for name in ["encodings", "hash-ziplist", "hash-zipmap", "list-quicklist", "zset-ziplist"] {
        let file = peer("REDIS_SUITE").join("tests/assets").join(format!("{name}.rdb"));
        let digests = [Starling, Redis7].map(|product| {
            let directory = tempfile::tempdir().expect("a temporary directory");
            fs::copy(&file, directory.path().join("dump.rdb")).expect("the suite has this file");
            let server = Server::start_in(product, directory, &[]);
            let mut client = server.client();
            assert!(client.ok("DBSIZE").int() > 0, "{name}");
            digest(&mut client)
        });
        assert_eq!(digests[0], digests[1], "{name}");
    }
}
