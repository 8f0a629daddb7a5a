//! Tests of the registry: who gets which message, in which order, whatever happens between publication and delivery.
//!
//! Run over an outlet that keeps what is posted. Always: the random test prints its seed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::{Delivery, Outlet, Publisher, Registry};
use crate::base::random::Rng;
use crate::pubsub::Kind;

/// Mailboxes that nobody reads until the test does.
#[derive(Default, Clone)]
struct Mailboxes(Arc<Mutex<HashMap<usize, VecDeque<Delivery>>>>);

impl Outlet for Mailboxes {
    fn post(&self, worker: usize, delivery: Delivery) -> bool {
        self.0.lock().expect("no test panics with it").entry(worker).or_default().push_back(delivery);
        true
    }

    fn is_congested(&self) -> bool {
        false
    }
}

impl Mailboxes {
    /// Hands out what waits for a worker: (client, payload of the message).
    fn deliver(&self, worker: usize) -> Vec<(u64, String)> {
        let waiting = self.0.lock().expect("no test panics with it").remove(&worker).unwrap_or_default();
        let mut got = Vec::new();
        for delivery in waiting {
            for part in &delivery.parts {
                let mut clients = Vec::new();
                part.audience.collect(delivery.sequence, &mut clients);
                clients.sort_unstable();
                let text = String::from_utf8_lossy(&part.bytes).into_owned();
                let payload = text.trim_end().rsplit("\r\n").next().expect("a message has words").to_owned();
                got.extend(
                    clients.into_iter().filter(|id| *id != delivery.except).map(|id| (id, payload.clone())),
                );
            }
        }
        got
    }
}

fn registry() -> (Arc<Registry>, Mailboxes, Publisher) {
    let (registry, mailboxes) = (Arc::new(Registry::default()), Mailboxes::default());
    registry.set_outlet(Box::new(mailboxes.clone()));
    let publisher = Publisher::new(registry.clone(), Arc::default());
    (registry, mailboxes, publisher)
}

#[test]
fn a_message_is_posted_once_per_worker_however_many_listen() {
    let (registry, mailboxes, mut publisher) = registry();
    assert_eq!(publisher.publish(Kind::Channel, b"news", b"early"), 0);
    for client in 1..=1000 {
        registry.subscribe(Kind::Channel, b"news", (client % 2) as usize, client);
    }
    assert_eq!(publisher.publish(Kind::Channel, b"news", b"hi"), 1000);
    assert_eq!(publisher.publish(Kind::Channel, b"other", b"hi"), 0);
    assert_eq!(publisher.publish(Kind::Shard, b"news", b"hi"), 0);
    assert_eq!(mailboxes.0.lock().expect("not poisoned")[&0].len(), 1);
    assert_eq!((mailboxes.deliver(0).len(), mailboxes.deliver(1).len()), (500, 500));
    (1..=1000).for_each(|client| registry.unsubscribe(Kind::Channel, b"news", (client % 2) as usize, client));
    assert!(!registry.is_active() && registry.topic_count(Kind::Channel) == 0);
}

#[test]
fn who_comes_after_a_message_does_not_get_it_although_it_is_delivered_later() {
    let (registry, mailboxes, mut publisher) = registry();
    registry.subscribe(Kind::Channel, b"c", 0, 1);
    registry.subscribe(Kind::Pattern, b"*", 0, 1);
    assert_eq!(publisher.publish(Kind::Channel, b"c", b"one"), 2);
    registry.subscribe(Kind::Channel, b"c", 0, 2);
    registry.subscribe(Kind::Pattern, b"*", 0, 2);
    assert_eq!(publisher.publish(Kind::Channel, b"c", b"two"), 4);
    let (one, two) = ("one".to_owned(), "two".to_owned());
    let expected = [(1, &one), (1, &one), (1, &two), (2, &two), (1, &two), (2, &two)]
        .map(|(id, text)| (id, text.clone()));
    assert_eq!(mailboxes.deliver(0), expected);
}

#[test]
fn a_publisher_that_listens_itself_gets_its_message_behind_its_reply() {
    let (registry, mailboxes, mut publisher) = registry();
    registry.subscribe(Kind::Channel, b"c", 0, 1);
    registry.subscribe(Kind::Channel, b"c", 0, 2);
    publisher.begin(1, 0);
    assert_eq!(publisher.publish(Kind::Channel, b"c", b"x"), 2);
    assert_eq!(&*publisher.pushes[0], b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n");
    assert_eq!(mailboxes.deliver(0), [(2, "x".to_owned())]);
}

#[test]
fn every_receiver_that_was_counted_gets_the_message_once_and_in_order() {
    let seed = Rng::from_os().next_u64();
    println!("seed {seed}");
    let mut rng = Rng::from_seed(seed);
    let (registry, mailboxes, mut publisher) = registry();
    let mut subscribed = [false; 20];
    let (mut expected, mut got): (Vec<Vec<String>>, Vec<Vec<String>>) =
        (vec![Vec::new(); 20], vec![Vec::new(); 20]);
    for number in 0..5000 {
        let client = rng.below(20) as usize;
        let worker = client % 3;
        match rng.below(4) {
            0 if subscribed[client] => {
                // A worker hands out what waits before one of its clients' commands runs.
                mailboxes.deliver(worker).into_iter().for_each(|(id, text)| got[id as usize - 1].push(text));
                registry.unsubscribe(Kind::Channel, b"c", worker, client as u64 + 1);
                subscribed[client] = false;
            }
            0 => {
                registry.subscribe(Kind::Channel, b"c", worker, client as u64 + 1);
                subscribed[client] = true;
            }
            1 => mailboxes.deliver(worker).into_iter().for_each(|(id, text)| got[id as usize - 1].push(text)),
            _ => {
                let receivers = publisher.publish(Kind::Channel, b"c", number.to_string().as_bytes());
                let listening = (0..20).filter(|client| subscribed[*client]);
                assert_eq!(receivers, listening.clone().count());
                listening.for_each(|client| expected[client].push(number.to_string()));
            }
        }
    }
    for worker in 0..3 {
        mailboxes.deliver(worker).into_iter().for_each(|(id, text)| got[id as usize - 1].push(text));
    }
    assert_eq!(got, expected);
}
