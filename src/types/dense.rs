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

use triomphe::Arc;

use crate::base::alloc::size_class;
use crate::types::frozen::{Block, View, Views};

const BITS: u32 = if cfg!(test) { 2 } else { 9 };
/// Elements of a segment. More: longer copies of the first that is changed after a freeze. Fewer: longer freezes.
const SEGMENT: usize = 1 << BITS;
/// A tail makes room for so many elements at least.
const ROOM_MIN: usize = 16;

struct Segment<B>([ManuallyDrop<B>; SEGMENT]);

impl<B> Segment<B> {
    /// # Safety
    /// `SEGMENT` elements begin there. Who copies them decides which copy is the owner: this one never frees them.
    unsafe fn copy_of(elements: *const B) -> Arc<Segment<B>> {
        // SAFETY: `ManuallyDrop<B>` has the layout of `B`, and an array that of its elements side by side.
        Arc::new(unsafe { elements.cast::<Segment<B>>().read() })
    }
}

/// The elements stay where they are; both copies lead to them.
impl<B> Clone for Segment<B> {
    fn clone(&self) -> Segment<B> {
        // SAFETY: a plain copy of words; neither of the two frees what they lead to, that is the business of the `Dense`.
        unsafe { std::ptr::from_ref(self).read() }
    }
}

/// See the top of the file.
pub struct Dense<B: Block> {
    full: Vec<Arc<Segment<B>>>,
    tail: Vec<B>,
    views: Views<B>,
}

impl<B: Block> Default for Dense<B> {
    fn default() -> Dense<B> {
        Dense { full: Vec::new(), tail: Vec::new(), views: Views::default() }
    }
}

impl<B: Block> Dense<B> {
    pub fn with_capacity(len: usize) -> Dense<B> {
        let tail = Vec::with_capacity(len.min(2 * SEGMENT));
        Dense { full: Vec::new(), tail, views: Views::default() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.full.len() * SEGMENT + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, position: usize) -> Option<&B> {
        match self.full.get(position >> BITS) {
            Some(segment) => Some(&segment.0[position % SEGMENT]),
            None => self.tail.get(position - self.full.len() * SEGMENT),
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &B> {
        (0..self.len()).map(|position| &self[position])
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push(&mut self, element: B) {
        self.views.born(element.address());
        if self.tail.len() == self.tail.capacity() {
            self.make_room();
        }
        self.tail.push(element);
    }

    #[cold]
    fn make_room(&mut self) {
        if self.tail.len() < 2 * SEGMENT {
            // Half as much again: doubling would leave a quarter of the memory of what grows unused on average.
            let more = (self.tail.len() / 2).max(ROOM_MIN);
            return self.tail.reserve_exact(more.min(2 * SEGMENT - self.tail.len()));
        }
        // SAFETY: the tail has that many elements; it forgets them, so that from now on the segment's are the owned ones.
        unsafe {
            self.full.push(Segment::copy_of(self.tail.as_ptr()));
            let rest = self.tail.len() - SEGMENT;
            let start = self.tail.as_mut_ptr();
            self.tail.set_len(0);
            start.copy_from(start.add(SEGMENT), rest);
            self.tail.set_len(rest);
        }
    }

    /// The last element, which is taken out; there is one.
    fn pop(&mut self) -> B {
        if self.tail.is_empty() {
            let segment = self.full.pop().expect("an element that is there");
            self.tail.reserve_exact(SEGMENT);
            // SAFETY: the tail is empty and has room for a segment's elements, which it owns from now on: the segment, held by
            // views or not, frees none.
            unsafe {
                let elements = segment.0.as_ptr().cast::<B>();
                self.tail.as_mut_ptr().copy_from_nonoverlapping(elements, SEGMENT);
                self.tail.set_len(SEGMENT);
            }
        }
        self.tail.pop().expect("the tail has been filled")
    }

    /// Puts an element in the place of another, which is handed over.
    fn replace(&mut self, position: usize, element: B) -> B {
        match self.full.get_mut(position >> BITS) {
            Some(segment) => {
                let place = &mut Arc::make_mut(segment).0[position % SEGMENT];
                ManuallyDrop::into_inner(std::mem::replace(place, ManuallyDrop::new(element)))
            }
            None => {
                let at = position - self.full.len() * SEGMENT;
                std::mem::replace(&mut self.tail[at], element)
            }
        }
    }

    /// Takes out an element, whose place the last one takes, and shows it before it is gone.
    pub fn swap_remove<R>(&mut self, position: usize, show: impl FnOnce(&B) -> R) -> R {
        let last = self.pop();
        let removed = if position == self.len() { last } else { self.replace(position, last) };
        if self.tail.len() > ROOM_MIN && self.tail.len() * 4 < self.tail.capacity() {
            self.tail.shrink_to(self.tail.len() * 2);
        }
        if self.full.len() * 4 < self.full.capacity() {
            self.full.shrink_to(self.full.len() * 2);
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
        let segments = self.full.len() * size_class(size_of::<Segment<B>>() + size_of::<usize>());
        let blocks: usize = self.iter().map(B::heap_bytes).sum();
        segments
            + vector(self.full.capacity(), size_of::<Arc<Segment<B>>>())
            + vector(self.tail.capacity(), size_of::<B>())
            + blocks
    }

    /// The elements as they are now.
    pub fn freeze(&mut self) -> DenseView<B> {
        let bytes = size_of_val(self.full.as_slice()) + size_of_val(self.tail.as_slice());
        let view = self.views.open(bytes);
        let mut tail = Vec::with_capacity(self.tail.len());
        // SAFETY: a plain copy of words into room that is there. They are not freed through the copy, and the view sees to it that
        // their blocks outlive it: `swap_remove`, `change` and `drop` tell `views` of all that go.
        unsafe {
            let elements = self.tail.as_ptr().cast::<ManuallyDrop<B>>();
            elements.copy_to_nonoverlapping(tail.as_mut_ptr(), self.tail.len());
            tail.set_len(self.tail.len());
        }
        DenseView { full: self.full.clone(), tail, _view: view }
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
        match self.full.get_mut(position >> BITS) {
            // A holder that is left over from a view that has ended costs a copy.
            Some(segment) => change(&mut Arc::make_mut(segment).0[position % SEGMENT]),
            None => {
                let at = position - self.full.len() * SEGMENT;
                change(&mut self.tail[at]);
            }
        }
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
        let mut elements = std::mem::take(&mut self.tail);
        for segment in std::mem::take(&mut self.full) {
            // SAFETY: plain copies, which become the owners: the segment frees none, and nobody asks this `Dense` for them again.
            elements.extend(segment.0.iter().map(|element| unsafe { std::ptr::from_ref(&**element).read() }));
            if !self.views.is_watched() {
                elements.clear();
            }
        }
        self.views.retire_all(elements);
    }
}

/// The elements of a [`Dense`] at one moment.
pub struct DenseView<B: Block> {
    full: Vec<Arc<Segment<B>>>,
    tail: Vec<ManuallyDrop<B>>,
    /// Dropped last: it keeps the blocks.
    _view: View<B>,
}

impl<B: Block> DenseView<B> {
    pub fn len(&self) -> usize {
        self.full.len() * SEGMENT + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, position: usize) -> Option<&B> {
        match self.full.get(position >> BITS) {
            Some(segment) => Some(&segment.0[position % SEGMENT]),
            None => self.tail.get(position - self.full.len() * SEGMENT).map(|element| &**element),
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &B> {
        (0..self.len()).map(|position| self.get(position).expect("a position below the length"))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.full.as_slice()) + size_of_val(self.tail.as_slice())
    }
}
