//! The parameter table: every directive that Starling knows, one row each, one file per topic.
//!
//! ```text
//!   network      sockets, clients, limits            memory       limit, eviction, expiry
//!   process      log, files, threads, hz             replication  both roles
//!   security     passwords, dangerous abilities      watching     events, slow log, latency, tracking
//!   persistence  snapshots on disk                   accepted     understood, without effect            encodings    small forms of collections
//! ```
//!
//! To add a directive: a field in `fields.rs`, a row in the file of its topic, and `UPDATE_DOCS=1` for the tests,
//! which rewrites `docs/configuration.md`. Nothing else needs to know. Always: no two rows share a spelling.
mod accepted;
mod encodings;
mod memory;
mod network;
mod persistence;
mod process;
mod replication;
mod security;
mod watching;

use super::row::Row;

/// Every row with its topic, in the order of the documentation.
pub(super) static TOPICS: &[(&str, &[Row])] = &[
    ("Network and clients", network::ROWS),
    ("Process", process::ROWS),
    ("Security", security::ROWS),
    ("Snapshots on disk", persistence::ROWS),
    ("Memory", memory::ROWS),
    ("Encodings of collections", encodings::ROWS),
    ("Replication", replication::ROWS),
    ("Watching the server", watching::ROWS),
    ("Accepted, without effect", accepted::ROWS),
];

/// Every row, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Row> {
    TOPICS.iter().flat_map(|(_, rows)| rows.iter())
}

/// The row that has `name` among its names, and the name as the row spells it. Case does not matter.
pub fn find(name: &[u8]) -> Option<(&'static Row, &'static str)> {
    all().find_map(|row| row.spelling(name).map(|spelling| (row, spelling)))
}

/// The known name that is closest to a mistyped one, if any is close enough to be meant.
pub(super) fn closest(name: &[u8]) -> Option<&'static str> {
    /// A typing error or two: more would suggest strangers.
    const DISTANCE_MAX: usize = 2;
    /// Longer names are no typing errors, and comparing them costs time.
    const LENGTH_MAX: usize = 64;
    if name.len() > LENGTH_MAX {
        return None;
    }
    all()
        .filter(|row| !row.hidden)
        .map(|row| (distance(name, row.name.as_bytes()), row.name))
        .filter(|(distance, known)| *distance <= DISTANCE_MAX && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be added, dropped or changed to get from one name to the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, target) in to.iter().enumerate() {
            let change = diagonal + usize::from(!letter.eq_ignore_ascii_case(target));
            diagonal = row[at + 1];
            row[at + 1] = change.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}
