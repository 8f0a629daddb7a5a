//! Wiring: who owns what, start order, shutdown.
//!
//! ```text
//!  boot: log -> directory -> daemon -> engine -> workers -> listeners -> signals -> data -> cron -> "Ready"
//!                                                `-- clients are answered: -LOADING, INFO, SHUTDOWN --'
//!  stop: replicas -> save -> links -> listeners -> cron -> workers -> replicas again -> senders
//! ```
//!
//! Called by `main` with a configuration that passed every check.
//! Always: a thread is started by `boot` and joined by it, and no command reaches a key before the data set is loaded.

pub mod blocked;
pub mod client_memory;
pub mod cron;
pub mod ending;
pub mod failover;
pub mod host;
pub mod info;
pub mod log;
pub mod meters;
pub mod migrate;
pub mod process;
pub mod shared;
pub mod worker;

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use ::log::{error, info, warn};
use crossbeam::channel::{Receiver, unbounded};

use crate::backlog::Offset;
use crate::base::clock;
use crate::base::huge_pages;
use crate::base::ids::{DbIndex, UnixMs};
use crate::commands::spec::host::Shutdown;
use crate::config::{Config, Live, Origin};
use crate::exec::engine::Engine;
use crate::exec::executor::Executor;
use crate::exec::loading::LoadState;
use crate::net::acceptor::Acceptor;
use crate::net::admission::Admission;
use crate::net::event_loop::{EventLoop, Seat};
use crate::net::listener::{ListenError, Listener, listen_tcp, listen_unix};
use crate::persist::rdb::{Expired, LoadError, Saver, load_current};
use crate::replication::replica::Links;
use crate::replication::{ReplId, Replication};
use crate::server::cron::Cron;
use crate::server::host::ServerHost;
use crate::server::shared::{Shared, Stop};
use crate::server::worker::{Message, Worker};
use crate::session::client::Client;

/// Keys whose end is told to replicas between two looks at the barrier.
const DROPPED_PER_BATCH: usize = 128;

/// Runs the server until it is told to stop.
pub fn boot(mut config: Config, origin: Origin) -> ExitCode {
    log::configure(&config);
    if let Err(cause) = std::env::set_current_dir(&config.dir) {
        eprintln!("Can't chdir to '{}': {cause}", config.dir.display());
        return ExitCode::FAILURE;
    }
    if config.daemonize
        && let Err(cause) = process::daemonize()
    {
        eprintln!("Can't become a daemon: {cause}");
        return ExitCode::FAILURE;
    }
    greet(&config, &origin);
    if config.disable_thp
        && let Err(error) = huge_pages::allow(false)
    {
        warn!("Cannot disable transparent huge pages: {error}");
    }
    config.maxclients = process::raise_open_files(config.maxclients);
    if let Some(path) = process::pid_file(&config) {
        process::write_pid_file(path);
    }
    match serve(config, origin) {
        Ok(code) => code,
        Err(message) => {
            warn!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn greet(config: &Config, origin: &Origin) {
    info!("oO0OoO0OoO0Oo Starling is starting oO0OoO0OoO0Oo");
    info!(
        "Starling {}, bits=64, workers={}, Port: {}, PID: {}",
        env!("CARGO_PKG_VERSION"),
        config.threads,
        config.port,
        std::process::id()
    );
    if !origin.ignored.is_empty() {
        warn!("Set without effect: {} (docs/configuration.md says why)", origin.ignored.join(", "));
    }
}

/// All listening sockets that the configuration asks for.
pub(crate) fn listen(config: &Config) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = listen_tcp(&config.bind, config.port, config.tcp_backlog)?;
    if let Some(path) = &config.unixsocket {
        listeners.push(listen_unix(path, Some(config.unixsocketperm), config.tcp_backlog)?);
    }
    Ok(listeners)
}

fn serve(config: Config, origin: Origin) -> Result<ExitCode, String> {
    let listeners = listen(&config)
        .map_err(|cause| format!("Failed listening on port {}: {cause}, aborting.", config.port))?;
    if listeners.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    let threads = config.threads;
    let admission = Admission::new(config.maxclients as usize);
    host::apply_admission(&admission, &config);
    let engine = Arc::new(Engine::new(Arc::new(Live::new(config, origin)), UnixMs(clock::now_ms())));

    let seats: Vec<Seat<Message>> =
        (0..threads).map(|_| Seat::new()).collect::<Result<_, _>>().map_err(|cause| cause.to_string())?;
    let handles: Vec<_> = seats.iter().map(Seat::handle).collect();
    let posts = seats.iter().map(Seat::post).collect();
    let (stop, stopped) = unbounded();
    let shared = Arc::new(Shared::new(engine.clone(), admission.clone(), handles.clone(), posts, stop));
    let for_unblock = Arc::downgrade(&shared);
    let replication = Replication::new(
        engine.clone(),
        Arc::new(move |client: &Client, reply| {
            if let Some(shared) = for_unblock.upgrade() {
                shared.unblock(client.id, reply);
            }
        }),
    );
    assert!(shared.replication.set(replication.clone()).is_ok(), "set once, here");
    assert!(shared.links.set(Links::new(replication.clone())).is_ok(), "set once, here");
    let saver = Saver::new(engine.clone(), replication.snapshots().clone(), engine.started);
    assert!(shared.saver.set(saver.clone()).is_ok(), "set once, here");
    engine.set_host(Arc::new(ServerHost::new(shared.clone())));
    assert!(engine.begin_loading(LoadState::Blocking, 0, engine.started), "nobody else loads yet");
    replication.start().map_err(|cause| format!("Can't start the replication threads: {cause}"))?;

    let workers =
        start_workers(&shared, seats).map_err(|cause| format!("Can't start the workers: {cause}"))?;
    let acceptor = Acceptor::new(listeners, handles.clone(), admission)
        .map_err(|cause| format!("Can't accept connections: {cause}"))?;
    let acceptor_handle = acceptor.handle();
    // Set once, here; a second boot in one process does not exist.
    let _ = shared.acceptor.set(acceptor_handle.clone());
    let accepting = spawn("acceptor", move || acceptor.run())?;
    // The link waits until our own data set is there; its place in the stream may be.
    if let Some(primary) = engine.config.load().replicaof.clone() {
        shared
            .follow(&primary.host, primary.port)
            .map_err(|cause| format!("Can't start the link to the primary: {cause}"))?;
    }
    let for_signals = shared.clone();
    process::watch_signals(move || for_signals.ask_to_stop(Shutdown::default(), true))
        .map_err(|cause| format!("Can't watch for signals: {cause}"))?;
    let is_loaded = load_at_start(&shared, &saver, &replication, &stopped)
        .map_err(|cause| format!("Fatal error loading the DB: {cause}. Exiting."))?;
    let (mut code, mut until, mut cron) = (ExitCode::SUCCESS, Instant::now(), None);
    if is_loaded {
        engine.end_loading();
        cron = Some(Cron::start(shared.clone()).map_err(|cause| format!("Can't start cron: {cause}"))?);
        info!("Ready to accept connections");
        (code, until) = wait(&shared, &stopped);
    }
    shared.links().stop();
    acceptor_handle.stop();
    join("acceptor", accepting);
    if let Some(cron) = cron {
        cron.stop();
    }
    handles.iter().for_each(|worker| worker.stop());
    workers.into_iter().for_each(|worker| join("worker", worker));
    // Nobody writes any more: what was acknowledged to clients reaches the replicas.
    shared.drain(until);
    replication.stop();
    process::remove_pid_file(&engine.config.load());
    warn!("Starling is now ready to exit, bye bye...");
    Ok(code)
}

/// Loads the data set, and takes up the replication history where it was saved. False if the server is to stop instead.
fn load_at_start(
    shared: &Shared,
    saver: &Saver,
    replication: &Replication,
    stopped: &Receiver<Stop>,
) -> Result<bool, LoadError> {
    let (engine, now) = (&shared.engine, UnixMs(clock::now_ms()));
    let is_replica = engine.config.load().replicaof.is_some();
    let expired = if is_replica { Expired::Keep } else { Expired::Report };
    let is_stopped = Cell::new(false);
    let is_wanted = || {
        if !is_stopped.get()
            && let Ok(stop) = stopped.try_recv()
            && shared.ending.settle(stop.attempt)
        {
            warn!("Received shutdown signal during loading, exiting now.");
            is_stopped.set(true);
        }
        !is_stopped.get()
    };
    let report = match load_current(engine, saver, expired, now, &is_wanted) {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(true),
        Err(LoadError::Cancelled) => return Ok(false),
        Err(error) => return Err(error),
    };
    let id = report.replid.as_deref().and_then(|id| ReplId::parse(id.as_bytes()));
    if let (Some(id), Some(offset)) = (id, report.offset) {
        if is_replica {
            replication.restore_as_replica(id, Offset(offset), report.stream_db);
        } else {
            replication.restore_as_primary(id, Offset(offset), now);
            tell_dropped(engine, &report.dropped);
        }
    }
    Ok(true)
}

/// Replicas that resume hold the keys that were dropped because their deadline had passed: they get a DEL for each.
fn tell_dropped(engine: &Arc<Engine>, dropped: &[(DbIndex, Vec<u8>)]) {
    if dropped.is_empty() {
        return;
    }
    let mut executor = Executor::new(engine.clone());
    executor.unpark();
    for some in dropped.chunks(DROPPED_PER_BATCH) {
        executor.begin_batch();
        some.iter().for_each(|key| executor.tell_dropped(key));
        executor.end_batch();
        executor.checkpoint();
    }
    executor.park();
}

/// Blocks until the server may stop. Says also until when replicas may be waited for.
fn wait(shared: &Shared, stopped: &Receiver<Stop>) -> (ExitCode, Instant) {
    while let Ok(stop) = stopped.recv() {
        if let Some(until) = shared.try_to_stop(&stop) {
            return (ExitCode::SUCCESS, until);
        }
    }
    (ExitCode::FAILURE, Instant::now())
}

fn start_workers(
    shared: &Arc<Shared>,
    seats: Vec<Seat<Message>>,
) -> std::io::Result<Vec<JoinHandle<std::io::Result<()>>>> {
    let start = |(index, seat): (usize, Seat<Message>)| {
        let shared = shared.clone();
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let worker = Worker::new(index, shared);
            EventLoop::new(seat, worker).run().map(drop)
        })
    };
    seats.into_iter().enumerate().map(start).collect()
}

fn spawn(
    name: &str,
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> Result<JoinHandle<std::io::Result<()>>, String> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|cause| format!("Can't start the {name} thread: {cause}"))
}

fn join(name: &str, thread: JoinHandle<std::io::Result<()>>) {
    match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => error!("a thread ({name}) ended with {cause}"),
        Err(_) => error!("a thread ({name}) ended in a panic"),
    }
}
