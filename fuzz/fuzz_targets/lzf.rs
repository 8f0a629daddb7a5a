//! Fuzzes both directions of LZF.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary compressed bytes give exactly the announced length or an error and leave what was there
//! before; what the compressor writes keeps its limit and comes back, also when the compressor was used before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::codec::lzf::{Compressor, decompress};

fn check_round_trip(compressor: &mut Compressor, input: &[u8], limit: usize) {
    if let Some(packed) = compressor.compress(input, limit) {
        assert!(packed.len() <= limit);
        let mut back = Vec::new();
        decompress(packed, input.len(), &mut back).expect("the compressor's own output is valid");
        assert!(back == input);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[low, high], bytes)) = input.split_first_chunk() else { return };
    let len = usize::from(u16::from_le_bytes([low, high]));
    let mut out = b"kept".to_vec();
    let result = decompress(bytes, len, &mut out);
    assert_eq!(out.len(), if result.is_ok() { 4 + len } else { 4 });
    assert_eq!(&out[..4], b"kept");

    let mut compressor = Compressor::new();
    let (first, second) = bytes.split_at(len.min(bytes.len()));
    check_round_trip(&mut compressor, first, first.len());
    check_round_trip(&mut compressor, second, second.len().saturating_sub(4));
    check_round_trip(&mut compressor, bytes, usize::MAX);
});
