//! LMPOP and the blocking BLPOP, BRPOP and BLMPOP: elements of the first of several lists that has any.
//!
//! Called through their rows. Always: in the stream stands LPOP or RPOP of the list that was chosen.

use crate::commands::list::push_pop::{pop_many, pop_one};
use crate::commands::list::{LIST, end_at};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Keys, Row, Run, Wish, flags};
use crate::types::list::{End, Limits};
use crate::types::{Kind, List};

const BLOCKING: Row = Row {
    arity: -3,
    flags: flags(&[Flags::WRITE, Flags::BLOCKING]),
    keys: Keys::Range { first: 1, last: -2, step: 1 },
    access: &["RW", "access", "delete"],
    since: "2.0.0",
    complexity: "O(N) where N is the number of keys.",
    ..LIST
};

const SEVERAL: Row = Row {
    access: &["RW", "access", "delete"],
    since: "7.0.0",
    complexity: "O(N+M) where N is the number of keys and M the number of elements returned.",
    ..LIST
};

pub const ROWS: &[Row] = &[
    Row {
        name: "blpop",
        summary: "Removes the first element of the first list that has any and returns it. Waits for one if there is none.",
        run: Run::Keyed(blpop),
        ..BLOCKING
    },
    Row {
        name: "brpop",
        summary: "Removes the last element of the first list that has any and returns it. Waits for one if there is none.",
        run: Run::Keyed(brpop),
        ..BLOCKING
    },
    Row {
        name: "lmpop",
        arity: -4,
        flags: flags(&[Flags::WRITE, Flags::MOVABLE_KEYS]),
        keys: Keys::Counted { at: 1 },
        summary: "Removes elements of the first list that has any and returns them.",
        run: Run::Keyed(lmpop),
        ..SEVERAL
    },
    Row {
        name: "blmpop",
        arity: -5,
        flags: flags(&[Flags::WRITE, Flags::BLOCKING, Flags::MOVABLE_KEYS]),
        keys: Keys::Counted { at: 2 },
        summary: "Removes elements of the first list that has any and returns them. Waits for some if there are none.",
        run: Run::Keyed(blmpop),
        ..SEVERAL
    },
];

fn blpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    pop_first(ctx, End::Head)
}

fn brpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    pop_first(ctx, End::Tail)
}

fn pop_first(ctx: &mut Ctx<'_, '_>, end: End) -> Result<Effect, Failure> {
    let timeout_at = ctx.args.len() - 1;
    let deadline = ctx.deadline_seconds(timeout_at)?;
    let limits = Limits::of(ctx.config);
    for index in 1..timeout_at {
        let key = ctx.args.get(index);
        let Some(mut edit) = ctx.space.edit::<List>(key)? else { continue };
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        pop_one(&mut edit, end, ctx.reply, limits);
        return Ok(Effect::rewritten(&[upper(end), key]));
    }
    if !ctx.block(Wish::new(Kind::List, deadline)) {
        ctx.reply.null_array();
    }
    Ok(Effect::None)
}

/// How the stream names the command that pops at this end.
fn upper(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LPOP",
        End::Tail => b"RPOP",
    }
}

/// `numkeys key [key ...] LEFT|RIGHT [COUNT count]`, from argument `at` on.
struct Wanted {
    first_key: usize,
    keys: usize,
    end: End,
    count: usize,
}

fn parse(args: &Args<'_>, at: usize) -> Result<Wanted, Failure> {
    let above_zero = |at: usize, text| {
        let number = args.int(at).ok().and_then(|number| usize::try_from(number).ok());
        number.filter(|number| *number > 0).ok_or(Failure::text(text))
    };
    let keys = above_zero(at, "ERR numkeys should be greater than 0")?;
    let end_index = keys.checked_add(at + 1).filter(|index| *index < args.len()).ok_or(Failure::SYNTAX)?;
    let end = end_at(args, end_index)?;
    let mut wanted = Wanted { first_key: at + 1, keys, end, count: 1 };
    match args.len() - end_index - 1 {
        0 => {}
        more @ 2.. if args.is(end_index + 1, "count") => {
            wanted.count = above_zero(end_index + 2, "ERR count should be greater than 0")?;
            if more > 2 {
                return Err(Failure::SYNTAX);
            }
        }
        _ => return Err(Failure::SYNTAX),
    }
    Ok(wanted)
}

fn lmpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let wanted = parse(&ctx.args, 1)?;
    if let Some(effect) = pop_from_first(ctx, &wanted)? {
        return Ok(effect);
    }
    ctx.reply.null_array();
    Ok(Effect::None)
}

fn blmpop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let wanted = parse(&ctx.args, 2)?;
    let deadline = ctx.deadline_seconds(1)?;
    if let Some(effect) = pop_from_first(ctx, &wanted)? {
        return Ok(effect);
    }
    if !ctx.block(Wish::new(Kind::List, deadline)) {
        ctx.reply.null_array();
    }
    Ok(Effect::None)
}

fn pop_from_first(ctx: &mut Ctx<'_, '_>, wanted: &Wanted) -> Result<Option<Effect>, Failure> {
    let limits = Limits::of(ctx.config);
    for index in wanted.first_key..wanted.first_key + wanted.keys {
        let key = ctx.args.get(index);
        let Some(mut edit) = ctx.space.edit::<List>(key)? else { continue };
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        let popped = pop_many(&mut edit, wanted.end, wanted.count, ctx.reply, limits);
        let count = popped.to_string();
        return Ok(Some(Effect::rewritten(&[upper(wanted.end), key, count.as_bytes()])));
    }
    Ok(None)
}
