//! What COMMAND INFO answers for one command; COMMAND DOCS is in `docs`.
//!
//! ```text
//!  INFO: [name, arity, ~flags, first, last, step, ~@categories, ~tips, ~key specs, [subcommands]]
//! ```
//!
//! Called by `command`. Always: shapes, names and their order are those of Redis 7, in RESP2 and RESP3.

use crate::commands::spec::table::{Command, table};
use crate::commands::spec::{Flags, Keys, Row};
use crate::resp::reply::Reply;

/// Flags that clients see, in Redis' order.
const FLAG_NAMES: &[(Flags, &str)] = &[
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::ASKING, "asking"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::NO_ASYNC_LOADING, "no_async_loading"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLE_KEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

/// All categories, in Redis' order, each with the flags that imply it.
const CATEGORIES: &[(&str, Flags)] = &[
    ("keyspace", Flags(0)),
    ("read", Flags::READONLY),
    ("write", Flags::WRITE),
    ("set", Flags(0)),
    ("sortedset", Flags(0)),
    ("list", Flags(0)),
    ("hash", Flags(0)),
    ("string", Flags(0)),
    ("bitmap", Flags(0)),
    ("hyperloglog", Flags(0)),
    ("geo", Flags(0)),
    ("stream", Flags(0)),
    ("pubsub", Flags::PUBSUB),
    ("admin", Flags::ADMIN),
    ("fast", Flags::FAST),
    ("slow", Flags(0)),
    ("blocking", Flags::BLOCKING),
    ("dangerous", Flags::ADMIN),
    ("connection", Flags(0)),
    ("transaction", Flags(0)),
    ("scripting", Flags(0)),
];

/// The access categories of a command, without `@`.
pub(super) fn categories(row: &Row) -> impl Iterator<Item = &'static str> + '_ {
    let has = |name: &str, implied: Flags| {
        row.categories.contains(&name)
            || (implied.0 != 0 && row.flags.has(implied))
            || (name == "slow" && !row.flags.has(Flags::FAST))
    };
    CATEGORIES.iter().filter(move |(name, implied)| has(name, *implied)).map(|(name, _)| *name)
}

/// One command as COMMAND INFO shows it.
pub(super) fn write_info(reply: &mut Reply, command: &Command) {
    let row = command.row;
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.int(i64::from(row.arity));
    let flags: Vec<&str> =
        FLAG_NAMES.iter().filter(|(flag, _)| row.flags.has(*flag)).map(|(_, name)| *name).collect();
    write_flag_names(reply, &flags);
    let (first, last, step) = legacy_range(row);
    [first, last, step].into_iter().for_each(|number| reply.int(number));
    let categories: Vec<&str> = categories(row).collect();
    reply.set(categories.len());
    categories.iter().for_each(|name| reply.simple(&format!("@{name}")));
    reply.set(row.tips.len());
    row.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    write_key_specs(reply, row);
    if command.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(command.subcommands.len());
        command.subcommands.iter().for_each(|id| write_info(reply, table().get(*id)));
    }
}

pub(super) fn write_flag_names(reply: &mut Reply, names: &[&str]) {
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(name));
}

/// First key, last key and step, as clients older than key specs know them.
fn legacy_range(row: &Row) -> (i64, i64, i64) {
    match row.keys {
        // What is no key is locked as one, but clients need not route by it.
        Keys::None | Keys::Counted { .. } | Keys::Streams { .. } => (0, 0, 0),
        Keys::Range { first, last, step } => (first as i64, i64::from(last), step as i64),
        Keys::FirstAndCounted { .. } | Keys::FirstAndStored { .. } | Keys::Sort { .. } => (1, 1, 1),
        Keys::OtherDb { pair } => (1, if pair { 2 } else { 1 }, 1),
        Keys::Moved => (3, 3, 1),
    }
}

/// Where the keys of one spec begin.
#[derive(Clone, Copy)]
enum Begin {
    Index(usize),
    /// Behind a word that stands at this index or later; a negative index counts from the end, and the search goes backwards.
    Behind(&'static str, i64),
    /// Somewhere: the data or the order of options decide. For what reason is told to people.
    Unknown(&'static str),
}

/// How the keys of one spec are found.
enum FindKeys {
    Range {
        last: i64,
        step: i64,
    },
    Counted,
    /// The first half of what follows.
    Streams,
    Unknown,
}

/// What BY and GET of SORT refer to, and where its STORE stands.
const SORT_PATTERNS: (Begin, FindKeys) =
    (Begin::Unknown("keys that BY and GET make of the sorted elements"), FindKeys::Unknown);
const SORT_STORE: (Begin, FindKeys) =
    (Begin::Unknown("the destination behind STORE, which may stand anywhere"), FindKeys::Unknown);

fn write_key_specs(reply: &mut Reply, row: &Row) {
    const ONE: FindKeys = FindKeys::Range { last: 0, step: 1 };
    let at = Begin::Index;
    let pair = (at(1), ONE);
    let is_split = !row.second_access.is_empty();
    let specs: Vec<(Begin, FindKeys)> = match row.keys {
        Keys::None => Vec::new(),
        Keys::Range { first, last, .. } if is_split => {
            // The second spec reaches as far as the keys do: one key, or all up to the end.
            let rest = if last < 0 { i64::from(last) } else { 0 };
            vec![(at(first), ONE), (at(first + 1), FindKeys::Range { last: rest, step: 1 })]
        }
        Keys::OtherDb { pair: true } if is_split => vec![pair, (at(2), ONE)],
        Keys::OtherDb { .. } => vec![pair],
        Keys::Range { first, last, step } => {
            // Relative to the first key, unless it counts from the end.
            let last = if last < 0 { i64::from(last) } else { i64::from(last) - first as i64 };
            vec![(at(first), FindKeys::Range { last, step: step as i64 })]
        }
        Keys::Counted { at: count } => vec![(at(count), FindKeys::Counted)],
        Keys::FirstAndCounted { at: count } => vec![(at(1), ONE), (at(count), FindKeys::Counted)],
        Keys::Sort { stores: false } => vec![pair, SORT_PATTERNS],
        Keys::Sort { stores: true } => vec![pair, SORT_PATTERNS, SORT_STORE],
        Keys::FirstAndStored { from } => {
            let behind = |word| (Begin::Behind(word, from as i64), ONE);
            vec![(at(1), ONE), behind("STORE"), behind("STOREDIST")]
        }
        Keys::Streams { from } => vec![(Begin::Behind("STREAMS", from as i64), FindKeys::Streams)],
        Keys::Moved => {
            vec![(at(3), ONE), (Begin::Behind("KEYS", -2), FindKeys::Range { last: -1, step: 1 })]
        }
    };
    reply.set(specs.len());
    for (number, (begin, find)) in specs.into_iter().enumerate() {
        let is_first = number == 0 || (number == 1 && matches!(row.keys, Keys::Sort { .. }));
        let access = if is_first { row.access } else { row.second_access };
        let notes = match begin {
            Begin::Unknown(reason) => reason,
            Begin::Index(_) | Begin::Behind(..) if number == 0 => row.key_notes,
            Begin::Index(_) | Begin::Behind(..) => "",
        };
        write_key_spec(reply, notes, access, begin, find);
    }
}

fn write_key_spec(reply: &mut Reply, notes: &str, access: &[&str], begin: Begin, find: FindKeys) {
    reply.map(if notes.is_empty() { 3 } else { 4 });
    if !notes.is_empty() {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_flag_names(reply, access);
    reply.bulk(b"begin_search");
    match begin {
        Begin::Index(index) => write_search(reply, "index", &[("index", index as i64)]),
        Begin::Behind(word, from) => {
            reply.map(2);
            reply.bulk(b"type");
            reply.bulk(b"keyword");
            reply.bulk(b"spec");
            reply.map(2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.int(from);
        }
        Begin::Unknown(_) => write_search(reply, "unknown", &[]),
    }
    reply.bulk(b"find_keys");
    match find {
        FindKeys::Range { last, step } => {
            write_search(reply, "range", &[("lastkey", last), ("keystep", step), ("limit", 0)]);
        }
        FindKeys::Streams => {
            write_search(reply, "range", &[("lastkey", -1), ("keystep", 1), ("limit", 2)]);
        }
        FindKeys::Counted => {
            write_search(reply, "keynum", &[("keynumidx", 0), ("firstkey", 1), ("keystep", 1)])
        }
        FindKeys::Unknown => write_search(reply, "unknown", &[]),
    }
}

fn write_search(reply: &mut Reply, kind: &str, fields: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.int(*value);
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn the_shape_of_info_in_both_protocols() {
        let mut h = Harness::new();
        h.reads(
            "command info get",
            "*1 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 \
             *1 *6 $5 flags *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 \
             $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0",
        );
        h.session.resp3 = true;
        h.reads(
            "command info get",
            "*1 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 \
             ~1 %3 $5 flags ~2 +RO +access $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 \
             $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0",
        );
    }
}
