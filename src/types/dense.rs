//! Dense: the elements of a large hash or set side by side, in no particular order, in segments that views may share.
//!
//! ```text
//!   full:  [ seg 0 ] [ seg 1 ] ... [ seg n-1 ]   SEGMENT elements each, counted by holders      tail: [ up to 2 SEGMENTs ]
//!   freeze:  another holder for each segment, and a copy of the tail
//! ```
//!
//! `hash::table` and `set::table` keep their elements so, and an index of their positions. A freeze takes a word for each segment, not
//! one for each element; the segment that is changed first thereafter is copied, its elements' blocks are not (`types::frozen`).
//! Always: positions from 0 to `len` are all in use; an element in a segment is owned by the `Dense` alone, however many hold the segment.

use std::mem::ManuallyDrop;
use std::ops::Index;

use crate::base::alloc::size_class;
use crate::types::frozen::{Block, Shared, View, Views};

const BITS: u32 = if cfg!(test) { 2 } else { 9 };
/// Elements of a segment. More: longer copies of the first that is changed after a freeze. Fewer: longer freezes.
const SEGMENT: usize = 1 << BITS;
/// A tail makes room for so many elements at least.
const ROOM_MIN: usize = 16;

struct Segment<B>([ManuallyDrop<B>; SEGMENT]);

impl<B> Segment<B> {
    /// # Safety
    /// `SEGMENT` elements begin there.
    unsafe fn copy_of(elements: *const ManuallyDrop<B>) -> Segment<B> {
        // SAFETY: an array has the layout of its elements side by side. Nobody frees an element through a `ManuallyDrop`.
        unsafe { elements.cast::<Segment<B>>().read() }
    }
}

/// The elements stay where they are; both copies lead to them.
impl<B> Clone for Segment<B> {
    fn clone(&self) -> Segment<B> {
        // SAFETY: a plain copy of words; neither of the two frees what they lead to, that is the business of the `Dense`.
        unsafe { std::ptr::from_ref(self).read() }
    }
}

/// Elements by position: what a [`Dense`] owns, and what its views look at.
struct Pieces<B> {
    full: Vec<Shared<Segment<B>>>,
    tail: Vec<ManuallyDrop<B>>,
}

impl<B> Pieces<B> {
    fn len(&self) -> usize {
        self.full.len() * SEGMENT + self.tail.len()
    }

    #[inline]
    fn get(&self, position: usize) -> Option<&B> {
        match self.full.get(position >> BITS) {
            Some(segment) => Some(&segment.0[position % SEGMENT]),
            None => self.tail.get(position - self.full.len() * SEGMENT).map(|element| &**element),
        }
    }

    /// The place of an element; there is one. Of a segment that views hold as well it is one in a copy.
    #[inline]
    fn place(&mut self, position: usize) -> &mut ManuallyDrop<B> {
        let in_tail = self.full.len() * SEGMENT;
        match self.full.get_mut(position >> BITS) {
            Some(segment) => &mut segment.0[position % SEGMENT],
            None => &mut self.tail[position - in_tail],
        }
    }

    /// Bytes without the segments.
    fn bytes(&self) -> usize {
        size_of_val(self.full.as_slice()) + size_of_val(self.tail.as_slice())
    }

    /// Another holder of the segments, and a copy of the tail, which frees no element either.
    fn share(&self) -> Pieces<B> {
        let mut tail: Vec<ManuallyDrop<B>> = Vec::with_capacity(self.tail.len());
        // SAFETY: a plain copy of words into room that is there.
        unsafe {
            tail.as_mut_ptr().copy_from_nonoverlapping(self.tail.as_ptr(), self.tail.len());
            tail.set_len(self.tail.len());
        }
        Pieces { full: self.full.clone(), tail }
    }
}

/// See the top of the file.
pub struct Dense<B: Block> {
    pieces: Pieces<B>,
    views: Views<B>,
}

impl<B: Block> Default for Dense<B> {
    fn default() -> Dense<B> {
        Dense::with_capacity(0)
    }
}

impl<B: Block> Dense<B> {
    pub fn with_capacity(len: usize) -> Dense<B> {
        let tail = Vec::with_capacity(len.min(2 * SEGMENT));
        Dense { pieces: Pieces { full: Vec::new(), tail }, views: Views::default() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, position: usize) -> Option<&B> {
        self.pieces.get(position)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &B> {
        (0..self.len()).map(|position| &self[position])
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push(&mut self, element: B) {
        self.views.born(element.address());
        if self.pieces.tail.len() == self.pieces.tail.capacity() {
            self.make_room();
        }
        self.pieces.tail.push(ManuallyDrop::new(element));
    }

    #[cold]
    fn make_room(&mut self) {
        let Pieces { full, tail } = &mut self.pieces;
        if tail.len() < 2 * SEGMENT {
            // Half as much again: doubling would leave a quarter of the memory of what grows unused on average.
            let more = (tail.len() / 2).max(ROOM_MIN);
            return tail.reserve_exact(more.min(2 * SEGMENT - tail.len()));
        }
        // SAFETY: the tail has that many elements, and forgets these copies of them.
        full.push(unsafe { Segment::copy_of(tail.as_ptr()) }.into());
        tail.drain(..SEGMENT);
    }

    /// The last element, which is taken out; there is one.
    fn pop(&mut self) -> B {
        let Pieces { full, tail } = &mut self.pieces;
        if tail.is_empty() {
            let segment = full.pop().expect("an element that is there");
            tail.reserve_exact(SEGMENT);
            // Views may hold it; this is then a copy of the words.
            tail.extend(Segment::clone(&segment).0);
        }
        ManuallyDrop::into_inner(tail.pop().expect("the tail has been filled"))
    }

    /// Puts an element in the place of another, which is handed over.
    fn replace(&mut self, position: usize, element: B) -> B {
        let place = self.pieces.place(position);
        ManuallyDrop::into_inner(std::mem::replace(place, ManuallyDrop::new(element)))
    }

    /// Takes out an element, whose place the last one takes, and shows it before it is gone.
    pub fn swap_remove<R>(&mut self, position: usize, show: impl FnOnce(&B) -> R) -> R {
        let last = self.pop();
        let removed = if position == self.len() { last } else { self.replace(position, last) };
        let Pieces { full, tail } = &mut self.pieces;
        if tail.len() > ROOM_MIN && tail.len() * 4 < tail.capacity() {
            tail.shrink_to(tail.len() * 2);
        }
        if full.len() * 4 < full.capacity() {
            full.shrink_to(full.len() * 2);
        }
        let shown = show(&removed);
        self.views.retire(removed);
        shown
    }

    /// Bytes of heap, the elements' blocks included.
    pub fn heap_bytes(&self) -> usize {
        let vector = |capacity: usize, each: usize| match capacity {
            0 => 0,
            capacity => size_class(capacity * each),
        };
        let Pieces { full, tail } = &self.pieces;
        let segments = full.len() * size_class(Shared::<Segment<B>>::BYTES);
        let blocks: usize = self.iter().map(B::heap_bytes).sum();
        segments
            + vector(full.capacity(), size_of::<Shared<Segment<B>>>())
            + vector(tail.capacity(), size_of::<B>())
            + blocks
    }

    /// The elements as they are now.
    pub fn freeze(&mut self) -> DenseView<B> {
        // Their blocks outlive the view: `swap_remove`, `change` and `drop` tell `views` of all that go.
        let view = self.views.open(self.pieces.bytes());
        DenseView { pieces: self.pieces.share(), _view: view }
    }
}

impl<B: Block + Clone> Dense<B> {
    /// Changes an element: where it lies, unless somebody may be looking at it.
    #[inline]
    pub fn change(&mut self, position: usize, change: impl FnOnce(&mut B)) {
        if self.views.is_watched() {
            let mut copy = self[position].clone();
            change(&mut copy);
            self.views.born(copy.address());
            let old = self.replace(position, copy);
            return self.views.retire(old);
        }
        change(self.pieces.place(position));
    }
}

impl<B: Block> Index<usize> for Dense<B> {
    type Output = B;

    #[inline]
    fn index(&self, position: usize) -> &B {
        self.get(position).expect("a position below the length")
    }
}

impl<B: Block + Clone> Clone for Dense<B> {
    fn clone(&self) -> Dense<B> {
        let mut copy = Dense::with_capacity(self.len());
        self.iter().for_each(|element| copy.push(element.clone()));
        copy
    }
}

impl<B: Block + std::fmt::Debug> std::fmt::Debug for Dense<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<B: Block> Drop for Dense<B> {
    fn drop(&mut self) {
        let is_watched = self.views.is_watched();
        let mut elements: Vec<B> = self.pieces.tail.drain(..).map(ManuallyDrop::into_inner).collect();
        for segment in self.pieces.full.drain(..) {
            elements.extend(Segment::clone(&segment).0.map(ManuallyDrop::into_inner));
            if !is_watched {
                elements.clear();
            }
        }
        self.views.retire_all(elements);
    }
}

/// The elements of a [`Dense`] at one moment.
pub struct DenseView<B: Block> {
    pieces: Pieces<B>,
    /// Dropped last: it keeps the blocks.
    _view: View<B>,
}

impl<B: Block> DenseView<B> {
    #[inline]
    pub fn get(&self, position: usize) -> Option<&B> {
        self.pieces.get(position)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &B> {
        (0..self.pieces.len()).map(|position| self.get(position).expect("a position below the length"))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.pieces.bytes()
    }
}
