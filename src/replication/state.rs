//! The replication state: our role, the name of our history, the backlog, and every way in which they change.
//!
//! ```text
//!   attach            a replica arrives: PSYNC decision, then a sender has it
//!   become_replica    REPLICAOF host port: the history goes on, somebody else writes it
//!   adopt_id          the link was told +CONTINUE under another name
//!   restart_history   the link loads another data set: new name, new offset, new backlog
//!   become_primary    REPLICAOF NO ONE: the history goes on under a new name
//!   free_backlog      nobody has followed for long
//! ```
//!
//! One per server, made by boot; the link and the host call. Always: identity, role and backlog change together, under the
//! state's mutex, while the world stands still; the mutex is never held while the world is being stopped.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, unbounded};

use crate::backlog::{Backlog, Offset, Reader};
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::random::new_id;
use crate::base::sync::lock;
use crate::commands::spec::Failure;
use crate::exec::engine::Engine;
use crate::replication::failover::{Failover, Phase};
use crate::replication::identity::{Identity, ReplId, psync_offset};
use crate::replication::primary::connection::Connection;
use crate::replication::primary::follower::{Follower, FollowerState};
use crate::replication::primary::incoming::Incoming;
use crate::replication::primary::psync::{Held, Reason, Verdict, decide};
use crate::replication::primary::sender::Order;
use crate::replication::primary::upkeep::{News, Upkeep};
use crate::replication::primary::wait::Unblock;
use crate::replication::primary::{Arrival, Primary};
use crate::replication::role::{LinkStatus, Role};
use crate::session::{Session, SyncRequest};
use crate::snapshot::snapshots::{Following, Request};
use crate::snapshot::{Cut, Snapshots, StreamPosition, Subscription};

/// Less is not kept, whatever `repl-backlog-size` says (as Redis).
pub const BACKLOG_BYTES_MIN: u64 = 16 * 1024;

/// How often a server that ends looks whether its replicas have everything.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// What changes together.
struct State {
    identity: Identity,
    role: Role,
    /// `master_repl_offset` while there is no backlog.
    offset: Offset,
}

/// Everything that is to be known about who follows whom.
pub struct Replication {
    engine: Arc<Engine>,
    state: Mutex<State>,
    pub primary: Arc<Primary>,
    pub failover: Failover,
    news: Receiver<News>,
    /// Ourselves, for the snapshot's call back at the cut.
    me: Weak<Replication>,
}

impl Replication {
    /// A primary without a past, with the snapshots of its data set. `unblock` answers clients in WAIT.
    pub fn new(engine: Arc<Engine>, unblock: Unblock) -> Arc<Replication> {
        let (post, news) = unbounded();
        let identity = Identity::new(ReplId::new(new_id()));
        let state = Mutex::new(State { identity, role: Role::Primary, offset: Offset(0) });
        Arc::new_cyclic(|me: &Weak<Replication>| {
            let at_cut = me.clone();
            let position = move |for_replicas| at_cut.upgrade()?.position(for_replicas);
            let snapshots = Snapshots::new(engine.clone(), Box::new(position));
            let primary = Arc::new(Primary::new(engine.clone(), snapshots, unblock, post));
            Replication { engine, state, primary, failover: Failover::default(), news, me: me.clone() }
        })
    }

    /// Starts the senders and the upkeep; once, before any command runs.
    ///
    /// # Errors
    /// The system has no threads or no events for us.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        self.primary.start_senders()?;
        let upkeep = Upkeep::new(self.clone(), self.news.clone());
        self.primary.spawn("replicas".into(), move || upkeep.run())
    }

    /// How many replicas have not acknowledged everything that was written until now. A replica has nobody to wait for.
    pub fn lagging(&self) -> usize {
        if self.engine.is_replica() { 0 } else { self.primary.followers.lagging(self.offset().0) }
    }

    /// Before a primary ends: gives its replicas the time until `until` to acknowledge what was written until now, if it `goes_on`
    /// wanting that, and puts no more PING into the stream. Says how many have not acknowledged. A second call puts no question into
    /// the stream either: what was saved in between must stay its end, and replicas acknowledge each second by themselves.
    pub fn drain(&self, until: Instant, goes_on: impl Fn() -> bool) -> usize {
        let (target, followers) = (self.offset().0, &self.primary.followers);
        let mut lagging = self.lagging();
        if lagging > 0 && Instant::now() < until {
            log::info!(
                "{lagging} of {} replicas lag behind: waiting for them before the end.",
                followers.len()
            );
            if !self.primary.is_silent.load(Relaxed) {
                self.primary.waits.request();
                self.primary.notify(News::Look);
            }
            while lagging > 0 && Instant::now() < until && goes_on() {
                std::thread::sleep(DRAIN_LOOK);
                lagging = followers.lagging(target);
            }
        }
        self.primary.is_silent.store(true, Relaxed);
        lagging
    }

    /// Logs which replicas have not acknowledged `target` at the end.
    pub fn report_lag(&self, target: Offset, now: UnixMs) {
        let (target, followers) = (target.0, self.primary.followers.list());
        if followers.is_empty() || self.engine.is_replica() {
            return;
        }
        let lags = |follower: &&Arc<Follower>| follower.acked() < target && !follower.is_old_protocol;
        for follower in followers.iter().filter(lags) {
            log::warn!(
                "Lagging replica {}: {} bytes behind, lag={}, state={}",
                follower.name(),
                target - follower.acked(),
                follower.lag_seconds(now),
                follower.state().word()
            );
        }
        let in_step = followers.len() - followers.iter().filter(lags).count();
        log::info!("{in_step} of {} replicas are in sync at the end.", followers.len());
    }

    /// Databases are to be freed: the upkeep's thread must not hold on to them.
    pub fn let_go(&self) {
        self.primary.notify(News::Look);
    }

    /// The end was called off.
    pub fn resume_upkeep(&self) {
        self.primary.is_silent.store(false, Relaxed);
    }

    /// Ends the threads; what they hold is sent as far as it goes at once, and closed.
    pub fn stop(&self) {
        self.primary.stop();
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The snapshots, which replicas and files share.
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        &self.primary.snapshots
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn identity(&self) -> Identity {
        self.state().identity
    }

    pub fn role(&self) -> Role {
        self.state().role.clone()
    }

    /// `master_repl_offset`.
    pub fn offset(&self) -> Offset {
        let state = self.state();
        self.offset_of(&state)
    }

    fn offset_of(&self, state: &State) -> Offset {
        self.engine.backlog().map_or(state.offset, |backlog| backlog.reserved())
    }

    /// What is kept of the stream for nobody in particular, in bytes.
    pub fn backlog_size(&self) -> u64 {
        self.engine.config.load().repl_backlog_size.max(BACKLOG_BYTES_MIN)
    }

    // -- those who follow us

    /// May a client become a replica now? `failover` is the name under which PSYNC FAILOVER asks us to take over; true
    /// then says that we shall, with `become_primary`, first.
    ///
    /// # Errors
    /// The refusals of Redis, which replicas know.
    pub fn admit(&self, failover: Option<&[u8]>) -> Result<bool, Failure> {
        let state = self.state();
        let Some(link) = state.role.link() else {
            return match failover {
                Some(_) => Err(Failure::text("ERR PSYNC FAILOVER can't be sent to a master.")),
                None if self.failover.phase() != Phase::Idle => {
                    Err(Failure::text("NOMASTERLINK Can't SYNC while failing over"))
                }
                None => Ok(false),
            };
        };
        if let Some(id) = failover {
            return match ReplId::parse(id) {
                Some(id) if id == state.identity.id => Ok(true),
                Some(_) | None => Err(Failure::text("ERR PSYNC FAILOVER replid must match my replid.")),
            };
        }
        if self.failover.phase() != Phase::Idle {
            return Err(Failure::text("NOMASTERLINK Can't SYNC while failing over"));
        }
        if !link.is_up() {
            return Err(Failure::text("NOMASTERLINK Can't SYNC while not connected with my master"));
        }
        Ok(false)
    }

    /// Makes a client a replica. Called by the worker that has let go of its socket.
    pub fn attach(&self, arrival: Arrival, now: UnixMs) {
        let Arrival { client, traits, request, socket, unparsed, unsent, ticket } = arrival;
        let sender = self.primary.deal();
        let follower = Arc::new(Follower::new(client, sender, &traits, &request, now));
        log::info!("Replica {} asks for synchronization", follower.name());
        let socket = self.prepare_socket(socket, &follower);
        let mut head = unsent;
        let is_full = {
            // Held until the sender has its order: a change of role that comes later then closes this connection as well.
            let state = self.state();
            let reader = self.resume(&state, &follower, &request);
            let is_full = reader.is_none();
            if !is_full {
                match traits.psync2 {
                    true => head.extend_from_slice(format!("+CONTINUE {}\r\n", state.identity.id).as_bytes()),
                    false => head.extend_from_slice(b"+CONTINUE\r\n"),
                }
                follower.set_online(now);
            }
            follower.client.is_replica.store(true, Relaxed);
            self.primary.followers.add(follower.clone());
            self.primary.count_good(self.engine.config.load().min_replicas_max_lag, now);
            let mut connection = Connection::new(follower.clone(), socket, head, reader, ticket, now);
            connection.incoming = Incoming::with_rest(unparsed);
            self.primary.tell(&follower, Order::Adopt(Box::new(connection)));
            is_full
        };
        if is_full {
            self.enlist(follower);
        }
    }

    fn prepare_socket(&self, socket: OwnedFd, follower: &Follower) -> TcpStream {
        let socket = TcpStream::from(socket);
        let no_delay = !self.engine.config.load().repl_disable_tcp_nodelay;
        // Fails on a unix socket, where nothing is delayed.
        if socket.set_nonblocking(true).is_err() || socket.set_nodelay(no_delay).is_err() {
            log::debug!("the socket of replica {} keeps its options", follower.name());
        }
        socket
    }

    /// The follower's place in the stream if it may go on where it was; None if it needs everything. Counts and logs.
    fn resume(&self, state: &State, follower: &Follower, request: &SyncRequest) -> Option<Reader> {
        let backlog = self.engine.backlog();
        let held =
            backlog.as_ref().map(|backlog| Held { first: backlog.first_offset(), end: backlog.published() });
        let (name, counters) = (follower.name(), &self.primary.counters);
        let reason = match (decide(request, &state.identity, held), backlog) {
            (Verdict::Continue(after), Some(backlog)) => match backlog.reader_at(after) {
                Ok(reader) => {
                    log::info!(
                        "Partial resynchronization request from {name} accepted. Sending {} bytes of backlog \
                         starting from offset {}.",
                        reader.lag_bytes(),
                        psync_offset(reader.position())
                    );
                    counters.partial_ok.fetch_add(1, Relaxed);
                    return Some(reader);
                }
                // It was trimmed between the two looks.
                Err(_) => Reason::NotHeld,
            },
            (Verdict::Continue(_), None) => Reason::NotHeld,
            (Verdict::Full(reason), _) => reason,
        };
        log::info!("{}", reason.text(&name, request, &state.identity));
        counters.full.fetch_add(1, Relaxed);
        counters.partial_err.fetch_add(u64::from(reason.is_refusal()), Relaxed);
        None
    }

    /// Queues a follower for the next snapshot.
    fn enlist(&self, follower: Arc<Follower>) {
        let limit = self.engine.config.load().client_output_buffer_limit.replica.hard_bytes;
        let wake = self.primary.inbox(follower.sender).filter(|_| follower.takes_mark).map(|inbox| {
            let inbox = inbox.clone();
            Arc::new(move || inbox.wake()) as Arc<dyn Fn() + Send + Sync>
        });
        let (me, for_cut) = (self.me.clone(), follower.clone());
        let ticket = self.snapshots().enlist(Request {
            following: Following::Replica,
            reads: follower.reads,
            lag_bytes_max: if limit == 0 { u64::MAX } else { limit.max(self.backlog_size()) },
            wake,
            on_start: Box::new(move |cut, subscription| {
                if let Some(replication) = me.upgrade() {
                    replication.begin_full_sync(for_cut, cut, subscription);
                }
            }),
        });
        *lock(&follower.ticket) = Some(ticket);
        if self.engine.config.load().repl_diskless_sync_delay > 0 && follower.takes_mark {
            log::info!("Delay next BGSAVE for diskless SYNC");
        }
        self.primary.notify(News::Look);
    }

    /// At the cut, while the world stands still: the follower takes its place in the stream.
    fn begin_full_sync(&self, follower: Arc<Follower>, cut: &Arc<Cut>, subscription: Subscription) {
        lock(&follower.ticket).take();
        follower.set_state(FollowerState::Loading);
        let id = follower.id();
        let place = cut.position.as_ref().zip(self.engine.backlog()).and_then(|(position, backlog)| {
            backlog.reader_at(Offset(position.offset)).ok().map(|reader| (position, reader))
        });
        let Some((position, reader)) = place else {
            log::error!(
                "The snapshot does not stand at the end of the stream: replica {} is closed",
                follower.name()
            );
            self.primary.tell(&follower, Order::Close { id });
            return;
        };
        let reply = match follower.is_old_protocol {
            true => String::new(),
            false => format!("+FULLRESYNC {} {}\r\n", position.replid, position.offset),
        };
        if follower.takes_mark {
            let order = Order::Feed { id, reply, mark: new_id(), subscription, reader };
            self.primary.tell(&follower, order);
        } else {
            self.primary.tell(&follower, Order::AwaitSpool { id, reply, reader });
            self.primary.notify(News::Spool { follower, subscription });
        }
    }

    /// Where the stream stands, for the cut of a snapshot. `for_replicas`: a stream has to be there from now on, and
    /// its next command says which database it is in. Called while the world stands still.
    pub fn position(&self, for_replicas: bool) -> Option<StreamPosition> {
        let mut state = self.state();
        if for_replicas && state.role.link().is_none() {
            self.ensure_backlog(&mut state, None);
            if let Some(backlog) = self.engine.backlog() {
                backlog.forget_db();
            }
        }
        let backlog = self.engine.backlog()?;
        let (offset, db) = backlog.reserved_and_db();
        Some(StreamPosition { replid: state.identity.id.to_string(), offset: offset.0, db })
    }

    /// A primary begins to keep its stream, in `ready` if that begins where the stream does. What was written before was kept by
    /// nobody, so the history is a new one.
    fn ensure_backlog(&self, state: &mut State, ready: Option<Arc<Backlog>>) {
        if self.engine.backlog().is_some() {
            return;
        }
        state.identity = Identity::new(ReplId::new(new_id()));
        let ready = ready.filter(|ready| ready.reserved() == state.offset);
        let backlog = ready.unwrap_or_else(|| Backlog::new(self.backlog_size(), state.offset, None));
        self.engine.replace_backlog(Some(backlog));
        log::info!(
            "Replication backlog created, my new replication IDs are '{}' and '{}'",
            state.identity.id,
            state.identity.second
        );
    }

    fn begin_backlog(&self, offset: Offset, db: Option<DbIndex>) {
        self.engine.replace_backlog(Some(Backlog::new(self.backlog_size(), offset, db)));
    }

    /// A replica waits: from now on the stream is kept.
    pub(super) fn prepare_backlog(&self) {
        if self.engine.backlog().is_none() {
            // Its memory is asked for while everybody works.
            let ready = Backlog::new(self.backlog_size(), self.state().offset, None);
            self.engine.barrier.stop(None, || self.ensure_backlog(&mut self.state(), Some(ready)));
        }
    }

    /// Frees a backlog that nobody needs; never a replica's. True if there was one.
    pub(super) fn free_backlog(&self) -> bool {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            let Some(backlog) = self.engine.backlog() else { return false };
            if state.role.link().is_some() || !self.primary.followers.is_empty() {
                return false;
            }
            // Later writes will not move the offset, so the old name must not stand for them.
            state.offset = backlog.reserved();
            state.identity = Identity::new(ReplId::new(new_id()));
            self.engine.replace_backlog(None);
            true
        })
    }

    /// WAIT: how many replicas have the client's last write, if that is enough or it must not block. None: it blocks,
    /// and gets its reply later.
    ///
    /// # Errors
    /// On a replica.
    pub fn wait(
        &self,
        session: &Session,
        replicas: i64,
        timeout_ms: i64,
        may_block: bool,
        now: UnixMs,
    ) -> Result<Option<i64>, Failure> {
        if self.state().role.link().is_some() {
            return Err(Failure::text(
                "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
                 configured to be writable (which is not the default) writes to replicas are just local and are not \
                 propagated.",
            ));
        }
        let (offset, followers) = (session.last_write_offset, &self.primary.followers);
        let have = followers.acknowledged(offset) as i64;
        if have >= replicas || !may_block {
            return Ok(Some(have));
        }
        let deadline = (timeout_ms > 0).then(|| UnixMs(now.0.saturating_add(timeout_ms)));
        session.client.is_blocked.store(true, Relaxed);
        let answer = self.primary.waits.enter(&session.client, offset, replicas, deadline, followers);
        match answer {
            Some(_) => session.client.is_blocked.store(false, Relaxed),
            None => self.primary.notify(News::Look),
        }
        Ok(answer)
    }

    /// Ends a client's WAIT before its time, with an error or as if the time were over. False if it is in none.
    pub fn end_wait(&self, client: u64, error: Option<&str>) -> bool {
        self.primary.waits.end(client, error, &self.primary.followers)
    }

    // -- whom we follow

    /// From now on `link` writes our history. Replicas stay for as long as it goes on.
    pub fn become_replica(&self, link: Arc<LinkStatus>) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            if self.engine.backlog().is_none() {
                // The name is kept: the new primary may be somebody whose history we know.
                self.begin_backlog(state.offset, None);
            }
            state.role = Role::Replica(link);
            self.engine.set_replica(true);
        });
        self.primary.waits.refuse_all();
        self.engine.end_all_waits();
    }

    /// From now on we write our history ourselves, under a new name. Replicas come back at once and learn it.
    pub fn become_primary(&self, now: UnixMs) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            if state.role.link().is_none() {
                return;
            }
            let offset = self.offset_of(&state);
            state.identity.shift(ReplId::new(new_id()), offset);
            state.role = Role::Primary;
            log::info!(
                "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
                state.identity.second,
                state.identity.second_offset,
                state.identity.id
            );
            self.engine.set_link_down(false);
            self.engine.set_replica(false);
            if let Some(backlog) = self.engine.backlog() {
                backlog.forget_db();
            }
            self.primary.followers.restart_loneliness(now);
            self.part();
        });
    }

    /// The primary goes on with our history under the name `id` (`+CONTINUE id`).
    pub fn adopt_id(&self, id: ReplId) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            if state.identity.id == id {
                return;
            }
            let offset = self.offset_of(&state);
            state.identity.shift(id, offset);
            log::info!("Master replication ID changed to {id}");
            self.part();
        });
    }

    /// The history has another name now: replicas lose their connections, before they get a byte that was written under it. While the
    /// world stands still.
    fn part(&self) {
        if let Some(backlog) = self.engine.backlog() {
            backlog.part();
        }
        self.primary.close_all();
    }

    /// Our history gets a name that nobody knows, and forgets its old one: no replica can continue. Those that are
    /// connected stay until they have to come back. (DEBUG CHANGE-REPL-ID.)
    pub fn rename_history(&self) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            state.identity = Identity::new(ReplId::new(new_id()));
            log::warn!("Replication ID changed to {} by DEBUG CHANGE-REPL-ID", state.identity.id);
        });
    }

    /// Another data set takes the place of ours: history `id` up to `offset`, in a stream whose database is `db`.
    /// Replicas are disconnected, for theirs is the old one. May be called inside `barrier.stop`, with the swap.
    pub fn restart_history(&self, id: ReplId, offset: Offset, db: Option<DbIndex>) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            state.identity = Identity::new(id);
            state.offset = offset;
            self.begin_backlog(offset, db);
            self.primary.close_all();
        });
    }

    /// At start, with a data set that was saved at `offset` of history `id`. A primary goes on under a new name, for it may
    /// have written after it saved; replicas of the old name continue up to `offset`.
    pub fn restore_as_primary(&self, id: ReplId, offset: Offset, now: UnixMs) {
        self.engine.barrier.stop(None, || {
            let mut state = self.state();
            state.identity = Identity::new(id);
            state.identity.shift(ReplId::new(new_id()), offset);
            state.offset = offset;
            self.begin_backlog(offset, None);
            self.primary.followers.restart_loneliness(now);
        });
    }

    /// At start of a replica, with a data set that was saved at `offset` of history `id`: the link asks to continue there.
    pub fn restore_as_replica(&self, id: ReplId, offset: Offset, db: Option<DbIndex>) {
        self.restart_history(id, offset, db);
    }
}
