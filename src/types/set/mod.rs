//! The set type: distinct members in one of three forms, the smallest that its thresholds allow.
//!
//! ```text
//!             a member that is no integer                    too many members, or one too long
//!  Intset  ------------------------------->  Listpack  ------------------------------------------->  Table
//!     `---------------------------------- too many integers --------------------------------------->'
//! ```
//!
//! Called by the keyspace, which keeps it in its key's entry, and by the handlers of set commands and of SORT.
//! Always: at most `types::HELD_BYTES` in its entry; a form never goes back to a smaller one by itself. Positions
//! from 0 to `len` name members while nothing changes.

mod frozen;
mod member;
pub mod rdb;
pub mod table;

use crate::base::digest::Digest;
use crate::base::number::{digits_i64, parse_i64};
use crate::base::random::Rng;
use crate::codec::intset::Intset;
use crate::codec::listpack::{self, Builder, Item, Listpack};
use crate::codec::lzf;
use crate::codec::rdb::encode::{write_integer, write_length, write_string};
use crate::codec::rdb::{Dialect, value_type};
use crate::config::Config;
use crate::types::frozen::LEN_MIN;
use crate::types::set::table::Table;
use crate::types::word::{Large, one_word};
use crate::types::{Collection, Encoding, Frozen, Kind, Value};

one_word!(
    /// A set.
    Set, SetForm { Intset(I): Intset, Listpack(S): Listpack, Table(L): Large<Table> }
);

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.form(), f)
    }
}

/// Up to where the small forms go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// `set-max-intset-entries`
    pub intset_entries: usize,
    /// `set-max-listpack-entries`; 0 turns listpacks off, as in Redis before 7.2.
    pub listpack_entries: usize,
    /// `set-max-listpack-value`, in bytes of a member.
    pub listpack_value: usize,
}

/// However large the threshold, an intset's count fits its header (Redis has the same limit).
const INTSET_ENTRIES_MAX: usize = 1 << 30;

impl Limits {
    pub fn of(config: &Config) -> Limits {
        Limits {
            intset_entries: config.set_max_intset_entries.min(INTSET_ENTRIES_MAX),
            listpack_entries: config.set_max_listpack_entries,
            listpack_value: config.set_max_listpack_value,
        }
    }
}

impl Default for Set {
    /// Empty, in the form that suits integers.
    fn default() -> Set {
        Intset::new().into()
    }
}

/// Reading.
impl Set {
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self.form() {
            SetForm::Intset(set) => parse_i64(member).is_some_and(|value| set.contains(value)),
            SetForm::Listpack(list) => is_in(list, member),
            SetForm::Table(table) => table.contains(member),
        }
    }

    /// As `contains`, for a member of another set.
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (self.form(), member) {
            (SetForm::Intset(set), Item::Int(value)) => set.contains(value),
            (SetForm::Intset(_) | SetForm::Listpack(_) | SetForm::Table(_), member) => {
                self.contains(member.bytes(&mut itoa::Buffer::new()))
            }
        }
    }

    /// All members, each once: of an intset in ascending order.
    pub fn iter(&self) -> Iter<'_> {
        match self.form() {
            SetForm::Intset(set) => Iter::Intset { set, next: 0 },
            SetForm::Listpack(list) => Iter::Listpack(list.iter()),
            SetForm::Table(table) => Iter::Table { table, next: 0 },
        }
    }

    /// Calls `show` for all members in the order of `iter`, without asking for the form each time.
    #[inline]
    pub fn for_each(&self, mut show: impl FnMut(Item<'_>)) {
        match self.form() {
            SetForm::Intset(set) => set.iter().for_each(|value| show(Item::Int(value))),
            SetForm::Listpack(list) => list.iter().for_each(show),
            SetForm::Table(table) => table.iter().for_each(|member| show(Item::Bytes(member))),
        }
    }

    /// The member at a position below `len`. Panics beyond it. One step, except in a listpack.
    #[inline]
    pub fn get(&self, position: usize) -> Item<'_> {
        match self.form() {
            SetForm::Intset(set) => Item::Int(set.get(position)),
            SetForm::Listpack(list) => {
                list.get(list.seek(position as i64).expect("a position below the set's length"))
            }
            SetForm::Table(table) => Item::Bytes(table.get(position)),
        }
    }

    /// The position of a member by chance, each as likely as any other; `None` in an empty set.
    #[inline]
    pub fn pick(&self, rng: &mut Rng) -> Option<usize> {
        rng.index(self.len())
    }

    /// Shows about `count` members and returns where to go on: 0 when it is done. `cursor` is 0 at first. Whatever is in
    /// the set from the first call to the last is shown, perhaps twice if members are removed meanwhile.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Item<'_>)) -> u64 {
        let SetForm::Table(table) = self.form() else {
            // Small enough for one reply.
            self.for_each(show);
            return 0;
        };
        let end = usize::try_from(cursor).unwrap_or(usize::MAX).min(table.len());
        let end = if cursor == 0 { table.len() } else { end };
        let start = end.saturating_sub(count);
        (start..end).rev().for_each(|position| show(Item::Bytes(table.get(position))));
        start as u64
    }
}

/// The members of a set.
pub enum Iter<'a> {
    Intset { set: &'a Intset, next: usize },
    Listpack(listpack::Iter<'a>),
    Table { table: &'a Table, next: usize },
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Iter::Intset { set, next } => {
                *next += 1;
                (*next <= set.len()).then(|| Item::Int(set.get(*next - 1)))
            }
            Iter::Listpack(items) => items.next(),
            Iter::Table { table, next } => {
                *next += 1;
                (*next <= table.len()).then(|| Item::Bytes(table.get(*next - 1)))
            }
        }
    }
}

fn is_in(list: &Listpack, member: &[u8]) -> bool {
    list.first().is_some_and(|first| list.find(member, first, 0).is_some())
}

/// Changing.
impl Set {
    /// An empty set in the form that suits `first` and about `count` members.
    pub fn suited(first: &[u8], count: usize, limits: &Limits) -> Set {
        if count <= limits.intset_entries && parse_i64(first).is_some() {
            Intset::new().into()
        } else if count <= limits.listpack_entries {
            Listpack::new().into()
        } else {
            Large::<Table>::default().into()
        }
    }

    /// `count` members are about to be added in one step: a form that could not hold them alone is left at once.
    pub fn expect(&mut self, count: usize, limits: &Limits) {
        let is_too_small = match self.form_mut() {
            SetForm::Intset(_) => count > limits.intset_entries,
            SetForm::Listpack(_) => count > limits.listpack_entries,
            SetForm::Table(_) => false,
        };
        if is_too_small {
            self.make_table();
        }
    }

    /// Adds a member; false if it was there.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        match self.form_mut() {
            SetForm::Table(table) => table.insert(member),
            SetForm::Intset(set) => match parse_i64(member) {
                Some(value) => {
                    let added = set.add(value);
                    if added && set.len() > limits.intset_entries {
                        self.make_table();
                    }
                    added
                }
                None => {
                    self.leave_intset(member.len(), limits);
                    self.add(member, limits)
                }
            },
            SetForm::Listpack(list) => {
                if is_in(list, member) {
                    return false;
                }
                let fits = list.len() < limits.listpack_entries
                    && member.len() <= limits.listpack_value
                    && !list.would_exceed(member.len());
                if fits {
                    list.push_back(member);
                    return true;
                }
                self.make_table().insert(member)
            }
        }
    }

    /// As `add`, for a member of another set.
    pub fn add_item(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        self.add(member.bytes(&mut itoa::Buffer::new()), limits)
    }

    /// Takes a member out; false if it was not there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.form_mut() {
            SetForm::Intset(set) => parse_i64(member).is_some_and(|value| set.remove(value)),
            SetForm::Listpack(list) => {
                let found = list.first().and_then(|first| list.find(member, first, 0));
                if let Some(found) = found {
                    list.remove(found);
                }
                found.is_some()
            }
            SetForm::Table(table) => table.remove(member),
        }
    }

    /// Takes out the member at a position below `len`. Panics beyond it.
    pub fn remove_at(&mut self, position: usize) {
        match self.form_mut() {
            SetForm::Intset(set) => set.remove_at(position),
            SetForm::Listpack(list) => list.remove_range(position as i64, 1),
            SetForm::Table(table) => table.remove_at(position),
        }
    }

    /// Integers only, and few enough: back to an intset. For sets that a command has just built.
    pub fn compact(&mut self, limits: &Limits) {
        if matches!(self.form(), SetForm::Intset(_)) || self.len() > limits.intset_entries {
            return;
        }
        let mut integers = Intset::new();
        let all = self.iter().all(|member| member.as_i64().map(|value| integers.add(value)).is_some());
        if all {
            *self = integers.into();
        }
    }

    /// Integers go to a listpack if they and a member of `len` bytes fit one, to a table if not.
    #[cold]
    fn leave_intset(&mut self, len: usize, limits: &Limits) {
        let SetForm::Intset(set) = self.form_mut() else { return };
        let longest = set.min().into_iter().chain(set.max()).map(digits_i64).max().unwrap_or(0);
        let fits = set.len() < limits.listpack_entries
            && len.max(longest) <= limits.listpack_value
            // More than any integer of a listpack takes.
            && !Listpack::new().would_exceed(set.len() * 12 + len);
        if !fits {
            self.make_table();
            return;
        }
        let mut list = Builder::new();
        set.iter().for_each(|value| list.push_int(value));
        *self = list.finish().into();
    }

    /// The large form, with the same members in the same order.
    fn make_table(&mut self) -> &mut Table {
        if !matches!(self.form(), SetForm::Table(_)) {
            let mut table = Table::with_capacity(self.len() + 1);
            self.for_each(|member| {
                table.insert(member.bytes(&mut itoa::Buffer::new()));
            });
            *self = Large::new(table).into();
        }
        let SetForm::Table(table) = self.form_mut() else { unreachable!("just made") };
        table
    }
}

impl Collection for Set {
    const KIND: Kind = Kind::Set;

    fn len(&self) -> usize {
        match self.form() {
            SetForm::Intset(set) => set.len(),
            SetForm::Listpack(list) => list.len(),
            SetForm::Table(table) => table.len(),
        }
    }

    fn encoding(&self) -> Encoding {
        match self.form() {
            SetForm::Intset(_) => Encoding::Intset,
            SetForm::Listpack(_) => Encoding::Listpack,
            SetForm::Table(_) => Encoding::Hashtable,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self.form() {
            SetForm::Intset(set) => set.heap_bytes(),
            SetForm::Listpack(list) => list.heap_bytes(),
            SetForm::Table(table) => crate::base::alloc::size_class(size_of::<Table>()) + table.heap_bytes(),
        }
    }

    fn rdb_type(&self) -> u8 {
        match self.form() {
            SetForm::Intset(_) => value_type::SET_INTSET,
            // The listpack form of sets came with version 11.
            SetForm::Listpack(_) | SetForm::Table(_) => value_type::SET,
        }
    }

    fn blob(&self) -> Option<&[u8]> {
        match self.form() {
            SetForm::Intset(set) => Some(set.as_bytes()),
            SetForm::Listpack(_) | SetForm::Table(_) => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>, mut compressor: Option<&mut lzf::Compressor>) {
        if let SetForm::Intset(set) = self.form() {
            return write_string(out, set.as_bytes(), compressor);
        }
        write_length(out, self.len() as u64);
        self.for_each(|member| match member {
            Item::Int(value) => write_integer(out, value),
            Item::Bytes(bytes) => write_string(out, bytes, compressor.as_deref_mut()),
        });
    }

    #[inline]
    fn freeze(&mut self, _dialect: Dialect) -> Option<Frozen> {
        match self.form_mut() {
            SetForm::Table(table) if table.len() >= LEN_MIN => Some(frozen::freeze(table)),
            SetForm::Intset(_) | SetForm::Listpack(_) | SetForm::Table(_) => None,
        }
    }

    fn digest(&self, digest: &mut Digest) {
        let mut digits = itoa::Buffer::new();
        self.for_each(|member| digest.xor(member.bytes(&mut digits)));
    }
}

impl From<Set> for Value {
    fn from(value: Set) -> Value {
        Value::Set(value)
    }
}

#[cfg(test)]
mod tests;
