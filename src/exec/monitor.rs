//! Monitor: every command of every client as a line of text, for those who asked for it with MONITOR.
//!
//! ```text
//!  +1339518083.107412 [0 127.0.0.1:60866] "set" "key" "value\x00"
//! ```
//!
//! Called by the executor behind each command, and by transactions behind each of theirs. Always: administrative commands are
//! not shown, nor are passwords.

use crate::base::clock;
use crate::commands::spec::table::Command;
use crate::commands::spec::{Args, Flags};
use crate::exec::redact::{REDACTED, is_secret};
use crate::pubsub::Publisher;
use crate::session::Session;

/// Shows a command that has run.
#[cold]
pub(super) fn feed(publisher: &Publisher, session: &Session, command: &Command, args: &Args<'_>) {
    let flags = command.row.flags;
    if flags.has(Flags::SKIP_MONITOR) || flags.has(Flags::ADMIN) {
        return;
    }
    publisher.registry().feed(line(clock::now_us(), session, command, args).into());
}

fn line(now_us: i64, session: &Session, command: &Command, args: &Args<'_>) -> Vec<u8> {
    let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
    let client = &session.client;
    let address = if client.is_unix {
        format!("unix:{}", client.laddr.trim_end_matches(":0"))
    } else {
        client.addr.clone()
    };
    let mut out = format!("+{seconds}.{micros:06} [{} {address}]", session.db.0).into_bytes();
    for (index, word) in args.iter().enumerate() {
        out.push(b' ');
        let shown = if is_secret(command, args, index) { REDACTED } else { word };
        quote(&mut out, shown);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A word in double quotes, with escapes for what cannot be printed.
fn quote(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b'"');
    for byte in word {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            other => out.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_are_quoted_as_in_redis() {
        let check = |word: &[u8], expected: &str| {
            let mut out = Vec::new();
            quote(&mut out, word);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(b"get", "\"get\"");
        check(b"", "\"\"");
        check(b"a\"b\\c", "\"a\\\"b\\\\c\"");
        check(b"\n\r\t\x07\x08", "\"\\n\\r\\t\\a\\b\"");
        check(b"\x00\xff", "\"\\x00\\xff\"");
    }
}
