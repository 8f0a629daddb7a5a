//! Searches: a circle or a rectangle around a centre, and the at most nine boxes that cover it.
//!
//! ```text
//!      +----+----+----+
//!      |    |  _ |    |      The steps are chosen so that the box of the centre and its eight neighbours cover the shape;
//!      +----+-/-\+----+      those neighbours that the shape's bounds do not reach are left out.
//!      |    |(  o)    |
//!      +----+-\_/+----+
//! ```
//!
//! Called by GEOSEARCH and its older forms. Always: the boxes and their order are those of Redis, so that a search that stops
//! early (COUNT n ANY) finds the same members.

use crate::types::geo::{
    Area, EARTH_RADIUS, GeoBox, Position, STEPS_MAX, degrees, latitude_distance, radians,
};

/// What is searched around the centre, in metres.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Extent {
    Radius(f64),
    Rectangle { width: f64, height: f64 },
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shape {
    pub centre: Position,
    pub extent: Extent,
}

impl Shape {
    /// The distance of a position from the centre, in metres, if it lies within the shape.
    pub fn distance_within(&self, position: Position) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = self.centre.distance(position);
                (distance <= radius).then_some(distance)
            }
            Extent::Rectangle { width, height } => {
                let centre = self.centre;
                if latitude_distance(position.latitude, centre.latitude) > height / 2.0 {
                    return None;
                }
                let beside = Position { longitude: centre.longitude, latitude: position.latitude };
                if position.distance(beside) > width / 2.0 {
                    return None;
                }
                Some(centre.distance(position))
            }
        }
    }

    /// The degrees that the shape reaches.
    fn bounds(&self) -> Area {
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (radius, radius),
            Extent::Rectangle { width, height } => (width / 2.0, height / 2.0),
        };
        let Position { longitude, latitude } = self.centre;
        let north = degrees(height / EARTH_RADIUS);
        // A parallel is shorter towards its pole, so a width there is more degrees.
        let farther = if latitude < 0.0 { latitude - north } else { latitude + north };
        let east = degrees(width / EARTH_RADIUS / radians(farther).cos());
        Area {
            longitude: (longitude - east, longitude + east),
            latitude: (latitude - north, latitude + north),
        }
    }

    /// The boxes to be searched, in order.
    pub fn boxes(&self) -> Vec<GeoBox> {
        let bounds = self.bounds();
        let reach = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Rectangle { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        let mut steps = steps_for(reach, self.centre.latitude);
        let mut centre = GeoBox::around(self.centre, steps);
        if steps > 1 && !reaches(centre, bounds) {
            steps -= 1;
            centre = GeoBox::around(self.centre, steps);
        }
        let area = centre.area();
        // Fewer steps leave too few boxes to exclude any.
        let excludes = steps >= 2;
        let without_south = excludes && area.latitude.0 < bounds.latitude.0;
        let without_north = excludes && area.latitude.1 > bounds.latitude.1;
        let without_west = excludes && area.longitude.0 < bounds.longitude.0;
        let without_east = excludes && area.longitude.1 > bounds.longitude.1;
        const ORDER: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut boxes: Vec<GeoBox> = Vec::with_capacity(ORDER.len());
        for (number, (east, north)) in ORDER.into_iter().enumerate() {
            let is_excluded = (east > 0 && without_east)
                || (east < 0 && without_west)
                || (north > 0 && without_north)
                || (north < 0 && without_south);
            let next = centre.neighbour(east, north);
            // Around the whole earth neighbours fall together. The centre does not count as the one before.
            let is_same = boxes.len() > 1 && boxes.last() == Some(&next);
            if number == 0 || !(is_excluded || is_same) {
                boxes.push(next);
            }
        }
        boxes
    }
}

/// Do the neighbours of this box reach the bounds on all four sides?
fn reaches(centre: GeoBox, bounds: Area) -> bool {
    let area = |east, north| centre.neighbour(east, north).area();
    area(0, 1).latitude.1 >= bounds.latitude.1
        && area(0, -1).latitude.0 <= bounds.latitude.0
        && area(1, 0).longitude.1 >= bounds.longitude.1
        && area(-1, 0).longitude.0 <= bounds.longitude.0
}

/// How many halvings give boxes that are no smaller than `metres`.
fn steps_for(metres: f64, latitude: f64) -> u32 {
    const MERCATOR_MAX: f64 = 20037726.37;
    if metres == 0.0 {
        return STEPS_MAX;
    }
    let (mut reach, mut steps) = (metres, 1i32);
    while reach < MERCATOR_MAX {
        reach *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Boxes are narrower towards the poles.
    if !(-66.0..=66.0).contains(&latitude) {
        steps -= 1;
        if !(-80.0..=80.0).contains(&latitude) {
            steps -= 1;
        }
    }
    steps.clamp(1, STEPS_MAX as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::{Extent, Shape};
    use crate::base::random::Rng;
    use crate::types::geo::Position;

    /// Whatever lies within the shape lies within one of its boxes.
    #[test]
    fn the_boxes_cover_the_shape() {
        for seed in 0..2000 {
            let mut rng = Rng::from_seed(seed);
            let centre =
                Position { longitude: rng.unit() * 340.0 - 170.0, latitude: rng.unit() * 140.0 - 70.0 };
            let reach = 10f64.powf(rng.unit() * 5.5);
            let extent = match rng.below(2) {
                0 => Extent::Radius(reach),
                _ => Extent::Rectangle { width: reach, height: reach * 3.0 * rng.unit() },
            };
            let shape = Shape { centre, extent };
            let boxes = shape.boxes();
            assert!(boxes.len() <= 9);
            let degrees = reach / 50_000.0;
            for _ in 0..50 {
                let position = Position {
                    longitude: centre.longitude + (rng.unit() - 0.5) * degrees,
                    latitude: centre.latitude + (rng.unit() - 0.5) * degrees,
                };
                if !position.is_valid() || shape.distance_within(position).is_none() {
                    continue;
                }
                let score = position.to_score();
                let is_covered = boxes.iter().any(|area| {
                    let (min, max) = area.scores();
                    min <= score && score < max
                });
                assert!(is_covered, "seed {seed}: {shape:?} {position:?}");
            }
        }
    }
}
