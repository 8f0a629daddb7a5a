//! BITOP: bitwise AND, OR, XOR and NOT of strings, stored under a key.
//!
//! Called through its row, with the shards of all keys locked. Always: an empty result deletes the destination.

use crate::commands::bitmap::BITMAP;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::types::bitmap::logic::{Combined, Logic};

pub const ROWS: &[Row] = &[Row {
    name: "bitop",
    arity: -4,
    flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
    keys: Keys::Range { first: 2, last: -1, step: 1 },
    access: &["OW", "update"],
    second_access: &["RO", "access"],
    since: "2.6.0",
    summary: "Performs bitwise operations on multiple strings, and stores the result.",
    complexity: "O(N)",
    run: Run::Keyed(bitop),
    ..BITMAP
}];

fn bitop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let logic = Logic::named(ctx.args.get(1)).ok_or(Failure::SYNTAX)?;
    if logic == Logic::Not && ctx.args.len() != 4 {
        return Err(Failure::text("ERR BITOP NOT must be called with a single source key."));
    }
    let mut result = Combined::new(logic);
    for key in ctx.args.from(3) {
        match ctx.space.read(key) {
            None => result.add(b""),
            Some(entry) => {
                let value = entry.as_str().ok_or(Failure::WRONG_TYPE)?;
                result.add(value.bytes(&mut itoa::Buffer::new()));
            }
        }
    }
    let (destination, len) = (ctx.args.get(2), result.bytes.len());
    let existed = ctx.space.delete(destination);
    if len > 0 {
        if let Slot::Vacant(slot) = ctx.space.slot(destination) {
            slot.insert_raw(result.bytes);
        }
        ctx.space.notify(Classes::STRING, "set", destination);
    } else if existed {
        ctx.space.notify(Classes::GENERIC, "del", destination);
    }
    ctx.reply.int(len as i64);
    Ok(Effect::verbatim_if(existed || len > 0))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn strings_are_combined_as_if_padded_with_zeros() {
        let mut h = Harness::new();
        h.run("set a abcdef");
        h.run("set b abc");
        h.check("bitop and d a b", ":6", "bitop and d a b");
        h.reads("get d", "$6 abc\0\0\0");
        h.check("bitop XOR d a b missing", ":6", "bitop XOR d a b missing");
        h.reads("get d", "$6 \0\0\0def");
        h.check("bitop or d d b", ":6", "bitop or d d b");
        h.reads("get d", "$6 abcdef");
        h.reads("object encoding d", "$3 raw");
        h.check("bitop and d d missing", ":6", "bitop and d d missing");
        h.reads("get d", "$6 \0\0\0\0\0\0");
        h.run("set n 12 ex 100");
        h.check("bitop or n n", ":2", "bitop or n n");
        h.reads("ttl n", ":-1");
        let outcome = h.run("bitop not d b");
        assert_eq!(outcome.reply, b":3\r\n");
        assert_eq!(h.run("get d").reply, b"$3\r\n\x9e\x9d\x9c\r\n");
    }

    #[test]
    fn an_empty_result_deletes_the_destination() {
        let mut h = Harness::new();
        h.check("bitop or d missing", ":0", "");
        h.run("set d x");
        h.check("bitop or d missing other", ":0", "bitop or d missing other");
        h.reads("exists d", ":0");
        h.reads("bitop not d a b", "-ERR BITOP NOT must be called with a single source key.");
        h.reads("bitop nand d a b", "-ERR syntax error");
    }
}
