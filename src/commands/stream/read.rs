//! XREAD: the entries behind given ids, of several streams; waits for them if asked to. Its arguments are XREADGROUP's too.
//!
//! ```text
//!  XREAD      [COUNT n] [BLOCK ms] STREAMS key ... id ...
//!  XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...
//! ```
//!
//! Always: the keys that are read are those which `spec::keys` has found and locked; a client that waits asks again with what
//! `$` meant when it came.

use crate::base::ids::UnixMs;
use crate::commands::spec::keys::streams_at;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, Wish, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::shape::reply_range;
use crate::types::stream::StreamId;
use crate::types::{Kind, Stream};

pub const ROWS: &[Row] = &[Row {
    name: "xread",
    arity: -4,
    flags: flags(&[Flags::READONLY, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
    keys: Keys::Streams { from: 1 },
    access: &["RO", "access"],
    summary: "Returns the entries of streams behind given ids. Waits for the first one if told to.",
    complexity: "O(N) for each stream where N is the number of returned entries.",
    run: Run::Keyed(xread),
    ..STREAM
}];

/// What XREAD or XREADGROUP was asked.
pub(in crate::commands::stream) struct Read<'c> {
    /// 0 for any number.
    pub count: u64,
    /// Some: it may wait, for ever if there is no moment in it.
    pub deadline: Option<Option<UnixMs>>,
    /// The group and the consumer.
    pub group: Option<(&'c [u8], &'c [u8])>,
    pub no_ack: bool,
    /// Where the first key is; as many ids follow behind the last one.
    pub keys_at: usize,
    pub streams: usize,
}

impl<'c> Read<'c> {
    pub fn parse(ctx: &Ctx<'c, '_>) -> Result<Read<'c>, Failure> {
        let args = ctx.args;
        let is_grouped = args.is(0, "xreadgroup");
        let mut read = Read { count: 0, deadline: None, group: None, no_ack: false, keys_at: 0, streams: 0 };
        let mut at = 1;
        while at < args.len() {
            let more = args.len() - at - 1;
            if args.is(at, "block") && more > 0 {
                read.deadline = Some(ctx.deadline_ms(at + 1)?);
                at += 1;
            } else if args.is(at, "count") && more > 0 {
                read.count = parse::count(&args, at + 1)?;
                at += 1;
            } else if args.is(at, "streams") && more > 0 {
                debug_assert_eq!(streams_at(&args), Some(at));
                if !more.is_multiple_of(2) {
                    return Err(unbalanced(is_grouped));
                }
                (read.keys_at, read.streams) = (at + 1, more / 2);
                break;
            } else if args.is(at, "group") && more >= 2 {
                only_grouped(is_grouped, "GROUP")?;
                read.group = Some((args.get(at + 1), args.get(at + 2)));
                at += 2;
            } else if args.is(at, "noack") {
                only_grouped(is_grouped, "NOACK")?;
                read.no_ack = true;
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        if read.streams == 0 {
            return Err(Failure::SYNTAX);
        }
        if is_grouped && read.group.is_none() {
            return Err(Failure::text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(read)
    }

    /// Where the id of this stream is.
    pub fn id_at(&self, stream: usize) -> usize {
        self.keys_at + self.streams + stream
    }

    pub fn key(&self, ctx: &Ctx<'c, '_>, stream: usize) -> &'c [u8] {
        ctx.args.get(self.keys_at + stream)
    }

    /// Nothing was found: waits, or says so. `words` run again instead of the request's own.
    pub fn nothing(&self, ctx: &mut Ctx<'_, '_>, words: Option<Vec<Vec<u8>>>) {
        let waits = self.deadline.is_some_and(|deadline| {
            let wakes_when_gone = self.group.is_some();
            ctx.block(Wish { words, wakes_when_gone, ..Wish::new(Kind::Stream, deadline) })
        });
        if !waits {
            ctx.reply.null_array();
        }
    }
}

fn only_grouped(is_grouped: bool, option: &str) -> Result<(), Failure> {
    if is_grouped {
        return Ok(());
    }
    Err(Failure::new(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

fn unbalanced(is_grouped: bool) -> Failure {
    let (name, symbol) = if is_grouped { ("xreadgroup", '>') } else { ("xread", '$') };
    Failure::new(format!(
        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
    ))
}

fn xread(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let read = Read::parse(ctx)?;
    let mut after = Vec::with_capacity(read.streams);
    for stream in 0..read.streams {
        after.push(behind(ctx, &read, stream)?);
    }
    let mark = ctx.reply.begin();
    let mut shown = 0;
    for (index, after) in after.iter().enumerate() {
        let key = read.key(ctx, index);
        let Some(start) = after.next() else { continue };
        let newest = |stream: &Stream| stream.log().newest().filter(|newest| newest > after);
        if ctx.space.peek_as::<Stream>(key)?.and_then(newest).is_none() {
            continue;
        }
        if !ctx.reply.resp3() {
            ctx.reply.array(2);
        }
        ctx.reply.bulk(key);
        if let Some(stream) = ctx.space.peek_as::<Stream>(key)? {
            reply_range(ctx.reply, stream.log().range(start, StreamId::MAX), read.count);
        }
        shown += 1;
    }
    if shown > 0 {
        if ctx.reply.resp3() {
            ctx.reply.end_map(mark, shown)
        } else {
            ctx.reply.end_array(mark, shown)
        }
        return Ok(Effect::None);
    }
    let words = read.deadline.is_some().then(|| {
        let mut words = ctx.args.to_vec();
        let ids = &mut words[read.id_at(0)..];
        ids.iter_mut().zip(&after).for_each(|(word, after)| *word = after.text().to_vec());
        words
    });
    read.nothing(ctx, words);
    Ok(Effect::None)
}

/// The id behind which entries of this stream are wanted.
fn behind(ctx: &mut Ctx<'_, '_>, read: &Read<'_>, index: usize) -> Result<StreamId, Failure> {
    let key = ctx.args.get(read.keys_at + index);
    let stream = ctx.space.read_as::<Stream>(key)?;
    match ctx.args.get(read.id_at(index)) {
        b"$" => Ok(stream.map_or(StreamId::MIN, |stream| stream.log().last_id())),
        // The newest entry itself.
        b"+" => Ok(stream
            .and_then(|stream| stream.log().newest())
            .and_then(StreamId::prev)
            .unwrap_or(StreamId::MIN)),
        b">" => Err(Failure::text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        )),
        text => parse::id(text),
    }
}
