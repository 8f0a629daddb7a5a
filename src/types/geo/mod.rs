//! Positions on the earth as scores of a sorted set: geohashes of 52 bits, their decoding, and distances.
//!
//! ```text
//!  longitude -180..180, latitude -85.05112878..85.05112878   each halved 26 times: 26 bits
//!  hash:  lon25 lat25 lon24 lat24 ... lon0 lat0              52 bits, which a score holds exactly
//! ```
//!
//! Two positions that share the first bits lie in the same box; `area` covers a shape with nine such boxes.
//! Called by the geo commands. Always: every operation on floating point is done in Redis' order, so that the same scores,
//! positions and distances come out, to the last bit.

pub mod area;

/// The bounds of longitude and latitude, in degrees. The poles cannot be indexed (EPSG:3857).
pub const LONGITUDE_MAX: f64 = 180.0;
pub const LATITUDE_MAX: f64 = 85.05112878;

/// Halvings of either coordinate in a score.
pub const STEPS_MAX: u32 = 26;

/// Metres: the quadratic mean radius of the earth.
const EARTH_RADIUS: f64 = 6372797.560856;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// 2 to the 63rd.
const HALF_RANGE: f64 = (1u64 << 63) as f64;

/// A score as a whole number. What lies beyond 64 bits is the smallest one, as on x86-64: C leaves it open, and clients may
/// have made any score with ZADD.
pub fn integer_of(score: f64) -> i64 {
    if (-HALF_RANGE..HALF_RANGE).contains(&score) { score as i64 } else { i64::MIN }
}

/// As `integer_of`, without a sign: the upper half of the numbers is converted as the lower one and moved.
fn bits_of(score: f64) -> u64 {
    if score < HALF_RANGE {
        integer_of(score) as u64
    } else {
        integer_of(score - HALF_RANGE) as u64 ^ 1 << 63
    }
}

/// Longitude and latitude in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Position {
    pub longitude: f64,
    pub latitude: f64,
}

impl Position {
    /// Is it within what can be indexed?
    pub fn is_valid(self) -> bool {
        (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&self.longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&self.latitude)
    }

    /// The score of a valid position.
    pub fn to_score(self) -> f64 {
        GeoBox::around(self, STEPS_MAX).bits as f64
    }

    /// The position that a score stands for: the middle of its box.
    pub fn of_score(score: f64) -> Position {
        let area = GeoBox { bits: bits_of(score), steps: STEPS_MAX }.area();
        let middle = |(min, max): (f64, f64), bound: f64| ((min + max) / 2.0).clamp(-bound, bound);
        Position {
            longitude: middle(area.longitude, LONGITUDE_MAX),
            latitude: middle(area.latitude, LATITUDE_MAX),
        }
    }

    /// The eleven letters by which others know this box: bits by the whole range of latitudes, five a letter, the last is 0.
    pub fn geohash(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits =
            interleave(fraction(self.latitude, 90.0, STEPS_MAX), fraction(self.longitude, 180.0, STEPS_MAX));
        std::array::from_fn(|at| match at {
            10 => LETTERS[0],
            at => LETTERS[(bits >> (52 - (at + 1) * 5)) as usize & 31],
        })
    }

    /// Metres along a great circle (haversine).
    pub fn distance(self, other: Position) -> f64 {
        let (longitude, other_longitude) = (radians(self.longitude), radians(other.longitude));
        let v = ((other_longitude - longitude) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (latitude, other_latitude) = (radians(self.latitude), radians(other.latitude));
        let u = ((other_latitude - latitude) / 2.0).sin();
        let a = u * u + latitude.cos() * other_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }
}

/// Metres between two latitudes.
fn latitude_distance(a: f64, b: f64) -> f64 {
    EARTH_RADIUS * (radians(b) - radians(a)).abs()
}

/// A box of positions that share the first `2 * steps` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GeoBox {
    pub bits: u64,
    pub steps: u32,
}

/// The degrees that a box spans: least and greatest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Area {
    pub longitude: (f64, f64),
    pub latitude: (f64, f64),
}

/// Where a coordinate lies between minus and plus `bound`, in units of 2^-steps of that range.
fn fraction(coordinate: f64, bound: f64, steps: u32) -> u32 {
    ((coordinate + bound) / (bound - -bound) * (1u64 << steps) as f64) as u32
}

impl GeoBox {
    /// The box of a valid position.
    pub fn around(position: Position, steps: u32) -> GeoBox {
        let latitude = fraction(position.latitude, LATITUDE_MAX, steps);
        let longitude = fraction(position.longitude, LONGITUDE_MAX, steps);
        GeoBox { bits: interleave(latitude, longitude), steps }
    }

    pub fn area(self) -> Area {
        let span = |index: u32, bound: f64| {
            let scale = bound - -bound;
            let edge = |index: u32| -bound + (f64::from(index) / (1u64 << self.steps) as f64) * scale;
            (edge(index), edge(index.wrapping_add(1)))
        };
        let (latitude, longitude) = deinterleave(self.bits);
        Area { longitude: span(longitude, LONGITUDE_MAX), latitude: span(latitude, LATITUDE_MAX) }
    }

    /// The scores of the positions in it: from the first one to before the second one.
    pub fn scores(self) -> (f64, f64) {
        let align = |bits: u64| (bits << (2 * (STEPS_MAX - self.steps))) as f64;
        (align(self.bits), align(self.bits.wrapping_add(1)))
    }

    /// The box so many boxes further east and north, around the edges of the map. What stands at longitude 180 has
    /// boxes of its own behind the last one: those stay where only the latitude changes.
    fn neighbour(self, east: i32, north: i32) -> GeoBox {
        const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
        let unused = 64 - 2 * self.steps;
        // Adding with the other coordinate's bits set carries across them; subtracting likewise.
        let step = |own: u64, others: u64, by: i32| {
            let bits = self.bits & own;
            match by {
                0 => bits,
                1.. => bits.wrapping_add((others >> unused) + 1) & (own >> unused),
                _ => (bits | others >> unused).wrapping_sub((others >> unused) + 1) & (own >> unused),
            }
        };
        let (longitude, latitude) =
            (step(LONGITUDE_BITS, LATITUDE_BITS, east), step(LATITUDE_BITS, LONGITUDE_BITS, north));
        GeoBox { bits: longitude | latitude, steps: self.steps }
    }
}

/// The bits of `even` at even places, those of `odd` at odd ones.
fn interleave(even: u32, odd: u32) -> u64 {
    spread(even) | spread(odd) << 1
}

fn deinterleave(bits: u64) -> (u32, u32) {
    (gather(bits), gather(bits >> 1))
}

fn spread(word: u32) -> u64 {
    let mut bits = u64::from(word);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::{GeoBox, Position, STEPS_MAX, bits_of, deinterleave, integer_of, interleave};
    use crate::base::random::Rng;

    const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Position = Position { longitude: 15.087269, latitude: 37.502669 };

    /// What redis-server 7.0.15 answers.
    #[test]
    fn scores_positions_and_distances_are_those_of_redis() {
        assert_eq!(PALERMO.to_score(), 3479099956230698.0);
        assert_eq!(CATANIA.to_score(), 3479447370796909.0);
        let palermo = Position::of_score(3479099956230698.0);
        assert_eq!(palermo, Position { longitude: 13.361389338970184, latitude: 38.1155563954963 });
        let catania = Position::of_score(3479447370796909.0);
        assert_eq!(palermo.distance(catania), 166274.15156960033);
        assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
        assert_eq!(&catania.geohash(), b"sqdtr74hyu0");
    }

    #[test]
    fn scores_that_are_no_positions_are_converted_as_by_redis() {
        let check = |score: f64, integer: i64, bits: u64| {
            assert_eq!((integer_of(score), bits_of(score)), (integer, bits), "{score}");
        };
        check(-2.5, -2, u64::MAX - 1);
        check(1e18, 1_000_000_000_000_000_000, 1_000_000_000_000_000_000);
        check(1e19, i64::MIN, 10_000_000_000_000_000_000);
        check(1e20, i64::MIN, 0);
        check(f64::INFINITY, i64::MIN, 0);
        check(-1e20, i64::MIN, 1 << 63);
        check(f64::NEG_INFINITY, i64::MIN, 1 << 63);
    }

    #[test]
    fn a_box_is_next_to_its_neighbours() {
        let mut rng = Rng::from_seed(1);
        for _ in 0..1000 {
            let (longitude, latitude) = (rng.unit() * 300.0 - 150.0, rng.unit() * 120.0 - 60.0);
            let steps = 4 + rng.below(u64::from(STEPS_MAX) - 3) as u32;
            let here = GeoBox::around(Position { longitude, latitude }, steps);
            let area = here.area();
            assert!(area.longitude.0 <= longitude && longitude < area.longitude.1);
            assert!(area.latitude.0 <= latitude && latitude < area.latitude.1);
            assert_eq!(here.neighbour(1, 0).area().longitude.0, area.longitude.1);
            assert_eq!(here.neighbour(-1, 0).area().longitude.1, area.longitude.0);
            assert_eq!(here.neighbour(0, 1).area().latitude.0, area.latitude.1);
            assert_eq!(here.neighbour(1, -1).area().latitude.1, area.latitude.0);
            assert_eq!(here.neighbour(1, -1).neighbour(-1, 1), here);
        }
        let (even, odd) = (rng.next_u64() as u32, rng.next_u64() as u32);
        assert_eq!(deinterleave(interleave(even, odd)), (even, odd));
    }
}
