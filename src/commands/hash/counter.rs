//! HINCRBY and HINCRBYFLOAT: fields as numbers.
//!
//! Called through their rows. Always: the field's deadline stays; a sum in floating point goes into the stream as its
//! result, and so does any sum where a replica could see another field than we do, because one has a deadline.

use crate::base::long_double::LongDouble;
use crate::base::number::write_i64;
use crate::codec::listpack::Item;
use crate::commands::hash::fields::push_deadline;
use crate::commands::hash::{HASH, clock};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Rewrite, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::hash::{Deadline, Limits};
use crate::types::{Collection, Hash};

const COUNTER: Row = Row {
    arity: 4,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    access: &["RW", "access", "update"],
    ..HASH
};

pub const ROWS: &[Row] = &[
    Row {
        name: "hincrby",
        summary: "Adds a number to the integer value of a field, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(hincrby),
        ..COUNTER
    },
    Row {
        name: "hincrbyfloat",
        since: "2.6.0",
        summary: "Adds a number to the floating point value of a field, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(hincrbyfloat),
        ..COUNTER
    },
];

fn hincrby(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let by = ctx.args.int(3)?;
    let mut sum = 0;
    let effect = change(ctx, "hincrby", |old, text| {
        let old = match old {
            None => 0,
            Some(item) => item.as_i64().ok_or(Failure::text("ERR hash value is not an integer"))?,
        };
        sum = old.checked_add(by).ok_or(Failure::OVERFLOW)?;
        write_i64(text, sum);
        Ok(())
    })?;
    ctx.reply.int(sum);
    Ok(effect.unwrap_or(Effect::Verbatim))
}

fn hincrbyfloat(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let by = LongDouble::parse(ctx.args.get(3)).ok_or(Failure::NOT_A_FLOAT)?;
    if by.is_nan() || by.is_infinite() {
        return Err(Failure::text("ERR value is NaN or Infinity"));
    }
    let mut result = Vec::new();
    let effect = change(ctx, "hincrbyfloat", |old, text| {
        let old = match old {
            None => LongDouble::ZERO,
            Some(Item::Int(value)) => LongDouble::from_i64(value),
            Some(Item::Bytes(bytes)) => {
                LongDouble::parse(bytes).ok_or(Failure::text("ERR hash value is not a float"))?
            }
        };
        let sum = old + by;
        if sum.is_nan() || sum.is_infinite() {
            return Err(Failure::text("ERR increment would produce NaN or Infinity"));
        }
        sum.write_human(text);
        result.clone_from(text);
        Ok(())
    })?;
    ctx.reply.bulk(&result);
    let (key, name) = (ctx.args.get(1), ctx.args.get(2));
    Ok(effect.unwrap_or_else(|| Effect::rewritten(&[b"HSET", key, name, &result])))
}

/// Gives the field the value that `add` makes of the old one. The effect is none if no field of the hash has a deadline:
/// then whatever says the same is good.
fn change(
    ctx: &mut Ctx<'_, '_>,
    event: &'static str,
    add: impl FnOnce(Option<Item<'_>>, &mut Vec<u8>) -> Result<(), Failure>,
) -> Result<Option<Effect>, Failure> {
    let (now, limits) = (clock(ctx), Limits::of(ctx.config));
    let (key, name) = (ctx.args.get(1), ctx.args.get(2));
    let mut edit = ctx.space.edit_or_insert(key, Hash::default)?;
    let mut text = Vec::new();
    add(edit.get(name, now), &mut text)?;
    let deadline = edit.next_due().map(|_| edit.deadline(name, now).flatten());
    edit.change().set(name, &text, Deadline::Keep, now, limits);
    edit.changed(1);
    edit.notify(Classes::HASH, event);
    Ok(deadline.map(|deadline| {
        let mut rewrite = Rewrite::default();
        rewrite.push(&[b"HSET", key, name, &text]);
        push_deadline(&mut rewrite, key, deadline, &[name]);
        Effect::Rewritten(rewrite)
    }))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::{Harness, NOW};

    #[test]
    fn fields_are_added_to() {
        let mut h = Harness::new();
        h.check("hincrby h n 5", ":5", "hincrby h n 5");
        h.check("hincrby h n -7", ":-2", "hincrby h n -7");
        h.check("hincrbyfloat h n 2.5", "$3 0.5", "HSET h n 0.5");
        h.check("hincrbyfloat h x 3.0e3", "$4 3000", "HSET h x 3000");
        h.reads("hincrby h n 1", "-ERR hash value is not an integer");
        h.run("hset h big 9223372036854775807 word a");
        h.run_words(&[b"hset", b"h", b"space", b" 1"]);
        h.reads("hincrby h big 1", "-ERR increment or decrement would overflow");
        h.reads("hincrby h big x", "-ERR value is not an integer or out of range");
        h.reads("hincrby h space 1", "-ERR hash value is not an integer");
        h.reads("hincrbyfloat h word 1", "-ERR hash value is not a float");
        h.reads("hincrbyfloat h n x", "-ERR value is not a valid float");
        h.reads("hincrbyfloat h n inf", "-ERR value is NaN or Infinity");
        h.reads("hincrbyfloat none n x", "-ERR value is not a valid float");
        h.reads("exists none", ":0");
        h.run("set s v");
        h.reads("hincrby s n 1", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    }

    #[test]
    fn deadlines_stay_and_replicas_are_told_them() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2");
        h.run("hpexpire h 100 fields 1 a");
        let told = format!("HSET h a 3; HPEXPIREAT h {} FIELDS 1 a", NOW + 100);
        h.check("hincrby h a 2", ":3", &told);
        let told = format!("HSET h a 3.5; HPEXPIREAT h {} FIELDS 1 a", NOW + 100);
        h.check("hincrbyfloat h a 0.5", "$3 3.5", &told);
        h.check("hincrby h b 2", ":4", "HSET h b 4");
        h.advance_ms(101);
        h.check("hincrby h a 2", ":2", "HSET h a 2");
        h.reads("httl h fields 1 a", "*1 :-1");
    }
}
