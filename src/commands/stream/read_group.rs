//! XREADGROUP: entries for a consumer of a group, each given to one consumer only, or what is pending for it already.
//!
//! Called through its row. Always: a delivery goes to replicas as XCLAIM of each entry (with NOACK, as the group's new
//! position), a new consumer without one as XGROUP CREATECONSUMER; a client that waits is told when its key or group goes.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Rewrite, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::read::Read;
use crate::commands::stream::shape::{GroupEffect, effect, reply_entry, reply_id};
use crate::keyspace::notify::Classes;
use crate::resp::reply::Reply;
use crate::types::Stream;
use crate::types::stream::{Group, Log, StreamId};

pub const ROWS: &[Row] = &[Row {
    name: "xreadgroup",
    arity: -7,
    flags: flags(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    keys: Keys::Streams { from: 4 },
    access: &["RO", "access"],
    summary: "Returns entries of streams that no other consumer of the group got, or those pending for this one. \
              Waits for the first one if told to.",
    complexity: "O(N log M) for each stream where N is the number of returned entries and M that of pending ones.",
    run: Run::Keyed(xreadgroup),
    ..STREAM
}];

/// Which entries a consumer wants of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// `>`: such as were not delivered to anybody.
    New,
    /// Such as are pending for this consumer, behind this id.
    Pending(StreamId),
}

fn xreadgroup(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let read = Read::parse(ctx)?;
    let (group, consumer) = read.group.expect("XREADGROUP without a group was refused");
    let mut wanted = Vec::with_capacity(read.streams);
    for index in 0..read.streams {
        wanted.push(what_is_wanted(ctx, &read, group, index)?);
    }
    let mut rewrite = Rewrite::default();
    let mark = ctx.reply.begin();
    let mut shown = 0;
    for (index, wanted) in wanted.into_iter().enumerate() {
        let key = read.key(ctx, index);
        let mut effect = GroupEffect::new(key, group);
        shown += usize::from(serve(ctx, &read, key, (group, consumer), wanted, &mut effect)?);
        effect.add_to(&mut rewrite);
    }
    if shown == 0 {
        read.nothing(ctx, None);
    } else if ctx.reply.resp3() {
        ctx.reply.end_map(mark, shown);
    } else {
        ctx.reply.end_array(mark, shown);
    }
    Ok(effect(rewrite))
}

fn what_is_wanted(
    ctx: &mut Ctx<'_, '_>,
    read: &Read<'_>,
    group: &[u8],
    index: usize,
) -> Result<Wanted, Failure> {
    let key = ctx.args.get(read.keys_at + index);
    let has_waited = ctx.blocking.is_again();
    let stream = match ctx.space.read_as::<Stream>(key) {
        Ok(Some(stream)) => stream,
        Ok(None) | Err(_) if has_waited => {
            return Err(Failure::text("UNBLOCKED the stream key no longer exists"));
        }
        Ok(None) => return Err(no_group(key, group)),
        Err(wrong_type) => return Err(wrong_type.into()),
    };
    if stream.group(group).is_none() {
        return Err(if has_waited {
            Failure::text("NOGROUP the consumer group this client was blocked on no longer exists")
        } else {
            no_group(key, group)
        });
    }
    match ctx.args.get(read.id_at(index)) {
        b">" => Ok(Wanted::New),
        b"$" => Err(meaningless('$')),
        b"+" => Err(meaningless('+')),
        text => match parse::id(text)? {
            StreamId::MAX => Ok(Wanted::New),
            id => Ok(Wanted::Pending(id)),
        },
    }
}

fn no_group(key: &[u8], group: &[u8]) -> Failure {
    parse::no_such_key_or_group(key, group, " in XREADGROUP with GROUP option")
}

fn meaningless(symbol: char) -> Failure {
    Failure::new(format!(
        "ERR The {symbol} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The {symbol} ID would just return an empty result set."
    ))
}

/// Gives the consumer what it wants of one stream. False if there is nothing to show for it.
fn serve(
    ctx: &mut Ctx<'_, '_>,
    read: &Read<'_>,
    key: &[u8],
    (group_name, consumer): (&[u8], &[u8]),
    wanted: Wanted,
    effect: &mut GroupEffect<'_>,
) -> Result<bool, Failure> {
    let now = ctx.now().0;
    let resp3 = ctx.reply.resp3();
    let Some(mut edit) = ctx.space.edit::<Stream>(key)? else { return Ok(false) };
    let Some((log, group)) = edit.change().group_mut(group_name) else { return Ok(false) };
    let is_new = group.create_consumer(consumer, now);
    group.consumer_mut(consumer).expect("created if it was not there").seen_at = now;
    let has_news = log.newest().is_some_and(|newest| newest > group.last_id);
    let is_shown = has_news || wanted != Wanted::New;
    if is_shown {
        if !resp3 {
            ctx.reply.array(2);
        }
        ctx.reply.bulk(key);
    }
    match wanted {
        Wanted::Pending(after) => history(ctx.reply, log, group, consumer, after, read.count, now),
        Wanted::New if has_news => deliver(ctx.reply, log, group, consumer, read, now, effect),
        Wanted::New => {}
    }
    if is_new {
        if effect.is_empty() || read.no_ack {
            effect.created_first(consumer);
        }
        edit.notify(Classes::STREAM, "xgroup-createconsumer");
    }
    edit.changed(u64::from(is_shown) + u64::from(is_new));
    Ok(is_shown)
}

/// New entries: they become pending for the consumer, or with NOACK are forgotten at once.
fn deliver(
    reply: &mut Reply,
    log: &Log,
    group: &mut Group,
    consumer: &[u8],
    read: &Read<'_>,
    now: i64,
    effect: &mut GroupEffect<'_>,
) {
    let owner = group.shared_name(consumer).expect("the consumer was made before");
    let start = group.last_id.next().unwrap_or(StreamId::MAX);
    let most = if read.count == 0 { usize::MAX } else { usize::try_from(read.count).unwrap_or(usize::MAX) };
    let mark = reply.begin();
    let mut shown = 0;
    for entry in log.range(start, StreamId::MAX).take(most) {
        let id = entry.id;
        group.advance(log, id);
        reply_entry(reply, entry);
        shown += 1;
        if !read.no_ack {
            group.assign(id, &owner, now, 1);
            let text = id.text();
            effect.claimed(&text, &group.pending()[&id], &text);
        }
    }
    reply.end_array(mark, shown);
    if read.no_ack {
        effect.moved(group);
    } else {
        group.consumer_mut(consumer).expect("the consumer was made before").active_at = now;
    }
}

/// What is pending for the consumer already. Entries that are gone are shown without fields.
fn history(
    reply: &mut Reply,
    log: &Log,
    group: &mut Group,
    consumer: &[u8],
    after: StreamId,
    count: u64,
    now: i64,
) {
    let start = after.next().unwrap_or(StreamId::MAX);
    let most = if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) };
    let ids: Vec<StreamId> = group
        .consumer(consumer)
        .into_iter()
        .flat_map(|consumer| consumer.pending().range(start..))
        .copied()
        .take(most)
        .collect();
    reply.array(ids.len());
    for id in ids {
        match log.get(id) {
            Some(entry) => {
                reply_entry(reply, entry);
                group.deliver_again(id, now);
            }
            None => {
                reply.array(2);
                reply_id(reply, id);
                reply.null_array();
            }
        }
    }
}
