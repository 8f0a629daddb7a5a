//! The tree against a sorted vector, through random insertions, removals of single ranks and of ranges, and searches.

use super::{Probe, Tree};
use crate::base::random::Rng;
use crate::types::sorted_set::member::Member;

/// The same members in a tree and in a vector.
#[derive(Default)]
struct Pair {
    tree: Tree,
    model: Vec<(f64, Vec<u8>, Member)>,
}

impl Pair {
    fn insert(&mut self, score: f64, bytes: &[u8]) {
        let at = self.model.partition_point(|(s, b, _)| (*s, b.as_slice()) < (score, bytes));
        if self.model.get(at).is_some_and(|(s, b, _)| (*s, b.as_slice()) == (score, bytes)) {
            return;
        }
        let member = Member::new(bytes, score);
        self.model.insert(at, (score, bytes.to_vec(), member));
        // SAFETY: `remove` takes members out of the tree before it frees them.
        unsafe { self.tree.insert(score, member) };
    }

    fn remove(&mut self, from: usize, to: usize) {
        let mut taken = Vec::new();
        self.tree.remove(from..to, &mut |member| taken.push(member));
        let gone: Vec<Member> = self.model.drain(from..to).map(|(_, _, member)| member).collect();
        assert_eq!(taken, gone);
        // SAFETY: the tree has given them back.
        gone.into_iter().for_each(|member| unsafe { member.free() });
    }

    fn remove_element(&mut self, at: usize) {
        let (score, bytes, member) = self.model.remove(at);
        self.tree.remove_element(score, &bytes);
        // SAFETY: the tree no longer has it.
        unsafe { member.free() };
    }

    /// A little more or less: it may stay where it is.
    fn nudge(&mut self, at: usize, by: f64) {
        let (old, bytes, _) = self.model[at].clone();
        if self.tree.set_score_in_place(old, &bytes, old + by) {
            self.model[at].0 = old + by;
            assert!(at > 0 && self.model[at - 1].0 < old + by && old + by < self.model[at + 1].0);
        }
    }

    fn check(&self, rng: &mut Rng) {
        assert_eq!(self.tree.root.check(true).1, self.model.len());
        assert_eq!(self.tree.len(), self.model.len());
        let len = self.model.len() as u64;
        let from = rng.below(len + 1) as usize;
        let to = from + rng.below(len + 1 - from as u64) as usize;
        let expected: Vec<_> =
            self.model[from..to].iter().map(|(score, _, member)| (*score, *member)).collect();
        assert_eq!(self.tree.iter(from..to).collect::<Vec<_>>(), expected);
        let mut backwards: Vec<_> = self.tree.iter_rev(from..to).collect();
        backwards.reverse();
        assert_eq!(backwards, expected);
        for (rank, (score, bytes, member)) in self.model.iter().enumerate().step_by(1 + self.model.len() / 7)
        {
            assert_eq!(self.tree.rank(Probe::Element(*score, bytes)), rank);
            assert_eq!(self.tree.iter(rank..rank + 1).next(), Some((*score, *member)));
            let below = self.model.partition_point(|(s, _, _)| s < score);
            let up_to = self.model.partition_point(|(s, _, _)| s <= score);
            assert_eq!(self.tree.rank(Probe::Score(*score)), below);
            assert_eq!(self.tree.rank(Probe::BehindScore(*score)), up_to);
        }
    }

    fn clear(&mut self) {
        self.remove(0, self.model.len());
        assert_eq!((self.tree.len(), self.tree.root.check(true)), (0, (0, 0)));
    }
}

/// `scores` different scores: few make many ties, which members decide.
fn check(seed: u64, scores: u64, rounds: usize) {
    let mut rng = Rng::from_seed(seed);
    let mut pair = Pair::default();
    for round in 0..rounds {
        match rng.below(20) {
            0 if !pair.model.is_empty() => {
                let len = pair.model.len() as u64;
                let from = rng.below(len);
                let most = if rng.below(4) == 0 { len - from } else { (len - from).min(200) };
                pair.remove(from as usize, (from + rng.below(most + 1)) as usize);
            }
            1..=3 if !pair.model.is_empty() => {
                let at = rng.below(pair.model.len() as u64) as usize;
                pair.remove(at, at + 1);
            }
            4..=6 if !pair.model.is_empty() => {
                let at = rng.below(pair.model.len() as u64) as usize;
                pair.remove_element(at);
            }
            7 if !pair.model.is_empty() => {
                let at = rng.below(pair.model.len() as u64) as usize;
                pair.nudge(at, rng.unit() - 0.5);
            }
            _ => {
                let score = rng.below(scores) as f64 - 3.0;
                let bytes = format!("m{}", rng.below(50_000));
                pair.insert(score, bytes.as_bytes());
            }
        }
        if round % 64 == 0 {
            pair.check(&mut rng);
        }
    }
    pair.clear();
}

#[test]
fn the_tree_agrees_with_a_sorted_vector() {
    for seed in 0..6 {
        check(seed, 1, 3_000);
        check(seed, 5, 3_000);
        check(seed, 1 << 40, 6_000);
    }
}

#[test]
fn trees_that_are_filled_in_order_are_full() {
    for step in [1.0, -1.0] {
        let mut pair = Pair::default();
        (0..10_000).for_each(|n| pair.insert(step * f64::from(n), b"m"));
        pair.check(&mut Rng::from_seed(1));
        let full = 10_000 * 1024 / super::node::LEAF;
        assert!(pair.tree.heap_bytes() < full * 11 / 10);
        // Popping from the front, and what is left merges.
        for _ in 0..9_900 {
            pair.remove(0, 1);
        }
        pair.check(&mut Rng::from_seed(1));
        pair.clear();
    }
}

#[test]
fn thinned_out_trees_shrink() {
    let mut pair = Pair::default();
    (0..20_000).for_each(|n| pair.insert(f64::from(n), b"m"));
    let full = pair.tree.heap_bytes();
    let mut rng = Rng::from_seed(7);
    while pair.model.len() > 1000 {
        let at = rng.below(pair.model.len() as u64) as usize;
        pair.remove(at, at + 1);
    }
    pair.check(&mut rng);
    assert!(pair.tree.heap_bytes() < full / 5, "{} of {full}", pair.tree.heap_bytes());
    pair.clear();
}

#[test]
fn equal_scores_are_searched_by_member() {
    let mut pair = Pair::default();
    (0..1000).for_each(|n| pair.insert(0.0, format!("{n:03}").as_bytes()));
    assert_eq!(pair.tree.rank(Probe::Lex(b"500")), 500);
    assert_eq!(pair.tree.rank(Probe::BehindLex(b"500")), 501);
    assert_eq!(pair.tree.rank(Probe::Lex(b"")), 0);
    assert_eq!(pair.tree.rank(Probe::Lex(b"5000")), 501);
    assert_eq!(pair.tree.rank(Probe::BehindLex(b"z")), 1000);
    pair.clear();
}
