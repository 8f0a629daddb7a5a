//! `# Persistence`: what is being loaded, and when the data set was saved last.
//!
//! Called by INFO. Always: no child process ever exists here, so copy-on-write figures are 0; a data set is loaded beside
//! the old one, so nobody ever meets a server that is loading; the append-only file is off.

use crate::server::info::{Lines, Moment};

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    lines.fields(
        &["loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"],
        0,
    );
    lines.field("current_fork_perc", "0.00");
    lines.fields(&["current_save_keys_processed", "current_save_keys_total"], 0);
    write_rdb(lines, moment);
    write_aof(lines);
    lines.fields(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
}

fn write_rdb(lines: &mut Lines, moment: &Moment<'_>) {
    let status = moment.shared.saver().status(moment.now);
    lines.field("rdb_changes_since_last_save", status.changes_since_last_save);
    lines.field("rdb_bgsave_in_progress", u8::from(status.is_bgsave_in_progress));
    lines.field("rdb_last_save_time", status.last_save.0.div_euclid(1000));
    lines.field("rdb_last_bgsave_status", if status.is_last_bgsave_ok { "ok" } else { "err" });
    lines.field("rdb_last_bgsave_time_sec", status.last_bgsave_seconds.unwrap_or(-1));
    lines.field("rdb_current_bgsave_time_sec", status.current_bgsave_seconds.unwrap_or(-1));
    lines.field("rdb_saves", status.saves);
    lines.field("rdb_last_cow_size", 0);
    lines.field("rdb_last_load_keys_expired", status.last_load_expired);
    lines.field("rdb_last_load_keys_loaded", status.last_load_keys);
}

fn write_aof(lines: &mut Lines) {
    lines.fields(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"], 0);
    lines.fields(&["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"], -1);
    lines.field("aof_last_bgrewrite_status", "ok");
    lines.fields(&["aof_rewrites", "aof_rewrites_consecutive_failures"], 0);
    lines.field("aof_last_write_status", "ok");
    lines.field("aof_last_cow_size", 0);
}
