//! The large form of a hash: its fields in a vector, in no particular order, and an index of their hashes.
//!
//! ```text
//!  fields:  | a | b | c | d |      remove b:  | a | d | c |       the last field takes the free place
//! ```
//!
//! A field at random is a position at random. HSCAN walks the positions from the last to the first (`types::scan`).
//! What is due next is known (`hash::due`).
//! Always: the index and the vector hold the same fields, each once. Nothing here expires by itself.

use crate::base::hash::hash_key;
use crate::base::ids::UnixMs;
use crate::types::dense::{Dense, DenseView};
use crate::types::hash::due::Deadlines;
use crate::types::hash::field::Field;
use crate::types::index::Index;

/// Fields and where they are.
#[derive(Clone, Default, Debug)]
pub struct Table {
    fields: Dense<Field>,
    index: Index,
    deadlines: Deadlines,
}

impl Table {
    pub fn with_capacity(len: usize) -> Table {
        Table {
            fields: Dense::with_capacity(len),
            index: Index::with_capacity(len),
            deadlines: Deadlines::default(),
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Fields with a deadline.
    pub fn timed(&self) -> usize {
        self.deadlines.timed()
    }

    /// A lower bound of the deadlines, if there are any.
    pub fn next_due(&self) -> Option<UnixMs> {
        self.deadlines.next().map(UnixMs)
    }

    /// Slots of the index, for DEBUG HTSTATS.
    pub fn slots(&self) -> usize {
        self.index.slots()
    }

    /// Bytes of heap behind the table's own.
    pub fn heap_bytes(&self) -> usize {
        self.index.heap_bytes() + self.fields.heap_bytes() + self.deadlines.heap_bytes()
    }

    #[inline]
    fn position(&self, hash: u64, name: &[u8]) -> Option<usize> {
        let place = self.index.find(hash, |at| self.fields[at].name() == name)?;
        Some(self.index.position(place))
    }

    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Field> {
        self.position(hash_key(name), name).map(|at| &self.fields[at])
    }

    /// All fields, by position.
    #[inline]
    pub fn fields(&self) -> &Dense<Field> {
        &self.fields
    }

    /// Gives a field a value, making it if need be; true if it was made. `change` sees a field that exists already, before
    /// its value changes, and says what its deadline shall be.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], change: impl FnOnce(&Field) -> Option<UnixMs>) -> bool {
        let hash = hash_key(name);
        match self.position(hash, name) {
            Some(at) => {
                let deadline = change(&self.fields[at]);
                if self.deadlines.timed() > 0 {
                    self.set_deadline_at(at, deadline);
                }
                self.fields.change(at, |field| field.set_value(value));
                false
            }
            None => {
                self.add(hash, Field::new(name, value, None));
                true
            }
        }
    }

    /// All fields as they are now.
    pub fn freeze(&mut self) -> DenseView<Field> {
        self.fields.freeze()
    }

    /// Adds a field whose name is not in the table.
    fn add(&mut self, hash: u64, field: Field) {
        let position = self.fields.len();
        self.index.insert(hash, position);
        let is_timed = field.deadline().is_some();
        self.fields.push(field);
        if is_timed {
            self.deadlines.count(false, true);
            self.deadlines.note(&self.fields, position);
        }
    }

    /// Adds a field as a decoder has read it; false if its name is there already.
    pub fn insert(&mut self, name: &[u8], value: &[u8], deadline: Option<UnixMs>) -> bool {
        let hash = hash_key(name);
        let is_new = self.position(hash, name).is_none();
        if is_new {
            self.add(hash, Field::new(name, value, deadline));
        }
        is_new
    }

    /// Sets or clears the deadline of a field; false if there is no such field.
    pub fn set_deadline(&mut self, name: &[u8], deadline: Option<UnixMs>) -> bool {
        let position = self.position(hash_key(name), name);
        if let Some(at) = position {
            self.set_deadline_at(at, deadline);
        }
        position.is_some()
    }

    fn set_deadline_at(&mut self, at: usize, deadline: Option<UnixMs>) {
        let old = self.fields[at].deadline();
        if old != deadline {
            self.fields.change(at, |field| field.set_deadline(deadline));
            self.deadlines.count(old.is_some(), deadline.is_some());
            self.deadlines.note(&self.fields, at);
        }
    }

    /// Takes a field out, and tells its deadline.
    #[inline]
    pub fn remove(&mut self, name: &[u8]) -> Option<Option<UnixMs>> {
        let place = self.index.find(hash_key(name), |at| self.fields[at].name() == name)?;
        let at = self.index.position(place);
        self.index.remove(place);
        Some(self.close(at, Field::deadline))
    }

    /// The last field takes the place of one that the index has already forgotten, and which is shown before it is gone.
    fn close<R>(&mut self, at: usize, show: impl FnOnce(&Field) -> R) -> R {
        let (shown, was_timed) =
            self.fields.swap_remove(at, |field| (show(field), field.deadline().is_some()));
        if let Some(moved) = self.fields.get(at) {
            self.index.relocate(hash_key(moved.name()), self.fields.len(), at);
        }
        if self.deadlines.timed() > 0 {
            self.deadlines.count(was_timed, false);
            if at < self.fields.len() {
                self.deadlines.note(&self.fields, at);
            }
        }
        shown
    }

    /// Takes out up to `max` fields that are past their deadline, and gives back their names.
    pub fn take_due(&mut self, now: UnixMs, max: usize) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        while names.len() < max
            && let Some(at) = self.deadlines.pop_due(&self.fields, now.0)
        {
            let hash = hash_key(self.fields[at].name());
            let place = self.index.find(hash, |position| position == at);
            self.index.remove(place.expect("every position is in the index"));
            names.push(self.close(at, |field| field.name().to_vec()));
        }
        names
    }
}
