//! XINFO: what a stream, its groups and their consumers are made of.
//!
//! Called through its rows. Always: nothing changes, not even a consumer's times; the fields are those of Redis 7.2.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::commands::stream::group::bad_subcommand;
use crate::commands::stream::parse;
use crate::commands::stream::shape::{reply_entry, reply_id, reply_range};
use crate::commands::stream::{STREAM, SUBCOMMAND};
use crate::resp::reply::Reply;
use crate::types::Stream;
use crate::types::stream::{Consumer, Group, Log};

pub const ROWS: &[Row] = &[Row {
    name: "xinfo",
    arity: -2,
    keys: Keys::None,
    categories: &[],
    summary: "A container for commands that describe streams.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    run: Run::Container,
    ..STREAM
}];

const DESCRIBES: Row = Row { flags: Flags::READONLY, access: &["RO", "access"], ..SUBCOMMAND };

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "stream",
        arity: -3,
        summary: "Returns facts about a stream, and with FULL all that is in it.",
        run: Run::Keyed(stream),
        ..DESCRIBES
    },
    Row {
        name: "groups",
        arity: 3,
        summary: "Returns facts about the groups of a stream.",
        run: Run::Keyed(groups),
        ..DESCRIBES
    },
    Row {
        name: "consumers",
        arity: 4,
        tips: &["nondeterministic_output"],
        summary: "Returns facts about the consumers of a group.",
        run: Run::Keyed(consumers),
        ..DESCRIBES
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        keys: Keys::None,
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(xinfo_help),
        ..SUBCOMMAND
    },
];

/// How many entries FULL shows unless told otherwise.
const FULL_COUNT: u64 = 10;

fn stream(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    // A key that is not there is told before words that make no sense.
    let stream = ctx.space.read_as::<Stream>(args.get(2))?.ok_or(Failure::NO_SUCH_KEY)?;
    let is_full = args.len() > 3;
    let count = match args.len() {
        3 => 0,
        4 | 6 if args.is(3, "full") && (args.len() == 4 || args.is(4, "count")) => match args.opt(5) {
            None => FULL_COUNT,
            Some(_) => u64::try_from(args.int(5)?).unwrap_or(FULL_COUNT),
        },
        _ => return Err(bad_subcommand(&args)),
    };
    let reply = &mut *ctx.reply;
    reply.map(if is_full { 9 } else { 10 });
    write_log(reply, stream.log());
    if is_full {
        write_contents(reply, stream, count);
    } else {
        write_edges(reply, stream);
    }
    Ok(Effect::None)
}

fn int(reply: &mut Reply, name: &str, value: u64) {
    reply.bulk(name.as_bytes());
    reply.int(value as i64);
}

/// The seven fields that both forms begin with.
fn write_log(reply: &mut Reply, log: &Log) {
    int(reply, "length", log.len());
    int(reply, "radix-tree-keys", log.node_count() as u64);
    // There is no radix tree: a root and one node for each listpack.
    int(reply, "radix-tree-nodes", log.node_count() as u64 + 1);
    reply.bulk(b"last-generated-id");
    reply_id(reply, log.last_id());
    reply.bulk(b"max-deleted-entry-id");
    reply_id(reply, log.max_deleted_id());
    int(reply, "entries-added", log.entries_added());
    reply.bulk(b"recorded-first-entry-id");
    reply_id(reply, log.first_id());
}

fn write_edges(reply: &mut Reply, stream: &Stream) {
    int(reply, "groups", stream.group_count() as u64);
    let edges = [("first-entry", stream.log().all()), ("last-entry", stream.log().all().reversed())];
    for (name, mut range) in edges {
        reply.bulk(name.as_bytes());
        match range.next() {
            Some(entry) => reply_entry(reply, entry),
            None => reply.null(),
        }
    }
}

fn write_contents(reply: &mut Reply, stream: &Stream, count: u64) {
    let most = if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) };
    reply.bulk(b"entries");
    reply_range(reply, stream.log().all(), count);
    reply.bulk(b"groups");
    reply.array(stream.group_count());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        write_position(reply, group, stream.log());
        int(reply, "pel-count", group.pending().len() as u64);
        reply.bulk(b"pending");
        reply.array(group.pending().len().min(most));
        for (id, nack) in group.pending().iter().take(most) {
            reply.array(4);
            reply_id(reply, *id);
            reply.bulk(&nack.owner);
            reply.int(nack.delivered_at);
            reply.int(nack.deliveries as i64);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumer_count());
        for (name, consumer) in group.consumers() {
            write_consumer(reply, group, (name, consumer), most);
        }
    }
}

fn write_consumer(reply: &mut Reply, group: &Group, (name, consumer): (&[u8], &Consumer), most: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"seen-time");
    reply.int(consumer.seen_at);
    reply.bulk(b"active-time");
    reply.int(consumer.active_at);
    int(reply, "pel-count", consumer.pending().len() as u64);
    reply.bulk(b"pending");
    reply.array(consumer.pending().len().min(most));
    for (id, nack) in group.pending_in(.., Some(consumer)).take(most) {
        reply.array(3);
        reply_id(reply, id);
        reply.int(nack.delivered_at);
        reply.int(nack.deliveries as i64);
    }
}

/// Last id, counter and lag of a group.
fn write_position(reply: &mut Reply, group: &Group, log: &Log) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    match group.entries_read {
        Some(read) => reply.int(read as i64),
        None => reply.null(),
    }
    reply.bulk(b"lag");
    match group.lag(log) {
        Some(lag) => reply.int(lag),
        None => reply.null(),
    }
}

fn groups(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let stream = ctx.space.read_as::<Stream>(ctx.args.get(2))?.ok_or(Failure::NO_SUCH_KEY)?;
    let reply = &mut *ctx.reply;
    reply.array(stream.group_count());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        int(reply, "consumers", group.consumer_count() as u64);
        int(reply, "pending", group.pending().len() as u64);
        write_position(reply, group, stream.log());
    }
    Ok(Effect::None)
}

fn consumers(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, ctx.now().0);
    let stream = ctx.space.read_as::<Stream>(args.get(2))?.ok_or(Failure::NO_SUCH_KEY)?;
    let group = stream.group(args.get(3)).ok_or_else(|| parse::no_such_group(args.get(2), args.get(3)))?;
    let reply = &mut *ctx.reply;
    reply.array(group.consumer_count());
    for (name, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(name);
        int(reply, "pending", consumer.pending().len() as u64);
        reply.bulk(b"idle");
        reply.int(now.saturating_sub(consumer.seen_at).max(0));
        reply.bulk(b"inactive");
        reply.int(match consumer.active_at {
            -1 => -1,
            active_at => now.saturating_sub(active_at).max(0),
        });
    }
    Ok(Effect::None)
}

fn xinfo_help(_: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "xinfo",
        &[
            "CONSUMERS <key> <groupname>",
            "    Shows the consumers of a group.",
            "GROUPS <key>",
            "    Shows the groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Shows facts about a stream.",
        ],
    );
    Ok(())
}
