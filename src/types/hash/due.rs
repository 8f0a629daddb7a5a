//! Deadlines: which fields of a large hash are due next.
//!
//! ```text
//!  heap:  (deadline, position) ...      the earliest first
//!  a field that gets another deadline, moves or leaves:   its old pair stays, and is passed over when it comes up
//! ```
//!
//! Used by `hash::table`. A pair is believed only if the field at its position has that very deadline.
//! Always: every field with a deadline has such a pair, so the earliest pair is a lower bound; there are at most about twice as
//! many pairs as fields with a deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::alloc::size_class;
use crate::types::dense::Dense;
use crate::types::hash::field::Field;

type Pair = Reverse<(i64, u32)>;

/// Pairs that may be stale whatever the number of fields.
const STALE_MIN: usize = 32;

#[derive(Clone, Default, Debug)]
pub struct Deadlines {
    heap: BinaryHeap<Pair>,
    /// Fields with a deadline.
    timed: usize,
}

impl Deadlines {
    #[inline]
    pub fn timed(&self) -> usize {
        self.timed
    }

    pub fn heap_bytes(&self) -> usize {
        match self.heap.capacity() {
            0 => 0,
            capacity => size_class(capacity * size_of::<Pair>()),
        }
    }

    /// No field is due before this.
    #[inline]
    pub fn next(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// The field at `position` of `fields` has got its deadline, or has come there with it.
    pub fn note(&mut self, fields: &Dense<Field>, position: usize) {
        let Some(deadline) = fields[position].deadline() else { return };
        if self.heap.len() > 2 * self.timed + STALE_MIN {
            let pairs = fields.iter().enumerate();
            self.heap =
                pairs.filter_map(|(at, field)| Some(Reverse((field.deadline()?.0, at as u32)))).collect();
        } else {
            self.heap.push(Reverse((deadline.0, position as u32)));
        }
    }

    /// A field has a deadline that had none, or the reverse.
    pub fn count(&mut self, had: bool, has: bool) {
        self.timed = self.timed + usize::from(has) - usize::from(had);
        if self.timed == 0 {
            self.heap = BinaryHeap::new();
        }
    }

    /// The position of a field that is due before `now`; its pair is gone.
    pub fn pop_due(&mut self, fields: &Dense<Field>, now: i64) -> Option<usize> {
        while let Some(Reverse((deadline, position))) = self.heap.peek().copied()
            && deadline < now
        {
            self.heap.pop();
            let field = fields.get(position as usize);
            if field.and_then(Field::deadline).is_some_and(|at| at.0 == deadline) {
                return Some(position as usize);
            }
        }
        None
    }
}
