//! Fuzzes the decoding of streams, whose bytes come from RESTORE, from files and from whatever calls itself a primary.
//! Run it with `fuzz/run 60 stream_decode`.
//!
//! Always: any bytes give a stream or an error; a stream that was read is sound: every operation on it ends, its counts are
//! those of its entries, and what it is written as is read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::base::digest::Digest;
use starling::codec::rdb::value_type;
use starling::config::Config;
use starling::types::Collection;
use starling::types::stream::{Keep, Limits, Stream, StreamId, Trim, rdb};

const TYPES: [u8; 4] = [
    value_type::STREAM_LISTPACKS,
    value_type::STREAM_LISTPACKS_2,
    value_type::STREAM_LISTPACKS_3,
    value_type::STREAM_LISTPACKS_4,
];

fn check(stream: &Stream) {
    let log = stream.log();
    let forward: Vec<StreamId> = log.all().map(|entry| entry.id).collect();
    let mut backward: Vec<StreamId> = log.all().reversed().map(|entry| entry.id).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(forward.len() as u64, log.len());
    assert!(forward.is_sorted_by(|before, after| before < after));
    assert_eq!(forward.last().copied(), log.newest());
    for (_, group) in stream.groups() {
        let owned: usize = group.consumers().map(|(_, consumer)| consumer.pending().len()).sum();
        assert_eq!(owned, group.pending().len());
        group.lag(log);
    }
    stream.digest(&mut Digest::default());
    stream.heap_bytes();
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, mut bytes)) = input.split_first() else { return };
    let config = Config::default();
    let Ok(mut stream) = rdb::decode(&mut bytes, TYPES[usize::from(kind % 4)], &config) else { return };
    check(&stream);
    let mut out = Vec::new();
    stream.encode(&mut out, None);
    let again = rdb::decode(&mut &out[..], stream.rdb_type(), &config).expect("what was written is read");
    assert_eq!(again.log(), stream.log());
    assert_eq!(again.group_count(), stream.group_count());

    let ids: Vec<StreamId> = stream.log().all().map(|entry| entry.id).step_by(2).take(8).collect();
    let log = stream.log_mut();
    if let Ok(id) = log.next_id(None, 1) {
        log.append(id, 1, 2, |_| b"x", Limits { node_bytes: 64, node_entries: 3 });
    }
    log.delete(ids.into_iter());
    let half = log.len() / 2;
    log.trim(Trim { keep: Keep::Newest(half), is_approximate: false, limit: 0 });
    check(&stream);
});
