//! Fuzzes the small readers of text that clients reach directly: integers, floats, glob patterns.
//! Run it with `fuzz/run`.
//!
//! Always: nothing panics; an accepted integer prints as it was read; an accepted double survives being printed;
//! long doubles add up without surprises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::base::double::{parse_double, write_double, write_double_17g};
use starling::base::glob::glob_match;
use starling::base::long_double::LongDouble;
use starling::base::number::{parse_i64, parse_u64, write_i64, write_u64};

fn written<T>(write: fn(&mut Vec<u8>, T), value: T) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn check_long_double(text: &[u8]) {
    if let Some(value) = LongDouble::parse(text) {
        written(|out, value: LongDouble| value.write_human(out), value);
        written(|out, value: LongDouble| value.write_human(out), value + value);
        assert!(value.is_infinite() || !(value + LongDouble::from_i64(-1)).is_nan());
    }
}

fuzz_target!(|input: &[u8]| {
    if let Some(value) = parse_i64(input) {
        assert_eq!(written(write_i64, value), input);
    }
    if let Some(value) = parse_u64(input) {
        assert_eq!(written(write_u64, value), input);
    }
    if let Some(value) = parse_double(input) {
        for write in [write_double, write_double_17g] {
            let text = written(write, value);
            assert_eq!(parse_double(&text).map(f64::to_bits), Some(value.to_bits()));
        }
    }
    check_long_double(input);
    if let Some((&split, rest)) = input.split_first() {
        let (pattern, text) = rest.split_at(rest.len().min(usize::from(split)));
        glob_match(pattern, text, false);
        glob_match(pattern, text, true);
        if let Some(bits) = rest.first_chunk() {
            let value = f64::from_le_bytes(*bits);
            for write in [write_double, write_double_17g] {
                let back = parse_double(&written(write, value));
                assert_eq!(back.map(f64::to_bits), (!value.is_nan()).then_some(value.to_bits()));
            }
        }
    }
});
