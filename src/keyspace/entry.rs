//! An entry: one key with its deadline and its value in one heap block behind a thin pointer.
//!
//! ```text
//!  0        4        8        12       16            16 or 24
//!  | stamp  | meta   | keylen | vallen | deadline?   | held?              | key bytes | inline: vallen bytes   |
//!  | u32    | u32    | u32    | u32    | i64, if     | 16 bytes: Vec box, |           | int: i64 (unaligned)   |
//!                                      | HAS_SLOT    | List, Set, Hash ...|           |                        |
//!
//!  meta: | 31 unused | 30 raw | 29-28 storage | 27 HAS_SLOT | 26-24 kind | 23-0 access clock |
//! ```
//!
//! A collection's stored form lies in the block itself, in front of the key, where it is aligned; the kind says which type
//! it is. Held by the shards' tables; read and changed only under the lock of the entry's shard (`keyspace::shard`).
//! Always: the header describes exactly the block that was allocated, and `key` never changes.
//! A 16-byte key with a 64-byte value takes one 96-byte block; one with a small hash a 48-byte block and the hash's own.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::base::ids::UnixMs;
use crate::each_collection;
use crate::keyspace::lazy_free;
use crate::types::{
    Collection, Encoding, HELD_BYTES, Hash, Kind, List, Set, SortedSet, Str, Stream, Value, ValueRef,
};

/// Strings up to this many bytes are embedded; larger ones are boxed, so that a lock is never held for a long
/// reallocation of the whole block when the value grows.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// The number of a snapshot: an entry whose stamp is older than the snapshot in progress still has to be captured.
pub type Stamp = u32;

const HEADER_BYTES: usize = 16;
const SLOT_BYTES: usize = 8;
const WORD_BYTES: usize = 8;
const NO_DEADLINE: i64 = i64::MIN;

/// What an entry is born with: deadline, stamp, access clock.
type Birth = (Option<UnixMs>, Stamp, u32);

const CLOCK_MASK: u32 = 0x00ff_ffff;
const KIND_SHIFT: u32 = 24;
const KIND_MASK: u32 = 0b111 << KIND_SHIFT;
const HAS_SLOT: u32 = 1 << 27;
const STORAGE_SHIFT: u32 = 28;
const STORAGE_MASK: u32 = 0b11 << STORAGE_SHIFT;
const RAW: u32 = 1 << 30;

#[repr(C)]
struct Header {
    stamp: u32,
    meta: u32,
    key_len: u32,
    val_len: u32,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Storage {
    Inline = 0,
    Int = 1,
    Held = 2,
}

/// What a string is that is too large, or too mutable, to be embedded.
type GrowingString = Box<Vec<u8>>;

const _: () = assert!(size_of::<GrowingString>() <= HELD_BYTES);

/// An owned entry. Dropping it frees the block and the value that it holds.
pub struct Entry(NonNull<Header>);

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
                let entry = Entry::allocate(key, Storage::Inline, Kind::String, bytes.len(), born);
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
        let has_slot = deadline.is_some();
        let meta = (clock & CLOCK_MASK)
            | ((kind as u32) << KIND_SHIFT)
            | ((storage as u32) << STORAGE_SHIFT)
            | if has_slot { HAS_SLOT } else { 0 };
        let header = Header {
            stamp,
            meta,
            key_len: u32::try_from(key.len()).expect("keys are bounded by proto-max-bulk-len, below 4 GiB"),
            val_len: val_len as u32,
        };
        let layout = block_layout(&header);
        // SAFETY: the layout is never of size zero; every write below stays within it by construction of its size.
        unsafe {
            let block = alloc(layout);
            let Some(block) = NonNull::new(block.cast::<Header>()) else { handle_alloc_error(layout) };
            block.as_ptr().write(header);
            let entry = Entry(block);
            if let Some(deadline) = deadline {
                block.as_ptr().cast::<u8>().add(HEADER_BYTES).cast::<i64>().write(deadline.0);
            }
            std::ptr::copy_nonoverlapping(key.as_ptr(), entry.key_ptr(), key.len());
            entry
        }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the block starts with an initialised header for as long as the entry lives.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` makes the access exclusive.
        unsafe { self.0.as_mut() }
    }

    /// The address that a prefetch wants.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }

    #[inline]
    fn key_ptr(&self) -> *mut u8 {
        // SAFETY: header, slot and held value are within the block.
        unsafe { self.0.as_ptr().cast::<u8>().add(key_offset(self.header().meta)) }
    }

    /// Where a held value lies, aligned to a word.
    #[inline]
    fn held_ptr(&self) -> *mut u8 {
        debug_assert!(self.storage() == Storage::Held);
        // SAFETY: a held value stands right in front of the key.
        unsafe { self.key_ptr().sub(HELD_BYTES) }
    }

    #[inline]
    fn value_ptr(&self) -> *mut u8 {
        // SAFETY: the key is within the block; the value starts right behind it.
        unsafe { self.key_ptr().add(self.header().key_len as usize) }
    }

    #[inline]
    pub fn key(&self) -> &[u8] {
        // SAFETY: `key_len` bytes at `key_ptr` were initialised by `allocate` and never change.
        unsafe { std::slice::from_raw_parts(self.key_ptr(), self.header().key_len as usize) }
    }

    #[inline]
    fn storage(&self) -> Storage {
        match (self.header().meta & STORAGE_MASK) >> STORAGE_SHIFT {
            0 => Storage::Inline,
            1 => Storage::Int,
            _ => Storage::Held,
        }
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
        let at = unsafe { self.0.as_ptr().cast::<u8>().add(HEADER_BYTES).cast::<i64>().read() };
        (at != NO_DEADLINE).then_some(UnixMs(at))
    }

    /// Sets or clears the deadline; the block moves only when it has no slot for one yet.
    pub fn set_deadline(&mut self, deadline: Option<UnixMs>) {
        if self.header().meta & HAS_SLOT == 0 {
            if deadline.is_none() {
                return;
            }
            self.add_slot();
        }
        let at = deadline.map_or(NO_DEADLINE, |d| d.0);
        // SAFETY: the block has a slot now (see `deadline`).
        unsafe { self.0.as_ptr().cast::<u8>().add(HEADER_BYTES).cast::<i64>().write(at) };
    }

    fn add_slot(&mut self) {
        let old = block_layout(self.header());
        let grown = old.size() + SLOT_BYTES;
        // SAFETY: `old` is the layout of the block; the bytes behind the header move up by one slot, inside the grown block.
        unsafe {
            let block = realloc(self.0.as_ptr().cast(), old, grown);
            let Some(block) = NonNull::new(block) else { handle_alloc_error(old) };
            let body = block.as_ptr().add(HEADER_BYTES);
            std::ptr::copy(body, body.add(SLOT_BYTES), old.size() - HEADER_BYTES);
            self.0 = block.cast();
        }
        self.header_mut().meta |= HAS_SLOT;
    }

    /// The string value, or `None` if the value is of another kind.
    #[inline]
    pub fn as_str(&self) -> Option<Str<'_>> {
        match self.storage() {
            // SAFETY: an inline value is `val_len` initialised bytes at `value_ptr`.
            Storage::Inline => Some(Str::Bytes(unsafe {
                std::slice::from_raw_parts(self.value_ptr(), self.header().val_len as usize)
            })),
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

    /// Replaces the value, keeping key, deadline, stamp and access clock. The block is reused where its size allows.
    pub fn set_string(&mut self, value: Str<'_>) {
        match value {
            Str::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => self.set_growing(bytes.to_vec()),
            Str::Bytes(bytes) => {
                self.reshape(Storage::Inline, Kind::String, bytes.len());
                // SAFETY: `reshape` made room for `bytes.len()` value bytes.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.value_ptr(), bytes.len()) };
            }
            Str::Int(n) => {
                self.reshape(Storage::Int, Kind::String, 0);
                // SAFETY: `reshape` made room for one word.
                unsafe { self.value_ptr().cast::<i64>().write_unaligned(n) };
            }
        }
    }

    fn set_growing(&mut self, bytes: Vec<u8>) {
        self.reshape(Storage::Held, Kind::String, 0);
        // SAFETY: `reshape` made room for a held value, which the block owns from now on.
        unsafe { self.held_ptr().cast::<GrowingString>().write(Box::new(bytes)) };
    }

    /// The value as growable bytes, for commands that change a string in place. It has a buffer of its own from then on and
    /// is reported as `raw`. `None` if it is not a string.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        if self.storage() != Storage::Held {
            let bytes = self.as_str()?.to_vec();
            self.set_growing(bytes);
        }
        if self.kind() != Kind::String {
            return None;
        }
        self.header_mut().meta |= RAW;
        // SAFETY: see `as_str`; `&mut self` makes the access exclusive.
        Some(unsafe { &mut *self.held_ptr().cast::<GrowingString>() })
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

    /// Drops a held value and makes the block fit a value of the given storage, which the caller then writes.
    #[inline]
    fn reshape(&mut self, storage: Storage, kind: Kind, val_len: usize) {
        self.drop_held();
        let old_meta = self.header().meta;
        let old = block_layout(self.header());
        let header = self.header_mut();
        header.meta = (old_meta & !(STORAGE_MASK | KIND_MASK | RAW))
            | ((storage as u32) << STORAGE_SHIFT)
            | ((kind as u32) << KIND_SHIFT);
        header.val_len = val_len as u32;
        let new = block_layout(header);
        let (from, to) = (key_offset(old_meta), key_offset(header.meta));
        if from == to && new.size() == old.size() {
            return;
        }
        self.resize(old, new.size(), from, to);
    }

    /// Gives the block another size and its key another place in it. The header is the new one already.
    fn resize(&mut self, old: Layout, size: usize, from: usize, to: usize) {
        let key_len = self.header().key_len as usize;
        // SAFETY: `old` is the block's layout. The key lies within the old size at `from` and within the new one at `to`: it
        // moves down before the block shrinks, and up after it has grown.
        unsafe {
            let mut block = self.0.as_ptr().cast::<u8>();
            if to < from {
                std::ptr::copy(block.add(from), block.add(to), key_len);
            }
            if size != old.size() {
                block = realloc(block, old, size);
                let Some(moved) = NonNull::new(block.cast::<Header>()) else { handle_alloc_error(old) };
                self.0 = moved;
            }
            if to > from {
                std::ptr::copy(block.add(from), block.add(to), key_len);
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
        // SAFETY: both blocks have room for a held value; it belongs to the new one from here on, since the old one, made an
        // inline string in the same step, will not drop it. An inline string of `HELD_BYTES` has the same layout.
        unsafe { std::ptr::copy_nonoverlapping(self.held_ptr(), entry.held_ptr(), HELD_BYTES) };
        self.header_mut().meta &= !(STORAGE_MASK | KIND_MASK);
        self.header_mut().val_len = HELD_BYTES as u32;
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
                (_, Storage::Inline | Storage::Int | Storage::Held) => 0,
            },
            collection => collection.heap_bytes());
        size_class(block_layout(self.header()).size()) + beside
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.drop_held();
        let layout = block_layout(self.header());
        // SAFETY: the block was allocated with exactly this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// Where the key starts, from the start of the block.
#[inline]
fn key_offset(meta: u32) -> usize {
    let slot = if meta & HAS_SLOT != 0 { SLOT_BYTES } else { 0 };
    let held = if (meta & STORAGE_MASK) >> STORAGE_SHIFT == Storage::Held as u32 { HELD_BYTES } else { 0 };
    HEADER_BYTES + slot + held
}

#[inline]
fn block_layout(header: &Header) -> Layout {
    let value = match (header.meta & STORAGE_MASK) >> STORAGE_SHIFT {
        inline if inline == Storage::Inline as u32 => header.val_len as usize,
        int if int == Storage::Int as u32 => WORD_BYTES,
        _ => 0,
    };
    let size = key_offset(header.meta) + header.key_len as usize + value;
    // SAFETY: 8 is a power of two, and the parts are bounded by 4 GiB each, far from overflowing isize.
    unsafe { Layout::from_size_align_unchecked(size, WORD_BYTES) }
}

// dashmap asks for these of its key type; the keyspace hashes key bytes itself and never calls them.
impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Entry {}
impl std::hash::Hash for Entry {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[cfg(test)]
mod tests;
