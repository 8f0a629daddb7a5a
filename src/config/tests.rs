//! Tests of the table itself: they read the rows, so a new row is tested as soon as it exists.
mod documentation;
mod facts;
mod loading;

use std::collections::BTreeSet;

use super::fields::Config;
use super::kind::Kind;
use super::row::Slot;
use super::rows;

#[test]
fn every_row_has_a_valid_default_that_reads_back() {
    let config = Config::default();
    for row in rows::all() {
        assert_eq!(row.get(&config), row.default_value(), "{}", row.name);
        assert!(!row.doc.is_empty() && row.doc.ends_with('.'), "{}: the doc is a sentence", row.name);
    }
}

#[test]
fn every_field_has_exactly_one_row_and_is_called_like_it() {
    let mut fields: Vec<&str> = Vec::new();
    for row in rows::all() {
        if let Slot::Field { name, .. } = row.slot {
            assert_eq!(name, row.name.replace('-', "_"));
            fields.push(name);
        }
    }
    fields.sort_unstable();
    let mut expected = Config::FIELDS.to_vec();
    expected.sort_unstable();
    assert_eq!(fields, expected);
}

#[test]
fn no_two_rows_share_a_spelling() {
    let mut seen = BTreeSet::new();
    for row in rows::all() {
        for name in std::iter::once(&row.name).chain(row.aliases) {
            assert!(seen.insert(*name), "{name} occurs twice");
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }
}

#[test]
fn the_extremes_of_every_row_fit_its_field() {
    let mut config = Config::default();
    for row in rows::all() {
        let extremes: Vec<String> = match row.kind {
            Kind::Int { min, max } | Kind::Clamped { min, max } => vec![min.to_string(), max.to_string()],
            Kind::Memory { min, max } => vec![min.to_string(), max.to_string()],
            Kind::Octal { max } => vec!["0".into(), format!("{max:o}")],
            Kind::Word(words) => words.iter().map(|word| word.to_string()).collect(),
            Kind::Bool => vec!["yes".into(), "no".into()],
            _ => vec![],
        };
        for text in extremes {
            let value = row.kind.parse(&[text.as_bytes()], &row.get(&config)).expect(row.name);
            row.set(&mut config, value.clone());
            assert_eq!(row.get(&config), value, "{} {text}", row.name);
        }
    }
}
