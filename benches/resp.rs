//! Costs of RESP: parsing pipelines of small commands, and writing replies. `cargo bench --bench resp`.
//!
//! The figure to look at is the time per element: one element is one command or one reply. Aim: 9-13 ns per small command.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use starling::resp::batch::Batch;
use starling::resp::limits::Limits;
use starling::resp::parser::Parser;
use starling::resp::reply::Reply;
use std::hint::black_box;

fn pipeline(commands: usize, words: &[&str]) -> Vec<u8> {
    let mut one = format!("*{}\r\n", words.len());
    for word in words {
        one.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    one.repeat(commands).into_bytes()
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("resp/parse");
    let value = "x".repeat(64);
    let cases = [
        ("get_p64", pipeline(64, &["GET", "key:000000123456"]), 64),
        ("set64_p64", pipeline(64, &["SET", "key:000000123456", &value]), 64),
        ("get_p1", pipeline(1, &["GET", "key:000000123456"]), 1),
        ("ping_inline_p64", b"PING\r\n".repeat(64), 64),
        ("mset_1000_args", pipeline(1, &["x"; 1000]), 1),
    ];
    for (name, bytes, commands) in &cases {
        group.throughput(Throughput::Elements(*commands));
        let (mut parser, mut batch, limits) = (Parser::new(), Batch::new(), Limits::default());
        group.bench_function(*name, |b| {
            b.iter(|| {
                batch.clear();
                let progress = parser.parse(black_box(bytes), &limits, &mut batch, 1024);
                assert_eq!((batch.len() as u64, progress.consumed), (*commands, bytes.len()));
            })
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("resp/write");
    group.throughput(Throughput::Elements(64));
    let value = vec![b'x'; 64];
    let mut reply = Reply::new();
    let mut case = |name: &str, write: &dyn Fn(&mut Reply)| {
        group.bench_function(name, |b| {
            b.iter(|| {
                reply.buf.clear();
                write(&mut reply);
                black_box(&reply.buf);
            })
        });
    };
    case("ok_64", &|reply| (0..64).for_each(|_| reply.ok()));
    case("bulk64_64", &|reply| (0..64).for_each(|_| reply.bulk(black_box(&value))));
    case("int_small_64", &|reply| (0..64).for_each(|value| reply.int(black_box(value))));
    case("int_large_64", &|reply| (0..64).for_each(|value| reply.int(black_box(value << 40))));
    group.finish();
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
