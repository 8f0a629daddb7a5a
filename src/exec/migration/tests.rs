//! Tests of migrations: what becomes of keys and of those who want to change them, without a network.
//!
//! Always: one engine, executors on this thread; the stream is read as a replica would read it.

use std::sync::Arc;

use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::harness::TestHost;
use crate::commands::spec::effect::encode;
use crate::commands::spec::table::table;
use crate::commands::spec::{Args, Next};
use crate::config::{Config, Live, Origin};
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, Resolved};
use crate::exec::held::Hold;
use crate::exec::migration::{HandedOver, Parcel};
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::session::client::Client;

const DB: DbIndex = DbIndex(0);

/// An engine, a worker's executor and a client of it.
struct Place {
    engine: Arc<Engine>,
    host: Arc<TestHost>,
    executor: Executor,
    session: Session,
}

impl Place {
    fn new(requests: &[&str]) -> Place {
        let live = Live::new(Config::default(), Origin::default());
        let engine = Arc::new(Engine::new(Arc::new(live), UnixMs(0)));
        let host = Arc::new(TestHost::default());
        engine.set_host(host.clone());
        let executor = Executor::new(engine.clone());
        let session = session(&engine);
        let mut place = Place { engine, host, executor, session };
        for request in requests {
            place.run(request);
        }
        place
    }

    /// The reply, or `waits`.
    fn run(&mut self, request: &str) -> String {
        run(&mut self.executor, &mut self.session, request)
    }

    #[track_caller]
    fn check(&mut self, request: &str, reply: &str) {
        assert_eq!(self.run(request), reply, "{request}");
    }

    fn migrant(&self) -> Executor {
        Executor::new(self.engine.clone())
    }

    fn pick_up(&self, keys: &[&str]) -> (Hold, Vec<Parcel>) {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        let hold = self.engine.hold(DB, &keys);
        let parcels = self.migrant().pick_up(DB, &keys, Some(&hold));
        (hold, parcels)
    }

    fn hand_over(&self, parcels: &[Parcel]) -> HandedOver {
        let all: Vec<&Parcel> = parcels.iter().collect();
        self.migrant().hand_over(DB, &all, false)
    }
}

fn session(engine: &Engine) -> Session {
    let id = engine.roster.next_id();
    let client = Client::new(id, format!("c:{id}"), "s:1".into(), -1, 0, false, UnixMs(0), Arc::default());
    Session::new(Arc::new(client), true)
}

fn run(executor: &mut Executor, session: &mut Session, request: &str) -> String {
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
        Next::Postpone => "waits".into(),
        Next::Block => "blocked".into(),
        Next::Continue | Next::Close | Next::BecomeReplica => {
            String::from_utf8_lossy(&reply.buf).replace("\r\n", " ").trim_end().to_owned()
        }
    }
}

#[test]
fn keys_that_exist_are_taken_with_their_deadlines_and_are_gone_afterwards() {
    let mut place = Place::new(&["set a 1", "rpush l x y", "pexpireat l 9999999999999"]);
    let (hold, parcels) = place.pick_up(&["a", "nothing", "l"]);
    let told: Vec<_> = parcels.iter().map(|parcel| (parcel.key.as_slice(), parcel.deadline)).collect();
    assert_eq!(told, [(b"a".as_slice(), None), (b"l", Some(UnixMs(9_999_999_999_999)))]);
    let payload = String::from_utf8_lossy(&parcels[0].payload).into_owned();
    assert_eq!(place.run("dump a").split_once(' ').expect("a bulk").1, payload);
    assert_eq!(place.hand_over(&parcels), HandedOver::Gone { written: None });
    place.migrant().let_go(&parcels, Some(hold));
    place.check("dbsize", ":0");
    assert!(!place.engine.watches.is_active() && place.engine.held.current().is_none());
}

#[test]
fn writers_of_the_keys_wait_and_all_others_go_on() {
    let mut place = Place::new(&["set a 1", "set b 2"]);
    let (hold, parcels) = place.pick_up(&["a"]);
    place.check("incr a", "waits");
    place.check("get a", "$1 1");
    place.check("incr b", ":3");
    place.check("flushall", "waits");
    place.check("multi", "+OK");
    place.check("incr a", "+QUEUED");
    place.check("exec", "waits");
    place.check("discard", "+OK");
    place.migrant().let_go(&parcels, Some(hold));
    place.check("incr a", ":2");
}

#[test]
fn a_select_within_a_transaction_is_followed() {
    let mut place = Place::new(&["set a 1"]);
    let (_hold, _parcels) = place.pick_up(&["a"]);
    for (request, reply) in [("multi", "+OK"), ("select 1", "+QUEUED"), ("incr a", "+QUEUED")] {
        place.check(request, reply);
    }
    place.check("exec", "*2 +OK :1");
    for (request, reply) in [("multi", "+OK"), ("select 0", "+QUEUED"), ("incr a", "+QUEUED")] {
        place.check(request, reply);
    }
    place.check("exec", "waits");
}

#[test]
fn what_has_changed_in_spite_of_all_stays() {
    let mut place = Place::new(&["set a 1", "set b 2", "set c 3"]);
    let (hold, parcels) = place.pick_up(&["a", "b", "c"]);
    // Nobody holds them any more: as if a primary's stream had changed one and deleted another.
    drop(hold);
    place.check("incr a", ":2");
    place.check("del c", ":1");
    assert_eq!(place.hand_over(&parcels), HandedOver::SomeChanged);
    place.migrant().let_go(&parcels, None);
    place.check("mget a b c", "*3 $1 2 $-1 $-1");
}

#[test]
fn a_key_that_has_expired_meanwhile_is_no_change() {
    let mut place = Place::new(&["set a 1 px 30"]);
    let (_hold, parcels) = place.pick_up(&["a"]);
    std::thread::sleep(std::time::Duration::from_millis(40));
    place.check("get a", "$-1");
    assert_eq!(place.hand_over(&parcels), HandedOver::Gone { written: None });
}

#[test]
fn a_key_that_is_named_twice_goes_once() {
    let place = Place::new(&["set a 1"]);
    let (_hold, parcels) = place.pick_up(&["a", "a"]);
    assert_eq!((parcels.len(), place.hand_over(&parcels)), (2, HandedOver::Gone { written: None }));
}

#[test]
fn a_server_that_has_become_a_replica_deletes_nothing() {
    let mut place = Place::new(&["set a 1"]);
    let (_hold, parcels) = place.pick_up(&["a"]);
    place.engine.barrier.stop(None, || place.engine.set_replica(true));
    assert_eq!(place.hand_over(&parcels), HandedOver::NotOurs);
    place.check("get a", "$1 1");
}

#[test]
fn a_client_that_would_be_served_into_a_held_key_is_served_when_it_is_free() {
    let mut place = Place::new(&["rpush to old"]);
    let mut waiter = session(&place.engine);
    assert_eq!(run(&mut place.executor, &mut waiter, "blmove from to left right 0"), "blocked");
    let (hold, parcels) = place.pick_up(&["to"]);
    place.check("rpush from x", ":1");
    place.check("lrange from 0 -1", "*1 $1 x");
    assert_eq!(place.hand_over(&parcels), HandedOver::Gone { written: None });
    place.migrant().let_go(&parcels, Some(hold));
    place.check("lrange to 0 -1", "*1 $1 x");
    assert_eq!(place.host.answers.lock().expect("no test panics while holding it").len(), 1);
}
