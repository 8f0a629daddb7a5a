//! 64-bit floats to and from text, as Redis reads and prints them: scores, INCRBYFLOAT arguments, RESP3 doubles,
//! timeouts. `grisu` finds the digits, this file decides where the dot goes.
//!
//! Always: `parse_double(write_double(x)) == x` for every finite x, and the text of a whole number below 2^62 is
//! that of the integer.

use crate::base::float_literal::{self, Literal, Magnitude};
use crate::base::grisu;
use crate::base::number::{parse_i64, write_i64};

/// Longest text that [`write_double`] and [`write_double_17g`] append, in bytes: a sign, seventeen digits and seven zeros.
pub const DOUBLE_LEN_MAX: usize = 25;

/// Reads what Redis' `string2d` reads: decimal, C99 hexadecimal, `inf` and `infinity` in any case, all with an
/// optional sign. `None` for anything else: spaces, trailing bytes, NaN, a number too large, and one that is not
/// zero but too small to tell from it.
#[inline]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    /// Whole numbers of so many digits are exact, and there is no faster reading of them.
    const EXACT_DIGITS: usize = 15;
    if text.len() <= EXACT_DIGITS
        && let Some(whole) = parse_i64(text)
    {
        return Some(whole as f64);
    }
    parse_any(text)
}

fn parse_any(text: &[u8]) -> Option<f64> {
    // The standard library takes the same decimal forms as strtod, and rounds as correctly.
    match std::str::from_utf8(text).ok()?.parse::<f64>() {
        Ok(value) if value.is_nan() => None,
        Ok(value) if value.is_infinite() => {
            text.iter().any(|byte| matches!(byte, b'i' | b'I')).then_some(value)
        }
        Ok(0.0) => is_zero_text(text).then_some(if text[0] == b'-' { -0.0 } else { 0.0 }),
        Ok(value) => Some(value),
        Err(_) => parse_hexadecimal(text),
    }
}

/// Are all digits before the exponent zeros?
fn is_zero_text(text: &[u8]) -> bool {
    text.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| !matches!(byte, b'1'..=b'9'))
}

#[cold]
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    const EXPONENT_MIN: i64 = -1074;
    let Literal { negative, magnitude: Magnitude::Binary { bits, exponent, sticky } } =
        float_literal::parse(text)?
    else {
        return None;
    };
    let sign = if negative { -1.0 } else { 1.0 };
    if bits == 0 {
        return Some(0.0 * sign);
    }
    // Keep 53 bits, fewer for a subnormal; round what is dropped to nearest, ties to even.
    let length = i64::from(128 - bits.leading_zeros());
    let drop = (length - 53).max(EXPONENT_MIN - exponent);
    let mantissa = if drop <= 0 {
        bits
    } else if drop > length {
        0
    } else {
        let kept = bits.checked_shr(drop as u32).unwrap_or(0);
        let (lost, half) = (bits - (kept << (drop - 1) << 1), 1u128 << (drop - 1));
        kept + u128::from(lost > half || (lost == half && (sticky || kept & 1 == 1)))
    };
    let exponent = exponent + drop.max(0);
    // Both factors are powers of two within range, so the products are exact until they overflow.
    let value = scale(mantissa as f64, exponent);
    (value.is_finite() && value != 0.0).then_some(value * sign)
}

/// mantissa * 2^exponent for a mantissa of at most 53 bits; exact or infinite.
fn scale(mut mantissa: f64, exponent: i64) -> f64 {
    let mut left = exponent.clamp(-3000, 3000);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        mantissa *= 2f64.powi(step as i32);
        left -= step;
    }
    mantissa
}

/// Appends a double as Redis 7.2 and later and Valkey print it (`d2string` with Grisu2 digits): whole numbers as
/// integers, others with the shortest digits that Grisu2 finds.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if !write_special(out, value) {
        grisu::write_shortest(out, value);
    }
}

/// Appends a double as Redis up to 7.0 prints it: whole numbers as integers, others with C's `%.17g`.
pub fn write_double_17g(out: &mut Vec<u8>, value: f64) {
    if !write_special(out, value) {
        write_digits_17g(out, value);
    }
}

/// Appends a double exactly as C's `%.17g` does, whole numbers included: what Redis folds into digests.
pub fn write_percent_17g(out: &mut Vec<u8>, value: f64) {
    /// From here on `%.17g` turns to exponents.
    const DIGITS_MAX: f64 = 1e17;
    if value.abs() >= DIGITS_MAX && value.is_finite() {
        write_digits_17g(out, value);
    } else {
        write_double_17g(out, value);
    }
}

fn write_digits_17g(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:.16e}");
    let (digits, exponent) = text.split_once('e').expect("the `e` format always writes an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent of a double is a small integer");
    if (-4..17).contains(&exponent) {
        let places = usize::try_from(16 - exponent).expect("exponent is at most 16");
        push_without_trailing_zeros(out, &format!("{value:.places$}"));
    } else {
        push_without_trailing_zeros(out, digits);
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    }
}

fn push_without_trailing_zeros(out: &mut Vec<u8>, text: &str) {
    let kept = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    out.extend_from_slice(kept.as_bytes());
}

/// Writes what needs no digits of a fraction: NaN, infinities, both zeros, whole numbers up to 2^62.
fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    const WHOLE_MAX: f64 = (1u64 << 62) as f64;
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if value.abs() <= WHOLE_MAX && value as i64 as f64 == value {
        write_i64(out, value as i64);
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests;
