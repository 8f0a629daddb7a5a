//! XADD: adds an entry to a stream, and trims it if asked to.
//!
//! Called through its row. Always: replicas get the id that was given out and the trim as far as it went, so that they need
//! neither our clock nor our nodes.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::stream::STREAM;
use crate::commands::stream::parse;
use crate::commands::stream::trim::{Options, rewrite};
use crate::keyspace::notify::Classes;
use crate::types::Stream;
use crate::types::stream::log::NODE_BYTES_MAX;
use crate::types::stream::{Refusal, StreamId, WantedId};

pub const ROWS: &[Row] = &[Row {
    name: "xadd",
    arity: -5,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    access: &["RW", "update"],
    tips: &["nondeterministic_output"],
    key_notes: "an update because the stream may be trimmed",
    summary: "Adds an entry to a stream. Creates the key if it doesn't exist.",
    complexity: "O(1) for the entry; O(N) for trimming where N is the number of deleted entries.",
    run: Run::Keyed(xadd),
    ..STREAM
}];

fn xadd(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = Options::parse(ctx, true)?;
    let first_word = options.id_at + 1;
    let words = ctx.args.len().saturating_sub(first_word);
    if words < 2 || !words.is_multiple_of(2) {
        return Err(Failure::wrong_arity(ctx.full_name));
    }
    if options.id == Some(WantedId::Exact(StreamId::MIN)) {
        return Err(Failure::text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let bytes: usize = ctx.args.from(first_word).map(<[u8]>::len).sum();
    if bytes > NODE_BYTES_MAX {
        return Err(Failure::text("ERR Elements are too large to be stored"));
    }
    let (args, key, limits, now) = (ctx.args, ctx.args.get(1), parse::limits(ctx), ctx.now());
    let is_followed = ctx.space.around().is_followed;
    let mut edit = if options.no_mkstream {
        match ctx.space.edit::<Stream>(key)? {
            Some(edit) => edit,
            None => {
                ctx.reply.null();
                return Ok(Effect::None);
            }
        }
    } else {
        ctx.space.edit_or_insert::<Stream>(key, Stream::new)?
    };
    let id = edit.log().next_id(options.id, now.0).map_err(refusal)?;
    let log = edit.change().log_mut();
    log.append(id, words / 2, bytes, |index| args.get(first_word + index), limits);
    edit.notify(Classes::STREAM, "xadd");
    let mut exact = None;
    if let Some(trim) = options.trim {
        if edit.change().log_mut().trim(trim) > 0 {
            edit.notify(Classes::STREAM, "xtrim");
        }
        exact = options.exact(edit.log());
    }
    edit.changed(1);
    edit.signal_ready();
    let text = id.text();
    ctx.reply.bulk(&text);
    let is_exact_id = matches!(options.id, Some(WantedId::Exact(_)));
    if !is_followed || (is_exact_id && exact.is_none()) {
        return Ok(Effect::Verbatim);
    }
    Ok(rewrite(&args, exact.as_ref(), (!is_exact_id).then_some((options.id_at, &text))))
}

#[cold]
fn refusal(refusal: Refusal) -> Failure {
    Failure::text(match refusal {
        Refusal::NotAbove => {
            "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        }
        Refusal::Exhausted => "ERR The stream has exhausted the last possible ID, unable to add more items",
    })
}
