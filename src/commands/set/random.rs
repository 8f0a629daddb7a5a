//! SPOP and SRANDMEMBER: members by chance.
//!
//! Called through their rows. Always: every member is as likely as any other; replicas are told which ones were taken, as
//! SREM, or DEL if all of them were.

use std::collections::HashSet;

use crate::base::number::parse_i64;
use crate::base::random::Rng;
use crate::codec::listpack::Item;
use crate::commands::set::{SET, write_member};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Rewrite, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::resp::reply::Reply;
use crate::types::set::SetForm;
use crate::types::{Collection, Set};

pub const ROWS: &[Row] = &[
    Row {
        name: "spop",
        arity: -2,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "access", "delete"],
        tips: &["nondeterministic_output"],
        summary: "Removes members of a set by chance and returns them.",
        complexity: "O(1) without a count, otherwise O(N) where N is the count.",
        run: Run::Keyed(spop),
        ..SET
    },
    Row {
        name: "srandmember",
        arity: -2,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        tips: &["nondeterministic_output"],
        summary: "Returns members of a set by chance.",
        complexity: "O(1) without a count, otherwise O(N) where N is the absolute value of the count.",
        run: Run::Keyed(srandmember),
        ..SET
    },
];

/// Members in one SREM of the stream: Redis' number; a request of more than a million words would be refused.
const SREM_MEMBERS_MAX: usize = 1024;

fn spop(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => {
            let count = parse_i64(ctx.args.get(2)).and_then(|count| usize::try_from(count).ok());
            pop_several(ctx, count.ok_or(Failure::text("ERR value is out of range, must be positive"))?)
        }
        _ => Err(Failure::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (key, is_followed) = (ctx.args.get(1), ctx.space.around().is_followed);
    let Some(mut edit) = ctx.space.edit::<Set>(key)? else {
        ctx.reply.null();
        return Ok(Effect::None);
    };
    let position = edit.pick(ctx.rng).expect("a set in the keyspace is not empty");
    let member = edit.get(position);
    write_member(ctx.reply, member);
    let effect = Effect::rewritten_for(is_followed, &[b"SREM", key, member.bytes(&mut itoa::Buffer::new())]);
    edit.change().remove_at(position);
    edit.changed(1);
    edit.notify(Classes::SET, "spop");
    Ok(effect)
}

fn pop_several(ctx: &mut Ctx<'_, '_>, count: usize) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let Some(mut edit) = ctx.space.edit::<Set>(key)?.filter(|_| count > 0) else {
        // A key of another type has been refused by now, whatever the count.
        ctx.reply.set(0);
        return Ok(Effect::None);
    };
    let len = edit.len();
    if count >= len {
        ctx.reply.set(len);
        edit.for_each(|member| write_member(ctx.reply, member));
        edit.clear();
        edit.changed(len as u64);
        edit.notify(Classes::SET, "spop");
        return Ok(Effect::rewritten(&[b"DEL", key]));
    }
    ctx.reply.set(count);
    let mut popped: Vec<Vec<u8>> = Vec::new();
    let set = edit.change();
    for _ in 0..count {
        let position = set.pick(ctx.rng).expect("fewer than all are taken");
        let member = set.get(position);
        write_member(ctx.reply, member);
        popped.push(member.to_vec());
        set.remove_at(position);
    }
    edit.changed(count as u64);
    edit.notify(Classes::SET, "spop");
    Ok(Effect::Rewritten(removal_of(key, &popped)))
}

fn removal_of(key: &[u8], members: &[Vec<u8>]) -> Rewrite {
    let mut rewrite = Rewrite::default();
    for some in members.chunks(SREM_MEMBERS_MAX) {
        let words: Vec<&[u8]> =
            [b"SREM".as_slice(), key].into_iter().chain(some.iter().map(Vec::as_slice)).collect();
        rewrite.push(&words);
    }
    rewrite
}

fn srandmember(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let count = match ctx.args.len() {
        2 => None,
        3 => Some(ctx.args.int(2)?),
        _ => return Err(Failure::SYNTAX),
    };
    if count == Some(i64::MIN) {
        return Err(Failure::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let set = ctx.space.read_as::<Set>(ctx.args.get(1))?;
    match (set, count) {
        (None, None) => ctx.reply.null(),
        (None, Some(_)) | (Some(_), Some(0)) => ctx.reply.array(0),
        (Some(set), None) => {
            let position = set.pick(ctx.rng).expect("a set in the keyspace is not empty");
            write_member(ctx.reply, set.get(position));
        }
        (Some(set), Some(count)) if count < 0 => {
            show_repeated(ctx.reply, ctx.rng, set, count.unsigned_abs() as usize);
        }
        (Some(set), Some(count)) => show_distinct(ctx.reply, ctx.rng, set, count as usize),
    }
    Ok(Effect::None)
}

/// Members by position in one step each, also of a listpack.
fn by_position(set: &Set) -> Option<Vec<Item<'_>>> {
    match set.form() {
        SetForm::Listpack(list) => Some(list.iter().collect()),
        SetForm::Intset(_) | SetForm::Table(_) => None,
    }
}

/// The same member may be shown several times.
fn show_repeated(reply: &mut Reply, rng: &mut Rng, set: &Set, count: usize) {
    reply.array(count);
    let items = by_position(set);
    for _ in 0..count {
        let position = set.pick(rng).expect("a set in the keyspace is not empty");
        write_member(reply, items.as_ref().map_or_else(|| set.get(position), |items| items[position]));
        // A client names the count, so it must not name how much memory this takes.
        if reply.is_beyond_limit() {
            break;
        }
    }
}

/// Asking for more than this part of a set, its positions are shuffled; for less, chosen until they are distinct.
const SHUFFLE_PART: usize = 3;

fn show_distinct(reply: &mut Reply, rng: &mut Rng, set: &Set, count: usize) {
    let (len, items) = (set.len(), by_position(set));
    let show = |reply: &mut Reply, position: usize| {
        write_member(reply, items.as_ref().map_or_else(|| set.get(position), |items| items[position]));
    };
    if count >= len {
        reply.array(len);
        (0..len).for_each(|position| show(reply, position));
    } else if count > len / SHUFFLE_PART {
        reply.array(count);
        let mut positions: Vec<usize> = (0..len).collect();
        for at in 0..count {
            positions.swap(at, at + rng.below((len - at) as u64) as usize);
            show(reply, positions[at]);
        }
    } else {
        reply.array(count);
        let mut chosen = HashSet::with_capacity(count);
        while chosen.len() < count {
            let position = rng.below(len as u64) as usize;
            if chosen.insert(position) {
                show(reply, position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    /// The words of a reply or effect in order, without what is the same whatever chance decides.
    fn sorted(text: &str, skip: usize) -> Vec<String> {
        let mut words: Vec<String> =
            text.split(' ').skip(skip).filter(|word| !word.starts_with('$')).map(str::to_owned).collect();
        words.sort();
        words
    }

    #[test]
    fn what_was_popped_is_removed_from_replicas() {
        let mut h = Harness::new();
        h.run("sadd s 1 2 3 4 5 6");
        let one = h.run("spop s");
        assert_eq!(format!("SREM s {}", sorted(&one.reply_text(), 0)[0]), one.effect_text());
        let three = h.run("spop s 3");
        assert_eq!(sorted(&three.reply_text(), 1), sorted(&three.effect_text(), 2));
        assert_eq!(three.tally.dirty, 3);
        let rest = h.run("spop s 9");
        assert_eq!((rest.effect_text().as_str(), rest.tally.dirty), ("DEL s", 2));
        h.reads("exists s", ":0");
        h.run("sadd s x");
        h.check("spop s", "$1 x", "SREM s x");
        h.reads("exists s", ":0");
    }

    #[test]
    fn many_members_are_removed_in_requests_of_limited_length() {
        let mut h = Harness::new();
        let members: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
        h.run(&format!("sadd s {}", members.join(" ")));
        let outcome = h.run("spop s 2999");
        let lengths: Vec<usize> =
            outcome.effect_text().split("; ").map(|command| command.split(' ').count() - 2).collect();
        assert_eq!(lengths, [1024, 1024, 951]);
        h.reads("scard s", ":1");
    }

    #[test]
    fn counts_are_read_as_redis_reads_them() {
        let mut h = Harness::new();
        h.run("sadd s a");
        h.run("set str v");
        let positive = "-ERR value is out of range, must be positive";
        ["-1", "x", "9999999999999999999"].iter().for_each(|n| h.reads(&format!("spop s {n}"), positive));
        h.reads("spop s 0", "*0");
        h.reads("spop none", "$-1");
        h.reads("spop none 3", "*0");
        h.reads("spop s 1 2", "-ERR syntax error");
        h.reads("spop str 0", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.reads("srandmember s x", "-ERR value is not an integer or out of range");
        h.reads(
            "srandmember s -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        );
        h.reads("srandmember s 1 2", "-ERR syntax error");
        h.reads("srandmember s 0", "*0");
        h.reads("srandmember none", "$-1");
        h.reads("srandmember none -3", "*0");
        h.reads("srandmember s -3", "*3 $1 a $1 a $1 a");
        h.session.resp3 = true;
        h.reads("spop none 3", "~0");
        h.reads("srandmember s 5", "*1 $1 a");
        h.check("spop s 5", "~1 $1 a", "DEL s");
    }

    #[test]
    fn distinct_members_are_distinct_in_every_form() {
        let mut h = Harness::new();
        h.run(&format!("sadd ints {}", (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")));
        h.run(&format!("sadd pack x {}", (0..59).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")));
        h.run(&format!("sadd table {}", (0..60).map(|n| format!("{n:040}")).collect::<Vec<_>>().join(" ")));
        for key in ["ints", "pack", "table"] {
            for count in [1, 5, 20, 21, 59, 60, 61] {
                let mut members = sorted(&h.run(&format!("srandmember {key} {count}")).reply_text(), 1);
                members.dedup();
                assert_eq!(members.len(), count.min(60), "{key} {count}");
            }
        }
    }
}
