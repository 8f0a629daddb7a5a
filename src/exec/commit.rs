//! Commit: turns a command's effect into one contiguous reservation of the stream.
//!
//! Called by the executor while it still holds the locks under which the command changed its keys.
//! Always: what a command writes is one reservation; more than one command in it are wrapped in MULTI and EXEC; the
//! SELECT that the stream may need stands before the MULTI, as in Redis 7.0.

use std::sync::Arc;

use crate::backlog::{Backlog, Writer};
use crate::base::ids::DbIndex;
use crate::commands::spec::effect::encode;
use crate::commands::spec::{Args, Effect};

/// `*1 MULTI`.
pub(super) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
/// `*1 EXEC`.
pub(super) const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// One thread's end of the stream. Empty while nobody follows: then effects are dropped.
#[derive(Default)]
pub struct Stream {
    backlog: Option<Arc<Backlog>>,
    writer: Option<Writer>,
    scratch: Vec<u8>,
    /// The offset behind the last effect.
    pub last_offset: u64,
}

impl Stream {
    /// Takes a place at another backlog, or at none.
    pub fn follow(&mut self, backlog: Option<&Arc<Backlog>>) {
        let is_same = match (&self.backlog, backlog) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if is_same {
            return;
        }
        self.writer = backlog.map(|backlog| {
            backlog.writer().expect("there are more writer slots than threads that write (exec::WRITERS_MAX)")
        });
        self.backlog = backlog.cloned();
    }

    pub fn writer(&mut self) -> Option<&mut Writer> {
        self.writer.as_mut()
    }

    #[inline]
    pub fn begin_batch(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.begin_batch();
        }
    }

    #[inline]
    pub fn end_batch(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.end_batch();
        }
    }

    /// Writes one command's effect, preceded by the deletion of keys that it found expired. True if anything was written.
    #[inline]
    pub fn commit(
        &mut self,
        db: DbIndex,
        args: &Args<'_>,
        effect: Effect,
        expired: &[(DbIndex, Vec<u8>)],
    ) -> bool {
        if matches!(effect, Effect::None) && expired.is_empty() {
            return false;
        }
        if matches!(effect, Effect::Verbatim) && expired.is_empty() {
            return self.commit_verbatim(db, args);
        }
        if self.writer.is_none() {
            return false;
        }
        let mut unit = Unit::new(std::mem::take(&mut self.scratch));
        unit.add(db, args, effect, expired);
        self.commit_unit(unit);
        true
    }

    /// Writes the request's own words. False if nobody keeps the stream.
    #[inline]
    pub fn commit_verbatim(&mut self, db: DbIndex, args: &Args<'_>) -> bool {
        let Some(writer) = &mut self.writer else { return false };
        match args.verbatim() {
            Some(bytes) => self.last_offset = writer.append(Some(db), &[bytes]).end.0,
            None => self.commit_words(db, args),
        }
        true
    }

    /// The request's words, where they did not come as a RESP array.
    #[cold]
    fn commit_words(&mut self, db: DbIndex, args: &Args<'_>) {
        let mut unit = Unit::new(std::mem::take(&mut self.scratch));
        unit.add(db, args, Effect::Verbatim, &[]);
        self.commit_unit(unit);
    }

    /// Writes what a whole transaction has gathered.
    pub fn commit_unit(&mut self, unit: Unit) -> bool {
        let written = unit.commands > 0;
        if let (Some(writer), Some((first, last)), true) = (&mut self.writer, unit.dbs, written) {
            self.last_offset = if unit.commands == 1 && first == last {
                writer.append(Some(first), &[&unit.bytes]).end.0
            } else {
                writer.append_transaction(first, last, &[MULTI, &unit.bytes, EXEC]).end.0
            };
        }
        self.scratch = unit.bytes;
        self.scratch.clear();
        // A huge command must not keep its memory for ever.
        self.scratch.shrink_to(SCRATCH_BYTES_MAX);
        written
    }

    /// A unit to gather several commands' effects in.
    pub fn unit(&mut self) -> Unit {
        Unit::new(std::mem::take(&mut self.scratch))
    }
}

/// Memory that is kept for the next rewritten effect.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

/// Encoded commands that replicas apply together.
pub struct Unit {
    bytes: Vec<u8>,
    commands: usize,
    /// The database of the first and of the last command.
    dbs: Option<(DbIndex, DbIndex)>,
}

impl Unit {
    fn new(bytes: Vec<u8>) -> Unit {
        Unit { bytes, commands: 0, dbs: None }
    }

    /// Adds a command's effect, preceded by the deletion of keys that it found expired.
    pub fn add(&mut self, db: DbIndex, args: &Args<'_>, effect: Effect, expired: &[(DbIndex, Vec<u8>)]) {
        for (db, key) in expired {
            self.select(*db);
            encode(&mut self.bytes, 2, [b"DEL".as_slice(), key].into_iter());
            self.commands += 1;
        }
        match effect {
            Effect::None => {}
            Effect::Verbatim => {
                self.select(db);
                match args.verbatim() {
                    Some(bytes) => self.bytes.extend_from_slice(bytes),
                    None => encode(&mut self.bytes, args.len(), args.iter()),
                }
                self.commands += 1;
            }
            Effect::Rewritten(rewrite) if rewrite.is_empty() => {}
            Effect::Rewritten(rewrite) => {
                self.select(db);
                self.bytes.extend_from_slice(&rewrite.bytes);
                self.commands += rewrite.commands;
            }
        }
    }

    /// The first command's database is the reservation's business; a change within the unit is written out here.
    fn select(&mut self, db: DbIndex) {
        match &mut self.dbs {
            None => self.dbs = Some((db, db)),
            Some((_, last)) if *last == db => {}
            Some((_, last)) => {
                *last = db;
                let number = db.0.to_string();
                encode(&mut self.bytes, 2, [b"SELECT".as_slice(), number.as_bytes()].into_iter());
            }
        }
    }
}
