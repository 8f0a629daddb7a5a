//! Reading the arguments of stream commands: ids, ends of ranges, counts.
//!
//! Called by the handlers of this folder. Always: the texts of errors are Redis' own.

use crate::base::number::parse_i64;
use crate::commands::spec::{Args, Ctx, Failure};
use crate::types::stream::{Limits, StreamId};

pub const INVALID_ID: Failure = Failure::text("ERR Invalid stream ID specified as stream command argument");

/// An id, with 0 for a sequence that is left out. `-` and `+` are none.
pub fn id(text: &[u8]) -> Result<StreamId, Failure> {
    StreamId::parse(text, 0).ok_or(INVALID_ID)
}

/// The ids from one word on.
pub fn ids(args: &Args<'_>, from: usize) -> Result<Vec<StreamId>, Failure> {
    args.from(from).map(id).collect()
}

/// The lower end of a range: `-`, an id, or `(` and the id that is just outside.
pub fn start(text: &[u8]) -> Result<StreamId, Failure> {
    match text.split_first() {
        Some((b'(', rest)) if !rest.is_empty() => {
            id(rest)?.next().ok_or(Failure::text("ERR invalid start ID for the interval"))
        }
        _ => end_or_start(text, 0),
    }
}

/// The upper end of a range; a sequence that is left out is the highest one.
pub fn end(text: &[u8]) -> Result<StreamId, Failure> {
    match text.split_first() {
        Some((b'(', rest)) if !rest.is_empty() => {
            let id = StreamId::parse(rest, u64::MAX).ok_or(INVALID_ID)?;
            id.prev().ok_or(Failure::text("ERR invalid end ID for the interval"))
        }
        _ => end_or_start(text, u64::MAX),
    }
}

fn end_or_start(text: &[u8], missing: u64) -> Result<StreamId, Failure> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => StreamId::parse(text, missing).ok_or(INVALID_ID),
    }
}

/// A count of which negative values mean 0.
pub fn count(args: &Args<'_>, index: usize) -> Result<u64, Failure> {
    Ok(args.int(index)?.max(0) as u64)
}

/// A number whose error names what it is for.
pub fn number(text: &[u8], failure: &'static str) -> Result<i64, Failure> {
    parse_i64(text).ok_or(Failure::text(failure))
}

/// When nodes are full, as configured.
pub fn limits(ctx: &Ctx<'_, '_>) -> Limits {
    Limits {
        node_bytes: ctx.config.stream_node_max_bytes,
        node_entries: ctx.config.stream_node_max_entries as u64,
    }
}

/// The group or its key is not there. `place` is what Redis says behind it.
pub fn no_such_key_or_group(key: &[u8], group: &[u8], place: &str) -> Failure {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Failure::new(format!("NOGROUP No such key '{key}' or consumer group '{group}'{place}"))
}

/// The key is there and the group is not.
pub fn no_such_group(key: &[u8], group: &[u8]) -> Failure {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Failure::new(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

#[cfg(test)]
mod tests {
    use super::{end, start};
    use crate::types::stream::StreamId;

    #[test]
    fn ends_of_ranges_may_be_open_and_left_out() {
        let check = |text: &str, expected_start: Option<(u64, u64)>, expected_end: Option<(u64, u64)>| {
            let id = |(ms, seq)| StreamId { ms, seq };
            assert_eq!(start(text.as_bytes()).ok(), expected_start.map(id), "{text}");
            assert_eq!(end(text.as_bytes()).ok(), expected_end.map(id), "{text}");
        };
        check("5", Some((5, 0)), Some((5, u64::MAX)));
        check("5-3", Some((5, 3)), Some((5, 3)));
        check("(5-3", Some((5, 4)), Some((5, 2)));
        check("(5", Some((5, 1)), Some((5, u64::MAX - 1)));
        check("-", Some((0, 0)), Some((0, 0)));
        check("+", Some((u64::MAX, u64::MAX)), Some((u64::MAX, u64::MAX)));
        check("(0-0", Some((0, 1)), None);
        check("(18446744073709551615-18446744073709551615", None, Some((u64::MAX, u64::MAX - 1)));
        for refused in ["(", "(-", "(+", "", "x"] {
            check(refused, None, None);
        }
    }
}
