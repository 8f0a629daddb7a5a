//! Fuzzes the request parser, which takes bytes from anybody who can connect.
//! Run it with `fuzz/run`.
//!
//! Always: arbitrary bytes give commands or a protocol error; pieces of any size give the same commands as the
//! whole; and what was parsed, written as a multibulk request, parses to the same arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling::resp::batch::Batch;
use starling::resp::limits::{Limits, ProtocolError};
use starling::resp::parser::Parser;

type Seen = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Feeds `bytes` in pieces of the given sizes (over and over), as an event loop does.
fn parse(bytes: &[u8], sizes: &[u8], limits: &Limits) -> Seen {
    let (mut parser, mut batch, mut seen) = (Parser::new(), Batch::new(), Vec::new());
    let (mut buf, mut fed, mut turn) = (Vec::new(), 0, 0);
    while fed < bytes.len() {
        let size = sizes.get(turn % sizes.len().max(1)).map_or(bytes.len(), |&size| usize::from(size) + 1);
        let piece = &bytes[fed..bytes.len().min(fed + size)];
        buf.extend_from_slice(piece);
        (fed, turn) = (fed + piece.len(), turn + 1);
        // As long as a call finds something: there is a limit on commands a call.
        loop {
            batch.clear();
            let progress = parser.parse(&buf, limits, &mut batch, 1 + turn % 16);
            assert!(progress.consumed <= buf.len());
            for request in batch.requests(&buf) {
                assert!(request.argc() > 0);
                seen.push(request.args().map(<[u8]>::to_vec).collect());
            }
            buf.drain(..progress.consumed);
            if progress.error.is_some() {
                return (seen, progress.error);
            }
            if progress.consumed == 0 {
                break;
            }
        }
    }
    (seen, None)
}

fn multibulk(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut out = Vec::new();
    for command in commands {
        out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
        for arg in command {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((&options, rest)) = input.split_first() else { return };
    let (sizes, bytes) = rest.split_at(rest.len().min(usize::from(options % 8)));
    let authenticated = options & 8 == 0;
    let limits = Limits { authenticated, ..Limits::default() };
    let whole = parse(bytes, &[], &limits);
    // With lines far below their limit, how the bytes arrive makes no difference.
    if bytes.len() < limits.max_inline {
        assert_eq!(whole, parse(bytes, sizes, &limits));
    }
    if authenticated {
        assert_eq!(parse(&multibulk(&whole.0), sizes, &limits), (whole.0, None));
    }
    // Narrow limits: only that nothing panics, whatever is cut where.
    parse(bytes, sizes, &Limits { max_bulk: 16, max_args: 4, max_inline: 20, authenticated });
});
