//! Whole numbers to and from the decimal text that clients, the replication stream and RDB use.
//! Called for every length in RESP, every integer argument and every INCR, so both directions stay free of
//! allocation and of UTF-8 checks.
//!
//! Always: what `parse_i64` accepts is exactly what `write_i64` prints. That round trip is what lets a string
//! value be stored as an integer and come back byte for byte (Redis' `string2ll` has the same strictness).

/// Longest decimal text of an `i64` (`-9223372036854775808`) and of a `u64` (`18446744073709551615`), in bytes.
pub const INTEGER_LEN_MAX: usize = 20;

/// Most digits that can be accumulated in a `u64` without an overflow check: 10^19 - 1 < 2^64.
const UNCHECKED_DIGITS_MAX: usize = 19;

/// Reads the canonical decimal form of an `i64`: no `+`, no leading zeros, no spaces, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Twenty digits start at 10^19, which is outside the range already.
    if digits.len() > UNCHECKED_DIGITS_MAX {
        return None;
    }
    let magnitude = parse_digits(digits)?;
    if !negative {
        return i64::try_from(magnitude).ok();
    }
    if magnitude == 0 || magnitude > i64::MIN.unsigned_abs() {
        return None;
    }
    // In two's complement this also gives i64::MIN for 2^63.
    Some((magnitude as i64).wrapping_neg())
}

/// Reads the canonical decimal form of a `u64`, as strictly as [`parse_i64`] and without a sign.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if text.len() <= UNCHECKED_DIGITS_MAX {
        return parse_digits(text);
    }
    let (head, last) = match text {
        [head @ .., last] if head.len() == UNCHECKED_DIGITS_MAX => (head, last.wrapping_sub(b'0')),
        _ => return None,
    };
    // Nineteen digits in front of another one cannot be the number zero.
    match parse_digits(head)? {
        0 => None,
        _ if last > 9 => None,
        head => head.checked_mul(10)?.checked_add(u64::from(last)),
    }
}

/// One to nineteen digits without a leading zero (`0` alone is fine).
#[inline]
fn parse_digits(digits: &[u8]) -> Option<u64> {
    let (&first, rest) = digits.split_first()?;
    let mut value = u64::from(first.wrapping_sub(b'0'));
    if value > 9 || (value == 0 && !rest.is_empty()) {
        return None;
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// Appends the decimal form of `value`.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the decimal form of `value`.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// How many bytes `write_u64` appends for `value`: 1 to 20.
#[inline]
pub fn digits_u64(value: u64) -> usize {
    match value.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// How many bytes `write_i64` appends for `value`, the minus sign included: 1 to 20.
#[inline]
pub fn digits_i64(value: i64) -> usize {
    digits_u64(value.unsigned_abs()) + usize::from(value < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_read_as_strictly_as_redis_reads_them() {
        #[track_caller]
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(parse_i64(text.as_bytes()), want, "{text:?}");
        }
        check("0", Some(0));
        check("7", Some(7));
        check("-1", Some(-1));
        check("1234567890", Some(1234567890));
        check("9223372036854775807", Some(i64::MAX));
        check("9223372036854775808", None);
        check("-9223372036854775808", Some(i64::MIN));
        check("-9223372036854775809", None);
        check("9999999999999999999", None);
        check("18446744073709551616", None);
        check("99999999999999999999", None);
        for refused in
            ["", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "1e3", "0x1", "--1", "1-", "\0"]
        {
            check(refused, None);
        }
    }

    #[test]
    fn unsigned_integers_cover_the_full_range_and_no_more() {
        #[track_caller]
        fn check(text: &str, want: Option<u64>) {
            assert_eq!(parse_u64(text.as_bytes()), want, "{text:?}");
        }
        check("0", Some(0));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", None);
        check("99999999999999999999", None);
        check("10000000000000000000", Some(10_000_000_000_000_000_000));
        check("1000000000000000000x", None);
        check("00000000000000000001", None);
        check("184467440737095516150", None);
        for refused in ["", "-1", "+1", "00", "01", " 1"] {
            check(refused, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(value: i64) {
            let mut text = Vec::new();
            write_i64(&mut text, value);
            prop_assert_eq!(digits_i64(value), text.len());
            prop_assert_eq!(parse_i64(&text), Some(value));
        }

        #[test]
        fn what_is_read_is_printed_the_same(text in "-?[0-9]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text.clone());
            }
            if let Some(value) = parse_u64(text.as_bytes()) {
                let mut printed = Vec::new();
                write_u64(&mut printed, value);
                prop_assert_eq!(digits_u64(value), printed.len());
                prop_assert_eq!(printed, text.into_bytes());
            }
        }
    }
}
