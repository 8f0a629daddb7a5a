//! Snapshots: who waits for one, and the walk that is under way.
//!
//! ```text
//!            enlist                 start: the cut                    last shard visited, or failed
//!   (idle) ---------> waiting ----------------------> walking ------------------------------------> (idle)
//!                        ^                               |
//!                        `---- enlist while it walks ----'   (served by the next start)
//! ```
//!
//! Shared by `persist::rdb` (a file waits) and `replication::primary` (replicas wait). Whoever starts a walk starts it for
//! everybody who waits, so a BGSAVE and any number of replicas share one.
//! Always: at most one walk at a time, for entries carry one stamp; no lock of this file is held while the world is
//! being stopped.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::ids::UnixMs;
use crate::codec::rdb::Dialect;
use crate::keyspace::eviction::Usage;
use crate::snapshot::SnapshotError;
use crate::snapshot::chunks::{Feed, Subscription, Terms, Wake};
use crate::snapshot::cut::{Cut, StreamPosition, World};
use crate::snapshot::pre_images::{BYTES_MAX, Handle, Store};
use crate::snapshot::walker::{Milestone, WalkOptions, WalkReport, Walker};

/// What a follower does with the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Following {
    /// Sends it to a replica and goes on with the stream from the cut's offset.
    Replica,
    /// Keeps it.
    File,
}

/// A wish to follow the next walk.
pub struct Request {
    pub following: Following,
    /// What it can load. Matters only if the data has more than any server can load.
    pub reads: Dialect,
    /// Bytes that this follower may fall behind the walk before it is cut off (`chunks::LAG_BYTES_MAX`).
    pub lag_bytes_max: u64,
    /// Called when there is something new after [`crate::snapshot::Piece::NotYet`]; `None` for followers that block.
    pub wake: Option<Wake>,
    /// Called at the cut, while the world stands still: a replica takes its place in the stream here. It must be quick,
    /// do no I/O, and take no lock that is held across a wait for the world.
    pub on_start: OnStart,
}

pub type OnStart = Box<dyn FnOnce(&Arc<Cut>, Subscription) + Send>;

/// A walk, to be run once, on a thread that may wait for followers.
pub type Walk = Box<dyn FnOnce() + Send>;

/// Names a request that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u64);

/// Why no walk was started.
#[derive(Debug)]
pub enum StartError {
    /// One is under way.
    Busy,
    NobodyWaits,
    /// The system has no thread for us.
    NoThread(std::io::Error),
}

/// Tells where the stream stands. Called at the cut; the argument says whether a replica follows, for whom a stream has
/// to be there from this moment on.
pub type Position = Box<dyn Fn(bool) -> Option<StreamPosition> + Send + Sync>;

enum Walking {
    No,
    /// The world is being stopped.
    Starting,
    Yes(Underway),
}

/// The walk that is under way.
#[derive(Clone)]
struct Underway {
    feed: Arc<Feed>,
    pre_images: Arc<Store>,
    for_file: bool,
    for_replicas: usize,
    keys: u64,
    milestone: Arc<Milestone>,
}

/// How far the walk that is under way has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkProgress {
    /// Keys at the cut.
    pub keys_total: u64,
    /// Those that the walker has taken.
    pub keys_walked: u64,
    /// Bytes of entries that changed before it came to them.
    pub captured_bytes: u64,
}

struct State {
    waiting: Vec<(Ticket, Request)>,
    walking: Walking,
    last: Option<Result<WalkReport, SnapshotError>>,
}

/// The registry. One per server.
pub struct Snapshots {
    world: Arc<dyn World>,
    position: Position,
    state: Mutex<State>,
    /// Source of tickets: any thread adds (Relaxed); publishes nothing.
    tickets: AtomicU64,
    pre_image_bytes_max: usize,
}

impl Snapshots {
    pub fn new(world: Arc<dyn World>, position: Position) -> Arc<Snapshots> {
        Snapshots::with_limit(world, position, BYTES_MAX)
    }

    /// With another limit for pre-images.
    pub fn with_limit(world: Arc<dyn World>, position: Position, bytes_max: usize) -> Arc<Snapshots> {
        let state = State { waiting: Vec::new(), walking: Walking::No, last: None };
        Arc::new(Snapshots {
            world,
            position,
            state: Mutex::new(state),
            tickets: AtomicU64::new(0),
            pre_image_bytes_max: bytes_max,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every section leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next walk, which somebody has to start.
    pub fn enlist(&self, request: Request) -> Ticket {
        let ticket = Ticket(self.tickets.fetch_add(1, Relaxed));
        self.state().waiting.push((ticket, request));
        ticket
    }

    /// Waits no longer; false if the walk has begun.
    pub fn withdraw(&self, ticket: Ticket) -> bool {
        let mut state = self.state();
        let before = state.waiting.len();
        state.waiting.retain(|(waiting, _)| *waiting != ticket);
        state.waiting.len() != before
    }

    /// How many wait for the next walk.
    pub fn waiting(&self, following: Following) -> usize {
        self.state().waiting.iter().filter(|(_, request)| request.following == following).count()
    }

    pub fn is_walking(&self) -> bool {
        !matches!(self.state().walking, Walking::No)
    }

    /// Does the walk that is under way feed a file? (Followers may still be writing when it is over.)
    pub fn is_walking_for_file(&self) -> bool {
        matches!(&self.state().walking, Walking::Yes(underway) if underway.for_file)
    }

    /// How many replicas the walk that is under way feeds.
    pub fn replicas_fed(&self) -> usize {
        match &self.state().walking {
            Walking::Yes(underway) => underway.for_replicas,
            Walking::No | Walking::Starting => 0,
        }
    }

    /// Does no replica get, or is about to get, the walk that is under way?
    pub fn is_free_of_replicas(&self) -> bool {
        match &self.state().walking {
            Walking::No => true,
            Walking::Starting => false,
            Walking::Yes(underway) => underway.for_replicas == 0,
        }
    }

    /// Memory that the walk under way holds: chunks and pre-images, in bytes.
    pub fn bytes_held(&self) -> u64 {
        let underway = match &self.state().walking {
            Walking::Yes(underway) => underway.clone(),
            Walking::No | Walking::Starting => return 0,
        };
        underway.feed.bytes_held() + underway.pre_images.bytes_held() as u64
    }

    /// How far the walk under way has come; `None` while there is none.
    pub fn progress(&self) -> Option<WalkProgress> {
        match &self.state().walking {
            Walking::Yes(underway) => Some(WalkProgress {
                keys_total: underway.keys,
                keys_walked: underway.milestone.keys(),
                captured_bytes: underway.pre_images.bytes_captured(),
            }),
            Walking::No | Walking::Starting => None,
        }
    }

    /// How the last walk ended; `None` before the first.
    pub fn last(&self) -> Option<Result<WalkReport, SnapshotError>> {
        self.state().last
    }

    /// Ends the walk that is under way: its followers get [`SnapshotError::Cancelled`].
    pub fn cancel(&self) {
        if let Walking::Yes(underway) = &self.state().walking {
            underway.feed.cancel();
        }
    }

    /// Takes the cut for everybody who waits, and starts the walk. Stops the world: the caller must not be inside a
    /// command that holds locks; it may be the one for whom the world stands still already.
    ///
    /// # Errors
    /// With any of them everybody waits on, but for `NoThread`, whose followers see [`SnapshotError::Panicked`].
    pub fn start(self: &Arc<Self>, options: WalkOptions, now: UnixMs) -> Result<Arc<Cut>, StartError> {
        self.start_on(options, now, |walk| {
            std::thread::Builder::new().name("walker".into()).spawn(walk).map(drop)
        })
    }

    /// The same, with the walk on a thread of the caller's choice.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_on(
        self: &Arc<Self>,
        options: WalkOptions,
        now: UnixMs,
        spawn: impl FnOnce(Walk) -> std::io::Result<()>,
    ) -> Result<Arc<Cut>, StartError> {
        let requests = {
            let mut state = self.state();
            if !matches!(state.walking, Walking::No) {
                return Err(StartError::Busy);
            }
            if state.waiting.is_empty() {
                return Err(StartError::NobodyWaits);
            }
            state.walking = Walking::Starting;
            std::mem::take(&mut state.waiting)
        };
        let Taken { cut, feed, pre_images, followers, left } = self.take_cut(requests, options.usage, now);
        let walker = Walker::new(cut.clone(), pre_images.clone(), feed.clone(), options);
        let count = |following| followers.iter().filter(|follower| **follower == following).count();
        let underway = Underway {
            feed: feed.clone(),
            pre_images: pre_images.clone(),
            for_file: count(Following::File) > 0,
            for_replicas: count(Following::Replica),
            keys: cut.keys(),
            milestone: walker.milestone(),
        };
        {
            let mut state = self.state();
            state.waiting.splice(0..0, left);
            state.walking = Walking::Yes(underway);
        }
        let ending =
            Ending { snapshots: self.clone(), feed, pre_images, result: Err(SnapshotError::Panicked) };
        let walk = spawn(Box::new(move || {
            let mut ending = ending;
            ending.result = walker.run(|| ending.snapshots.world.end_snapshot());
        }));
        walk.map(|()| cut).map_err(StartError::NoThread)
    }

    fn take_cut(&self, requests: Vec<(Ticket, Request)>, usage: Usage, now: UnixMs) -> Taken {
        let mut requests = Some(requests);
        let mut taken = None;
        self.world.stop(&mut || {
            let keyspace = self.world.keyspace();
            let requests = requests.take().unwrap_or_default();
            let (dialect, served, left) = choose(requests, keyspace.may_have_timed_elements());
            let followers: Vec<Following> = served.iter().map(|(_, request)| request.following).collect();
            let (mut terms, mut on_start) = (Vec::new(), Vec::new());
            for (_, request) in served {
                terms.push(Terms { lag_bytes_max: request.lag_bytes_max, wake: request.wake });
                on_start.push(request.on_start);
            }
            let (feed, subscriptions) = Feed::new(terms);
            let position = (self.position)(followers.contains(&Following::Replica));
            let pre_images = Store::new(&keyspace, dialect, usage, self.pre_image_bytes_max);
            let stamp = self.world.begin_snapshot(Box::new(Handle(pre_images.clone())));
            let sizes = Cut::sizes_of(&keyspace);
            let cut = Arc::new(Cut { position, keyspace, dialect, stamp, sizes, taken_at: now });
            for (on_start, subscription) in on_start.into_iter().zip(subscriptions) {
                on_start(&cut, subscription);
            }
            taken = Some(Taken { cut, feed, pre_images, followers, left });
        });
        taken.expect("the world runs what it was stopped for")
    }
}

type Waiting = Vec<(Ticket, Request)>;

/// A cut, and who is served by its walk.
struct Taken {
    cut: Arc<Cut>,
    feed: Arc<Feed>,
    pre_images: Arc<Store>,
    followers: Vec<Following>,
    /// They wait for the next walk.
    left: Waiting,
}

/// In which dialect to walk, for whom, and who has to wait for the next walk because he reads another. A file must lose
/// nothing, so it comes first.
fn choose(requests: Waiting, is_special: bool) -> (Dialect, Waiting, Waiting) {
    if !is_special {
        return (Dialect::Common, requests, Waiting::new());
    }
    let file = requests.iter().find(|(_, request)| request.following == Following::File);
    let dialect = file.or(requests.first()).map(|(_, request)| request.reads).unwrap_or_default();
    let (served, left) = requests.into_iter().partition(|(_, request)| request.reads == dialect);
    (dialect, served, left)
}

/// What has to happen however a walk ends, a panic and a thread that never started included.
struct Ending {
    snapshots: Arc<Snapshots>,
    feed: Arc<Feed>,
    pre_images: Arc<Store>,
    result: Result<WalkReport, SnapshotError>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.snapshots.world.end_snapshot();
        self.pre_images.close();
        let mut state = self.snapshots.state();
        state.walking = Walking::No;
        state.last = Some(self.result);
        drop(state);
        self.feed.finish(self.result.map(|_| ()));
    }
}
