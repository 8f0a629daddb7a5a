//! The hash type: distinct fields with a value each, in one of two forms.
//!
//! ```text
//!              too many fields, a field or value too long, or a field with a deadline
//!  Listpack  --------------------------------------------------------------------------->  Table
//!  field, value, field, value ...                                                          vector and index
//! ```
//!
//! Called by the keyspace, which keeps it in its key's entry, and by the handlers of hash commands and of SORT.
//! A field past its deadline is still there until somebody takes it out ([`Hash::take_due`]): whoever reads gives the time,
//! and sees as missing what was due before it. Time [`NEVER`] shows everything, which is how a primary's stream is applied.
//! Always: at most `types::HELD_BYTES` in its entry; a table never goes back to a listpack by itself.

mod due;
mod field;
mod frozen;
pub mod rdb;
pub mod table;

use crate::base::digest::Digest;
use crate::base::ids::UnixMs;
use crate::codec::listpack::{self, Item, Listpack, Pos};
use crate::codec::lzf;
use crate::codec::rdb::Dialect;
use crate::config::Config;
use crate::types::dense::Dense;
use crate::types::frozen::LEN_MIN;
use crate::types::hash::field::Field;
use crate::types::hash::table::Table;
use crate::types::word::{Large, one_word};
use crate::types::{Collection, Encoding, Frozen, Kind, Value, scan};

/// A time at which no field is past its deadline.
pub const NEVER: UnixMs = UnixMs(i64::MIN);

one_word!(
    /// A hash.
    Hash, HashForm { Listpack(S): Listpack, Table(L): Large<Table> }
);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.form(), f)
    }
}

/// Up to where the small form goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// `hash-max-listpack-entries`
    pub entries: usize,
    /// `hash-max-listpack-value`, in bytes of a field's name or value.
    pub value: usize,
}

impl Limits {
    #[inline]
    pub fn of(config: &Config) -> Limits {
        Limits { entries: config.hash_max_listpack_entries, value: config.hash_max_listpack_value }
    }
}

/// What becomes of the deadline of a field that gets another value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// HSET: it is gone.
    Clear,
    /// HINCRBY: it stays, unless the field was past it.
    Keep,
}

/// What was taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removed {
    No,
    /// The field was there, past its deadline: clients do not count it.
    Due,
    Live,
}

impl Default for Hash {
    fn default() -> Hash {
        Listpack::new().into()
    }
}

#[inline]
fn is_live(field: &Field, now: UnixMs) -> bool {
    field.deadline().is_none_or(|deadline| deadline >= now)
}

/// The value of a field in the small form.
#[inline]
fn find(list: &Listpack, name: &[u8]) -> Option<Pos> {
    let field = list.find(name, list.first()?, 1)?;
    Some(list.next(field).expect("every field has a value"))
}

/// Reading.
impl Hash {
    #[inline]
    pub fn get(&self, name: &[u8], now: UnixMs) -> Option<Item<'_>> {
        match self.form() {
            HashForm::Listpack(list) => find(list, name).map(|value| list.get(value)),
            HashForm::Table(table) => {
                table.get(name).filter(|field| is_live(field, now)).map(|field| Item::Bytes(field.value()))
            }
        }
    }

    pub fn contains(&self, name: &[u8], now: UnixMs) -> bool {
        self.get(name, now).is_some()
    }

    /// The deadline of a field: `None` if there is no such field, `Some(None)` if it has none.
    pub fn deadline(&self, name: &[u8], now: UnixMs) -> Option<Option<UnixMs>> {
        match self.form() {
            HashForm::Listpack(list) => find(list, name).map(|_| None),
            HashForm::Table(table) => {
                table.get(name).filter(|field| is_live(field, now)).map(Field::deadline)
            }
        }
    }

    /// All fields with their values, less those past their deadline.
    pub fn iter(&self, now: UnixMs) -> Iter<'_> {
        match self.form() {
            HashForm::Listpack(list) => Iter::Listpack(list.iter()),
            HashForm::Table(table) => Iter::Table { fields: table.fields(), next: 0, now },
        }
    }

    /// How many `iter` shows. `len` also counts fields past their deadline that are still there.
    pub fn live_len(&self, now: UnixMs) -> usize {
        match self.form() {
            HashForm::Table(table) if table.timed() > 0 => self.iter(now).count(),
            HashForm::Listpack(_) | HashForm::Table(_) => self.len(),
        }
    }

    /// Field and value at a position below `len`; `None` if it is past its deadline. One step in a table.
    pub fn at(&self, position: usize, now: UnixMs) -> Option<(Item<'_>, Item<'_>)> {
        match self.form() {
            HashForm::Listpack(list) => {
                let mut items = list.iter_from(list.seek(2 * position as i64)?);
                items.next().zip(items.next())
            }
            HashForm::Table(table) => {
                table.fields().get(position).filter(|field| is_live(field, now)).map(pair)
            }
        }
    }

    /// Shows about `count` fields and returns where to go on: 0 when it is done. `cursor` is 0 at first.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        now: UnixMs,
        mut show: impl FnMut(Item<'_>, Item<'_>),
    ) -> u64 {
        let HashForm::Table(table) = self.form() else {
            // Small enough for one reply.
            self.iter(now).for_each(|(name, value)| show(name, value));
            return 0;
        };
        let (positions, next) = scan::step(cursor, count, table.len());
        let fields = positions.map(|at| &table.fields()[at]).filter(|field| is_live(field, now));
        fields.map(pair).for_each(|(name, value)| show(name, value));
        next
    }
}

fn pair(field: &Field) -> (Item<'_>, Item<'_>) {
    (Item::Bytes(field.name()), Item::Bytes(field.value()))
}

/// Fields with their values.
pub enum Iter<'a> {
    Listpack(listpack::Iter<'a>),
    Table { fields: &'a Dense<Field>, next: usize, now: UnixMs },
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            Iter::Listpack(items) => items.next().zip(items.next()),
            Iter::Table { fields, next, now } => {
                while let Some(field) = fields.get(*next) {
                    *next += 1;
                    if is_live(field, *now) {
                        return Some(pair(field));
                    }
                }
                None
            }
        }
    }
}

/// Changing.
impl Hash {
    /// `count` fields are about to be set, none of whose words is longer than `longest`, and all of which take `bytes`: a
    /// listpack that could not hold them is left at once, as Redis does it.
    #[inline]
    pub fn expect(&mut self, count: usize, longest: usize, bytes: usize, limits: Limits) {
        if let HashForm::Listpack(list) = self.form_mut()
            && (longest > limits.value || count > limits.entries || list.would_exceed(bytes))
        {
            self.make_table(count);
        }
    }

    /// Gives a field a value; true if clients did not see the field before.
    #[inline]
    pub fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        deadline: Deadline,
        now: UnixMs,
        limits: Limits,
    ) -> bool {
        match self.form_mut() {
            HashForm::Table(table) => {
                let mut was_due = false;
                let added = table.set(name, value, |field| {
                    was_due = !is_live(field, now);
                    field.deadline().filter(|_| deadline == Deadline::Keep && !was_due)
                });
                added || was_due
            }
            HashForm::Listpack(list) => {
                let is_short = name.len().max(value.len()) <= limits.value;
                if is_short && !list.would_exceed(name.len() + value.len()) {
                    if let Some(at) = find(list, name) {
                        list.replace(at, value);
                        return false;
                    }
                    if list.len() < 2 * limits.entries {
                        list.push_back_pair(name, value);
                        return true;
                    }
                }
                self.make_table(1);
                self.set(name, value, deadline, now, limits)
            }
        }
    }

    #[inline]
    pub fn remove(&mut self, name: &[u8], now: UnixMs) -> Removed {
        match self.form_mut() {
            HashForm::Listpack(list) => {
                let found = list.first().and_then(|first| list.find(name, first, 1));
                match found {
                    Some(field) => {
                        list.remove_from(field, 2);
                        Removed::Live
                    }
                    None => Removed::No,
                }
            }
            HashForm::Table(table) => match table.remove(name) {
                Some(deadline) if deadline.is_none_or(|deadline| deadline >= now) => Removed::Live,
                Some(_) => Removed::Due,
                None => Removed::No,
            },
        }
    }

    /// Sets or clears the deadline of a field; false if there is no such field, past its deadline or not.
    pub fn set_deadline(&mut self, name: &[u8], deadline: Option<UnixMs>) -> bool {
        match self.form_mut() {
            HashForm::Listpack(list) if deadline.is_none() => find(list, name).is_some(),
            HashForm::Listpack(_) => self.make_table(0).set_deadline(name, deadline),
            HashForm::Table(table) => table.set_deadline(name, deadline),
        }
    }

    /// Takes out up to `max` fields that are past their deadline, and gives back their names.
    pub fn take_due(&mut self, now: UnixMs, max: usize) -> Vec<Vec<u8>> {
        match self.form_mut() {
            HashForm::Listpack(_) => Vec::new(),
            HashForm::Table(table) => table.take_due(now, max),
        }
    }

    /// The large form, with room for `more` fields.
    #[cold]
    fn make_table(&mut self, more: usize) -> &mut Table {
        if let HashForm::Listpack(list) = self.form_mut() {
            // What is expected is a client's word: it makes room for no more than the small form could have had.
            let mut table = Table::with_capacity(list.len() / 2 + more.min(1024));
            let mut items = list.iter();
            let (mut name_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
            while let Some((name, value)) = items.next().zip(items.next()) {
                table.insert(name.bytes(&mut name_digits), value.bytes(&mut value_digits), None);
            }
            *self = Large::new(table).into();
        }
        let HashForm::Table(table) = self.form_mut() else { unreachable!("just made") };
        table
    }
}

impl Collection for Hash {
    const KIND: Kind = Kind::Hash;

    #[inline]
    fn len(&self) -> usize {
        match self.form() {
            HashForm::Listpack(list) => list.len() / 2,
            HashForm::Table(table) => table.len(),
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self.form() {
            HashForm::Listpack(list) => list.is_empty(),
            HashForm::Table(table) => table.is_empty(),
        }
    }

    fn encoding(&self) -> Encoding {
        match self.form() {
            HashForm::Listpack(_) => Encoding::Listpack,
            HashForm::Table(_) => Encoding::Hashtable,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self.form() {
            HashForm::Listpack(list) => list.heap_bytes(),
            HashForm::Table(table) => crate::base::alloc::size_class(size_of::<Table>()) + table.heap_bytes(),
        }
    }

    fn rdb_type(&self) -> u8 {
        self.rdb_type_in(Dialect::Common)
    }

    fn rdb_type_in(&self, dialect: Dialect) -> u8 {
        rdb::type_of(self, dialect)
    }

    fn blob(&self) -> Option<&[u8]> {
        match self.form() {
            HashForm::Listpack(list) => Some(list.as_bytes()),
            HashForm::Table(_) => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
        self.encode_in(Dialect::Common, out, compressor);
    }

    fn encode_in(&self, dialect: Dialect, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
        rdb::encode(self, dialect, out, compressor);
    }

    #[inline]
    fn freeze(&mut self, dialect: Dialect) -> Option<Frozen> {
        match self.form_mut() {
            HashForm::Table(table) if table.len() >= LEN_MIN => Some(frozen::freeze(table, dialect)),
            HashForm::Listpack(_) | HashForm::Table(_) => None,
        }
    }

    #[inline]
    fn next_due(&self) -> Option<UnixMs> {
        match self.form() {
            HashForm::Listpack(_) => None,
            HashForm::Table(table) => table.next_due(),
        }
    }

    fn digest(&self, digest: &mut Digest) {
        let (mut name_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        for (name, value) in self.iter(NEVER) {
            let mut element = Digest::default();
            element.mix(name.bytes(&mut name_digits));
            element.mix(value.bytes(&mut value_digits));
            digest.xor(&element.0);
        }
    }
}

impl From<Hash> for Value {
    fn from(value: Hash) -> Value {
        Value::Hash(value)
    }
}

#[cfg(test)]
mod tests;
