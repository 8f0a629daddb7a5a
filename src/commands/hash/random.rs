//! HRANDFIELD: fields by chance.
//!
//! Called through its row. Always: every field is as likely as any other, and none past its deadline is shown.

use std::collections::HashSet;

use crate::base::ids::UnixMs;
use crate::base::random::Rng;
use crate::codec::listpack::Item;
use crate::commands::hash::{HASH, clock, write_found, write_item};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::resp::reply::Reply;
use crate::types::hash::{HashForm, NEVER};
use crate::types::{Collection, Hash};

pub const ROWS: &[Row] = &[Row {
    name: "hrandfield",
    arity: -2,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    tips: &["nondeterministic_output"],
    since: "6.2.0",
    summary: "Returns fields of a hash by chance.",
    complexity: "O(1) without a count, otherwise O(N) where N is the absolute value of the count.",
    run: Run::Keyed(hrandfield),
    ..HASH
}];

/// Asking for more than this part of a hash, its positions are shuffled; for less, chosen until they are distinct.
const SHUFFLE_PART: usize = 3;

fn hrandfield(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let now = clock(ctx);
    let (count, with_values) = options(ctx)?;
    let hash = ctx.space.read_as::<Hash>(ctx.args.get(1))?;
    let Some(count) = count else {
        let field = hash.and_then(|hash| Fields::of(hash, now).pick(ctx.rng));
        write_found(ctx.reply, field.map(|(name, _)| name));
        return Ok(Effect::None);
    };
    let Some(hash) = hash.filter(|_| count != 0) else {
        ctx.reply.array(0);
        return Ok(Effect::None);
    };
    let fields = Fields::of(hash, now);
    if count < 0 {
        fields.show_repeated(ctx.reply, ctx.rng, count.unsigned_abs() as usize, with_values);
    } else {
        fields.show_distinct(ctx.reply, ctx.rng, count as usize, with_values);
    }
    Ok(Effect::None)
}

/// The count, if there is one, and whether values are wanted.
fn options(ctx: &Ctx<'_, '_>) -> Result<(Option<i64>, bool), Failure> {
    let args = &ctx.args;
    if args.len() == 2 {
        return Ok((None, false));
    }
    let count = args.int(2)?;
    if count == i64::MIN {
        return Err(Failure::text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_values = args.len() == 4 && args.is(3, "withvalues");
    if args.len() > 4 || (args.len() == 4 && !with_values) {
        return Err(Failure::SYNTAX);
    }
    if with_values && !(-(i64::MAX / 2)..=i64::MAX / 2).contains(&count) {
        return Err(Failure::OUT_OF_RANGE);
    }
    Ok((Some(count), with_values))
}

/// Fields by position in one step each.
enum Fields<'a> {
    /// A listpack, and a hash with deadlines: all that can be shown.
    Listed(Vec<(Item<'a>, Item<'a>)>),
    Table(&'a Hash),
}

type Pair<'a> = (Item<'a>, Item<'a>);

impl<'a> Fields<'a> {
    fn of(hash: &'a Hash, now: UnixMs) -> Fields<'a> {
        match hash.form() {
            HashForm::Table(_) if hash.next_due().is_none() => Fields::Table(hash),
            HashForm::Table(_) | HashForm::Listpack(_) => Fields::Listed(hash.iter(now).collect()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Fields::Listed(pairs) => pairs.len(),
            Fields::Table(hash) => hash.len(),
        }
    }

    fn at(&self, position: usize) -> Pair<'a> {
        match self {
            Fields::Listed(pairs) => pairs[position],
            Fields::Table(hash) => hash.at(position, NEVER).expect("positions below the length have fields"),
        }
    }

    fn pick(&self, rng: &mut Rng) -> Option<Pair<'a>> {
        rng.index(self.len()).map(|position| self.at(position))
    }

    /// The same field may be shown several times.
    fn show_repeated(&self, reply: &mut Reply, rng: &mut Rng, count: usize, with_values: bool) {
        let count = if self.len() == 0 { 0 } else { count };
        write_count(reply, count, with_values);
        for _ in 0..count {
            let pair = self.pick(rng).expect("there are fields");
            write_pair(reply, pair, with_values);
            // A client names the count, so it must not name how much memory this takes.
            if reply.is_beyond_limit() {
                break;
            }
        }
    }

    fn show_distinct(&self, reply: &mut Reply, rng: &mut Rng, count: usize, with_values: bool) {
        let len = self.len();
        let count = count.min(len);
        write_count(reply, count, with_values);
        if count == len {
            (0..len).for_each(|position| write_pair(reply, self.at(position), with_values));
        } else if count > len / SHUFFLE_PART {
            let mut positions: Vec<usize> = (0..len).collect();
            for at in 0..count {
                positions.swap(at, at + rng.below((len - at) as u64) as usize);
                write_pair(reply, self.at(positions[at]), with_values);
            }
        } else {
            let mut chosen = HashSet::with_capacity(count);
            while chosen.len() < count {
                let position = rng.below(len as u64) as usize;
                if chosen.insert(position) {
                    write_pair(reply, self.at(position), with_values);
                }
            }
        }
    }
}

/// RESP3 has an array for each pair, RESP2 one for all.
fn write_count(reply: &mut Reply, count: usize, with_values: bool) {
    let is_flat = with_values && !reply.resp3();
    reply.array(if is_flat { count * 2 } else { count });
}

fn write_pair(reply: &mut Reply, (name, value): Pair<'_>, with_values: bool) {
    if with_values && reply.resp3() {
        reply.array(2);
    }
    write_item(reply, name);
    if with_values {
        write_item(reply, value);
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn counts_are_read_as_redis_reads_them() {
        let mut h = Harness::new();
        h.run("hset h a 1");
        h.run("set str v");
        h.reads("hrandfield h", "$1 a");
        h.reads("hrandfield none", "$-1");
        h.reads("hrandfield none 3", "*0");
        h.reads("hrandfield h 0", "*0");
        h.reads("hrandfield h -3", "*3 $1 a $1 a $1 a");
        h.reads("hrandfield h 5 withvalues", "*2 $1 a $1 1");
        h.reads("hrandfield h -2 withvalues", "*4 $1 a $1 1 $1 a $1 1");
        h.reads("hrandfield h x", "-ERR value is not an integer or out of range");
        h.reads("hrandfield h 1 values", "-ERR syntax error");
        h.reads("hrandfield h 1 withvalues x", "-ERR syntax error");
        h.reads("hrandfield h 9223372036854775807 withvalues", "-ERR value is out of range");
        h.reads("hrandfield str", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.reads("hrandfield str 0", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        h.session.resp3 = true;
        h.reads("hrandfield h 5 withvalues", "*1 *2 $1 a $1 1");
        h.reads("hrandfield none", "_");
    }

    #[test]
    fn distinct_fields_are_distinct_in_both_forms() {
        let mut h = Harness::new();
        let fields: Vec<String> = (0..60).map(|number| format!("f{number} {number}")).collect();
        h.run(&format!("hset small {}", fields.join(" ")));
        h.configure(|config| config.hash_max_listpack_entries = 0);
        h.run(&format!("hset large {}", fields.join(" ")));
        h.run(&format!("hset timed {}", fields.join(" ")));
        h.run("hexpire timed 100 fields 1 f7");
        for key in ["small", "large", "timed"] {
            for count in [1, 5, 20, 21, 59, 60, 61] {
                let text = h.run(&format!("hrandfield {key} {count}")).reply_text();
                let mut names: Vec<&str> = text.split(' ').filter(|word| word.starts_with('f')).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count.min(60), "{key} {count}");
            }
        }
    }
}
