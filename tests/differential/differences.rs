//! What differs on purpose, each with its reason.
//!
//! Used by `pair`, for replies that do not agree. Always: an entry is as narrow as the difference; what users may notice also stands
//! in docs/differences.md.

use crate::reply::{Compare, Value, agree};
use crate::server::Product;

/// A difference: beside which peer and with which commands, what is seen, and why it is meant to be.
struct Known {
    peer: Product,
    /// Beginnings of the commands' names.
    commands: &'static [&'static str],
    applies: fn(Seen<'_>) -> bool,
    /// For the reader; printed nowhere.
    #[allow(dead_code)]
    reason: &'static str,
}

/// A request and the two replies to it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    words: &'a [Vec<u8>],
    ours: &'a Value,
    theirs: &'a Value,
}

const KNOWN: &[Known] = &[
    Known {
        peer: Product::Redis7,
        commands: &["Z", "BZ", "GEO", "SORT", "LPOP", "RPOP"],
        applies: |seen| same_numbers(seen.words, seen.ours, seen.theirs),
        reason: "Redis 7.0 prints doubles with 17 digits, 7.2 and later with as few as say the same",
    },
    Known {
        peer: Product::Redis7,
        commands: &["ZRANK", "ZREVRANK"],
        applies: |seen| seen.theirs.class().contains("wrong number of arguments"),
        reason: "WITHSCORE came with 7.2",
    },
    Known {
        peer: Product::Redis7,
        commands: &["XREAD"],
        applies: |seen| seen.words.iter().any(|word| word == b"+") && seen.theirs.is_error(),
        reason: "+ as the last entry's id came after 7.2",
    },
    Known {
        peer: Product::Redis7,
        commands: &["XREAD"],
        applies: |seen| {
            seen.ours.class().contains("Unbalanced") && seen.theirs.class().contains("Unbalanced")
        },
        reason: "7.2 words it by the command's name",
    },
    Known {
        peer: Product::Redis7,
        commands: &["XINFO", "XGROUP"],
        applies: |seen| !seen.ours.is_error() && !seen.theirs.is_error(),
        reason: "since 7.2 XREADGROUP makes its consumer although there is nothing to read",
    },
    Known {
        peer: Product::Redis7,
        commands: &["XSETID"],
        applies: |seen| seen.ours.class().contains("max_deleted_entry_id"),
        reason: "7.2 refuses an id below the greatest one that was deleted",
    },
    Known {
        peer: Product::Redis7,
        commands: &["LPOS"],
        applies: |seen| seen.ours.class().contains("out of range"),
        reason: "7.2 refuses a rank that cannot be negated",
    },
    Known {
        peer: Product::Redis7,
        commands: &["BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZ"],
        applies: |seen| seen.ours.class().contains("timeout is out of range"),
        reason: "7.0 says of a time-out that is too long that it is negative",
    },
    Known {
        peer: Product::Redis7,
        commands: &["BITCOUNT", "BITPOS"],
        applies: |seen| seen.ours.is_error(),
        reason: "7.2 reads the numbers before it looks at the key",
    },
    Known {
        peer: Product::Redis7,
        commands: &["PF"],
        applies: is_excess,
        reason: "since 7.2.10 values behind a complete sketch are corruption",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["PF"],
        applies: is_excess,
        reason: "since 8.0.4 values behind a complete sketch are corruption",
    },
    Known {
        peer: Product::Redis7,
        commands: &["SORT"],
        applies: is_cut_by_nul,
        reason: "strcoll ends at a zero byte, and what is equal up to it comes in any order",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["SORT"],
        applies: is_cut_by_nul,
        reason: "strcoll ends at a zero byte, and what is equal up to it comes in any order",
    },
    Known {
        peer: Product::Redis7,
        commands: &["GEO"],
        applies: is_a_tie,
        reason: "places at the same distance come in any order",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["GEO"],
        applies: is_a_tie,
        reason: "places at the same distance come in any order",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["OBJECT"],
        applies: |seen| seen.ours.bytes() == Some(b"hashtable") && seen.theirs.bytes() == Some(b"listpack"),
        reason: "there, an SPOP that leaves few members makes a new and smaller set of them",
    },
    Known {
        peer: Product::Redis7,
        commands: &["OBJECT"],
        applies: is_shared,
        reason: "there are no shared integers here",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["OBJECT"],
        applies: is_shared,
        reason: "there are no shared integers here",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["SCAN"],
        applies: |seen| seen.theirs.class().contains("unknown type name"),
        reason: "7.2 takes any word for a type, and finds nothing of one that is unknown",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["LREM"],
        applies: |seen| seen.theirs.class().contains("out of range"),
        reason: "Redis takes the smallest number for a count",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["Z", "BZ"],
        applies: |seen| same_numbers(seen.words, seen.ours, seen.theirs),
        reason: "whether a zero has a sign depends on the encodings that a sorted set has gone through",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["ZR"],
        applies: has_negative_offset,
        reason: "there, a negative offset counts from the end of the range, unless the set is a listpack",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["XREAD"],
        applies: |seen| {
            seen.words.iter().any(|word| word == b"+")
                && (!seen.ours.is_error() || seen.theirs.class().contains("last element ID"))
        },
        reason: "here + is the last entry that there is, there the entry of the last id, deleted or not",
    },
    Known {
        peer: Product::Valkey8,
        commands: &["BITCOUNT"],
        applies: |seen| seen.ours.is_error() && (seen.words.len() == 3 || seen.theirs.is_error()),
        reason: "a start without an end came with Valkey 8, which looks at the unit first",
    },
];

/// May the peer have changed the key without telling its replicas? There, a field that overflows and fails grows the string all the
/// same, and an element that finds a sketch corrupt leaves what was added before it.
pub fn hides_a_change(words: &[Vec<u8>], theirs: &Value) -> bool {
    match words[0].as_slice() {
        b"BITFIELD" => words.iter().any(|word| word.eq_ignore_ascii_case(b"FAIL")) && theirs.has_null(),
        b"PFADD" | b"PFMERGE" => theirs.class().contains("INVALIDOBJ"),
        _ => false,
    }
}

/// Is this a difference that is listed?
pub fn is_known(peer: Product, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
    let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
    let seen = Seen { words, ours, theirs };
    let is_of =
        |known: &&Known| known.peer == peer && known.commands.iter().any(|start| name.starts_with(start));
    KNOWN.iter().filter(is_of).any(|known| (known.applies)(seen))
}

/// The count of references to one of the small integers that all keys share.
fn is_shared(seen: Seen<'_>) -> bool {
    seen.words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"REFCOUNT"))
        && *seen.ours == Value::Line(b':', b"1".to_vec())
        && *seen.theirs == Value::Line(b':', b"2147483647".to_vec())
}

/// A range that begins before its first element: empty here.
fn has_negative_offset(seen: Seen<'_>) -> bool {
    let is_limit = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"LIMIT");
    seen.ours.is_empty() && seen.words.windows(2).any(|pair| is_limit(&pair[0]) && pair[1].starts_with(b"-"))
}

/// Refused here only, as corrupt.
fn is_excess(seen: Seen<'_>) -> bool {
    // Another key may then be the one that is refused.
    seen.ours.class().contains("INVALIDOBJ")
}

/// The same elements in another order, with zero bytes among them; with LIMIT, as many.
fn is_cut_by_nul(seen: Seen<'_>) -> bool {
    let has = |word: &str| seen.words.iter().any(|other| other.eq_ignore_ascii_case(word.as_bytes()));
    let shows_nul = |value: &Value| format!("{value:?}").contains("\\x00");
    has("ALPHA")
        && (shows_nul(seen.ours) || shows_nul(seen.theirs))
        && agree(if has("LIMIT") { Compare::Shape } else { Compare::Unordered }, seen.ours, seen.theirs)
}

/// The same places in another order; with COUNT, as many.
fn is_a_tie(seen: Seen<'_>) -> bool {
    let is_limited = seen.words.iter().any(|word| word == b"COUNT");
    agree(if is_limited { Compare::Shape } else { Compare::Unordered }, seen.ours, seen.theirs)
}

/// The same but for the digits in which numbers are printed, and the sign of a zero.
pub fn same_numbers(words: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
    // Its order is that of a table.
    let compare = if words[0] == b"ZSCAN" { Compare::ScanPairs } else { Compare::Exact };
    agree(compare, &with_plain_numbers(ours), &with_plain_numbers(theirs))
}

/// The reply with every number in one form.
pub fn with_plain_numbers(value: &Value) -> Value {
    let plain = |bytes: &[u8]| {
        let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<f64>().ok());
        // Plus zero takes the sign from minus zero.
        number.map_or(bytes.to_vec(), |number| (number + 0.0).to_string().into_bytes())
    };
    match value {
        Value::Line(kind, text) => Value::Line(*kind, plain(text)),
        Value::Bulk(kind, bytes) => Value::Bulk(*kind, bytes.as_deref().map(plain)),
        Value::Many(kind, elements) => {
            let elements =
                elements.as_ref().map(|elements| elements.iter().map(with_plain_numbers).collect());
            Value::Many(*kind, elements)
        }
    }
}
