//! SADD, SREM, SMOVE and the questions SISMEMBER, SMISMEMBER, SCARD, SMEMBERS: members by name.
//!
//! Called through their rows. Always: what changed is counted member by member; a command that changes nothing leaves no
//! trace in the stream.

use crate::commands::set::{SET, write_member};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::set::Limits;
use crate::types::{Collection, Set};

pub const ROWS: &[Row] = &[
    Row {
        name: "sadd",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "insert"],
        summary: "Adds members to a set, which is created if there is none.",
        complexity: "O(1) for each member, so O(N) for N members.",
        run: Run::Keyed(sadd),
        ..SET
    },
    Row {
        name: "srem",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        access: &["RW", "delete"],
        summary: "Removes members from a set; the last one takes the set with it.",
        complexity: "O(N) where N is the number of members to be removed.",
        run: Run::Keyed(srem),
        ..SET
    },
    Row {
        name: "smove",
        arity: 4,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        keys: Keys::TWO,
        access: &["RW", "access", "delete"],
        second_access: &["RW", "insert"],
        summary: "Moves a member from one set to another.",
        run: Run::Keyed(smove),
        ..SET
    },
    Row {
        name: "sismember",
        arity: 3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Tells whether a set has a member.",
        run: Run::Keyed(sismember),
        ..SET
    },
    Row {
        name: "smismember",
        arity: -3,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO", "access"],
        since: "6.2.0",
        summary: "Tells of several members whether a set has them.",
        complexity: "O(N) where N is the number of members asked for.",
        run: Run::Keyed(smismember),
        ..SET
    },
    Row {
        name: "scard",
        arity: 2,
        flags: flags(&[Flags::READONLY, Flags::FAST]),
        access: &["RO"],
        summary: "Returns the number of members of a set.",
        run: Run::Keyed(scard),
        ..SET
    },
    Row {
        name: "smembers",
        arity: 2,
        flags: Flags::READONLY,
        access: &["RO", "access"],
        tips: &["nondeterministic_output_order"],
        summary: "Returns all members of a set.",
        complexity: "O(N) where N is the number of members.",
        run: Run::Keyed(smembers),
        ..SET
    },
];

fn sadd(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, limits) = (ctx.args, Limits::of(ctx.config));
    let count = args.len() - 2;
    let mut edit = ctx.space.edit_or_insert(args.get(1), || Set::suited(args.get(2), count, &limits))?;
    let set = edit.change();
    set.expect(count, &limits);
    let added = args.from(2).filter(|member| set.add(member, &limits)).count() as u64;
    if added > 0 {
        edit.changed(added);
        edit.notify(Classes::SET, "sadd");
    }
    drop(edit);
    ctx.reply.int(added as i64);
    Ok(Effect::verbatim_if(added > 0))
}

fn srem(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    let mut removed = 0;
    if let Some(mut edit) = ctx.space.edit::<Set>(args.get(1))? {
        let set = edit.change();
        removed = args.from(2).filter(|member| set.remove(member)).count() as u64;
        if removed > 0 {
            edit.changed(removed);
            edit.notify(Classes::SET, "srem");
        }
    }
    ctx.reply.int(removed as i64);
    Ok(Effect::verbatim_if(removed > 0))
}

fn smove(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (source, destination, member) = (ctx.args.get(1), ctx.args.get(2), ctx.args.get(3));
    let moved = move_member(ctx, source, destination, member)?;
    ctx.reply.int(i64::from(moved));
    Ok(Effect::verbatim_if(moved && source != destination))
}

/// True if `source` had the member.
fn move_member(
    ctx: &mut Ctx<'_, '_>,
    source: &[u8],
    destination: &[u8],
    member: &[u8],
) -> Result<bool, Failure> {
    if ctx.space.peek(source).is_none() {
        return Ok(false);
    }
    // Both types are looked at before anything changes.
    ctx.space.peek_as::<Set>(destination)?;
    let Some(mut edit) = ctx.space.edit::<Set>(source)? else { return Ok(false) };
    if source == destination || !edit.contains(member) {
        return Ok(edit.contains(member));
    }
    edit.change().remove(member);
    edit.changed(1);
    edit.notify(Classes::SET, "srem");
    drop(edit);
    let limits = Limits::of(ctx.config);
    let mut edit = ctx.space.edit_or_insert(destination, || Set::suited(member, 1, &limits))?;
    if edit.change().add(member, &limits) {
        edit.changed(1);
        edit.notify(Classes::SET, "sadd");
    }
    Ok(true)
}

fn sismember(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<Set>(ctx.args.get(1))?;
    ctx.reply.int(i64::from(set.is_some_and(|set| set.contains(ctx.args.get(2)))));
    Ok(Effect::None)
}

fn smismember(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<Set>(ctx.args.get(1))?;
    ctx.reply.array(ctx.args.len() - 2);
    for member in ctx.args.from(2) {
        ctx.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(Effect::None)
}

fn scard(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<Set>(ctx.args.get(1))?;
    ctx.reply.int(set.map_or(0, |set| set.len() as i64));
    Ok(Effect::None)
}

fn smembers(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    match ctx.space.read_as::<Set>(ctx.args.get(1))? {
        None => ctx.reply.set(0),
        Some(set) => {
            ctx.reply.set(set.len());
            set.for_each(|member| write_member(ctx.reply, member));
        }
    }
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::notify::Classes;

    #[test]
    fn members_are_added_and_removed_once() {
        let mut h = Harness::new();
        h.check("sadd s 1 2 2", ":2", "sadd s 1 2 2");
        h.check("sadd s 2", ":0", "");
        h.reads("smembers s", "*2 $1 1 $1 2");
        h.check("srem s 9", ":0", "");
        h.check("srem s 1 1 9", ":1", "srem s 1 1 9");
        assert_eq!(h.run("srem s 2").tally.dirty, 1);
        h.reads("exists s", ":0");
        h.reads("srem s 2", ":0");
        assert_eq!(h.run("sadd s a b c").tally.dirty, 3);
    }

    #[test]
    fn questions_about_members() {
        let mut h = Harness::new();
        h.run("sadd s 1 x");
        h.reads("sismember s 1", ":1");
        h.reads("sismember s 01", ":0");
        h.reads("smismember s x 2", "*2 :1 :0");
        h.reads("smismember none x 2", "*2 :0 :0");
        h.reads("scard s", ":2");
        h.reads("scard none", ":0");
        h.reads("smembers none", "*0");
        h.session.resp3 = true;
        h.reads("smembers s", "~2 $1 1 $1 x");
        h.reads("sismember s x", ":1");
    }

    #[test]
    fn a_member_moves_between_sets() {
        let mut h = Harness::new();
        h.run("sadd a 1 x");
        h.check("smove a b x", ":1", "smove a b x");
        h.check("smove a b x", ":0", "");
        h.check("smove a a 1", ":1", "");
        h.check("smove a a 2", ":0", "");
        h.check("smove a b 1", ":1", "smove a b 1");
        h.reads("exists a", ":0");
        h.reads("scard b", ":2");
    }

    #[test]
    fn a_key_of_another_type_is_refused_and_stays() {
        let mut h = Harness::new();
        h.run("set str v");
        h.run("sadd s a");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "sadd str a;srem str a;sismember str a;smismember str a;scard str;smembers str;\
                        smove str s a;smove s str a;smove s str zz";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("smove none str a", ":0");
        h.reads("get str", "$1 v");
        h.reads("scard s", ":1");
    }

    #[test]
    fn events_tell_what_happened() {
        let mut h = Harness::new();
        h.notify = Classes::SET.with(Classes::GENERIC);
        let mut check = |request: &str, expected: &str| {
            let events = h.run(request).events;
            let text: Vec<_> =
                events.iter().map(|event| format!("{} {}", event.name, char::from(event.key[0]))).collect();
            assert_eq!(text.join(","), expected, "{request}");
        };
        check("sadd a 1", "sadd a");
        check("sadd a 1", "");
        check("smove a b 1", "srem a,del a,sadd b");
        check("srem b 2", "");
        check("srem b 1", "srem b,del b");
    }
}
