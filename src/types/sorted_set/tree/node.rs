//! The nodes of the tree: searching, inserting with splits, removing with merges.
//!
//! ```text
//!  Leaf  = scores [f64; 63], members [..; 63]                                   one block of 1024 bytes
//!  Inner = mins (scores and members), counts, children, 25 of each              one block of 1024 bytes
//! ```
//!
//! Called by `tree` alone. Always: the arrays of a node are in use up to the same length; behind it are `None` and scores
//! that compare with nothing (NaN), so that a search looks at all places of a node without asking for its length.

use std::ops::Range;

use crate::base::alloc::size_class;
use crate::base::prefetch::prefetch;
use crate::types::frozen::Shared;
use crate::types::sorted_set::member::Member;
use crate::types::sorted_set::tree::Probe;

/// Members of a leaf.
pub const LEAF: usize = 63;
/// Children of an inner node.
pub const INNER: usize = 25;

/// How many members ahead of an outermost one are fetched, for those who take one after the other.
const AHEAD: usize = 4;

const _: () = assert!(SharedLeaf::BYTES <= 1024 && size_of::<Inner>() <= 1024);

/// Bytes of a member that is in the tree.
#[inline]
fn bytes_of(member: &Option<Member>) -> &[u8] {
    let member = member.expect("slots below the length are in use");
    // SAFETY: blocks outlive their place in the tree, says the contract of `Tree::insert`.
    unsafe { member.bytes() }
}

pub enum Node {
    Leaf(SharedLeaf),
    Inner(Box<Inner>),
}

/// The right half of a node that was full, with its least member.
pub struct Split {
    min: (f64, Option<Member>),
    count: usize,
    node: Node,
}

/// Views may hold it as well.
pub type SharedLeaf = Shared<Leaf>;

#[derive(Clone)]
#[repr(C)]
pub struct Leaf {
    scores: [f64; LEAF],
    members: [Option<Member>; LEAF],
    len: usize,
}

#[repr(C)]
pub struct Inner {
    /// The least score below each child; unused for the first one.
    scores: [f64; INNER],
    /// The least member likewise; `None` for the first child.
    members: [Option<Member>; INNER],
    counts: [usize; INNER],
    children: [Option<Node>; INNER],
    len: usize,
}

/// The score of a place that is not in use: neither below nor above any other.
const UNUSED: f64 = f64::NAN;

/// How many of `scores` are below `score`. Comparing all of them is faster than guessing where to look: no branch is missed,
/// the loop has a fixed length, and all cache lines load at once.
#[inline]
fn count_below<const N: usize>(scores: &[f64; N], score: f64) -> usize {
    scores.iter().map(|other| usize::from(*other < score)).sum()
}

#[inline]
fn count_up_to<const N: usize>(scores: &[f64; N], score: f64) -> usize {
    scores.iter().map(|other| usize::from(*other <= score)).sum()
}

/// How many of the members at these places, which are those in use, lie before the place of `probe`.
#[inline]
fn count_before<const N: usize>(
    scores: &[f64; N],
    members: &[Option<Member>; N],
    places: Range<usize>,
    probe: Probe<'_>,
) -> usize {
    match probe {
        Probe::Score(score) => count_below(scores, score),
        Probe::BehindScore(score) => count_up_to(scores, score),
        Probe::Element(score, bytes) => {
            let below = count_below(scores, score);
            below + count_ties(scores, members, places.start + below, score, |other| other < bytes)
        }
        Probe::BehindElement(score, bytes) => {
            let below = count_below(scores, score);
            below + count_ties(scores, members, places.start + below, score, |other| other <= bytes)
        }
        Probe::Lex(bytes) => count_by_bytes(&members[places], |other| other < bytes),
        Probe::BehindLex(bytes) => count_by_bytes(&members[places], |other| other <= bytes),
    }
}

/// How many of the members with this very score, which begin at `start`, are `before`.
#[inline]
fn count_ties<const N: usize>(
    scores: &[f64; N],
    members: &[Option<Member>; N],
    start: usize,
    score: f64,
    before: impl Fn(&[u8]) -> bool,
) -> usize {
    if scores.get(start) != Some(&score) {
        return 0;
    }
    let same = scores[start..].iter().take_while(|other| **other == score).count();
    count_by_bytes(&members[start..start + same], before)
}

/// How many of these members, whose bytes ascend, are `before`. Each comparison reads a block that is seldom in the cache, so
/// the blocks of both comparisons that may follow are fetched meanwhile.
fn count_by_bytes(members: &[Option<Member>], before: impl Fn(&[u8]) -> bool) -> usize {
    let fetch = |at: usize| members.get(at).copied().flatten().into_iter().for_each(Member::prefetch);
    let (mut low, mut high) = (0, members.len());
    while low < high {
        let middle = (low + high) / 2;
        fetch((low + middle) / 2);
        fetch((middle + 1 + high) / 2);
        if before(bytes_of(&members[middle])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Where to divide a full node into which something goes at `at`: in the middle, but at its end where things are appended,
/// and at its start (`lowest`) where they are put in front, so that what is filled in order stays full.
fn split_at(len: usize, at: usize, lowest: usize) -> usize {
    match at {
        at if at == len => len,
        at if at == lowest => lowest,
        _ => len / 2,
    }
}

impl Leaf {
    fn new() -> Leaf {
        Leaf { scores: [UNUSED; LEAF], members: [None; LEAF], len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, at: usize) -> (f64, Member) {
        (self.scores[at], self.members[at].expect("slots below the length are in use"))
    }

    /// See `Tree::outermost`.
    pub fn outermost(&self, is_first: bool) -> Option<Member> {
        let last = self.len.checked_sub(1)?;
        let (at, ahead) = if is_first { (0, last.min(AHEAD)) } else { (last, last.saturating_sub(AHEAD)) };
        self.get(ahead).1.prefetch();
        Some(self.get(at).1)
    }

    #[inline]
    pub fn count_before(&self, probe: Probe<'_>) -> usize {
        count_before(&self.scores, &self.members, 0..self.len, probe)
    }

    fn put(&mut self, at: usize, score: f64, member: Member) {
        self.scores.copy_within(at..self.len, at + 1);
        self.members.copy_within(at..self.len, at + 1);
        self.scores[at] = score;
        self.members[at] = Some(member);
        self.len += 1;
    }

    fn insert(&mut self, score: f64, bytes: &[u8], member: Member) -> Option<Split> {
        let at = self.count_before(Probe::Element(score, bytes));
        if self.len < LEAF {
            self.put(at, score, member);
            return None;
        }
        let keep = split_at(LEAF, at, 0);
        let mut right = SharedLeaf::from(Leaf::new());
        right.append(self, keep);
        if at <= keep && keep < LEAF {
            self.put(at, score, member)
        } else {
            right.put(at - keep, score, member)
        }
        let min = (right.scores[0], right.members[0]);
        Some(Split { min, count: right.len, node: Node::Leaf(right) })
    }

    /// Moves what `other` holds from `from` on to the end of this leaf.
    fn append(&mut self, other: &mut Leaf, from: usize) {
        let count = other.len - from;
        self.scores[self.len..self.len + count].copy_from_slice(&other.scores[from..other.len]);
        self.members[self.len..self.len + count].copy_from_slice(&other.members[from..other.len]);
        other.members[from..other.len].fill(None);
        other.scores[from..other.len].fill(UNUSED);
        other.len = from;
        self.len += count;
    }

    /// See `Tree::set_score_in_place`.
    pub fn set_score_in_place(&mut self, old: f64, bytes: &[u8], score: f64) -> bool {
        let at = self.count_before(Probe::Element(old, bytes));
        let stays = at > 0 && at + 1 < self.len && self.scores[at - 1] < score && score < self.scores[at + 1];
        if stays {
            self.scores[at] = score;
        }
        stays
    }

    fn remove(&mut self, start: usize, end: usize, taken: &mut impl FnMut(Member)) {
        self.members[start..end]
            .iter()
            .for_each(|member| taken(member.expect("slots below the length are in use")));
        self.scores.copy_within(end..self.len, start);
        self.members.copy_within(end..self.len, start);
        let left = self.len - (end - start);
        self.members[left..self.len].fill(None);
        self.scores[left..self.len].fill(UNUSED);
        self.len = left;
    }
}

impl Inner {
    fn new() -> Inner {
        Inner {
            scores: [UNUSED; INNER],
            members: [None; INNER],
            counts: [0; INNER],
            children: [const { None }; INNER],
            len: 0,
        }
    }

    /// A root over what was the root and has been split.
    pub fn over(left: Node, split: Split) -> Inner {
        let mut inner = Inner::new();
        inner.put(0, Split { min: (UNUSED, None), count: left.count(), node: left });
        inner.put(1, split);
        inner
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn node(&self, at: usize) -> &Node {
        self.children[at].as_ref().expect("slots below the length are in use")
    }

    pub fn node_mut(&mut self, at: usize) -> &mut Node {
        self.children[at].as_mut().expect("slots below the length are in use")
    }

    pub fn count_in(&self, children: Range<usize>) -> usize {
        self.counts[children].iter().sum()
    }

    pub fn take_only_child(&mut self) -> Node {
        debug_assert_eq!(self.len, 1);
        self.len = 0;
        self.children[0].take().expect("it has one child")
    }

    /// The child within or behind which the place of `probe` is; all children before it lie before that place.
    #[inline]
    pub fn child_of(&self, probe: Probe<'_>) -> usize {
        count_before(&self.scores, &self.members, 1..self.len, probe)
    }

    /// The child that holds the member at `rank`, and its rank therein.
    pub fn child_at(&self, rank: usize) -> (usize, usize) {
        let (mut at, mut rest) = (0, rank);
        while rest >= self.counts[at] && at + 1 < self.len {
            rest -= self.counts[at];
            at += 1;
        }
        (at, rest)
    }

    fn put(&mut self, at: usize, new: Split) {
        let end = self.len;
        self.scores.copy_within(at..end, at + 1);
        self.members.copy_within(at..end, at + 1);
        self.counts.copy_within(at..end, at + 1);
        self.children[at..=end].rotate_right(1);
        (self.scores[at], self.members[at]) = new.min;
        self.counts[at] = new.count;
        self.children[at] = Some(new.node);
        self.len += 1;
    }

    fn take(&mut self, at: usize) -> Node {
        let end = self.len;
        let node = self.children[at].take().expect("slots below the length are in use");
        self.scores.copy_within(at + 1..end, at);
        self.members.copy_within(at + 1..end, at);
        self.counts.copy_within(at + 1..end, at);
        self.children[at..end].rotate_left(1);
        (self.scores[end - 1], self.members[end - 1]) = (UNUSED, None);
        (self.scores[0], self.members[0]) = (UNUSED, None);
        self.len -= 1;
        node
    }

    fn insert(&mut self, score: f64, bytes: &[u8], member: Member) -> Option<Split> {
        let child = self.child_of(Probe::Element(score, bytes));
        self.counts[child] += 1;
        let split = self.node_mut(child).insert(score, bytes, member)?;
        self.counts[child] -= split.count;
        let at = child + 1;
        if self.len < INNER {
            self.put(at, split);
            return None;
        }
        let keep = split_at(INNER, at, 1);
        let mut right = Box::new(Inner::new());
        right.append(self, keep);
        if at <= keep && keep < INNER {
            self.put(at, split)
        } else {
            right.put(at - keep, split)
        }
        let min = (std::mem::replace(&mut right.scores[0], UNUSED), right.members[0].take());
        let count = right.count_in(0..right.len);
        Some(Split { min, count, node: Node::Inner(right) })
    }

    /// Moves the children of `other` from `from` on to the end of this node, with what is known of their least members.
    fn append(&mut self, other: &mut Inner, from: usize) {
        let (start, count) = (self.len, other.len - from);
        self.scores[start..start + count].copy_from_slice(&other.scores[from..other.len]);
        self.members[start..start + count].copy_from_slice(&other.members[from..other.len]);
        self.counts[start..start + count].copy_from_slice(&other.counts[from..other.len]);
        self.children[start..start + count].swap_with_slice(&mut other.children[from..other.len]);
        other.members[from..other.len].fill(None);
        other.scores[from..other.len].fill(UNUSED);
        other.len = from;
        self.len += count;
    }

    fn remove(&mut self, start: usize, end: usize, taken: &mut impl FnMut(Member)) {
        let (first, offset) = self.child_at(start);
        let (mut at, mut low, mut left) = (first, offset, end - start);
        while left > 0 {
            let high = self.counts[at].min(low + left);
            let all = high - low == self.counts[at];
            left -= high - low;
            self.counts[at] -= high - low;
            self.node_mut(at).remove(low, high, taken);
            if all {
                drop(self.take(at));
            } else {
                if low == 0 {
                    self.renew_min(at);
                }
                at += 1;
            }
            low = 0;
        }
        // What is left of the children on both sides of the gap may be low.
        if at > first + 1 {
            self.merge_if_low(first + 1);
        }
        if at > first {
            self.merge_if_low(first);
        }
    }

    /// Takes out the member with this score and these bytes, which is there. True if it was the first of all below.
    fn remove_element(&mut self, score: f64, bytes: &[u8]) -> bool {
        let at = self.child_of(Probe::BehindElement(score, bytes));
        self.counts[at] -= 1;
        let was_first = self.node_mut(at).remove_element(score, bytes);
        if self.counts[at] == 0 {
            drop(self.take(at));
        } else {
            if was_first {
                self.renew_min(at);
            }
            self.merge_if_low(at);
        }
        was_first && at == 0
    }

    /// Reads the least member of a child anew, after it has lost the one that it had.
    fn renew_min(&mut self, at: usize) {
        if at > 0 {
            let (score, member) = self.node(at).first();
            (self.scores[at], self.members[at]) = (score, Some(member));
        }
    }

    /// Merges a child that runs low with a neighbour if both fit into one node with room to spare.
    fn merge_if_low(&mut self, at: usize) {
        let (used, room) = self.node(at).use_and_room();
        if used >= room / 4 {
            return;
        }
        let fits = |other: &Node| used + other.use_and_room().0 <= room * 3 / 4;
        let left = if at + 1 < self.len && fits(self.node(at + 1)) {
            at
        } else if at > 0 && fits(self.node(at - 1)) {
            at - 1
        } else {
            return;
        };
        let (min, count) = ((self.scores[left + 1], self.members[left + 1]), self.counts[left + 1]);
        let right = self.take(left + 1);
        self.counts[left] += count;
        match (self.node_mut(left), right) {
            (Node::Leaf(left), Node::Leaf(mut right)) => left.append(&mut right, 0),
            (Node::Inner(left), Node::Inner(mut right)) => {
                (right.scores[0], right.members[0]) = min;
                left.append(&mut right, 0);
            }
            (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {
                unreachable!("all leaves are equally deep")
            }
        }
    }
}

impl Node {
    /// A leaf without members: the root of an empty tree.
    pub fn empty() -> Node {
        Node::Leaf(Leaf::new().into())
    }

    /// Number of members below.
    pub fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len,
            Node::Inner(inner) => inner.count_in(0..inner.len),
        }
    }

    fn use_and_room(&self) -> (usize, usize) {
        match self {
            Node::Leaf(leaf) => (leaf.len, LEAF),
            Node::Inner(inner) => (inner.len, INNER),
        }
    }

    /// The least member below a node that is not empty.
    fn first(&self) -> (f64, Member) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.get(0),
                Node::Inner(inner) => node = inner.node(0),
            }
        }
    }

    /// Adds a member with these bytes. Returns the right half if the node had to be split.
    pub fn insert(&mut self, score: f64, bytes: &[u8], member: Member) -> Option<Split> {
        match self {
            Node::Leaf(leaf) => leaf.insert(score, bytes, member),
            Node::Inner(inner) => inner.insert(score, bytes, member),
        }
    }

    /// Takes out the members from rank `start` to before rank `end`, in order. There must be some.
    pub fn remove(&mut self, start: usize, end: usize, taken: &mut impl FnMut(Member)) {
        match self {
            Node::Leaf(leaf) => leaf.remove(start, end, taken),
            Node::Inner(inner) => inner.remove(start, end, taken),
        }
    }

    /// Takes out the member with this score and these bytes, which is there. True if it was the first of all below.
    pub fn remove_element(&mut self, score: f64, bytes: &[u8]) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.count_before(Probe::Element(score, bytes));
                leaf.remove(at, at + 1, &mut |_| {});
                at == 0
            }
            Node::Inner(inner) => inner.remove_element(score, bytes),
        }
    }

    /// Appends all leaves below, ascending, as they are now.
    pub fn share(&self, into: &mut Vec<SharedLeaf>) {
        match self {
            Node::Leaf(leaf) => into.push(leaf.clone()),
            Node::Inner(inner) => {
                // Their counts of holders are about to be raised.
                (0..inner.len).for_each(|at| inner.node(at).prefetch());
                (0..inner.len).for_each(|at| inner.node(at).share(into));
            }
        }
    }

    /// Begins to load the first line of a leaf into the cache.
    fn prefetch(&self) {
        if let Node::Leaf(leaf) = self {
            prefetch(std::ptr::from_ref::<Leaf>(leaf).cast::<u8>());
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            Node::Leaf(_) => size_class(SharedLeaf::BYTES),
            Node::Inner(inner) => {
                let below: usize = (0..inner.len).map(|at| inner.node(at).heap_bytes()).sum();
                size_class(size_of::<Inner>()) + below
            }
        }
    }
}

#[cfg(test)]
impl Node {
    /// Checks what always holds below a node whose members lie in these bounds; returns depth and count.
    pub fn check(&self, is_root: bool) -> (usize, usize) {
        match self {
            Node::Leaf(leaf) => {
                assert!(is_root || leaf.len > 0, "an empty leaf");
                assert!(leaf.scores[leaf.len..].iter().all(|score| score.is_nan()));
                let all: Vec<_> =
                    (0..leaf.len).map(|at| (leaf.scores[at], bytes_of(&leaf.members[at]))).collect();
                assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "a leaf is out of order");
                (0, leaf.len)
            }
            Node::Inner(inner) => {
                assert!(inner.len > usize::from(is_root) && inner.members[0].is_none());
                assert!(
                    inner.scores[0].is_nan() && inner.scores[inner.len..].iter().all(|score| score.is_nan())
                );
                let mut depths = Vec::new();
                for at in 0..inner.len {
                    let (depth, count) = inner.node(at).check(false);
                    depths.push(depth);
                    assert_eq!(count, inner.counts[at]);
                    if at > 0 {
                        let (score, member) = inner.node(at).first();
                        assert_eq!((inner.scores[at], inner.members[at]), (score, Some(member)));
                    }
                }
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "leaves of different depth");
                (depths[0] + 1, inner.count_in(0..inner.len))
            }
        }
    }
}
