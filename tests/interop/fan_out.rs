//! Fan-out: what several publishers say reaches every subscriber, on whichever worker it is served, once and in order.
//!
//! ```text
//!  publisher 0: news 0, weather 1, news 2 ...  --+                  +--> subscriber: news      each publisher's numbers grow;
//!  publisher 1: news 0, weather 1, news 2 ...  --+--> two workers --+--> subscriber: n?ws*     none is missing, none comes twice
//!  ...                                           +                  +--> subscriber: news, *
//! ```
//!
//! `STARLING_FAN_OUT=10000 cargo test --test interop fan_out -- --nocapture` for ten thousand subscribers; it prints how long the
//! messages took. Always: subscribers read one after the other, so that most of what they get has to wait in the server.

use std::collections::BTreeMap;
use std::env;
use std::thread;
use std::time::Instant;

use crate::client::{Client, Reply, encode};
use crate::server::{Product, Server, standing_in};

const PUBLISHERS: usize = 4;
/// Messages of each publisher.
const MESSAGES: usize = 60;
/// Threads that read what subscribers have got.
const READERS: usize = 4;
/// Subscribers unless `STARLING_FAN_OUT` says otherwise.
const SUBSCRIBERS: usize = 300;
const CHANNELS: [&str; 2] = ["news", "weather"];

/// What a subscriber listens to: channels, and patterns with the channels that they match.
struct Interest {
    channels: &'static [&'static str],
    patterns: &'static [(&'static str, &'static [&'static str])],
}

const INTERESTS: [Interest; 4] = [
    Interest { channels: &["news"], patterns: &[] },
    Interest { channels: &[], patterns: &[("n?ws*", &["news"])] },
    Interest { channels: &["news", "weather"], patterns: &[("*", &["news", "weather"])] },
    Interest { channels: &["weather"], patterns: &[("[mn]ews", &["news"]), ("we*", &["weather"])] },
];

impl Interest {
    /// Messages that it makes of one on this channel.
    fn copies(&self, channel: &str) -> usize {
        let matches = |(_, matched): &&(_, &'static [&'static str])| matched.contains(&channel);
        self.channels.iter().filter(|name| **name == channel).count()
            + self.patterns.iter().filter(matches).count()
    }

    fn subscribe(&self, client: &mut Client) {
        let words = |name, rest: Vec<&'static str>| [vec![name], rest].concat();
        let channels = words("SUBSCRIBE", self.channels.to_vec());
        let patterns = words("PSUBSCRIBE", self.patterns.iter().map(|(pattern, _)| *pattern).collect());
        for words in [channels, patterns] {
            client.send(&if words.len() > 1 { encode(&words) } else { Vec::new() }).expect("a connection");
            for _ in 1..words.len() {
                client.read_reply().expect("a confirmation");
            }
        }
    }
}

/// As many files as this process may have: each subscriber is one.
fn raise_limit_of_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a pointer to a structure that lives as long as they do.
    let status = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(status, 0, "the soft limit may always be raised to the hard one");
}

fn channel_of(number: usize) -> &'static str {
    CHANNELS[number % CHANNELS.len()]
}

/// Sends all messages of one publisher in a pipeline; each is answered with how many receive it.
fn publish(port: u16, publisher: usize, receivers: &BTreeMap<&str, usize>) {
    let mut client = Client::connect(port).expect("a connection");
    let mut pipeline = Vec::new();
    for number in 0..MESSAGES {
        pipeline.extend(encode(&["PUBLISH", channel_of(number), &format!("{publisher} {number}")]));
    }
    client.send(&pipeline).expect("a connection");
    for number in 0..MESSAGES {
        let channel = channel_of(number);
        assert_eq!(client.read_reply().expect("a reply").int() as usize, receivers[channel], "{channel}");
    }
}

/// Reads all that a subscriber should get: the same numbers of each publisher once per interest, and none out of turn.
fn check_subscriber(client: &mut Client, interest: &Interest) {
    let expected: usize = (0..MESSAGES).map(|number| interest.copies(channel_of(number))).sum();
    let mut last = [None; PUBLISHERS];
    let mut heard: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for _ in 0..expected * PUBLISHERS {
        let Reply::Array(parts) = client.read_reply().expect("a message") else { panic!("not a message") };
        let text = parts.last().expect("a payload").text();
        let (publisher, number) = text.split_once(' ').expect("two numbers");
        let (publisher, number): (usize, usize) =
            (publisher.parse().expect("a number"), number.parse().expect("a number"));
        assert!(last[publisher] <= Some(number), "{number} of {publisher} after {:?}", last[publisher]);
        assert_eq!(parts[parts.len() - 2].text(), channel_of(number));
        last[publisher] = Some(number);
        *heard.entry((publisher, number)).or_default() += 1;
    }
    for publisher in 0..PUBLISHERS {
        for number in 0..MESSAGES {
            let copies = interest.copies(channel_of(number));
            let got = heard.get(&(publisher, number)).copied().unwrap_or(0);
            assert_eq!(got, copies, "{number} of {publisher}");
        }
    }
    // Nothing comes behind them.
    client.send(b"PING\r\n").expect("a connection");
    assert_eq!(client.read_reply().expect("a reply").text(), "pong ");
}

#[test]
fn every_subscriber_hears_every_publisher_in_order() {
    if standing_in() {
        return;
    }
    let count = env::var("STARLING_FAN_OUT").ok().and_then(|text| text.parse().ok()).unwrap_or(SUBSCRIBERS);
    raise_limit_of_files();
    let maxclients = (count + 100).to_string();
    let server = Server::start_with(Product::Starling, &[("threads", "3"), ("maxclients", &maxclients)]);
    let mut subscribers: Vec<(Client, &Interest)> = (0..count)
        .map(|number| {
            let (mut client, interest) = (server.client(), &INTERESTS[number % INTERESTS.len()]);
            interest.subscribe(&mut client);
            (client, interest)
        })
        .collect();
    let of_channel = |channel| subscribers.iter().map(|(_, interest)| interest.copies(channel)).sum();
    let receivers: BTreeMap<&str, usize> =
        CHANNELS.into_iter().map(|channel| (channel, of_channel(channel))).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (port, receivers) = (server.port, &receivers);
            scope.spawn(move || publish(port, publisher, receivers));
        }
        for part in subscribers.chunks_mut(count.div_ceil(READERS)) {
            scope.spawn(move || {
                part.iter_mut().for_each(|(client, interest)| check_subscriber(client, interest));
            });
        }
    });
    let took = start.elapsed();
    let messages: usize =
        (0..MESSAGES).map(|number| receivers[channel_of(number)]).sum::<usize>() * PUBLISHERS;
    let rate = messages as f64 / took.as_secs_f64();
    println!("{messages} messages to {count} subscribers in {took:.2?}, {rate:.0} a second");
}
