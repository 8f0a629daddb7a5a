//! The walker: one thread that visits every shard once, takes what has not been captured yet, and encodes it.
//!
//! ```text
//!  for each db, for each shard:   lock | copy a slice of old entries, stamp them | unlock
//!                                 encode the slice -> chunks (waits for followers here, with no lock held)
//!                                 drain pre-images -> chunks
//!  after the last shard:          no entry is older than the stamp, so the last drain has everything
//! ```
//!
//! Started by `snapshots` for one cut. Always: an entry is taken by whoever meets it first with an old stamp, under its
//! shard's lock, and stamped there, so exactly once; no lock is held while anything is encoded or sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::base::ids::{DbIndex, UnixMs};
use crate::base::pace::Pace;
use crate::base::prefetch::prefetch;
use crate::base::version::REDIS_VERSION;
use crate::codec::crc64::Crc64;
use crate::codec::lzf;
use crate::codec::rdb::encode::{
    write_aux, write_checksum, write_eof, write_header, write_resize_db, write_select_db,
};
use crate::config::Config;
use crate::keyspace::db::Db;
use crate::keyspace::eviction::Usage;
use crate::keyspace::shard::ShardGuard;
use crate::snapshot::SnapshotError;
use crate::snapshot::buffer::Buffer;
use crate::snapshot::chunks::{CHUNK_BYTES, Feed};
use crate::snapshot::cut::Cut;
use crate::snapshot::pre_images::{Batch, Store};
use crate::snapshot::record::{Large, Slice};

/// A shard is held for at most so many entries, or so many bytes, at a time. More: writers wait longer for a shard.
/// Fewer: more locking, and more shards that change between two slices.
/// Tests cut even small shards into slices.
const SLICE_ENTRIES_MAX: usize = if cfg!(test) { 5 } else { 512 };
const SLICE_BYTES_MAX: usize = 64 * 1024;

/// Of a large collection so many bytes are encoded between two looks at the time and at the chunk. Tests see many parts.
const LARGE_PART_BYTES: usize = if cfg!(test) { 100 } else { 8 * 1024 };

/// Entries whose memory is asked for ahead of their copying.
const PREFETCH_BUCKETS: usize = if cfg!(test) { 2 } else { 16 };

/// Pre-images of databases other than the one being walked are kept until they are worth a SELECTDB.
const FOREIGN_BYTES_MIN: usize = 64 * 1024;

/// How a walk writes.
#[derive(Clone, Copy, Debug)]
pub struct WalkOptions {
    /// `rdbcompression`.
    pub compress: bool,
    /// `rdbchecksum`; without it the last eight bytes are zero.
    pub checksum: bool,
    /// `rdb-key-save-delay`: microseconds to sleep after each key; -n sleeps one microsecond every n keys.
    pub key_save_delay: i32,
    /// For the AUX field `used-mem`, in bytes.
    pub used_memory: u64,
    /// What is noted of each key's use.
    pub usage: Usage,
}

impl WalkOptions {
    /// As the configuration wants it, for a cut that is taken `now`. `used_memory` is what INFO shows, in bytes.
    pub fn of(config: &Config, used_memory: u64, now: UnixMs) -> WalkOptions {
        WalkOptions {
            compress: config.rdbcompression,
            checksum: config.rdbchecksum,
            key_save_delay: config.rdb_key_save_delay,
            used_memory,
            usage: Usage::of(config, now),
        }
    }
}

/// What a finished walk has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkReport {
    pub bytes: u64,
    /// Keys that the walker took itself; the rest came as pre-images.
    pub keys_walked: u64,
    /// Bytes of records that came as pre-images.
    pub pre_image_bytes: u64,
}

/// How far a walk has come, for INFO.
#[derive(Default)]
pub struct Milestone {
    /// Keys that the walker has taken. Stored by it, read by anybody; Relaxed, stands for itself.
    keys: AtomicU64,
}

impl Milestone {
    pub fn keys(&self) -> u64 {
        self.keys.load(Relaxed)
    }
}

/// One walk.
pub struct Walker {
    milestone: Arc<Milestone>,
    cut: Arc<Cut>,
    pre_images: Arc<Store>,
    output: Output,
    slice: Slice,
    compressor: Option<lzf::Compressor>,
    delay: i32,
    used_memory: u64,
    usage: Usage,
    /// Drained and not yet sent, by number of the database.
    pending: Vec<Vec<Batch>>,
    pending_bytes: Vec<usize>,
    report: WalkReport,
}

impl Walker {
    pub fn new(cut: Arc<Cut>, pre_images: Arc<Store>, feed: Arc<Feed>, options: WalkOptions) -> Walker {
        let databases = cut.sizes.len();
        let output = Output {
            buffer: feed.buffer(),
            feed,
            pre_images: pre_images.clone(),
            checksum: options.checksum.then(Crc64::new),
            selected: None,
            is_announced: vec![false; databases],
            bytes: 0,
        };
        Walker {
            cut,
            pre_images,
            output,
            slice: Slice::default(),
            compressor: options.compress.then(lzf::Compressor::new),
            milestone: Arc::default(),
            delay: options.key_save_delay,
            used_memory: options.used_memory,
            usage: options.usage,
            pending: (0..databases).map(|_| Vec::new()).collect(),
            pending_bytes: vec![0; databases],
            report: WalkReport::default(),
        }
    }

    /// What shows how far it has come.
    pub fn milestone(&self) -> Arc<Milestone> {
        self.milestone.clone()
    }

    /// Walks to the end. `all_captured` is called when no entry needs a pre-image any more, before the last ones are sent.
    ///
    /// # Errors
    /// Why the followers must throw away what they have.
    pub fn run(mut self, all_captured: impl FnOnce()) -> Result<WalkReport, SnapshotError> {
        let mut pace = Pace::of_this_thread();
        self.output.prelude(&self.cut, self.used_memory);
        let cut = self.cut.clone();
        for (index, db) in cut.keyspace.iter() {
            if cut.sizes[index.0 as usize].keys == 0 {
                continue;
            }
            for shard in 0..db.shard_count() {
                self.visit(index, db, shard, &mut pace)?;
            }
        }
        all_captured();
        self.send_pre_images(None, &mut pace)?;
        self.output.end()?;
        Ok(WalkReport { bytes: self.output.bytes, ..self.report })
    }

    fn visit(&mut self, index: DbIndex, db: &Db, shard: usize, pace: &mut Pace) -> Result<(), SnapshotError> {
        let (mut from, mut layout) = (0, None);
        loop {
            let is_done = {
                let mut guard = db.lock(shard);
                if layout != Some(guard.layout()) {
                    // Entries may have moved behind us. Those that were taken carry the stamp.
                    (from, layout) = (0, Some(guard.layout()));
                }
                from = copy_slice(&mut self.slice, &mut guard, from, &self.cut, self.usage);
                from == guard.buckets()
            };
            self.encode_slice(index, pace)?;
            self.send_pre_images(Some(index), pace)?;
            pace.breathe();
            if is_done {
                return Ok(());
            }
        }
    }

    fn encode_slice(&mut self, index: DbIndex, pace: &mut Pace) -> Result<(), SnapshotError> {
        if !self.slice.is_empty() {
            self.output.select(index, &self.cut);
            let (output, delay) = (&mut self.output, self.delay);
            let mut keys = self.report.keys_walked;
            self.slice.encode(self.compressor.as_mut(), |write| {
                write(&mut output.buffer);
                keys += 1;
                if delay != 0 {
                    output.dawdle(delay, keys)?;
                }
                output.send_if_full()
            })?;
            self.report.keys_walked = keys;
            for large in self.slice.take_large() {
                self.send_large(large, pace)?;
                self.report.keys_walked += 1;
                if delay != 0 {
                    self.output.dawdle(delay, self.report.keys_walked)?;
                }
            }
            self.milestone.keys.store(self.report.keys_walked, Relaxed);
            self.slice.clear(2 * SLICE_BYTES_MAX);
        }
        Ok(())
    }

    /// Encodes a large collection of the database that is selected, a chunk at a time.
    fn send_large(&mut self, mut large: Large, pace: &mut Pace) -> Result<(), SnapshotError> {
        loop {
            let is_done = large.encode(&mut self.output.buffer, LARGE_PART_BYTES, self.compressor.as_mut());
            self.output.send_if_full()?;
            pace.breathe();
            if is_done {
                return Ok(());
            }
        }
    }

    /// Sends pre-images: all of them, or those of `current` and of databases that have gathered enough.
    fn send_pre_images(&mut self, current: Option<DbIndex>, pace: &mut Pace) -> Result<(), SnapshotError> {
        if self.pre_images.is_over_limit() {
            return Err(SnapshotError::TooManyChanges);
        }
        if current.is_some() && self.pre_images.bytes_held() == 0 {
            return Ok(());
        }
        let mut drained = Vec::new();
        self.pre_images.drain(&mut drained);
        for batch in drained {
            self.pending_bytes[batch.db.0 as usize] += batch.held_bytes();
            self.pending[batch.db.0 as usize].push(batch);
        }
        for index in 0..self.pending.len() {
            let db = DbIndex(index as u16);
            let bytes = self.pending_bytes[index];
            let is_wanted = current.is_none_or(|current| current == db) || bytes >= FOREIGN_BYTES_MIN;
            if bytes == 0 || !is_wanted {
                continue;
            }
            self.output.select(db, &self.cut);
            for batch in std::mem::take(&mut self.pending[index]) {
                let len = batch.held_bytes();
                self.output.append(batch.bytes)?;
                batch.large.into_iter().try_for_each(|large| self.send_large(large, pace))?;
                self.pre_images.release(len);
            }
            self.pending_bytes[index] = 0;
            self.report.pre_image_bytes += bytes as u64;
        }
        Ok(())
    }
}

/// Copies entries of an older stamp than the cut's from bucket `from` on, and stamps them. Returns the bucket to go on from.
fn copy_slice(slice: &mut Slice, guard: &mut ShardGuard<'_>, from: usize, cut: &Cut, usage: Usage) -> usize {
    let buckets = guard.buckets();
    let mut at = from;
    while at < buckets && slice.len() < SLICE_ENTRIES_MAX && slice.bytes() < SLICE_BYTES_MAX {
        let until = (at + PREFETCH_BUCKETS).min(buckets);
        for index in at..until {
            if let Some(found) = guard.at(index) {
                let address = guard.get(found).address();
                prefetch(address);
                prefetch(address.wrapping_add(64));
            }
        }
        for index in at..until {
            if let Some(found) = guard.at(index) {
                let entry = guard.get_mut(found);
                if entry.stamp() != cut.stamp {
                    slice.copy(entry, cut.dialect, usage);
                    entry.set_stamp(cut.stamp);
                }
            }
        }
        at = until;
    }
    at
}

/// The RDB as it grows: a chunk being filled, and what has to be known of those that were sent.
struct Output {
    feed: Arc<Feed>,
    pre_images: Arc<Store>,
    buffer: Buffer,
    checksum: Option<Crc64>,
    selected: Option<DbIndex>,
    /// Databases whose size has been written.
    is_announced: Vec<bool>,
    bytes: u64,
}

impl Output {
    fn prelude(&mut self, cut: &Cut, used_memory: u64) {
        let out = &mut self.buffer;
        let mut digits = itoa::Buffer::new();
        write_header(out, cut.dialect);
        write_aux(out, b"redis-ver", REDIS_VERSION.as_bytes());
        write_aux(out, b"redis-bits", b"64");
        write_aux(out, b"ctime", digits.format(cut.taken_at.0.div_euclid(1000)).as_bytes());
        write_aux(out, b"used-mem", digits.format(used_memory).as_bytes());
        if let Some(position) = &cut.position {
            // Redis writes 0 too where the next command says SELECT anyway.
            let db = position.db.unwrap_or_default();
            write_aux(out, b"repl-stream-db", digits.format(db.0).as_bytes());
            write_aux(out, b"repl-id", position.replid.as_bytes());
            write_aux(out, b"repl-offset", digits.format(position.offset).as_bytes());
        }
        write_aux(out, b"aof-base", b"0");
    }

    fn select(&mut self, db: DbIndex, cut: &Cut) {
        let index = db.0 as usize;
        if self.selected != Some(db) {
            write_select_db(&mut self.buffer, u64::from(db.0));
            self.selected = Some(db);
        }
        if !std::mem::replace(&mut self.is_announced[index], true) {
            let size = cut.sizes[index];
            write_resize_db(&mut self.buffer, size.keys, size.expires);
        }
    }

    /// Adds records that are encoded already; many of them become a chunk of their own.
    fn append(&mut self, records: Vec<u8>) -> Result<(), SnapshotError> {
        if records.len() < CHUNK_BYTES / 4 {
            self.buffer.extend_from_slice(&records);
            return self.send_if_full();
        }
        self.send()?;
        self.push(records.into())
    }

    #[inline]
    fn send_if_full(&mut self) -> Result<(), SnapshotError> {
        if self.buffer.len() < CHUNK_BYTES { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), SnapshotError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, self.feed.buffer());
        self.push(chunk)
    }

    fn push(&mut self, chunk: Buffer) -> Result<(), SnapshotError> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&chunk);
        }
        self.bytes += chunk.len() as u64;
        let pre_images = &self.pre_images;
        self.feed.push(chunk, || pre_images.is_over_limit().then_some(SnapshotError::TooManyChanges))
    }

    fn end(&mut self) -> Result<(), SnapshotError> {
        write_eof(&mut self.buffer);
        let checksum = self.checksum.take().map_or(0, |mut checksum| {
            checksum.update(&self.buffer);
            checksum.value()
        });
        write_checksum(&mut self.buffer, checksum);
        self.send()
    }

    /// `rdb-key-save-delay`. Long sleeps are taken in short ones, so that the walk can still be ended, and what has been
    /// written before one is sent first.
    #[cold]
    fn dawdle(&mut self, delay: i32, keys: u64) -> Result<(), SnapshotError> {
        const STEP: Duration = Duration::from_millis(20);
        let micros = match u64::try_from(delay) {
            Ok(micros) => micros,
            Err(_) => u64::from(keys.is_multiple_of(u64::from(delay.unsigned_abs()))),
        };
        let until = Instant::now() + Duration::from_micros(micros);
        if Duration::from_micros(micros) > STEP {
            self.send()?;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STEP));
            if let Some(reason) = self.feed.stop_reason() {
                return Err(reason);
            }
        }
    }
}
