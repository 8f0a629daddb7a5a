//! The large form of a hash: its fields in a vector, in no particular order, and an index of their hashes.
//!
//! ```text
//!  fields:  | a | b | c | d |      remove b:  | a | d | c |       the last field takes the free place
//! ```
//!
//! A field at random is a position at random. HSCAN walks the positions from the last to the first (`types::scan`).
//! What is due next is known (`hash::due`).
//! Always: the index and the vector hold the same fields, each once. Nothing here expires by itself.

use std::mem::ManuallyDrop;

use crate::base::alloc::size_class;
use crate::base::hash::hash_key;
use crate::base::ids::UnixMs;
use crate::types::frozen::{Block, View, Views, borrowed};
use crate::types::hash::due::Deadlines;
use crate::types::hash::field::Field;
use crate::types::index::Index;

/// Fields that a vector makes room for at least.
const ROOM_MIN: usize = 16;

/// Fields and where they are.
#[derive(Clone, Default, Debug)]
pub struct Table {
    fields: Vec<Field>,
    index: Index,
    deadlines: Deadlines,
    views: Views<Field>,
}

impl Table {
    pub fn with_capacity(len: usize) -> Table {
        Table {
            fields: Vec::with_capacity(len),
            index: Index::with_capacity(len),
            deadlines: Deadlines::default(),
            views: Views::default(),
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
        let places = match self.fields.capacity() {
            0 => 0,
            capacity => size_class(capacity * size_of::<Field>()),
        };
        let deadlines = self.deadlines.heap_bytes();
        self.index.heap_bytes()
            + places
            + deadlines
            + self.fields.iter().map(Field::heap_bytes).sum::<usize>()
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
    pub fn fields(&self) -> &[Field] {
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
                self.change(at, |field| field.set_value(value));
                false
            }
            None => {
                self.add(hash, Field::new(name, value, None));
                true
            }
        }
    }

    /// Changes the field at a position: where it lies, unless somebody may be looking at it.
    #[inline]
    fn change(&mut self, at: usize, change: impl FnOnce(&mut Field)) {
        if !self.views.is_watched() {
            return change(&mut self.fields[at]);
        }
        let mut copy = self.fields[at].clone();
        change(&mut copy);
        self.views.born(copy.address());
        self.views.retire(std::mem::replace(&mut self.fields[at], copy));
    }

    /// All fields as they are now.
    pub fn freeze(&mut self) -> (Vec<ManuallyDrop<Field>>, View<Field>) {
        let view = self.views.open(self.fields.len() * size_of::<Field>());
        // SAFETY: the view keeps the fields: whoever changes one or lets it go asks `views` first.
        (unsafe { borrowed(&self.fields) }, view)
    }

    /// Adds a field whose name is not in the table.
    fn add(&mut self, hash: u64, field: Field) {
        if self.fields.len() == self.fields.capacity() {
            // Half as much again: doubling would leave a quarter of the memory of a growing hash unused on average.
            self.fields.reserve_exact((self.fields.len() / 2).max(ROOM_MIN));
        }
        let position = self.fields.len();
        self.index.insert(hash, position);
        self.views.born(field.address());
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
            self.change(at, |field| field.set_deadline(deadline));
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
        let field = self.close(at);
        let deadline = field.deadline();
        self.views.retire(field);
        Some(deadline)
    }

    /// The last field takes the place of one that the index has already forgotten, and which is handed over.
    fn close(&mut self, at: usize) -> Field {
        let field = self.fields.swap_remove(at);
        if let Some(moved) = self.fields.get(at) {
            self.index.relocate(hash_key(moved.name()), self.fields.len(), at);
        }
        if self.fields.len() > ROOM_MIN && self.fields.len() * 4 < self.fields.capacity() {
            self.fields.shrink_to(self.fields.len() * 2);
        }
        if self.deadlines.timed() > 0 {
            self.deadlines.count(field.deadline().is_some(), false);
            if at < self.fields.len() {
                self.deadlines.note(&self.fields, at);
            }
        }
        field
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
            let field = self.close(at);
            names.push(field.name().to_vec());
            self.views.retire(field);
        }
        names
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.views.is_watched() {
            self.views.retire_all(std::mem::take(&mut self.fields));
        }
    }
}
