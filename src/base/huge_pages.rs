//! Transparent huge pages: who gets them. The allocator asks for them everywhere (`base::alloc`).
//!
//! To look up keys in a heap of huge pages costs less (`docs/performance.md`), but each is cleared at once when it is first touched:
//! a tenth of a millisecond, in a virtual machine that has to get the memory from its host five. So a data set that comes from a
//! primary goes into small pages while clients are served, and the kernel (khugepaged) makes huge ones of them by and by.

use std::io;

use super::alloc::PAGE_BYTES;

/// For the whole process, from now on.
///
/// # Errors
/// The system does not know it.
pub fn allow(is_allowed: bool) -> io::Result<()> {
    let is_disabled = libc::c_ulong::from(!is_allowed);
    // SAFETY: a system call without pointers.
    match unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, is_disabled, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// While this lives the process gets no new huge pages.
#[derive(Debug)]
pub struct Pause(());

impl Pause {
    /// None if the process has none anyway, as `disable-thp` wants it.
    pub fn new(are_disabled: bool) -> Option<Pause> {
        if are_disabled {
            return None;
        }
        if let Err(error) = allow(false) {
            log::debug!("Cannot do without transparent huge pages for a while: {error}");
            return None;
        }
        Some(Pause(()))
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Err(error) = allow(true) {
            log::warn!("Cannot use transparent huge pages again: {error}");
        }
    }
}

/// Of a large block only what is touched shall take memory, and not a huge page of it.
///
/// # Safety
/// The block is the caller's.
pub unsafe fn keep_small_pages(block: *mut u8, bytes: usize) {
    let to_page = block.align_offset(PAGE_BYTES);
    let bytes = bytes.saturating_sub(to_page) & !(PAGE_BYTES - 1);
    // Not known to it.
    if cfg!(miri) {
        return;
    }
    // SAFETY: whole pages of the caller's block, whose content this leaves alone. A system without huge pages refuses, and need not do
    // anything.
    unsafe { libc::madvise(block.wrapping_add(to_page).cast(), bytes, libc::MADV_NOHUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All in one test: the setting is the process's.
    #[test]
    fn a_pause_ends_and_what_is_disabled_stays_so() {
        // SAFETY: a system call without pointers.
        let is_disabled = || unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) } & 1 == 1;
        let was_disabled = is_disabled();
        allow(true).expect("the kernel knows it");
        let pause = Pause::new(false);
        assert!(pause.is_some() && is_disabled());
        drop(pause);
        assert!(!is_disabled());
        allow(false).expect("the kernel knows it");
        assert!(Pause::new(true).is_none() && is_disabled());
        allow(!was_disabled).expect("the kernel knows it");
    }
}
