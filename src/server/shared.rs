//! What the server's threads share beyond the engine: the ways to reach each other.
//!
//! Made by `boot`; held by workers, the host, cron.
//! Always: a message to a client goes to the worker that serves it, and to no other.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;

use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::mailbox::{Full, Post};
use crate::commands::spec::Answer;
use crate::commands::spec::host::Shutdown;
use crate::config::Config;
use crate::exec::engine::Engine;
use crate::exec::loading::LoadState;
use crate::exec::stats::Count;
use crate::keyspace::db::Keyspace;
use crate::keyspace::lazy_free::Gone;
use crate::net::acceptor::AcceptorHandle;
use crate::net::admission::Admission;
use crate::net::event_loop::WorkerHandle;
use crate::net::service::Detached;
use crate::persist::rdb::{SaveError, Saver};
use crate::pubsub::tracking::{Couriers, Invalidation};
use crate::pubsub::{Delivery, Outlet};
use crate::replication::Replication;
use crate::replication::primary::Arrival;
use crate::replication::replica::Links;
use crate::server::client_memory::{ClientMemory, limit_bytes};
use crate::server::cron::CronCall;
use crate::server::ending::Ending;
use crate::server::log as server_log;
use crate::server::meters::{Meters, Traffic};
use crate::server::migrate::Migrations;
use crate::server::worker::Message;
use crate::session::Session;
use crate::session::client::Client;

/// The server is to stop: one attempt (`server::ending`), for the main thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    pub attempt: u64,
    pub wish: Shutdown,
    /// SIGTERM or SIGINT: what they ask for happens by the clock, which DEBUG PAUSE-CRON stops.
    pub is_signal: bool,
}

/// The limit of the table of tracked keys.
pub fn tracking_keys_max(config: &Config) -> usize {
    match config.tracking_table_max_keys {
        0 => usize::MAX,
        max => max as usize,
    }
}

/// How often the main thread looks whether DEBUG PAUSE-CRON still keeps a signal from being heeded.
const SIGNAL_LOOK: Duration = Duration::from_millis(5);
/// For a `shutdown-timeout` beyond the end of the clock.
const FOREVER: Duration = Duration::from_secs(1 << 32);

/// From so many waiting messages on publishers wait. Far below what a mailbox takes; far above what a moment brings.
const CONGESTED_MESSAGES: usize = 4096;

/// The workers' mailboxes, as the registry of subscribers sees them.
struct Mailboxes(Vec<Post<Message>>);

impl Outlet for Mailboxes {
    fn post(&self, worker: usize, delivery: Delivery) -> bool {
        self.0[worker].post(Message::Deliver(delivery)).is_ok()
    }

    fn is_congested(&self) -> bool {
        self.0.iter().any(|post| post.waiting() > CONGESTED_MESSAGES)
    }
}

impl Couriers for Mailboxes {
    fn invalidate(&self, worker: usize, invalidation: Invalidation) {
        let to = invalidation.to;
        if self.0[worker].post(Message::Invalidate(invalidation)).is_err() {
            // It would go on trusting what it has cached.
            log::warn!("Worker {worker} takes no more messages: an invalidation for client {to} is lost");
        }
    }
}

pub struct Shared {
    pub engine: Arc<Engine>,
    pub admission: Arc<Admission>,
    pub acceptor: OnceLock<AcceptorHandle>,
    pub workers: Vec<WorkerHandle>,
    /// Wakes the main thread, which stops the others.
    stop: Sender<Stop>,
    /// How far a shutdown has got.
    pub ending: Ending,
    pub run_id: [u8; 40],
    /// Set by boot before anything is served.
    pub replication: OnceLock<Arc<Replication>>,
    /// Set by boot before anything is served.
    pub saver: OnceLock<Arc<Saver>>,
    pub meters: Meters,
    pub client_memory: ClientMemory,
    pub cron: CronCall,
    /// DEBUG PAUSE-CRON. Stored by its command, loaded by cron and by who waits for signals; Relaxed, it publishes nothing.
    pub is_cron_paused: AtomicBool,
    /// Set by boot before anything is served.
    pub links: OnceLock<Links>,
    /// Keys on their way to other servers.
    pub migrations: Migrations,
    posts: Vec<Post<Message>>,
}

impl Shared {
    pub fn new(
        engine: Arc<Engine>,
        admission: Arc<Admission>,
        workers: Vec<WorkerHandle>,
        posts: Vec<Post<Message>>,
        stop: Sender<Stop>,
    ) -> Shared {
        engine.pubsub.set_outlet(Box::new(Mailboxes(posts.clone())));
        engine.tracking.set_couriers(Box::new(Mailboxes(posts.clone())));
        let run_id = crate::base::random::new_id();
        Shared {
            engine,
            admission,
            acceptor: OnceLock::new(),
            workers,
            stop,
            ending: Ending::default(),
            run_id,
            replication: OnceLock::new(),
            saver: OnceLock::new(),
            meters: Meters::new(),
            client_memory: ClientMemory::default(),
            cron: CronCall::default(),
            is_cron_paused: AtomicBool::new(false),
            links: OnceLock::new(),
            migrations: Migrations::default(),
            posts,
        }
    }

    /// Leaves a message with the worker that serves `client`.
    fn tell(&self, client: &Client, message: Message) {
        if let Err(Full(message)) = self.posts[client.worker].post(message) {
            log::warn!("Worker {} takes no more messages: {message:?} is lost", client.worker);
        }
    }

    /// Makes every worker look at what has changed, even if it sleeps.
    pub fn wake_workers(&self) {
        for post in &self.posts {
            // A worker whose mailbox is full is awake.
            let _ = post.post(Message::Look);
        }
    }

    /// The client that `owner` redirects its invalidations to is gone.
    pub fn break_redirect(&self, (owner, worker): (u64, usize), target: u64) {
        let _ = self.posts[worker].post(Message::RedirectBroken { client: owner, target });
    }

    /// Closes a client, wherever it is served.
    pub fn kill(&self, client: &Client) {
        if client.is_replica.load(Relaxed) && self.replication().primary.kill(client.id) {
            return;
        }
        self.tell(client, Message::Kill { client: client.id });
        // Nobody lists it any more, although its worker may take a moment.
        self.engine.roster.remove(client.id);
    }

    /// Closes clients, those that hold most first, until all that stay are within the limit.
    #[cold]
    pub fn evict_clients(&self, limit_bytes: u64) {
        self.client_memory.evict(&self.engine.roster, limit_bytes, |client, held| {
            log::info!("Evicting client: id={} addr={} tot-mem={held}", client.id, client.addr);
            self.tell(client, Message::Evict { client: client.id });
            self.engine.roster.remove(client.id);
        });
    }

    /// Answers a blocked client. Nothing happens if it is gone or not blocked any more.
    pub fn unblock(&self, client: u64, reply: Vec<u8>) {
        if let Some(client) = self.engine.roster.get(client)
            && client.is_blocked.load(Relaxed)
        {
            self.tell(&client, Message::Unblock { client: client.id, reply });
        }
    }

    /// Ends the wait of a client for keys.
    pub fn answer(&self, client: &Client, answer: Answer) {
        self.tell(client, Message::Answer { client: client.id, answer });
    }

    /// Saves the data set.
    pub fn saver(&self) -> &Arc<Saver> {
        self.saver.get().expect("boot sets it before anything is served")
    }

    /// Whom we follow and who follows us.
    pub fn replication(&self) -> &Arc<Replication> {
        self.replication.get().expect("boot sets it before anything is served")
    }

    /// The link to our primary.
    pub fn links(&self) -> &Links {
        self.links.get().expect("boot sets it before anything is served")
    }

    /// Follows a primary from now on. False if it is followed already.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn follow(&self, host: &str, port: u16) -> std::io::Result<bool> {
        let is_new = self.links().follow(host, port)?;
        server_log::set_replica(true);
        Ok(is_new)
    }

    /// Leads from now on. False if nobody was followed.
    pub fn lead(&self) -> bool {
        let was_replica = self.links().lead();
        server_log::set_replica(false);
        was_replica
    }

    /// Drops databases that are no longer current on a thread of their own, which drops `gone` behind them.
    pub fn discard(&self, keyspace: Arc<Keyspace>, gone: Option<Gone>) {
        self.engine.lazy_free.discard(keyspace, &self.engine.keyspace(), gone);
        // Those that sleep hold on to them.
        self.wake_workers();
        self.cron.call();
        self.replication().let_go();
    }

    /// A client that may be waiting for replicas is gone.
    pub fn forget_waiter(&self, client: u64) {
        self.replication().primary.waits.forget(client);
    }

    /// A connection has become a replica's.
    pub fn adopt_replica(&self, session: Session, connection: Detached) {
        let traits = session.replica.map(|traits| *traits).unwrap_or_default();
        let request = traits.request.clone().expect("PSYNC and SYNC leave their request");
        let arrival = Arrival {
            client: session.client,
            traits,
            request,
            socket: connection.socket,
            unparsed: connection.unparsed,
            unsent: connection.unsent,
            ticket: Box::new(connection.ticket),
        };
        self.replication().attach(arrival, UnixMs(clock::now_ms()));
    }

    /// Something that no command asked for has taken this long: the latency monitor may want to know.
    pub fn note_event(&self, event: &'static str, took: Duration) {
        let threshold = self.engine.config.load().latency_monitor_threshold;
        let ms = took.as_millis() as u64;
        if threshold > 0 && ms >= threshold {
            self.engine.latency.add(event, clock::now_ms().div_euclid(1000), ms);
        }
    }

    /// Called by cron in every round, ten times a second or more often.
    pub fn every_round(&self) {
        if self.engine.pubsub.take_lost() {
            self.close_subscribers();
        }
        self.engine.tracking.limit(tracking_keys_max(&self.engine.config.load()));
        // Growth is noticed at once; an end of CLIENT NO-EVICT, or of what has crept up by less than a step, here.
        self.evict_clients(limit_bytes(&self.engine.config.load()));
        let commands = self.engine.statistics.count_since_start(Count::Commands);
        self.meters.sample(commands, Traffic::of(&self.workers), clock::monotonic_ms());
    }

    /// Messages were lost in a mailbox that took no more. Nobody must believe to have got them all.
    #[cold]
    fn close_subscribers(&self) {
        log::error!(
            "A worker takes no more messages: all subscribers are disconnected, for some have missed a message"
        );
        let clients = self.engine.roster.list();
        let listeners =
            clients.iter().filter(|client| client.is_subscriber() || client.is_monitor.load(Relaxed));
        listeners.for_each(|client| self.kill(client));
    }

    /// CONFIG RESETSTAT.
    pub fn reset_statistics(&self) {
        self.engine.statistics.reset();
        self.engine.lazy_free.reset();
        self.engine.pressure.reset();
        self.admission.reset_totals();
        if let Some(replication) = self.replication.get() {
            replication.primary.counters.reset();
        }
        self.meters.reset(Traffic::of(&self.workers));
    }

    /// Called by cron.
    pub fn every_second(&self) {
        self.saver().tick(UnixMs(clock::now_ms()));
        self.engine.set_disk_failing(self.saver().refuses_writes());
        self.migrations.every_second();
    }

    /// SHUTDOWN, or a signal. False if a shutdown is under way, which whoever asks shares then.
    pub fn ask_to_stop(&self, wish: Shutdown, is_signal: bool) -> bool {
        let attempt = self.ending.ask(wish.client);
        if let Some(attempt) = attempt {
            // The main thread listens until an attempt has succeeded.
            let _ = self.stop.send(Stop { attempt, wish, is_signal });
        }
        attempt.is_some()
    }

    /// SHUTDOWN ABORT. False if there is nothing that could still be called off.
    pub fn abort_shutdown(&self) -> bool {
        let Some(clients) = self.ending.abort() else { return false };
        log::info!("Shutdown manually aborted.");
        self.refuse_shutdown(clients);
        true
    }

    /// The main thread's work on a wish: replicas catch up, then the data set is saved if it has to be. From then on no worker runs
    /// a command, so that nothing is acknowledged that is not in the file. Until when replicas may be waited for afterwards; none if
    /// the server goes on, because the wish was called off, or the data set could not be saved and the wish does not insist.
    pub fn try_to_stop(&self, stop: &Stop) -> Option<Instant> {
        while stop.is_signal && self.is_cron_paused.load(Relaxed) && self.ending.is_wanted(stop.attempt) {
            std::thread::sleep(SIGNAL_LOOK);
        }
        let seconds = if stop.wish.is_now { 0 } else { self.engine.config.load().shutdown_timeout };
        let now = Instant::now();
        let until = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now + FOREVER);
        if !self.ending.begin(stop.attempt, until) {
            return None;
        }
        log::warn!("User requested shutdown...");
        self.await_replicas(stop.attempt, until);
        let saved: Result<bool, SaveError> = self.engine.barrier.stop(None, || {
            if !self.ending.settle(stop.attempt) {
                return Ok(false);
            }
            self.save_before_the_end(stop.wish)?;
            self.engine.set_stopping();
            Ok(true)
        });
        match saved {
            Ok(true) => return Some(until),
            Ok(false) => self.go_on(),
            Err(error) => {
                log::error!("Error trying to save the DB, can't exit: {error}");
                self.go_on();
                self.refuse_shutdown(self.ending.fail());
            }
        }
        None
    }

    /// Gives replicas the time to acknowledge what was written until now; clients write nothing while they are waited for. After it
    /// our own PINGs stop, so that what is saved next stands where the replicas are, and they resume when we are back.
    fn await_replicas(&self, attempt: u64, until: Instant) {
        if self.replication().lagging() > 0 && Instant::now() < until {
            self.engine.barrier.stop(None, || self.engine.set_ending(true));
        }
        let target = self.replication().offset();
        self.replication().drain(until, || self.ending.is_wanted(attempt));
        if self.ending.is_wanted(attempt) {
            self.replication().report_lag(target, UnixMs(clock::now_ms()));
        }
    }

    /// The end does not come: everything is as before.
    fn go_on(&self) {
        self.replication().resume_upkeep();
        self.engine.set_ending(false);
        self.wake_workers();
    }

    /// After the workers have ended: what clients wrote last reaches the replicas, if there is time.
    pub fn drain(&self, until: Instant) {
        let lagging = self.replication().drain(until, || true);
        if lagging > 0 {
            log::warn!("{lagging} replicas did not receive everything before the end");
        }
    }

    fn save_before_the_end(&self, wish: Shutdown) -> Result<(), SaveError> {
        if self.engine.loading.state() == LoadState::Blocking {
            // What is on disk is more than what is in memory.
            return Ok(());
        }
        let by_itself = !self.engine.config.load().save.is_empty();
        if !wish.saves.unwrap_or(by_itself) {
            return Ok(());
        }
        log::info!("Saving the final RDB snapshot before exiting.");
        match self.saver().save_now(UnixMs(clock::now_ms())) {
            Err(error) if wish.is_forced => {
                log::warn!("Error trying to save the DB, exiting anyway: {error}");
                Ok(())
            }
            saved => saved,
        }
    }

    /// The shutdown that these clients have asked for does not take place.
    fn refuse_shutdown(&self, clients: Vec<u64>) {
        for client in clients {
            self.unblock(client, b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n".to_vec());
        }
    }
}
