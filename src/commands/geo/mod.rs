//! Commands on positions, which are members of sorted sets whose scores are geohashes (`types::geo`).
//!
//! `add` puts positions in, `position` reads them, `search` looks around; `options` reads what is asked of a search.
//! Always: scores, digits and orders are those of Redis; the stream has the ZADD that a GEOADD is.

pub mod add;
mod options;
pub mod position;
pub mod search;

use crate::base::double::parse_double;
use crate::commands::spec::{Args, Failure, Group, Keys, Row};
use crate::resp::reply::Reply;
use crate::types::geo::Position;

/// What most rows of this group share.
const GEO: Row =
    Row { categories: &["geo"], group: Group::Geo, keys: Keys::ONE, since: "3.2.0", ..Row::BASE };

/// Reads longitude and latitude, from argument `at` on.
fn position_at(args: &Args<'_>, at: usize) -> Result<Position, Failure> {
    let coordinate = |at| parse_double(args.get(at)).ok_or(Failure::NOT_A_FLOAT);
    let position = Position { longitude: coordinate(at)?, latitude: coordinate(at + 1)? };
    if position.is_valid() {
        return Ok(position);
    }
    Err(Failure::new(format!(
        "ERR invalid longitude,latitude pair {:.6},{:.6}",
        position.longitude, position.latitude
    )))
}

/// The metres of a unit.
fn unit(word: &[u8]) -> Result<f64, Failure> {
    const UNITS: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let unit = UNITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, metres)| *metres);
    unit.ok_or(Failure::text("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// A position as an array of two, each with as many digits as it has, up to 17 behind the point.
fn write_position(reply: &mut Reply, position: Position) {
    reply.array(2);
    for coordinate in [position.longitude, position.latitude] {
        let digits = format!("{coordinate:.17}");
        let text = match digits.trim_end_matches('0').trim_end_matches('.') {
            "-0" => "0",
            text => text,
        };
        if reply.resp3() {
            reply.raw(format!(",{text}\r\n").as_bytes());
        } else {
            reply.bulk(text.as_bytes());
        }
    }
}

/// A distance with four digits behind the point.
fn write_distance(reply: &mut Reply, distance: f64) {
    let tenthousandths = (distance * 10_000.0).round_ties_even() as i64;
    let sign = if tenthousandths < 0 { "-" } else { "" };
    let magnitude = tenthousandths.unsigned_abs();
    reply.bulk(format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000).as_bytes());
}
