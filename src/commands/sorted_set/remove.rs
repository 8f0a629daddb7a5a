//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX: members go, by name or by range.
//!
//! Called through their rows. Always: the reply is how many went; with the last one the key goes too.

use crate::commands::sorted_set::SORTED_SET;
use crate::commands::sorted_set::bounds::{Bounds, By};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::types::{Collection, SortedSet};

const REMOVE: Row = Row {
    arity: 4,
    flags: Flags::WRITE,
    access: &["RW", "delete"],
    complexity: "O(log(N)+M*log(N)) with N being the number of members and M that of those removed.",
    ..SORTED_SET
};

pub const ROWS: &[Row] = &[
    Row {
        name: "zrem",
        arity: -3,
        flags: flags(&[Flags::WRITE, Flags::FAST]),
        summary: "Removes members from a sorted set.",
        complexity: "O(M*log(N)) with N being the number of members and M that of those removed.",
        run: Run::Keyed(zrem),
        ..REMOVE
    },
    Row {
        name: "zremrangebyrank",
        since: "2.0.0",
        summary: "Removes the members within a range of ranks.",
        run: Run::Keyed(|ctx| remove_range(ctx, By::Rank, "zremrangebyrank")),
        ..REMOVE
    },
    Row {
        name: "zremrangebyscore",
        summary: "Removes the members within a range of scores.",
        run: Run::Keyed(|ctx| remove_range(ctx, By::Score, "zremrangebyscore")),
        ..REMOVE
    },
    Row {
        name: "zremrangebylex",
        since: "2.8.9",
        summary: "Removes the members within a range of their bytes.",
        run: Run::Keyed(|ctx| remove_range(ctx, By::Member, "zremrangebylex")),
        ..REMOVE
    },
];

fn zrem(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut removed = 0;
    if let Some(mut edit) = ctx.space.edit::<SortedSet>(ctx.args.get(1))? {
        let set = edit.change();
        for member in ctx.args.from(2) {
            removed += u64::from(set.remove(member).is_some());
            if set.is_empty() {
                break;
            }
        }
        if removed > 0 {
            edit.changed(removed);
            edit.notify(Classes::SORTED_SET, "zrem");
        }
    }
    ctx.reply.int(removed as i64);
    Ok(Effect::verbatim_if(removed > 0))
}

fn remove_range(ctx: &mut Ctx<'_, '_>, by: By, event: &'static str) -> Result<Effect, Failure> {
    let bounds = Bounds::parse(&ctx.args, by, 2, 3)?;
    let mut removed = 0;
    if let Some(mut edit) = ctx.space.edit::<SortedSet>(ctx.args.get(1))? {
        let ranks = bounds.ranks_in(&edit, false);
        removed = ranks.len();
        if removed > 0 {
            if removed == edit.len() {
                edit.clear();
            } else {
                edit.change().remove_ranks(ranks, |_, _| {});
            }
            edit.changed(removed as u64);
            edit.notify(Classes::SORTED_SET, event);
        }
    }
    ctx.reply.int(removed as i64);
    Ok(Effect::verbatim_if(removed > 0))
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::keyspace::space::Tally;

    #[test]
    fn members_go_by_name_and_by_range() {
        let mut h = Harness::new();
        for entries in [128, 0] {
            h.configure(|config| config.zset_max_listpack_entries = entries);
            h.run("zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g");
            h.check("zrem z a x", ":1", "zrem z a x");
            h.reads("zrem z x", ":0");
            h.reads("zrem none x", ":0");
            h.check("zremrangebyrank z -1 -1", ":1", "zremrangebyrank z -1 -1");
            h.check("zremrangebyscore z (2 3", ":1", "zremrangebyscore z (2 3");
            h.reads("zremrangebyscore z 100 200", ":0");
            assert_eq!(h.run("zremrangebylex z [d (f").tally, Tally { dirty: 2, ..Tally::default() });
            h.reads("zrange z 0 -1", "*2 $1 b $1 f");
            h.check("zrem z b f g", ":2", "zrem z b f g");
            h.reads("exists z", ":0");
            h.run("zadd z 1 a");
            h.check("zremrangebyrank z 0 -1", ":1", "zremrangebyrank z 0 -1");
            h.reads("exists z", ":0");
        }
    }

    #[test]
    fn wrong_bounds_and_types_are_refused() {
        let mut h = Harness::new();
        h.run("set s v");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        let requests = "zrem s a;zremrangebyrank s 0 1;zremrangebyscore s 0 1;zremrangebylex s - +";
        requests.split(';').for_each(|request| h.reads(request, wrong));
        h.reads("zremrangebyrank z a 1", "-ERR value is not an integer or out of range");
        h.reads("zremrangebyscore z a 1", "-ERR min or max is not a float");
        h.reads("zremrangebylex z a 1", "-ERR min or max not valid string range item");
    }
}
