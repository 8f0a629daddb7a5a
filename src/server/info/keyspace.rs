//! `# Keyspace`: how many keys each database holds.
//!
//! Called by INFO. Always: databases without keys are left out; no shard is locked for it.

use crate::server::info::{Lines, Moment};

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    for (index, db) in moment.shared.engine.keyspace().iter() {
        let (keys, expires) = (db.len(), db.expires());
        if keys > 0 {
            // Deadlines are not averaged: 0 is what Redis shows before its first estimate.
            lines.field(&format!("db{index}"), format_args!("keys={keys},expires={expires},avg_ttl=0"));
        }
    }
}
