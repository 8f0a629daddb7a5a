//! INCR, DECR, INCRBY, DECRBY and INCRBYFLOAT: strings as numbers.
//!
//! Called through their rows. Always: the deadline stays, and a sum in floating point goes into the stream as the SET of
//! its result, so that no replica has to compute the same last digit.

use crate::base::long_double::LongDouble;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::commands::string::get_set::STRING;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::types::Str;

/// An integer counter: all five rows but the name, the arity, the summary and the handler.
const COUNTER: Row = Row {
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    access: &["RW", "access", "update"],
    ..STRING
};

pub const ROWS: &[Row] = &[
    Row {
        name: "incr",
        arity: 2,
        summary: "Adds one to the integer value of a key, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(incr),
        ..COUNTER
    },
    Row {
        name: "decr",
        arity: 2,
        summary: "Takes one from the integer value of a key, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(decr),
        ..COUNTER
    },
    Row {
        name: "incrby",
        arity: 3,
        summary: "Adds a number to the integer value of a key, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(incrby),
        ..COUNTER
    },
    Row {
        name: "decrby",
        arity: 3,
        summary: "Takes a number from the integer value of a key, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(decrby),
        ..COUNTER
    },
    Row {
        name: "incrbyfloat",
        arity: 3,
        since: "2.6.0",
        summary: "Adds a number to the floating point value of a key, which counts as 0 if it doesn't exist.",
        run: Run::Keyed(incrbyfloat),
        ..COUNTER
    },
];

fn incr(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    add(ctx, 1)
}

fn decr(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    add(ctx, -1)
}

fn incrby(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let by = ctx.args.int(2)?;
    add(ctx, by)
}

fn decrby(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let by = ctx.args.int(2)?;
    add(ctx, by.checked_neg().ok_or(Failure::text("ERR decrement would overflow"))?)
}

fn add(ctx: &mut Ctx<'_, '_>, by: i64) -> Result<Effect, Failure> {
    let sum = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            slot.insert_string(Str::Int(by), None);
            by
        }
        Slot::Occupied(mut slot) => {
            let value = slot.as_str().ok_or(Failure::WRONG_TYPE)?;
            let value = value.as_i64().ok_or(Failure::NOT_AN_INTEGER)?;
            let sum = value.checked_add(by).ok_or(Failure::OVERFLOW)?;
            slot.set_string(Str::Int(sum));
            sum
        }
    };
    ctx.space.notify(Classes::STRING, "incrby", ctx.args.get(1));
    ctx.reply.int(sum);
    Ok(Effect::Verbatim)
}

fn incrbyfloat(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let by = LongDouble::parse(ctx.args.get(2)).ok_or(Failure::NOT_A_FLOAT);
    let mut text = Vec::new();
    match ctx.space.slot(key) {
        Slot::Vacant(slot) => {
            total(LongDouble::ZERO, by?, &mut text)?;
            slot.insert_string(Str::Bytes(&text), None);
        }
        Slot::Occupied(mut slot) => {
            let value = match slot.as_str().ok_or(Failure::WRONG_TYPE)? {
                Str::Int(number) => LongDouble::from_i64(number),
                Str::Bytes(bytes) => LongDouble::parse(bytes).ok_or(Failure::NOT_A_FLOAT)?,
            };
            total(value, by?, &mut text)?;
            // Even a whole number stays a string of digits: that is how Redis stores it, and what OBJECT ENCODING tells.
            slot.set_string(Str::Bytes(&text));
        }
    }
    ctx.space.notify(Classes::STRING, "incrbyfloat", key);
    ctx.reply.bulk(&text);
    Ok(Effect::rewritten(&[b"SET", key, &text, b"KEEPTTL"]))
}

/// The sum as the text that is stored and answered.
fn total(a: LongDouble, b: LongDouble, text: &mut Vec<u8>) -> Result<(), Failure> {
    let sum = a + b;
    if sum.is_nan() || sum.is_infinite() {
        return Err(Failure::text("ERR increment would produce NaN or Infinity"));
    }
    sum.write_human(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn counters_begin_at_zero_and_go_as_they_came() {
        let mut h = Harness::new();
        h.check("incr k", ":1", "incr k");
        h.check("incr k", ":2", "incr k");
        h.check("decr k", ":1", "decr k");
        h.check("incrby k 17179869184", ":17179869185", "incrby k 17179869184");
        h.check("decrby k 17179869186", ":-1", "decrby k 17179869186");
        h.check("decrby new -5", ":5", "decrby new -5");
        h.reads("get k", "$2 -1");
        h.check("incrby zero 0", ":0", "incrby zero 0");
        assert_eq!(h.run("incr k").tally, Tally { dirty: 1, ..Tally::default() });
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        const NO_INTEGER: &str = "-ERR value is not an integer or out of range";
        let mut h = Harness::new();
        for text in ["x", "1.0", "01", "+1", "9223372036854775808", "\"\""] {
            h.run(&format!("set k {text}"));
            h.reads("incr k", NO_INTEGER);
            h.reads(&format!("incrby missing {text}"), NO_INTEGER);
        }
        h.run_words(&[b"set", b"k", b" 11"]);
        h.reads("incr k", NO_INTEGER);
        h.run_words(&[b"set", b"k", b"11 "]);
        h.reads("decr k", NO_INTEGER);
    }

    #[test]
    fn a_counter_stops_at_the_ends_of_its_range() {
        const OVERFLOW: &str = "-ERR increment or decrement would overflow";
        let mut h = Harness::new();
        h.run("set k 9223372036854775807");
        h.reads("incr k", OVERFLOW);
        h.run("set k -9223372036854775808");
        h.reads("decr k", OVERFLOW);
        h.reads("incrby k -1", OVERFLOW);
        h.reads("decrby k -9223372036854775808", "-ERR decrement would overflow");
        h.check("decrby k -9223372036854775807", ":-1", "decrby k -9223372036854775807");
    }

    #[test]
    fn floats_are_sent_as_their_sum() {
        let mut h = Harness::new();
        h.check("incrbyfloat k 1.5", "$3 1.5", "SET k 1.5 KEEPTTL");
        h.check("incrbyfloat k 1.25e1", "$2 14", "SET k 14 KEEPTTL");
        h.run("set k 3");
        h.check("incrbyfloat k 1.1", "$3 4.1", "SET k 4.1 KEEPTTL");
        h.check("incrbyfloat k -4.1", "$1 0", "SET k 0 KEEPTTL");
        h.run("set k 3.0e3");
        h.check("incrbyfloat k 200", "$4 3200", "SET k 3200 KEEPTTL");
        assert_eq!(h.run("incrbyfloat k 1").tally, Tally { dirty: 1, ..Tally::default() });
    }

    #[test]
    fn what_is_no_float_is_refused() {
        let mut h = Harness::new();
        h.reads("incrbyfloat k x", "-ERR value is not a valid float");
        h.reads("incrbyfloat k +inf", "-ERR increment would produce NaN or Infinity");
        h.reads("get k", "$-1");
        h.run("set k foo");
        h.reads("incrbyfloat k 1", "-ERR value is not a valid float");
        h.run_words(&[b"set", b"k", b" 11"]);
        h.reads("incrbyfloat k 1", "-ERR value is not a valid float");
    }

    #[test]
    fn a_counter_keeps_its_deadline() {
        let mut h = Harness::new();
        for change in ["incr k", "incrbyfloat k 1", "append k 1", "setrange k 0 1"] {
            h.run("set k 5 px 10");
            h.run(change);
            h.advance_ms(11);
            h.check("get k", "$-1", "DEL k");
        }
    }
}
