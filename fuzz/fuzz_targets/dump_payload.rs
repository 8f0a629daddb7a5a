//! Fuzzes what RESTORE takes from clients: the footer, then the value behind it.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary payloads are refused or give a value; a sealed payload verifies and keeps its contents; a
//! payload with a changed byte does not verify, unless its checksum has become 0.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::codec::rdb::decode::read_string;
use starling::codec::rdb::dump::{dump_payload, seal_payload, verify_dump};
use starling::codec::rdb::{Dialect, value_type};

fn restore(payload: &[u8]) {
    if let Some((value_type::STRING, mut body)) = verify_dump(payload).and_then(|dump| dump.split()) {
        let _ = read_string(&mut body);
    }
}

fuzz_target!(|input: &[u8]| {
    restore(input);
    let mut sealed = input.to_vec();
    seal_payload(Dialect::Common, &mut sealed);
    assert_eq!(verify_dump(&sealed).map(|dump| dump.contents), Some(input));
    restore(&sealed);
    restore(&dump_payload(Dialect::Common, value_type::STRING, input));
    let at = input.first().map_or(0, |&at| usize::from(at) % sealed.len());
    sealed[at] ^= 1;
    let checksum_is_zero = sealed.ends_with(&[0; 8]);
    assert!(verify_dump(&sealed).is_none() || checksum_is_zero);
});
