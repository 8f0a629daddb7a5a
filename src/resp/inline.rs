//! Inline requests: a line of words, for people with telnet. Words are separated by blanks and may be quoted.
//!
//! The parser calls it with a line that has no NUL and no line end. The rules are those of Redis' `sdssplitargs`:
//! `"..."` knows `\n \r \t \b \a \xHH` and takes any other escaped byte as itself, `'...'` knows only `\'`, and after a closing quote
//! there must be a blank or the end. Always: on an error nothing of the line is kept.

use super::batch::Arg;
use super::limits::ProtocolError;

/// Appends the words of `line` to `args`, unquoted into `bytes`. Returns how many there are.
pub(super) fn split(line: &[u8], args: &mut Vec<Arg>, bytes: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    let (args_before, bytes_before) = (args.len(), bytes.len());
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let start = bytes.len();
        match word(rest, bytes) {
            Some(after) => rest = skip_blanks(after),
            None => {
                args.truncate(args_before);
                bytes.truncate(bytes_before);
                return Err(ProtocolError::UnbalancedQuotes);
            }
        }
        args.push(Arg { start, len: bytes.len() - start });
    }
    Ok(args.len() - args_before)
}

/// C's `isspace`, which also knows the vertical tab.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| is_blank(**byte)).count();
    &line[blanks..]
}

/// Unquotes one word and returns what follows it, or nothing if its quotes are unbalanced. A quoted part ends the word; an
/// unquoted part goes on until one of the four common blanks (the two rare ones separate words but do not end one).
fn word<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Some(rest),
            [b'"', quoted @ ..] => return after_quote(double_quoted(quoted, bytes)?),
            [b'\'', quoted @ ..] => return after_quote(single_quoted(quoted, bytes)?),
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

fn after_quote(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|byte| is_blank(*byte)).then_some(rest)
}

fn double_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) * 16 + hex(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'\'', after @ ..] => return Some(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        itself => itself,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: Option<&[&[u8]]>) {
        let (mut args, mut bytes) = (Vec::new(), Vec::new());
        let count = split(line, &mut args, &mut bytes);
        let words: Vec<&[u8]> = args.iter().map(|arg| arg.of(&bytes)).collect();
        match expected {
            Some(expected) => {
                assert_eq!(words, expected);
                assert_eq!(count, Ok(expected.len()));
            }
            None => {
                assert_eq!(count, Err(ProtocolError::UnbalancedQuotes));
                assert!(args.is_empty() && bytes.is_empty());
            }
        }
    }

    #[test]
    fn words_are_split_and_unquoted_as_redis_does() {
        check(b"", Some(&[]));
        check(b" \t\r ", Some(&[]));
        check(b"set  k\tv ", Some(&[b"set", b"k", b"v"]));
        check(br#"set "a b" 'c d'"#, Some(&[b"set", b"a b", b"c d"]));
        check(br#""\x41\n\r\t\b\a\q\"\\" ''"#, Some(&[b"A\n\r\t\x08\x07q\"\\", b""]));
        check(br#"'a\'b\n'"#, Some(&[br"a'b\n"]));
        check(br#"a"b c""#, Some(&[b"ab c"]));
        check(br#""\xzz""#, Some(&[b"xzz"]));
        check(b"a\x0bb", Some(&[b"a\x0bb"]));
        check(b"\x0b a\x0c", Some(&[b"a\x0c"]));
        check(b"\"a\"\x0bb", Some(&[b"a", b"b"]));
    }

    #[test]
    fn unbalanced_quotes_are_an_error() {
        check(br#"set """test-key""" v"#, None);
        check(br#"set "k"#, None);
        check(br"set 'k", None);
        check(br#"set "k"v"#, None);
        check(br#"set "k\"#, None);
        check(br#"set 'k'v"#, None);
    }
}
