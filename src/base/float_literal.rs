//! The text forms of floating-point numbers that C's `strtod` family takes, without its leniency about spaces
//! and trailing characters. `double` and `long_double` turn the parts into their own precision.
//!
//!     [+-] ( digits [. digits] | . digits ) [ e [+-] digits ]
//!     [+-] 0x ( hex [. hex] | . hex ) [ p [+-] digits ]
//!     [+-] ( inf | infinity )                                     letters in either case
//!
//! Always: the whole text is used up or the answer is `None`; `nan` is refused, as Redis refuses it.

/// Exponents are clamped here: far beyond what any format or any text that fits a bulk can reach.
const EXPONENT_CLAMP: i64 = 1 << 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal<'a> {
    pub negative: bool,
    pub magnitude: Magnitude<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magnitude<'a> {
    Infinity,
    /// `whole`.`fraction` * 10^`exponent`, both parts digits only, at least one of them not empty.
    Decimal {
        whole: &'a [u8],
        fraction: &'a [u8],
        exponent: i64,
    },
    /// `bits` * 2^`exponent`; `sticky` says that nonzero digits follow below the lowest bit.
    Binary {
        bits: u128,
        exponent: i64,
        sticky: bool,
    },
}

pub fn parse(text: &[u8]) -> Option<Literal<'_>> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let magnitude = match rest {
        [b'0', b'x' | b'X', hex @ ..] => binary(hex)?,
        [b'i' | b'I', ..] => infinity(rest)?,
        decimal_text => decimal(decimal_text)?,
    };
    Some(Literal { negative, magnitude })
}

fn infinity(text: &[u8]) -> Option<Magnitude<'_>> {
    let known = text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity");
    known.then_some(Magnitude::Infinity)
}

fn decimal(text: &[u8]) -> Option<Magnitude<'_>> {
    let (whole, fraction, rest) = split(text, u8::is_ascii_digit)?;
    Some(Magnitude::Decimal { whole, fraction, exponent: exponent(rest, b'e')? })
}

fn binary(text: &[u8]) -> Option<Magnitude<'_>> {
    let (whole, fraction, rest) = split(text, u8::is_ascii_hexdigit)?;
    let mut exponent = exponent(rest, b'p')?;
    let (mut bits, mut sticky) = (0u128, false);
    let digits = whole.iter().map(|digit| (digit, 0)).chain(fraction.iter().map(|digit| (digit, 4)));
    for (&digit, down) in digits {
        let digit = (digit as char).to_digit(16)?;
        exponent -= down;
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            sticky |= digit != 0;
            exponent += 4;
        }
    }
    Some(Magnitude::Binary { bits, exponent, sticky })
}

type Split<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Splits into digits before the dot, digits after it, and the rest; `None` without any digit.
fn split(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<Split<'_>> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| is_digit(byte)).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest {
        [b'.', after @ ..] => after.split_at(digits(after)),
        rest => (&[][..], rest),
    };
    (!whole.is_empty() || !fraction.is_empty()).then_some((whole, fraction, rest))
}

/// The exponent part, 0 if there is none; `None` if something else follows.
fn exponent(text: &[u8], marker: u8) -> Option<i64> {
    let (first, rest) = match text {
        [] => return Some(0),
        [first, rest @ ..] => (first, rest),
    };
    if !first.eq_ignore_ascii_case(&marker) {
        return None;
    }
    let (sign, digits) = match rest {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude =
        digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(EXPONENT_CLAMP));
    Some(sign * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_taken_apart() {
        #[track_caller]
        fn check(text: &str, negative: bool, magnitude: Magnitude<'_>) {
            assert_eq!(parse(text.as_bytes()), Some(Literal { negative, magnitude }), "{text}");
        }
        let decimal = |whole: &'static str, fraction: &'static str, exponent| Magnitude::Decimal {
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            exponent,
        };
        check("1", false, decimal("1", "", 0));
        check("+1.", false, decimal("1", "", 0));
        check("-.5e-3", true, decimal("", "5", -3));
        check("1E999999999999999999999", false, decimal("1", "", EXPONENT_CLAMP));
        check("-iNf", true, Magnitude::Infinity);
        check("+infinity", false, Magnitude::Infinity);
        check("0x1.8p3", false, Magnitude::Binary { bits: 0x18, exponent: -1, sticky: false });
        check("-0XfF", true, Magnitude::Binary { bits: 0xff, exponent: 0, sticky: false });
        let (bits, exponent) = (0x1000_0000_0000_0000_0000_0000_0000_0000, 12);
        check(
            &format!("0x1{}1", "0".repeat(33)),
            false,
            Magnitude::Binary { bits, exponent: 12 - 4 + 4, sticky: true },
        );
        assert_eq!(exponent, 12);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "1e5.",
            " 1",
            "1 ",
            "1x",
            "nan",
            "-nan",
            "nan(1)",
            "in",
            "infin",
            "infinityx",
            "0x",
            "0x.",
            "0xg",
            "0x1p",
            "0x1e+5",
            "--1",
            "1..2",
            "1,5",
            "0b1",
            "\0",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
