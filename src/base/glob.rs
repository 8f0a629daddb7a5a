//! Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL key rules use them: `*`, `?`, classes with
//! ranges and negation, and `\` as escape. Behaves as Redis' `stringmatchlen`, oddities included.
//!
//! Always: time is at most pattern length times text length. Every element but `*` takes exactly one byte of
//! text, so when a mismatch occurs only the latest `*` needs to grow; growing an earlier one cannot help. A
//! pattern like `a*a*a*...b` is therefore no way to stall a worker.

/// Does the whole of `text` match `pattern`? With `nocase`, ASCII letters match both cases.
///
/// Kept from Redis: the empty text matches only the empty pattern (not even `*`); an unclosed class ends with the
/// pattern; a backslash at the very end is itself; range ends are compared as signed bytes and swapped if out of
/// order; an escaped byte in a class is compared exactly even with `nocase`.
pub fn glob_match(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: the element behind the latest star, and the text it was last tried at.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, t));
                continue;
            }
            (Some(_), Some(&byte)) => match_one(&pattern[p..], byte, nocase),
            // A longer match of the latest star would only leave less text.
            (Some(_), None) => return false,
            (None, Some(_)) => None,
        };
        match (step, retry) {
            (Some(taken), _) => {
                p += taken;
                t += 1;
            }
            (None, Some((after_star, tried_at))) => {
                p = after_star;
                t = tried_at + 1;
                retry = Some((p, t));
            }
            (None, None) => return false,
        }
    }
}

/// Matches the first element of `pattern` (not a star) against one byte: `Some(length of the element)` if it fits.
#[inline]
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let (literal, taken) = match pattern {
        [b'?', ..] => return Some(1),
        [b'[', ..] => {
            let (fits, taken) = match_class(pattern, byte, nocase);
            return fits.then_some(taken);
        }
        [b'\\', escaped, ..] => (*escaped, 2),
        [literal, ..] => (*literal, 1),
        [] => return None,
    };
    same(literal, byte, nocase).then_some(taken)
}

/// Matches a class that starts at `pattern[0] == '['`: (fits, length of the class).
fn match_class(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        match &pattern[at.min(pattern.len())..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= in_range(*from, *to, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(*literal, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated, at.min(pattern.len()))
}

fn in_range(from: u8, to: u8, byte: u8, nocase: bool) -> bool {
    let signed = |byte: u8| if nocase { byte.to_ascii_lowercase() as i8 } else { byte as i8 };
    // Order first, lower case after: that is what Redis does, and `[a-Z]` tells the difference.
    let (low, high) = if (from as i8) > (to as i8) { (to, from) } else { (from, to) };
    (signed(low)..=signed(high)).contains(&signed(byte))
}

#[inline]
fn same(a: u8, b: u8, nocase: bool) -> bool {
    if nocase { a.eq_ignore_ascii_case(&b) } else { a == b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_redis() {
        #[track_caller]
        fn check(pattern: &str, text: &str, want: bool) {
            assert_eq!(glob_match(pattern.as_bytes(), text.as_bytes(), false), want, "{pattern:?} {text:?}");
        }
        check("", "", true);
        check("", "a", false);
        check("*", "", false);
        check("*", "anything", true);
        check("***", "anything", true);
        check("foo*", "foo", true);
        check("foo*", "foobar", true);
        check("foo*", "fo", false);
        check("*bar", "foobar", true);
        check("*bar", "bar", true);
        check("*bar", "barx", false);
        check("f*o*r", "foobar", true);
        check("f*z*r", "foobar", false);
        check("*a*b", "aab ab", true);
        check("h?llo", "hello", true);
        check("h?llo", "hllo", false);
        check("?", "", false);
        check("a?", "a", false);
        check("h[ae]llo", "hallo", true);
        check("h[ae]llo", "hillo", false);
        check("h[^e]llo", "hallo", true);
        check("h[^e]llo", "hello", false);
        check("h[a-b]llo", "hbllo", true);
        check("h[b-a]llo", "hallo", true);
        check("h[a-b]llo", "hcllo", false);
        check("[a-]", "a", true);
        check("[a-]", "b", false);
        check("[a-]", "]", true);
        check("[]", "a", false);
        check("[^]", "a", true);
        check("[", "[", false);
        check("[^", "x", true);
        check("[abc", "b", true);
        check("[abc", "bc", false);
        check("[\\]]", "]", true);
        check("[\\a-z]", "-", true);
        check("[\\a-z]", "c", false);
        check("\\*", "*", true);
        check("\\*", "a", false);
        check("\\", "\\", true);
        check("a\\", "a\\", true);
        check("\\\\", "\\", true);
        check("*[ab]*c", "xxbyyc", true);
        check("Hello", "hello", false);
    }

    #[test]
    fn ranges_of_high_bytes_are_compared_as_signed() {
        assert!(glob_match(b"[\x80-\xff]", b"\x90", false));
        assert!(!glob_match(b"[\x80-\xff]", b"a", false));
        assert!(glob_match(b"[a-\xff]", b"B", false));
        assert!(!glob_match(b"[a-\xff]", b"z", false));
    }

    #[test]
    fn case_is_ignored_on_request() {
        #[track_caller]
        fn check(pattern: &str, text: &str, want: bool) {
            assert_eq!(glob_match(pattern.as_bytes(), text.as_bytes(), true), want, "{pattern:?} {text:?}");
        }
        check("HeLLo*", "hEllO world", true);
        check("[A-C]x", "bX", true);
        check("[abc]", "C", true);
        check("\\A", "a", true);
        check("[\\A]", "a", false);
        check("[Z-a]", "m", false);
    }

    #[test]
    fn a_pattern_of_many_stars_does_not_explode() {
        let pattern: Vec<u8> = b"a*".iter().copied().cycle().take(40_000).chain(*b"b").collect();
        let text = vec![b'a'; 25_000];
        assert!(!glob_match(&pattern, &text, false));
        let text = vec![b'a'; 200];
        assert!(!glob_match(&b"*?".repeat(150), &text[..149], false));
        assert!(glob_match(&b"*?".repeat(150), &text, false));
    }

    /// The definition, without any cleverness: a star takes every possible length.
    fn slow_match(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skip| slow_match(rest, &text[skip..])),
            _ => match text {
                [byte, rest @ ..] => {
                    match_one(pattern, *byte, false).is_some_and(|taken| slow_match(&pattern[taken..], rest))
                }
                [] => false,
            },
        }
    }

    proptest! {
        #[test]
        fn retrying_only_the_latest_star_is_enough(pattern in r"[ab*?\[\]\\^-]{0,10}", text in "[ab-]{1,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob_match(pattern, text, false), slow_match(pattern, text));
        }

        #[test]
        fn no_input_panics(pattern: Vec<u8>, text: Vec<u8>, nocase: bool) {
            glob_match(&pattern, &text, nocase);
        }
    }
}
