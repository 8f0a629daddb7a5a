//! The replication backlog: one log of everything that changes the data, written by all cores, read by everybody
//! who follows. Workers (and the link to a primary) hold a [`Writer`]; replica senders and the append-only file
//! hold a [`Reader`]; PSYNC, INFO and the cut ask the [`Backlog`] itself.
//!
//! ```text
//!   worker 1 --Writer--\                             /--Reader-- sender of replicas a, b, c
//!   worker 2 --Writer---> [ segments | head ] -------+--Reader-- append-only file
//!   link -----Writer---/                             \--------- partial resync: first_offset .. published
//! ```
//!
//! Always: only a writer makes offsets. A reader sees only published bytes, and all of them. No reader ever makes
//! a writer wait. `head` moves by one compare-and-swap that also carries the SELECT which the write needs, so the
//! stream is in the right database between any two units.
//!
//! The files, bottom up: `offset` and `head` (the numbers), `storage` (the bytes), `kept` (what is in memory and
//! for whom), `ring` (the protocol), `wake`, `writer`, `reader`. `docs/concurrency.md` has every atomic.

mod head;
mod kept;
mod offset;
mod reader;
mod ring;
mod storage;
mod wake;
mod writer;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod random_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use offset::Offset;
pub use reader::{Reader, SLICES_MAX, Slices};
pub use wake::Sleeper;
pub use writer::{Reservation, Writer};

use crate::base::ids::DbIndex;
use head::Head;
use ring::Ring;
use storage::{SEGMENT_BYTES, SLOTS};
use wake::Sleepers;

/// Producers at one time. More: readers look at more slots. Fewer: fewer worker threads.
pub const WRITERS_MAX: usize = if cfg!(loom) { 3 } else { 256 };

/// Threads that sleep until something is appended: one bit of a word each.
pub const SLEEPERS_MAX: usize = 64;

/// The largest `repl-backlog-size` that has an effect (32 GiB): half of what the ring can address. The other
/// half is for what is reserved and not yet copied.
pub const RETAIN_BYTES_MAX: u64 = (SLOTS * SEGMENT_BYTES / 2) as u64;

/// What one reader can hold back (32 GiB) before it loses its place. The replica output limit bites far earlier;
/// this is for a configuration that has none.
pub const PINNED_BYTES_MAX: u64 = RETAIN_BYTES_MAX;

/// Why a place in the stream cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is older than what is retained.
    Trimmed,
    /// The stream has not come that far.
    Future,
    /// The reader held back more than [`PINNED_BYTES_MAX`] and lost its place.
    Overrun,
    /// The history goes on under another name ([`Backlog::part`]).
    Parted,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gone::Trimmed => "the offset is older than the backlog",
            Gone::Future => "the offset is beyond the end of the stream",
            Gone::Overrun => "the reader was too slow and lost its place",
            Gone::Parted => "the replication history goes on under another name",
        })
    }
}

impl std::error::Error for Gone {}

/// The log. Shared by `Arc`; all methods take `&self` and may be called from any thread.
pub struct Backlog {
    ring: Ring,
    sleepers: Sleepers,
}

impl Backlog {
    /// An empty log whose next byte comes right after `start` (`master_repl_offset` at that moment), in a stream
    /// whose database is `db`. `retain_bytes` is `repl-backlog-size`, at most [`RETAIN_BYTES_MAX`].
    pub fn new(retain_bytes: u64, start: Offset, db: Option<DbIndex>) -> Arc<Backlog> {
        Backlog::with_pin_limit(retain_bytes, start, db, PINNED_BYTES_MAX)
    }

    fn with_pin_limit(
        retain_bytes: u64,
        start: Offset,
        db: Option<DbIndex>,
        pinned_bytes_max: u64,
    ) -> Arc<Backlog> {
        let ring = Ring::new(retain_bytes, Head { offset: start, db }, pinned_bytes_max);
        Arc::new(Backlog { ring, sleepers: Sleepers::new() })
    }

    /// A producer's handle, one per thread; None if there are [`WRITERS_MAX`] already.
    pub fn writer(self: &Arc<Self>) -> Option<Writer> {
        let slot = self.ring.take_slot()?;
        Some(Writer::new(Arc::clone(self), slot))
    }

    /// Up to here every byte is in place: what readers may see. Looks at every producer's slot.
    pub fn published(&self) -> Offset {
        self.ring.view().published
    }

    /// The end of the stream, reserved bytes included. While nobody appends (at a cut) it is what Redis calls
    /// `master_repl_offset`, and the same as [`Backlog::published`].
    pub fn reserved(&self) -> Offset {
        self.ring.view().head.offset
    }

    /// The database that the stream is in; None if the next write says SELECT whatever it writes to.
    pub fn current_db(&self) -> Option<DbIndex> {
        self.ring.view().head.db
    }

    /// The end of the stream and its database in one look: at a cut, where a snapshot stands.
    pub fn reserved_and_db(&self) -> (Offset, Option<DbIndex>) {
        let head = self.ring.view().head;
        (head.offset, head.db)
    }

    /// Makes the next write say SELECT, for a reader that starts here and knows no database. Meant for a cut:
    /// otherwise another write may come between.
    pub fn forget_db(&self) {
        self.ring.forget_db();
    }

    /// From here on the history has another name (a promotion, or a primary's): all readers are [`Gone`], with not one byte of what
    /// is appended after this. What is retained stays, and so do writers. Wakes all sleepers, so that senders notice. Call it while
    /// nobody appends.
    pub fn part(&self) {
        self.ring.part();
        self.sleepers.wake_after_publishing();
    }

    /// The oldest place that [`Backlog::reader_at`] accepts. `reserved - first_offset` is `repl_backlog_histlen`;
    /// Redis' `repl_backlog_first_byte_offset` is one more than this.
    pub fn first_offset(&self) -> Offset {
        self.ring.first_offset(self.ring.view())
    }

    /// Changes what is retained for nobody (`CONFIG SET repl-backlog-size`), at most [`RETAIN_BYTES_MAX`]. Less
    /// takes effect at once; more lets the history grow from where it is.
    pub fn set_retain(&self, bytes: u64) {
        self.ring.set_retain(bytes);
    }

    /// Gives memory back that a large append has left behind. To be called now and then.
    pub fn tidy(&self) {
        self.ring.tidy();
    }

    /// Drops what is retained (`repl-backlog-ttl` has passed). Readers keep what they pin.
    pub fn forget_past(&self) {
        self.ring.forget_past();
    }

    /// Memory that the log takes now, whole segments with spare ones.
    pub fn resident_bytes(&self) -> u64 {
        self.ring.resident_bytes()
    }

    /// A reader whose first byte is the one right after `next` (`PSYNC <id> <next + 1>`). From now on nothing
    /// after `next` is trimmed.
    ///
    /// # Errors
    /// [`Gone::Trimmed`] if that byte is no longer retained, [`Gone::Future`] if the stream is shorter.
    pub fn reader_at(self: &Arc<Self>, next: Offset) -> Result<Reader, Gone> {
        let (number, partings) = self.ring.register(next)?;
        Ok(Reader::new(Arc::clone(self), number, partings, next))
    }

    /// A bed for a thread that follows the log: `wake` is called from a producer's thread after it has published
    /// (it should do no more than write to an eventfd). None if there are [`SLEEPERS_MAX`] already.
    pub fn sleeper(self: &Arc<Self>, wake: impl Fn() + Send + Sync + 'static) -> Option<Sleeper> {
        Sleeper::new(Arc::clone(self), Arc::new(wake))
    }
}
