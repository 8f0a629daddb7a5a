//! From the histogram of the registers to a number of elements.
//!
//! Called when no cached cardinality is valid. The estimator is the one of Otmar Ertl, "New cardinality estimation
//! algorithms for HyperLogLog sketches", arXiv:1702.01284, as Redis uses it; it needs neither tables nor a correction.
//! Always: the same additions in the same order as Redis', so that the rounded result is the same number.

use crate::types::hyperloglog::REGISTERS;

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// The largest value that a register of an honest sketch has, less one.
const RUN_BITS: usize = 50;

/// `histogram[v]` registers have the value `v`.
pub(super) fn cardinality(histogram: &[u32; 64]) -> u64 {
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[RUN_BITS + 1])) / m);
    for value in (1..=RUN_BITS).rev() {
        z += f64::from(histogram[value]);
        z *= 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (ALPHA * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
