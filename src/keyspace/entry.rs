//! An entry: one key with its deadline and its value in one heap block behind a thin pointer.
//!
//! ```text
//!  0        4        8            8 or 16
//!  | stamp  | meta   | deadline?  | held?       | key length    | value length?  | key bytes | inline: the value     |
//!  | u32    | u32    | i64, if    | 8: Vec box, | u8, or u32 if | u8, u16 or     |           | int: i64 (unaligned)  |
//!                    | HAS_SLOT   | List, Set.. | IS_LONG       | none           |
//!
//!  meta: | 31 IS_LONG | 30 raw | 29-28 storage | 27 HAS_SLOT | 26-24 kind | 23-0 access clock |
//! ```
//!
//! A collection's stored form, one word, lies in the block itself, in front of the key, where it is aligned; the kind says which
//! type it is. Held by the shards' tables; read and changed only under the lock of the entry's shard (`keyspace::shard`).
//! Always: the header describes exactly the block that was allocated, up to the allocator's size class, and `key` never changes.
//! A 16-byte key with a 64-byte value takes one 96-byte block; one with a small hash a 40-byte block and the hash's own.

mod change;
mod layout;

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use self::layout::{
    CLOCK_MASK, HAS_SLOT, HEADER_BYTES, Header, IS_LONG, KIND_MASK, KIND_SHIFT, NO_DEADLINE, RAW,
    SHORT_KEY_BYTES_MAX, STORAGE_SHIFT, Storage, WORD_BYTES, block_bytes, key_len_bytes, key_offset, layout,
    lengths_offset, storage_of,
};
use crate::base::alloc::size_class;
use crate::base::ids::UnixMs;
use crate::codec::rdb::Dialect;
use crate::each_collection;
use crate::keyspace::lazy_free;
use crate::types::{
    Collection, Encoding, Frozen, HELD_BYTES, Hash, Kind, List, Set, SortedSet, Str, Stream, Value, ValueRef,
};

/// Strings up to this many bytes are embedded; larger ones are boxed, so that a lock is never held for a long
/// reallocation of the whole block when the value grows.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// The number of a snapshot: an entry whose stamp is older than the snapshot in progress still has to be captured.
pub type Stamp = u32;

/// What an entry is born with: deadline, stamp, access clock.
type Birth = (Option<UnixMs>, Stamp, u32);

const _: () = assert!(INLINE_BYTES_MAX <= u16::MAX as usize);

/// What a string is that is too large, or too mutable, to be embedded.
type GrowingString = Box<Vec<u8>>;

const _: () = assert!(size_of::<GrowingString>() <= HELD_BYTES);

/// The bits of an entry's word that are its block's address. User space ends below 2^48 unless a program asks for more, and
/// blocks are aligned to eight bytes. What is in the other bits is the table's in which the entry stands.
pub(super) const ADDRESS_BITS: usize = 0x0000_ffff_ffff_fff8;

/// An owned entry. Dropping it frees the block and the value that it holds.
#[repr(transparent)]
pub struct Entry(NonNull<u8>);

// SAFETY: an entry owns its block and its value, both of which are Send; nothing in it is shared between threads
// other than under the lock of the shard that holds it.
unsafe impl Send for Entry {}
// SAFETY: `&Entry` only reads, and all writes need `&mut Entry`.
unsafe impl Sync for Entry {}

/// Redis reports strings up to this length as `embstr`.
const EMBSTR_BYTES_MAX: usize = 44;

impl Entry {
    /// An entry born with `stamp`, so that a snapshot in progress does not take it.
    pub fn new(key: &[u8], value: Value, deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        let (kind, born) = (value.kind(), (deadline, stamp, clock));
        match value {
            Value::Int(number) => Entry::string(key, Str::Int(number), deadline, stamp, clock),
            Value::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => Entry::growing(key, bytes, born),
            Value::Bytes(bytes) => Entry::string(key, Str::encode(&bytes), deadline, stamp, clock),
            Value::List(list) => Entry::holding(key, kind, list, born),
            Value::Set(set) => Entry::holding(key, kind, set, born),
            Value::SortedSet(sorted_set) => Entry::holding(key, kind, sorted_set, born),
            Value::Hash(hash) => Entry::holding(key, kind, hash, born),
            Value::Stream(stream) => Entry::holding(key, kind, stream, born),
        }
    }

    /// As `new`, for a string that is somebody else's.
    pub fn string(key: &[u8], value: Str<'_>, deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        let born = (deadline, stamp, clock);
        match value {
            Str::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => Entry::growing(key, bytes.to_vec(), born),
            Str::Bytes(bytes) => {
                let entry =
                    Entry::allocate(key, Storage::inline(bytes.len()), Kind::String, bytes.len(), born);
                // SAFETY: `allocate` made room for `bytes.len()` value bytes behind the key.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), entry.value_ptr(), bytes.len()) };
                entry
            }
            Str::Int(n) => {
                let entry = Entry::allocate(key, Storage::Int, Kind::String, 0, born);
                // SAFETY: `allocate` made room for one word behind the key.
                unsafe { entry.value_ptr().cast::<i64>().write_unaligned(n) };
                entry
            }
        }
    }

    /// A string in a growable buffer of its own.
    fn growing(key: &[u8], bytes: Vec<u8>, born: Birth) -> Entry {
        Entry::holding(key, Kind::String, Box::new(bytes), born)
    }

    /// An entry with a value of type `T` in front of its key. `T` is the one that belongs to `kind`.
    fn holding<T>(key: &[u8], kind: Kind, value: T, born: Birth) -> Entry {
        const { assert!(size_of::<T>() <= HELD_BYTES && align_of::<T>() <= WORD_BYTES) };
        let entry = Entry::allocate(key, Storage::Held, kind, 0, born);
        // SAFETY: `allocate` made room for `HELD_BYTES` in front of the key, aligned to a word; the block owns the value now.
        unsafe { entry.held_ptr().cast::<T>().write(value) };
        entry
    }

    fn allocate(
        key: &[u8],
        storage: Storage,
        kind: Kind,
        val_len: usize,
        (deadline, stamp, clock): Birth,
    ) -> Entry {
        let meta = (clock & CLOCK_MASK)
            | ((kind as u32) << KIND_SHIFT)
            | ((storage as u32) << STORAGE_SHIFT)
            | if deadline.is_some() { HAS_SLOT } else { 0 }
            | if key.len() > SHORT_KEY_BYTES_MAX { IS_LONG } else { 0 };
        let layout = layout(block_bytes(meta, key.len(), val_len));
        // SAFETY: the layout is never of size zero; every write below stays within it by construction of its size.
        unsafe {
            let Some(block) = NonNull::new(alloc(layout)) else { handle_alloc_error(layout) };
            assert!(block.addr().get() & !ADDRESS_BITS == 0, "user space ends below 2^48");
            block.cast::<Header>().write(Header { stamp, meta });
            let mut entry = Entry(block);
            if let Some(deadline) = deadline {
                block.add(HEADER_BYTES).cast::<i64>().write(deadline.0);
            }
            entry.write_lengths(key.len(), val_len);
            std::ptr::copy_nonoverlapping(key.as_ptr(), entry.key_ptr(), key.len());
            entry
        }
    }

    /// Writes the lengths to where the header says that they are.
    ///
    /// # Safety
    /// The block is large enough for this key and value.
    unsafe fn write_lengths(&mut self, key_len: usize, val_len: usize) {
        let meta = self.header().meta;
        // SAFETY: the caller's promise; both lengths stand in front of the key.
        unsafe {
            let lengths = self.block().add(lengths_offset(meta));
            match meta & IS_LONG {
                0 => lengths.write(key_len as u8),
                _ => lengths.cast::<u32>().write_unaligned(
                    u32::try_from(key_len).expect("keys are bounded by proto-max-bulk-len, below 4 GiB"),
                ),
            }
            let val_len_at = lengths.add(key_len_bytes(meta));
            match self.storage() {
                Storage::Inline => val_len_at.write(val_len as u8),
                Storage::InlineLong => val_len_at.cast::<u16>().write_unaligned(val_len as u16),
                Storage::Int | Storage::Held => {}
            }
        }
    }

    /// The block, without the table's bits.
    #[inline]
    fn block(&self) -> *mut u8 {
        self.0.as_ptr().map_addr(|word| word & ADDRESS_BITS)
    }

    /// The block has moved. The table's bits stay.
    fn set_block(&mut self, block: NonNull<u8>) {
        let bits = self.0.addr().get() & !ADDRESS_BITS;
        assert!(block.addr().get() & !ADDRESS_BITS == 0, "user space ends below 2^48");
        self.0 = block.map_addr(|address| address | bits);
    }

    /// Puts another entry in the place of this one, which is given back: of the same key, for the table's bits stay.
    pub fn exchange(&mut self, other: Entry) -> Entry {
        debug_assert!(self.key() == other.key());
        let (old, new) = (self.block(), other.block());
        std::mem::forget(other);
        self.set_block(NonNull::new(new).expect("an entry has a block"));
        // SAFETY: the block was this entry's, which has another one now.
        unsafe { Entry::from_raw(old) }
    }

    /// The block, for a table, which owns it from now on.
    pub(super) fn into_raw(self) -> *mut u8 {
        let block = self.block();
        std::mem::forget(self);
        block
    }

    /// # Safety
    /// `block` comes from `into_raw`, other bits than those of the address aside, and whoever had it forgets it.
    pub(super) unsafe fn from_raw(block: *mut u8) -> Entry {
        let block = block.map_addr(|word| word & ADDRESS_BITS);
        // SAFETY: the caller's promise: it was an entry's.
        Entry(unsafe { NonNull::new_unchecked(block) })
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the block starts with an initialised header for as long as the entry lives.
        unsafe { &*self.block().cast() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` makes the access exclusive.
        unsafe { &mut *self.block().cast() }
    }

    /// The address that a prefetch wants.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.block()
    }

    #[inline]
    fn key_len(&self) -> usize {
        let meta = self.header().meta;
        // SAFETY: the length was written there by `write_lengths`, in as many bytes.
        unsafe {
            let at = self.block().add(lengths_offset(meta));
            if meta & IS_LONG == 0 {
                usize::from(at.read())
            } else {
                at.cast::<u32>().read_unaligned() as usize
            }
        }
    }

    /// Bytes of an inline value; 0 of any other.
    #[inline]
    fn val_len(&self) -> usize {
        let meta = self.header().meta;
        // SAFETY: as in `key_len`; the value's length stands behind the key's.
        unsafe {
            let at = self.block().add(lengths_offset(meta) + key_len_bytes(meta));
            match self.storage() {
                Storage::Inline => usize::from(at.read()),
                Storage::InlineLong => usize::from(at.cast::<u16>().read_unaligned()),
                Storage::Int | Storage::Held => 0,
            }
        }
    }

    /// Bytes of the block that are in use.
    fn block_bytes(&self) -> usize {
        block_bytes(self.header().meta, self.key_len(), self.val_len())
    }

    #[inline]
    fn key_ptr(&self) -> *mut u8 {
        // SAFETY: header, slot, held value and lengths are within the block.
        unsafe { self.block().add(key_offset(self.header().meta)) }
    }

    /// Where a held value lies, aligned to a word.
    #[inline]
    fn held_ptr(&self) -> *mut u8 {
        debug_assert!(self.storage() == Storage::Held);
        // SAFETY: a held value stands right in front of the lengths.
        unsafe { self.block().add(lengths_offset(self.header().meta) - HELD_BYTES) }
    }

    #[inline]
    fn value_ptr(&self) -> *mut u8 {
        // SAFETY: the key is within the block; the value starts right behind it.
        unsafe { self.key_ptr().add(self.key_len()) }
    }

    #[inline]
    pub fn key(&self) -> &[u8] {
        // SAFETY: `key_len` bytes at `key_ptr` were initialised by `allocate` and never change.
        unsafe { std::slice::from_raw_parts(self.key_ptr(), self.key_len()) }
    }

    #[inline]
    fn storage(&self) -> Storage {
        storage_of(self.header().meta)
    }

    #[inline]
    pub fn kind(&self) -> Kind {
        match (self.header().meta & KIND_MASK) >> KIND_SHIFT {
            0 => Kind::String,
            1 => Kind::List,
            2 => Kind::Set,
            3 => Kind::SortedSet,
            4 => Kind::Hash,
            5 => Kind::Stream,
            other => unreachable!("an entry is only ever stored with a known kind, not {other}"),
        }
    }

    /// When the key expires; `None` means never.
    #[inline]
    pub fn deadline(&self) -> Option<UnixMs> {
        if self.header().meta & HAS_SLOT == 0 {
            return None;
        }
        // SAFETY: HAS_SLOT says that an i64 lies right behind the header, 8-byte aligned.
        let at = unsafe { self.block().add(HEADER_BYTES).cast::<i64>().read() };
        (at != NO_DEADLINE).then_some(UnixMs(at))
    }

    /// The string value, or `None` if the value is of another kind.
    #[inline]
    pub fn as_str(&self) -> Option<Str<'_>> {
        match self.storage() {
            Storage::Inline | Storage::InlineLong => {
                // SAFETY: an inline value is `val_len` initialised bytes at `value_ptr`.
                let bytes = unsafe { std::slice::from_raw_parts(self.value_ptr(), self.val_len()) };
                Some(Str::Bytes(bytes))
            }
            // SAFETY: an int is one word at `value_ptr`.
            Storage::Int => Some(Str::Int(unsafe { self.value_ptr().cast::<i64>().read_unaligned() })),
            Storage::Held if self.kind() == Kind::String => {
                // SAFETY: what an entry of kind String holds is a `GrowingString`.
                let bytes: &GrowingString = unsafe { &*self.held_ptr().cast() };
                Some(Str::Bytes(bytes))
            }
            Storage::Held => None,
        }
    }

    /// The value as a collection of type `T`, or `None` if it is of another kind.
    #[inline]
    pub fn get<T: Collection>(&self) -> Option<&T> {
        let () = T::FITS;
        if T::KIND == Kind::String || self.kind() != T::KIND {
            return None;
        }
        // SAFETY: an entry of a collection's kind holds a value of the one type that has this kind.
        Some(unsafe { &*self.held_ptr().cast::<T>() })
    }

    /// As `get`, to be changed.
    #[inline]
    pub fn get_mut<T: Collection>(&mut self) -> Option<&mut T> {
        let () = T::FITS;
        if T::KIND == Kind::String || self.kind() != T::KIND {
            return None;
        }
        // SAFETY: as in `get`; `&mut self` makes the access exclusive.
        Some(unsafe { &mut *self.held_ptr().cast::<T>() })
    }

    /// The value, whatever it is.
    pub fn value(&self) -> ValueRef<'_> {
        const ONE_TYPE: &str = "a kind has one type";
        match self.kind() {
            Kind::String => ValueRef::Str(self.as_str().expect("an entry of kind string holds a string")),
            Kind::List => ValueRef::List(self.get().expect(ONE_TYPE)),
            Kind::Set => ValueRef::Set(self.get().expect(ONE_TYPE)),
            Kind::SortedSet => ValueRef::SortedSet(self.get().expect(ONE_TYPE)),
            Kind::Hash => ValueRef::Hash(self.get().expect(ONE_TYPE)),
            Kind::Stream => ValueRef::Stream(self.get().expect(ONE_TYPE)),
        }
    }

    /// The value as it is now, to be encoded later without the shard's lock (`Collection::freeze`).
    pub fn freeze(&mut self, dialect: Dialect) -> Option<Frozen> {
        match self.kind() {
            Kind::String => None,
            Kind::List => self.get_mut::<List>()?.freeze(dialect),
            Kind::Set => self.get_mut::<Set>()?.freeze(dialect),
            Kind::SortedSet => self.get_mut::<SortedSet>()?.freeze(dialect),
            Kind::Hash => self.get_mut::<Hash>()?.freeze(dialect),
            Kind::Stream => self.get_mut::<Stream>()?.freeze(dialect),
        }
    }

    /// Drops what the entry holds. Afterwards it must not be looked at until its storage has been changed.
    fn drop_held(&mut self) {
        if self.storage() != Storage::Held {
            return;
        }
        let held = self.held_ptr();
        // SAFETY: the kind says of which type the held value is; the caller forgets it.
        unsafe {
            match self.kind() {
                Kind::String => held.cast::<GrowingString>().drop_in_place(),
                Kind::List => held.cast::<List>().drop_in_place(),
                Kind::Set => held.cast::<Set>().drop_in_place(),
                Kind::SortedSet => held.cast::<SortedSet>().drop_in_place(),
                Kind::Hash => held.cast::<Hash>().drop_in_place(),
                Kind::Stream => held.cast::<Stream>().drop_in_place(),
            }
        }
    }

    /// The same value under another key (RENAME, COPY, MOVE).
    pub fn copy_as(&self, key: &[u8], deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        let value = match self.value() {
            ValueRef::Str(string) => {
                let raw = self.header().meta & RAW;
                let mut copy = match (string, self.storage()) {
                    (Str::Bytes(bytes), Storage::Held) => {
                        Entry::growing(key, bytes.to_vec(), (deadline, stamp, clock))
                    }
                    (string, _) => Entry::string(key, string, deadline, stamp, clock),
                };
                copy.header_mut().meta |= raw;
                return copy;
            }
            ValueRef::List(list) => Value::List(list.clone()),
            ValueRef::Set(set) => Value::Set(set.clone()),
            ValueRef::SortedSet(sorted_set) => Value::SortedSet(sorted_set.clone()),
            ValueRef::Hash(hash) => Value::Hash(hash.clone()),
            ValueRef::Stream(stream) => Value::Stream(stream.clone()),
        };
        Entry::new(key, value, deadline, stamp, clock)
    }

    /// This very value under another key; a held value moves without being copied.
    pub fn renamed(mut self, key: &[u8], deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        if self.storage() != Storage::Held {
            return self.copy_as(key, deadline, stamp, clock);
        }
        let mut entry = Entry::allocate(key, Storage::Held, self.kind(), 0, (deadline, stamp, clock));
        entry.header_mut().meta |= self.header().meta & RAW;
        // SAFETY: both blocks have room for a held value; it belongs to the new one from here on, since the old one is forgotten
        // but for its block.
        unsafe { std::ptr::copy_nonoverlapping(self.held_ptr(), entry.held_ptr(), HELD_BYTES) };
        self.free_block();
        std::mem::forget(self);
        entry
    }

    /// Is it a collection without elements, of a type that is deleted then?
    pub fn is_empty_collection(&self) -> bool {
        fn vanishes<T: Collection>(collection: &T) -> bool {
            !T::MAY_BE_EMPTY && collection.is_empty()
        }
        each_collection!(self.value(), _string => false, collection => vanishes(collection))
    }

    /// No element of the value has to be taken out for its own deadline before this (`Collection::next_due`).
    #[inline]
    pub fn elements_due(&self) -> Option<UnixMs> {
        each_collection!(self.value(), _string => None, collection => collection.next_due())
    }

    /// Does it take a while to free what the entry holds?
    #[inline]
    pub fn is_costly(&self) -> bool {
        self.storage() == Storage::Held && self.holds_much()
    }

    fn holds_much(&self) -> bool {
        fn has_many<T: Collection>(collection: &T) -> bool {
            match collection.blob() {
                Some(blob) => blob.len() > lazy_free::BYTES_MAX,
                None => collection.len() > lazy_free::ELEMENTS_MAX,
            }
        }
        each_collection!(self.value(),
            string => matches!(string, Str::Bytes(bytes) if bytes.len() > lazy_free::BYTES_MAX),
            collection => has_many(collection))
    }

    pub fn encoding(&self) -> Encoding {
        each_collection!(self.value(),
            string => match string {
                Str::Int(_) => Encoding::Int,
                Str::Bytes(bytes) if bytes.len() <= EMBSTR_BYTES_MAX && self.header().meta & RAW == 0 => {
                    Encoding::Embstr
                }
                Str::Bytes(_) => Encoding::Raw,
            },
            collection => collection.encoding())
    }

    #[inline]
    pub fn stamp(&self) -> Stamp {
        self.header().stamp
    }

    #[inline]
    pub fn set_stamp(&mut self, stamp: Stamp) {
        self.header_mut().stamp = stamp;
    }

    /// The 24-bit clock of the last access, in the unit of `keyspace::Clock`.
    #[inline]
    pub fn clock(&self) -> u32 {
        self.header().meta & CLOCK_MASK
    }

    #[inline]
    pub fn set_clock(&mut self, clock: u32) {
        let header = self.header_mut();
        if header.meta & CLOCK_MASK != clock {
            header.meta = (header.meta & !CLOCK_MASK) | (clock & CLOCK_MASK);
        }
    }

    /// Bytes of heap that this entry asked for: its block, and what its value has beside it, in the allocator's classes.
    pub fn heap_bytes(&self) -> usize {
        let beside = each_collection!(self.value(),
            string => match (string, self.storage()) {
                // The buffer may be larger than the string by what it grew ahead.
                (Str::Bytes(bytes), Storage::Held) => size_class(size_of::<Vec<u8>>()) + size_class(bytes.len()),
                (_, Storage::Inline | Storage::InlineLong | Storage::Int | Storage::Held) => 0,
            },
            collection => collection.heap_bytes());
        size_class(self.block_bytes()) + beside
    }

    /// Gives the block back. The entry must not be looked at any more.
    fn free_block(&mut self) {
        let layout = layout(self.block_bytes());
        // SAFETY: the block was allocated with exactly this layout.
        unsafe { dealloc(self.block(), layout) };
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.drop_held();
        self.free_block();
    }
}

#[cfg(test)]
mod tests;
