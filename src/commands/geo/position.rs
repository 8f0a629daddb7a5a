//! GEOPOS, GEODIST, GEOHASH: where members are.
//!
//! Called through their rows. Always: any score is a position; a member that does not exist is null.

use crate::commands::geo::{GEO, unit, write_distance, write_position};
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Row, Run};
use crate::types::SortedSet;
use crate::types::geo::Position;

const READ: Row = Row { flags: Flags::READONLY, access: &["RO", "access"], ..GEO };

pub const ROWS: &[Row] = &[
    Row {
        name: "geopos",
        arity: -2,
        summary: "Returns the longitudes and latitudes of members.",
        complexity: "O(N) where N is the number of members asked for.",
        run: Run::Keyed(geopos),
        ..READ
    },
    Row {
        name: "geodist",
        arity: -4,
        summary: "Returns the distance between two members.",
        run: Run::Keyed(geodist),
        ..READ
    },
    Row {
        name: "geohash",
        arity: -2,
        summary: "Returns the positions of members as geohash texts.",
        complexity: "O(N) where N is the number of members asked for.",
        run: Run::Keyed(geohash),
        ..READ
    },
];

fn geopos(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    ctx.reply.array(ctx.args.len() - 2);
    for member in ctx.args.from(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => write_position(ctx.reply, Position::of_score(score)),
            None => ctx.reply.null_array(),
        }
    }
    Ok(Effect::None)
}

fn geohash(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    ctx.reply.array(ctx.args.len() - 2);
    for member in ctx.args.from(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.bulk(&Position::of_score(score).geohash()),
            None => ctx.reply.null(),
        }
    }
    Ok(Effect::None)
}

fn geodist(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let metres = match ctx.args.len() {
        4 => 1.0,
        5 => unit(ctx.args.get(4))?,
        _ => return Err(Failure::SYNTAX),
    };
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(1))?;
    let position = |at: usize| Some(Position::of_score(set?.score(ctx.args.get(at))?));
    match (position(2), position(3)) {
        (Some(from), Some(to)) => write_distance(ctx.reply, from.distance(to) / metres),
        _ => ctx.reply.null(),
    }
    Ok(Effect::None)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    /// What redis-server 7.0.15 answers.
    #[test]
    fn members_tell_where_they_are() {
        let mut h = Harness::new();
        h.run("geoadd s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
        h.reads("geopos s Palermo none", "*2 *2 $20 13.36138933897018433 $20 38.11555639549629859 *-1");
        h.reads("geopos none a", "*1 *-1");
        h.reads("geopos s", "*0");
        h.reads("geodist s Palermo Catania", "$11 166274.1516");
        h.reads("geodist s Palermo Catania KM", "$8 166.2742");
        h.reads("geodist s Palermo Catania mi", "$8 103.3182");
        h.reads("geodist s Palermo Palermo", "$6 0.0000");
        h.reads("geodist s Palermo none", "$-1");
        h.reads("geodist none a b", "$-1");
        h.reads("geohash s Palermo Catania none", "*3 $11 sqc8b49rny0 $11 sqdtr74hyu0 $-1");
        h.session.resp3 = true;
        h.reads("geopos s Catania", "*1 *2 ,15.08726745843887329 ,37.50266842333162032");
    }

    #[test]
    fn wrong_words_and_types_are_refused() {
        let mut h = Harness::new();
        h.run("set str v");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        "geopos str a;geohash str a;geodist str a b".split(';').for_each(|request| h.reads(request, wrong));
        h.reads("geodist s a b x", "-ERR unsupported unit provided. please use M, KM, FT, MI");
        h.reads("geodist s a b m x", "-ERR syntax error");
    }
}
