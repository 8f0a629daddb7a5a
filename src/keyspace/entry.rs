//! An entry: one key with its deadline and its value in one heap block behind a thin pointer.
//!
//! ```text
//!  0        4        8        12       16            16 or 24
//!  | stamp  | meta   | keylen | vallen | deadline?   | key bytes | value                  |
//!  | u32    | u32    | u32    | u32    | i64, if     |           | inline: vallen bytes   |
//!  |        |        |        |        | HAS_SLOT    |           | int: i64 (unaligned)   |
//!                                                                | boxed: *mut Value      |
//!
//!  meta: | 31 unused | 30 raw | 29-28 storage | 27 HAS_SLOT | 26-24 kind | 23-0 access clock |
//! ```
//!
//! Held by the shards' tables; read and changed only under the lock of the entry's shard (`keyspace::shard`).
//! Always: the header describes exactly the block that was allocated, and `key` never changes.
//! A 16-byte key with a 64-byte value takes one 96-byte block.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

use crate::base::ids::UnixMs;
use crate::types::{Kind, Str, Value};

/// Strings up to this many bytes are embedded; larger ones are boxed, so that a lock is never held for a long
/// reallocation of the whole block when the value grows.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// The number of a snapshot: an entry whose stamp is older than the snapshot in progress still has to be captured.
pub type Stamp = u32;

const HEADER_BYTES: usize = 16;
const SLOT_BYTES: usize = 8;
const WORD_BYTES: usize = 8;
const NO_DEADLINE: i64 = i64::MIN;

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
    Boxed = 2,
}

/// An owned entry. Dropping it frees the block and a boxed value.
pub struct Entry(NonNull<Header>);

// SAFETY: an entry owns its block and its value, both of which are Send; nothing in it is shared between threads
// other than under the lock of the shard that holds it.
unsafe impl Send for Entry {}
// SAFETY: `&Entry` only reads, and all writes need `&mut Entry`.
unsafe impl Sync for Entry {}

/// What a client sees of the way a value is stored (`OBJECT ENCODING`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
}

impl Encoding {
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}

/// Redis reports strings up to this length as `embstr`.
const EMBSTR_BYTES_MAX: usize = 44;

impl Entry {
    /// A string entry born with `stamp`, so that a snapshot in progress does not take it.
    pub fn string(key: &[u8], value: Str<'_>, deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        match value {
            Str::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => {
                Entry::boxed(key, Box::new(Value::Bytes(bytes.to_vec())), deadline, stamp, clock)
            }
            Str::Bytes(bytes) => {
                let entry =
                    Entry::allocate(key, Storage::Inline, Kind::String, bytes.len(), deadline, stamp, clock);
                // SAFETY: `allocate` made room for `bytes.len()` value bytes behind the key.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), entry.value_ptr(), bytes.len()) };
                entry
            }
            Str::Int(n) => {
                let entry = Entry::allocate(key, Storage::Int, Kind::String, 0, deadline, stamp, clock);
                // SAFETY: `allocate` made room for one word behind the key.
                unsafe { entry.value_ptr().cast::<i64>().write_unaligned(n) };
                entry
            }
        }
    }

    /// An entry whose value lives in a box of its own.
    pub fn boxed(key: &[u8], value: Box<Value>, deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        let entry = Entry::allocate(key, Storage::Boxed, value.kind(), 0, deadline, stamp, clock);
        // SAFETY: `allocate` made room for one word behind the key; the box is now owned by the block.
        unsafe { entry.value_ptr().cast::<*mut Value>().write_unaligned(Box::into_raw(value)) };
        entry
    }

    fn allocate(
        key: &[u8],
        storage: Storage,
        kind: Kind,
        val_len: usize,
        deadline: Option<UnixMs>,
        stamp: Stamp,
        clock: u32,
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
            let mut at = block.as_ptr().cast::<u8>().add(HEADER_BYTES);
            if let Some(deadline) = deadline {
                at.cast::<i64>().write(deadline.0);
                at = at.add(SLOT_BYTES);
            }
            std::ptr::copy_nonoverlapping(key.as_ptr(), at, key.len());
            Entry(block)
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
        let slot = if self.header().meta & HAS_SLOT != 0 { SLOT_BYTES } else { 0 };
        // SAFETY: header and slot are within the block.
        unsafe { self.0.as_ptr().cast::<u8>().add(HEADER_BYTES + slot) }
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
            _ => Storage::Boxed,
        }
    }

    #[inline]
    pub fn kind(&self) -> Kind {
        match (self.header().meta & KIND_MASK) >> KIND_SHIFT {
            0 => Kind::String,
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
            Storage::Boxed => match self.boxed_value() {
                Value::Bytes(bytes) => Some(Str::Bytes(bytes)),
            },
        }
    }

    fn boxed_ptr(&self) -> *mut Value {
        debug_assert!(self.storage() == Storage::Boxed);
        // SAFETY: a boxed value is one pointer at `value_ptr`.
        unsafe { self.value_ptr().cast::<*mut Value>().read_unaligned() }
    }

    fn boxed_value(&self) -> &Value {
        // SAFETY: the pointer came from `Box::into_raw` and is owned by this entry.
        unsafe { &*self.boxed_ptr() }
    }

    /// Replaces the value, keeping key, deadline, stamp and access clock. The block is reused where its size allows.
    pub fn set_string(&mut self, value: Str<'_>) {
        match value {
            Str::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => {
                self.set_boxed(Box::new(Value::Bytes(bytes.to_vec())));
            }
            Str::Bytes(bytes) => {
                self.reshape(Storage::Inline, bytes.len());
                // SAFETY: `reshape` made room for `bytes.len()` value bytes.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.value_ptr(), bytes.len()) };
            }
            Str::Int(n) => {
                self.reshape(Storage::Int, 0);
                // SAFETY: `reshape` made room for one word.
                unsafe { self.value_ptr().cast::<i64>().write_unaligned(n) };
            }
        }
        self.header_mut().meta &= !(RAW | KIND_MASK);
    }

    fn set_boxed(&mut self, value: Box<Value>) {
        let kind = value.kind();
        self.reshape(Storage::Boxed, 0);
        // SAFETY: `reshape` made room for one word, which now owns the box.
        unsafe { self.value_ptr().cast::<*mut Value>().write_unaligned(Box::into_raw(value)) };
        let header = self.header_mut();
        header.meta = (header.meta & !(RAW | KIND_MASK)) | ((kind as u32) << KIND_SHIFT);
    }

    /// The value as growable bytes, for commands that change a string in place. The value is boxed from then on and
    /// reported as `raw`. `None` if it is not a string.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        if self.storage() != Storage::Boxed {
            let bytes = self.as_str()?.to_vec();
            self.set_boxed(Box::new(Value::Bytes(bytes)));
        }
        self.header_mut().meta |= RAW;
        // SAFETY: see `boxed_value`; `&mut self` makes the access exclusive.
        match unsafe { &mut *self.boxed_ptr() } {
            Value::Bytes(bytes) => Some(bytes),
        }
    }

    /// Frees a boxed value and resizes the block for a value of the given storage.
    fn reshape(&mut self, storage: Storage, val_len: usize) {
        if self.storage() == Storage::Boxed {
            // SAFETY: the box is owned by this entry and is forgotten right here.
            drop(unsafe { Box::from_raw(self.boxed_ptr()) });
        }
        let old = block_layout(self.header());
        let header = self.header_mut();
        header.meta = (header.meta & !STORAGE_MASK) | ((storage as u32) << STORAGE_SHIFT);
        header.val_len = val_len as u32;
        let new = block_layout(header);
        if new.size() != old.size() {
            // SAFETY: `old` is the block's layout; header, slot and key lie within both sizes.
            let block = unsafe { realloc(self.0.as_ptr().cast(), old, new.size()) };
            let Some(block) = NonNull::new(block.cast::<Header>()) else { handle_alloc_error(new) };
            self.0 = block;
        }
    }

    /// The same value under another key (RENAME, COPY, MOVE).
    pub fn copy_as(&self, key: &[u8], deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        let raw = self.header().meta & RAW;
        let mut copy = match self.storage() {
            Storage::Inline | Storage::Int => {
                let value = self.as_str().expect("only strings are stored without a box");
                Entry::string(key, value, deadline, stamp, clock)
            }
            Storage::Boxed => match self.boxed_value() {
                Value::Bytes(bytes) => {
                    Entry::boxed(key, Box::new(Value::Bytes(bytes.clone())), deadline, stamp, clock)
                }
            },
        };
        copy.header_mut().meta |= raw;
        copy
    }

    /// This very value under another key; a boxed value moves without being copied.
    pub fn renamed(mut self, key: &[u8], deadline: Option<UnixMs>, stamp: Stamp, clock: u32) -> Entry {
        if self.storage() != Storage::Boxed {
            return self.copy_as(key, deadline, stamp, clock);
        }
        let raw = self.header().meta & RAW;
        // SAFETY: the box is owned by this entry, which becomes an empty string in the same step.
        let value = unsafe { Box::from_raw(self.boxed_ptr()) };
        self.header_mut().meta &= !STORAGE_MASK;
        let old_len = self.header().val_len;
        debug_assert_eq!(old_len, 0, "a boxed value has no inline bytes");
        // The block keeps its word behind the key: as an inline value of that size its layout is the same.
        self.header_mut().val_len = WORD_BYTES as u32;
        let mut entry = Entry::boxed(key, value, deadline, stamp, clock);
        entry.header_mut().meta |= raw;
        entry
    }

    pub fn encoding(&self) -> Encoding {
        match self.as_str() {
            Some(Str::Int(_)) => Encoding::Int,
            Some(Str::Bytes(bytes)) if bytes.len() <= EMBSTR_BYTES_MAX && self.header().meta & RAW == 0 => {
                Encoding::Embstr
            }
            Some(Str::Bytes(_)) => Encoding::Raw,
            None => unreachable!("strings are the only kind"),
        }
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

    /// Bytes of heap that this entry asked for: its block, and its box if it has one.
    pub fn heap_bytes(&self) -> usize {
        let boxed = match self.storage() {
            Storage::Inline | Storage::Int => 0,
            Storage::Boxed => match self.boxed_value() {
                Value::Bytes(bytes) => size_of::<Value>() + bytes.capacity(),
            },
        };
        block_layout(self.header()).size() + boxed
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.storage() == Storage::Boxed {
            // SAFETY: the box is owned by this entry and dropped once.
            drop(unsafe { Box::from_raw(self.boxed_ptr()) });
        }
        let layout = block_layout(self.header());
        // SAFETY: the block was allocated with exactly this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

#[inline]
fn block_layout(header: &Header) -> Layout {
    let slot = if header.meta & HAS_SLOT != 0 { SLOT_BYTES } else { 0 };
    let value = if (header.meta & STORAGE_MASK) >> STORAGE_SHIFT == Storage::Inline as u32 {
        header.val_len as usize
    } else {
        WORD_BYTES
    };
    let size = HEADER_BYTES + slot + header.key_len as usize + value;
    // SAFETY: 8 is a power of two, and the parts are bounded by 4 GiB each, far from overflowing isize.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
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
mod tests {
    use super::{Encoding, Entry, INLINE_BYTES_MAX};
    use crate::base::ids::UnixMs;
    use crate::types::Str;

    fn check(entry: &Entry, key: &[u8], value: &[u8], deadline: Option<i64>) {
        assert_eq!(entry.key(), key);
        assert_eq!(entry.as_str().expect("a string").to_vec(), value);
        assert_eq!(entry.deadline(), deadline.map(UnixMs));
    }

    #[test]
    fn an_entry_keeps_its_key_through_every_change_of_value_and_deadline() {
        let big = vec![b'x'; INLINE_BYTES_MAX + 1];
        let values: [&[u8]; 6] = [b"", b"12", b"-5", b"hello", &[0, 255, 10], &big];
        for first in values {
            for second in values {
                let mut entry = Entry::string(b"a key", Str::encode(first), None, 7, 3);
                check(&entry, b"a key", first, None);
                entry.set_deadline(Some(UnixMs(99)));
                check(&entry, b"a key", first, Some(99));
                entry.set_string(Str::encode(second));
                check(&entry, b"a key", second, Some(99));
                entry.set_deadline(None);
                check(&entry, b"a key", second, None);
                entry.bytes_mut().expect("a string").extend_from_slice(b"++");
                check(&entry, b"a key", &[second, b"++"].concat(), None);
                assert_eq!(entry.encoding(), Encoding::Raw);
                entry.set_string(Str::encode(first));
                check(&entry, b"a key", first, None);
                let copy = entry.copy_as(b"b", Some(UnixMs(1)), 8, 4);
                check(&copy, b"b", first, Some(1));
                assert_eq!((entry.stamp(), entry.clock(), copy.stamp(), copy.clock()), (7, 3, 8, 4));
            }
        }
    }

    #[test]
    fn encodings_are_named_as_redis_names_them() {
        let of = |bytes: &[u8]| Entry::string(b"k", Str::encode(bytes), None, 0, 0).encoding();
        assert_eq!(of(b"17"), Encoding::Int);
        assert_eq!(of(&[b'a'; 44]), Encoding::Embstr);
        assert_eq!(of(&[b'a'; 45]), Encoding::Raw);
    }
}
