//! The host: what control commands ask of the server, as `commands::spec::Host` declares it.
//!
//! One per server; called on the worker that runs the command, without any shard lock held.
//! Always: it delegates; what is asked is done where it belongs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::clock;
use crate::base::histogram::Distribution;
use crate::base::ids::UnixMs;
use crate::commands::spec::host::{
    FailoverWish, MemoryFigures, Migration, Pause, Relief, Reloading, Replicaof, Saving, Shutdown, Unblocking,
};
use crate::commands::spec::table::CommandId;
use crate::commands::spec::{Answer, Failure, Host};
use crate::config::{Asker, Config, Live, SetError};
use crate::exec::loading::LoadState;
use crate::exec::transaction;
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Stamp;
use crate::keyspace::lazy_free::Gone;
use crate::keyspace::watch::WatchTable;
use crate::net::admission::Admission;
use crate::persist::rdb::{BgSave, Refusal, ReloadError, reload};
use crate::pubsub::{Registry, tracking};
use crate::replication::failover::Phase;
use crate::replication::info as replication_info;
use crate::replication::state::BACKLOG_BYTES_MIN;
use crate::resp::reply::Reply;
use crate::server::client_memory::limit_bytes;
use crate::server::migrate::Migrations;
use crate::server::shared::{Shared, tracking_keys_max};
use crate::server::{failover, info, listen, log as server_log};
use crate::session::Session;
use crate::session::client::Client;
use crate::session::roster::Roster;
use crate::watching::{Latency, SlowLog};

pub struct ServerHost {
    shared: Arc<Shared>,
}

impl ServerHost {
    pub fn new(shared: Arc<Shared>) -> ServerHost {
        ServerHost { shared }
    }

    fn describe(&self, session: &Session) -> String {
        let client = &session.client;
        format!("id={} addr={} laddr={} fd={}", client.id, client.addr, client.laddr, client.fd)
    }

    /// Makes the running server follow a change of the configuration.
    fn apply(&self, new: &Config, old: &Config, changed: &[&'static str]) -> Result<(), String> {
        for name in changed {
            match *name {
                "port" | "bind" | "unixsocket" => {
                    let Some(acceptor) = self.shared.acceptor.get() else { continue };
                    let (new, old) = (new.clone(), old.clone());
                    acceptor.reopen(Box::new(move || listen(&new)), Box::new(move || listen(&old))).map_err(
                        |cause| {
                            log::warn!("{cause}");
                            let text = match *name {
                                "bind" => "Failed to bind to specified addresses.",
                                _ => "Unable to listen on this port. Check server logs.",
                            };
                            text.to_string()
                        },
                    )?;
                }
                "loglevel" | "logfile" => server_log::configure(new),
                "dir" => {
                    std::env::set_current_dir(&new.dir).map_err(|cause| cause.to_string())?;
                }
                "min-replicas-to-write" | "min-replicas-max-lag" => {
                    let primary = &self.shared.replication().primary;
                    primary.count_good(new.min_replicas_max_lag, UnixMs(clock::now_ms()));
                }
                "tracking-table-max-keys" => self.shared.engine.tracking.limit(tracking_keys_max(new)),
                "repl-backlog-size" => {
                    if let Some(backlog) = self.shared.engine.backlog() {
                        backlog.set_retain(new.repl_backlog_size.max(BACKLOG_BYTES_MIN));
                    }
                }
                _ => {}
            }
        }
        if new.maxclients > old.maxclients
            && crate::server::process::raise_open_files(new.maxclients) < new.maxclients
        {
            return Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {}",
                old.maxclients
            ));
        }
        apply_admission(&self.shared.admission, new);
        Ok(())
    }
}

fn reload_failure(error: ReloadError) -> Failure {
    match error {
        // The cause is in the log, as with Redis.
        ReloadError::Save(_) => Failure::text("ERR"),
        ReloadError::Busy => Failure::LOADING,
        ReloadError::Load(_) | ReloadError::Missing => {
            log::warn!("DEBUG RELOAD: {error}");
            Failure::text("ERR Error trying to load the RDB dump, check server logs.")
        }
    }
}

/// Tells the acceptor's rules what the configuration says.
pub(super) fn apply_admission(admission: &Admission, config: &Config) {
    admission.set_max_clients(config.maxclients as usize);
    admission.set_keepalive_seconds(config.tcp_keepalive);
    admission.set_local_only(config.protected_mode && config.requirepass.is_none());
}

impl Host for ServerHost {
    fn config(&self) -> &Live {
        &self.shared.engine.config
    }

    fn keyspace(&self) -> Arc<Keyspace> {
        self.shared.engine.keyspace()
    }

    fn watches(&self) -> &WatchTable {
        &self.shared.engine.watches
    }

    fn roster(&self) -> &Roster {
        &self.shared.engine.roster
    }

    fn slow_log(&self) -> &SlowLog {
        &self.shared.engine.slow_log
    }

    fn latency(&self) -> &Latency {
        &self.shared.engine.latency
    }

    fn durations(&self, command: CommandId) -> Distribution {
        self.shared.engine.statistics.durations(command)
    }

    fn pubsub(&self) -> &Registry {
        &self.shared.engine.pubsub
    }

    fn tracking(&self) -> &tracking::Table {
        &self.shared.engine.tracking
    }

    fn pause(&self, pause: Option<Pause>) {
        self.shared.engine.pause(pause, UnixMs(clock::now_ms()));
        self.shared.wake_workers();
        self.shared.links().wake();
    }

    fn stamp(&self) -> Stamp {
        self.shared.engine.stamp()
    }

    fn replace_keyspace(&self, keyspace: Keyspace) {
        self.shared.engine.replace_keyspace(Arc::new(keyspace));
    }

    fn discard(&self, keyspace: Arc<Keyspace>, waiting: Option<&Arc<Client>>) -> bool {
        let gone = waiting.map(|client| {
            client.is_blocked.store(true, Relaxed);
            let (shared, client) = (self.shared.clone(), client.clone());
            Gone::new(move || {
                shared.answer(&client, Answer { reply: b"+OK\r\n".to_vec(), ..Answer::default() })
            })
        });
        self.shared.discard(keyspace, gone);
        waiting.is_some()
    }

    fn set_config(&self, asker: Asker, pairs: &[(&[u8], &[u8])]) -> Result<(), Failure> {
        let result =
            self.config().set_by(asker, pairs, &mut |new, old, changed| self.apply(new, old, changed));
        self.shared.engine.bump();
        result.map_err(|error| {
            let code = if error == SetError::Loading { "LOADING" } else { "ERR" };
            Failure::new(format!("{code} {error}"))
        })
    }

    fn client_relief(&self, now_ns: u64) -> Relief {
        let limit = limit_bytes(&self.shared.engine.config.load());
        self.shared.evict_clients(limit);
        let memory = &self.shared.client_memory;
        if memory.are_any_leaving() {
            Relief::UnderWay
        } else if limit > 0 && memory.total_bytes() > limit / 4 {
            Relief::Possible { idle_ns: memory.since_last_left_ns(now_ns) }
        } else {
            Relief::None
        }
    }

    fn reset_statistics(&self) {
        self.shared.reset_statistics();
        // Executors begin their histograms anew as they refresh their view.
        self.shared.engine.bump();
    }

    fn info(&self, sections: &[&[u8]], now: UnixMs) -> String {
        info::text(&self.shared, sections, now)
    }

    fn memory(&self) -> MemoryFigures {
        info::memory_figures(&self.shared, info::Counted::now())
    }

    fn stand_still(&self, work: &mut dyn FnMut()) {
        self.shared.engine.barrier.stop(None, work);
    }

    fn set_active_expiry(&self, on: bool) {
        self.shared.engine.expiry_off_until.store(if on { 0 } else { i64::MAX }, Relaxed);
    }

    fn pause_cron(&self, on: bool) {
        self.shared.is_cron_paused.store(on, Relaxed);
    }

    fn feed_replicas(&self, command: &[u8]) {
        let engine = &self.shared.engine;
        engine.barrier.stop(None, || {
            let backlog = engine.backlog().filter(|_| !engine.is_replica());
            if let Some(mut writer) = backlog.and_then(|backlog| backlog.writer()) {
                writer.append(None, &[command]);
            }
        });
    }

    fn shutdown(&self, wish: Shutdown) {
        self.shared.ask_to_stop(wish, false);
    }

    fn abort_shutdown(&self) -> bool {
        self.shared.abort_shutdown()
    }

    fn reload(&self, saves_first: bool, client: &Arc<Client>, now: UnixMs) -> Result<Reloading, Failure> {
        let (engine, saver) = (self.shared.engine.clone(), self.shared.saver().clone());
        let work = move || reload(&engine, &saver, saves_first, now).map(drop).map_err(reload_failure);
        if self.shared.engine.barrier.stands_for_me() {
            return work().map(|()| Reloading::Done);
        }
        client.is_blocked.store(true, Relaxed);
        let (shared, waiting) = (self.shared.clone(), client.clone());
        let thread = std::thread::Builder::new().name("reload".into()).spawn(move || {
            let reply = match work() {
                Ok(()) => b"+OK\r\n".to_vec(),
                Err(failure) => format!("-{}\r\n", failure.0).into_bytes(),
            };
            shared.answer(&waiting, Answer { reply, ..Answer::default() });
        });
        match thread {
            Ok(_) => Ok(Reloading::UnderWay),
            Err(cause) => {
                client.is_blocked.store(false, Relaxed);
                Err(Failure::new(format!("ERR no thread can be had: {cause}")))
            }
        }
    }

    fn rename_history(&self) {
        self.shared.replication().rename_history();
    }

    fn is_replica(&self) -> bool {
        self.shared.engine.is_replica()
    }

    fn is_loading(&self) -> bool {
        self.shared.engine.loading.state() == LoadState::Blocking
    }

    fn kill(&self, client: &Client) {
        self.shared.kill(client);
    }

    fn kill_link(&self, address: &[u8]) -> usize {
        usize::from(self.shared.links().cut_if(address))
    }

    fn describe_link(&self) -> String {
        self.shared.links().describe(UnixMs(clock::now_ms()))
    }

    fn unwatch(&self, session: &mut Session) {
        transaction::unwatch(&self.shared.engine.watches, session);
    }

    fn admit_replica(&self, session: &Session, failover: Option<&[u8]>) -> Result<(), Failure> {
        if self.shared.replication().admit(failover)? {
            self.replicaof(None, session)?;
        }
        Ok(())
    }

    fn failover(&self, wish: FailoverWish) -> Result<(), Failure> {
        failover::begin(&self.shared, wish)
    }

    fn abort_failover(&self) -> bool {
        failover::abort(&self.shared, None, "Failover manually aborted")
    }

    fn replicaof(&self, primary: Option<(&str, u16)>, session: &Session) -> Result<Replicaof, Failure> {
        if self.shared.replication().failover.phase() != Phase::Idle {
            return Err(Failure::text("ERR REPLICAOF not allowed while failing over."));
        }
        let client = self.describe(session);
        match primary {
            None => {
                if self.shared.lead() {
                    ::log::info!("MASTER MODE enabled (user request from '{client}')");
                }
                Ok(Replicaof::Changed)
            }
            Some((host, port)) => match self.shared.follow(host, port) {
                Ok(true) => {
                    ::log::info!("REPLICAOF {host}:{port} enabled (user request from '{client}')");
                    Ok(Replicaof::Changed)
                }
                Ok(false) => {
                    ::log::info!(
                        "REPLICAOF would result into synchronization with the master we are already connected with. \
                         No operation performed."
                    );
                    Ok(Replicaof::AlreadyThere)
                }
                Err(cause) => {
                    Err(Failure::new(format!("ERR the link to the primary can't be started: {cause}")))
                }
            },
        }
    }

    fn wait(
        &self,
        session: &Session,
        replicas: i64,
        timeout_ms: i64,
        may_block: bool,
    ) -> Result<Option<i64>, Failure> {
        self.shared.replication().wait(session, replicas, timeout_ms, may_block, UnixMs(clock::now_ms()))
    }

    fn answer(&self, client: &Client, answer: Answer) {
        self.shared.answer(client, answer);
    }

    fn migrate(&self, migration: Migration) -> Result<(), Failure> {
        Migrations::start(&self.shared, migration)
    }

    fn unblock_client(&self, id: u64, how: Unblocking) -> bool {
        const ERROR: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
        let Some(waiter) = self.shared.engine.blocked.cancel_client(id) else {
            let is_error = how == Unblocking::Error;
            return self.shared.replication().end_wait(id, is_error.then_some(ERROR));
        };
        let answer = match how {
            Unblocking::TimeOut => waiter.timed_out(),
            Unblocking::Error => waiter.refused(ERROR, false),
        };
        self.shared.answer(&waiter.client, answer);
        true
    }

    fn write_role(&self, reply: &mut Reply) {
        replication_info::write_role(self.shared.replication(), reply);
    }

    fn save(&self, now: UnixMs) -> Result<(), Failure> {
        self.shared.saver().save(now).map_err(|refusal| match refusal {
            Refusal::InProgress => Failure::new(format!("ERR {refusal}")),
            // The cause is in the log, as with Redis.
            Refusal::Failed(_) => Failure::text("ERR"),
        })
    }

    fn bgsave(&self, schedule: bool, now: UnixMs) -> Result<Saving, Failure> {
        match self.shared.saver().bgsave(schedule, now) {
            Ok(BgSave::Started) => Ok(Saving::Started),
            Ok(BgSave::Scheduled) => Ok(Saving::Scheduled),
            Err(refusal @ Refusal::InProgress) => Err(Failure::new(format!("ERR {refusal}"))),
            Err(Refusal::Failed(_)) => Err(Failure::text("ERR")),
        }
    }

    fn abandon_save(&self) {
        self.shared.saver().cancel();
    }

    fn save_flushed(&self, now: UnixMs) -> bool {
        self.shared.saver().save_flushed(now)
    }

    fn last_save(&self) -> UnixMs {
        self.shared.saver().last_save()
    }
}
