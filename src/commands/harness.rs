//! A place to run commands in tests: a fresh keyspace, one client, a clock that stands still, no sockets and no threads.
//!
//! ```text
//!  "set k v ex 10" -> row, arity -> locks -> handler -> reply, effect, tally
//! ```
//!
//! Used by the tests of all command groups. `Harness::check` compares a request's reply and effect in readable form:
//! a reply with spaces in place of line ends (`$5 hello`), an effect as words, commands apart by `; `.
//! Always: what runs here runs as in `exec`, less the gates: the deletion of expired keys comes before the effect.

use std::sync::{Arc, Mutex};

use crate::base::histogram::Distribution;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::Rng;
use crate::commands::spec::effect::encode;
use crate::commands::spec::host::{
    FailoverWish, MemoryFigures, Migration, Pause, Relief, Reloading, Replicaof, Saving, Shutdown, Unblocking,
};
use crate::commands::spec::table::{Command, CommandId, table};
use crate::commands::spec::{Answer, Args, Blocking, Control, Ctx, Effect, Failure, Host, Next, Run, keys};
use crate::config::{Asker, Config, Live, Origin};
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Stamp;
use crate::keyspace::lazy_free::{Lazy, LazyFree};
use crate::keyspace::notify::{Classes, Event};
use crate::keyspace::ready::Waiting;
use crate::keyspace::space::{Expiry, ShardRef, Space, Surroundings, Tally, access_clock};
use crate::keyspace::watch::WatchTable;
use crate::pubsub::{Publisher, Registry, tracking};
use crate::resp::batch::Batch;
use crate::resp::limits::Limits;
use crate::resp::parser::Parser;
use crate::resp::reply::Reply;
use crate::session::Session;
use crate::session::client::Client;
use crate::session::roster::Roster;
use crate::watching::{Latency, SlowLog};

/// The time at which a harness starts, in Unix milliseconds.
pub const NOW: i64 = 1_700_000_000_000;

/// One client on a keyspace of sixteen databases.
pub struct Harness {
    pub host: TestHost,
    pub session: Session,
    /// The time that commands see; tests move it.
    pub now: UnixMs,
    /// `Delete` is a primary, `Hide` a replica's client, `Ignore` the stream of a primary.
    pub expiry: Expiry,
    pub from_primary: bool,
    /// The classes of events that commands note; none at first.
    pub notify: Classes,
    rng: Rng,
    publisher: Publisher,
}

/// What a request led to.
pub struct Outcome {
    /// RESP as the client gets it.
    pub reply: Vec<u8>,
    /// RESP as replicas get it, without MULTI and EXEC; empty if nothing changed.
    pub effect: Vec<u8>,
    pub tally: Tally,
    pub next: Next,
    /// Events of the classes that the harness asks for.
    pub events: Vec<Event>,
    /// Keys that clients could wait for, if `host.waiting` says that some do.
    pub ready: Vec<(DbIndex, Vec<u8>)>,
}

impl Default for Harness {
    fn default() -> Harness {
        Harness::new()
    }
}

impl Harness {
    pub fn new() -> Harness {
        let now = UnixMs(NOW);
        let client =
            Client::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), -1, 0, false, now, Arc::default());
        let host = TestHost::new();
        Harness {
            publisher: Publisher::new(host.pubsub.clone(), host.tracking.clone()),
            host,
            session: Session::new(Arc::new(client), true),
            now,
            expiry: Expiry::Delete,
            from_primary: false,
            notify: Classes::default(),
            rng: Rng::from_seed(1),
        }
    }

    /// Changes the configuration that commands see.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = (**self.host.live.load()).clone();
        change(&mut config);
        self.host.live = Live::new(config, Origin::default());
    }

    pub fn advance_ms(&mut self, by: i64) {
        self.now = UnixMs(self.now.0 + by);
    }

    /// Runs a request of words apart by single spaces; `""` is the empty word.
    #[track_caller]
    pub fn run(&mut self, request: &str) -> Outcome {
        let words: Vec<&[u8]> =
            request.split(' ').map(|word| if word == "\"\"" { &[] } else { word.as_bytes() }).collect();
        self.run_words(&words)
    }

    /// Runs a request of any words.
    #[track_caller]
    pub fn run_words(&mut self, words: &[&[u8]]) -> Outcome {
        let mut raw = Vec::new();
        encode(&mut raw, words.len(), words.iter().copied());
        let args = Args::borrowed(words, Some(&raw));
        let mut reply = Reply::with_protocol(self.session.resp3);
        let mut outcome = Outcome {
            reply: Vec::new(),
            effect: Vec::new(),
            tally: Tally::default(),
            next: Next::Continue,
            events: Vec::new(),
            ready: Vec::new(),
        };
        let result = resolve(&args).and_then(|command| self.call(command, args, &mut reply, &mut outcome));
        if let Err(failure) = result {
            reply.truncate(0);
            reply.error(&failure.0);
        }
        outcome.reply = reply.buf;
        outcome
    }

    /// Runs a request and compares its reply and its effect in readable form.
    #[track_caller]
    pub fn check(&mut self, request: &str, reply: &str, effect: &str) {
        let outcome = self.run(request);
        assert_eq!(
            (outcome.reply_text().as_str(), outcome.effect_text().as_str()),
            (reply, effect),
            "{request}"
        );
    }

    /// As `check`, for a request that changes nothing.
    #[track_caller]
    pub fn reads(&mut self, request: &str, reply: &str) {
        self.check(request, reply, "");
    }

    fn call(
        &mut self,
        command: &'static Command,
        args: Args<'_>,
        reply: &mut Reply,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let keyspace = self.host.keyspace();
        let config = self.host.live.load().clone();
        let around = Surroundings {
            now: self.now,
            clock: access_clock(self.now),
            lfu: None,
            stamp: 0,
            pre_images: None,
            watches: &self.host.watches,
            waiting: &self.host.waiting,
            tracked: &self.host.tracking.tracked,
            lazy_free: &self.host.lazy_free,
            lazy: Lazy::default(),
            own_deadlines: None,
            is_followed: true,
            notify: self.notify,
            expiry: self.expiry,
        };
        let mut space = match command.row.run {
            Run::Far { reach, .. } if reach(&args) => Space::whole(&keyspace, self.session.db, around),
            Run::Keyed(_) | Run::Far { .. } => {
                let mut shards: Vec<ShardRef> = Vec::new();
                keys::each(command.row.keys, &args, self.session.db, keyspace.databases(), |db, key| {
                    shards.push(Space::shard_ref(&keyspace, db, key));
                });
                Space::many(&keyspace, self.session.db, shards, around)
            }
            Run::Walk(_) => {
                Space::whole(&keyspace, self.session.db, Surroundings { expiry: Expiry::Hide, ..around })
            }
            Run::Whole(_) | Run::Control(_) | Run::Exec | Run::Watch | Run::Container => {
                Space::whole(&keyspace, self.session.db, around)
            }
        };
        let (mut control_rng, mut unused) = (Rng::from_seed(2), Reply::new());
        let mut ctx = Ctx {
            args,
            reply,
            space: &mut space,
            rng: &mut self.rng,
            publisher: &mut self.publisher,
            config: &config,
            full_name: command.full_name,
            from_primary: self.from_primary,
            blocking: Blocking::default(),
        };
        let mut control = Control {
            reply: &mut unused,
            session: &mut self.session,
            host: &self.host,
            now: self.now,
            rng: &mut control_rng,
            full_name: command.full_name,
            may_block: true,
            next: Next::Continue,
        };
        let result = match command.row.run {
            Run::Keyed(handler) | Run::Far { handler, .. } | Run::Walk(handler) => handler(&mut ctx),
            Run::Whole(handler) => handler(&mut ctx, &mut control),
            Run::Control(handler) => {
                control.reply = ctx.reply;
                handler(&args, &mut control).map(|()| Effect::None)
            }
            Run::Exec | Run::Watch | Run::Container => panic!("{} runs in exec only", command.full_name),
        };
        outcome.next = control.next;
        outcome.tally = space.changes.tally;
        outcome.events = std::mem::take(&mut space.changes.events);
        outcome.ready = std::mem::take(&mut space.changes.ready);
        for (_, key) in &space.changes.expired {
            encode(&mut outcome.effect, 2, [b"DEL".as_slice(), key].into_iter());
        }
        match result? {
            Effect::None => {}
            Effect::Verbatim => {
                outcome.effect.extend_from_slice(args.verbatim().expect("a harness request has its bytes"));
            }
            Effect::Rewritten(rewrite) => outcome.effect.extend_from_slice(&rewrite.bytes),
        }
        Ok(())
    }
}

impl Outcome {
    /// The reply with spaces in place of line ends: `*2 $1 a :5`.
    pub fn reply_text(&self) -> String {
        String::from_utf8_lossy(&self.reply).replace("\r\n", " ").trim_end_matches(' ').to_owned()
    }

    /// The effect as words: `DEL a; SET b 1 PXAT 99`.
    pub fn effect_text(&self) -> String {
        let mut batch = Batch::new();
        let progress = Parser::new().parse(&self.effect, &Limits::default(), &mut batch, usize::MAX);
        assert!(
            progress.error.is_none() && progress.consumed == self.effect.len(),
            "an effect is whole commands"
        );
        let command = |request: crate::resp::batch::Request<'_>| {
            request.args().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
        };
        batch.requests(&self.effect).map(command).collect::<Vec<_>>().join("; ")
    }
}

fn resolve(args: &Args<'_>) -> Result<&'static Command, Failure> {
    let unknown = || Failure::new(format!("ERR unknown command '{}'", String::from_utf8_lossy(args.get(0))));
    let mut command = table().lookup(args.get(0)).ok_or_else(unknown)?;
    if !command.subcommands.is_empty() {
        let word = args.opt(1).ok_or_else(|| Failure::wrong_arity(command.full_name))?;
        command = table().subcommand(command, word).ok_or_else(unknown)?;
    }
    if command.row.accepts(args.len()) { Ok(command) } else { Err(Failure::wrong_arity(command.full_name)) }
}

/// The server around commands that reach beyond keys.
pub struct TestHost {
    pub live: Live,
    pub watches: WatchTable,
    pub waiting: Waiting,
    pub roster: Roster,
    pub slow_log: SlowLog,
    pub latency: Latency,
    pub pubsub: Arc<Registry>,
    pub tracking: Arc<tracking::Table>,
    pub lazy_free: LazyFree,
    /// Ids of the clients that commands have closed.
    pub killed: Mutex<Vec<u64>>,
    /// What ended the waits of clients, in the order in which they heard of it.
    pub answers: Mutex<Vec<(u64, Answer)>>,
    /// What FAILOVER has asked for.
    pub failovers: Mutex<Vec<FailoverWish>>,
    /// What MIGRATE has asked for.
    pub migrations: Mutex<Vec<Migration>>,
    keyspace: Mutex<Arc<Keyspace>>,
}

impl Default for TestHost {
    fn default() -> TestHost {
        TestHost::new()
    }
}

impl TestHost {
    fn new() -> TestHost {
        let config = Config::default();
        let keyspace = Keyspace::new(config.databases as usize);
        TestHost {
            live: Live::new(config, Origin::default()),
            watches: WatchTable::default(),
            waiting: Waiting::default(),
            roster: Roster::default(),
            slow_log: SlowLog::default(),
            latency: Latency::default(),
            pubsub: Arc::default(),
            tracking: Arc::default(),
            lazy_free: LazyFree::default(),
            killed: Mutex::default(),
            answers: Mutex::default(),
            failovers: Mutex::default(),
            migrations: Mutex::default(),
            keyspace: Mutex::new(Arc::new(keyspace)),
        }
    }

    /// One database of the current keyspace.
    pub fn keys_in(&self, db: u16) -> usize {
        self.keyspace().db(DbIndex(db)).len()
    }
}

impl Host for TestHost {
    fn config(&self) -> &Live {
        &self.live
    }

    fn keyspace(&self) -> Arc<Keyspace> {
        self.keyspace.lock().expect("no test panics while holding it").clone()
    }

    fn watches(&self) -> &WatchTable {
        &self.watches
    }

    fn roster(&self) -> &Roster {
        &self.roster
    }

    fn slow_log(&self) -> &SlowLog {
        &self.slow_log
    }

    fn latency(&self) -> &Latency {
        &self.latency
    }

    fn durations(&self, _command: CommandId) -> Distribution {
        Distribution::default()
    }

    fn pubsub(&self) -> &Registry {
        &self.pubsub
    }

    fn tracking(&self) -> &tracking::Table {
        &self.tracking
    }

    fn pause(&self, _pause: Option<Pause>) {}

    fn stamp(&self) -> Stamp {
        0
    }

    fn client_relief(&self, _now_ns: u64) -> Relief {
        Relief::None
    }

    fn replace_keyspace(&self, keyspace: Keyspace) {
        *self.keyspace.lock().expect("no test panics while holding it") = Arc::new(keyspace);
    }

    fn discard(&self, keyspace: Arc<Keyspace>, waiting: Option<&Arc<Client>>) -> bool {
        drop(keyspace);
        waiting.is_some()
    }

    fn set_config(&self, _asker: Asker, _pairs: &[(&[u8], &[u8])]) -> Result<(), Failure> {
        Err(Failure::text("ERR the configuration of a harness is changed by its test"))
    }

    fn reset_statistics(&self) {}

    fn info(&self, _sections: &[&[u8]], _now: UnixMs) -> String {
        "# Server\r\n".into()
    }

    fn memory(&self) -> MemoryFigures {
        MemoryFigures { used: 900, peak: 1000, startup: 100, resident: 1800, ..MemoryFigures::default() }
    }

    fn stand_still(&self, work: &mut dyn FnMut()) {
        work();
    }

    fn set_active_expiry(&self, _on: bool) {}

    fn pause_cron(&self, _on: bool) {}

    fn feed_replicas(&self, _command: &[u8]) {}

    fn shutdown(&self, _wish: Shutdown) {}

    fn abort_shutdown(&self) -> bool {
        false
    }

    fn is_loading(&self) -> bool {
        false
    }

    fn reload(&self, _saves_first: bool, _client: &Arc<Client>, _now: UnixMs) -> Result<Reloading, Failure> {
        Err(Failure::text("ERR a harness has no disk"))
    }

    fn rename_history(&self) {}

    fn is_replica(&self) -> bool {
        false
    }

    fn kill(&self, client: &Client) {
        self.killed.lock().expect("no test panics while holding it").push(client.id);
    }

    fn kill_link(&self, _address: &[u8]) -> usize {
        0
    }

    fn describe_link(&self) -> String {
        String::new()
    }

    fn unwatch(&self, session: &mut Session) {
        session.watched.clear();
    }

    fn admit_replica(&self, _session: &Session, _failover: Option<&[u8]>) -> Result<(), Failure> {
        Err(Failure::text("ERR a harness has no replicas"))
    }

    fn replicaof(&self, _primary: Option<(&str, u16)>, _session: &Session) -> Result<Replicaof, Failure> {
        Err(Failure::text("ERR a harness follows nobody"))
    }

    fn failover(&self, wish: FailoverWish) -> Result<(), Failure> {
        self.failovers.lock().expect("no test panics while holding it").push(wish);
        Ok(())
    }

    fn abort_failover(&self) -> bool {
        self.failovers.lock().expect("no test panics while holding it").pop().is_some()
    }

    fn wait(&self, _: &Session, _: i64, _: i64, _: bool) -> Result<Option<i64>, Failure> {
        Ok(Some(0))
    }

    fn answer(&self, client: &Client, answer: Answer) {
        self.answers.lock().expect("no test panics while holding it").push((client.id, answer));
    }

    fn migrate(&self, migration: Migration) -> Result<(), Failure> {
        self.migrations.lock().expect("no test panics while holding it").push(migration);
        Ok(())
    }

    fn unblock_client(&self, _id: u64, _how: Unblocking) -> bool {
        false
    }

    fn write_role(&self, reply: &mut Reply) {
        reply.null_array();
    }

    fn save(&self, _now: UnixMs) -> Result<(), Failure> {
        Err(Failure::text("ERR a harness has no disk"))
    }

    fn bgsave(&self, schedule: bool, _now: UnixMs) -> Result<Saving, Failure> {
        Ok(if schedule { Saving::Scheduled } else { Saving::Started })
    }

    fn abandon_save(&self) {}

    fn save_flushed(&self, _now: UnixMs) -> bool {
        false
    }

    fn last_save(&self) -> UnixMs {
        UnixMs(1_700_000_000_999)
    }
}
