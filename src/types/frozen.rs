//! Frozen: a large collection as it was at one moment, read without its shard's lock while it goes on changing.
//!
//! ```text
//!   collection (under its shard's lock)              view (a snapshot's thread, no lock)
//!   pieces with pointers to blocks  --freeze-->      holds the same pieces: a b c d
//!   takes out b, c gets another value                reads a, b, the old c, d
//!        in copies of the pieces they are in
//!        old blocks b and c  --retire-->  limbo      ends: closes the limbo, which frees them
//! ```
//!
//! To encode millions of elements takes long, to hold some thousand pieces does not: a snapshot freezes what is large and encodes it
//! later. Lists and streams are pieces only. Each other large form keeps a [`Views`] beside its blocks and tells it of every block that
//! comes or goes; while it is watched it replaces blocks instead of writing into them.
//! Always: a block that a view shows is neither changed nor freed before the view ends, whatever becomes of the collection; what is
//! kept for views is at most what the collection had when it was frozen.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex};

use crate::base::alloc::{Purpose, SetAside};
use crate::base::sync::lock;
use crate::codec::lzf;

/// Collections of fewer elements are copied where they are: that takes less than a tenth of a millisecond.
pub const LEN_MIN: usize = if cfg!(test) { 8 } else { 256 };

/// How many elements ahead of the one that is encoded are fetched into the cache.
pub const AHEAD: usize = 12;

/// A piece of a collection, which views may hold as well: whoever changes one that has more than one holder changes a copy.
#[derive(Debug, PartialEq, Eq)]
pub struct Shared<T>(triomphe::Arc<T>);

impl<T> Shared<T> {
    /// What the block on the heap has: the piece, and the count of its holders.
    pub const BYTES: usize = size_of::<T>() + size_of::<usize>();
}

impl<T> From<T> for Shared<T> {
    fn from(piece: T) -> Shared<T> {
        Shared(triomphe::Arc::new(piece))
    }
}

/// Another holder.
impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        triomphe::Arc::make_mut(&mut self.0)
    }
}

/// The heap block of an element, owned: to drop it is to free it.
pub trait Block: Send {
    /// Where it is, if there is a block.
    fn address(&self) -> Option<usize>;
    fn heap_bytes(&self) -> usize;
}

/// Blocks that their collection has let go of, and a view still shows.
struct Limbo<B> {
    /// No view is left. Stored under the mutex; Release, Acquire: all that the views have read, before the collection writes into blocks.
    is_closed: AtomicBool,
    state: Mutex<State<B>>,
}

struct State<B> {
    views: usize,
    retired: Vec<B>,
    /// What is retired is the snapshot's, and no reason to evict keys.
    set_aside: SetAside,
}

/// What a collection knows of the views on it: nothing, as a rule.
pub struct Views<B>(Option<Box<Watched<B>>>);

struct Watched<B> {
    limbo: Arc<Limbo<B>>,
    /// Blocks that came after the last freeze: no view shows them.
    born: HashSet<usize>,
}

impl<B: Block> Views<B> {
    /// Begins a view. The caller takes hold of all its pieces before anything changes. `bytes`: what the view takes.
    pub fn open(&mut self, bytes: usize) -> View<B> {
        let set_aside = SetAside::new(Purpose::Snapshot, bytes);
        if let Some(watched) = &mut self.0 {
            let mut state = lock(&watched.limbo.state);
            if state.views > 0 {
                state.views += 1;
                drop(state);
                watched.born.clear();
                return View { limbo: watched.limbo.clone(), _set_aside: set_aside };
            }
        }
        let state = State { views: 1, retired: Vec::new(), set_aside: SetAside::new(Purpose::Snapshot, 0) };
        let limbo = Arc::new(Limbo { is_closed: AtomicBool::new(false), state: Mutex::new(state) });
        self.0 = Some(Box::new(Watched { limbo: limbo.clone(), born: HashSet::new() }));
        View { limbo, _set_aside: set_aside }
    }

    /// Forgets views that have ended.
    #[cold]
    fn watched(&mut self) -> Option<&mut Watched<B>> {
        if self.0.as_ref().is_some_and(|watched| watched.limbo.is_closed.load(Acquire)) {
            self.0 = None;
        }
        self.0.as_deref_mut()
    }

    /// The collection has got a block with this address ([`Block::address`]).
    #[inline]
    pub fn born(&mut self, address: impl Into<Option<usize>>) {
        if self.0.is_some()
            && let (Some(watched), Some(address)) = (self.watched(), address.into())
        {
            watched.born.insert(address);
        }
    }

    /// The collection lets go of this block.
    #[inline]
    pub fn retire(&mut self, block: B) {
        if self.0.is_some() {
            self.retire_all(vec![block]);
        }
    }

    /// The collection lets go of these blocks.
    #[cold]
    pub fn retire_all(&mut self, mut blocks: Vec<B>) {
        let Some(watched) = self.watched() else { return };
        blocks.retain(|block| block.address().is_some_and(|address| !watched.born.remove(&address)));
        let bytes = blocks.iter().map(B::heap_bytes).sum();
        let mut state = lock(&watched.limbo.state);
        if state.views > 0 {
            state.set_aside.grow(bytes);
            state.retired.append(&mut blocks);
        }
    }

    /// Is there a view, as far as is known?
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.0.is_some()
    }
}

impl<B> Default for Views<B> {
    fn default() -> Views<B> {
        Views(None)
    }
}

/// Keeps what it was opened for alive and unchanged until it is dropped.
pub struct View<B> {
    limbo: Arc<Limbo<B>>,
    _set_aside: SetAside,
}

impl<B> Drop for View<B> {
    fn drop(&mut self) {
        let mut state = lock(&self.limbo.state);
        state.views -= 1;
        let mut freed = None;
        if state.views == 0 {
            self.limbo.is_closed.store(true, Release);
            let set_aside = std::mem::replace(&mut state.set_aside, SetAside::new(Purpose::Snapshot, 0));
            freed = Some((std::mem::take(&mut state.retired), set_aside));
        }
        // The blocks are freed here, outside of the mutex. The limbo itself stays until its collection looks at it.
        drop(state);
        drop(freed);
    }
}

/// What a type writes of a frozen collection: a head, then one part after the other.
pub trait Parts: Send {
    /// Appends what stands before the first part.
    fn write_head(&mut self, out: &mut Vec<u8>);

    /// Appends the next part, an element or a node of them. False if there was none left, and what stands behind them is written.
    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool;
}

/// A frozen collection, which is encoded step by step.
pub struct Frozen {
    parts: Box<dyn Parts>,
    has_begun: bool,
    bytes: usize,
}

impl Frozen {
    /// `bytes`: what it takes until it is encoded.
    pub fn new(parts: impl Parts + 'static, bytes: usize) -> Frozen {
        Frozen { parts: Box::new(parts), has_begun: false, bytes }
    }

    /// Appends the next part of the value as it stands behind its type byte, about `bytes` of it. True when that was the last.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        bytes: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        let enough = out.len() + bytes;
        if !std::mem::replace(&mut self.has_begun, true) {
            self.parts.write_head(out);
        }
        while out.len() < enough {
            if !self.parts.write_next(out, compressor.as_deref_mut()) {
                return true;
            }
        }
        false
    }

    /// Bytes that it takes until it is encoded.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
