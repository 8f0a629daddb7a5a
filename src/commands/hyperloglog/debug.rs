//! PFDEBUG and PFSELFTEST: looking into sketches.
//!
//! Called through their rows. Always: what turns a sketch into its dense form goes into the stream, for it changes bytes.

use crate::commands::hyperloglog::{HYPERLOGLOG, sketch_of};
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::space::{Occupied, Slot};
use crate::types::hyperloglog::sparse::{self, Run as Registers};
use crate::types::hyperloglog::{
    Excess, Form, HEADER_BYTES, Pattern, add, count, dense, empty, form, to_dense,
};

pub const ROWS: &[Row] = &[
    Row {
        name: "pfdebug",
        arity: 3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::ADMIN]),
        keys: Keys::Range { first: 2, last: 2, step: 1 },
        access: &["RW", "access"],
        summary: "Internal commands for debugging HyperLogLog values.",
        complexity: "N/A",
        run: Run::Keyed(pfdebug),
        ..HYPERLOGLOG
    },
    Row {
        name: "pfselftest",
        arity: 1,
        flags: flags(&[Flags::ADMIN]),
        summary: "An internal command for testing HyperLogLog values.",
        complexity: "N/A",
        run: Run::Control(pfselftest),
        ..HYPERLOGLOG
    },
];

fn pfdebug(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let Slot::Occupied(mut slot) = ctx.space.slot(ctx.args.get(2)) else {
        return Err(Failure::text("ERR The specified key does not exist"));
    };
    let (bytes, form) = sketch_of(slot.entry())?;
    match ctx.args.get(1).to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let changed = make_dense(&mut slot)?;
            let (bytes, _) = sketch_of(slot.entry())?;
            ctx.reply.array(crate::types::hyperloglog::REGISTERS);
            dense::values(&bytes[HEADER_BYTES..]).for_each(|value| ctx.reply.int(i64::from(value)));
            Ok(Effect::verbatim_if(changed))
        }
        b"decode" => {
            if form == Form::Dense {
                return Err(Failure::text("ERR HLL encoding is not sparse"));
            }
            let runs: Vec<String> = sparse::runs(&bytes[HEADER_BYTES..]).map(describe).collect();
            ctx.reply.bulk(runs.join(" ").as_bytes());
            Ok(Effect::None)
        }
        b"encoding" => {
            ctx.reply.simple(match form {
                Form::Dense => "dense",
                Form::Sparse => "sparse",
            });
            Ok(Effect::None)
        }
        b"todense" => {
            let changed = make_dense(&mut slot)?;
            ctx.reply.int(i64::from(changed));
            Ok(Effect::verbatim_if(changed))
        }
        _ => {
            let word = String::from_utf8_lossy(ctx.args.get(1)).into_owned();
            Err(Failure::new(format!("ERR Unknown PFDEBUG subcommand '{word}'")))
        }
    }
}

/// Turns a sketch into its dense form; false if it had it.
fn make_dense(slot: &mut Occupied<'_, '_>) -> Result<bool, Failure> {
    let (bytes, form) = sketch_of(slot.entry())?;
    if form == Form::Dense {
        return Ok(false);
    }
    let dense = to_dense(bytes, Excess::Corrupt)?;
    slot.change_bytes(|bytes| *bytes = dense);
    Ok(true)
}

fn describe(run: Registers) -> String {
    match run {
        Registers::Zero(len) => format!("z:{len}"),
        Registers::LongZero(len) => format!("Z:{len}"),
        Registers::Value { value, len } => format!("v:{value},{len}"),
    }
}

/// Up to so many elements are added to the sketches of the self-test.
const ELEMENTS: u64 = 1_000_000;

/// Both forms have to agree, and the estimate must be as good as theory promises.
fn pfselftest(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let seed = control.rng.next_u64();
    let sparse_max = control.host.config().load().hll_sparse_max_bytes;
    let (mut compact, mut plain) = (empty(), to_dense(&empty(), Excess::Corrupt)?);
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let pattern = Pattern::of(&(number ^ seed).to_le_bytes());
        dense::raise(&mut plain[HEADER_BYTES..], pattern);
        let compact_form = form(&compact).expect("made here");
        add(&mut compact, compact_form, pattern, sparse_max, Excess::Corrupt)?;
        if number == checkpoint {
            checkpoint *= 10;
            check(number, &compact, &plain, sparse_max)?;
        }
    }
    control.reply.simple("OK");
    Ok(())
}

fn check(elements: u64, compact: &[u8], plain: &[u8], sparse_max: usize) -> Result<(), Failure> {
    let compact_form = form(compact).expect("made by the self-test");
    if elements < sparse_max as u64 / 2 && compact_form != Form::Sparse {
        return Err(Failure::text("ERR TESTFAILED sparse encoding not used"));
    }
    let estimate = count(plain, Form::Dense)?;
    if count(compact, compact_form)? != estimate {
        return Err(Failure::text("ERR TESTFAILED dense/sparse disagree"));
    }
    // Six standard errors, and one element where these are a fraction of one.
    let error_max = (1.04 / 128.0 * 6.0 * elements as f64).ceil() as u64;
    let error = estimate.abs_diff(elements);
    if error > error_max {
        return Err(Failure::new(format!("ERR TESTFAILED Too big error. card:{elements} abserr:{error}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn sketches_are_shown_and_converted() {
        let mut h = Harness::new();
        h.reads("pfdebug encoding k", "-ERR The specified key does not exist");
        h.run("pfadd k");
        h.reads("pfdebug decode k", "$7 Z:16384");
        h.reads("pfdebug encoding k", "+sparse");
        h.reads("pfdebug what k", "-ERR Unknown PFDEBUG subcommand 'what'");
        h.check("pfdebug todense k", ":1", "pfdebug todense k");
        h.reads("pfdebug todense k", ":0");
        h.reads("pfdebug encoding k", "+dense");
        h.reads("pfdebug decode k", "-ERR HLL encoding is not sparse");
        h.run("pfadd l a");
        assert_eq!(h.run("pfdebug getreg l").effect_text(), "pfdebug getreg l");
    }
}
