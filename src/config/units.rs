//! Numbers as configuration files write them: plain integers, octal modes, and sizes with a unit.
//!
//! `1k` is 1000 bytes and `1kb` is 1024, as in Redis. Called by `kind.rs`; nothing here panics or wraps: what
//! does not fit is `None`.

/// A decimal integer as Redis' `string2ll` takes it: no sign but `-`, no leading zeros, no blanks.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A number of bytes: digits, then nothing, `b`, `k`, `kb`, `m`, `mb`, `g` or `gb` in either case.
pub fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    std::str::from_utf8(number).ok()?.parse::<u64>().ok()?.checked_mul(factor)
}

/// An octal number, for file modes.
pub fn octal(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if text.starts_with('+') { None } else { u32::from_str_radix(text, 8).ok() }
}

/// The shortest exact form with a binary unit, as CONFIG REWRITE writes sizes: 1048576 is `1mb`.
pub fn format_memory(bytes: u64) -> String {
    for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("10b", Some(10)),
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("2M", Some(2_000_000)),
            ("2Mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3GB", Some(3 << 30)),
            ("", None),
            ("mb", None),
            ("-1", None),
            ("1 mb", None),
            ("1tb", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073709551615kb", None),
        ] {
            assert_eq!(memory(text.as_bytes()), bytes, "{text}");
        }
    }

    #[test]
    fn integers_are_canonical_or_refused() {
        for (text, number) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("+1", None),
            ("01", None),
            ("-0", None),
            (" 1", None),
            ("", None),
            ("-", None),
            ("1x", None),
        ] {
            assert_eq!(integer(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn written_sizes_read_back_the_same() {
        for bytes in [0, 1, 1000, 1024, 1 << 20, 10 << 20, 3 << 30, (1 << 20) + 1, u64::MAX] {
            assert_eq!(memory(format_memory(bytes).as_bytes()), Some(bytes));
        }
        assert_eq!(format_memory(10 << 20), "10mb");
    }
}
