//! Arguments: a request's words, borrowed from the buffer it was parsed in, and the typed readings of them.
//!
//! Made by the dispatcher for every command; handlers take words and numbers out of it.
//! Always: index 0 is the command's name, and there are as many arguments as the row's arity promises.

use crate::base::number::parse_i64;
use crate::commands::spec::Failure;
use crate::resp::batch::Request;

/// Where the words come from: the batch that the parser filled, or owned words (a queued or replicated command).
#[derive(Clone, Copy)]
pub struct Args<'a> {
    words: Words<'a>,
}

#[derive(Clone, Copy)]
enum Words<'a> {
    /// With the request's bytes as they came, if they are a RESP array that can go into the stream verbatim.
    Borrowed(&'a [&'a [u8]], Option<&'a [u8]>),
    Owned(&'a [Vec<u8>]),
    Parsed(Request<'a>),
}

impl<'a> Args<'a> {
    pub fn borrowed(words: &'a [&'a [u8]], verbatim: Option<&'a [u8]>) -> Args<'a> {
        Args { words: Words::Borrowed(words, verbatim) }
    }

    pub fn owned(words: &'a [Vec<u8>]) -> Args<'a> {
        Args { words: Words::Owned(words) }
    }

    #[inline]
    pub fn parsed(request: Request<'a>) -> Args<'a> {
        Args { words: Words::Parsed(request) }
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self.words {
            Words::Borrowed(words, _) => words.len(),
            Words::Owned(words) => words.len(),
            Words::Parsed(request) => request.argc(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at `index`. The dispatcher has checked the arity; asking beyond `len` is a bug of the handler.
    #[inline(always)]
    pub fn get(&self, index: usize) -> &'a [u8] {
        match self.words {
            Words::Borrowed(words, _) => words[index],
            Words::Owned(words) => &words[index],
            Words::Parsed(request) => request.arg(index),
        }
    }

    /// The word at `index`, or `None` behind the last one: for optional arguments.
    #[inline]
    pub fn opt(&self, index: usize) -> Option<&'a [u8]> {
        (index < self.len()).then(|| self.get(index))
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The words from `first` on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &'a [u8]> + '_ {
        (first..self.len()).map(|index| self.get(index))
    }

    /// Is the word at `index` this one, in any case? `word` is in lower case.
    #[inline]
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// A 64-bit integer in strict decimal form.
    #[inline]
    pub fn int(&self, index: usize) -> Result<i64, Failure> {
        parse_i64(self.get(index)).ok_or(Failure::NOT_AN_INTEGER)
    }

    /// An integer that has to fit in 32 bits: the number of a database.
    pub fn int32(&self, index: usize) -> Result<i32, Failure> {
        i32::try_from(self.int(index)?).map_err(|_| Failure::BEYOND_32_BITS)
    }

    pub fn to_vec(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }

    /// The request's bytes as they came, if they can go into the stream as they are.
    #[inline]
    pub fn verbatim(&self) -> Option<&'a [u8]> {
        match self.words {
            Words::Borrowed(_, verbatim) => verbatim,
            Words::Owned(_) => None,
            Words::Parsed(request) => (!request.is_inline()).then_some(request.raw),
        }
    }
}
