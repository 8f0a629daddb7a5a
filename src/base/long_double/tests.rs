//! Golden vectors (what an x87 long double with glibc's conversions answers) and laws of rounding.

use super::*;
use proptest::prelude::*;

fn human(value: LongDouble) -> String {
    let mut out = Vec::new();
    value.write_human(&mut out);
    String::from_utf8(out).unwrap()
}

fn sum(a: &str, b: &str) -> String {
    match (LongDouble::parse(a.as_bytes()), LongDouble::parse(b.as_bytes())) {
        (Some(a), Some(b)) => human(a + b),
        _ => "refused".into(),
    }
}

/// Lines of `a b sum`, or `refused` where one of the two cannot be read.
fn check_sums(golden: &str) {
    for line in golden.lines() {
        let [a, b, want] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(sum(a, b), want, "{a} + {b}");
    }
}

#[test]
fn sums_print_as_the_hardware_format_prints_them() {
    check_sums(include_str!("golden_sums.txt"));
}

#[test]
fn the_largest_number_prints_all_its_digits() {
    let largest = LongDouble::parse(b"1.18973149535723176502e4932").unwrap();
    let text = human(largest);
    assert_eq!(text.len(), 4933);
    assert!(text.starts_with("11897314953572317650212638530309702051690633222946242"), "{}", &text[..60]);
    assert_eq!(LongDouble::parse(text.as_bytes()), Some(largest));
}

#[test]
fn infinities_and_nan_are_told_apart() {
    let (plus, minus) = (LongDouble::parse(b"inf").unwrap(), LongDouble::parse(b"-inf").unwrap());
    assert!(plus.is_infinite() && !plus.is_nan());
    assert!((plus + minus).is_nan());
    assert!((plus + LongDouble::from_i64(-5)).is_infinite());
}

#[test]
fn very_long_text_is_read_up_to_the_limit() {
    let digits = "3".repeat(TEXT_LEN_LIMIT - 200);
    assert!(LongDouble::parse(format!("0.{digits}").as_bytes()).is_some());
    assert!(LongDouble::parse(format!("0.{digits}e-4000").as_bytes()).is_some());
    assert!(LongDouble::parse(format!("{digits}e-4800").as_bytes()).is_some());
    assert!(LongDouble::parse(format!("{digits}e200").as_bytes()).is_none());
    assert!(LongDouble::parse("1".repeat(TEXT_LEN_LIMIT).as_bytes()).is_none());
    for text in ["", " 1", "1 ", "1\0"] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn whole_numbers_are_exact(value: i64) {
        prop_assert_eq!(human(LongDouble::from_i64(value)), value.to_string());
        prop_assert_eq!(LongDouble::parse(value.to_string().as_bytes()), Some(LongDouble::from_i64(value)));
    }

    #[test]
    fn sums_of_whole_numbers_are_exact_and_commute(a: i32, b: i64) {
        let (a, b) = (i64::from(a), b / 4);
        let (x, y) = (LongDouble::from_i64(a), LongDouble::from_i64(b));
        prop_assert_eq!(x + y, y + x);
        prop_assert_eq!(human(x + y), (a + b).to_string());
    }

    #[test]
    fn short_and_long_conversions_agree(number: u64, exponent in -27i64..=27) {
        let digits = number.to_string();
        let short = LongDouble::from_short_decimal(false, number, exponent);
        // Zeros behind the dot make the digits too many for the short way without changing the value.
        let long = LongDouble::from_decimal(false, digits.as_bytes(), &[b'0'; 30], exponent);
        prop_assert_eq!(short, long);
    }

    #[test]
    fn no_text_panics(text: Vec<u8>, close in "[-+0-9a-fxp.einf]{0,40}") {
        LongDouble::parse(&text);
        if let Some(value) = LongDouble::parse(close.as_bytes()) {
            human(value + value);
        }
    }
}
