//! The intset: a sorted array of distinct integers, all as wide as the widest of them has to be.
//!
//! ```text
//!  | width u32 | count u32 | integer 0 | integer 1 | ... |       little-endian; width is 2, 4 or 8 bytes
//! ```
//!
//! The form in which Redis keeps, dumps and sends small sets of integers, byte for byte. `types::set` holds them; RDB
//! and DUMP copy them whole. Always: the integers ascend, no two are equal, and the width never shrinks while integers
//! are taken out. All unsafe code is in `block`.

mod block;

use crate::codec::intset::block::Block;

/// Bytes before the first integer.
const HEADER_BYTES: usize = 8;

/// A set of integers behind one thin pointer.
#[derive(Clone)]
#[repr(transparent)]
pub struct Intset {
    block: Block,
}

/// Why bytes from elsewhere are no intset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntsetError {
    /// There is no header, or its width is none of the three.
    Header,
    /// The count in the header does not fit the number of bytes, or is zero.
    Count,
    /// Integers are out of order, or equal.
    Order,
}

impl IntsetError {
    pub fn text(self) -> &'static str {
        match self {
            IntsetError::Header => "an intset has no valid header",
            IntsetError::Count => "an intset has another length than its header says",
            IntsetError::Order => "an intset is out of order",
        }
    }
}

/// How many bytes an integer needs.
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

impl std::fmt::Debug for Intset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Intset {
    /// The empty set.
    pub fn new() -> Intset {
        Intset { block: Block::new(2) }
    }

    /// Takes bytes over that another server has written.
    ///
    /// # Errors
    /// Whatever Redis would not have written: see [`IntsetError`]. An empty intset is refused as well.
    pub fn from_bytes(bytes: &[u8]) -> Result<Intset, IntsetError> {
        let (&header, contents) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(IntsetError::Header)?;
        let [w0, w1, w2, w3, c0, c1, c2, c3] = header;
        let width = match u32::from_le_bytes([w0, w1, w2, w3]) {
            width @ (2 | 4 | 8) => width as usize,
            _ => return Err(IntsetError::Header),
        };
        let count = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        if count == 0 || contents.len() as u64 != count as u64 * width as u64 {
            return Err(IntsetError::Count);
        }
        let mut block = Block::new(width);
        block.resize(width, count);
        block.contents_mut().copy_from_slice(contents);
        let set = Intset { block };
        let ascends = set.iter().zip(set.iter().skip(1)).all(|(one, next)| one < next);
        if ascends { Ok(set) } else { Err(IntsetError::Order) }
    }

    /// The bytes as Redis would hold them.
    pub fn as_bytes(&self) -> &[u8] {
        self.block.bytes()
    }

    pub fn len(&self) -> usize {
        self.block.count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of heap.
    pub fn heap_bytes(&self) -> usize {
        self.block.heap_bytes()
    }

    /// The integer at `index` in ascending order. Panics beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> i64 {
        let contents = self.block.contents();
        match self.block.width() {
            2 => i64::from(i16::from_le_bytes(contents.as_chunks().0[index])),
            4 => i64::from(i32::from_le_bytes(contents.as_chunks().0[index])),
            _ => i64::from_le_bytes(contents.as_chunks().0[index]),
        }
    }

    /// The smallest integer.
    pub fn min(&self) -> Option<i64> {
        (!self.is_empty()).then(|| self.get(0))
    }

    /// The largest integer.
    pub fn max(&self) -> Option<i64> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Where `value` is, or where it belongs.
    fn search(&self, value: i64) -> Result<usize, usize> {
        match self.max() {
            None => return Err(0),
            // Counters and clocks grow: the end is tried first.
            Some(max) if value > max => return Err(self.len()),
            Some(_) => {}
        }
        let contents = self.block.contents();
        match self.block.width() {
            2 => contents.as_chunks().0.binary_search_by(|at| i64::from(i16::from_le_bytes(*at)).cmp(&value)),
            4 => contents.as_chunks().0.binary_search_by(|at| i64::from(i32::from_le_bytes(*at)).cmp(&value)),
            _ => contents.as_chunks().0.binary_search_by(|at| i64::from_le_bytes(*at).cmp(&value)),
        }
    }

    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// Adds an integer; false if it was there.
    pub fn add(&mut self, value: i64) -> bool {
        let width = width_of(value);
        if width > self.block.width() {
            self.widen_and_add(width, value);
            return true;
        }
        let Err(index) = self.search(value) else { return false };
        let (width, count) = (self.block.width(), self.len());
        self.block.resize(width, count + 1);
        self.block.contents_mut().copy_within(index * width..count * width, (index + 1) * width);
        self.set(index, value);
        true
    }

    /// A wider integer is outside the range of all others: it goes to one of the ends.
    #[cold]
    fn widen_and_add(&mut self, width: usize, value: i64) {
        let values: Vec<i64> = self.iter().collect();
        let (first, own) = if value < 0 { (1, 0) } else { (0, values.len()) };
        self.block.resize(width, values.len() + 1);
        values.iter().enumerate().for_each(|(index, value)| self.set(first + index, *value));
        self.set(own, value);
    }

    /// Takes an integer out; false if it was not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let found = self.search(value);
        if let Ok(index) = found {
            self.remove_at(index);
        }
        found.is_ok()
    }

    /// Takes out the integer at `index` in ascending order. Panics beyond the end.
    pub fn remove_at(&mut self, index: usize) {
        let (width, count) = (self.block.width(), self.len());
        assert!(index < count, "an index beyond the integers");
        self.block.contents_mut().copy_within((index + 1) * width.., index * width);
        self.block.resize(width, count - 1);
    }

    fn set(&mut self, index: usize, value: i64) {
        let width = self.block.width();
        let at = &mut self.block.contents_mut()[index * width..(index + 1) * width];
        // Little-endian: the low bytes come first.
        at.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[cfg(test)]
mod tests;
