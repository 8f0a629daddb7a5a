//! PFADD, PFCOUNT and PFMERGE.
//!
//! Called through their rows. Always: the bytes that result are those that Redis makes of the same commands; a count that
//! is stored in the header is a change and goes into the stream as the PFCOUNT that made it.

use crate::commands::hyperloglog::{HYPERLOGLOG, sketch_of};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, Slot};
use crate::types::hyperloglog::{
    Excess, Form, HEADER_BYTES, Pattern, REGISTERS, add, cached, count, count_registers, dense, empty,
    forget_cached, form, merge, set_cached, to_dense,
};

pub const ROWS: &[Row] = &[
    Row {
        name: "pfadd",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        keys: Keys::ONE,
        access: &["RW", "insert"],
        summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        complexity: "O(1) to add every element.",
        run: Run::Keyed(pfadd),
        ..HYPERLOGLOG
    },
    Row {
        name: "pfcount",
        arity: -2,
        flags: flags(&[Flags::READONLY, Flags::MAY_REPLICATE]),
        keys: Keys::ALL,
        access: &["RW", "access"],
        key_notes: "RW because it may change the internal representation of the key, and propagate to replicas",
        summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        run: Run::Keyed(pfcount),
        ..HYPERLOGLOG
    },
    Row {
        name: "pfmerge",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::ALL,
        access: &["RW", "access", "insert"],
        second_access: &["RO", "access"],
        summary: "Merges one or more HyperLogLog values into a single key.",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        run: Run::Keyed(pfmerge),
        ..HYPERLOGLOG
    },
];

fn pfadd(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let limits = (ctx.config.hll_sparse_max_bytes, excess(ctx));
    let elements = || ctx.args.from(2).map(Pattern::of);
    let changed = match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            let mut bytes = empty();
            add_all(&mut bytes, elements(), limits)?;
            forget_cached(&mut bytes);
            slot.insert_raw(bytes);
            true
        }
        Slot::Occupied(mut slot) => {
            let (bytes, form) = sketch_of(slot.entry())?;
            let changed = match form {
                Form::Dense => {
                    let registers = &bytes[HEADER_BYTES..];
                    let changes = elements().any(|pattern| dense::would_raise(registers, pattern));
                    if changes {
                        slot.change_bytes(|bytes| {
                            elements().for_each(|pattern| {
                                dense::raise(&mut bytes[HEADER_BYTES..], pattern);
                            });
                            forget_cached(bytes);
                        });
                    }
                    changes
                }
                Form::Sparse => {
                    // A copy, since an element may find the sketch corrupt when others have been added already.
                    let mut copy = bytes.to_vec();
                    let changes = add_all(&mut copy, elements(), limits)?;
                    if changes {
                        forget_cached(&mut copy);
                        slot.change_bytes(|bytes| *bytes = copy);
                    }
                    changes
                }
            };
            if !changed {
                slot.change_nothing();
            }
            changed
        }
    };
    if changed {
        ctx.space.notify(Classes::STRING, "pfadd", ctx.args.get(1));
    }
    ctx.reply.int(i64::from(changed));
    Ok(Effect::verbatim_if(changed))
}

/// Adds patterns to a sketch; true if any changed it.
fn add_all(
    bytes: &mut Vec<u8>,
    patterns: impl Iterator<Item = Pattern>,
    (sparse_max, excess): (usize, Excess),
) -> Result<bool, Failure> {
    let mut form = form(bytes).expect("the caller has looked, or made it");
    let mut changed = false;
    for pattern in patterns {
        if add(bytes, form, pattern, sparse_max, excess)? {
            changed = true;
            form = crate::types::hyperloglog::form(bytes).expect("adding keeps a sketch one");
        }
    }
    Ok(changed)
}

/// A sketch that the primary's version takes for one is none that we could refuse.
fn excess(ctx: &Ctx<'_, '_>) -> Excess {
    if ctx.from_primary { Excess::Ignored } else { Excess::Corrupt }
}

fn pfcount(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    if ctx.args.len() > 2 {
        let mut max = [0; REGISTERS];
        for key in ctx.args.from(1) {
            if let Some(entry) = ctx.space.read(key) {
                let (bytes, form) = sketch_of(entry)?;
                merge(&mut max, bytes, form, Excess::Corrupt)?;
            }
        }
        ctx.reply.int(count_registers(&max) as i64);
        return Ok(Effect::None);
    }
    let key = ctx.args.get(1);
    let cardinality = match ctx.space.read(key) {
        None => Some(0),
        Some(entry) => cached(sketch_of(entry)?.0),
    };
    if let Some(cardinality) = cardinality {
        ctx.reply.int(cardinality as i64);
        return Ok(Effect::None);
    }
    // A replica's data is its primary's: there a client's question leaves no trace.
    let may_store = ctx.space.around().expiry != Expiry::Hide;
    let Slot::Occupied(mut slot) = ctx.space.slot(key) else { return Ok(Effect::None) };
    let (bytes, form) = sketch_of(slot.entry())?;
    let cardinality = count(bytes, form)?;
    if may_store {
        slot.change_bytes(|bytes| set_cached(bytes, cardinality));
    }
    ctx.reply.int(cardinality as i64);
    Ok(Effect::verbatim_if(may_store))
}

fn pfmerge(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut max = [0; REGISTERS];
    let (mut is_dense, excess) = (false, excess(ctx));
    for key in ctx.args.from(1) {
        if let Some(entry) = ctx.space.read(key) {
            let (bytes, form) = sketch_of(entry)?;
            is_dense |= form == Form::Dense;
            merge(&mut max, bytes, form, excess)?;
        }
    }
    let sparse_max = ctx.config.hll_sparse_max_bytes;
    let raise = |mut bytes: Vec<u8>| -> Result<Vec<u8>, Failure> {
        if is_dense && form(&bytes) == Some(Form::Sparse) {
            bytes = to_dense(&bytes, excess)?;
        }
        let registers = max.iter().enumerate().filter(|(_, value)| **value > 0);
        add_all(
            &mut bytes,
            registers.map(|(register, value)| Pattern { register, value: *value }),
            (sparse_max, excess),
        )?;
        forget_cached(&mut bytes);
        Ok(bytes)
    };
    match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            let bytes = raise(empty())?;
            slot.insert_raw(bytes);
        }
        Slot::Occupied(mut slot) => {
            let merged = raise(sketch_of(slot.entry())?.0.to_vec())?;
            slot.change_bytes(|bytes| *bytes = merged);
        }
    }
    // An event of its own would say nothing more: it is an addition of many elements.
    ctx.space.notify(Classes::STRING, "pfadd", ctx.args.get(1));
    ctx.reply.simple("OK");
    Ok(Effect::Verbatim)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn elements_are_added_and_counted() {
        let mut h = Harness::new();
        h.reads("pfcount k", ":0");
        h.check("pfadd k", ":1", "pfadd k");
        h.reads("pfadd k", ":0");
        h.check("pfadd k a b c", ":1", "pfadd k a b c");
        h.reads("pfadd k a b", ":0");
        h.check("pfcount k", ":3", "pfcount k");
        h.reads("pfcount k", ":3");
        h.run("pfadd l c d");
        h.reads("pfcount k l missing", ":4");
        h.check("pfmerge m k l", "+OK", "pfmerge m k l");
        h.check("pfcount m", ":4", "pfcount m");
        h.reads("strlen k", ":27");
        h.reads("object encoding k", "$3 raw");
    }

    #[test]
    fn a_question_to_a_replica_changes_nothing() {
        let mut h = Harness::new();
        h.run("pfadd k a");
        h.expiry = crate::keyspace::space::Expiry::Hide;
        h.reads("pfcount k", ":1");
        h.expiry = crate::keyspace::space::Expiry::Delete;
        h.check("pfcount k", ":1", "pfcount k");
    }

    #[test]
    fn sketches_become_dense_when_they_grow() {
        let mut h = Harness::new();
        h.configure(|config| config.hll_sparse_max_bytes = 25);
        h.run("pfadd k a b c d e f g h");
        h.reads("strlen k", ":12304");
        h.reads("pfadd k a", ":0");
        h.check("pfadd k z", ":1", "pfadd k z");
        h.run("pfadd s a");
        h.check("pfmerge s k", "+OK", "pfmerge s k");
        h.reads("strlen s", ":12304");
        h.reads("pfcount k s", ":9");
    }

    #[test]
    fn what_is_no_sketch_is_refused_and_left_as_it_is() {
        const TYPE: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
        const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected";
        let mut h = Harness::new();
        h.run("set k 12");
        h.run("set l foobar");
        for request in ["pfadd k a", "pfadd l a", "pfcount k", "pfcount l k", "pfmerge m k", "pfmerge l"] {
            h.reads(request, TYPE);
        }
        // A sketch whose runs end early, with an out-of-date cardinality.
        h.run_words(&[b"set", b"k", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x00"]);
        for request in ["pfadd k a", "pfcount k", "pfcount k k", "pfmerge m k", "pfmerge k"] {
            h.reads(request, CORRUPT);
        }
        h.reads("strlen k", ":17");
        h.reads("exists m", ":0");
        // A complete sketch with a value behind it.
        h.run_words(&[b"set", b"k", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff\x80"]);
        for request in ["pfcount k", "pfcount k k", "pfmerge m k", "pfmerge k"] {
            h.reads(request, CORRUPT);
        }
        h.from_primary = true;
        h.check("pfmerge m k", "+OK", "pfmerge m k");
        h.check("pfmerge k m", "+OK", "pfmerge k m");
        h.reads("strlen k", ":19");
        h.reads("strlen m", ":18");
    }
}
