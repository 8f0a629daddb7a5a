//! Word: a collection's stored form, which is one of several types that all are one pointer, told apart by its lowest bits.
//!
//! ```text
//!  | address of the block, aligned to 8                     | 2-0 tag |
//!  tag 0  Listpack       tag 1  Large<T>, a box       tag 2  Intset
//! ```
//!
//! `one_word!` makes the type of a collection out of its forms; `List`, `Set`, `SortedSet` and `Hash` are made so. An entry
//! then holds eight bytes of them instead of sixteen. All unsafe code of the stored forms is in this file.
//! Always: the tag in a word is that of the type whose value the word is; the types keep it there themselves, whatever happens to
//! their blocks.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::codec::intset::Intset;
use crate::codec::listpack::Listpack;

const TAG_MASK: usize = 0b111;

/// A type that is one pointer with a tag of its own.
///
/// # Safety
/// Its values are eight bytes, never null, whose lowest three bits are always `TAG`.
pub unsafe trait Tagged: Sized {
    const TAG: usize;
}

// SAFETY: a listpack is a pointer to a block that is aligned to eight bytes.
unsafe impl Tagged for Listpack {
    const TAG: usize = 0;
}

// SAFETY: an intset is a pointer to the third byte of a block that is aligned to eight (`intset::block`).
unsafe impl Tagged for Intset {
    const TAG: usize = 2;
}

/// A box whose pointer is tagged.
#[repr(transparent)]
pub struct Large<T>(NonNull<u8>, PhantomData<Box<T>>);

// SAFETY: a box of a type with an alignment of eight (checked in `new`), and one more.
unsafe impl<T> Tagged for Large<T> {
    const TAG: usize = 1;
}

// SAFETY: it is a box.
unsafe impl<T: Send> Send for Large<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Large<T> {}

impl<T> Large<T> {
    pub fn new(value: T) -> Large<T> {
        const { assert!(align_of::<T>() == 8 && size_of::<T>() > 0) };
        let at = NonNull::from(Box::leak(Box::new(value))).cast::<u8>();
        Large(at.map_addr(|address| address | <Large<T> as Tagged>::TAG), PhantomData)
    }

    #[inline]
    fn at(&self) -> *mut T {
        self.0.as_ptr().wrapping_sub(<Large<T> as Tagged>::TAG).cast()
    }
}

impl<T> Deref for Large<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the pointer is that of a leaked box, which lives as long as this.
        unsafe { &*self.at() }
    }
}

impl<T> DerefMut for Large<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { &mut *self.at() }
    }
}

impl<T> Drop for Large<T> {
    fn drop(&mut self) {
        // SAFETY: the box was leaked by `new`, and nobody looks at it again.
        drop(unsafe { Box::from_raw(self.at()) });
    }
}

impl<T: Clone> Clone for Large<T> {
    fn clone(&self) -> Large<T> {
        Large::new(T::clone(self))
    }
}

impl<T: Default> Default for Large<T> {
    fn default() -> Large<T> {
        Large::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Large<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

/// A value of one of several tagged types. It does not know which, and frees nothing by itself.
#[repr(transparent)]
pub struct Word(NonNull<u8>);

// SAFETY: the types in words are Send and Sync (checked by `one_word!`).
unsafe impl Send for Word {}
// SAFETY: as above.
unsafe impl Sync for Word {}

impl Word {
    #[inline]
    pub fn of<T: Tagged>(value: T) -> Word {
        const { assert!(size_of::<T>() == size_of::<Word>() && align_of::<T>() <= align_of::<Word>()) };
        let value = ManuallyDrop::new(value);
        // SAFETY: a tagged type is one pointer that is not null.
        let word = Word(unsafe { (&raw const value).cast::<NonNull<u8>>().read() });
        debug_assert!(word.tag() == T::TAG);
        word
    }

    #[inline]
    pub fn tag(&self) -> usize {
        self.0.addr().get() & TAG_MASK
    }

    /// # Safety
    /// The value is a `T`: its tag is that of no other type that this word may be.
    #[inline]
    pub unsafe fn get<T: Tagged>(&self) -> &T {
        debug_assert!(self.tag() == T::TAG);
        // SAFETY: the caller's promise; a word and a `T` are one pointer each.
        unsafe { &*(&raw const self.0).cast::<T>() }
    }

    /// # Safety
    /// As `get`.
    #[inline]
    pub unsafe fn get_mut<T: Tagged>(&mut self) -> &mut T {
        debug_assert!(self.tag() == T::TAG);
        // SAFETY: as in `get`; `&mut self` makes the access exclusive.
        unsafe { &mut *(&raw mut self.0).cast::<T>() }
    }

    /// # Safety
    /// As `get`, and the word is not used again.
    pub unsafe fn drop_as<T: Tagged>(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { (&raw mut self.0).cast::<T>().drop_in_place() };
    }
}

/// A type of one word that is one of some tagged types, and an enum to look at it: `form()` and `form_mut()` borrow what it is,
/// `From` makes it of one of them.
macro_rules! one_word {
    ($(#[$about:meta])* $name:ident, $form:ident { $($variant:ident($letter:ident): $type:ty),+ }) => {
        $(#[$about])*
        #[repr(transparent)]
        pub struct $name($crate::types::word::Word);

        /// What it is, borrowed.
        #[derive(Clone, Copy, Debug)]
        pub enum $form<$($letter),+> {
            $($variant($letter)),+
        }

        const _: fn() = || {
            fn is_shared<T: Send + Sync>() {}
            $(is_shared::<$type>();)+
        };

        impl $name {
            #[inline]
            pub fn form(&self) -> $form<$(&$type),+> {
                use $crate::types::word::Tagged;
                let tag = self.0.tag();
                $(if tag == <$type as Tagged>::TAG {
                    // SAFETY: the tags of the forms differ, and this is the one with this tag.
                    return $form::$variant(unsafe { self.0.get::<$type>() });
                })+
                unreachable!("a word has the tag of one of its forms")
            }

            #[inline]
            pub fn form_mut(&mut self) -> $form<$(&mut $type),+> {
                use $crate::types::word::Tagged;
                let tag = self.0.tag();
                $(if tag == <$type as Tagged>::TAG {
                    // SAFETY: as in `form`.
                    return $form::$variant(unsafe { self.0.get_mut::<$type>() });
                })+
                unreachable!("a word has the tag of one of its forms")
            }
        }

        $(impl From<$type> for $name {
            #[inline]
            fn from(value: $type) -> $name {
                $name($crate::types::word::Word::of(value))
            }
        })+

        impl Clone for $name {
            fn clone(&self) -> $name {
                match self.form() {
                    $($form::$variant(value) => <$type>::clone(value).into()),+
                }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                use $crate::types::word::Tagged;
                let tag = self.0.tag();
                $(if tag == <$type as Tagged>::TAG {
                    // SAFETY: as in `form`; the word goes with this.
                    unsafe { self.0.drop_as::<$type>() };
                    return;
                })+
            }
        }
    };
}
pub(crate) use one_word;

#[cfg(test)]
mod tests {
    use super::{Intset, Large, Listpack};

    one_word!(
        /// For tests.
        Any, Form { Listpack(L): Listpack, Intset(I): Intset, Large(B): Large<Vec<u64>> }
    );

    impl std::fmt::Debug for Any {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            std::fmt::Debug::fmt(&self.form(), f)
        }
    }

    /// Grows the value by what it can hold, and says how many it then has.
    fn grown(any: &mut Any) -> usize {
        for number in 0..1000 {
            match any.form_mut() {
                Form::Listpack(list) => list.push_back(b"element"),
                Form::Intset(set) => drop(set.add(number)),
                Form::Large(list) => list.push(number as u64),
            }
        }
        match any.form() {
            Form::Listpack(list) => list.len(),
            Form::Intset(set) => set.len(),
            Form::Large(list) => list.len(),
        }
    }

    fn check(mut any: Any) {
        let before = any.clone();
        assert_eq!(grown(&mut any), 1000, "{any:?}");
        let copy = any.clone();
        any = before;
        assert_eq!(grown(&mut any), 1000);
        drop(any);
        assert_eq!(format!("{copy:?}"), format!("{:?}", copy.clone()));
    }

    #[test]
    fn a_word_stays_what_it_was_made_of_while_its_block_moves() {
        check(Listpack::new().into());
        check(Intset::new().into());
        check(Large::new(Vec::new()).into());
    }
}
