//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT and HPERSIST: deadlines of fields.
//!
//! ```text
//!  HEXPIRE key seconds [NX | XX | GT | LT] FIELDS count field ...   ->   for each field:
//!  1 it has the deadline   0 the condition is not met   2 that time is over, so it was removed   -2 there is no such field
//! ```
//!
//! Called through their rows. Always: the stream names the fields that changed and no others, with the moment itself;
//! what a primary sends is set as it comes, also if it is over.

use crate::base::ids::UnixMs;
use crate::commands::generic::expire::Conditions;
use crate::commands::hash::fields::{
    BAD_COUNT, find_fields_word, first_field, push_deadline, push_persist, push_removal,
};
use crate::commands::hash::{HASH, clock};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Rewrite, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Space;
use crate::types::hash::Removed;
use crate::types::{Collection, Hash};

const EXPIRE: Row = Row {
    arity: -6,
    flags: flags(&[Flags::WRITE, Flags::FAST]),
    access: &["RW", "update"],
    since: "9.0.0",
    complexity: "O(N) where N is the number of fields.",
    ..HASH
};

pub const ROWS: &[Row] = &[
    Row {
        name: "hexpire",
        summary: "Sets the time after which fields of a hash expire, in seconds.",
        run: Run::Keyed(|ctx| expire(ctx, Unit::Seconds, ctx.now().0)),
        ..EXPIRE
    },
    Row {
        name: "hpexpire",
        summary: "Sets the time after which fields of a hash expire, in milliseconds.",
        run: Run::Keyed(|ctx| expire(ctx, Unit::Milliseconds, ctx.now().0)),
        ..EXPIRE
    },
    Row {
        name: "hexpireat",
        summary: "Sets the moment at which fields of a hash expire, in Unix seconds.",
        run: Run::Keyed(|ctx| expire(ctx, Unit::Seconds, 0)),
        ..EXPIRE
    },
    Row {
        name: "hpexpireat",
        summary: "Sets the moment at which fields of a hash expire, in Unix milliseconds.",
        run: Run::Keyed(|ctx| expire(ctx, Unit::Milliseconds, 0)),
        ..EXPIRE
    },
    Row {
        name: "hpersist",
        arity: -5,
        summary: "Lets fields of a hash stay for good.",
        run: Run::Keyed(persist),
        ..EXPIRE
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// The argument at `at` as a moment, counted from `base`.
///
/// # Errors
/// It is no number, a negative one, or one that leads beyond all time.
pub(super) fn moment(
    args: &Args<'_>,
    at: usize,
    unit: Unit,
    base: i64,
    full_name: &str,
) -> Result<UnixMs, Failure> {
    let number = args.int(at)?;
    let ms = match unit {
        Unit::Seconds => number.checked_mul(1000),
        Unit::Milliseconds => Some(number),
    };
    let moment = ms.filter(|ms| *ms >= 0).and_then(|ms| ms.checked_add(base));
    moment.map(UnixMs).ok_or_else(|| Failure::invalid_expire(full_name))
}

fn expire(ctx: &mut Ctx<'_, '_>, unit: Unit, base: i64) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    let word = find_fields_word(&args, 3).ok_or(BAD_COUNT)?;
    let conditions = Conditions::parse(&args, 3..word)?;
    let first = first_field(&args, word, 1, BAD_COUNT)?;
    let at = moment(&args, 2, unit, base, ctx.full_name)?;
    let is_over = at <= ctx.now() && !ctx.from_primary;
    let key = args.get(1);
    let Some(mut edit) = ctx.space.edit::<Hash>(key)? else {
        answer_missing(ctx, args.len() - first);
        return Ok(Effect::None);
    };
    ctx.reply.array(args.len() - first);
    let (mut removed, mut updated) = (Vec::new(), Vec::new());
    for name in args.from(first) {
        let answer = match edit.deadline(name, now) {
            None => -2,
            Some(current) if !conditions.allow(at, current) => 0,
            Some(_) if is_over => {
                edit.change().remove(name, now);
                removed.push(name);
                2
            }
            Some(_) => {
                edit.change().set_deadline(name, Some(at));
                updated.push(name);
                1
            }
        };
        ctx.reply.int(answer);
    }
    if removed.is_empty() && updated.is_empty() {
        return Ok(Effect::None);
    }
    edit.changed((removed.len() + updated.len()) as u64);
    edit.notify(Classes::HASH, if is_over { "hexpired" } else { "hexpire" });
    let mut rewrite = Rewrite::default();
    push_removal(&mut rewrite, key, &removed);
    push_deadline(&mut rewrite, key, Some(at), &updated);
    Ok(Effect::Rewritten(rewrite))
}

/// The answer for fields of a key that does not exist.
pub(super) fn answer_missing(ctx: &mut Ctx<'_, '_>, fields: usize) {
    ctx.reply.array(fields);
    (0..fields).for_each(|_| ctx.reply.int(-2));
}

fn persist(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    if !args.is(2, "fields") {
        return Err(Failure::SYNTAX);
    }
    let first = first_field(&args, 2, 1, BAD_COUNT)?;
    let key = args.get(1);
    let Some(mut edit) = ctx.space.edit::<Hash>(key)? else {
        answer_missing(ctx, args.len() - first);
        return Ok(Effect::None);
    };
    ctx.reply.array(args.len() - first);
    let mut changed = Vec::new();
    for name in args.from(first) {
        let answer = match edit.deadline(name, now) {
            None => -2,
            Some(None) => -1,
            Some(Some(_)) => {
                edit.change().set_deadline(name, None);
                changed.push(name);
                1
            }
        };
        ctx.reply.int(answer);
    }
    if changed.is_empty() {
        return Ok(Effect::None);
    }
    edit.changed(changed.len() as u64);
    edit.notify(Classes::HASH, "hpersist");
    let mut rewrite = Rewrite::default();
    push_persist(&mut rewrite, key, &changed);
    Ok(Effect::Rewritten(rewrite))
}

/// Takes fields out whose new deadline is over; returns those that were there.
pub(super) fn remove_fields<'n>(
    hash: &mut Hash,
    names: impl Iterator<Item = &'n [u8]>,
    now: UnixMs,
) -> Vec<&'n [u8]> {
    names.filter(|name| hash.remove(name, now) != Removed::No).collect()
}

/// Fields in one HDEL of active expiry: Valkey's number.
pub const DUE_FIELDS_MAX: usize = 1024;

/// Takes fields out that are past their deadline, at most [`DUE_FIELDS_MAX`]: active expiry on a primary. Returns what goes
/// into the stream, and how many they were.
pub fn take_due_fields(space: &mut Space<'_>, key: &[u8]) -> (Effect, usize) {
    let now = space.now();
    let Ok(Some(mut edit)) = space.edit::<Hash>(key) else { return (Effect::None, 0) };
    if edit.next_due().is_none_or(|due| due >= now) {
        return (Effect::None, 0);
    }
    let names = edit.change().take_due(now, DUE_FIELDS_MAX);
    if names.is_empty() {
        return (Effect::None, 0);
    }
    edit.changed(names.len() as u64);
    edit.notify(Classes::HASH, "hexpired");
    let mut rewrite = Rewrite::default();
    push_removal(&mut rewrite, key, &names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    (Effect::Rewritten(rewrite), names.len())
}

#[cfg(test)]
mod tests {
    use crate::base::ids::UnixMs;
    use crate::commands::harness::{Harness, NOW};
    use crate::keyspace::notify::Classes;
    use crate::keyspace::space::Expiry;

    #[test]
    fn deadlines_are_set_in_every_unit() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2 c 3");
        h.reads("object encoding h", "$8 listpack");
        let told = |ms: i64, rest: &str| format!("HPEXPIREAT h {ms} FIELDS {rest}");
        h.check("hexpire h 10 fields 2 a x", "*2 :1 :-2", &told(NOW + 10_000, "1 a"));
        h.reads("object encoding h", "$9 hashtable");
        h.check("hpexpire h 10 fields 1 b", "*1 :1", &told(NOW + 10, "1 b"));
        let second = NOW / 1000 + 7;
        h.check(&format!("hexpireat h {second} FIELDS 1 c"), "*1 :1", &told(second * 1000, "1 c"));
        h.check(&format!("hpexpireat h {} fields 1 c", NOW + 5), "*1 :1", &told(NOW + 5, "1 c"));
        h.reads("hpttl h fields 4 a b c x", "*4 :10000 :10 :5 :-2");
        h.check("hpersist h fields 3 a x c", "*3 :1 :-2 :1", "HPERSIST h FIELDS 2 a c");
        h.check("hpersist h fields 1 a", "*1 :-1", "");
        h.check("hexpire none 10 fields 2 a b", "*2 :-2 :-2", "");
        h.check("hpersist none fields 2 a b", "*2 :-2 :-2", "");
    }

    #[test]
    fn conditions_compare_with_the_present_deadline() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2");
        h.run("hexpire h 10 fields 1 a");
        let mut answers = |option: &str, seconds: i64| {
            let mut answers = h.run(&format!("hexpire h {seconds} {option} fields 2 a b")).reply_text();
            h.run("hexpire h 10 fields 1 a");
            h.run("hpersist h fields 1 b");
            answers.split_off(3)
        };
        assert_eq!(answers("nx", 5), ":0 :1");
        assert_eq!(answers("xx", 5), ":1 :0");
        assert_eq!(answers("gt", 5), ":0 :0");
        assert_eq!(answers("gt", 15), ":1 :0");
        assert_eq!(answers("lt", 5), ":1 :1");
        assert_eq!(answers("lt", 15), ":0 :1");
        assert_eq!(answers("xx", 0), ":2 :0");
    }

    #[test]
    fn a_time_that_is_over_removes_the_field_here_but_not_on_a_replica() {
        let mut h = Harness::new();
        h.notify = Classes::HASH.with(Classes::GENERIC);
        h.run("hset h a 1 b 2");
        h.check("hpexpireat h 5 fields 3 a a x", "*3 :2 :-2 :-2", "HDEL h a");
        let last = h.run("hexpire h 0 fields 1 b");
        assert_eq!((last.reply_text().as_str(), last.effect_text().as_str()), ("*1 :2", "HDEL h b"));
        assert_eq!(last.events.iter().map(|event| event.name).collect::<Vec<_>>(), ["hexpired", "del"]);
        h.reads("exists h", ":0");
        h.run("hset h a 1 b 2");
        (h.from_primary, h.expiry) = (true, Expiry::Ignore);
        h.check("hpexpireat h 5 fields 1 a", "*1 :1", "HPEXPIREAT h 5 FIELDS 1 a");
        h.check("hincrby h a 1", ":2", "HSET h a 2; HPEXPIREAT h 5 FIELDS 1 a");
        (h.from_primary, h.expiry) = (false, Expiry::Hide);
        h.reads("hgetall h", "*2 $1 b $1 2");
        h.now = UnixMs(5);
        h.reads("hget h a", "$1 2");
    }

    #[test]
    fn wrong_requests_are_refused() {
        let mut h = Harness::new();
        h.run("hset h a 1");
        h.run("set s v");
        let count = "-ERR numfields should be greater than 0 and match the provided number of fields";
        h.reads("hexpire h 1 fields 2 a", count);
        h.reads("hexpire h 1 fields 0 a", count);
        h.reads("hexpire h 1 fields -1 a", count);
        h.reads("hexpire h 1 nx a b", count);
        h.reads("hexpire h 1 fields x a", "-ERR value is not an integer or out of range");
        h.reads("hexpire h x fields 1 a", "-ERR value is not an integer or out of range");
        h.reads("hexpire h -1 fields 1 a", "-ERR invalid expire time in 'hexpire' command");
        h.reads(
            "hpexpire h 9223372036854775807 fields 1 a",
            "-ERR invalid expire time in 'hpexpire' command",
        );
        h.reads("hexpire h 1 ab fields 1 a", "-ERR Unsupported option ab");
        h.reads(
            "hexpire h 1 nx gt fields 1 a",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        );
        h.reads("hexpire h 1 fields", "-ERR wrong number of arguments for 'hexpire' command");
        h.reads("hpersist h field 1 a", "-ERR syntax error");
        h.reads("hpersist h fields 2 a", count);
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        h.reads("hexpire s 1 fields 1 a", wrong);
        h.reads("hpersist s fields 1 a", wrong);
    }
}
