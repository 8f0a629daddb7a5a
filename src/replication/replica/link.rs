//! The link: the thread that follows one primary until it is told not to.
//!
//! ```text
//!            +------------------ a second later, or more (see `retry`) ------------------+
//!            v                                                                      |
//!   Connect -> Connecting -> Handshake --+CONTINUE----------> Connected --lost--+   | any failure
//!            ^                    \--+FULLRESYNC-> Transfer ----^               |   |
//!            +----------------------------- at once --------------------------- +   +
//! ```
//!
//! Made by `Links`, one for each REPLICAOF. Always: the thread holds its place at the barrier only while it applies; it is
//! parked while it connects, loads and waits. Our place in the primary's history outlives every connection.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use mio::Poll;

use crate::backlog::Offset;
use crate::base::clock;
use crate::base::ids::UnixMs;
use crate::base::random::new_id;
use crate::commands::spec::effect::encode;
use crate::exec::engine::Engine;
use crate::replication::failover::Phase;
use crate::replication::identity::ReplId;
use crate::replication::replica::apply::{Applier, ApplyError};
use crate::replication::replica::control::{Control, Peer};
use crate::replication::replica::full_sync::{FullSync, Origin, SyncError};
use crate::replication::replica::handshake::{self, Agreed, Introduction, Refusal};
use crate::replication::replica::retry::{RETRY_AFTER, Retry};
use crate::replication::replica::wire::{self, Lost, Wire};
use crate::replication::role::{LinkState, LinkStatus};
use crate::replication::state::Replication;

/// While our own data set is being loaded, the link looks this often whether it is there.
const LOADED_LOOK: Duration = Duration::from_millis(5);
/// Between two acknowledgements.
const ACK_EVERY: Duration = Duration::from_secs(1);

/// While clients are paused the stream is read up to here; what is more stays with the primary.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// When to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    AtOnce,
    Later,
    /// A full sync came to nothing: later each time.
    BackOff,
    Never,
}

/// What the thread owns beside its poll.
pub struct Link {
    control: Arc<Control>,
    status: Arc<LinkStatus>,
    replication: Arc<Replication>,
    applier: Applier,
    retry: Retry,
    /// The primary understands acknowledgements.
    has_acks: bool,
}

impl Link {
    pub fn new(
        control: Arc<Control>,
        status: Arc<LinkStatus>,
        replication: Arc<Replication>,
        applier: Applier,
    ) -> Link {
        Link { control, status, replication, applier, retry: Retry::default(), has_acks: true }
    }

    /// Until nobody wants it any more.
    pub fn run(mut self, mut poll: Poll) {
        while self.control.is_wanted() {
            // A server that stands still does not connect either.
            self.applier.executor.unpark();
            self.await_data_set();
            self.applier.executor.park();
            match self.attempt(&mut poll) {
                Again::AtOnce => {}
                Again::Later => self.pause(&mut poll, RETRY_AFTER),
                Again::BackOff => {
                    let wait = self.retry.useless();
                    log::warn!("The next attempt to synchronize follows in {} seconds.", wait.as_secs());
                    self.pause(&mut poll, wait);
                }
                Again::Never => break,
            }
            self.set_state(LinkState::Connect);
        }
    }

    /// Returns when no data set of our own is being loaded (start, DEBUG RELOAD): until then there is nothing to apply to.
    /// The executor runs when this is called and when it returns.
    fn await_data_set(&mut self) {
        while self.applier.executor.view().is_loading && self.control.is_wanted() {
            self.applier.executor.park();
            std::thread::sleep(LOADED_LOOK);
            self.applier.executor.unpark();
        }
    }

    fn engine(&self) -> &Arc<Engine> {
        self.replication.engine()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.engine().config.load().repl_timeout)
    }

    fn set_state(&self, state: LinkState) {
        self.status.set_state(state, UnixMs(clock::now_ms()));
    }

    fn pause(&self, poll: &mut Poll, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            match wire::wait(poll, &self.control, until) {
                // A cut of nothing.
                Ok(()) | Err(Lost::Cut) => {}
                Err(_) => return,
            }
        }
    }

    /// One connection, from the name to its end.
    fn attempt(&mut self, poll: &mut Poll) -> Again {
        let (host, port) = (self.status.host.clone(), self.status.port);
        log::info!("Connecting to MASTER {host}:{port}");
        self.set_state(LinkState::Connecting);
        let control = self.control.clone();
        // A cut that nobody has taken was meant for an earlier connection.
        control.take_cut();
        let config = self.engine().config.load().clone();
        let source = config.bind_source_addr.as_deref();
        let mut wire = match connect(poll, &control, (&host, port), source, self.patience()) {
            Ok(wire) => wire,
            Err(Lost::Unwanted) => return Again::Never,
            Err(Lost::Silent) => {
                log::warn!("Timeout connecting to the MASTER...");
                return Again::Later;
            }
            Err(lost) => {
                log::warn!("Error condition on socket for SYNC: {lost}");
                return Again::Later;
            }
        };
        log::info!("MASTER <-> REPLICA sync started");
        self.introduce_peer(&wire);
        match self.synchronize(&mut wire) {
            Ok(true) => {
                let since = Instant::now();
                let again = self.follow(&mut wire);
                self.retry.followed(since.elapsed(), again != Again::BackOff);
                again
            }
            Ok(false) => Again::Never,
            Err(again) => again,
        }
    }

    /// CLIENT LIST and CLIENT KILL know the connection from here on.
    fn introduce_peer(&self, wire: &Wire<'_>) {
        self.control.set_peer(Some(Peer {
            id: self.engine().roster.next_id(),
            address: wire.peer_address(),
            local_address: wire.local_address(),
            fd: wire.fd(),
            since: UnixMs(clock::now_ms()),
        }));
    }

    /// Handshake, and the snapshot if there is one: then the stream follows. False if this link is not wanted any more.
    fn synchronize(&mut self, wire: &mut Wire<'_>) -> Result<bool, Again> {
        self.set_state(LinkState::Handshake);
        let introduction = Introduction::of(&self.engine().config.load());
        let patience = self.patience();
        let position = (self.replication.identity().id, self.replication.offset());
        handshake::introduce(wire, &introduction, patience).map_err(|refusal| report_refusal(&refusal))?;
        // Then we were the primary of the one that we turn to, and ask it to take our place.
        let hands_over = self.replication.failover.phase() == Phase::InProgress;
        let agreed = handshake::synchronize(wire, position, hands_over, patience);
        if hands_over {
            self.replication.failover.report(agreed.is_ok());
        }
        let agreed = agreed.map_err(|refusal| report_refusal(&refusal))?;
        self.has_acks = agreed != Agreed::FullWithoutPsync;
        let origin = match agreed {
            Agreed::Continue { id } => {
                if let Some(id) = id {
                    self.adopt(id)?;
                }
                log::info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
                return Ok(true);
            }
            Agreed::Full { id, offset } => Origin { id, offset },
            // Nobody else knows this history, so nobody can ask to continue it.
            Agreed::FullWithoutPsync => Origin { id: ReplId::new(new_id()), offset: Offset(0) },
        };
        self.set_state(LinkState::Transfer);
        let sync =
            FullSync { wire, control: &self.control, status: &self.status, replication: &self.replication };
        sync.run(origin).map_err(|error| report_sync_error(&error))
    }

    /// The primary's history has another name now.
    fn adopt(&self, id: ReplId) -> Result<(), Again> {
        if self.replication.identity().id == id {
            return Ok(());
        }
        self.while_wanted(|link| link.replication.adopt_id(id))
    }

    /// Changes something while the world stands still.
    fn while_wanted(&self, change: impl FnOnce(&Link)) -> Result<(), Again> {
        self.engine().barrier.stop(None, || {
            if !self.control.is_wanted() {
                return Err(Again::Never);
            }
            change(self);
            Ok(())
        })
    }

    /// Follows the stream to its end.
    fn follow(&mut self, wire: &mut Wire<'_>) -> Again {
        if let Err(again) = self.while_wanted(|link| {
            link.set_state(LinkState::Connected);
            link.status.last_io.store(clock::now_ms(), Relaxed);
            link.engine().set_link_down(false);
        }) {
            return again;
        }
        self.applier.executor.unpark();
        self.applier.begin();
        self.publish_offsets(wire);
        let ended = if self.control.is_wanted() { self.stream(wire) } else { Ended::Unwanted };
        self.applier.executor.park();
        let again = self.report_end(ended);
        if again == Again::Never {
            return again;
        }
        log::info!("Caching the disconnected master state.");
        let noted = self.while_wanted(|link| {
            link.set_state(LinkState::Connect);
            link.engine().set_link_down(true);
            if again == Again::BackOff {
                link.leave_history();
            }
        });
        noted.map_or_else(|never| never, |()| again)
    }

    /// What cannot be applied may be half applied: our data set is then that of no place in the primary's history. It gets
    /// a history of its own, so that nobody continues there, and only a full sync leads back.
    fn leave_history(&self) {
        let db = self.engine().backlog().and_then(|backlog| backlog.current_db());
        self.replication.restart_history(ReplId::new(new_id()), self.replication.offset(), db);
    }

    fn report_end(&mut self, ended: Ended) -> Again {
        match ended {
            Ended::Unwanted => Again::Never,
            Ended::Lost(Lost::Silent) => {
                log::warn!("MASTER timeout: no data nor PING received...");
                Again::AtOnce
            }
            Ended::Lost(lost) => {
                log::warn!("Connection with master lost ({lost}).");
                Again::AtOnce
            }
            Ended::Unapplicable(error) => {
                log::error!(
                    "The stream of the master can't be applied at offset {}: {error}. Dropping the link; a full \
                     resynchronization follows.",
                    self.applier.offset()
                );
                Again::BackOff
            }
        }
    }

    /// Reads and applies, acknowledges each second. The executor runs when this is called and when it returns.
    fn stream(&mut self, wire: &mut Wire<'_>) -> Ended {
        let mut ack_at = Instant::now();
        loop {
            match self.apply_buffered(wire) {
                Ok(()) => {}
                Err(ended) => return ended,
            }
            if self.has_acks && Instant::now() >= ack_at {
                ack_at = Instant::now() + ACK_EVERY;
                if let Err(lost) = wire.send_if_room(&acknowledgement(self.applier.offset())) {
                    return Ended::Lost(lost);
                }
            }
            self.applier.executor.park();
            let read = self.await_bytes(wire, ack_at);
            self.applier.executor.unpark();
            // Whoever stops us does so while the world stands still, and we have just been let go on.
            if !self.control.is_wanted() {
                return Ended::Unwanted;
            }
            if let Err(lost) = read {
                return Ended::Lost(lost);
            }
        }
    }

    /// Reads once if there is something; else waits until there may be, or an acknowledgement is due.
    fn await_bytes(&self, wire: &mut Wire<'_>, ack_at: Instant) -> Result<(), Lost> {
        let held_for = self.held_for();
        // Then it is we who are silent.
        let is_full = held_for.is_some() && wire.buffered().len() >= HELD_BYTES_MAX;
        if !is_full && wire.read()? > 0 {
            self.status.last_io.store(clock::now_ms(), Relaxed);
            return Ok(());
        }
        let (now, silent_at) = (Instant::now(), wire.last_io + self.patience());
        if !is_full && now >= silent_at {
            return Err(Lost::Silent);
        }
        // Without acknowledgements nothing is due, but the timeout may be changed meanwhile.
        let next = if self.has_acks { ack_at } else { now + ACK_EVERY };
        let next = held_for.map_or(next, |rest| next.min(now + rest));
        wire.wait(if is_full { next } else { next.min(silent_at) })
    }

    /// While clients are paused the data set stands still, for our primary as well: how much longer, or a second of it.
    fn held_for(&self) -> Option<Duration> {
        let now = UnixMs(clock::now_ms());
        let pause = self.applier.executor.view().pause.filter(|pause| pause.is_on(now))?;
        let rest_ms = u64::try_from(pause.until.0.saturating_sub(now.0)).unwrap_or(0);
        Some(Duration::from_millis(rest_ms).min(ACK_EVERY))
    }

    /// Applies all complete commands that have come, unless they are held back.
    fn apply_buffered(&mut self, wire: &mut Wire<'_>) -> Result<(), Ended> {
        self.publish_offsets(wire);
        while !wire.buffered().is_empty() && self.held_for().is_none() {
            self.await_data_set();
            let fed = match self.applier.feed(wire.buffered()) {
                Ok(fed) => fed,
                Err(ApplyError::Unwanted) => return Err(Ended::Unwanted),
                Err(error) => return Err(Ended::Unapplicable(error)),
            };
            wire.consume(fed.consumed);
            self.publish_offsets(wire);
            for offset in &fed.asked_at {
                wire.send_if_room(&acknowledgement(*offset)).map_err(Ended::Lost)?;
            }
            if fed.consumed == 0 {
                break;
            }
            self.applier.executor.checkpoint();
            if !self.control.is_wanted() {
                return Err(Ended::Unwanted);
            }
        }
        Ok(())
    }

    fn publish_offsets(&self, wire: &Wire<'_>) {
        let applied = i64::try_from(self.applier.offset()).unwrap_or(i64::MAX);
        self.status.applied_offset.store(applied, Relaxed);
        let unread = i64::try_from(wire.buffered().len() + self.applier.held_bytes()).unwrap_or(i64::MAX);
        self.status.read_offset.store(applied.saturating_add(unread), Relaxed);
    }
}

/// Why a stream ended.
enum Ended {
    Unwanted,
    Lost(Lost),
    Unapplicable(ApplyError),
}

fn acknowledgement(offset: u64) -> Vec<u8> {
    let mut digits = itoa::Buffer::new();
    let mut bytes = Vec::with_capacity(64);
    encode(&mut bytes, 3, [b"REPLCONF".as_slice(), b"ACK", digits.format(offset).as_bytes()].into_iter());
    bytes
}

/// Tries every address of the name.
fn connect<'l>(
    poll: &'l mut Poll,
    control: &'l Control,
    (host, port): (&str, u16),
    source: Option<&str>,
    patience: Duration,
) -> Result<Wire<'l>, Lost> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    // A name that says nothing is no reason not to connect, as in Redis.
    let from: Vec<IpAddr> = source
        .and_then(|source| (source, 0).to_socket_addrs().ok())
        .map(|found| found.map(|address| address.ip()).collect())
        .unwrap_or_default();
    if !control.is_wanted() {
        return Err(Lost::Unwanted);
    }
    let socket = Wire::connect_any(poll, control, &addresses, &from, patience)?;
    Ok(Wire::new(poll, control, socket))
}

fn report_refusal(refusal: &Refusal) -> Again {
    match refusal {
        Refusal::Lost(Lost::Unwanted) => return Again::Never,
        Refusal::Lost(lost) => {
            log::warn!("Failed to read response from the server: {lost}");
            log::warn!("Master did not respond to command during SYNC handshake");
        }
        Refusal::Refused(text) => log::warn!("{text}"),
        Refusal::NotYet(text) => log::info!("{text}"),
    }
    Again::Later
}

fn report_sync_error(error: &SyncError) -> Again {
    match error {
        SyncError::Lost(Lost::Unwanted) => return Again::Never,
        SyncError::Lost(Lost::Silent) => log::warn!(
            "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' \
             parameter in redis.conf to a larger value."
        ),
        SyncError::Lost(lost) => log::warn!("I/O error trying to sync with MASTER: {lost}"),
        SyncError::Aborted(reason) => log::warn!("MASTER aborted replication with an error: {reason}"),
        SyncError::BadHeader(line) => log::warn!(
            "Bad protocol from MASTER, the first byte is not '$' (we received '{line}'), are you sure the host and \
             port are right?"
        ),
        SyncError::Load(error) => {
            log::error!(
                "Failed trying to load the MASTER synchronization DB from socket: {error}. The present data are kept."
            );
            return Again::BackOff;
        }
        SyncError::BadEnd(reason) => {
            log::error!("{reason}. The present data are kept.");
            return Again::BackOff;
        }
    }
    Again::Later
}
