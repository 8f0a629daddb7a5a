//! The words that commands on several fields share: `FIELDS count field ...`, and how deadlines go into the stream.
//!
//! Called by `expire`, `ttl`, `timed` and `counter`. Always: the count is the number of fields that follow; a deadline in
//! the stream is absolute and without conditions.

use crate::base::ids::UnixMs;
use crate::commands::spec::{Args, Failure, Rewrite};

/// What Valkey answers where the count and the fields differ.
pub const BAD_COUNT: Failure =
    Failure::text("ERR numfields should be greater than 0 and match the provided number of fields");

/// Where `FIELDS` stands, among the arguments from `from` on that have one behind them.
pub fn find_fields_word(args: &Args<'_>, from: usize) -> Option<usize> {
    (from..args.len() - 1).find(|at| args.is(*at, "fields"))
}

/// Reads the count behind the `FIELDS` at `at`. `per_field` arguments belong to each field; the answer is where the first
/// one stands.
///
/// # Errors
/// It is no number, or another one than that of the fields.
pub fn first_field(args: &Args<'_>, at: usize, per_field: i64, mismatch: Failure) -> Result<usize, Failure> {
    let count = args.int(at + 1)?;
    let first = at + 2;
    let given = (args.len() - first) as i64;
    if count > 0 && count.checked_mul(per_field) == Some(given) { Ok(first) } else { Err(mismatch) }
}

/// `HDEL key field ...`
pub fn push_removal(rewrite: &mut Rewrite, key: &[u8], names: &[&[u8]]) {
    if !names.is_empty() {
        let words: Vec<&[u8]> = [b"HDEL".as_slice(), key].into_iter().chain(names.iter().copied()).collect();
        rewrite.push(&words);
    }
}

/// `HPEXPIREAT key ms FIELDS count field ...`, if there is a deadline. Behind the HSET of the same fields it stands
/// beside that.
pub fn push_deadline(rewrite: &mut Rewrite, key: &[u8], deadline: Option<UnixMs>, names: &[&[u8]]) {
    if let Some(deadline) = deadline
        && !names.is_empty()
    {
        let (at, count) = (deadline.0.to_string(), names.len().to_string());
        let head = [b"HPEXPIREAT".as_slice(), key, at.as_bytes(), b"FIELDS", count.as_bytes()];
        let words = head.into_iter().chain(names.iter().copied()).collect::<Vec<_>>();
        match rewrite.is_empty() {
            true => rewrite.push(&words),
            false => rewrite.push_beside(&words),
        }
    }
}

/// `HPERSIST key FIELDS count field ...`
pub fn push_persist(rewrite: &mut Rewrite, key: &[u8], names: &[&[u8]]) {
    if !names.is_empty() {
        let count = names.len().to_string();
        let head = [b"HPERSIST".as_slice(), key, b"FIELDS", count.as_bytes()];
        rewrite.push(&head.into_iter().chain(names.iter().copied()).collect::<Vec<_>>());
    }
}
