//! COMMAND DOCS, INFO, GETKEYS and GETKEYSANDFLAGS tell of each command what Valkey 8.0 tells, so that tools which read them work alike.
//!
//!     every command that both know --> since, group, history's versions, arguments, flags, keys, categories, tips: equal?
//!
//! Texts for people (summary, complexity, changes, notes of key specs) are our own and not compared. Always: what is different on
//! purpose stands in a table here, with the reason.

use std::collections::BTreeMap;

use crate::client::{Client, Reply};
use crate::server::{Product, Server, standing_in};

/// (command, field, why it differs from Valkey 8.0)
const OWN: &[(&str, &str, &str)] = &[
    ("bitcount", "arguments", "without an end it is an error up to Redis 7.2 and here"),
    ("bitcount", "history", "the same"),
    (
        "multi",
        "flags",
        "within MULTI it is an error of its own, which does not break the transaction, as in Redis 7.2",
    ),
    ("watch", "flags", "the same"),
    ("set", "arguments", "IFEQ of Valkey 8.1"),
    ("set", "history", "the same"),
];

/// What Valkey 8.0 has from Redis 7.2 and we do not: docs/differences.md names each.
const MISSING: &[&str] = &[
    "acl",
    "asking",
    "bgrewriteaof",
    "cluster",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
    "function",
    "module",
    "readonly",
    "readwrite",
    "restore-asking",
    "script",
    "waitaof",
];

/// Fields for people.
const TEXTS: [&str; 2] = ["summary", "complexity"];

const INFO_FIELDS: [&str; 9] =
    ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"];

type Told = BTreeMap<String, BTreeMap<String, Reply>>;

#[test]
fn docs_and_info_are_those_of_valkey() {
    if standing_in() {
        return;
    }
    let (ours, theirs) = (Server::start(Product::Starling), Server::start(Product::Valkey8));
    let compare = |what: &str, of: fn(&mut Client) -> Told| {
        let (ours, theirs) = (of(&mut ours.client()), of(&mut theirs.client()));
        let known = ours.iter().filter_map(|(name, ours)| Some((name, ours, theirs.get(name)?)));
        let mut count = 0;
        let mut wrong = Vec::new();
        for (name, ours, theirs) in known {
            count += 1;
            let mut fields: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
            fields.sort();
            fields.dedup();
            for field in fields {
                let is_own = OWN.iter().any(|(command, own, _)| command == name && own == field);
                if !is_own && ours.get(field) != theirs.get(field) {
                    let (ours, theirs) = (ours.get(field), theirs.get(field));
                    wrong.push(format!("{name}: {field}\n  ours   {ours:?}\n  theirs {theirs:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "COMMAND {what}:\n{}", wrong.join("\n"));
        assert!(count > 250, "{count} commands were compared");
    };
    compare("DOCS", docs);
    compare("INFO", infos);
}

#[test]
fn every_command_of_redis_is_known_or_named_among_the_differences() {
    if standing_in() {
        return;
    }
    let (ours, theirs) = (Server::start(Product::Starling), Server::start(Product::Valkey8));
    let (ours, theirs) = (docs(&mut ours.client()), docs(&mut theirs.client()));
    let is_newer = |about: &BTreeMap<String, Reply>| about["since"].text().starts_with("8.");
    let is_part =
        |name: &str| name.split_once('|').is_some_and(|(container, _)| MISSING.contains(&container));
    let missing: Vec<&str> = theirs
        .iter()
        .filter(|(name, about)| !ours.contains_key(*name) && !is_newer(about) && !is_part(name))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(missing, MISSING);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/differences.md");
    let page = std::fs::read_to_string(path).expect("the page is part of the sources");
    for name in MISSING {
        assert!(
            page.contains(&format!("`{}`", name.to_uppercase())),
            "{name} is not on the page of differences"
        );
    }
}

#[test]
fn keys_of_requests_are_found_as_by_valkey() {
    if standing_in() {
        return;
    }
    let (ours, theirs) = (Server::start(Product::Starling), Server::start(Product::Valkey8));
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for request in REQUESTS {
        for question in ["GETKEYS", "GETKEYSANDFLAGS"] {
            let line = format!("COMMAND {question} {request}");
            assert_eq!(ours.run(&line), theirs.run(&line), "{line}");
        }
    }
}

#[test]
fn command_answers_wrong_questions_as_valkey() {
    if standing_in() {
        return;
    }
    let (ours, theirs) = (Server::start(Product::Starling), Server::start(Product::Valkey8));
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for question in [
        "COUNT x",
        "LIST x",
        "LIST FILTERBY PATTERN",
        "LIST FILTERBY x y",
        "LIST FILTERBY ACLCAT nonsense",
        "LIST FILTERBY MODULE x",
        "LIST FILTERBY PATTERN g*x",
        "DOCS nonsense config|nonsense",
        "INFO nonsense GET config|nonsense CONFIG|GET",
        "GETKEYS",
        "HELP x",
        "nonsense",
    ] {
        let line = format!("COMMAND {question}");
        assert_eq!(ours.run(&line), theirs.run(&line), "{line}");
    }
}

const REQUESTS: &[&str] = &[
    "BITFIELD k GET u8 0",
    "BITFIELD k SET u8 0 1",
    "BITOP AND d a b",
    "BLMOVE a b LEFT RIGHT 0",
    "BLMPOP 1 2 a b LEFT",
    "BLPOP a b 0",
    "BZMPOP 1 1 a MIN",
    "CLIENT LIST",
    "CONFIG",
    "COPY a b DB 3",
    "DEBUG OBJECT k",
    "GEORADIUS k 0 0 1 km",
    "GEORADIUS k 0 0 1 km STORE a STOREDIST b",
    "GEORADIUSBYMEMBER k m 1 km STORE x",
    "GEOSEARCHSTORE a b FROMMEMBER m BYRADIUS 1 km",
    "GET",
    "GET a b",
    "GET k",
    "LMPOP 2 a b LEFT",
    "LMPOP x a LEFT",
    "MEMORY USAGE k",
    "MIGRATE h 1 k 0 5",
    "MIGRATE h 1 k 0 5 KEYS a b",
    "MOVE a 3",
    "MSET a 1 b 2",
    "MSET a 1 b",
    "OBJECT ENCODING k",
    "OBJECT HELP",
    "PFDEBUG GETREG k",
    "PFMERGE a b c",
    "PING",
    "PUBLISH a b",
    "RENAME a b",
    "SET k v",
    "SET k v EX 5 GET",
    "SINTERCARD 2 a b",
    "SORT k BY p GET x STORE d STORE e",
    "SORT_RO k BY p",
    "SPUBLISH a b",
    "WATCH a b",
    "XGROUP",
    "XGROUP CREATE k g 0",
    "XREAD COUNT 5 BLOCK 0 STREAMS a $",
    "XREAD STREAMS a b 0",
    "XREAD STREAMS",
    "XREADGROUP GROUP streams streams STREAMS a >",
    "ZDIFFSTORE d 2 a b",
    "ZUNION 0 a",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
    "ZUNIONSTORE d 9 a b",
    "nonsense",
];

fn docs(client: &mut Client) -> Told {
    let mut told = Told::new();
    read_docs(client.ok("COMMAND DOCS"), &mut told);
    told
}

/// Takes a map of names and what is told of them; the subcommands become entries of their own.
fn read_docs(reply: Reply, told: &mut Told) {
    for (name, about) in pairs(reply) {
        let mut fields: BTreeMap<String, Reply> = pairs(about).into_iter().collect();
        if let Some(subcommands) = fields.remove("subcommands") {
            read_docs(subcommands, told);
        }
        fields.retain(|field, _| !TEXTS.contains(&field.as_str()));
        if let Some(changes) = fields.remove("history") {
            let versions = items(changes).into_iter().map(|change| items(change).remove(0)).collect();
            fields.insert("history".to_string(), Reply::Array(versions));
        }
        told.insert(name, fields);
    }
}

fn infos(client: &mut Client) -> Told {
    let mut told = Told::new();
    read_infos(client.ok("COMMAND INFO"), &mut told);
    told
}

fn read_infos(reply: Reply, told: &mut Told) {
    for command in items(reply) {
        let mut parts = items(command);
        read_infos(parts.pop().expect("ten parts, the last of them the subcommands"), told);
        let specs = items(parts.pop().expect("key specs")).into_iter().map(without_notes).collect();
        parts.push(Reply::Array(specs));
        let name = parts[0].text();
        told.insert(name, INFO_FIELDS.iter().map(ToString::to_string).zip(parts).collect());
    }
}

fn without_notes(spec: Reply) -> Reply {
    let fields = pairs(spec).into_iter().filter(|(name, _)| name != "notes");
    Reply::Array(fields.flat_map(|(name, value)| [Reply::Simple(name), value]).collect())
}

fn pairs(reply: Reply) -> Vec<(String, Reply)> {
    let mut items = items(reply).into_iter();
    std::iter::from_fn(|| Some((items.next()?.text(), items.next()?))).collect()
}

/// The parts of an array. The order of a set (flags, tips, categories) means nothing, but is the same.
fn items(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(items) => items,
        other => panic!("expected an array, got {other:?}"),
    }
}
