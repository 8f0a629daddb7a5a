//! One line of a configuration file: words, quotes and escapes, in both directions.
//!
//! ```text
//!   save 3600 1            -> [save] [3600] [1]
//!   requirepass "a\x00\n"  -> [requirepass] [a, 0, newline]      "..." knows \xHH \n \r \t \b \a, else \c is c
//!   logfile 'it\'s'        -> [logfile] [it's]                   '...' knows only \'
//! ```
//!
//! Called by the loader, by CONFIG REWRITE (which must write what the loader reads back) and by the command
//! line, which is turned into lines. Any bytes are either split or refused; nothing panics.

/// Splits a line into its words, or `None` when quotes are unbalanced or a closing quote is not followed by a
/// blank. The rules are those of Redis' `sdssplitargs`.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest {
            if !is_blank(*first) {
                break;
            }
            rest = tail;
        }
        if rest.is_empty() || rest[0] == 0 {
            return Some(words);
        }
        let (word, tail) = next_word(rest)?;
        words.push(word);
        rest = tail;
    }
}

/// Reads one word from the start of `rest` (which is not blank); returns it and what follows.
fn next_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] | [0, ..] => return Some((word, &[])),
            [b' ' | b'\n' | b'\r' | b'\t', tail @ ..] => return Some((word, tail)),
            [b'"', tail @ ..] => {
                let tail = double_quoted(tail, &mut word)?;
                return closed(tail).then_some((word, tail));
            }
            [b'\'', tail @ ..] => {
                let tail = single_quoted(tail, &mut word)?;
                return closed(tail).then_some((word, tail));
            }
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

/// A closing quote ends its word, so a blank or the end must follow.
fn closed(tail: &[u8]) -> bool {
    tail.first().is_none_or(|byte| is_blank(*byte) || *byte == 0)
}

fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'x', high, low, tail @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                word.push(hex(*high)? * 16 + hex(*low)?);
                rest = tail;
            }
            [b'\\', byte, tail @ ..] if *byte != 0 => {
                word.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = tail;
            }
            [b'"', tail @ ..] => return Some(tail),
            [] | [0, ..] => return None,
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'\'', tail @ ..] => {
                word.push(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return Some(tail),
            [] | [0, ..] => return None,
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Writes `word` in double quotes so that `split` reads the same bytes back; the spelling is Redis' `sdscatrepr`.
pub fn quote(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            0x20..=0x7e => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
}

/// The line without blanks at either end, as the loader and REWRITE look at it.
pub fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// C's `isspace`: also vertical tab and form feed.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, words: Option<&[&[u8]]>) {
        let words = words.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
        assert_eq!(split(line.as_bytes()), words, "{line}");
    }

    #[test]
    fn words_quotes_and_escapes_split_as_in_redis() {
        check("", Some(&[]));
        check("  \t ", Some(&[]));
        check("port 6379", Some(&[b"port", b"6379"]));
        check("save \"\"", Some(&[b"save", b""]));
        check("a ''", Some(&[b"a", b""]));
        check(r#"x "\x00\xfF\n\r\t\b\a\q\"""#, Some(&[b"x", &[0, 255, 10, 13, 9, 8, 7, b'q', b'"']]));
        check(r#"x "\xg1""#, Some(&[b"x", b"xg1"]));
        check(r"x 'it\'s \n'", Some(&[b"x", br"it's \n"]));
        check("dir a\"b c\"", Some(&[b"dir", b"ab c"]));
        check("x \"a\"b", None);
        check("x 'a'b", None);
        check("x \"a", None);
        check("x 'a", None);
        check("x \"a\\", None);
        check("a\u{b}b", Some(&[b"a\x0bb"]));
    }

    proptest! {
        #[test]
        fn any_bytes_split_or_are_refused(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = split(&line);
            let _ = trim(&line);
        }

        #[test]
        fn quoted_words_read_back(word in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut line = Vec::new();
            quote(&word, &mut line);
            prop_assert_eq!(split(&line), Some(vec![word]));
        }
    }
}
