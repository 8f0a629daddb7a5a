//! Tests of the request parser: known requests whole and in every fragmentation, errors with Redis' texts, arbitrary bytes.
//!
//! `collect` plays the caller: it keeps unconsumed bytes, feeds piece by piece, and copies the commands out.

use super::super::limits::{Limits, ProtocolError};
use super::*;
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

type Words = Vec<Vec<u8>>;

/// Feeds `pieces` one after another and returns the commands, the raw bytes that they covered, and the error if any.
fn collect(
    pieces: &[&[u8]],
    limits: &Limits,
    max_commands: usize,
) -> (Vec<Words>, Vec<u8>, Option<ProtocolError>) {
    let (mut parser, mut batch) = (Parser::new(), Batch::new());
    let (mut commands, mut raw, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            batch.clear();
            let progress = parser.parse(&held, limits, &mut batch, max_commands);
            for request in batch.requests(&held) {
                commands.push(request.args().map(<[u8]>::to_vec).collect());
                raw.extend_from_slice(request.raw);
            }
            held.drain(..progress.consumed);
            if progress.error.is_some() {
                return (commands, raw, progress.error);
            }
            if progress.consumed == 0 || held.is_empty() {
                break;
            }
        }
    }
    (commands, raw, None)
}

fn words(commands: &[&[&str]]) -> Vec<Words> {
    commands.iter().map(|c| c.iter().map(|word| word.as_bytes().to_vec()).collect()).collect()
}

#[track_caller]
fn check(bytes: &[u8], expected: &[&[&str]]) {
    let limits = Limits::default();
    let expected = words(expected);
    for max_commands in [1, 2, 1000] {
        let (commands, _, error) = collect(&[bytes], &limits, max_commands);
        assert_eq!((commands, error), (expected.clone(), None), "whole");
        for cut in 0..=bytes.len() {
            let (commands, _, error) = collect(&[&bytes[..cut], &bytes[cut..]], &limits, max_commands);
            assert_eq!((commands, error), (expected.clone(), None), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let (commands, _, error) = collect(&single, &limits, max_commands);
        assert_eq!((commands, error), (expected.clone(), None), "byte by byte");
    }
}

#[track_caller]
fn check_error(bytes: &[u8], limits: &Limits, commands_before: usize, text: &str) {
    let whole: &[&[u8]] = &[bytes];
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    for pieces in [whole, &single] {
        let (commands, _, error) = collect(pieces, limits, 1000);
        let error = error.expect("an error was expected");
        assert_eq!(String::from_utf8_lossy(&error.reply()), format!("ERR Protocol error: {text}"));
        assert_eq!(commands.len(), commands_before);
    }
}

#[test]
fn requests_give_the_same_commands_wherever_they_are_cut() {
    check(b"*1\r\n$4\r\nPING\r\n", &[&["PING"]]);
    check(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello,\r\nwor!\r\n", &[&["SET", "k", "hello,\r\nwor!"]]);
    check(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n", &[&["GET", ""], &["PING"]]);
    check(b"PING\r\n*1\r\n$4\r\nPING\r\nECHO \"a b\"\n", &[&["PING"], &["PING"], &["ECHO", "a b"]]);
    check(b"*010\r\n".get(..0).expect("empty"), &[]);
    let long = format!("*2\r\n$4\r\nECHO\r\n$123\r\n{}\r\nPING\r\n", "x".repeat(123));
    check(long.as_bytes(), &[&["ECHO", &"x".repeat(123)], &["PING"]]);
    let many = format!("*101\r\n{}", "$1\r\na\r\n".repeat(101));
    check(many.as_bytes(), &[&["a"; 101]]);
}

#[test]
fn empty_requests_are_skipped() {
    check(b"\r\n\n\n  \r\n*0\r\n*-1\r\n*-10\r\nPING\r\n", &[&["PING"]]);
    check(b"*0\r\n*1\r\n$4\r\nPING\r\n*-1\r\n", &[&["PING"]]);
}

#[test]
fn line_ends_are_not_checked_beyond_their_first_byte() {
    check(b"*1\rx$4\rxPINGxx*1\r\n$1\r\na\r\n", &[&["PING"], &["a"]]);
}

#[test]
fn what_is_no_request_gets_the_error_of_redis() {
    let limits = Limits::default();
    let check = |bytes: &[u8], text| check_error(bytes, &limits, 0, text);
    check(b"*3000000000\r\n", "invalid multibulk length");
    check(b"*99999999999999999999999\r\n", "invalid multibulk length");
    check(b"*\r\n", "invalid multibulk length");
    check(b"*+1\r\n", "invalid multibulk length");
    check(b"*01\r\n", "invalid multibulk length");
    check(b"*1x\r\n", "invalid multibulk length");
    check(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'");
    check(b"*1\r\nfoo\r\n", "expected '$', got 'f'");
    check(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n", "invalid bulk length");
    check(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n", "invalid bulk length");
    check(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n", "invalid bulk length");
    check(b"*1\r\n$00\r\n", "invalid bulk length");
    check(b"set \"\"\"test-key\"\"\" test-value\r\n", "unbalanced quotes in request");
    check_error(b"PING\r\nPING\r\n*x\r\n", &limits, 2, "invalid multibulk length");
}

#[test]
fn a_line_without_end_stops_at_its_limit() {
    let limits = Limits::default();
    let rubbish = |start: &[u8], filler: &[u8]| {
        let mut bytes = start.to_vec();
        while bytes.len() <= limits.max_inline + start.len() {
            bytes.extend_from_slice(filler);
        }
        bytes
    };
    check_error(&rubbish(b"", b"A"), &limits, 0, "too big inline request");
    check_error(&rubbish(b"\0", b"payload\n"), &limits, 0, "too big inline request");
    check_error(&rubbish(b"$\0", b"payload\n"), &limits, 0, "too big inline request");
    check_error(&rubbish(b"*\0", b"payload\n"), &limits, 0, "too big mbulk count string");
    check_error(&rubbish(b"*1\r\n$", b"1"), &limits, 0, "too big bulk count string");
}

#[test]
fn an_unauthenticated_client_may_say_little() {
    let limits = Limits { authenticated: false, ..Limits::default() };
    let check = |bytes: &[u8], before, text| check_error(bytes, &limits, before, text);
    check(b"*11\r\n", 0, "unauthenticated multibulk length");
    check(b"*1\r\n$16385\r\n", 0, "unauthenticated bulk length");
    check(b"*1\r\n$4\r\nPING\r\n*100\r\n", 1, "unauthenticated multibulk length");
    let mut batch = Batch::new();
    let progress = Parser::new().parse(b"PING\r\nPING\r\n", &limits, &mut batch, 100);
    assert_eq!((batch.len(), progress.consumed), (1, 6), "one command per call");
}

#[test]
fn a_pending_argument_says_what_it_lacks() {
    let mut parser = Parser::new();
    let mut batch = Batch::new();
    let limits = Limits::default();
    let buf = b"*2\r\n$3\r\nGET\r\n$100000\r\nabc";
    let progress = parser.parse(buf, &limits, &mut batch, 10);
    assert_eq!(progress, Progress { consumed: 0, wanted: 100_000 + 2 - 3, error: None });
    assert!(batch.is_empty() && batch.args.is_empty() && parser.is_inside_command());
}

#[test]
fn a_million_arguments_byte_by_byte_take_linear_time() {
    let count = 1_000_000;
    let mut bytes = format!("*{count}\r\n").into_bytes();
    bytes.extend(b"$1\r\nx\r\n".repeat(count));
    let (mut parser, mut batch, limits) = (Parser::new(), Batch::new(), Limits::default());
    for end in 1..bytes.len() {
        let progress = parser.parse(&bytes[..end], &limits, &mut batch, 10);
        assert_eq!((progress.consumed, progress.error, batch.args.len()), (0, None, 0));
    }
    let progress = parser.parse(&bytes, &limits, &mut batch, 10);
    assert_eq!((progress.consumed, batch.args.len(), batch.len()), (bytes.len(), count, 1));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, cut: usize, authenticated: bool) {
        let limits = Limits { authenticated, ..Limits::default() };
        let cut = cut % (bytes.len() + 1);
        collect(&[&bytes[..cut], &bytes[cut..]], &limits, 3);
    }

    #[test]
    fn bytes_that_look_like_requests_mean_the_same_in_any_two_pieces(
        tokens in prop::collection::vec(
            prop::sample::select(vec!["*1\r\n", "*2\r\n", "$1\r\n", "$3\r\n", "x\r\n", "SET\r\n", "\r\n", "*0\r\n", "$-1\r\n", "'", "\""]),
            0..30,
        ),
        cut: usize,
    ) {
        let bytes = tokens.concat().into_bytes();
        let cut = cut % (bytes.len() + 1);
        let limits = Limits::default();
        let whole = collect(&[&bytes], &limits, 1000);
        prop_assert_eq!(whole, collect(&[&bytes[..cut], &bytes[cut..]], &limits, 1000));
    }

    #[test]
    fn what_was_encoded_is_read_back(
        commands in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..12),
            0..8,
        ),
        piece in 1usize..300,
    ) {
        let mut bytes = Vec::new();
        for command in &commands {
            bytes.extend(format!("*{}\r\n", command.len()).into_bytes());
            for arg in command {
                bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
                bytes.extend_from_slice(arg);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        let (read, raw, error) = collect(&pieces, &Limits::default(), 3);
        prop_assert_eq!((read, raw, error), (commands, bytes, None));
    }
}
