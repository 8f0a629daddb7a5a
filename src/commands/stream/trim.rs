//! XTRIM, and the options by which XADD trims.
//!
//! ```text
//!  MAXLEN|MINID [=|~] threshold [LIMIT count]
//! ```
//!
//! Always: a trim that may stop early (`~`) goes to replicas as the exact one that leaves the same entries.

use crate::commands::spec::effect::encode;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Rewrite, Row, Run};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::keyspace::notify::Classes;
use crate::types::Stream;
use crate::types::stream::{IdText, Keep, Log, StreamId, Trim, WantedId};

pub const ROWS: &[Row] = &[Row {
    name: "xtrim",
    arity: -4,
    flags: Flags::WRITE,
    access: &["RW", "delete"],
    tips: &["nondeterministic_output"],
    summary: "Deletes the oldest entries of a stream.",
    complexity: "O(N) where N is the number of deleted entries; whole nodes of them go in one step.",
    run: Run::Keyed(xtrim),
    ..STREAM
}];

/// An approximate trim without LIMIT removes at most this many nodes' worth of entries.
const NODES_AT_ONCE: u64 = 100;
/// What LIMIT is without a configured size of nodes, and at most.
const LIMIT_DEFAULT: u64 = 10_000;
const LIMIT_MAX: u64 = 1_000_000;

/// What XADD and XTRIM were asked, and where it stands.
pub struct Options {
    pub trim: Option<Trim>,
    /// Where the threshold is.
    threshold_at: usize,
    pub no_mkstream: bool,
    /// The id of XADD: where it is, and what it is unless it is `*`.
    pub id_at: usize,
    pub id: Option<WantedId>,
}

impl Options {
    /// Reads the options from the third word on: of XADD up to the id, of XTRIM all.
    pub fn parse(ctx: &Ctx<'_, '_>, is_xadd: bool) -> Result<Options, Failure> {
        let args = &ctx.args;
        let mut options =
            Options { trim: None, threshold_at: 0, no_mkstream: false, id_at: args.len(), id: None };
        let mut limit = None;
        let mut at = 2;
        while at < args.len() {
            let has_more = at + 1 < args.len();
            if is_xadd && args.get(at) == b"*" {
                options.id_at = at;
                break;
            } else if has_more && (args.is(at, "maxlen") || args.is(at, "minid")) {
                at = options.parse_trim(args, at)?;
            } else if has_more && args.is(at, "limit") {
                let count = args.int(at + 1)?;
                limit = Some(u64::try_from(count).map_err(|_| NEGATIVE_LIMIT)?);
                at += 1;
            } else if is_xadd && args.is(at, "nomkstream") {
                options.no_mkstream = true;
            } else if is_xadd {
                options.id = Some(WantedId::parse(args.get(at)).ok_or(parse::INVALID_ID)?);
                options.id_at = at;
                break;
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        options.set_limit(ctx, limit, is_xadd)?;
        Ok(options)
    }

    /// Reads MAXLEN or MINID; the answer is where its last word is.
    fn parse_trim(&mut self, args: &Args<'_>, at: usize) -> Result<usize, Failure> {
        if self.trim.is_some() {
            return Err(Failure::text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let has_operator = at + 2 < args.len() && matches!(args.get(at + 1), b"~" | b"=");
        let is_approximate = has_operator && args.get(at + 1) == b"~";
        self.threshold_at = at + 1 + usize::from(has_operator);
        let keep = if args.is(at, "maxlen") {
            let newest = u64::try_from(args.int(self.threshold_at)?);
            Keep::Newest(newest.map_err(|_| Failure::text("ERR The MAXLEN argument must be >= 0."))?)
        } else {
            Keep::From(parse::id(args.get(self.threshold_at))?)
        };
        self.trim = Some(Trim { keep, is_approximate, limit: 0 });
        Ok(self.threshold_at)
    }

    fn set_limit(&mut self, ctx: &Ctx<'_, '_>, limit: Option<u64>, is_xadd: bool) -> Result<(), Failure> {
        let Some(trim) = &mut self.trim else {
            return match limit {
                Some(1..) => Err(Failure::text(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                )),
                _ if !is_xadd => {
                    Err(Failure::text("ERR syntax error, XTRIM must be called with a trimming strategy"))
                }
                _ => Ok(()),
            };
        };
        // What a primary sends is exact, whatever limit its client had set.
        if ctx.from_primary {
            return Ok(());
        }
        trim.limit = match limit {
            Some(_) if !trim.is_approximate => {
                return Err(Failure::text(
                    "ERR syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            Some(limit) => limit,
            None if trim.is_approximate => match parse::limits(ctx).node_entries {
                0 => LIMIT_DEFAULT,
                entries => entries.saturating_mul(NODES_AT_ONCE).min(LIMIT_MAX),
            },
            None => 0,
        };
        Ok(())
    }

    /// What stands in the place of the threshold for replicas, if the request's own would mean something else there.
    pub fn exact(&self, log: &Log) -> Option<Exact> {
        let trim = self.trim.filter(|trim| trim.is_approximate)?;
        Some(Exact {
            threshold_at: self.threshold_at,
            threshold: match trim.keep {
                Keep::Newest(_) => Threshold::Length(log.len()),
                Keep::From(_) => Threshold::First(log.first_stored_id().unwrap_or(StreamId::MAX).text()),
            },
        })
    }
}

const NEGATIVE_LIMIT: Failure = Failure::text("ERR The LIMIT argument must be >= 0.");

/// An approximate trim as it turned out.
pub struct Exact {
    threshold_at: usize,
    threshold: Threshold,
}

enum Threshold {
    Length(u64),
    First(IdText),
}

/// The request with its trim made exact and its id, if `id` has one, in the place of `*`.
pub fn rewrite(args: &Args<'_>, exact: Option<&Exact>, id: Option<(usize, &IdText)>) -> Effect {
    let mut digits = itoa::Buffer::new();
    let threshold = match exact.map(|exact| &exact.threshold) {
        Some(Threshold::Length(length)) => digits.format(*length).as_bytes(),
        Some(Threshold::First(id)) => id,
        None => b"",
    };
    let threshold_at = exact.map_or(usize::MAX, |exact| exact.threshold_at);
    let (id_at, id) = id.map_or((usize::MAX, &b""[..]), |(at, id)| (at, id));
    let words = args.iter().enumerate().map(|(index, word)| match index {
        index if index == id_at => id,
        index if index == threshold_at => threshold,
        index if index + 1 == threshold_at => b"=",
        _ => word,
    });
    let mut rewrite = Rewrite { bytes: Vec::with_capacity(rewrite_bytes(args)), commands: 1 };
    encode(&mut rewrite.bytes, args.len(), words);
    Effect::Rewritten(rewrite)
}

/// About as many bytes as the rewritten request needs: each word, its header, and longer ids.
fn rewrite_bytes(args: &Args<'_>) -> usize {
    args.iter().map(|word| word.len() + 12).sum::<usize>() + 96
}

fn xtrim(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = Options::parse(ctx, false)?;
    let trim = options.trim.expect("XTRIM without a trim was refused");
    let Some(mut edit) = ctx.space.edit::<Stream>(ctx.args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Effect::None);
    };
    let removed = edit.change().log_mut().trim(trim);
    ctx.reply.int(removed as i64);
    if removed == 0 {
        return Ok(Effect::None);
    }
    edit.notify(Classes::STREAM, "xtrim");
    edit.changed(removed);
    match options.exact(edit.log()) {
        Some(exact) => Ok(rewrite(&ctx.args, Some(&exact), None)),
        None => Ok(Effect::Verbatim),
    }
}
