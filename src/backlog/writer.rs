//! A producer's end of the ring, and the only thing that makes offsets: one per worker thread, one for the link
//! to a primary. Commands commit here; the dispatcher and the replica's link call it.
//!
//! ```text
//!   reserve(db, len)    slot := lower bound, head := head + [SELECT] + len      under the shard's lock
//!   fill(r, parts)      copy                                                    after it is released
//!                       slot := IDLE, wake the sleepers                         or at end_batch
//! ```
//!
//! Always: while a reservation of this writer is open its slot is at or below the reservation's start, so nobody
//! reads it and its segments stay. A reservation that is not filled would stop the stream for ever: it aborts.

use std::ops::Range;
use std::sync::Arc;

use super::Backlog;
use super::head::{Head, Select};
use super::offset::Offset;
use super::ring::IDLE;
use crate::base::ids::DbIndex;
use crate::base::sync::Ordering;

/// A producer's handle. Made by [`Backlog::writer`]; dropping it gives its slot back.
pub struct Writer {
    backlog: Arc<Backlog>,
    slot: usize,
    /// Reservations made and not yet filled.
    open: usize,
    in_batch: bool,
    /// The slot holds a lower bound, not IDLE.
    announced: bool,
}

/// A range of the stream that waits for its bytes. It holds no lock and no borrow; give it back to the writer
/// that made it.
#[must_use = "a reservation that is never filled stops the stream"]
#[derive(Debug)]
pub struct Reservation {
    claim: Claim,
    writer: usize,
}

/// A range that one producer owns until it publishes it.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// The first byte of all, SELECT included.
    start: Offset,
    /// Where the next byte goes.
    at: Offset,
    end: Offset,
}

impl Writer {
    pub(super) fn new(backlog: Arc<Backlog>, slot: usize) -> Writer {
        Writer { backlog, slot, open: 0, in_batch: false, announced: false }
    }

    /// Appends one unit of the stream (a command, or MULTI .. EXEC) given as `parts`, and a SELECT before it if
    /// the stream is not in `db`. `db` None: bytes that belong to no database (PING, REPLCONF GETACK). Returns
    /// what was taken, SELECT included: its end is `master_repl_offset` after this write.
    #[inline]
    pub fn append(&mut self, db: Option<DbIndex>, parts: &[&[u8]]) -> Range<Offset> {
        let len = parts.iter().map(|part| part.len()).sum();
        let claim = self.claim(db, db, len);
        self.copy(claim, parts);
        claim.start..claim.end
    }

    /// Appends one unit that begins in database `first` and leaves the stream in `last` by SELECTs of its own.
    pub fn append_transaction(&mut self, first: DbIndex, last: DbIndex, parts: &[&[u8]]) -> Range<Offset> {
        let len = parts.iter().map(|part| part.len()).sum();
        let claim = self.claim(Some(first), Some(last), len);
        self.copy(claim, parts);
        claim.start..claim.end
    }

    /// Appends a primary's bytes as they came. `db_after`: the database that its stream is in after them, None
    /// if they leave it as it was.
    pub fn append_verbatim(&mut self, bytes: &[u8], db_after: Option<DbIndex>) -> Range<Offset> {
        let claim = self.claim(None, db_after, bytes.len());
        self.copy(claim, &[bytes]);
        claim.start..claim.end
    }

    /// The first half of `append`, for the time under a shard's lock: takes `len` bytes of the stream.
    #[inline]
    pub fn reserve(&mut self, db: Option<DbIndex>, len: usize) -> Reservation {
        Reservation { claim: self.claim(db, db, len), writer: self.identity() }
    }

    /// The second half: `parts` have as many bytes as were reserved.
    ///
    /// # Panics
    /// If they have not, or if the reservation is another writer's.
    #[inline]
    pub fn fill(&mut self, reservation: Reservation, parts: &[&[u8]]) {
        assert_eq!(reservation.writer, self.identity(), "a reservation is filled by the writer that made it");
        let claim = reservation.claim;
        self.copy(claim, parts);
        std::mem::forget(reservation);
    }

    /// From here to [`Writer::end_batch`] publishing costs one store for all that is appended, and readers wait for
    /// the end. Units are atomic, batches are not: a reader that looks at the very end may see the first few units
    /// of a batch before the others. A batch is as short as one read of a socket, since it holds back every reader.
    pub fn begin_batch(&mut self) {
        debug_assert!(!self.in_batch);
        self.in_batch = true;
    }

    /// Publishes the batch.
    ///
    /// # Panics
    /// If a reservation is still open.
    pub fn end_batch(&mut self) {
        assert_eq!(self.open, 0, "a batch ended with an open reservation");
        self.in_batch = false;
        if self.announced {
            self.publish();
        }
    }

    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Tells writers apart: no two live ones share the address of this slot.
    fn identity(&self) -> usize {
        std::ptr::from_ref(&*self.backlog.ring.slots[self.slot]).addr()
    }

    /// Takes `len` bytes, and room before them for a SELECT if `db` is not the stream's, as one range.
    #[inline]
    fn claim(&mut self, db: Option<DbIndex>, db_after: Option<DbIndex>, len: usize) -> Claim {
        assert!(len > 0, "an append has bytes");
        let ring = &self.backlog.ring;
        let (start, select) = loop {
            let (word, head) = ring.load_head();
            if !self.announced {
                ring.slots[self.slot].store(head.offset.0, Ordering::Release);
            }
            let select = db.filter(|_| head.db != db);
            let total = len + select.map_or(0, Select::len_for);
            let new = Head { offset: head.offset + total as u64, db: db_after.or(head.db) };
            let swapped =
                ring.head.compare_exchange_weak(word, new.pack(), Ordering::AcqRel, Ordering::Relaxed);
            if swapped.is_ok() {
                break (head.offset, select);
            }
        };
        self.announced = true;
        self.open += 1;
        let at = start + select.map_or(0, Select::len_for) as u64;
        let end = at + len as u64;
        ring.make_ready(end);
        if let Some(db) = select {
            self.copy_select(start, db);
        }
        Claim { start, at, end }
    }

    #[cold]
    fn copy_select(&self, at: Offset, db: DbIndex) {
        self.copy_bytes(at, Select::new(db).as_bytes());
    }

    /// Copies `parts` to where the claim begins, and publishes unless others of this writer's wait.
    #[inline]
    fn copy(&mut self, claim: Claim, parts: &[&[u8]]) {
        let mut at = claim.at;
        for part in parts {
            assert!(part.len() as u64 <= claim.end.bytes_since(at), "more bytes than were reserved");
            self.copy_bytes(at, part);
            at = at + part.len() as u64;
        }
        assert_eq!(at, claim.end, "fewer bytes than were reserved");
        self.open -= 1;
        if self.open == 0 && !self.in_batch {
            self.publish();
        }
    }

    /// `bytes` go to a part of an open claim of this writer: `copy` and `copy_select` see to that.
    #[inline]
    fn copy_bytes(&self, at: Offset, bytes: &[u8]) {
        // SAFETY: the range is part of a claim that `claim` returned and that is still open, therefore
        // 1. `make_ready` returned for its end, so its segments are in the table and we have seen them;
        // 2. our slot is at or below it, so `published` is too, and trimming stops there;
        // 3. the compare-and-swap gave it to nobody else, and readers stop at `published`.
        unsafe { self.backlog.ring.table.write(at, bytes) }
    }

    #[inline]
    fn publish(&mut self) {
        self.announced = false;
        self.backlog.ring.slots[self.slot].store(IDLE, Ordering::Release);
        self.backlog.sleepers.wake_after_publishing();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.open > 0 {
            hole_in_the_stream();
        }
        if self.announced {
            self.publish();
        }
        self.backlog.ring.release_slot(self.slot);
    }
}

impl Reservation {
    /// What was taken, SELECT included: its end is `master_repl_offset` after this write.
    pub fn range(&self) -> Range<Offset> {
        self.claim.start..self.claim.end
    }

    /// How many bytes `fill` expects.
    pub fn len(&self) -> usize {
        self.claim.end.bytes_since(self.claim.at) as usize
    }

    /// Never: a reservation has bytes.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        hole_in_the_stream();
    }
}

/// Nobody can ever fill what was reserved, so every reader would stand still for ever, and what comes after could
/// not be sent without telling replicas a different story. There is nothing to go on with.
#[cold]
fn hole_in_the_stream() -> ! {
    log::error!("a reservation of the replication backlog was dropped unfilled: aborting");
    eprintln!("a reservation of the replication backlog was dropped unfilled: aborting");
    std::process::abort();
}
