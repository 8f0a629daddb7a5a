//! BITFIELD and BITFIELD_RO: a string as an array of integers of any width.
//!
//! ```text
//!  BITFIELD key [OVERFLOW WRAP|SAT|FAIL] [GET type offset] [SET type offset value] [INCRBY type offset by] ...
//! ```
//!
//! Called through their rows. Always: the whole request is read before anything is changed; a request that writes makes
//! room for its farthest bit first, even where the write itself then fails.

use crate::commands::bitmap::{BITMAP, bytes_for, offset};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Slot;
use crate::resp::reply::Reply;
use crate::types::bitmap::field::{Field, Overflow};

pub const ROWS: &[Row] = &[
    Row {
        name: "bitfield",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "access", "update", "variable_flags"],
        key_notes: "This command allows both access and modification of the key",
        since: "3.2.0",
        summary: "Performs arbitrary bitfield integer operations on strings.",
        complexity: "O(1) for each subcommand specified",
        run: Run::Keyed(bitfield),
        ..BITMAP
    },
    Row {
        name: "bitfield_ro",
        arity: -2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO", "access"],
        since: "6.0.0",
        summary: "Performs arbitrary read-only bitfield integer operations on strings.",
        complexity: "O(1) for each subcommand specified",
        run: Run::Keyed(bitfield_ro),
        ..BITMAP
    },
];

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    IncrBy(i64),
}

#[derive(Clone, Copy)]
struct Step {
    action: Action,
    field: Field,
    offset: u64,
    overflow: Overflow,
}

impl Step {
    fn writes(&self) -> bool {
        match self.action {
            Action::Get => false,
            Action::Set(_) | Action::IncrBy(_) => true,
        }
    }

    /// The new value and the answer; None if an overflow forbids both.
    fn outcome(&self, old: i64) -> Option<(i64, i64)> {
        match self.action {
            Action::Get => Some((old, old)),
            Action::Set(value) => self.field.fit(value, self.overflow).map(|new| (new, old)),
            Action::IncrBy(by) => self.field.add(old, by, self.overflow).map(|new| (new, new)),
        }
    }
}

fn bitfield(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let steps = parse(ctx)?;
    let farthest = steps.iter().filter(|step| step.writes()).map(|step| {
        // An offset is far below the end of 64 bits: it was parsed as a signed number.
        step.offset + u64::from(step.field.bits) - 1
    });
    match farthest.max() {
        None => read(ctx, &steps),
        Some(bit) => write(ctx, &steps, bytes_for(bit)),
    }
}

fn bitfield_ro(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let steps = parse(ctx)?;
    if steps.iter().any(Step::writes) {
        return Err(Failure::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(ctx, &steps)
}

fn parse(ctx: &Ctx<'_, '_>) -> Result<Vec<Step>, Failure> {
    let args = &ctx.args;
    let mut steps = Vec::new();
    let (mut at, mut overflow) = (2, Overflow::Wrap);
    while at < args.len() {
        let left = args.len() - at - 1;
        if args.is(at, "overflow") && left >= 1 {
            overflow = Overflow::named(args.get(at + 1))
                .ok_or(Failure::text("ERR Invalid OVERFLOW type specified"))?;
            at += 2;
            continue;
        }
        let (is_set, is_incr) = (args.is(at, "set") && left >= 3, args.is(at, "incrby") && left >= 3);
        let is_get = args.is(at, "get") && left >= 2;
        if !(is_set || is_incr || is_get) {
            return Err(Failure::SYNTAX);
        }
        let field = Field::parse(args.get(at + 1)).ok_or(Failure::text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        ))?;
        let offset = offset(ctx, at + 2, Some(field.bits))?;
        let action = match (is_set, is_incr) {
            (true, _) => Action::Set(args.int(at + 3)?),
            (_, true) => Action::IncrBy(args.int(at + 3)?),
            (false, false) => Action::Get,
        };
        at += if is_set || is_incr { 4 } else { 3 };
        steps.push(Step { action, field, offset, overflow });
    }
    Ok(steps)
}

fn read(ctx: &mut Ctx<'_, '_>, steps: &[Step]) -> Result<Effect, Failure> {
    let mut digits = itoa::Buffer::new();
    let value = match ctx.space.read(ctx.args.get(1)) {
        None => None,
        Some(entry) => Some(entry.as_str().ok_or(Failure::WRONG_TYPE)?),
    };
    let bytes = value.as_ref().map_or(&[] as &[u8], |value| value.bytes(&mut digits));
    ctx.reply.array(steps.len());
    steps.iter().for_each(|step| ctx.reply.int(step.field.get(bytes, step.offset)));
    Ok(Effect::None)
}

fn write(ctx: &mut Ctx<'_, '_>, steps: &[Step], size: usize) -> Result<Effect, Failure> {
    let reply = &mut *ctx.reply;
    match ctx.space.slot(ctx.args.get(1)) {
        Slot::Vacant(slot) => {
            let mut bytes = Vec::new();
            apply(steps, &mut bytes, size, reply);
            slot.insert_raw(bytes);
        }
        Slot::Occupied(mut slot) => {
            let value = slot.as_str().ok_or(Failure::WRONG_TYPE)?;
            let mut digits = itoa::Buffer::new();
            if !changes(steps, value.bytes(&mut digits), size) {
                let bytes = value.bytes(&mut digits);
                reply.array(steps.len());
                steps.iter().for_each(|step| answer(step, step.field.get(bytes, step.offset), reply));
                slot.change_nothing();
                return Ok(Effect::None);
            }
            slot.change_bytes(|bytes| apply(steps, bytes, size, reply));
        }
    }
    ctx.space.notify(Classes::STRING, "setbit", ctx.args.get(1));
    Ok(Effect::Verbatim)
}

/// Does any step change the string? Up to the first one that does, none has, so each sees the string as it is.
fn changes(steps: &[Step], bytes: &[u8], size: usize) -> bool {
    let changes = |step: &Step| {
        let old = step.field.get(bytes, step.offset);
        step.writes() && step.outcome(old).is_some_and(|(new, _)| new != old)
    };
    bytes.len() < size || steps.iter().any(changes)
}

fn apply(steps: &[Step], bytes: &mut Vec<u8>, size: usize, reply: &mut Reply) {
    if bytes.len() < size {
        bytes.resize(size, 0);
    }
    reply.array(steps.len());
    for step in steps {
        let old = step.field.get(bytes, step.offset);
        answer(step, old, reply);
        if step.writes()
            && let Some((new, _)) = step.outcome(old)
        {
            step.field.set(bytes, step.offset, new);
        }
    }
}

fn answer(step: &Step, old: i64, reply: &mut Reply) {
    match step.outcome(old) {
        Some((_, answer)) => reply.int(answer),
        None => reply.null(),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn fields_are_read_set_and_incremented() {
        let mut h = Harness::new();
        h.reads("bitfield k get u8 0", "*1 :0");
        h.reads("bitfield k", "*0");
        h.reads("exists k", ":0");
        h.check("bitfield k set i8 0 -100 set i8 8 101", "*2 :0 :0", "bitfield k set i8 0 -100 set i8 8 101");
        h.reads("bitfield k get i8 #0 get i8 #1 get u16 0 get u4 100", "*4 :-100 :101 :40037 :0");
        h.check("bitfield k incrby i8 0 -28", "*1 :-128", "bitfield k incrby i8 0 -28");
        h.check("bitfield k incrby i8 0 -1", "*1 :127", "bitfield k incrby i8 0 -1");
        h.reads("bitfield_ro k get i8 0", "*1 :127");
        h.reads("bitfield_ro k set i8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand");
        h.run("set n 12");
        h.reads("bitfield_ro n get u8 0 get u8 8", "*2 :49 :50");
    }

    #[test]
    fn overflow_applies_to_the_steps_behind_it() {
        let mut h = Harness::new();
        let all =
            "bitfield k overflow sat incrby u8 0 300 overflow fail incrby u8 0 1 overflow wrap incrby u8 0 1";
        h.check(all, "*3 :255 $-1 :0", all);
        let all = "bitfield k overflow fail set u2 0 4 get u2 0";
        h.reads(all, "*2 $-1 :0");
        h.reads("bitfield k overflow what set u2 0 4", "-ERR Invalid OVERFLOW type specified");
    }

    #[test]
    fn a_request_that_changes_no_bit_is_no_change() {
        let mut h = Harness::new();
        h.run("bitfield k set u8 0 5");
        h.reads("bitfield k set u8 0 5 get u8 0", "*2 :5 :5");
        h.check("bitfield k set u8 8 0", "*1 :0", "bitfield k set u8 8 0");
        h.check(
            "bitfield new overflow fail incrby u1 0 9",
            "*1 $-1",
            "bitfield new overflow fail incrby u1 0 9",
        );
        h.reads("strlen new", ":1");
        // The second step undoes the first: a change all the same.
        let both = "bitfield k set u8 0 6 set u8 0 5";
        h.check(both, "*2 :5 :6", both);
    }

    #[test]
    fn what_is_wrong_with_a_request_changes_nothing() {
        let mut h = Harness::new();
        const TYPE: &str = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        h.reads("bitfield k set u64 0 1", TYPE);
        h.reads("bitfield k set u8 0 1 get u0 0", TYPE);
        h.reads("bitfield k get u8", "-ERR syntax error");
        h.reads("bitfield k set u8 0", "-ERR syntax error");
        h.reads("bitfield k overflow", "-ERR syntax error");
        h.reads("bitfield k set u8 0 x", "-ERR value is not an integer or out of range");
        h.reads("bitfield k set u8 -1 1", "-ERR bit offset is not an integer or out of range");
        h.reads(
            "bitfield k set u8 #9223372036854775807 1",
            "-ERR bit offset is not an integer or out of range",
        );
        h.reads("exists k", ":0");
    }
}
