//! Publish and subscribe over real sockets and several workers, and client tracking: nothing lost, nothing twice, nothing out of order.
//!
//! Publishers on connections of their own number what they send; each subscriber checks what it gets against what the publishers
//! counted. Always: the random runs print their seed; messages carry `publisher number`, so that order is judged per publisher.

use std::collections::HashMap;
use std::thread;

use crate::client::{Client, Reply, encode};
use crate::server::Product::{Redis7, Starling};
use crate::server::{Server, standing_in};
use crate::sync::{follow, wait_for_link};
use crate::traffic::{Random, seed};

const CHANNELS: u64 = 5;
const PUBLISHERS: usize = 4;
const MESSAGES: u64 = 400;
const KEYS: u64 = 300;

fn server() -> Server {
    let workers: &[(&str, &str)] = if standing_in() { &[] } else { &[("threads", "3")] };
    Server::start_with(Starling, workers)
}

/// Reads `count` messages: how often each (publisher, channel) was heard. Panics on a message out of order.
fn listen(client: &mut Client, count: usize) -> HashMap<(u64, String), u64> {
    let (mut last, mut heard): (HashMap<(u64, String), u64>, HashMap<(u64, String), u64>) =
        Default::default();
    for _ in 0..count {
        let Reply::Array(message) = client.read_reply().expect("a message in time") else {
            panic!("no message")
        };
        // message channel payload, or pmessage pattern channel payload
        let (channel, payload) = (message[message.len() - 2].text(), message[message.len() - 1].text());
        let (publisher, number) = payload.split_once(' ').expect("publisher and number");
        let (publisher, number): (u64, u64) =
            (publisher.parse().expect("a number"), number.parse().expect("a number"));
        let key = (publisher, channel);
        let before = last.insert(key.clone(), number);
        assert!(before.is_none_or(|before| before < number), "{key:?}: {number} after {before:?}");
        *heard.entry(key).or_default() += 1;
    }
    heard
}

/// Publishes to random channels; how many went to each, and what the replies add up to.
fn publish(port: u16, publisher: u64, seed: u64) -> (HashMap<String, u64>, i64) {
    let mut client = Client::connect(port).expect("a connection");
    let mut dice = Random::new(seed ^ publisher);
    let (mut sent, mut receivers): (HashMap<String, u64>, i64) = (HashMap::new(), 0);
    let mut batch = Vec::new();
    let mut waiting = 0;
    for number in 0..MESSAGES {
        let channel = format!("news.{}", dice.below(CHANNELS));
        let payload = format!("{publisher} {number}");
        batch.extend_from_slice(&encode(&["PUBLISH", &channel, &payload]));
        *sent.entry(channel).or_default() += 1;
        waiting += 1;
        if dice.below(8) == 0 || number + 1 == MESSAGES {
            client.send(&batch).expect("a live connection");
            batch.clear();
            receivers += (0..waiting).map(|_| client.read_reply().expect("a reply").int()).sum::<i64>();
            waiting = 0;
        }
    }
    (sent, receivers)
}

#[test]
fn every_subscriber_on_every_worker_gets_every_message_in_the_order_of_its_publisher() {
    let seed = seed();
    let (server, mut dice) = (server(), Random::new(seed));
    // Each listens to one channel, or to all by a pattern.
    let mut listeners: Vec<(Client, Option<String>)> = Vec::new();
    for _ in 0..300 {
        let mut client = Client::connect(server.port).expect("a connection");
        let channel = (dice.below(4) > 0).then(|| format!("news.{}", dice.below(CHANNELS)));
        match &channel {
            Some(channel) => drop(client.ok(&format!("SUBSCRIBE {channel}"))),
            None => drop(client.ok("PSUBSCRIBE news.*")),
        }
        listeners.push((client, channel));
    }
    let port = server.port;
    let publishers: Vec<_> = (0..PUBLISHERS as u64)
        .map(|publisher| thread::spawn(move || publish(port, publisher, seed)))
        .collect();
    let results: Vec<_> = publishers.into_iter().map(|thread| thread.join().expect("a publisher")).collect();
    let (mut total, promised) = (0, results.iter().map(|(_, receivers)| receivers).sum::<i64>());
    for (mut client, channel) in listeners {
        let is_wanted = |name: &String| channel.as_ref().is_none_or(|channel| channel == name);
        let expected: HashMap<(u64, String), u64> = (0..)
            .zip(&results)
            .flat_map(|(publisher, (sent, _))| {
                sent.iter()
                    .filter(|(name, _)| is_wanted(name))
                    .map(move |(name, n)| ((publisher, name.clone()), *n))
            })
            .collect();
        let count: u64 = expected.values().sum();
        total += count as i64;
        assert_eq!(listen(&mut client, count as usize), expected);
        client.ok("PING");
    }
    assert_eq!(total, promised, "what PUBLISH answered is what arrived");
}

#[test]
fn who_unsubscribes_has_got_everything_that_was_published_before() {
    let server = server();
    let mut publisher = Client::connect(server.port).expect("a connection");
    for round in 0..50 {
        let mut listener = Client::connect(server.port).expect("a connection");
        listener.ok("SUBSCRIBE c");
        for number in 0..round {
            assert_eq!(publisher.run(&format!("PUBLISH c {number}")).int(), 1);
        }
        // The messages come before the confirmation, in one order.
        listener.send(&encode(&["UNSUBSCRIBE", "c"])).expect("a live connection");
        for number in 0..round {
            assert_eq!(listener.read_reply().expect("a message").text(), format!("message c {number}"));
        }
        assert_eq!(listener.read_reply().expect("a confirmation").text(), "unsubscribe c 0");
        assert_eq!(publisher.run("PUBLISH c late").int(), 0);
    }
}

#[test]
fn subscribers_of_a_replica_hear_what_is_published_at_its_primary() {
    let (primary, replica) = (Server::start(Redis7), server());
    follow(&replica, primary.port);
    wait_for_link(&replica);
    let mut listener = Client::connect(replica.port).expect("a connection");
    listener.ok("SUBSCRIBE c");
    let mut publisher = Client::connect(primary.port).expect("a connection");
    for number in 0..100 {
        publisher.ok(&format!("PUBLISH c {number}"));
    }
    for number in 0..100 {
        assert_eq!(listener.read_reply().expect("a message").text(), format!("message c {number}"));
    }
}

/// What a caching client believes of a key must not stay older than the key for good: each change after a read is told, on whatever
/// worker it happens.
#[test]
fn a_caching_client_hears_of_every_change_of_what_it_has_read() {
    let seed = seed();
    let server = server();
    let port = server.port;
    let mut hears = Client::connect(port).expect("a connection");
    let id = hears.run("CLIENT ID").int();
    hears.ok("SUBSCRIBE __redis__:invalidate");
    let mut reader = Client::connect(port).expect("a connection");
    reader.ok(&format!("CLIENT TRACKING ON REDIRECT {id}"));
    let writers: Vec<_> = (0..3)
        .map(|writer: u64| {
            thread::spawn(move || {
                let (mut client, mut dice) =
                    (Client::connect(port).expect("a connection"), Random::new(seed ^ writer));
                (0..600).for_each(|_| drop(client.ok(&format!("INCR k{}", dice.below(KEYS)))));
            })
        })
        .collect();
    // Each key is read once, so whatever is said of it is said of this reading.
    let mut cache: HashMap<String, String> = HashMap::new();
    for number in 0..KEYS {
        let key = format!("k{number}");
        let value = reader.ok(&format!("GET {key}")).text();
        cache.insert(key, value);
    }
    writers.into_iter().for_each(|thread| thread.join().expect("a writer"));
    // Everything that was said until now, up to a mark of our own.
    reader.ok("GET mark");
    Client::connect(port).expect("a connection").ok("SET mark 1");
    loop {
        let Reply::Array(message) = hears.read_reply().expect("an invalidation") else {
            panic!("no message")
        };
        let Reply::Array(keys) = &message[2] else { panic!("no keys") };
        if keys[0].text() == "mark" {
            break;
        }
        keys.iter().for_each(|key| drop(cache.remove(&key.text())));
    }
    let mut plain = Client::connect(port).expect("a connection");
    for (key, value) in cache {
        // Not invalidated: it is the present value.
        assert_eq!(plain.ok(&format!("GET {key}")).text(), value, "{key}");
    }
}
