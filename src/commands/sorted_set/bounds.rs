//! What a range is in requests: by rank, by score, by member. Read here, and turned into ranks of a set.
//!
//! ```text
//!  rank    0 -1                  from the end if negative
//!  score   1.5  (1.5  -inf +inf  ( leaves the bound itself out
//!  member  [abc (abc  -  +       only where all scores are the same
//! ```
//!
//! Called by `range`, `remove` and `lookup`. Always: the ranks exist in the set; none, if the bounds are the wrong way round.

use std::ops::Range;

use crate::base::double::parse_double;
use crate::commands::spec::{Args, Failure};
use crate::types::sorted_set::Probe;
use crate::types::{Collection, SortedSet};

/// By what a range is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Rank,
    Score,
    Member,
}

/// A range: the place where it begins and the one where it ends, or ranks.
#[derive(Clone, Copy, Debug)]
pub enum Bounds<'a> {
    Ranks(i64, i64),
    Places(Place<'a>, Place<'a>),
}

/// A place between two neighbours in a set.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Front,
    End,
    At(Probe<'a>),
}

impl Place<'_> {
    fn rank_in(self, set: &SortedSet) -> usize {
        match self {
            Place::Front => 0,
            Place::End => set.len(),
            Place::At(probe) => set.rank_of(probe),
        }
    }
}

impl<'a> Bounds<'a> {
    /// Reads the bounds at two argument indexes.
    ///
    /// # Errors
    /// They are none of this kind.
    pub fn parse(args: &Args<'a>, by: By, min: usize, max: usize) -> Result<Bounds<'a>, Failure> {
        match by {
            By::Rank => Ok(Bounds::Ranks(args.int(min)?, args.int(max)?)),
            By::Score => {
                let failure = Failure::text("ERR min or max is not a float");
                let (Some((min, without_min)), Some((max, without_max))) =
                    (parse_score(args.get(min)), parse_score(args.get(max)))
                else {
                    return Err(failure);
                };
                let from = if without_min { Probe::BehindScore(min) } else { Probe::Score(min) };
                let to = if without_max { Probe::Score(max) } else { Probe::BehindScore(max) };
                Ok(Bounds::Places(Place::At(from), Place::At(to)))
            }
            By::Member => {
                let failure = Failure::text("ERR min or max not valid string range item");
                let place = |word: &'a [u8], ends_here: bool| match word {
                    b"-" => Some(Place::Front),
                    b"+" => Some(Place::End),
                    // The end of a range lies behind what it includes, its beginning behind what it leaves out.
                    [b'[', member @ ..] if ends_here => Some(Place::At(Probe::BehindLex(member))),
                    [b'(', member @ ..] if !ends_here => Some(Place::At(Probe::BehindLex(member))),
                    [b'[' | b'(', member @ ..] => Some(Place::At(Probe::Lex(member))),
                    _ => None,
                };
                let (from, to) = (place(args.get(min), false), place(args.get(max), true));
                let (Some(from), Some(to)) = (from, to) else { return Err(failure) };
                Ok(Bounds::Places(from, to))
            }
        }
    }

    /// The ranks from the lowest score, or, for `Ranks` only, from the highest if `reverse`.
    pub fn ranks_in(self, set: &SortedSet, reverse: bool) -> Range<usize> {
        match self {
            Bounds::Ranks(start, stop) => {
                let ranks = ranks(start, stop, set.len());
                if reverse { set.len() - ranks.end..set.len() - ranks.start } else { ranks }
            }
            Bounds::Places(from, to) => {
                let from = from.rank_in(set);
                from..to.rank_in(set).max(from)
            }
        }
    }
}

/// Start and stop, both included and from the end if negative, among `len`.
fn ranks(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_end = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// A score, and whether the range leaves it out. Read as C's strtod reads it: spaces in front are fine, no text at all is 0,
/// what is too large is infinite.
fn parse_score(word: &[u8]) -> Option<(f64, bool)> {
    let (word, is_left_out) = match word {
        [b'(', rest @ ..] => (rest, true),
        word => (word, false),
    };
    if word.is_empty() {
        return Some((0.0, is_left_out));
    }
    if let Some(score) = parse_double(word) {
        return Some((score, is_left_out));
    }
    let text = std::str::from_utf8(word.trim_ascii_start()).ok()?;
    let score =
        parse_double(text.as_bytes()).or_else(|| text.parse().ok()).filter(|score| !score.is_nan())?;
    Some((score, is_left_out))
}

#[cfg(test)]
mod tests {
    use super::{parse_score, ranks};

    #[test]
    fn ranks_count_from_either_end() {
        let check = |start, stop, expected| assert_eq!(ranks(start, stop, 5), expected, "{start} {stop}");
        check(0, -1, 0..5);
        check(1, 2, 1..3);
        check(-2, -1, 3..5);
        check(-100, 100, 0..5);
        check(3, 2, 0..0);
        check(5, 9, 0..0);
        check(0, -6, 0..0);
        check(i64::MIN, i64::MAX, 0..5);
        assert_eq!(ranks(0, -1, 0), 0..0);
    }

    #[test]
    fn scores_of_bounds_are_read_as_strtod_reads_them() {
        let check =
            |word: &str, expected: Option<(f64, bool)>| assert_eq!(parse_score(word.as_bytes()), expected);
        check("1.5", Some((1.5, false)));
        check("(1.5", Some((1.5, true)));
        check("-inf", Some((f64::NEG_INFINITY, false)));
        check("(+inf", Some((f64::INFINITY, true)));
        check(" 1", Some((1.0, false)));
        check("", Some((0.0, false)));
        check("(", Some((0.0, true)));
        check("1e999", Some((f64::INFINITY, false)));
        check("1 ", None);
        check(" ", None);
        check("nan", None);
        check("x", None);
        check("((1", None);
    }
}
