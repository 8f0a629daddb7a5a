//! Golden vectors (what glibc, as Redis calls it, and fpconv answer) and round trips.

use super::*;
use proptest::prelude::*;

fn text(write: fn(&mut Vec<u8>, f64), value: f64) -> String {
    let mut out = Vec::new();
    write(&mut out, value);
    String::from_utf8(out).unwrap()
}

/// Lines of `bits shortest seventeen-digits`.
fn check_written(golden: &str) {
    for line in golden.lines() {
        let [bits, shortest, seventeen] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        assert_eq!(text(write_double, value), shortest, "{bits}");
        assert_eq!(text(write_double_17g, value), seventeen, "{bits}");
    }
}

/// Lines of `text bits` or `text refused`.
fn check_parsed(golden: &str) {
    for line in golden.lines() {
        let (text, want) = line.split_once(' ').unwrap();
        let got = parse_double(text.as_bytes())
            .map_or("refused".into(), |value| format!("{:016x}", value.to_bits()));
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn doubles_are_printed_as_by_both_generations_of_redis() {
    check_written(include_str!("golden_write.txt"));
}

#[test]
fn doubles_are_read_as_redis_reads_them() {
    check_parsed(include_str!("golden_parse.txt"));
}

#[test]
fn text_with_spaces_or_other_bytes_is_refused() {
    for text in ["", " 1", "1 ", "1\0", "\t1", "1,5", "1\n", "\u{661}"] {
        assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_double(b"\xff"), None);
}

proptest! {
    #[test]
    fn printing_then_reading_gives_the_same_double(bits: u64) {
        let value = f64::from_bits(bits);
        for write in [write_double, write_double_17g] {
            let text = text(write, value);
            prop_assert!(text.len() <= DOUBLE_LEN_MAX, "{}", text);
            let back = parse_double(text.as_bytes());
            prop_assert_eq!(back.map(f64::to_bits), (!value.is_nan()).then_some(bits));
        }
    }

    #[test]
    fn no_text_panics(text: Vec<u8>, close in "[-+0-9a-fA-Fxp.einf]{0,30}") {
        parse_double(&text);
        parse_double(close.as_bytes());
    }
}
