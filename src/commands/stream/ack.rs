//! XACK and XPENDING: deliveries that are done with, and those that wait for it.
//!
//! Called through their rows. Always: XACK acknowledges all ids or, if one of them is none, nothing; XPENDING changes nothing.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::shape::reply_id;
use crate::resp::reply::Reply;
use crate::types::Stream;
use crate::types::stream::{Group, StreamId};

pub const ROWS: &[Row] = &[
    Row {
        name: "xack",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "update"],
        summary: "Acknowledges entries that were delivered in a group, and returns how many of them were pending.",
        complexity: "O(log N) for each id where N is the number of pending entries of the group.",
        run: Run::Keyed(xack),
        ..STREAM
    },
    Row {
        name: "xpending",
        arity: -3,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        tips: &["nondeterministic_output"],
        summary: "Returns the entries of a group that were delivered and not acknowledged, or an overview of them.",
        complexity: "O(N) where N is the number of returned entries, or of those looked at with IDLE.",
        run: Run::Keyed(xpending),
        ..STREAM
    },
];

fn xack(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    let Some(mut edit) = ctx.space.edit::<Stream>(args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    if edit.group(args.get(2)).is_none() {
        ctx.reply.int(0);
        return Ok(Effect::None);
    }
    let ids = parse::ids(&args, 3)?;
    let (_, group) = edit.change().group_mut(args.get(2)).expect("was there under the same lock");
    let acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id).is_some()).count() as u64;
    ctx.reply.int(acknowledged as i64);
    edit.changed(acknowledged);
    Ok(Effect::verbatim_if(acknowledged > 0))
}

/// The longer form: what is pending in a range.
struct Query<'a> {
    min_idle: i64,
    start: StreamId,
    end: StreamId,
    count: u64,
    consumer: Option<&'a [u8]>,
}

fn query<'c>(ctx: &Ctx<'c, '_>) -> Result<Option<Query<'c>>, Failure> {
    let args = ctx.args;
    if args.len() == 3 {
        return Ok(None);
    }
    if !(6..=9).contains(&args.len()) {
        return Err(Failure::SYNTAX);
    }
    let mut at = 3;
    let mut min_idle = 0;
    if args.is(3, "idle") {
        min_idle = args.int(4)?;
        if args.len() < 8 {
            return Err(Failure::SYNTAX);
        }
        at = 5;
    }
    let count = parse::count(&args, at + 2)?;
    let (start, end) = (parse::start(args.get(at))?, parse::end(args.get(at + 1))?);
    Ok(Some(Query { min_idle, start, end, count, consumer: args.opt(at + 3) }))
}

fn xpending(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let query = query(ctx)?;
    let (args, now) = (ctx.args, ctx.now().0);
    let stream = ctx.space.read_as::<Stream>(args.get(1))?;
    let group = stream
        .and_then(|stream| stream.group(args.get(2)))
        .ok_or_else(|| parse::no_such_key_or_group(args.get(1), args.get(2), ""))?;
    match query {
        None => overview(ctx.reply, group),
        Some(query) => list(ctx.reply, group, &query, now),
    }
    Ok(Effect::None)
}

fn overview(reply: &mut Reply, group: &Group) {
    let pending = group.pending();
    reply.array(4);
    reply.int(pending.len() as i64);
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, *first);
    reply_id(reply, *last);
    let mark = reply.begin();
    let mut shown = 0;
    for (name, consumer) in group.consumers().filter(|(_, consumer)| !consumer.pending().is_empty()) {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_int(consumer.pending().len() as i64);
        shown += 1;
    }
    reply.end_array(mark, shown);
}

fn list(reply: &mut Reply, group: &Group, query: &Query<'_>, now: i64) {
    let consumer = query.consumer.map(|name| group.consumer(name));
    if matches!(consumer, Some(None)) || query.start > query.end {
        reply.array(0);
        return;
    }
    let idle = |delivered_at: i64| now.saturating_sub(delivered_at);
    let pending = group
        .pending_in(query.start..=query.end, consumer.flatten())
        .filter(|(_, nack)| query.min_idle == 0 || idle(nack.delivered_at) >= query.min_idle)
        .take(usize::try_from(query.count).unwrap_or(usize::MAX));
    let mark = reply.begin();
    let mut shown = 0;
    for (id, nack) in pending {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(&nack.owner);
        reply.int(idle(nack.delivered_at).max(0));
        reply.int(nack.deliveries as i64);
        shown += 1;
    }
    reply.end_array(mark, shown);
}
