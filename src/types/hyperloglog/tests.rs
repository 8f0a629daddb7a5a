//! Tests of the sketch: both forms against plain registers, and bytes that a real server wrote.
//!
//! Run by `cargo test`. Always: randomised tests shrink to the additions that matter.

use super::{
    DENSE_BYTES, Excess, Form, HEADER_BYTES, Pattern, REGISTERS, Registers, add, count, dense, empty, form,
};
use super::{count_registers, merge, to_dense};
use proptest::prelude::{any, prop, proptest};

const SPARSE_MAX: usize = 3000;
const STRICT: Excess = Excess::Corrupt;

fn registers_of(bytes: &[u8]) -> Registers {
    let mut registers = [0; REGISTERS];
    merge(&mut registers, bytes, form(bytes).expect("a sketch"), STRICT).expect("not corrupt");
    registers
}

#[test]
fn patterns_are_those_of_redis() {
    let check = |element: &[u8], register: usize, value: u8| {
        assert_eq!(Pattern::of(element), Pattern { register, value }, "{element:?}");
    };
    check(b"a", 12711, 2);
    check(b"hello world", 9399, 4);
    check(b"", 5938, 2);
    check(b"12345678", 10579, 3);
    check(b"foobarbaz1234567", 7992, 1);
}

#[test]
fn a_sketch_of_no_elements_counts_zero_and_is_18_bytes_long() {
    let bytes = empty();
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(count(&bytes, Form::Sparse), Ok(0));
    assert_eq!(to_dense(&bytes, STRICT).map(|dense| dense.len()), Ok(DENSE_BYTES));
}

#[test]
fn the_estimate_is_within_a_few_percent() {
    let mut bytes = empty();
    for number in 1..=20_000u64 {
        let form = form(&bytes).expect("a sketch");
        add(&mut bytes, form, Pattern::of(&number.to_le_bytes()), SPARSE_MAX, STRICT).expect("not corrupt");
        if [10, 100, 1000, 20_000].contains(&number) {
            let estimate = count(&bytes, super::form(&bytes).expect("a sketch")).expect("not corrupt");
            let error = estimate.abs_diff(number);
            assert!(error * 20 <= number, "{estimate} for {number}");
        }
    }
    assert_eq!(form(&bytes), Some(Form::Dense));
}

#[test]
fn corrupt_sketches_are_errors() {
    let sketch = |runs: &[u8]| [&empty()[..HEADER_BYTES], runs].concat();
    let check = |bytes: Vec<u8>| {
        assert!(count(&bytes, Form::Sparse).is_err(), "{bytes:?}");
        assert!(to_dense(&bytes, STRICT).is_err(), "{bytes:?}");
        assert!(merge(&mut [0; REGISTERS], &bytes, Form::Sparse, STRICT).is_err(), "{bytes:?}");
    };
    check(sketch(b""));
    check(sketch(b"\x7f"));
    check(sketch(b"\x7f\xff\x00"));
    check(sketch(b"\x7f\xff\x7f\xff"));
    check(sketch(b"\x7f\xff\x83"));
    check(sketch(b"\x7f\xfe"));
    // Values behind a sketch that is complete: an older server's sketch goes on being one.
    for values in [&b"\x7f\xff\x80"[..], b"\x7f\xff\x83\x00"] {
        check(sketch(values));
        assert!(to_dense(&sketch(values), Excess::Ignored).is_ok(), "{values:?}");
        assert!(merge(&mut [0; REGISTERS], &sketch(values), Form::Sparse, Excess::Ignored).is_ok());
    }
    for others in [&b"\x7f\xff\x00\x80"[..], b"\x7f\xfe\x81", b"\x7f\xff\x40\x00"] {
        check(sketch(others));
        assert!(to_dense(&sketch(others), Excess::Ignored).is_err(), "{others:?}");
    }
    let mut short = sketch(b"\x00");
    assert!(add(&mut short, Form::Sparse, Pattern { register: 5, value: 3 }, SPARSE_MAX, STRICT).is_err());
    for other in
        [&b"HYLL"[..], b"", &[b'x'; 40], b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0", b"HYLL\x00\0\0\0\0\0\0\0\0\0\0\0"]
    {
        assert_eq!(form(other), None, "{other:?}");
    }
}

proptest! {
    #[test]
    fn both_forms_hold_the_highest_value_of_each_register(
        patterns in prop::collection::vec((prop::sample::select(vec![0usize, 1, 2, 3, 4, 5, 63, 64, 65, 9000, 16382, 16383]), 1u8..52), 0..80),
        others in prop::collection::vec((0..REGISTERS, 1u8..5), 0..40),
        sparse_max in prop::sample::select(vec![0usize, 20, 40, 3000]),
    ) {
        let mut model = [0u8; REGISTERS];
        let (mut bytes, mut full) = (empty(), to_dense(&empty(), STRICT).expect("not corrupt"));
        for (register, value) in patterns.into_iter().chain(others) {
            let pattern = Pattern { register, value };
            let grows = model[register] < value;
            model[register] = model[register].max(value);
            let form = form(&bytes).expect("a sketch");
            assert_eq!(add(&mut bytes, form, pattern, sparse_max, STRICT), Ok(grows));
            assert_eq!(dense::raise(&mut full[HEADER_BYTES..], pattern), grows);
        }
        assert_eq!(registers_of(&bytes), model);
        assert_eq!(registers_of(&full), model);
        let counted = count(&bytes, form(&bytes).expect("a sketch"));
        assert_eq!(counted, Ok(count_registers(&model)));
        assert_eq!(counted, count(&full, Form::Dense));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        runs in prop::collection::vec(any::<u8>(), 0..200), register in 0..REGISTERS, value in 1u8..52,
    ) {
        let bytes = [&empty()[..HEADER_BYTES], &runs].concat();
        for excess in [Excess::Corrupt, Excess::Ignored] {
            let mut bytes = bytes.clone();
            let _ = (count(&bytes, Form::Sparse), to_dense(&bytes, excess));
            let _ = merge(&mut [0; REGISTERS], &bytes, Form::Sparse, excess);
            let _ = add(&mut bytes, Form::Sparse, Pattern { register, value }, SPARSE_MAX, excess);
        }
    }
}
