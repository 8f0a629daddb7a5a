//! Costs of the smallest parts under everything else: hashing a key, numbers and text, glob patterns, and the RDB
//! primitives that a snapshot and a load consist of. `cargo bench --bench codec`.
//!
//! Figures to look at: 8-10 ns to hash a key of 16 bytes; ns per key for encoding and decoding, where one element
//! is one key of 16 bytes with a value of 100.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::base::double::{parse_double, write_double};
use starling::base::glob::glob_match;
use starling::base::hash::hash_key;
use starling::base::long_double::LongDouble;
use starling::base::number::{parse_i64, write_i64};
use starling::base::random::Rng;
use starling::codec::crc64;
use starling::codec::lzf::{Compressor, decompress};
use starling::codec::rdb::decode::read_string;
use starling::codec::rdb::reader::{Event, RdbReader};
use starling::codec::rdb::{Dialect, encode};
use std::hint::black_box;

fn base(c: &mut Criterion) {
    let mut group = c.benchmark_group("base");
    group.bench_function("hash_key_16", |b| b.iter(|| hash_key(black_box(b"key:000000123456"))));
    group.bench_function("parse_i64_10", |b| b.iter(|| parse_i64(black_box(b"1234567890"))));
    group.bench_function("parse_i64_refused", |b| b.iter(|| parse_i64(black_box(b"xxxxxxxxxxxxxxxx"))));
    let mut out = Vec::with_capacity(64);
    group.bench_function("write_i64_10", |b| {
        b.iter(|| {
            out.clear();
            write_i64(&mut out, black_box(1234567890));
        })
    });
    group.bench_function("write_double", |b| {
        b.iter(|| {
            out.clear();
            write_double(&mut out, black_box(1234.5678));
        })
    });
    group.bench_function("parse_double", |b| b.iter(|| parse_double(black_box(b"1234.5678"))));
    group.bench_function("long_double_incr", |b| {
        b.iter(|| {
            out.clear();
            let value = LongDouble::parse(black_box(b"10.50")).expect("a number");
            (value + LongDouble::parse(black_box(b"0.1")).expect("a number")).write_human(&mut out);
        })
    });
    group.bench_function("glob_prefix", |b| {
        b.iter(|| glob_match(black_box(b"key:0000*"), black_box(b"key:000000123456"), false))
    });
    group.finish();
}

/// Values of 100 bytes: random ones, and such as compress to about half.
fn values(compressible: bool) -> Vec<Vec<u8>> {
    let mut rng = Rng::from_seed(1);
    let value = |_| {
        let kinds = if compressible { 3 } else { 256 };
        (0..100).map(|_| rng.below(kinds) as u8).collect()
    };
    (0..1000).map(value).collect()
}

fn stream(values: &[Vec<u8>], mut compressor: Option<&mut Compressor>, out: &mut Vec<u8>) {
    out.clear();
    encode::write_header(out, Dialect::Common);
    encode::write_select_db(out, 0);
    for value in values {
        out.push(0);
        encode::write_string(out, b"key:000000123456", None);
        encode::write_string(out, value, compressor.as_deref_mut());
    }
    encode::write_eof(out);
    let sum = crc64::checksum(out);
    encode::write_checksum(out, sum);
}

fn rdb(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec/rdb");
    group.throughput(Throughput::Elements(1000));
    let mut compressor = Compressor::new();
    let mut out = Vec::new();
    for (name, compressible, compress) in
        [("plain", false, false), ("lzf_in_vain", false, true), ("lzf", true, true)]
    {
        let values = values(compressible);
        group.bench_function(format!("encode_{name}"), |b| {
            b.iter(|| stream(&values, compress.then_some(&mut compressor), &mut out))
        });
        stream(&values, compress.then_some(&mut compressor), &mut out);
        group.bench_function(format!("decode_{name}"), |b| {
            b.iter(|| {
                let mut reader = RdbReader::new(&out[..]).expect("a header of ours");
                while let Event::Key(_) | Event::SelectDb(_) = reader.next_event().expect("a stream of ours")
                {
                    if reader.position() > 11 {
                        black_box(read_string(&mut reader).expect("a string"));
                    }
                }
            })
        });
    }
    group.finish();
}

fn bytes(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec/bytes");
    let text =
        "The quick brown fox jumps over the lazy dog, and the dog does not care. ".repeat(200).into_bytes();
    let mut compressor = Compressor::new();
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("crc64_14k", |b| b.iter(|| crc64::checksum(black_box(&text))));
    group.bench_function("lzf_compress_14k", |b| {
        b.iter(|| compressor.compress(black_box(&text), text.len()).map(<[u8]>::len))
    });
    let packed = compressor.compress(&text, text.len()).expect("repetitive").to_vec();
    let mut out = Vec::new();
    group.bench_function("lzf_decompress_14k", |b| {
        b.iter(|| {
            out.clear();
            decompress(black_box(&packed), text.len(), &mut out)
        })
    });
    group.finish();
}

criterion_group!(benches, base, rdb, bytes);
criterion_main!(benches);
