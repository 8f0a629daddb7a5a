//! The table against what redis-server 7.0.15 said when it was asked: names, aliases, defaults, what CONFIG SET may
//! change. The record lies beside this file.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::config::fields::Config;
use crate::config::rows;

const RECORD: &str = include_str!("redis-7.0.15.txt");

/// Where we differ on purpose: name and our default.
const OTHER_DEFAULTS: &[(&str, &str)] = &[("repl-backlog-size", "10485760"), ("disable-thp", "no")];
/// Directives of ours that 7.0.15 does not know: our own, and those of 7.2.
const NOT_IN_RECORD: &[&str] =
    &["threads", "set-max-listpack-entries", "set-max-listpack-value", "cluster-announce-human-nodename"];

/// (sort, name, value) of each recorded line.
fn record() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    RECORD.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut parts = line.splitn(3, ' ');
        (parts.next().expect("a sort"), parts.next().expect("a name"), parts.next().unwrap_or(""))
    })
}

#[test]
fn every_directive_of_redis_is_known_with_its_default_and_its_rights() {
    let config = Config::default();
    for (sort, name, value) in record() {
        let (row, _) = rows::find(name.as_bytes()).unwrap_or_else(|| panic!("{name} has no row"));
        let expected =
            OTHER_DEFAULTS.iter().find(|(other, _)| *other == name).map_or(value, |(_, ours)| ours);
        assert_eq!(String::from_utf8_lossy(&row.show(&config)), expected, "{name}");
        let ours = match row {
            row if row.immutable => "immutable",
            row if row.protected => "protected",
            row if row.hidden => "hidden",
            _ => "modifiable",
        };
        assert_eq!(ours, sort, "{name}");
    }
}

#[test]
fn every_setting_with_an_effect_is_read_by_somebody() {
    let mut sources = String::new();
    read_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut sources);
    for field in Config::FIELDS {
        let reads = |name: &str| sources.contains(name);
        assert!(reads(&format!(".{field}")), "{field} is read nowhere: its row belongs to rows/accepted.rs");
    }
}

/// The text of all sources below `folder` but for `config/rows` and tests, which only set values.
fn read_sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.ends_with("config/rows") || path.ends_with("config/tests") {
            continue;
        }
        if path.is_dir() {
            read_sources(&path, text);
        } else {
            *text += &fs::read_to_string(&path).expect("a source");
        }
    }
}

#[test]
fn there_is_no_directive_that_redis_does_not_know_except_those_listed() {
    let recorded: BTreeSet<&str> = record().map(|(_, name, _)| name).collect();
    let unknown: Vec<&str> =
        rows::all().flat_map(|row| row.names()).filter(|name| !recorded.contains(name)).collect();
    let mut expected = NOT_IN_RECORD.to_vec();
    let mut found = unknown.clone();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}
