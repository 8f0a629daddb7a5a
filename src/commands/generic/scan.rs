//! KEYS, SCAN, RANDOMKEY, DBSIZE: looking at the keyspace as a whole, one shard at a time.
//!
//! ```text
//!  SCAN cursor:  | shard (24 bits) | least 40-bit key hash still to be shown |     0: begin, or done
//! ```
//!
//! Called through their rows, without a lock at the start. Within a shard SCAN goes by the keys' hashes, which no growth of
//! a table changes: a key that is there from the first call to the last is returned, and returned once.
//! Always: no more than one shard is locked, for as long as it takes to look through it.

use crate::base::glob::glob_match;
use crate::base::hash::hash_key;
use crate::base::ids::UnixMs;
use crate::commands::spec::scan::{ScanOptions, Scans, parse_cursor};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Row, Run, flags};
use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;

const BASE: Row = Row { categories: &["keyspace"], group: Group::Generic, ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "keys",
        arity: 2,
        flags: Flags::READONLY,
        categories: &["keyspace", "dangerous"],
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        summary: "Returns all key names that match a pattern.",
        complexity: "O(N) with N being the number of keys in the database",
        run: Run::Walk(keys),
        ..BASE
    },
    Row {
        name: "scan",
        arity: -2,
        flags: Flags::READONLY,
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        since: "2.8.0",
        summary: "Iterates over the key names in the database.",
        complexity: "O(1) for every call. O(N) for a complete iteration.",
        run: Run::Walk(scan),
        ..BASE
    },
    Row {
        name: "randomkey",
        arity: 1,
        flags: Flags::READONLY,
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        summary: "Returns a random key name from the database.",
        run: Run::Walk(randomkey),
        ..BASE
    },
    Row {
        name: "dbsize",
        arity: 1,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        group: Group::Server,
        summary: "Returns the number of keys in the database.",
        run: Run::Walk(dbsize),
        ..BASE
    },
];

/// Keys past their deadline that a walk leaves to be deleted; more are left to active expiry.
const DUE_MAX: usize = 4096;

/// Notes a key that was met past its deadline.
fn note_due(due: &mut Vec<Vec<u8>>, key: &[u8]) {
    if due.len() < DUE_MAX {
        due.push(key.to_vec());
    }
}

fn is_live(entry: &Entry, now: UnixMs) -> bool {
    entry.deadline().is_none_or(|at| at >= now)
}

fn dbsize(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    ctx.reply.int(ctx.space.keyspace().db(ctx.space.db()).len() as i64);
    Ok(Effect::None)
}

fn keys(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (pattern, now) = (ctx.args.get(1), ctx.now());
    let matches_all = pattern == b"*";
    ctx.space.release();
    let db = ctx.space.keyspace().db(ctx.space.db());
    let mark = ctx.reply.begin();
    let mut count = 0;
    for shard in (0..db.shard_count()).filter(|shard| db.side(*shard).keys() > 0) {
        let guard = db.lock(shard);
        for at in guard.iter() {
            let entry = guard.get(at);
            if !matches_all && !glob_match(pattern, entry.key(), false) {
                continue;
            }
            if is_live(entry, now) {
                ctx.reply.bulk(entry.key());
                count += 1;
            } else {
                note_due(&mut ctx.space.changes.due, entry.key());
            }
        }
    }
    ctx.reply.end_array(mark, count);
    Ok(Effect::None)
}

/// Bits of a key's hash within the cursor.
const HASH_BITS: u32 = 40;

fn scan(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let cursor = parse_cursor(ctx.args.get(1))?;
    let options = ScanOptions::parse(&ctx.args, 2, Scans::Keyspace)?;
    let now = ctx.now();
    ctx.space.release();
    let db = ctx.space.keyspace().db(ctx.space.db());
    let mut shown: Vec<Vec<u8>> = Vec::new();
    let wanted = |entry: &Entry| {
        options.wants(entry.key())
            && options.kind.is_none_or(|kind| kind.eq_ignore_ascii_case(entry.kind().name().as_bytes()))
    };
    let mut shard = (cursor >> HASH_BITS) as usize;
    let mut from = cursor & ((1 << HASH_BITS) - 1);
    let mut visited = 0;
    let mut next = 0;
    while shard < db.shard_count() {
        let (seen, rest) = scan_shard(db, shard, from, options.count - visited, |entry| {
            if wanted(entry) {
                if is_live(entry, now) {
                    shown.push(entry.key().to_vec());
                } else {
                    note_due(&mut ctx.space.changes.due, entry.key());
                }
            }
        });
        visited += seen;
        (shard, from) = rest.map_or((shard + 1, 0), |from| (shard, from));
        if visited >= options.count {
            next = if shard < db.shard_count() { (shard as u64) << HASH_BITS | from } else { 0 };
            break;
        }
    }
    ctx.reply.array(2);
    let mut digits = itoa::Buffer::new();
    ctx.reply.bulk(digits.format(next).as_bytes());
    ctx.reply.array(shown.len());
    shown.iter().for_each(|key| ctx.reply.bulk(key));
    Ok(Effect::None)
}

/// The 40 bits of a hash by which a shard is walked.
fn place(hash: u64) -> u64 {
    hash & ((1 << HASH_BITS) - 1)
}

/// Shows at least `room` entries of a shard, in the order of their places, from `from` on; all of the same place together.
/// Returns how many were seen and where to go on, if anywhere.
fn scan_shard(
    db: &Db,
    shard: usize,
    from: u64,
    room: usize,
    mut show: impl FnMut(&Entry),
) -> (usize, Option<u64>) {
    if db.side(shard).keys() == 0 {
        return (0, None);
    }
    let guard = db.lock(shard);
    let mut places: Vec<_> = guard
        .iter()
        .map(|at| (place(hash_key(guard.get(at).key())), at))
        .filter(|(at, _)| *at >= from)
        .collect();
    if places.len() > room {
        places.select_nth_unstable_by_key(room, |(at, _)| *at);
        let next = places[room].0;
        let seen = places.iter().filter(|(at, _)| *at < next).inspect(|(_, at)| show(guard.get(*at))).count();
        if seen > 0 {
            return (seen, Some(next));
        }
        // All of them share one place: they are shown together.
        let seen =
            places.iter().filter(|(at, _)| *at == next).inspect(|(_, at)| show(guard.get(*at))).count();
        let more = places.iter().any(|(at, _)| *at > next);
        return (seen, more.then_some(next + 1));
    }
    places.iter().for_each(|(_, at)| show(guard.get(*at)));
    (places.len(), None)
}

/// Attempts at finding a key that is not past its deadline by chance, before looking for the first such key in order.
const TRIES: usize = 100;

fn randomkey(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = ctx.now();
    ctx.space.release();
    let db = ctx.space.keyspace().db(ctx.space.db());
    let total = db.len();
    let due = &mut ctx.space.changes.due;
    let key = (0..TRIES.min(total)).find_map(|_| pick(db, ctx.rng.below(total as u64) as usize, now, due));
    let key = key.or_else(|| (0..total).step_by(1.max(total / 1000)).find_map(|at| pick(db, at, now, due)));
    match key {
        Some(key) => ctx.reply.bulk(&key),
        None => ctx.reply.null(),
    }
    Ok(Effect::None)
}

/// The key at `position` if all keys stood in a row, unless it has expired.
fn pick(db: &Db, position: usize, now: UnixMs, due: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let mut left = position;
    for shard in 0..db.shard_count() {
        let keys = db.side(shard).keys();
        if left < keys {
            let guard = db.lock(shard);
            let entry = guard.iter().nth(left.min(guard.len().saturating_sub(1))).map(|at| guard.get(at))?;
            if is_live(entry, now) {
                return Some(entry.key().to_vec());
            }
            if !due.iter().any(|key| key == entry.key()) {
                note_due(due, entry.key());
            }
            return None;
        }
        left -= keys;
    }
    None
}
