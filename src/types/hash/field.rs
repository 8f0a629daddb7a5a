//! A field of a large hash: its name, its value and perhaps its deadline in one heap block behind a thin pointer.
//!
//! ```text
//!  narrow:  | flags u8 | name len u8 | value len u16 |                      | deadline i64, if TIMED | name | value |
//!  wide:    | flags u8 | 3 unused    | name len u32  | value len u32        | deadline i64, if TIMED | name | value |
//! ```
//!
//! Used by `hash::table`, which keeps fields side by side in a vector. All unsafe code of the hash type is here. Always: the
//! head describes exactly the block, whose size is rounded up to the allocator's class, so that a value which grows a
//! little is changed in place. Numbers in the head are unaligned and little-endian.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::base::alloc::size_class;
use crate::base::ids::UnixMs;
use crate::base::prefetch::prefetch;
use crate::types::frozen::Block;

/// Lengths of four bytes each.
const WIDE: u8 = 1;
/// There is a deadline.
const TIMED: u8 = 2;

const NARROW_HEAD: usize = 4;
const WIDE_HEAD: usize = 12;
const DEADLINE_BYTES: usize = 8;

/// An owned field.
pub struct Field(NonNull<u8>);

// SAFETY: a field owns its block, which holds plain bytes only.
unsafe impl Send for Field {}
// SAFETY: `&Field` only reads; every write takes `&mut Field`.
unsafe impl Sync for Field {}

const _: () = assert!(size_of::<Option<Field>>() == 8);

/// A head, read.
#[derive(Clone, Copy)]
struct Shape {
    flags: u8,
    name_len: usize,
    value_len: usize,
}

impl Shape {
    fn of(name: &[u8], value: &[u8], is_timed: bool) -> Shape {
        let is_narrow = name.len() <= usize::from(u8::MAX) && value.len() <= usize::from(u16::MAX);
        let flags = if is_narrow { 0 } else { WIDE } | if is_timed { TIMED } else { 0 };
        Shape { flags, name_len: name.len(), value_len: value.len() }
    }

    #[inline]
    fn deadline_at(self) -> usize {
        if self.flags & WIDE == 0 { NARROW_HEAD } else { WIDE_HEAD }
    }

    #[inline]
    fn name_at(self) -> usize {
        self.deadline_at() + if self.flags & TIMED == 0 { 0 } else { DEADLINE_BYTES }
    }

    fn capacity(self) -> usize {
        size_class(self.name_at() + self.name_len + self.value_len)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.capacity(), 1).expect("two lengths of 32 bits are far below isize::MAX")
    }
}

impl Field {
    /// Panics if name or value are of 4 GiB or more: `proto-max-bulk-len` and the RDB decoder keep them below.
    pub fn new(name: &[u8], value: &[u8], deadline: Option<UnixMs>) -> Field {
        assert!(name.len().max(value.len()) <= u32::MAX as usize);
        let shape = Shape::of(name, value, deadline.is_some());
        let layout = shape.layout();
        // SAFETY: the layout is of at least eight bytes and has room for head, deadline, name and value, which are written
        // one behind the other before anybody reads them.
        unsafe {
            let Some(block) = NonNull::new(alloc(layout)) else { handle_alloc_error(layout) };
            let start = block.as_ptr();
            Field::write_head(start, shape);
            if let Some(deadline) = deadline {
                start.add(shape.deadline_at()).cast::<[u8; 8]>().write_unaligned(deadline.0.to_le_bytes());
            }
            let at = start.add(shape.name_at());
            at.copy_from_nonoverlapping(name.as_ptr(), name.len());
            at.add(name.len()).copy_from_nonoverlapping(value.as_ptr(), value.len());
            Field(block)
        }
    }

    /// # Safety
    /// `start` must be the start of a block of `shape.capacity()` bytes.
    #[inline]
    unsafe fn write_head(start: *mut u8, shape: Shape) {
        // SAFETY: a block has room for its head, which is of twelve bytes if WIDE and of four otherwise.
        unsafe {
            if shape.flags & WIDE == 0 {
                let value_len = (shape.value_len as u16).to_le_bytes();
                let head = [shape.flags, shape.name_len as u8, value_len[0], value_len[1]];
                start.cast::<[u8; 4]>().write_unaligned(head);
            } else {
                start.cast::<[u8; 4]>().write_unaligned([shape.flags, 0, 0, 0]);
                start.add(4).cast::<[u8; 4]>().write_unaligned((shape.name_len as u32).to_le_bytes());
                start.add(8).cast::<[u8; 4]>().write_unaligned((shape.value_len as u32).to_le_bytes());
            }
        }
    }

    #[inline]
    fn shape(&self) -> Shape {
        // SAFETY: every block starts with a head: four bytes, and eight more if the first one has WIDE.
        unsafe {
            let start = self.0.as_ptr();
            let [flags, name_len, low, high] = start.cast::<[u8; 4]>().read_unaligned();
            if flags & WIDE == 0 {
                let (name_len, value_len) = (usize::from(name_len), u16::from_le_bytes([low, high]));
                return Shape { flags, name_len, value_len: usize::from(value_len) };
            }
            let word = |at: usize| u32::from_le_bytes(start.add(at).cast::<[u8; 4]>().read_unaligned());
            Shape { flags, name_len: word(4) as usize, value_len: word(8) as usize }
        }
    }

    #[inline]
    pub fn name(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the head says where the name is; it was initialised with the block and never changes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(shape.name_at()), shape.name_len) }
    }

    #[inline]
    pub fn value(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the value stands behind the name, as long as the head says, and is initialised.
        unsafe {
            let at = self.0.as_ptr().add(shape.name_at() + shape.name_len);
            std::slice::from_raw_parts(at, shape.value_len)
        }
    }

    #[inline]
    pub fn deadline(&self) -> Option<UnixMs> {
        let shape = self.shape();
        if shape.flags & TIMED == 0 {
            return None;
        }
        // SAFETY: TIMED says that eight initialised bytes stand there.
        let bytes = unsafe { self.0.as_ptr().add(shape.deadline_at()).cast::<[u8; 8]>().read_unaligned() };
        Some(UnixMs(i64::from_le_bytes(bytes)))
    }

    /// Another value; the deadline stays.
    #[inline]
    pub fn set_value(&mut self, value: &[u8]) {
        let old = self.shape();
        let new = Shape { value_len: value.len(), ..old };
        let is_narrow = old.flags & WIDE == 0 && value.len() <= usize::from(u16::MAX);
        if !is_narrow || new.capacity() != old.capacity() {
            *self = Field::new(self.name(), value, self.deadline());
            return;
        }
        // SAFETY: the block has the capacity that the new shape needs, and the value, which is not part of it, goes behind
        // the name.
        unsafe {
            let start = self.0.as_ptr();
            Field::write_head(start, new);
            let at = start.add(new.name_at() + new.name_len);
            at.copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
    }

    /// Another deadline, or none; the value stays.
    pub fn set_deadline(&mut self, deadline: Option<UnixMs>) {
        let shape = self.shape();
        match deadline {
            None if shape.flags & TIMED == 0 => {}
            Some(deadline) if shape.flags & TIMED != 0 => {
                let bytes = deadline.0.to_le_bytes();
                // SAFETY: TIMED says that eight bytes stand there.
                unsafe { self.0.as_ptr().add(shape.deadline_at()).cast::<[u8; 8]>().write_unaligned(bytes) };
            }
            None | Some(_) => *self = Field::new(self.name(), self.value(), deadline),
        }
    }

    /// Begins to load the block into the cache.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self.0.as_ptr());
    }

    /// Bytes of its block.
    pub fn heap_bytes(&self) -> usize {
        self.shape().capacity()
    }
}

impl Block for Field {
    fn address(&self) -> Option<usize> {
        Some(self.0.as_ptr().addr())
    }

    fn heap_bytes(&self) -> usize {
        Field::heap_bytes(self)
    }
}

impl Clone for Field {
    fn clone(&self) -> Field {
        Field::new(self.name(), self.value(), self.deadline())
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        // SAFETY: allocated with the layout that its head gives; shapes of one block never differ in capacity.
        unsafe { dealloc(self.0.as_ptr(), self.shape().layout()) };
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy;
        write!(f, "{:?}: {:?}", text(self.name()), text(self.value()))?;
        self.deadline().map_or(Ok(()), |deadline| write!(f, " until {deadline}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Field;
    use crate::base::ids::UnixMs;

    #[test]
    fn a_field_of_any_size_keeps_its_parts() {
        for name_len in [0, 1, 255, 256, 70_000] {
            for value_len in [0, 1, 3, 4, 65_535, 65_536, 100_000] {
                let (name, value) = (vec![b'n'; name_len], vec![b'v'; value_len]);
                for deadline in [None, Some(UnixMs(-1)), Some(UnixMs(i64::MAX))] {
                    let mut field = Field::new(&name, b"first", deadline);
                    let check = |field: &Field, value: &[u8], deadline| {
                        assert_eq!(
                            (field.name(), field.value(), field.deadline()),
                            (&name[..], value, deadline)
                        );
                    };
                    check(&field, b"first", deadline);
                    field.set_value(&value);
                    check(&field, &value, deadline);
                    check(&field.clone(), &value, deadline);
                    field.set_deadline(Some(UnixMs(7)));
                    check(&field, &value, Some(UnixMs(7)));
                    field.set_value(b"last");
                    field.set_deadline(None);
                    check(&field, b"last", None);
                    assert!(field.heap_bytes() >= name_len + 4);
                }
            }
        }
    }
}
