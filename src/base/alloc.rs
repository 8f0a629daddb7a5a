//! The allocator: jemalloc, counting what it hands out, so that used memory is exact and costs nothing to ask for.
//!
//! `main` and the benches install it as the global allocator; INFO, `MEMORY USAGE` and limits ask `used_memory`.
//! Always: the sum over all threads' counters is the number of bytes handed out and not yet given back, in jemalloc's size
//! classes. One thread may free what another has allocated: single counters go negative, the sum does not.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI64, AtomicUsize, fence};

use crossbeam::utils::CachePadded;
use jemallocator::Jemalloc;
use tikv_jemalloc_ctl::stats_print::{Options, stats_print};
use tikv_jemalloc_sys as jemalloc;

/// jemalloc's own settings, which it reads before the first allocation: it asks the system for huge pages. Looking up one of a
/// million keys is bound by misses of the address cache; with huge pages GET and SET in a pipeline of 64 took a seventh less CPU
/// time (virtual machine, AMD EPYC), and a full heap no more memory. `disable-thp` takes them back (`server::process`).
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static JEMALLOC_SETTINGS: &[u8; 11] = b"thp:always\0";

/// Threads that get a counter of their own; later ones share the last, with locked instructions.
const THREADS_MAX: usize = 256;
const SHARED: usize = THREADS_MAX - 1;

/// Bytes per thread. Written Relaxed by the owning thread (the last slot by all that share it), read Relaxed by anyone.
static BYTES: [CachePadded<AtomicI64>; THREADS_MAX] =
    [const { CachePadded::new(AtomicI64::new(0)) }; THREADS_MAX];
/// The next free slot. Any thread adds once (Relaxed); publishes nothing.
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

const UNKNOWN: usize = usize::MAX;

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(UNKNOWN) };
}

/// jemalloc with counters.
pub struct Counting;

/// So many bytes more are in use, or fewer. For memory that does not come from here.
#[inline]
pub fn count(bytes: i64) {
    let slot = SLOT.try_with(Cell::get).unwrap_or(SHARED);
    let slot = if slot == UNKNOWN { take_slot() } else { slot };
    if slot == SHARED {
        BYTES[SHARED].fetch_add(bytes, Relaxed);
    } else {
        // One writer: no need for a locked instruction.
        BYTES[slot].store(BYTES[slot].load(Relaxed) + bytes, Relaxed);
    }
}

#[cold]
fn take_slot() -> usize {
    let slot = NEXT_SLOT.fetch_add(1, Relaxed).min(SHARED);
    // A thread that is ending has no slot any more.
    let _ = SLOT.try_with(|own| own.set(slot));
    slot
}

pub(super) const PAGE_BYTES: usize = 4096;

/// The size class in which jemalloc serves `bytes`: multiples of 8 up to 64, then four classes per doubling, and from
/// 32 KiB on whole pages. It is built so with `JEMALLOC_SYS_WITH_LG_QUANTUM` (`.cargo/config.toml`); built otherwise it takes up
/// to 8 bytes more than are counted here.
#[inline]
pub const fn size_class(bytes: usize) -> usize {
    if bytes <= 8 {
        return 8;
    }
    if bytes <= 64 {
        return (bytes + 7) & !7;
    }
    let quarter = 1usize << (usize::BITS - (bytes - 1).leading_zeros() - 3);
    let step = if quarter > PAGE_BYTES { PAGE_BYTES } else { quarter };
    (bytes + step - 1) & !(step - 1)
}

/// jemalloc's wrapper takes every block to be aligned to 16 bytes that is at least as large, while classes up to 64 are multiples
/// of 8 here. A multiple of 16 is served from a class that is one, too.
#[inline]
fn aligned(layout: Layout) -> Layout {
    if layout.align() > 8 { layout.pad_to_align() } else { layout }
}

// SAFETY: every call is passed on to jemalloc, with a size that is a multiple of the alignment where that is larger than the
// classes promise; the same size is given for the same layout each time. Counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let layout = aligned(layout);
        count(size_class(layout.size()) as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let layout = aligned(layout);
        count(-(size_class(layout.size()) as i64));
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let layout = aligned(layout);
        count(size_class(layout.size()) as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let layout = aligned(layout);
        let new_size = if layout.align() > 8 { new_size.next_multiple_of(layout.align()) } else { new_size };
        count(size_class(new_size) as i64 - size_class(layout.size()) as i64);
        // SAFETY: the caller's promises are passed on; `new_size` overflows no more than its layout does when padded.
        unsafe { Jemalloc.realloc(ptr, layout, new_size) }
    }
}

/// What copies of data are for that exist only because somebody else is slower. Eviction of keys must not pay for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Segments of the replication stream.
    Stream = 0,
    /// What a snapshot has encoded and its followers have not taken yet.
    Snapshot = 1,
}

/// Bytes by purpose. Any thread adds (a Release fence behind it: before it allocates) and subtracts (Release: after it has given back),
/// any thread reads (`set_aside`).
static SET_ASIDE: [AtomicI64; 2] = [const { AtomicI64::new(0) }; 2];

/// Bytes that exist for a purpose, for as long as this does. Made before the memory is asked for and dropped after it is given
/// back: used memory less what is set aside errs, if at all, towards less, and nothing is evicted for it.
#[derive(Debug)]
pub struct SetAside {
    purpose: Purpose,
    bytes: usize,
}

impl SetAside {
    pub fn new(purpose: Purpose, bytes: usize) -> SetAside {
        SET_ASIDE[purpose as usize].fetch_add(bytes as i64, Relaxed);
        fence(Release);
        SetAside { purpose, bytes }
    }

    /// It has become larger.
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        SET_ASIDE[self.purpose as usize].fetch_add(bytes as i64, Relaxed);
        fence(Release);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        SET_ASIDE[self.purpose as usize].fetch_sub(self.bytes as i64, Release);
    }
}

/// Bytes that exist for a purpose. A look at used memory stays between two of these as the program has it.
pub fn set_aside(purpose: Purpose) -> u64 {
    fence(Acquire);
    let bytes = SET_ASIDE[purpose as usize].load(Acquire);
    bytes.max(0) as u64
}

/// So many bytes that were asked for are address space: nothing has touched them, and they don't count as used until
/// `count_again`, before they are given back.
pub fn count_not(bytes: usize) {
    count(-(size_class(bytes) as i64));
}

/// See `count_not`.
pub fn count_again(bytes: usize) {
    count(size_class(bytes) as i64);
}

/// Bytes handed out and not yet given back.
pub fn used_memory() -> u64 {
    let taken = NEXT_SLOT.load(Relaxed).min(SHARED);
    let own = BYTES[..taken].iter().chain(&BYTES[SHARED..]);
    let sum: i64 = own.map(|bytes| bytes.load(Relaxed)).sum();
    // Counters are read one after the other while others change them: a sum can be off by what is on its way.
    sum.max(0) as u64
}

/// The action on the index that stands for all arenas (`MALLCTL_ARENAS_ALL`).
const PURGE: &CStr = c"arena.4096.purge";

/// Has jemalloc give unused pages of all its arenas back to the system now, instead of by and by. Small blocks that threads keep
/// for themselves stay. False if it refuses.
pub fn purge() -> bool {
    // SAFETY: the name ends with a zero byte and stands for an action without values, for which all other pointers are null.
    let code = unsafe { jemalloc::mallctl(PURGE.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
    code == 0
}

/// What jemalloc tells of its settings and arenas, for people.
///
/// # Errors
/// It refuses.
pub fn report() -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    stats_print(&mut text, Options::default())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};

    use super::{Counting, jemalloc, purge, report, size_class};

    #[test]
    fn jemalloc_purges_and_reports() {
        assert!(purge());
        let text = report().expect("jemalloc reports");
        assert!(String::from_utf8_lossy(&text).contains("jemalloc"));
    }

    #[test]
    fn jemalloc_has_read_its_settings() {
        // SAFETY: `opt.thp` is a string that jemalloc never changes.
        let thp = unsafe { tikv_jemalloc_ctl::raw::read_str(b"opt.thp\0") };
        assert_eq!(thp, Ok(&b"always\0"[..]));
    }

    #[test]
    fn size_classes_are_those_of_jemalloc() {
        for bytes in (0..100_000).chain([1_000_000, 100_000_001]) {
            // SAFETY: asks for the size of a block that is not made; the size is not zero.
            let class = unsafe { jemalloc::nallocx(bytes.max(1), 0) };
            assert_eq!(
                size_class(bytes),
                class,
                "{bytes}: is the allocator built as .cargo/config.toml says?"
            );
        }
    }

    #[test]
    fn blocks_are_aligned_as_they_were_asked_for() {
        for size in 1..200 {
            for align in [1, 2, 4, 8, 16, 32, 64, 128] {
                let layout = Layout::from_size_align(size, align).expect("a small power of two");
                // SAFETY: made, resized and freed with the layouts that belong to each step; sizes are not zero.
                unsafe {
                    let block = Counting.alloc(layout);
                    let zeroed = Counting.alloc_zeroed(layout);
                    assert!(block.addr().is_multiple_of(align) && zeroed.addr().is_multiple_of(align));
                    let block = Counting.realloc(block, layout, 2 * size);
                    assert!(block.addr().is_multiple_of(align), "{size} {align}");
                    let grown = Layout::from_size_align(2 * size, align).expect("a small power of two");
                    Counting.dealloc(block, grown);
                    Counting.dealloc(zeroed, layout);
                }
            }
        }
    }
}
