//! GEOSEARCH, GEOSEARCHSTORE, and what they replace: GEORADIUS, GEORADIUSBYMEMBER and their read-only forms.
//!
//! ```text
//!  request -> Search -> boxes that cover the shape -> ranges of scores -> members within it -> order, COUNT -> reply or key
//! ```
//!
//! Called through their rows. Always: the members come in the order of the boxes, then of their scores, until they are
//! sorted by distance.

use crate::commands::geo::options::{Order, Search, Verb};
use crate::commands::geo::{GEO, write_distance, write_position};
use crate::commands::sorted_set::store;
use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::types::SortedSet;
use crate::types::geo::area::Shape;
use crate::types::geo::{Position, integer_of};
use crate::types::sorted_set::{Limits, Probe};

const OF_BOXES: &str = "O(N+log(M)) with N members in the boxes around the shape and M that are found.";

const SEARCH: Row = Row {
    arity: -7,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    since: "6.2.0",
    complexity: OF_BOXES,
    ..GEO
};

const STORING: Row = Row {
    flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    second_access: &["OW", "update"],
    since: "3.2.0",
    ..SEARCH
};

pub const ROWS: &[Row] = &[
    Row {
        name: "geosearch",
        summary: "Returns members within a circle or a rectangle.",
        run: Run::Keyed(|ctx| search(ctx, Verb::Search)),
        ..SEARCH
    },
    Row {
        name: "geosearchstore",
        arity: -8,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        keys: Keys::TWO,
        access: &["OW", "update"],
        second_access: &["RO", "access"],
        summary: "Stores members within a circle or a rectangle under another key.",
        run: Run::Keyed(|ctx| search(ctx, Verb::SearchStore)),
        ..SEARCH
    },
    Row {
        name: "georadius",
        arity: -6,
        keys: Keys::FirstAndStored { from: 6 },
        summary: "Returns or stores members within a distance of a position.",
        run: Run::Keyed(|ctx| search(ctx, Verb::Radius { can_store: true })),
        ..STORING
    },
    Row {
        name: "georadius_ro",
        arity: -6,
        since: "3.2.10",
        summary: "Returns members within a distance of a position.",
        run: Run::Keyed(|ctx| search(ctx, Verb::Radius { can_store: false })),
        ..SEARCH
    },
    Row {
        name: "georadiusbymember",
        arity: -5,
        keys: Keys::FirstAndStored { from: 5 },
        summary: "Returns or stores members within a distance of one of them.",
        run: Run::Keyed(|ctx| search(ctx, Verb::RadiusByMember { can_store: true })),
        ..STORING
    },
    Row {
        name: "georadiusbymember_ro",
        arity: -5,
        since: "3.2.10",
        summary: "Returns members within a distance of one of them.",
        run: Run::Keyed(|ctx| search(ctx, Verb::RadiusByMember { can_store: false })),
        ..SEARCH
    },
];

/// A member that has been found.
struct Found {
    member: Vec<u8>,
    score: f64,
    position: Position,
    /// Metres from the centre.
    distance: f64,
}

fn search(ctx: &mut Ctx<'_, '_>, verb: Verb) -> Result<Effect, Failure> {
    let set = ctx.space.read_as::<SortedSet>(ctx.args.get(verb.source()))?;
    let search = Search::parse(ctx.args, verb, set)?;
    let found = match (set, &search.shape) {
        (Some(set), Some(shape)) => find(set, shape, &search),
        _ => Vec::new(),
    };
    match search.destination {
        None => {
            show(ctx, &search, &found);
            Ok(Effect::None)
        }
        Some(destination) => {
            let limits = Limits::of(ctx.config);
            let mut result = SortedSet::for_result(found.len());
            for found in &found {
                let score = if search.stores_distances { found.distance / search.unit } else { found.score };
                result.set(&found.member, score, limits);
            }
            let event = if verb == Verb::SearchStore { "geosearchstore" } else { "georadiusstore" };
            Ok(store(ctx, destination, result, event))
        }
    }
}

fn find(set: &SortedSet, shape: &Shape, search: &Search<'_>) -> Vec<Found> {
    let limit = search.count.filter(|_| search.any).unwrap_or(usize::MAX);
    let mut found: Vec<Found> = Vec::new();
    for area in shape.boxes() {
        let (min, max) = area.scores();
        let start = set.rank_of(Probe::Score(min));
        let end = set.rank_of(Probe::Score(max)).max(start);
        for (member, score) in set.iter(start..end) {
            if found.len() >= limit {
                break;
            }
            let position = Position::of_score(score);
            if let Some(distance) = shape.distance_within(position) {
                found.push(Found { member: member.to_vec(), score, position, distance });
            }
        }
    }
    match search.order {
        Some(Order::Ascending) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Some(Order::Descending) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        None => {}
    }
    found.truncate(search.count.unwrap_or(usize::MAX));
    found
}

fn show(ctx: &mut Ctx<'_, '_>, search: &Search<'_>, found: &[Found]) {
    let reply = &mut *ctx.reply;
    let details = [search.with_distance, search.with_hash, search.with_position];
    let details = details.into_iter().filter(|is_wanted| *is_wanted).count();
    reply.array(found.len());
    for found in found {
        if details > 0 {
            reply.array(details + 1);
        }
        reply.bulk(&found.member);
        if search.with_distance {
            write_distance(reply, found.distance / search.unit);
        }
        if search.with_hash {
            reply.int(integer_of(found.score));
        }
        if search.with_position {
            write_position(reply, found.position);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    fn sicily() -> Harness {
        let mut h = Harness::new();
        h.run("geoadd s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 17.241510 38.788135 edge2 12.758489 38.788135 edge1");
        h
    }

    /// What redis-server 7.0.15 answers.
    #[test]
    fn members_are_found_around_a_centre() {
        let mut h = sicily();
        h.reads("geosearch s fromlonlat 15 37 byradius 200 km asc", "*2 $7 Catania $7 Palermo");
        h.reads(
            "geosearch s fromlonlat 15 37 bybox 400 400 km asc withcoord withdist",
            "*4 *3 $7 Catania $7 56.4413 *2 $20 15.08726745843887329 $20 37.50266842333162032 \
             *3 $7 Palermo $8 190.4424 *2 $20 13.36138933897018433 $20 38.11555639549629859 \
             *3 $5 edge2 $8 279.7403 *2 $20 17.24151045083999634 $20 38.78813451624225195 \
             *3 $5 edge1 $8 279.7405 *2 $19 12.7584877610206604 $20 38.78813451624225195",
        );
        h.reads("geosearch s frommember Palermo byradius 100 km desc", "*2 $5 edge1 $7 Palermo");
        h.reads("geosearch s frommember Palermo byradius 100 km count 1", "*1 $7 Palermo");
        h.reads("geosearch s fromlonlat 15 37 byradius 300 km count 2 any", "*2 $7 Palermo $5 edge1");
        h.reads(
            "georadius s 15 37 200 km withdist withhash count 1 desc",
            "*1 *3 $7 Palermo $8 190.4424 :3479099956230698",
        );
        h.reads("georadiusbymember s Palermo 200 km asc", "*3 $7 Palermo $5 edge1 $7 Catania");
        h.reads("georadius_ro s 15 37 100 km", "*1 $7 Catania");
        h.reads("georadiusbymember_ro none x 100 km", "*0");
        h.reads("geosearch none frommember x byradius 1 m", "*0");
    }

    /// What redis-server 7.0.15 answers: what stands at longitude 180 is found, what lies east of it is not.
    #[test]
    fn the_edge_of_the_map_is_searched() {
        let mut h = Harness::new();
        h.run("geoadd e 179.9 38 west -179.9 38 east 180 38 edge 179.9 41 north");
        h.reads("geosearch e fromlonlat 180 38 byradius 1 km", "*1 $4 edge");
        h.reads("geosearch e fromlonlat 180 38 byradius 500 km asc", "*3 $4 edge $4 west $5 north");
        h.reads("geosearch e frommember edge bybox 100 100 km asc", "*2 $4 edge $4 west");
    }

    #[test]
    fn results_are_stored() {
        let mut h = sicily();
        let request = "geosearchstore d s fromlonlat 15 37 byradius 200 km";
        h.check(request, ":2", request);
        h.reads(
            "zrange d 0 -1 withscores",
            "*4 $7 Palermo $16 3479099956230698 $7 Catania $16 3479447370796909",
        );
        let request = "georadius s 15 37 200 km asc count 1 storedist d";
        h.check(request, ":1", request);
        h.reads("zrange d 0 -1 withscores", "*2 $7 Catania $16 56.4412578701582");
        let request = "georadiusbymember s Palermo 0 m store d";
        h.check(request, ":1", request);
        let request = "geosearchstore d none frommember x byradius 200 km";
        h.check(request, ":0", request);
        h.reads("exists d", ":0");
        h.reads(request, ":0");
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let mut h = sicily();
        let check = |h: &mut Harness, request: &str, error: &str| h.reads(request, &format!("-ERR {error}"));
        let from = "exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH";
        check(&mut h, "GEOSEARCH s byradius 1 m asc desc", from);
        let by = "exactly one of BYRADIUS and BYBOX can be specified for geosearch";
        check(&mut h, "geosearch s frommember Palermo asc asc asc", by);
        check(&mut h, "geosearch s frommember Palermo fromlonlat 1 1 byradius 1 m", "syntax error");
        check(&mut h, "geosearch s frommember Palermo bybox 1 1 m byradius 1 m", "syntax error");
        check(&mut h, "geosearch s frommember x byradius 1 m", "could not decode requested zset member");
        check(&mut h, "geosearch s frommember Palermo byradius x m", "need numeric radius");
        check(&mut h, "geosearch s frommember Palermo byradius -1 m", "radius cannot be negative");
        check(&mut h, "geosearch s frommember Palermo bybox x 1 m", "need numeric width");
        check(&mut h, "geosearch s frommember Palermo bybox 1 x m", "need numeric height");
        check(&mut h, "geosearch s frommember Palermo bybox 1 -1 m", "height or width cannot be negative");
        check(&mut h, "geosearch s frommember Palermo byradius 1 m count 0", "COUNT must be > 0");
        check(
            &mut h,
            "geosearch s frommember Palermo byradius 1 m any",
            "the ANY argument requires COUNT argument",
        );
        check(&mut h, "geosearch s frommember Palermo byradius 1 m store d", "syntax error");
        check(&mut h, "georadius_ro s 1 1 1 m store d", "syntax error");
        let store = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        check(&mut h, "georadius s 1 1 1 m store d withdist", &format!("STORE option in GEORADIUS {store}"));
        let request = "geosearchstore d s frommember Palermo byradius 1 m withcoord";
        check(&mut h, request, &format!("GEOSEARCHSTORE {store}"));
        h.run("set str v");
        h.reads(
            "geosearch str nonsense 1 2 3 4",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
