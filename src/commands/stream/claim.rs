//! XCLAIM and XAUTOCLAIM: what is pending for one consumer becomes another's.
//!
//! Called through their rows; XCLAIM is also how a primary tells its replicas of every delivery. Always: what has become
//! of each entry goes into the stream as an XCLAIM with its owner, time and count, never as the request itself; an entry that is
//! gone from the log is no longer pending afterwards.

use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::shape::{GroupEffect, reply_entry, reply_id};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Edit;
use crate::resp::reply::Reply;
use crate::types::Stream;
use crate::types::stream::{Group, Log, Nack, Name, StreamId};

pub const ROWS: &[Row] = &[
    Row {
        name: "xclaim",
        arity: -6,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "update"],
        tips: &["nondeterministic_output"],
        summary: "Makes entries pending for a consumer, whoever they were delivered to.",
        complexity: "O(log N) for each id where N is the number of pending entries of the group.",
        run: Run::Keyed(xclaim),
        ..STREAM
    },
    Row {
        name: "xautoclaim",
        arity: -6,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "delete"],
        tips: &["nondeterministic_output"],
        since: "6.2.0",
        summary: "Makes entries that were not acknowledged for a while pending for a consumer.",
        complexity: "O(1) if COUNT is small.",
        run: Run::Keyed(xautoclaim),
        ..STREAM
    },
];

/// XAUTOCLAIM looks at this many pending entries for each that it may claim.
const ATTEMPTS_PER_ENTRY: usize = 10;
/// What Redis allows for COUNT of XAUTOCLAIM: the ids of that many entries must be addressable.
const COUNT_MAX: i64 = i64::MAX / 16;

/// The consumer that claims: made if need be, and seen now. The answer says whether it was made.
fn claimer(edit: &mut Edit<'_, '_, Stream>, group: &[u8], consumer: &[u8], now: i64) -> (Name, bool) {
    let (_, group) = edit.change().group_mut(group).expect("was there under the same lock");
    let is_new = group.create_consumer(consumer, now);
    group.consumer_mut(consumer).expect("created if it was not there").seen_at = now;
    let name = group.shared_name(consumer).expect("created if it was not there");
    if is_new {
        edit.notify(Classes::STREAM, "xgroup-createconsumer");
        edit.changed(1);
    }
    (name, is_new)
}

/// What XCLAIM was asked.
struct Claim {
    min_idle: i64,
    ids: Vec<StreamId>,
    delivered_at: i64,
    deliveries: Option<u64>,
    is_forced: bool,
    just_ids: bool,
    last_id: Option<StreamId>,
}

impl Claim {
    fn parse(args: &Args<'_>, now: i64) -> Result<Claim, Failure> {
        let min_idle = parse::number(args.get(4), "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
        let ids: Vec<StreamId> = args.from(5).map_while(|word| StreamId::parse(word, 0)).collect();
        let mut at = 5 + ids.len();
        let mut claim = Claim {
            min_idle,
            ids,
            delivered_at: now,
            deliveries: None,
            is_forced: false,
            just_ids: false,
            last_id: None,
        };
        while at < args.len() {
            at += claim.parse_option(args, at, now)?;
        }
        // A client's clock may be ahead of ours.
        if claim.delivered_at < 0 || claim.delivered_at > now {
            claim.delivered_at = now;
        }
        Ok(claim)
    }

    /// Reads one option; the answer is how many words it has.
    fn parse_option(&mut self, args: &Args<'_>, at: usize, now: i64) -> Result<usize, Failure> {
        let value = args.opt(at + 1);
        match value {
            _ if args.is(at, "force") => self.is_forced = true,
            _ if args.is(at, "justid") => self.just_ids = true,
            Some(value) if args.is(at, "idle") => {
                let idle = parse::number(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                self.delivered_at = now.wrapping_sub(idle);
                return Ok(2);
            }
            Some(value) if args.is(at, "time") => {
                self.delivered_at = parse::number(value, "ERR Invalid TIME option argument for XCLAIM")?;
                return Ok(2);
            }
            Some(value) if args.is(at, "retrycount") => {
                let count = parse::number(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                self.deliveries = u64::try_from(count).ok();
                return Ok(2);
            }
            Some(value) if args.is(at, "lastid") => {
                self.last_id = Some(parse::id(value)?);
                return Ok(2);
            }
            _ => {
                let option = String::from_utf8_lossy(args.get(at));
                return Err(Failure::new(format!("ERR Unrecognized XCLAIM option '{option}'")));
            }
        }
        Ok(1)
    }
}

fn group_of<'s, 'a>(
    edit: Option<Edit<'s, 'a, Stream>>,
    args: &Args<'_>,
) -> Result<Edit<'s, 'a, Stream>, Failure> {
    edit.filter(|edit| edit.group(args.get(2)).is_some())
        .ok_or_else(|| parse::no_such_key_or_group(args.get(1), args.get(2), ""))
}

fn xclaim(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, ctx.now().0);
    let mut edit = group_of(ctx.space.edit::<Stream>(args.get(1))?, &args)?;
    let claim = Claim::parse(&args, now)?;
    let mut effect = GroupEffect::new(args.get(1), args.get(2));
    let (_, group) = edit.change().group_mut(args.get(2)).expect("was there under the same lock");
    let mut has_moved = claim.last_id.is_some_and(|last_id| last_id > group.last_id);
    if has_moved {
        group.last_id = claim.last_id.expect("compared above");
    }
    let last_id = group.last_id.text();
    let (owner, is_new) = claimer(&mut edit, args.get(2), args.get(3), now);
    let (log, group) = edit.change().group_mut(args.get(2)).expect("was there under the same lock");
    let mark = ctx.reply.begin();
    let (mut claimed, mut changes) = (0, 0);
    for (index, id) in claim.ids.iter().enumerate() {
        let Some(nack) = claim_one(log, group, *id, &claim, &owner, now) else { continue };
        if let Claimed::Yes = nack {
            reply_claimed(ctx.reply, log, *id, claim.just_ids);
            claimed += 1;
        }
        let nack = match nack {
            Claimed::Yes => &group.pending()[id],
            Claimed::Gone(ref nack) => nack,
        };
        effect.claimed(args.get(5 + index), nack, &last_id);
        has_moved = false;
        changes += 1;
    }
    ctx.reply.end_array(mark, claimed);
    if claimed > 0 {
        group.consumer_mut(&owner).expect("it is the owner").active_at = now;
    } else if is_new {
        effect.created_first(&owner);
    }
    if has_moved {
        effect.moved(group);
        changes += 1;
    }
    edit.changed(changes);
    Ok(effect.into_effect())
}

/// What became of an entry that a consumer claims.
enum Claimed {
    Yes,
    /// It is not in the log any more, and no longer pending. This is what it was.
    Gone(Nack),
}

fn claim_one(
    log: &Log,
    group: &mut Group,
    id: StreamId,
    claim: &Claim,
    owner: &Name,
    now: i64,
) -> Option<Claimed> {
    if !log.contains(id) {
        return group.acknowledge(id).map(Claimed::Gone);
    }
    let before = match group.pending().get(&id) {
        Some(nack) if is_too_fresh(nack, claim.min_idle, now) => return None,
        Some(nack) => nack.deliveries,
        None if claim.is_forced => 1,
        None => return None,
    };
    let counted = if claim.just_ids { before } else { before.wrapping_add(1) };
    group.assign(id, owner, claim.delivered_at, claim.deliveries.unwrap_or(counted));
    Some(Claimed::Yes)
}

fn reply_claimed(reply: &mut Reply, log: &Log, id: StreamId, just_ids: bool) {
    match log.get(id) {
        Some(entry) if !just_ids => reply_entry(reply, entry),
        _ => reply_id(reply, id),
    }
}

/// What XAUTOCLAIM was asked.
struct AutoClaim {
    min_idle: i64,
    start: StreamId,
    count: usize,
    just_ids: bool,
}

impl AutoClaim {
    fn parse(args: &Args<'_>) -> Result<AutoClaim, Failure> {
        let min_idle =
            parse::number(args.get(4), "ERR Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
        let start = parse::start(args.get(5))?;
        let mut claim = AutoClaim { min_idle, start, count: 100, just_ids: false };
        let mut at = 6;
        while at < args.len() {
            if args.is(at, "count") && at + 1 < args.len() {
                let count = args.int(at + 1).ok().filter(|count| (1..=COUNT_MAX).contains(count));
                claim.count = count.ok_or(Failure::text("ERR COUNT must be > 0"))? as usize;
                at += 1;
            } else if args.is(at, "justid") {
                claim.just_ids = true;
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        Ok(claim)
    }
}

fn xautoclaim(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, ctx.now().0);
    let claim = AutoClaim::parse(&args)?;
    let mut edit = group_of(ctx.space.edit::<Stream>(args.get(1))?, &args)?;
    let (owner, is_new) = claimer(&mut edit, args.get(2), args.get(3), now);
    let (log, group) = edit.change().group_mut(args.get(2)).expect("was there under the same lock");
    let mut effect = GroupEffect::new(args.get(1), args.get(2));
    let last_id = group.last_id.text();
    let picked = pick(log, group, &claim, now);
    let claimed = picked.entries.iter().filter(|(_, is_there)| *is_there).count();
    ctx.reply.array(3);
    reply_id(ctx.reply, picked.cursor);
    ctx.reply.array(claimed);
    for (id, is_there) in &picked.entries {
        if !is_there {
            let nack = group.acknowledge(*id).expect("was pending under the same lock");
            effect.claimed(&id.text(), &nack, &last_id);
            continue;
        }
        let before = group.pending()[id].deliveries;
        let deliveries = if claim.just_ids { before } else { before.wrapping_add(1) };
        group.assign(*id, &owner, now, deliveries);
        effect.claimed(&id.text(), &group.pending()[id], &last_id);
        reply_claimed(ctx.reply, log, *id, claim.just_ids);
    }
    ctx.reply.array(picked.entries.len() - claimed);
    for (id, _) in picked.entries.iter().filter(|(_, is_there)| !is_there) {
        reply_id(ctx.reply, *id);
    }
    if claimed > 0 {
        group.consumer_mut(&owner).expect("it is the owner").active_at = now;
    } else if is_new {
        effect.created_first(&owner);
    }
    edit.changed(picked.entries.len() as u64);
    Ok(effect.into_effect())
}

/// What XAUTOCLAIM will act upon.
struct Picked {
    /// In order; those that are in the log (true) are claimed, the others no longer pending.
    entries: Vec<(StreamId, bool)>,
    /// Where the next call goes on; 0-0 at the end.
    cursor: StreamId,
}

fn pick(log: &Log, group: &Group, claim: &AutoClaim, now: i64) -> Picked {
    let mut picked = Picked { entries: Vec::new(), cursor: StreamId::MIN };
    let attempts = claim.count.saturating_mul(ATTEMPTS_PER_ENTRY);
    for (tried, (id, nack)) in group.pending_in(claim.start.., None).enumerate() {
        if tried == attempts || picked.entries.len() == claim.count {
            picked.cursor = id;
            break;
        }
        let is_there = log.contains(id);
        if !is_there || !is_too_fresh(nack, claim.min_idle, now) {
            picked.entries.push((id, is_there));
        }
    }
    picked
}

/// Was it delivered less than `min_idle` milliseconds ago? 0 asks nothing.
fn is_too_fresh(nack: &Nack, min_idle: i64, now: i64) -> bool {
    min_idle > 0 && now.saturating_sub(nack.delivered_at) < min_idle
}
