//! HGETEX, HSETEX, HGETDEL: reading and writing fields together with their deadlines.
//!
//! ```text
//!  HGETEX  key                       [EX s | PX ms | EXAT s | PXAT ms | PERSIST]  FIELDS count field ...
//!  HSETEX  key [NX | XX] [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]  FIELDS count field value ...
//!  HGETDEL key                                                                    FIELDS count field ...
//! ```
//!
//! Called through their rows. Always: the stream gets HSET, HPEXPIREAT, HPERSIST and HDEL of the fields that changed, which
//! also a replica without these commands applies; a deadline that is over removes the field.

use crate::base::ids::UnixMs;
use crate::commands::hash::expire::{Unit, moment, remove_fields};
use crate::commands::hash::fields::{
    BAD_COUNT, find_fields_word, first_field, push_deadline, push_persist, push_removal,
};
use crate::commands::hash::write::measure;
use crate::commands::hash::{HASH, clock, write_found};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Rewrite, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::Hash;
use crate::types::hash::{Deadline, Limits, Removed};

const TIMED: Row = Row {
    arity: -5,
    flags: flags(&[Flags::WRITE, Flags::FAST]),
    since: "9.0.0",
    complexity: "O(N) where N is the number of fields.",
    ..HASH
};

pub const ROWS: &[Row] = &[
    Row {
        name: "hgetex",
        access: &["RW", "access", "update"],
        summary: "Returns the values of fields of a hash, and changes when they expire.",
        run: Run::Keyed(hgetex),
        ..TIMED
    },
    Row {
        name: "hsetex",
        arity: -6,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
        access: &["RW", "insert"],
        summary: "Gives fields of a hash their values and the time at which they expire.",
        run: Run::Keyed(hsetex),
        ..TIMED
    },
    Row {
        name: "hgetdel",
        access: &["RW", "access", "delete"],
        since: "9.1.0",
        summary: "Returns the values of fields of a hash and removes them.",
        run: Run::Keyed(hgetdel),
        ..TIMED
    },
];

/// What becomes of the fields' deadlines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ttl {
    /// Nothing was said: HGETEX leaves them, HSETEX clears them.
    Unsaid,
    Keep,
    Persist,
    At(UnixMs),
}

/// The words in front of FIELDS.
#[derive(Default)]
struct Options {
    /// NX: the key must not exist; XX: it must.
    key_exists: Option<bool>,
    /// FNX: none of the fields may exist; FXX: all must.
    fields_exist: Option<bool>,
    keeps: bool,
    persists: bool,
    /// Unit, whether it is absolute, and the argument that is the time.
    time: Option<(Unit, bool, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    GetEx,
    SetEx,
}

impl Options {
    fn parse(args: &Args<'_>, end: usize, of: Of) -> Result<Options, Failure> {
        let mut options = Options::default();
        let mut at = 2;
        while at < end {
            if let Some((unit, is_absolute)) = time_word(args, at) {
                let repeats = options.time.is_none_or(|(u, a, _)| (u, a) == (unit, is_absolute));
                if at + 1 == end || !repeats || options.keeps || options.persists {
                    return Err(Failure::SYNTAX);
                }
                options.time = Some((unit, is_absolute, at + 1));
                at += 2;
                continue;
            }
            let is_known = match of {
                Of::GetEx => options.persist_word(args, at),
                Of::SetEx => options.set_word(args, at),
            };
            if !is_known {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    fn persist_word(&mut self, args: &Args<'_>, at: usize) -> bool {
        self.persists = args.is(at, "persist") && self.time.is_none();
        self.persists
    }

    fn set_word(&mut self, args: &Args<'_>, at: usize) -> bool {
        let condition = |slot: &mut Option<bool>, wanted: bool| {
            let is_consistent = slot.is_none_or(|known| known == wanted);
            *slot = Some(wanted);
            is_consistent
        };
        match args.get(at).to_ascii_lowercase().as_slice() {
            b"nx" => condition(&mut self.key_exists, false),
            b"xx" => condition(&mut self.key_exists, true),
            b"fnx" => condition(&mut self.fields_exist, false),
            b"fxx" => condition(&mut self.fields_exist, true),
            b"keepttl" => {
                self.keeps = self.time.is_none();
                self.keeps
            }
            _ => false,
        }
    }

    fn ttl(&self, ctx: &Ctx<'_, '_>) -> Result<Ttl, Failure> {
        Ok(match self.time {
            Some((unit, is_absolute, at)) => {
                let base = if is_absolute { 0 } else { ctx.now().0 };
                Ttl::At(moment(&ctx.args, at, unit, base, ctx.full_name)?)
            }
            None if self.keeps => Ttl::Keep,
            None if self.persists => Ttl::Persist,
            None => Ttl::Unsaid,
        })
    }
}

fn time_word(args: &Args<'_>, at: usize) -> Option<(Unit, bool)> {
    match args.get(at).to_ascii_lowercase().as_slice() {
        b"ex" => Some((Unit::Seconds, false)),
        b"px" => Some((Unit::Milliseconds, false)),
        b"exat" => Some((Unit::Seconds, true)),
        b"pxat" => Some((Unit::Milliseconds, true)),
        _ => None,
    }
}

/// Is a deadline over already? What a primary sends is taken as it comes.
fn is_over(ctx: &Ctx<'_, '_>, at: UnixMs) -> bool {
    at <= ctx.now() && !ctx.from_primary
}

fn hgetex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    let word = find_fields_word(&args, 2).ok_or(BAD_COUNT)?;
    let options = Options::parse(&args, word, Of::GetEx)?;
    let first = first_field(&args, word, 1, BAD_COUNT)?;
    let ttl = options.ttl(ctx);
    let past = ttl.as_ref().is_ok_and(|ttl| matches!(ttl, Ttl::At(at) if is_over(ctx, *at)));
    let key = args.get(1);
    let edit = ctx.space.edit::<Hash>(key)?;
    // Another type is a worse mistake than a wrong time.
    let ttl = ttl?;
    let Some(mut edit) = edit else {
        ctx.reply.array(args.len() - first);
        args.from(first).for_each(|_| ctx.reply.null());
        return Ok(Effect::None);
    };
    ctx.reply.array(args.len() - first);
    let mut changed: Vec<&[u8]> = Vec::new();
    for name in args.from(first) {
        write_found(ctx.reply, edit.get(name, now));
        let Some(current) = edit.deadline(name, now) else { continue };
        let is_changed = match ttl {
            Ttl::At(_) if past => edit.change().remove(name, now) == Removed::Live,
            Ttl::At(at) => edit.change().set_deadline(name, Some(at)),
            Ttl::Persist => current.is_some() && edit.change().set_deadline(name, None),
            Ttl::Unsaid | Ttl::Keep => false,
        };
        if is_changed {
            changed.push(name);
        }
    }
    if changed.is_empty() {
        return Ok(Effect::None);
    }
    edit.changed(changed.len() as u64);
    let mut rewrite = Rewrite::default();
    let event = match ttl {
        Ttl::At(_) if past => {
            push_removal(&mut rewrite, key, &changed);
            "hexpired"
        }
        Ttl::At(at) => {
            push_deadline(&mut rewrite, key, Some(at), &changed);
            "hexpire"
        }
        Ttl::Persist | Ttl::Unsaid | Ttl::Keep => {
            push_persist(&mut rewrite, key, &changed);
            "hpersist"
        }
    };
    edit.notify(Classes::HASH, event);
    Ok(Effect::Rewritten(rewrite))
}

fn hsetex(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    let word = find_fields_word(&args, 2).ok_or(BAD_COUNT)?;
    let options = Options::parse(&args, word, Of::SetEx)?;
    let first = first_field(&args, word, 2, BAD_COUNT)?;
    let hash = ctx.space.read_as::<Hash>(args.get(1))?;
    let names = || (first..args.len()).step_by(2).map(|at| args.get(at));
    let exists = hash.is_some();
    let is_field = |name: &[u8]| hash.is_some_and(|hash| hash.contains(name, now));
    let fields_fit = options.fields_exist.is_none_or(|wanted| names().all(|name| is_field(name) == wanted));
    let key_fits = options.key_exists.is_none_or(|wanted| exists == wanted);
    // Redis reads the time between the two conditions.
    let ttl = if key_fits { options.ttl(ctx)? } else { Ttl::Unsaid };
    if !key_fits || !fields_fit {
        ctx.reply.int(0);
        return Ok(Effect::None);
    }
    ctx.reply.int(1);
    match ttl {
        Ttl::At(at) if is_over(ctx, at) => set_over(ctx, names(), now),
        Ttl::At(_) | Ttl::Keep | Ttl::Persist | Ttl::Unsaid => set_all(ctx, first, ttl, now),
    }
}

/// The deadline is over: the fields are removed instead.
fn set_over<'n>(
    ctx: &mut Ctx<'_, '_>,
    names: impl Iterator<Item = &'n [u8]>,
    now: UnixMs,
) -> Result<Effect, Failure> {
    let key = ctx.args.get(1);
    let Some(mut edit) = ctx.space.edit::<Hash>(key)? else { return Ok(Effect::None) };
    let removed = remove_fields(edit.change(), names, now);
    if removed.is_empty() {
        return Ok(Effect::None);
    }
    edit.changed(removed.len() as u64);
    edit.notify(Classes::HASH, "hset");
    edit.notify(Classes::HASH, "hexpire");
    edit.notify(Classes::HASH, "hexpired");
    let mut rewrite = Rewrite::default();
    push_removal(&mut rewrite, key, &removed);
    Ok(Effect::Rewritten(rewrite))
}

fn set_all(ctx: &mut Ctx<'_, '_>, first: usize, ttl: Ttl, now: UnixMs) -> Result<Effect, Failure> {
    let (args, limits) = (ctx.args, Limits::of(ctx.config));
    let key = args.get(1);
    let count = (args.len() - first) / 2;
    let (longest, bytes) = measure(&args, first);
    let mut edit = ctx.space.edit_or_insert(key, Hash::default)?;
    let hash = edit.change();
    hash.expect(count, longest, bytes, limits);
    let mut rewrite = Rewrite::default();
    let mut words: Vec<&[u8]> = vec![b"HSET", key];
    words.extend(args.from(first));
    rewrite.push(&words);
    for at in (first..args.len()).step_by(2) {
        let (name, value) = (args.get(at), args.get(at + 1));
        let deadline = if ttl == Ttl::Keep { Deadline::Keep } else { Deadline::Clear };
        hash.set(name, value, deadline, now, limits);
        match ttl {
            Ttl::At(at) => {
                hash.set_deadline(name, Some(at));
            }
            // HSET has cleared it on the replica.
            Ttl::Keep => push_deadline(&mut rewrite, key, hash.deadline(name, now).flatten(), &[name]),
            Ttl::Persist | Ttl::Unsaid => {}
        }
    }
    edit.changed(count as u64);
    edit.notify(Classes::HASH, "hset");
    if let Ttl::At(at) = ttl {
        let names: Vec<&[u8]> = (first..args.len()).step_by(2).map(|at| args.get(at)).collect();
        push_deadline(&mut rewrite, key, Some(at), &names);
        edit.notify(Classes::HASH, "hexpire");
    }
    Ok(Effect::Rewritten(rewrite))
}

fn hgetdel(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, clock(ctx));
    if !args.is(2, "fields") {
        return Err(Failure::SYNTAX);
    }
    let first = first_field(&args, 2, 1, BAD_COUNT)?;
    let key = args.get(1);
    let Some(mut edit) = ctx.space.edit::<Hash>(key)? else {
        ctx.reply.array(args.len() - first);
        args.from(first).for_each(|_| ctx.reply.null());
        return Ok(Effect::None);
    };
    ctx.reply.array(args.len() - first);
    let mut removed: Vec<&[u8]> = Vec::new();
    for name in args.from(first) {
        let value = edit.get(name, now);
        write_found(ctx.reply, value);
        if value.is_some() && edit.change().remove(name, now) == Removed::Live {
            removed.push(name);
        }
    }
    if removed.is_empty() {
        return Ok(Effect::None);
    }
    edit.changed(removed.len() as u64);
    edit.notify(Classes::HASH, "hdel");
    let mut rewrite = Rewrite::default();
    push_removal(&mut rewrite, key, &removed);
    Ok(Effect::Rewritten(rewrite))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::{Harness, NOW};
    use crate::keyspace::notify::Classes;

    const COUNT: &str = "-ERR numfields should be greater than 0 and match the provided number of fields";

    #[test]
    fn hsetex_sets_values_and_deadlines() {
        let mut h = Harness::new();
        let told = |words: &str, ms: i64, rest: &str| format!("{words}; HPEXPIREAT h {ms} FIELDS {rest}");
        let effect = told("HSET h a 1 b 2", NOW + 10_000, "2 a b");
        h.check("hsetex h ex 10 fields 2 a 1 b 2", ":1", &effect);
        h.reads("hpttl h fields 2 a b", "*2 :10000 :10000");
        let effect = told("HSET h a 3 c 4", NOW + 10_000, "1 a");
        h.check("hsetex h keepttl fields 2 a 3 c 4", ":1", &effect);
        h.reads("hpttl h fields 3 a b c", "*3 :10000 :10000 :-1");
        h.check("hsetex h fields 1 a 5", ":1", "HSET h a 5");
        h.reads("hpttl h fields 1 a", "*1 :-1");
        h.check("hsetex h pxat 5 fields 2 a 1 x 1", ":1", "HDEL h a");
        h.reads("hgetall h", "*4 $1 c $1 4 $1 b $1 2");
        h.check("hsetex h exat 0 fields 2 b 1 c 1", ":1", "HDEL h b c");
        h.reads("exists h", ":0");
        h.check("hsetex h px 0 fields 1 b 1", ":1", "");
        h.reads("exists h", ":0");
    }

    #[test]
    fn conditions_of_hsetex_look_at_the_key_and_at_the_fields() {
        let mut h = Harness::new();
        h.reads("hsetex h xx fields 1 a 1", ":0");
        h.reads("hsetex h fxx fields 1 a 1", ":0");
        h.check("hsetex h nx fnx fields 1 a 1", ":1", "HSET h a 1");
        h.reads("hsetex h nx fields 1 b 1", ":0");
        h.reads("hsetex h fnx fields 2 b 1 a 1", ":0");
        h.reads("hsetex h fxx fields 2 b 1 a 1", ":0");
        h.check("hsetex h xx fxx fields 1 a 2", ":1", "HSET h a 2");
        h.run("hpexpire h 10 fields 1 a");
        h.run("hset h b 1");
        h.advance_ms(11);
        h.reads("hsetex h fxx fields 1 a 3", ":0");
        h.check("hsetex h fnx keepttl fields 1 a 3", ":1", "HSET h a 3");
        h.reads("httl h fields 1 a", "*1 :-1");
    }

    #[test]
    fn hgetex_answers_and_changes_deadlines() {
        let mut h = Harness::new();
        h.notify = Classes::HASH.with(Classes::GENERIC);
        h.run("hset h a 1 b 2");
        h.check("hgetex h fields 2 a x", "*2 $1 1 $-1", "");
        let effect = format!("HPEXPIREAT h {} FIELDS 1 a", NOW + 10_000);
        h.check("hgetex h ex 10 fields 2 a x", "*2 $1 1 $-1", &effect);
        h.check("hgetex h persist fields 2 a b", "*2 $1 1 $1 2", "HPERSIST h FIELDS 1 a");
        h.check("hgetex h persist fields 1 a", "*1 $1 1", "");
        let last = h.run("hgetex h pxat 5 fields 3 a b b");
        assert_eq!(
            (last.reply_text().as_str(), last.effect_text().as_str()),
            ("*3 $1 1 $1 2 $-1", "HDEL h a b")
        );
        assert_eq!(last.events.iter().map(|event| event.name).collect::<Vec<_>>(), ["hexpired", "del"]);
        h.check("hgetex none ex 10 fields 2 a b", "*2 $-1 $-1", "");
        h.reads("exists none", ":0");
    }

    #[test]
    fn hgetdel_answers_and_removes() {
        let mut h = Harness::new();
        h.run("hset h a 1 b 2 c 3");
        h.check("hgetdel h fields 3 a x a", "*3 $1 1 $-1 $-1", "HDEL h a");
        h.check("hgetdel h fields 1 x", "*1 $-1", "");
        h.check("hgetdel h fields 2 b c", "*2 $1 2 $1 3", "HDEL h b c");
        h.reads("exists h", ":0");
        h.check("hgetdel h fields 1 a", "*1 $-1", "");
    }

    #[test]
    fn wrong_requests_are_refused() {
        let mut h = Harness::new();
        h.run("hset h a 1");
        h.run("set s v");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for (request, reply) in [
            ("hgetex h ex 10 px 10 fields 1 a", "-ERR syntax error"),
            ("hgetex h ex fields 1 a", "-ERR syntax error"),
            ("hgetex h persist ex 10 fields 1 a", "-ERR syntax error"),
            ("hgetex h keepttl fields 1 a", "-ERR syntax error"),
            ("hgetex h ex 10 field 1 a", COUNT),
            ("hgetex h fields 2 a", COUNT),
            ("hgetex h ex -1 fields 1 a", "-ERR invalid expire time in 'hgetex' command"),
            ("hgetex h ex x fields 1 a", "-ERR value is not an integer or out of range"),
            ("hgetex s fields 1 a", wrong),
            ("hsetex h nx xx fields 1 a 1", "-ERR syntax error"),
            ("hsetex h fnx fxx fields 1 a 1", "-ERR syntax error"),
            ("hsetex h keepttl ex 1 fields 1 a 1", "-ERR syntax error"),
            ("hsetex h persist fields 1 a 1", "-ERR syntax error"),
            ("hsetex h fields 2 a 1", COUNT),
            ("hsetex h fields 1 a 1 b", COUNT),
            ("hsetex h fields x a 1", "-ERR value is not an integer or out of range"),
            ("hsetex h ex 9223372036854775807 fields 1 a 1", "-ERR invalid expire time in 'hsetex' command"),
            ("hsetex s fields 1 a 1", wrong),
            ("hgetdel h field 1 a", "-ERR syntax error"),
            ("hgetdel h fields 2 a", COUNT),
            ("hgetdel s fields 1 a", wrong),
        ] {
            h.reads(request, reply);
        }
        h.reads("hgetall h", "*2 $1 a $1 1");
    }
}
