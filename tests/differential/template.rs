//! Templates: one line that stands for many requests.
//!
//! ```text
//!  ZRANGE {zset} {int} {int} [REV] [WITHSCORES]         [a]     perhaps
//!  LINSERT {list} (BEFORE|AFTER) {value} {value}        (a|b)   one of them; [a|b] perhaps one of them
//!  ZADD {zset} [NX|XX] ({score} {member})+              x+      once or a few times
//! ```
//!
//! Used by `pair`, over the templates in `commands`. Always: the same random numbers make the same words.

use crate::traffic::Random;
use crate::values::{odd, word};

/// Repetitions of `+` at most.
const REPEATS_MAX: u64 = 4;
/// One request in so many is spoilt: a word too few, too many, or out of place.
const SPOILT: u64 = 25;

/// Expands a template.
pub fn expand(template: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let rest = sequence(template, random, &mut Some(&mut words));
    assert!(rest.is_empty(), "a template with an end too many: {template}");
    if random.below(SPOILT) == 0 {
        spoil(&mut words, random);
    }
    words
}

/// Drops, doubles, adds or replaces a word behind the command's name.
fn spoil(words: &mut Vec<Vec<u8>>, random: &mut Random) {
    let at = 1 + random.below(words.len().max(2) as u64 - 1) as usize;
    match random.below(5) {
        0 if at < words.len() => drop(words.remove(at)),
        1 if at < words.len() => words.insert(at, words[at].clone()),
        2 if at < words.len() => words[at] = odd(random),
        3 => words.truncate(at),
        _ => words.insert(at.min(words.len()), odd(random)),
    }
}

/// Items up to a closing bracket, a bar or the end; what is left. Without `out` they are only skipped.
fn sequence<'t>(mut text: &'t str, random: &mut Random, out: &mut Option<&mut Vec<Vec<u8>>>) -> &'t str {
    loop {
        text = text.trim_start();
        match text.chars().next() {
            None | Some(')' | ']' | '|') => return text,
            Some(_) => text = item(text, random, out),
        }
    }
}

/// One item with its repetitions.
fn item<'t>(text: &'t str, random: &mut Random, out: &mut Option<&mut Vec<Vec<u8>>>) -> &'t str {
    let rest = one(text, random, &mut None);
    let (repeats, rest) = match rest.strip_prefix('+') {
        Some(rest) => (1 + random.below(REPEATS_MAX), rest),
        None => (1, rest),
    };
    if out.is_some() {
        for _ in 0..repeats {
            one(text, random, out);
        }
    }
    rest
}

fn one<'t>(text: &'t str, random: &mut Random, out: &mut Option<&mut Vec<Vec<u8>>>) -> &'t str {
    match text.as_bytes()[0] {
        b'(' | b'[' => group(text, random, out),
        b'{' => {
            let end = text.find('}').expect("a closed brace");
            let rest = &text[end + 1..];
            let (tail, rest) = rest.split_at(literal_len(rest));
            if let Some(out) = out {
                out.push([word(&text[1..end], random).as_slice(), tail.as_bytes()].concat());
            }
            rest
        }
        _ => {
            let (literal, rest) = text.split_at(literal_len(text));
            if let Some(out) = out {
                out.push(literal.as_bytes().to_vec());
            }
            rest
        }
    }
}

/// How far the letters go that stand for themselves.
fn literal_len(text: &str) -> usize {
    text.find([' ', ')', ']', '|', '+']).unwrap_or(text.len())
}

/// `(a|b)` or `[a|b]`.
fn group<'t>(text: &'t str, random: &mut Random, out: &mut Option<&mut Vec<Vec<u8>>>) -> &'t str {
    let mut starts = vec![&text[1..]];
    let mut rest = sequence(&text[1..], random, &mut None);
    while let Some(next) = rest.strip_prefix('|') {
        starts.push(next);
        rest = sequence(next, random, &mut None);
    }
    let is_wanted = text.starts_with('(') || random.below(2) == 0;
    if out.is_some() && is_wanted {
        let start = starts[random.below(starts.len() as u64) as usize];
        sequence(start, random, out);
    }
    &rest[1..]
}

#[test]
fn a_template_stands_for_what_its_signs_say() {
    let mut random = Random::new(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2000 {
        let mut words = Vec::new();
        sequence("A (b|c d) [e|f [g]] (x y)+", &mut random, &mut Some(&mut words));
        let text = String::from_utf8(words.join(&b' ')).expect("letters");
        assert!(text.starts_with("A b") || text.starts_with("A c d"), "{text}");
        assert!(text.ends_with("x y"), "{text}");
        seen.insert(text);
    }
    let mut words = Vec::new();
    sequence("{seconds}000 [x] {small}-* y", &mut random, &mut Some(&mut words));
    assert!(words[0].ends_with(b"000") && words[0].len() > 3, "{words:?}");
    assert!(words[words.len() - 2].ends_with(b"-*") && words.len() < 5, "{words:?}");
    assert!(seen.contains("A b x y") && seen.contains("A c d f g x y x y") && seen.contains("A b e x y"));
}
