//! Changes of an entry in place: its deadline, and what string it holds. The block moves only when its size class has to change.

use std::alloc::{Layout, handle_alloc_error, realloc};
use std::ptr::NonNull;

use super::layout::{
    HAS_SLOT, HEADER_BYTES, KIND_MASK, KIND_SHIFT, NO_DEADLINE, RAW, SLOT_BYTES, STORAGE_MASK, STORAGE_SHIFT,
    Storage, block_bytes, key_offset, layout,
};
use super::{Entry, GrowingString, INLINE_BYTES_MAX};
use crate::base::ids::UnixMs;
use crate::types::{Kind, Str};

impl Entry {
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
        unsafe { self.block().add(HEADER_BYTES).cast::<i64>().write(at) };
    }

    fn add_slot(&mut self) {
        let used = self.block_bytes();
        let (old, new) = (layout(used), layout(used + SLOT_BYTES));
        // SAFETY: `old` is the layout of the block; the bytes behind the header move up by one slot, inside the grown block.
        unsafe {
            if new != old {
                let block = realloc(self.block(), old, new.size());
                self.set_block(NonNull::new(block).unwrap_or_else(|| handle_alloc_error(new)));
            }
            let body = self.block().add(HEADER_BYTES);
            std::ptr::copy(body, body.add(SLOT_BYTES), used - HEADER_BYTES);
        }
        self.header_mut().meta |= HAS_SLOT;
    }

    /// Replaces the value, keeping key, deadline, stamp and access clock. The block is reused where its size allows.
    pub fn set_string(&mut self, value: Str<'_>) {
        match value {
            Str::Bytes(bytes) if bytes.len() > INLINE_BYTES_MAX => self.set_growing(bytes.to_vec()),
            Str::Bytes(bytes) => {
                self.reshape(Storage::inline(bytes.len()), Kind::String, bytes.len());
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

    /// Drops a held value and makes the block fit a value of the given storage, which the caller then writes.
    #[inline]
    fn reshape(&mut self, storage: Storage, kind: Kind, val_len: usize) {
        self.drop_held();
        let (old_meta, key_len, old_bytes) = (self.header().meta, self.key_len(), self.block_bytes());
        let meta = (old_meta & !(STORAGE_MASK | KIND_MASK | RAW))
            | ((storage as u32) << STORAGE_SHIFT)
            | ((kind as u32) << KIND_SHIFT);
        let (old, new) = (layout(old_bytes), layout(block_bytes(meta, key_len, val_len)));
        let (from, to) = (key_offset(old_meta), key_offset(meta));
        if from != to || new != old {
            self.resize(old, new, key_len, from, to);
        }
        self.header_mut().meta = meta;
        // SAFETY: the block is that of the new layout, which has room for them.
        unsafe { self.write_lengths(key_len, val_len) };
    }

    /// Gives the block another size and its key another place in it.
    fn resize(&mut self, old: Layout, new: Layout, key_len: usize, from: usize, to: usize) {
        // SAFETY: `old` is the block's layout. The key lies within the old size at `from` and within the new one at `to`: it
        // moves down before the block shrinks, and up after it has grown. What it overwrites is what the caller writes next.
        unsafe {
            if to < from {
                let block = self.block();
                std::ptr::copy(block.add(from), block.add(to), key_len);
            }
            if new != old {
                let block = realloc(self.block(), old, new.size());
                self.set_block(NonNull::new(block).unwrap_or_else(|| handle_alloc_error(new)));
            }
            if to > from {
                let block = self.block();
                std::ptr::copy(block.add(from), block.add(to), key_len);
            }
        }
    }
}
