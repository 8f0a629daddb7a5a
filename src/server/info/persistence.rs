//! `# Persistence`: what is being loaded, and when the data set was saved last.
//!
//! Called by INFO. Always: no child process ever exists here, so the figures about one are those of the walk that takes its
//! place; the append-only file is off.

use crate::exec::loading::{LoadState, Progress};
use crate::server::info::{Lines, Moment};
use crate::snapshot::Snapshots;

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    let loading = &moment.shared.engine.loading;
    lines.field("loading", u8::from(loading.state() == LoadState::Blocking));
    lines.field("async_loading", u8::from(loading.state() == LoadState::Beside));
    write_walk(lines, moment.shared.replication().snapshots());
    write_rdb(lines, moment);
    write_aof(lines);
    lines.fields(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
    if let Some(progress) = loading.progress(moment.now) {
        write_progress(lines, &progress);
    }
}

/// How far a load has come.
fn write_progress(lines: &mut Lines, progress: &Progress) {
    lines.field("loading_start_time", progress.started.0.div_euclid(1000));
    lines.field("loading_total_bytes", progress.total_bytes);
    lines.field("loading_rdb_used_mem", progress.memory_bytes);
    lines.field("loading_loaded_bytes", progress.loaded_bytes);
    lines.field("loading_loaded_perc", format_args!("{:.2}", progress.percent()));
    lines.field("loading_eta_seconds", progress.seconds_left());
}

/// What Redis says of a child that saves: here a thread walks the data set, and what it costs to write meanwhile are copies of
/// entries that change before the walk comes to them.
fn write_walk(lines: &mut Lines, snapshots: &Snapshots) {
    let walk = snapshots.progress().unwrap_or_default();
    let percent =
        if walk.keys_total > 0 { walk.keys_walked as f64 / walk.keys_total as f64 * 100.0 } else { 0.0 };
    lines.fields(&["current_cow_peak", "current_cow_size"], walk.captured_bytes);
    lines.field("current_cow_size_age", 0);
    lines.field("current_fork_perc", format_args!("{percent:.2}"));
    lines.field("current_save_keys_processed", walk.keys_walked);
    lines.field("current_save_keys_total", walk.keys_total);
}

fn write_rdb(lines: &mut Lines, moment: &Moment<'_>) {
    let status = moment.shared.saver().status(moment.now);
    // The snapshot of a full sync counts too: in Redis the same child makes both.
    let is_making =
        status.is_bgsave_in_progress || moment.shared.replication().snapshots().replicas_fed() > 0;
    lines.field("rdb_changes_since_last_save", status.changes_since_last_save);
    lines.field("rdb_bgsave_in_progress", u8::from(is_making));
    lines.field("rdb_last_save_time", status.last_save.0.div_euclid(1000));
    lines.field("rdb_last_bgsave_status", if status.is_last_bgsave_ok { "ok" } else { "err" });
    lines.field("rdb_last_bgsave_time_sec", status.last_bgsave_seconds.unwrap_or(-1));
    lines.field("rdb_current_bgsave_time_sec", status.current_bgsave_seconds.unwrap_or(-1));
    lines.field("rdb_saves", status.saves);
    let copied = match moment.shared.replication().snapshots().last() {
        Some(Ok(report)) => report.pre_image_bytes,
        Some(Err(_)) | None => 0,
    };
    lines.field("rdb_last_cow_size", copied);
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
