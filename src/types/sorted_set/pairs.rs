//! A small sorted set: a listpack of members, each followed by its score, in the order of the set, as Redis stores them.
//!
//! ```text
//!   | member | score | member | score | ...        scores ascend; equal ones go by the members' bytes
//! ```
//!
//! Called by `sorted_set` and its `rdb`. Always: the elements come in pairs, no member twice, and every score is a number.

use std::ops::Range;

use crate::base::double::{DOUBLE_LEN_MAX, parse_double, write_double};
use crate::codec::listpack::{self, Item, Listpack, Pos};
use crate::types::sorted_set::tree::Probe;

/// The score that an element says; `None` if it is no number.
#[inline]
pub fn parse_score(item: Item<'_>) -> Option<f64> {
    match item {
        Item::Int(value) => Some(value as f64),
        Item::Bytes(text) => parse_double(text),
    }
}

#[inline]
fn score_of(item: Item<'_>) -> f64 {
    parse_score(item).expect("scores are written by `insert` or checked by `rdb`")
}

fn text_of(score: f64) -> Vec<u8> {
    let mut text = Vec::with_capacity(DOUBLE_LEN_MAX);
    // Whole numbers are stored as integers, which know one zero only.
    write_double(&mut text, if score == 0.0 { 0.0 } else { score });
    text
}

/// Where a member is.
fn find(pairs: &Listpack, member: &[u8]) -> Option<Pos> {
    pairs.find(member, pairs.first()?, 1)
}

fn score_at(pairs: &Listpack, pos: Pos) -> f64 {
    score_of(pairs.get(pairs.next(pos).expect("a score follows each member")))
}

pub fn score(pairs: &Listpack, member: &[u8]) -> Option<f64> {
    Some(score_at(pairs, find(pairs, member)?))
}

/// Adds a member that belongs behind all others.
pub fn append(pairs: &mut Listpack, member: &[u8], score: f64) {
    pairs.push_back_pair(member, &text_of(score));
}

/// Adds a member that is not there.
pub fn insert(pairs: &mut Listpack, member: &[u8], score: f64) {
    let text = text_of(score);
    let append = pairs.last().is_none_or(|last| score_of(pairs.get(last)) < score);
    match (!append).then(|| place(pairs, Probe::Element(score, member)).1).flatten() {
        Some(pos) => drop(pairs.insert_pair_before(pos, member, &text)),
        None => pairs.push_back_pair(member, &text),
    }
}

/// How many pairs lie before the place of `probe`, and the first that does not.
pub fn place(pairs: &Listpack, probe: Probe<'_>) -> (usize, Option<Pos>) {
    let mut at = pairs.first();
    let mut before = 0;
    while let Some(pos) = at {
        let score_pos = pairs.next(pos).expect("a score follows each member");
        let member = || pairs.get(pos);
        let is_before = match probe {
            Probe::Score(score) => score_of(pairs.get(score_pos)) < score,
            Probe::BehindScore(score) => score_of(pairs.get(score_pos)) <= score,
            Probe::Element(score, bytes) => {
                let other = score_of(pairs.get(score_pos));
                other < score || (other == score && member().bytes(&mut itoa::Buffer::new()) < bytes)
            }
            Probe::BehindElement(score, bytes) => {
                let other = score_of(pairs.get(score_pos));
                other < score || (other == score && member().bytes(&mut itoa::Buffer::new()) <= bytes)
            }
            Probe::Lex(bytes) => member().bytes(&mut itoa::Buffer::new()) < bytes,
            Probe::BehindLex(bytes) => member().bytes(&mut itoa::Buffer::new()) <= bytes,
        };
        if !is_before {
            break;
        }
        before += 1;
        at = pairs.next(score_pos);
    }
    (before, at)
}

/// Rank and score of a member.
pub fn rank(pairs: &Listpack, member: &[u8]) -> Option<(usize, f64)> {
    let mut at = pairs.first();
    let mut rank = 0;
    while let Some(pos) = at {
        if pairs.get(pos).eq_bytes(member) {
            return Some((rank, score_at(pairs, pos)));
        }
        rank += 1;
        at = pairs.next(pairs.next(pos)?);
    }
    None
}

/// Gives a member that is there another score; returns the old one. `None`, and nothing changed, if it is not there.
pub fn update(pairs: &mut Listpack, member: &[u8], score: f64) -> Option<f64> {
    let pos = find(pairs, member)?;
    let old = score_at(pairs, pos);
    if old != score {
        pairs.remove_from(pos, 2);
        insert(pairs, member, score);
    }
    Some(old)
}

/// Takes a member out; returns its score.
pub fn remove(pairs: &mut Listpack, member: &[u8]) -> Option<f64> {
    let pos = find(pairs, member)?;
    let score = score_at(pairs, pos);
    pairs.remove_from(pos, 2);
    Some(score)
}

/// Takes out the pairs of these ranks, after showing each.
pub fn remove_ranks(pairs: &mut Listpack, ranks: Range<usize>, mut show: impl FnMut(&[u8], f64)) {
    for (member, score) in iter(pairs, ranks.clone()) {
        show(member.bytes(&mut itoa::Buffer::new()), score);
    }
    pairs.remove_range(ranks.start as i64 * 2, ranks.len() * 2);
}

/// Pairs in ascending order.
#[derive(Clone)]
pub struct Pairs<'a> {
    items: Option<listpack::Iter<'a>>,
    left: usize,
}

/// Pairs in descending order.
pub struct PairsRev<'a> {
    items: Option<listpack::IterRev<'a>>,
    left: usize,
}

pub fn iter(pairs: &Listpack, ranks: Range<usize>) -> Pairs<'_> {
    let items = pairs.seek(ranks.start as i64 * 2).map(|pos| pairs.iter_from(pos));
    Pairs { items, left: ranks.len() }
}

pub fn iter_rev(pairs: &Listpack, ranks: Range<usize>) -> PairsRev<'_> {
    let items = pairs.seek(ranks.end as i64 * 2 - 1).map(|pos| pairs.iter_rev_from(pos));
    PairsRev { items, left: ranks.len() }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        let items = self.items.as_mut()?;
        let member = items.next()?;
        Some((member, score_of(items.next()?)))
    }
}

impl<'a> Iterator for PairsRev<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        let items = self.items.as_mut()?;
        let score = score_of(items.next()?);
        Some((items.next()?, score))
    }
}
