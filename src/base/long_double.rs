//! The 80-bit extended float of x87, in software. INCRBYFLOAT and HINCRBYFLOAT compute in C's `long double`, and
//! clients see the difference to a 64-bit double in the seventeenth digit, so we compute in the same format on
//! every machine. Their handlers are the only callers.
//!
//!     value = (-1)^negative * mantissa * 2^exponent
//!
//!     mantissa   64 bits; bit 63 is set unless the number is zero or subnormal (exponent == EXPONENT_MIN)
//!     exponent   of the mantissa's lowest bit: EXPONENT_MIN ..= EXPONENT_MAX
//!
//! Always: every result is the exact one rounded once, to nearest, ties to even, as the hardware does it.

use std::ops::Add;

use crate::base::big_natural::BigNatural;
use crate::base::float_literal::{self, Literal, Magnitude};

/// Exponent of the lowest bit of a subnormal: 2^-16445 is the smallest number above zero.
const EXPONENT_MIN: i64 = -16445;
/// Exponent of the lowest bit of the largest numbers: all below 2^16384.
const EXPONENT_MAX: i64 = 16320;

/// Texts of this many bytes or more are refused unread (Redis' `MAX_LONG_DOUBLE_CHARS`). The longest text that
/// we print, that of the largest number, has 4,933 bytes.
pub const TEXT_LEN_LIMIT: usize = 5 * 1024;

/// Decimal exponents of the leading digit beyond which a number certainly overflows, or rounds to zero.
const DECIMAL_OVERFLOW: i64 = 4940;
const DECIMAL_UNDERFLOW: i64 = -4960;

/// Largest power of five below 2^64.
const FIVE_POWER_MAX: u64 = 27;

/// Digits behind the dot when printing, before trailing zeros go.
const FRACTION_DIGITS: u32 = 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
    NotANumber,
}

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble::finite(false, 0, EXPONENT_MIN);
    const NAN: LongDouble = LongDouble { negative: false, class: Class::NotANumber };

    /// Reads what Redis' `string2ld` reads: decimal, hexadecimal, infinities. `None` for anything else, for a
    /// number too large, and for one that is not zero but too small to tell from it.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_LEN_LIMIT {
            return None;
        }
        let Literal { negative, magnitude } = float_literal::parse(text)?;
        let (value, is_zero) = match magnitude {
            Magnitude::Infinity => return Some(LongDouble::infinity(negative)),
            Magnitude::Decimal { whole, fraction, exponent } => {
                let is_zero = whole.iter().chain(fraction).all(|&digit| digit == b'0');
                (LongDouble::from_decimal(negative, whole, fraction, exponent), is_zero)
            }
            Magnitude::Binary { bits, exponent, sticky } => {
                (LongDouble::round(negative, bits, exponent, sticky), bits == 0)
            }
        };
        let lost = value.is_infinite() || (value.is_zero() && !is_zero);
        (!lost).then_some(value)
    }

    /// Exact: the mantissa has room for every `i64`.
    pub fn from_i64(value: i64) -> LongDouble {
        LongDouble::round(value < 0, u128::from(value.unsigned_abs()), 0, false)
    }

    pub fn is_nan(self) -> bool {
        self.class == Class::NotANumber
    }

    pub fn is_infinite(self) -> bool {
        self.class == Class::Infinite
    }

    /// Appends the text that INCRBYFLOAT stores and answers: 17 digits behind the dot, correctly rounded, then
    /// trailing zeros dropped; never an exponent (Redis' `ld2string` in its human mode).
    pub fn write_human(self, out: &mut Vec<u8>) {
        let (mantissa, exponent) = match self.class {
            Class::NotANumber => return out.extend_from_slice(b"nan"),
            Class::Infinite => return out.extend_from_slice(if self.negative { b"-inf" } else { b"inf" }),
            Class::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        if exponent >= 0 {
            self.write_sign(out);
            let mut whole = BigNatural::from_u64(mantissa);
            whole.shift_left(exponent as usize);
            return whole.write_decimal(out);
        }
        // mantissa < 2^64 and 10^17 < 2^57, so the scaled number is exact in 128 bits.
        let scale = 10u128.pow(FRACTION_DIGITS);
        let scaled = shift_right_to_even(u128::from(mantissa) * scale, exponent.unsigned_abs());
        if scaled != 0 {
            self.write_sign(out);
        }
        let (whole, mut fraction) = (scaled / scale, scaled % scale);
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        if fraction == 0 {
            return;
        }
        let mut width = FRACTION_DIGITS as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        out.push(b'.');
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(fraction as u64).as_bytes();
        out.extend(std::iter::repeat_n(b'0', width - digits.len()));
        out.extend_from_slice(digits);
    }

    const fn finite(negative: bool, mantissa: u64, exponent: i64) -> LongDouble {
        LongDouble { negative, class: Class::Finite { mantissa, exponent } }
    }

    const fn infinity(negative: bool) -> LongDouble {
        LongDouble { negative, class: Class::Infinite }
    }

    fn is_zero(self) -> bool {
        matches!(self.class, Class::Finite { mantissa: 0, .. })
    }

    fn write_sign(self, out: &mut Vec<u8>) {
        if self.negative && !self.is_zero() {
            out.push(b'-');
        }
    }

    /// Rounds (bits + something in [0, 1), nonzero if `sticky`) * 2^exponent to the nearest number, ties to even.
    fn round(negative: bool, bits: u128, exponent: i64, sticky: bool) -> LongDouble {
        if bits == 0 {
            return LongDouble::finite(negative, 0, EXPONENT_MIN);
        }
        let up = i64::from(bits.leading_zeros());
        let (bits, exponent) = (bits << up, exponent.saturating_sub(up));
        // The mantissa is what stays when the lowest `drop` bits go: 64 of them, more for a subnormal.
        let drop = EXPONENT_MIN.saturating_sub(exponent).max(64);
        // `sticky` stands far below half a unit of the mantissa, so a set lowest bit says the same.
        let mantissa = shift_right_to_even(bits | u128::from(sticky), drop.unsigned_abs());
        let exponent = exponent.saturating_add(drop);
        let (mantissa, exponent) = match u64::try_from(mantissa) {
            Ok(mantissa) => (mantissa, exponent),
            // Rounding up carried out of all 64 bits.
            Err(_) => (1 << 63, exponent + 1),
        };
        if exponent > EXPONENT_MAX {
            return LongDouble::infinity(negative);
        }
        LongDouble::finite(negative, mantissa, if mantissa == 0 { EXPONENT_MIN } else { exponent })
    }

    fn from_decimal(negative: bool, whole: &[u8], fraction: &[u8], exponent: i64) -> LongDouble {
        let exponent = exponent.saturating_sub(fraction.len() as i64);
        let digits = whole.iter().chain(fraction).skip_while(|&&digit| digit == b'0');
        let count = digits.clone().count();
        if count <= 19 && exponent.unsigned_abs() <= FIVE_POWER_MAX {
            let number = digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            return LongDouble::from_short_decimal(negative, number, exponent);
        }
        let leading = exponent.saturating_add(count as i64);
        if count == 0 || leading < DECIMAL_UNDERFLOW {
            return LongDouble::finite(negative, 0, EXPONENT_MIN);
        }
        if leading > DECIMAL_OVERFLOW {
            return LongDouble::infinity(negative);
        }
        let mut number = BigNatural::from_digits(digits);
        if exponent >= 0 {
            number.multiply_power_of_ten(exponent as usize);
            let (bits, below, lost) = number.top_128();
            return LongDouble::round(negative, bits, below as i64, lost);
        }
        let mut divisor = BigNatural::from_u64(1);
        divisor.multiply_power_of_ten(exponent.unsigned_abs() as usize);
        // Scale so that the quotient has 99 to 101 bits: more than the 64 + 1 that rounding looks at.
        let scale = divisor.bit_length() as i64 + 100 - number.bit_length() as i64;
        if scale >= 0 {
            number.shift_left(scale as usize);
        } else {
            divisor.shift_left(scale.unsigned_abs() as usize);
        }
        let (bits, rest) = number.divide_short(&divisor).expect("scaled to a quotient of 101 bits at most");
        LongDouble::round(negative, bits, -scale, rest)
    }

    /// number * 10^exponent for |exponent| <= 27, without big numbers: what practically every call needs.
    fn from_short_decimal(negative: bool, number: u64, exponent: i64) -> LongDouble {
        let fives = u128::from(5u64.pow(exponent.unsigned_abs() as u32));
        if exponent >= 0 {
            return LongDouble::round(negative, u128::from(number) * fives, exponent, false);
        }
        // A dividend of 128 bits and a divisor below 2^63 leave more than 65 bits of quotient.
        let up = u128::from(number).leading_zeros().min(127);
        let dividend = u128::from(number) << up;
        let (bits, rest) = (dividend / fives, dividend % fives);
        LongDouble::round(negative, bits, exponent - i64::from(up), rest != 0)
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    /// The sum, rounded once. Infinities of opposite sign give NaN; too large a sum gives infinity.
    fn add(self, other: LongDouble) -> LongDouble {
        let (a, b) = match (self.class, other.class) {
            (Class::NotANumber, _) | (_, Class::NotANumber) => return LongDouble::NAN,
            (Class::Infinite, Class::Infinite) if self.negative != other.negative => return LongDouble::NAN,
            (Class::Infinite, _) => return self,
            (_, Class::Infinite) => return other,
            (Class::Finite { mantissa: a, exponent: ae }, Class::Finite { mantissa: b, exponent: be }) => {
                ((self.negative, a, ae), (other.negative, b, be))
            }
        };
        if a.1 == 0 || b.1 == 0 {
            return if a.1 == 0 { other } else { self };
        }
        let (large, small) = if (a.2, a.1) >= (b.2, b.1) { (a, b) } else { (b, a) };
        // One bit of headroom above the larger operand, 63 guard bits below it. Whatever of the smaller one
        // falls below those only matters as being there, so it is kept as a set lowest bit.
        let distance = (large.2 - small.2).min(127) as u32;
        let large_bits = u128::from(large.1) << 63;
        let small_full = u128::from(small.1) << 63;
        let small_bits = small_full >> distance;
        let small_bits = small_bits | u128::from(small_bits << distance != small_full);
        let same_sign = large.0 == small.0;
        let sum = if same_sign { large_bits + small_bits } else { large_bits - small_bits };
        LongDouble::round(large.0 && sum != 0, sum, large.2 - 63, false)
    }
}

/// bits / 2^shift, rounded to nearest, ties to even.
fn shift_right_to_even(bits: u128, shift: u64) -> u128 {
    match shift {
        0 => bits,
        // 2^127 / 2^128 is exactly one half and goes to even, that is to zero.
        128 => u128::from(bits > 1 << 127),
        129.. => 0,
        _ => {
            let (kept, lost) = (bits >> shift, bits << (128 - shift));
            kept + u128::from(lost > 1 << 127 || (lost == 1 << 127 && kept & 1 == 1))
        }
    }
}

#[cfg(test)]
mod tests;
