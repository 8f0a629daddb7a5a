//! What COMMAND DOCS tells of a command beyond its row: its arguments, and what replaces it.
//!
//! ```text
//!  DOCS: {summary, since, group, complexity, doc_flags, deprecated_since, replaced_by,
//!         history, arguments, subcommands: {name: {...}}}
//! ```
//!
//! Called by `command`. The tables hold arguments in the notation of `syntax`, one file for some groups each.
//! Always: every command that takes arguments has an entry, and every entry can be read; a test goes through all.

mod administration;
mod collections;
mod history;
mod syntax;
mod values;

use crate::commands::spec::table::{Command, table};
use crate::resp::reply::Reply;

const TABLES: [&[(&str, &str)]; 3] = [administration::SYNTAX, collections::SYNTAX, values::SYNTAX];

/// Commands that have a better one: (name, since, which).
const REPLACED: &[(&str, &str, &str)] = &[
    ("brpoplpush", "6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
    ("georadius", "6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
    ("georadius_ro", "6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
    (
        "georadiusbymember",
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    ),
    ("georadiusbymember_ro", "6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    ("getset", "6.2.0", "`SET` with the `!GET` argument"),
    ("hmset", "4.0.0", "`HSET` with multiple field-value pairs"),
    ("psetex", "2.6.12", "`SET` with the `PX` argument"),
    ("quit", "7.2.0", "just closing the connection"),
    ("rpoplpush", "6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
    ("setex", "2.6.12", "`SET` with the `EX` argument"),
    ("setnx", "2.6.12", "`SET` with the `NX` argument"),
    ("slaveof", "5.0.0", "`REPLICAOF`"),
    ("substr", "2.0.0", "`GETRANGE`"),
    ("zrangebylex", "6.2.0", "`ZRANGE` with the `BYLEX` argument"),
    ("zrangebyscore", "6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
    ("zrevrange", "6.2.0", "`ZRANGE` with the `REV` argument"),
    ("zrevrangebylex", "6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
    ("zrevrangebyscore", "6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
];

/// Commands that servers use among themselves.
const INTERNAL: [&str; 4] = ["debug", "pfdebug", "pfselftest", "replconf"];

fn syntax_of(name: &str) -> Option<&'static str> {
    let find = |rows: &&'static [(&'static str, &'static str)]| {
        rows.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| rows[at].1)
    };
    TABLES.iter().find_map(find)
}

/// One command as COMMAND DOCS shows it.
pub(super) fn write(reply: &mut Reply, command: &Command) {
    let row = command.row;
    let replaced = REPLACED.iter().find(|(name, _, _)| *name == command.full_name);
    let mark = reply.begin();
    let mut fields = 0;
    let texts = [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group.name()),
        ("complexity", row.complexity),
    ];
    for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        field(reply, &mut fields, name);
        reply.bulk(value.as_bytes());
    }
    let flag = if replaced.is_some() { Some("deprecated") } else { None };
    if let Some(flag) = flag.or(INTERNAL.contains(&command.full_name).then_some("syscmd")) {
        field(reply, &mut fields, "doc_flags");
        reply.set(1);
        reply.simple(flag);
    }
    if let Some((_, since, by)) = replaced {
        field(reply, &mut fields, "deprecated_since");
        reply.bulk(since.as_bytes());
        field(reply, &mut fields, "replaced_by");
        reply.bulk(by.as_bytes());
    }
    let history = history::of(command.full_name);
    if !history.is_empty() {
        field(reply, &mut fields, "history");
        write_history(reply, history);
    }
    if let Some(text) = syntax_of(command.full_name) {
        field(reply, &mut fields, "arguments");
        syntax::write(reply, text);
    }
    if !command.subcommands.is_empty() {
        field(reply, &mut fields, "subcommands");
        reply.map(command.subcommands.len());
        for id in &command.subcommands {
            let subcommand = table().get(*id);
            reply.bulk(subcommand.full_name.as_bytes());
            write(reply, subcommand);
        }
    }
    reply.end_map(mark, fields);
}

fn write_history(reply: &mut Reply, history: history::History) {
    reply.set(history.len());
    for (version, change) in history {
        reply.array(2);
        reply.bulk(version.as_bytes());
        reply.bulk(change.as_bytes());
    }
}

fn field(reply: &mut Reply, fields: &mut usize, name: &str) {
    reply.bulk(name.as_bytes());
    *fields += 1;
}

#[cfg(test)]
mod tests {
    use super::{INTERNAL, REPLACED, TABLES, syntax_of};
    use crate::commands::harness::Harness;
    use crate::commands::spec::table::table;

    #[test]
    fn tables_are_in_order_and_name_commands_that_exist() {
        for rows in TABLES {
            assert!(rows.is_sorted_by_key(|(name, _)| name));
            for (name, _) in rows {
                assert!(table().find(name.as_bytes()).is_some(), "{name}");
            }
        }
        for (name, _, _) in REPLACED {
            assert!(table().find(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn every_command_with_arguments_tells_them() {
        for command in table().iter().filter(|command| command.subcommands.is_empty()) {
            let names = 1 + i32::from(command.container.is_some());
            if command.row.arity.abs() > names && !INTERNAL.contains(&command.full_name) {
                assert!(syntax_of(command.full_name).is_some(), "{}", command.full_name);
            }
        }
    }

    #[test]
    fn docs_are_maps_of_what_is_known() {
        let mut h = Harness::new();
        let expected = "*2 $4 echo *10 $7 summary $25 Returns the given string. $5 since $5 1.0.0 $5 group $10 connection \
                        $10 complexity $4 O(1) $9 arguments *1 *6 $4 name $7 message $4 type $6 string $12 display_text $7 \
                        message";
        h.reads("command docs echo", expected);
        assert!(
            h.run("command docs substr")
                .reply_text()
                .contains("$9 doc_flags *1 +deprecated $16 deprecated_since")
        );
    }
}
