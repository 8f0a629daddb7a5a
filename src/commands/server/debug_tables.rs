//! DEBUG LISTPACK, HTSTATS and HTSTATS-KEY: how values and databases lie in memory.
//!
//! Called by DEBUG. Replies and errors are Redis' where there is something to compare; figures are those of our own tables, which
//! have open addressing: no chains, and no second table that is being filled.
//! Always: a value is described under its shard's lock, and printed after it.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::codec::listpack::Listpack;
use crate::commands::server::debug::with_entry_here;
use crate::commands::spec::{Args, Control, Failure};
use crate::types::hash::HashForm;
use crate::types::list::ListForm;
use crate::types::set::SetForm;
use crate::types::sorted_set::SortedSetForm;
use crate::types::{Collection, ValueRef};

const OUT_OF_RANGE: Failure = Failure::text("ERR Out of range database");
const NO_LISTPACK: Failure = Failure::text("ERR Not a listpack encoded object.");
const NO_TABLE: Failure =
    Failure::text("ERR The value stored at the specified key is not represented using an hash table");

/// An element longer than this is printed in part.
const SHOWN_BYTES_MAX: usize = 40;

/// `DEBUG LISTPACK key`
pub(super) fn listpack(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let text = with_entry_here(control, args.get(2), |entry| listpack_of(entry.value()).map(describe))
        .ok_or(Failure::NO_SUCH_KEY)?
        .ok_or(NO_LISTPACK)?;
    // Nobody may be reading there; the reply tells where it went all the same.
    let _ = std::io::stdout().write_all(text.as_bytes());
    control.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

fn listpack_of(value: ValueRef<'_>) -> Option<&Listpack> {
    match value {
        ValueRef::List(list) => match list.form() {
            ListForm::Listpack(list) => Some(list),
            ListForm::Quicklist(_) => None,
        },
        ValueRef::Set(set) => match set.form() {
            SetForm::Listpack(list) => Some(list),
            SetForm::Intset(_) | SetForm::Table(_) => None,
        },
        ValueRef::SortedSet(set) => match set.form() {
            SortedSetForm::Listpack(list) => Some(list),
            SortedSetForm::Tree(_) => None,
        },
        ValueRef::Hash(hash) => match hash.form() {
            HashForm::Listpack(list) => Some(list),
            HashForm::Table(_) => None,
        },
        ValueRef::Str(_) | ValueRef::Stream(_) => None,
    }
}

fn describe(list: &Listpack) -> String {
    let mut text = format!("{{total bytes {}}} {{num entries {}}}\n", list.byte_len(), list.len());
    let (mut next, mut offset) = (list.first(), list.as_bytes().len() - stored_bytes(list) - 1);
    let mut index = 0;
    while let Some(pos) = next {
        let (raw, item) = (list.raw(pos), list.get(pos).to_vec());
        let shown = String::from_utf8_lossy(&item[..item.len().min(SHOWN_BYTES_MAX)]).into_owned();
        let more = if item.len() > SHOWN_BYTES_MAX { "..." } else { "" };
        // Writing into a String cannot fail.
        let _ =
            write!(text, "{{\n\tindex: {index},\n\toffset: {offset},\n\tentry: {},\n\tbytes: ", raw.len());
        for byte in raw {
            let _ = write!(text, "{byte:02x}|");
        }
        let _ = write!(text, "\n\t[str]{shown}{more}\n}}\n");
        (index, offset, next) = (index + 1, offset + raw.len(), list.next(pos));
    }
    text.push_str("{end}\n\n");
    text
}

/// Bytes of all elements, without the header and the mark at the end.
fn stored_bytes(list: &Listpack) -> usize {
    let first = list.first();
    std::iter::successors(first, |pos| list.next(*pos)).map(|pos| list.raw(pos).len()).sum()
}

/// `DEBUG HTSTATS db`
pub(super) fn database(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let (index, keyspace) = (args.int(2)?, control.host.keyspace());
    let chosen = keyspace.iter().find(|(number, _)| i64::from(number.0) == index);
    let (_, db) = chosen.ok_or(OUT_OF_RANGE)?;
    let sides: Vec<_> = (0..db.shard_count()).map(|shard| db.side(shard)).collect();
    let slots = sides.iter().map(|side| side.buckets()).sum();
    let mut text = format!("[Dictionary HT]\n{}", table(slots, db.len()));
    if !db.is_empty() {
        let largest = sides.iter().map(|side| side.keys()).max().unwrap_or(0);
        let _ = write!(text, " shards: {}\n elements of the largest shard: {largest}\n", sides.len());
    }
    // A deadline is a part of its entry.
    let _ = write!(text, "[Expires HT]\n{}", table(0, db.expires()));
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `DEBUG HTSTATS-KEY key`
pub(super) fn value(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let text = with_entry_here(control, args.get(2), |entry| table_of(entry.value()))
        .ok_or(Failure::NO_SUCH_KEY)?
        .ok_or(NO_TABLE)?;
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn table_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Set(set) => match set.form() {
            SetForm::Table(members) => Some(table(members.slots(), set.len())),
            SetForm::Intset(_) | SetForm::Listpack(_) => None,
        },
        ValueRef::SortedSet(set) => match set.form() {
            SortedSetForm::Tree(members) => Some(table(members.slots(), set.len())),
            SortedSetForm::Listpack(_) => None,
        },
        ValueRef::Hash(hash) => match hash.form() {
            HashForm::Table(fields) => Some(table(fields.slots(), fields.len())),
            HashForm::Listpack(_) => None,
        },
        ValueRef::Str(_) | ValueRef::List(_) | ValueRef::Stream(_) => None,
    }
}

fn table(slots: usize, elements: usize) -> String {
    const HEADING: &str = "Hash table 0 stats (main hash table):\n";
    match elements {
        0 => format!("{HEADING}No stats available for empty dictionaries\n"),
        _ => format!("{HEADING} table size: {slots}\n number of elements: {elements}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::describe;
    use crate::codec::listpack::Listpack;
    use crate::commands::harness::Harness;
    use crate::config::Permission;

    fn server() -> Harness {
        let mut server = Harness::new();
        server.configure(|config| config.enable_debug_command = Permission::Yes);
        server
    }

    #[test]
    fn a_listpack_is_described_element_by_element() {
        let mut list = Listpack::new();
        list.push_back(b"a");
        list.push_back(&[b'x'; 50]);
        list.push_back(b"7");
        let text = describe(&list);
        assert!(
            text.starts_with("{total bytes 64} {num entries 3}\n{\n\tindex: 0,\n\toffset: 6,\n\tentry: 3,"),
            "{text}"
        );
        assert!(text.contains("bytes: 81|61|02|\n\t[str]a\n}"), "{text}");
        assert!(text.contains(&format!("[str]{}...\n", "x".repeat(40))), "{text}");
        assert!(
            text.ends_with("offset: 61,\n\tentry: 2,\n\tbytes: 07|01|\n\t[str]7\n}\n{end}\n\n"),
            "{text}"
        );
    }

    #[test]
    fn only_small_values_have_a_listpack_and_only_large_ones_a_table() {
        let mut server = server();
        let empty = "Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n";
        let nothing = format!("[Dictionary HT]\n{empty}[Expires HT]\n{empty}");
        server.reads("DEBUG HTSTATS 0", &format!("${} {nothing}", nothing.len()));
        server.reads("DEBUG HTSTATS 16", "-ERR Out of range database");
        server.reads("DEBUG LISTPACK h", "-ERR no such key");
        server.reads("DEBUG HTSTATS-KEY h", "-ERR no such key");
        server.run("HSET h f v");
        server.reads("DEBUG LISTPACK h", "+Listpack structure printed on stdout");
        let no_table = "-ERR The value stored at the specified key is not represented using an hash table";
        server.reads("DEBUG HTSTATS-KEY h", no_table);
        server.run(&format!("HSET h f {}", "x".repeat(100)));
        server.reads("DEBUG LISTPACK h", "-ERR Not a listpack encoded object.");
        let reply = String::from_utf8_lossy(&server.run("DEBUG HTSTATS-KEY h").reply).into_owned();
        assert!(reply.contains(" table size: 8\n number of elements: 1\n"), "{reply}");
        let reply = String::from_utf8_lossy(&server.run("DEBUG HTSTATS 0").reply).into_owned();
        assert!(reply.contains(" number of elements: 1\n shards: "), "{reply}");
    }
}
