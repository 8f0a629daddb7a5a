//! Tests of blocked clients: many threads push, pop, wait and give up at once, and every element has one fate.
//!
//! ```text
//!   thread: executor --request--> reply at once, or blocked: then the answer comes through the host
//! ```
//!
//! Randomised tests print their seed. Always: no sockets, no workers; what is tested is `exec::blocked` with its executors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use crate::base::ids::UnixMs;
use crate::base::random::Rng;
use crate::commands::harness::TestHost;
use crate::commands::spec::effect::encode;
use crate::commands::spec::table::table;
use crate::commands::spec::{Answer, Args, Next};
use crate::config::{Config, Live, Origin};
use crate::exec::blocked::Waiter;
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, Resolved};
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::session::client::Client;

/// An engine, its host, and what threads need to run commands on it.
struct Place {
    engine: Arc<Engine>,
    host: Arc<TestHost>,
}

/// What a request led to.
enum Outcome {
    Reply(String),
    Blocked(Arc<Waiter>),
}

impl Place {
    fn new() -> Place {
        let live = Live::new(Config::default(), Origin::default());
        let engine = Arc::new(Engine::new(Arc::new(live), UnixMs(0)));
        let host = Arc::new(TestHost::default());
        engine.set_host(host.clone());
        Place { engine, host }
    }

    fn session(&self) -> Session {
        let id = self.engine.roster.next_id();
        let (addr, laddr) = (format!("127.0.0.1:{id}"), "127.0.0.1:1".into());
        Session::new(Arc::new(Client::new(id, addr, laddr, -1, 0, false, UnixMs(0), Arc::default())), true)
    }

    fn executor(&self) -> Executor {
        Executor::new(self.engine.clone())
    }

    /// Takes the answer of a client that was blocked, if it has one.
    fn answer(&self, client: u64) -> Option<Answer> {
        let mut answers = self.host.answers.lock().expect("no test panics while holding it");
        let at = answers.iter().position(|(id, _)| *id == client)?;
        Some(answers.remove(at).1)
    }
}

fn run(executor: &mut Executor, session: &mut Session, request: &str) -> Outcome {
    executor.unpark();
    executor.tick();
    let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
    let mut raw = Vec::new();
    encode(&mut raw, words.len(), words.iter().copied());
    let resolved = Resolved::new(table().lookup(words[0]), None);
    let mut reply = Reply::new();
    let next = executor.request(session, Args::borrowed(&words, Some(&raw)), resolved, &mut reply);
    executor.park();
    match next {
        Next::Block => Outcome::Blocked(executor.take_waiter().expect("a blocked command leaves its waiter")),
        _ => Outcome::Reply(text(&reply.buf)),
    }
}

/// A reply with spaces in place of line ends.
fn text(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply).replace("\r\n", " ").trim_end().to_owned()
}

/// One executor and a client, for tests on one thread.
struct Solo {
    place: Place,
    executor: Executor,
    clients: BTreeMap<u8, Session>,
}

impl Solo {
    fn new() -> Solo {
        let place = Place::new();
        let executor = place.executor();
        Solo { place, executor, clients: BTreeMap::new() }
    }

    /// Runs a request of the client `name`; `expected` is its reply, or `blocked`.
    #[track_caller]
    fn check(&mut self, name: u8, request: &str, expected: &str) {
        let place = &self.place;
        let session = self.clients.entry(name).or_insert_with(|| place.session());
        match run(&mut self.executor, session, request) {
            Outcome::Reply(reply) => assert_eq!(reply, expected, "{request}"),
            Outcome::Blocked(_) => assert_eq!("blocked", expected, "{request}"),
        }
    }

    /// The client has got this answer; empty for none.
    #[track_caller]
    fn heard(&mut self, name: u8, expected: &str) {
        let answer = self.place.answer(self.clients[&name].client.id);
        assert_eq!(answer.map(|answer| text(&answer.reply)).unwrap_or_default(), expected, "client {name}");
    }
}

#[test]
fn who_came_first_is_served_first_and_others_go_on_waiting() {
    let mut solo = Solo::new();
    solo.check(1, "blpop a b 0", "blocked");
    solo.check(2, "brpop b 0", "blocked");
    solo.check(3, "blmpop 0 1 b left count 5", "blocked");
    solo.check(0, "rpush b x y z w", ":4");
    solo.heard(1, "*2 $1 b $1 x");
    solo.heard(2, "*2 $1 b $1 w");
    solo.heard(3, "*2 $1 b *2 $1 y $1 z");
    solo.check(0, "exists b", ":0");
    assert!(!solo.place.engine.blocked.is_active());
}

#[test]
fn what_is_moved_serves_whoever_waits_for_it_in_turn() {
    let mut solo = Solo::new();
    solo.check(1, "blmove a b left right 0", "blocked");
    solo.check(2, "blmove b c left right 0", "blocked");
    solo.check(3, "blpop c 0", "blocked");
    solo.check(0, "lpush a x", ":1");
    solo.heard(1, "$1 x");
    solo.heard(2, "$1 x");
    solo.heard(3, "*2 $1 c $1 x");
}

#[test]
fn a_value_of_another_kind_or_one_that_is_gone_after_exec_serves_nobody() {
    let mut solo = Solo::new();
    solo.check(1, "blpop k 0", "blocked");
    solo.check(0, "set k v", "+OK");
    solo.heard(1, "");
    solo.check(0, "del k", ":1");
    for request in ["multi", "rpush k a", "del k", "exec"] {
        run(&mut solo.executor, solo.clients.get_mut(&0).expect("used above"), request);
    }
    solo.heard(1, "");
    for request in ["multi", "rpush k a", "lpush k b", "exec"] {
        run(&mut solo.executor, solo.clients.get_mut(&0).expect("used above"), request);
    }
    solo.heard(1, "*2 $1 k $1 b");
    solo.check(0, "lrange k 0 -1", "*1 $1 a");
}

#[test]
fn a_destination_of_the_wrong_type_is_an_error_and_the_next_one_gets_the_element() {
    let mut solo = Solo::new();
    solo.check(0, "set no list", "+OK");
    solo.check(1, "brpoplpush k no 0", "blocked");
    solo.check(2, "brpoplpush k yes 0", "blocked");
    solo.check(0, "rpush k x", ":1");
    solo.heard(1, "-WRONGTYPE Operation against a key holding the wrong kind of value");
    solo.heard(2, "$1 x");
}

#[test]
fn renamed_copied_and_moved_lists_serve_too() {
    let mut solo = Solo::new();
    solo.check(0, "rpush l x", ":1");
    solo.check(1, "blpop k 0", "blocked");
    solo.check(0, "rename l k", "+OK");
    solo.heard(1, "*2 $1 k $1 x");
    solo.check(0, "rpush l y", ":1");
    solo.check(1, "blpop k 0", "blocked");
    solo.check(0, "copy l k", ":1");
    solo.heard(1, "*2 $1 k $1 y");
    solo.check(1, "select 1", "+OK");
    solo.check(1, "blpop l 0", "blocked");
    solo.check(0, "move l 1", ":1");
    solo.heard(1, "*2 $1 l $1 y");
}

#[test]
fn a_transaction_never_waits() {
    let mut solo = Solo::new();
    for (request, reply) in
        [("multi", "+OK"), ("blpop k 0", "+QUEUED"), ("blmove k l left left 0", "+QUEUED")]
    {
        solo.check(1, request, reply);
    }
    solo.check(1, "exec", "*2 *-1 $-1");
}

#[test]
fn a_change_of_role_ends_every_wait_and_closes() {
    let mut solo = Solo::new();
    solo.check(1, "blpop k 0", "blocked");
    solo.place.engine.end_all_waits();
    let answer = solo.place.answer(solo.clients[&1].client.id).expect("told");
    assert!(answer.closes && text(&answer.reply).starts_with("-UNBLOCKED"));
    assert!(!solo.place.engine.blocked.is_active());
}

/// Waiters in a known order move elements that several threads push; where the elements end up shows the order of service.
#[test]
fn under_concurrent_pushes_service_is_in_the_order_of_arrival() {
    const WAITERS: usize = 60;
    for round in 0..20 {
        let place = Place::new();
        let mut executor = place.executor();
        let mut order = Vec::new();
        for _ in 0..WAITERS {
            let mut session = place.session();
            let outcome = run(&mut executor, &mut session, "blmove from to left right 0");
            assert!(matches!(outcome, Outcome::Blocked(_)));
            order.push(session.client.id);
        }
        let start = Barrier::new(3);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (place, start) = (&place, &start);
                scope.spawn(move || {
                    let (mut executor, mut session) = (place.executor(), place.session());
                    start.wait();
                    for n in 0..WAITERS / 3 {
                        run(&mut executor, &mut session, &format!("rpush from {thread}-{n}"));
                    }
                });
            }
        });
        let answers =
            std::mem::take(&mut *place.host.answers.lock().expect("no test panics while holding it"));
        let by_client: BTreeMap<u64, String> =
            answers.iter().map(|(client, answer)| (*client, text(&answer.reply))).collect();
        let served: Vec<&str> =
            order.iter().map(|client| by_client[client].split(' ').nth(1).expect("an element")).collect();
        let Outcome::Reply(reply) = run(&mut executor, &mut place.session(), "lrange to 0 -1") else {
            unreachable!("LRANGE never blocks")
        };
        let moved: Vec<&str> = reply.split(' ').skip(2).step_by(2).collect();
        assert_eq!(served, moved, "round {round}");
    }
}

/// What threads of the big test have seen.
#[derive(Default)]
struct Seen {
    pushed: BTreeSet<String>,
    popped: Vec<String>,
}

/// Threads push, pop, wait, move, give up, and run transactions on a few keys.
#[test]
fn no_element_is_lost_or_served_twice() {
    const THREADS: u64 = 4;
    let seed = Rng::from_os().next_u64();
    println!("seed {seed}");
    let place = Place::new();
    let seen = Mutex::new(Seen::default());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (place, seen) = (&place, &seen);
            scope.spawn(move || churn(place, seen, thread, Rng::from_seed(seed ^ thread)));
        }
    });
    // Whoever still waits is told nothing; then everything that was pushed is either popped or still there.
    place.engine.blocked.cancel_all();
    assert!(!place.engine.blocked.is_active());
    let mut seen = seen.into_inner().expect("no thread has panicked");
    let mut executor = place.executor();
    for key in KEYS {
        let Outcome::Reply(reply) = run(&mut executor, &mut place.session(), &format!("lrange {key} 0 -1"))
        else {
            unreachable!("LRANGE never blocks")
        };
        seen.popped.extend(reply.split(' ').skip(2).step_by(2).map(str::to_owned));
    }
    let fates: BTreeSet<String> = seen.popped.iter().cloned().collect();
    assert_eq!(fates.len(), seen.popped.len(), "an element was served twice (seed {seed})");
    assert_eq!(fates, seen.pushed, "seed {seed}");
}

const KEYS: [&str; 3] = ["a", "b", "c"];

/// One thread of the big test.
fn churn(place: &Place, seen: &Mutex<Seen>, thread: u64, mut rng: Rng) {
    let mut executor = place.executor();
    let mut session = place.session();
    let (mut pushed, mut popped) = (Vec::new(), Vec::new());
    let mut blocked: Vec<(Session, Arc<Waiter>, bool)> = Vec::new();
    let key = |rng: &mut Rng| KEYS[rng.below(KEYS.len() as u64) as usize];
    for n in 0..1500 {
        match rng.below(10) {
            0..4 => {
                let element = format!("{thread}-{n}");
                run(&mut executor, &mut session, &format!("rpush {} {element}", key(&mut rng)));
                pushed.push(element);
            }
            4..8 if blocked.len() < 6 => {
                let (from, to) = (key(&mut rng), key(&mut rng));
                let (request, takes) = match rng.below(4) {
                    0 => (format!("blpop {from} {to} 0"), true),
                    1 => (format!("brpop {from} 0"), true),
                    2 => (format!("blmove {from} {to} left right 0"), false),
                    _ => (format!("blmpop 0 2 {from} {to} right"), true),
                };
                let mut waiting = place.session();
                match run(&mut executor, &mut waiting, &request) {
                    Outcome::Reply(reply) if takes => popped.push(last_word(&reply)),
                    Outcome::Reply(_) => {}
                    Outcome::Blocked(waiter) => blocked.push((waiting, waiter, takes)),
                }
            }
            8 => {
                for request in ["multi", &format!("rpush a {thread}-{n}x"), "lmove a b left right", "exec"] {
                    run(&mut executor, &mut session, request);
                }
                pushed.push(format!("{thread}-{n}x"));
            }
            _ if !blocked.is_empty() => {
                let at = rng.below(blocked.len() as u64) as usize;
                let (session, waiter, takes) = blocked.swap_remove(at);
                if !place.engine.blocked.cancel(&waiter) && takes {
                    popped.push(last_word(&text(&wait_for(place, session.client.id).reply)));
                }
            }
            _ => {}
        }
    }
    for (session, waiter, takes) in blocked {
        if !place.engine.blocked.cancel(&waiter) && takes {
            popped.push(last_word(&text(&wait_for(place, session.client.id).reply)));
        }
    }
    let mut seen = seen.lock().expect("no thread panics while holding it");
    seen.pushed.extend(pushed);
    seen.popped.extend(popped);
}

fn last_word(reply: &str) -> String {
    reply.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// The answer of a client whose wait has been ended by another thread, which may be about to give it.
fn wait_for(place: &Place, client: u64) -> Answer {
    let patience = Instant::now() + Duration::from_secs(10);
    while Instant::now() < patience {
        if let Some(answer) = place.answer(client) {
            return answer;
        }
        std::thread::yield_now();
    }
    panic!("client {client} was served and never answered");
}
