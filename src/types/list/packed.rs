//! Both ends and the middle of one listpack, as lists use it: the whole of a small list, and each node of a long one.
//!
//! Called by `List` and by `quicklist`. Always: nothing here knows limits.

use crate::codec::listpack::{Item, Listpack};
use crate::types::list::End;

#[inline]
pub(super) fn push(list: &mut Listpack, end: End, element: &[u8]) {
    match end {
        End::Head => list.push_front(element),
        End::Tail => list.push_back(element),
    }
}

/// Takes the element at one end out, after `read` has had it.
#[inline]
pub(super) fn pop<R>(list: &mut Listpack, end: End, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
    let pos = match end {
        End::Head => list.first(),
        End::Tail => list.last(),
    }?;
    let result = read(list.get(pos));
    list.remove(pos);
    Some(result)
}

/// Takes up to `max` elements out that are equal to `element`, beginning at one end. How many there were.
pub(super) fn remove_equal(list: &mut Listpack, element: &[u8], from: End, max: usize) -> usize {
    let mut removed = 0;
    match from {
        End::Head => {
            let mut next = list.first();
            while removed < max
                && let Some(at) = next
                && let Some(found) = list.find(element, at, 0)
            {
                next = list.remove(found);
                removed += 1;
            }
        }
        End::Tail => {
            let mut next = list.last();
            while removed < max
                && let Some(at) = next
            {
                next = list.prev(at);
                if list.get(at).eq_bytes(element) {
                    list.remove(at);
                    removed += 1;
                }
            }
        }
    }
    removed
}
