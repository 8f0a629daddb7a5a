//! The options of SORT, and the patterns of its BY and GET.
//!
//! ```text
//!  SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]
//!
//!  weight_*        the key that the element's bytes make in place of the first star
//!  object_*->name  the field `name` of the hash at that key           #  the element itself (GET)
//! ```
//!
//! Used by `sort` alone. Always: options are read in order, the last one of a kind counts, GETs add up.

use crate::commands::spec::{Args, Failure};

/// What a request asks for.
#[derive(Default)]
pub struct Options<'a> {
    pub descends: bool,
    /// By bytes, not by number.
    pub alpha: bool,
    /// LIMIT's offset and count as they were given.
    pub limit: Option<(i64, i64)>,
    /// `Some(None)`: a constant, which means that nothing is sorted.
    pub by: Option<Option<Pattern<'a>>>,
    pub get: Vec<Get<'a>>,
    pub store: Option<&'a [u8]>,
}

/// What a GET answers for each element.
pub enum Get<'a> {
    /// `#`
    Element,
    Value(Pattern<'a>),
    /// A pattern without a star: always null.
    Nothing,
}

/// A pattern with a star.
pub struct Pattern<'a> {
    before: &'a [u8],
    after: &'a [u8],
    /// Of the hash at the key.
    pub field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    /// `None` without a star.
    fn parse(text: &'a [u8]) -> Option<Pattern<'a>> {
        let star = text.iter().position(|byte| *byte == b'*')?;
        let (before, rest) = (&text[..star], &text[star + 1..]);
        let arrow = rest.windows(2).position(|pair| pair == b"->");
        // An arrow at the very end belongs to the key.
        Some(match arrow.filter(|at| at + 2 < rest.len()) {
            Some(at) => Pattern { before, after: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Pattern { before, after: rest, field: None },
        })
    }

    /// The key for an element.
    pub fn key(&self, element: &[u8]) -> Vec<u8> {
        [self.before, element, self.after].concat()
    }
}

impl<'a> Options<'a> {
    /// Reads what stands behind the key. `stores`: SORT, not SORT_RO.
    ///
    /// # Errors
    /// A syntax error, or a LIMIT that is no number.
    pub fn parse(args: &Args<'a>, stores: bool) -> Result<Options<'a>, Failure> {
        let mut options = Options::default();
        let mut at = 2;
        while at < args.len() {
            let left = args.len() - at - 1;
            let is = |word: &str, needs: usize| args.is(at, word) && left >= needs;
            if is("asc", 0) {
                options.descends = false;
            } else if is("desc", 0) {
                options.descends = true;
            } else if is("alpha", 0) {
                options.alpha = true;
            } else if is("limit", 2) {
                options.limit = Some((args.int(at + 1)?, args.int(at + 2)?));
                at += 2;
            } else if stores && is("store", 1) {
                options.store = Some(args.get(at + 1));
                at += 1;
            } else if is("by", 1) {
                options.by = Some(Pattern::parse(args.get(at + 1)));
                at += 1;
            } else if is("get", 1) {
                options.get.push(match args.get(at + 1) {
                    b"#" => Get::Element,
                    text => Pattern::parse(text).map_or(Get::Nothing, Get::Value),
                });
                at += 1;
            } else {
                return Err(Failure::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// Does any pattern lead to keys that the request does not name?
    pub fn reach(&self) -> bool {
        matches!(self.by, Some(Some(_))) || self.get.iter().any(|get| matches!(get, Get::Value(_)))
    }

    /// Which of `len` elements are wanted, in their final order.
    pub fn window(&self, len: usize) -> std::ops::Range<usize> {
        let Some((offset, count)) = self.limit else { return 0..len };
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        // A negative count is all.
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Pattern};

    #[test]
    fn a_pattern_is_split_at_its_first_star_and_the_arrow_behind_it() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let pattern = Pattern::parse(text.as_bytes());
            let found = pattern.map(|it| (it.key(b"E"), it.field.map(<[u8]>::to_vec)));
            let expected =
                expected.map(|(key, field)| (key.into(), field.map(|field| field.as_bytes().to_vec())));
            assert_eq!(found, expected, "{text}");
        };
        check("w_*", Some(("w_E", None)));
        check("w_*_*", Some(("w_E_*", None)));
        check("h_*->f", Some(("h_E", Some("f"))));
        check("h_*_x->f->g", Some(("h_E_x", Some("f->g"))));
        check("h_*->", Some(("h_E->", None)));
        check("h->f*", Some(("h->fE", None)));
        check("nosort", None);
    }

    #[test]
    fn a_limit_is_fitted_to_the_elements() {
        let check = |limit: Option<(i64, i64)>, expected: std::ops::Range<usize>| {
            let options = Options { limit, ..Options::default() };
            let window = options.window(5);
            assert!(window == expected || (window.is_empty() && expected.is_empty()), "{limit:?} {window:?}");
        };
        check(None, 0..5);
        check(Some((1, 2)), 1..3);
        check(Some((-7, 2)), 0..2);
        check(Some((3, 9)), 3..5);
        check(Some((1, -1)), 1..5);
        check(Some((2, i64::MAX)), 2..5);
        check(Some((9, 2)), 0..0);
        check(Some((0, 0)), 0..0);
    }
}
