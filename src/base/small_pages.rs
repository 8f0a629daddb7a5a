//! Memory in small pages, taken from the system a page at a time when it is first touched, and given back at once.
//!
//! For what grows while clients wait: a huge page is cleared as a whole when it is touched, which takes up to 5 ms in a virtual machine
//! (`base::huge_pages`). Always: it counts as used memory for as long as it lives.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use crate::base::alloc::count;
use crate::base::huge_pages::keep_small_pages;

/// Zeroed bytes that nobody else refers to. Who shares them among threads keeps the peace: there are only raw pointers to them.
#[derive(Debug)]
pub struct SmallPages {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is tied to no thread, and this gives out nothing but its address.
unsafe impl Send for SmallPages {}
// SAFETY: the same.
unsafe impl Sync for SmallPages {}

impl SmallPages {
    /// `bytes` bytes, which must be more than 0; the system rounds up to whole pages. Ends the process as the allocator does if there
    /// is no memory.
    pub fn new(bytes: usize) -> SmallPages {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: asks for new memory anywhere.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
        let start = if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast::<u8>()) };
        let Some(start) = start else {
            handle_alloc_error(Layout::array::<u8>(bytes).unwrap_or(Layout::new::<u8>()))
        };
        // SAFETY: the block is ours.
        unsafe { keep_small_pages(start.as_ptr(), bytes) };
        count(bytes as i64);
        SmallPages { start, bytes }
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        // SAFETY: it is what `new` got, and nobody refers to it any more.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert_eq!(result, 0);
        count(-(self.bytes as i64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zeroed_and_holds_what_is_written() {
        let pages = SmallPages::new(300_000);
        // SAFETY: within the block, which is ours alone.
        unsafe {
            assert_eq!((*pages.as_ptr(), *pages.as_ptr().add(299_999)), (0, 0));
            *pages.as_ptr().add(299_999) = 7;
            assert_eq!(*pages.as_ptr().add(299_999), 7);
        }
    }
}
