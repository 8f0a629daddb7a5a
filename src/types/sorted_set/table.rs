//! The members of a large sorted set by name: a hash table that grows in small steps and can be walked with a cursor.
//!
//! ```text
//!  hash, 64 bits:  | directory: `depth` bits | tag: 16 bits | unused |
//!                            |                     |
//!      directory -> segment: | bucket 0 | bucket 1 | ... |   8 to 64 of them;   bucket = tag * buckets / 65536
//!                                                |
//!      bucket, one cache line: 8 words           | tag 16 | address of the member 48 |     0 = free, free ones last
//! ```
//!
//! This is extendible hashing. A full segment splits in two, by one more bit of the hash: no insertion ever moves more than
//! a segment, so that a table of millions never stops its shard for a rehash. A full bucket overflows into the next one;
//! removal pulls back what overflowed, so that there are no tombstones.
//!
//! Called by `ranked`. Always: segments and buckets stand in the order of the hashes. A cursor is the least hash still to be
//! shown, whatever splits or merges meanwhile: a member that stays is shown.

use crate::base::alloc::size_class;
use crate::base::prefetch::prefetch;
use crate::types::sorted_set::member::Member;

/// Words of a bucket: one cache line.
const BUCKET: usize = 8;
/// A segment grows by so many buckets, one size class of the allocator, which moves words and reads no member.
const STEP: usize = 8;
/// A segment of so many buckets, 4096 bytes, splits. Fewer would make the directory large, more would make each split slow.
const BUCKETS_MAX: usize = 64;
/// Two halves that hold no more than this together are one again: a little more than half of what splits.
const MERGED_MAX: usize = BUCKETS_MAX * BUCKET / 2;
/// Beyond it segments grow instead: 2^28 of them hold a hundred thousand million members. A tag needs its 16 bits behind it.
const DEPTH_MAX: u32 = 28;
const TAG_SHIFT: u32 = 48;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([*mut u8; BUCKET]);

const EMPTY: Bucket = Bucket([std::ptr::null_mut(); BUCKET]);

struct Segment {
    buckets: Box<[Bucket]>,
    len: usize,
    /// Bits of the hash that all members of this segment share.
    depth: u32,
}

/// The members of a set. It does not own their blocks.
pub struct Table {
    /// Index into `segments` by the first `depth` bits of a hash.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
}

#[inline]
fn tag_of(hash: u64, depth: u32) -> usize {
    ((hash << depth) >> TAG_SHIFT) as usize
}

#[inline]
fn pack(member: Member, tag: usize) -> *mut u8 {
    member.as_ptr().map_addr(|address| address | tag << TAG_SHIFT)
}

#[inline]
fn unpack(word: *mut u8) -> (Member, usize) {
    let pointer = word.map_addr(|address| address & ((1 << TAG_SHIFT) - 1));
    // SAFETY: words that are not null were made by `pack` from a member.
    (unsafe { Member::from_ptr(pointer) }, word.addr() >> TAG_SHIFT)
}

impl Segment {
    fn new(buckets: usize, depth: u32) -> Segment {
        Segment { buckets: vec![EMPTY; buckets].into_boxed_slice(), len: 0, depth }
    }

    #[inline]
    fn home(&self, tag: usize) -> usize {
        (tag * self.buckets.len()) >> 16
    }

    fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * (BUCKET - 1)
    }

    /// Is no more than a quarter in use?
    fn is_sparse(&self) -> bool {
        self.len < self.buckets.len() * (BUCKET / 4)
    }

    /// Bucket and word of the member with this hash that `is_it` accepts.
    #[inline]
    fn find(&self, hash: u64, mut is_it: impl FnMut(Member) -> bool) -> Option<(usize, usize)> {
        let tag = tag_of(hash, self.depth);
        let mut at = self.home(tag);
        // Ends: a segment is never full to the last word.
        loop {
            for (index, word) in self.buckets[at].0.iter().enumerate() {
                if word.addr() >> TAG_SHIFT == tag && !word.is_null() && is_it(unpack(*word).0) {
                    return Some((at, index));
                }
            }
            if self.buckets[at].0[BUCKET - 1].is_null() {
                return None;
            }
            at = (at + 1) % self.buckets.len();
        }
    }

    fn insert(&mut self, tag: usize, member: Member) {
        let mut at = self.home(tag);
        while !self.buckets[at].0[BUCKET - 1].is_null() {
            at = (at + 1) % self.buckets.len();
        }
        let free = self.buckets[at].0.iter().position(|word| word.is_null());
        self.buckets[at].0[free.expect("its last word is free")] = pack(member, tag);
        self.len += 1;
    }

    /// Frees a word, and moves what had overflowed past it as near to its home as there is room now.
    fn remove(&mut self, mut at: usize, mut index: usize) -> Member {
        let (removed, _) = unpack(self.buckets[at].0[index]);
        self.len -= 1;
        let count = self.buckets.len();
        loop {
            let was_full = !self.buckets[at].0[BUCKET - 1].is_null();
            let bucket = &mut self.buckets[at].0;
            let last = bucket.iter().rposition(|word| !word.is_null()).expect("the word at `index` is taken");
            bucket[index] = bucket[last];
            bucket[last] = std::ptr::null_mut();
            if !was_full {
                return removed;
            }
            let Some((from, which)) = self.overflowed_past(at, count) else { return removed };
            self.buckets[at].0[BUCKET - 1] = self.buckets[from].0[which];
            (at, index) = (from, which);
        }
    }

    /// A member behind bucket `at` that would rather be in it or before it.
    fn overflowed_past(&self, at: usize, count: usize) -> Option<(usize, usize)> {
        for step in 1..count {
            let there = (at + step) % count;
            for (index, word) in self.buckets[there].0.iter().enumerate().filter(|(_, word)| !word.is_null())
            {
                let displaced = (there + count - self.home(unpack(*word).1)) % count;
                if displaced >= step {
                    return Some((there, index));
                }
            }
            if self.buckets[there].0[BUCKET - 1].is_null() {
                return None;
            }
        }
        None
    }

    fn members(&self) -> impl Iterator<Item = (Member, usize)> + '_ {
        self.buckets.iter().flat_map(|bucket| bucket.0).filter(|word| !word.is_null()).map(unpack)
    }
}

/// Calls `work` for each member, with the blocks of those that come next on their way into the cache: most have not been
/// touched for long, and waiting for one after the other would take ten times as long.
fn each_fetched(members: impl Iterator<Item = Member>, mut work: impl FnMut(Member)) {
    const AHEAD: usize = 12;
    let members: Vec<Member> = members.collect();
    members.iter().take(AHEAD).for_each(|member| member.prefetch());
    for (at, member) in members.iter().enumerate() {
        if let Some(later) = members.get(at + AHEAD) {
            later.prefetch();
        }
        work(*member);
    }
}

/// How many buckets a segment of `len` members has: room for these and a step's worth more.
fn buckets_for(len: usize) -> usize {
    (len / (BUCKET - 1) + STEP).next_multiple_of(STEP)
}

impl Table {
    /// Words that can hold a member, for DEBUG HTSTATS-KEY.
    pub fn slots(&self) -> usize {
        self.segments.iter().map(|segment| segment.buckets.len() * BUCKET).sum()
    }

    /// A table with room for `expected` members.
    pub fn new(expected: usize) -> Table {
        let buckets = buckets_for(expected).min(BUCKETS_MAX);
        Table { directory: vec![0], depth: 0, segments: vec![Segment::new(buckets, 0)] }
    }

    #[inline]
    fn directory_index(&self, hash: u64) -> usize {
        // In two steps, since a shift by 64 is none.
        ((hash >> 1) >> (63 - self.depth)) as usize
    }

    #[inline]
    fn segment_index(&self, hash: u64) -> usize {
        self.directory[self.directory_index(hash)] as usize
    }

    /// The member with this hash that `is_it` accepts.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl FnMut(Member) -> bool) -> Option<Member> {
        let segment = &self.segments[self.segment_index(hash)];
        let (at, index) = segment.find(hash, is_it)?;
        Some(unpack(segment.buckets[at].0[index]).0)
    }

    /// Begins to load the bucket of this hash into the cache.
    pub fn prefetch(&self, hash: u64) {
        let segment = &self.segments[self.segment_index(hash)];
        prefetch(&segment.buckets[segment.home(tag_of(hash, segment.depth))]);
    }

    /// Adds a member that is not in the table. `hash_of` gives the hashes of those that have to move.
    pub fn insert(&mut self, hash: u64, member: Member, hash_of: impl Fn(Member) -> u64) {
        let mut index = self.segment_index(hash);
        while self.segments[index].is_full() {
            self.grow(index, hash, &hash_of);
            index = self.segment_index(hash);
        }
        let segment = &mut self.segments[index];
        segment.insert(tag_of(hash, segment.depth), member);
    }

    #[cold]
    fn grow(&mut self, index: usize, hash: u64, hash_of: &impl Fn(Member) -> u64) {
        let Segment { depth, ref buckets, .. } = self.segments[index];
        if buckets.len() < BUCKETS_MAX || depth == DEPTH_MAX {
            let grown = buckets.len() + STEP;
            return self.resize(index, grown);
        }
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&segment| [segment, segment]).collect();
            self.depth += 1;
        }
        let mut halves: [Vec<(usize, Member)>; 2] = Default::default();
        each_fetched(self.segments[index].members().map(|(member, _)| member), |member| {
            let hash = hash_of(member);
            halves[(hash << depth >> 63) as usize].push((tag_of(hash, depth + 1), member));
        });
        let [lower, upper_half] = halves.map(|members| {
            let mut segment = Segment::new(buckets_for(members.len()), depth + 1);
            members.into_iter().for_each(|(tag, member)| segment.insert(tag, member));
            segment
        });
        self.segments[index] = lower;
        let upper = self.segments.len();
        self.segments.push(upper_half);
        // The upper half of the directory's entries for the old segment leads to the new one.
        let span = 1 << (self.depth - depth);
        let first = self.directory_index(hash) & !(span - 1);
        self.directory[first + span / 2..first + span].fill(upper as u32);
    }

    /// The same members in another number of buckets. Tags stay what they are.
    fn resize(&mut self, index: usize, buckets: usize) {
        let mut resized = Segment::new(buckets, self.segments[index].depth);
        self.segments[index].members().for_each(|(member, tag)| resized.insert(tag, member));
        self.segments[index] = resized;
    }

    /// Takes out the member with this hash that `is_it` accepts.
    pub fn remove(
        &mut self,
        hash: u64,
        is_it: impl FnMut(Member) -> bool,
        hash_of: impl Fn(Member) -> u64,
    ) -> Option<Member> {
        let index = self.segment_index(hash);
        let segment = &mut self.segments[index];
        let (at, word) = segment.find(hash, is_it)?;
        let member = segment.remove(at, word);
        if segment.is_sparse() {
            self.shrink(index, hash, &hash_of);
        }
        Some(member)
    }

    /// A quarter is in use: fewer buckets are enough, or both halves of what was split fit into one again.
    #[cold]
    fn shrink(&mut self, index: usize, hash: u64, hash_of: &impl Fn(Member) -> u64) {
        let Segment { depth, len, ref buckets } = self.segments[index];
        let fitting = buckets_for(len);
        let span = 1 << (self.depth - depth);
        let first = self.directory_index(hash) & !(span - 1);
        // The first segment of all has no other half.
        let buddy = self.directory.get(first ^ span).map(|buddy| *buddy as usize);
        let buddy = buddy.filter(|buddy| {
            let other = &self.segments[*buddy];
            depth > 0 && other.depth == depth && other.len + len <= MERGED_MAX
        });
        let Some(buddy) = buddy else {
            if fitting < buckets.len() {
                self.resize(index, fitting);
            }
            return;
        };
        let mut merged = Segment::new(buckets_for(self.segments[buddy].len + len), depth - 1);
        let both = self.segments[index].members().chain(self.segments[buddy].members());
        each_fetched(both.map(|(member, _)| member), |member| {
            merged.insert(tag_of(hash_of(member), depth - 1), member);
        });
        self.segments[index] = merged;
        let pair = first & !(2 * span - 1);
        self.directory[pair..pair + 2 * span].fill(index as u32);
        self.forget(buddy);
        self.halve_directory();
    }

    /// Drops a segment that the directory no longer names; the last one takes its place.
    fn forget(&mut self, index: usize) {
        let last = self.segments.len() - 1;
        self.segments.swap_remove(index);
        if index != last {
            self.directory.iter_mut().filter(|at| **at == last as u32).for_each(|at| *at = index as u32);
        }
    }

    fn halve_directory(&mut self) {
        while self.depth > 0 && self.segments.iter().all(|segment| segment.depth < self.depth) {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.depth -= 1;
        }
    }

    /// Shows members from `cursor` on, at least `count` if there are as many. Returns the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Member)) -> u64 {
        let mut shown = 0;
        let mut cursor = cursor;
        loop {
            let at = self.directory_index(cursor);
            let segment = &self.segments[self.directory[at] as usize];
            let span = 1usize << (self.depth - segment.depth);
            let first = at & !(span - 1);
            let base = ((first as u64) << 1) << (63 - self.depth);
            let from = if cursor > base { segment.home(tag_of(cursor, segment.depth)) } else { 0 };
            let mut members: Vec<_> = segment
                .members()
                .map(|(m, tag)| (segment.home(tag), m))
                .filter(|(home, _)| *home >= from)
                .collect();
            members.sort_unstable_by_key(|(home, _)| *home);
            let mut left = members.as_slice();
            while let Some((home, _)) = left.first() {
                if shown >= count {
                    let tag = (*home << 16).div_ceil(segment.buckets.len()) as u64;
                    return base | (tag << TAG_SHIFT) >> segment.depth;
                }
                let same = left.partition_point(|(other, _)| other == home);
                left[..same].iter().for_each(|(_, member)| show(*member));
                shown += same;
                left = &left[same..];
            }
            if first + span == self.directory.len() {
                return 0;
            }
            cursor = (((first + span) as u64) << 1) << (63 - self.depth);
            if shown >= count {
                return cursor;
            }
        }
    }

    /// Bytes of heap, without the members' blocks.
    pub fn heap_bytes(&self) -> usize {
        let buckets: usize =
            self.segments.iter().map(|segment| size_class(size_of_val(&*segment.buckets))).sum();
        buckets + self.directory.capacity() * 4 + self.segments.capacity() * size_of::<Segment>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Table;
    use crate::base::random::Rng;
    use crate::types::sorted_set::member::Member;

    /// Members whose score is their number and whose hash is drawn from it.
    fn hash_of(member: Member) -> u64 {
        // SAFETY: the tests free members only at their end.
        hash(unsafe { member.score() } as u64)
    }

    fn hash(number: u64) -> u64 {
        Rng::from_seed(number).next_u64()
    }

    fn has(table: &Table, member: Member) -> bool {
        table.find(hash_of(member), |other| other == member).is_some()
    }

    #[test]
    fn members_are_found_through_growth_and_removal() {
        let members: Vec<Member> = (0..20_000).map(|n| Member::new(b"", f64::from(n))).collect();
        let mut table = Table::new(0);
        for (at, member) in members.iter().enumerate() {
            table.insert(hash_of(*member), *member, hash_of);
            assert!(has(&table, *member), "{at}");
        }
        assert!(members.iter().all(|member| has(&table, *member)));
        let full = table.heap_bytes();
        for (at, member) in members.iter().enumerate() {
            assert!(table.remove(hash_of(*member), |other| other == *member, hash_of).is_some());
            assert!(!has(&table, *member));
            if at % 997 == 0 {
                assert!(members[at + 1..].iter().all(|member| has(&table, *member)), "after {at}");
            }
        }
        assert!(table.heap_bytes() < full / 50, "{} of {full}", table.heap_bytes());
        // SAFETY: nobody uses the members any more.
        members.into_iter().for_each(|member| unsafe { member.free() });
    }

    /// Some members stay from the first call to the last, others come and go in great numbers.
    #[test]
    fn a_walk_shows_every_member_that_stays() {
        for seed in 0..20 {
            let mut rng = Rng::from_seed(seed);
            let staying: Vec<Member> = (0..1000).map(|n| Member::new(b"", f64::from(n))).collect();
            let passing: Vec<Member> = (1000..9000).map(|n| Member::new(b"", f64::from(n))).collect();
            let mut table = Table::new(100);
            staying.iter().for_each(|member| table.insert(hash_of(*member), *member, hash_of));
            let (mut seen, mut cursor, mut calls) = (HashSet::new(), 0, 0);
            loop {
                cursor = table.scan(cursor, 10, |member| {
                    seen.insert(member.as_ptr());
                });
                calls += 1;
                if cursor == 0 {
                    break;
                }
                for _ in 0..rng.below(600) {
                    let member = passing[rng.below(8000) as usize];
                    if table.remove(hash_of(member), |other| other == member, hash_of).is_none() {
                        table.insert(hash_of(member), member, hash_of);
                    }
                }
                if rng.below(10) == 0 {
                    for member in &passing {
                        table.remove(hash_of(*member), |other| other == *member, hash_of);
                    }
                }
            }
            assert!(staying.iter().all(|member| seen.contains(&member.as_ptr())), "seed {seed}");
            assert!(calls > 20, "{calls}");
            // SAFETY: nobody uses the members any more.
            staying.into_iter().chain(passing).for_each(|member| unsafe { member.free() });
        }
    }
}
