//! The sorted set type: members, each once, in the order of their scores, and among equal scores in that of their bytes.
//!
//! ```text
//!  small   Listpack    member, score, member, score, ...              `pairs`
//!  large   Ranked      a hash table and a counting B+ tree            `ranked` = `table` + `tree` over `member`
//! ```
//!
//! Called by the keyspace and by the handlers of sorted sets and of geo data. A range of scores or of members is first turned
//! into a range of ranks (`rank_of` for either end), and everything else goes by ranks.
//! Always: a score is never NaN; a small set becomes a large one when it outgrows its limits, and not small again.

mod frozen;
mod member;
mod pairs;
mod ranked;
pub mod rdb;
mod table;
mod tree;

#[cfg(test)]
mod tests;

pub use tree::Probe;

use std::ops::Range;

use crate::base::digest::Digest;
use crate::base::double::write_percent_17g;
use crate::codec::listpack::{Item, Listpack};
use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::codec::rdb::{Dialect, value_type};
use crate::config::Config;
use crate::types::frozen::LEN_MIN;
use crate::types::word::{Large, one_word};
use crate::types::{Collection, Encoding, Frozen, Kind, Value};
use ranked::Ranked;

/// Up to which size a set is stored as a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members.
    pub entries: usize,
    /// Bytes of the longest member.
    pub value: usize,
}

impl Limits {
    pub fn of(config: &Config) -> Limits {
        Limits { entries: config.zset_max_listpack_entries, value: config.zset_max_listpack_value }
    }

    /// Does a set of so many members, the longest of so many bytes, stay small?
    pub fn allow(self, entries: usize, value: usize) -> bool {
        entries <= self.entries && value <= self.value
    }
}

one_word!(
    /// A sorted set.
    SortedSet, SortedSetForm { Listpack(S): Listpack, Tree(L): Large<Ranked> }
);

impl Default for SortedSet {
    fn default() -> SortedSet {
        Listpack::new().into()
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter(0..self.len())).finish()
    }
}

impl SortedSet {
    /// An empty set that is about to get so many members.
    pub fn for_members(expected: usize, limits: Limits) -> SortedSet {
        if expected <= limits.entries {
            SortedSet::default()
        } else {
            // More than that is not believed before it is there.
            SortedSet::for_result(expected)
        }
    }

    /// So many members are about to come. Should they be more than a small set may have, it becomes a large one at once, even
    /// if some of them then turn out to be the same, as in Redis.
    #[inline]
    pub fn expect(&mut self, count: usize, limits: Limits) {
        if count > limits.entries {
            self.make_large();
        }
    }

    /// An empty set in the form of large ones, for a result that is being computed: `settle` finds the form that fits.
    pub fn for_result(expected: usize) -> SortedSet {
        Large::new(Ranked::new(expected.min(EXPECTED_MAX))).into()
    }

    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self.form() {
            SortedSetForm::Listpack(pairs) => pairs::score(pairs, member),
            SortedSetForm::Tree(ranked) => ranked.score(member),
        }
    }

    /// Gives a member a score, which must be a number; returns the one that it had.
    pub fn set(&mut self, member: &[u8], score: f64, limits: Limits) -> Option<f64> {
        debug_assert!(!score.is_nan());
        let pairs = match self.form_mut() {
            SortedSetForm::Tree(ranked) => return ranked.set(member, score),
            SortedSetForm::Listpack(pairs) => pairs,
        };
        if let Some(old) = pairs::update(pairs, member, score) {
            return Some(old);
        }
        if limits.allow(pairs.len() / 2 + 1, member.len()) && !pairs.would_exceed(member.len()) {
            pairs::insert(pairs, member, score);
        } else {
            self.make_large().set(member, score);
        }
        None
    }

    #[cold]
    fn make_large(&mut self) -> &mut Ranked {
        if let SortedSetForm::Listpack(pairs) = self.form_mut() {
            let mut ranked = Ranked::new(pairs.len() / 2 + 1);
            for (member, score) in pairs::iter(pairs, 0..pairs.len() / 2) {
                ranked.set(member.bytes(&mut itoa::Buffer::new()), score);
            }
            *self = Large::new(ranked).into();
        }
        match self.form_mut() {
            SortedSetForm::Tree(ranked) => ranked,
            SortedSetForm::Listpack(_) => unreachable!("it was replaced just now"),
        }
    }

    /// A set that has been computed takes the form that fits its size.
    pub fn settle(&mut self, limits: Limits) {
        let SortedSetForm::Tree(ranked) = self.form_mut() else { return };
        let longest = || ranked.iter(0..ranked.len()).map(|(member, _)| member.len()).max().unwrap_or(0);
        if ranked.len() <= limits.entries && longest() <= limits.value {
            let mut pairs = Listpack::new();
            ranked.iter(0..ranked.len()).for_each(|(member, score)| pairs::append(&mut pairs, member, score));
            *self = pairs.into();
        }
    }

    /// Takes a member out; returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self.form_mut() {
            SortedSetForm::Listpack(pairs) => pairs::remove(pairs, member),
            SortedSetForm::Tree(ranked) => ranked.remove(member),
        }
    }

    /// Rank, from the lowest score, and score.
    #[inline]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self.form() {
            SortedSetForm::Listpack(pairs) => pairs::rank(pairs, member),
            SortedSetForm::Tree(ranked) => ranked.rank(member),
        }
    }

    /// How many members lie before a place.
    #[inline]
    pub fn rank_of(&self, probe: Probe<'_>) -> usize {
        match self.form() {
            SortedSetForm::Listpack(pairs) => pairs::place(pairs, probe).0,
            SortedSetForm::Tree(ranked) => ranked.rank_of(probe),
        }
    }

    /// The members of these ranks, which must exist, ascending.
    pub fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        match self.form() {
            SortedSetForm::Listpack(pairs) => Iter::Pairs(pairs::iter(pairs, ranks)),
            SortedSetForm::Tree(ranked) => Iter::Tree(ranked.iter(ranks)),
        }
    }

    /// The members of these ranks, which must exist, descending.
    pub fn iter_rev(&self, ranks: Range<usize>) -> IterRev<'_> {
        match self.form() {
            SortedSetForm::Listpack(pairs) => IterRev::Pairs(pairs::iter_rev(pairs, ranks)),
            SortedSetForm::Tree(ranked) => IterRev::Tree(ranked.iter_rev(ranks)),
        }
    }

    /// Takes out the members of these ranks, which must exist, after showing each, ascending.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, show: impl FnMut(&[u8], f64)) {
        match self.form_mut() {
            SortedSetForm::Listpack(pairs) => pairs::remove_ranks(pairs, ranks, show),
            SortedSetForm::Tree(ranked) => ranked.remove_ranks(ranks, show),
        }
    }

    /// Shows members from `cursor` on: a small set at once, of a large one about `count`. Returns the next cursor, 0 at the
    /// end. Members that are there from the first call to the last are shown.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&[u8], f64)) -> u64 {
        match self.form() {
            SortedSetForm::Listpack(pairs) => {
                for (member, score) in pairs::iter(pairs, 0..pairs.len() / 2) {
                    show(member.bytes(&mut itoa::Buffer::new()), score);
                }
                0
            }
            SortedSetForm::Tree(ranked) => ranked.scan(cursor, count, show),
        }
    }
}

/// Room that is made on the word of a request or of an RDB.
const EXPECTED_MAX: usize = 1 << 10;

/// Members and scores, ascending.
pub enum Iter<'a> {
    Pairs(pairs::Pairs<'a>),
    Tree(ranked::Members<tree::Iter<'a>>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match self {
            Iter::Pairs(pairs) => pairs.next(),
            Iter::Tree(members) => members.next().map(|(member, score)| (Item::Bytes(member), score)),
        }
    }
}

/// Members and scores, descending.
pub enum IterRev<'a> {
    Pairs(pairs::PairsRev<'a>),
    Tree(ranked::Members<tree::IterRev<'a>>),
}

impl<'a> Iterator for IterRev<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match self {
            IterRev::Pairs(pairs) => pairs.next(),
            IterRev::Tree(members) => members.next().map(|(member, score)| (Item::Bytes(member), score)),
        }
    }
}

impl Collection for SortedSet {
    const KIND: Kind = Kind::SortedSet;

    #[inline]
    fn len(&self) -> usize {
        match self.form() {
            SortedSetForm::Listpack(pairs) => pairs.len() / 2,
            SortedSetForm::Tree(ranked) => ranked.len(),
        }
    }

    fn encoding(&self) -> Encoding {
        match self.form() {
            SortedSetForm::Listpack(_) => Encoding::Listpack,
            SortedSetForm::Tree(_) => Encoding::Skiplist,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self.form() {
            SortedSetForm::Listpack(pairs) => pairs.heap_bytes(),
            SortedSetForm::Tree(ranked) => {
                crate::base::alloc::size_class(size_of::<Ranked>()) + ranked.heap_bytes()
            }
        }
    }

    fn rdb_type(&self) -> u8 {
        match self.form() {
            SortedSetForm::Listpack(_) => value_type::ZSET_LISTPACK,
            SortedSetForm::Tree(_) => value_type::ZSET_2,
        }
    }

    fn blob(&self) -> Option<&[u8]> {
        match self.form() {
            SortedSetForm::Listpack(pairs) => Some(pairs.as_bytes()),
            SortedSetForm::Tree(_) => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>, mut compressor: Option<&mut lzf::Compressor>) {
        match self.form() {
            SortedSetForm::Listpack(pairs) => write_string(out, pairs.as_bytes(), compressor),
            SortedSetForm::Tree(ranked) => {
                write_length(out, ranked.len() as u64);
                // From the highest score down, as Redis does: its skiplists are filled fastest so.
                for (member, score) in ranked.iter_rev(0..ranked.len()) {
                    write_string(out, member, compressor.as_deref_mut());
                    out.extend_from_slice(&score.to_le_bytes());
                }
            }
        }
    }

    #[inline]
    fn freeze(&mut self, _dialect: Dialect) -> Option<Frozen> {
        match self.form_mut() {
            SortedSetForm::Tree(ranked) if ranked.len() >= LEN_MIN => Some(frozen::freeze(ranked)),
            SortedSetForm::Listpack(_) | SortedSetForm::Tree(_) => None,
        }
    }

    fn digest(&self, digest: &mut Digest) {
        let (mut text, mut digits) = (Vec::new(), itoa::Buffer::new());
        for (member, score) in self.iter(0..self.len()) {
            let mut own = Digest::default();
            own.mix(member.bytes(&mut digits));
            text.clear();
            write_percent_17g(&mut text, score);
            own.mix(&text);
            digest.xor(&own.0);
        }
    }
}

impl From<SortedSet> for Value {
    fn from(value: SortedSet) -> Value {
        Value::SortedSet(value)
    }
}
