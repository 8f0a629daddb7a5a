//! `# Commandstats` and `# Errorstats`: calls per command, error replies per code.
//!
//! Called by INFO. Always: only what has been called, or refused, is listed. Time is measured per window of a pipeline and
//! spread evenly over its commands.

use crate::commands::spec::table::table;
use crate::server::info::{Lines, Moment};

pub(super) fn write_commands(lines: &mut Lines, moment: &Moment<'_>) {
    for (command, totals) in table().iter().zip(&moment.totals.commands) {
        if totals.calls == 0 && totals.rejected == 0 && totals.failed == 0 {
            continue;
        }
        let micros = totals.nanos / 1000;
        let each = if totals.calls == 0 { 0.0 } else { totals.nanos as f64 / 1000.0 / totals.calls as f64 };
        lines.field(
            &format!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                totals.calls, totals.rejected, totals.failed
            ),
        );
    }
}

pub(super) fn write_errors(lines: &mut Lines, moment: &Moment<'_>) {
    for (code, count) in &moment.totals.errors {
        // The code may be a client's own word (DEBUG ERROR): it must not break the line's form.
        let safe = code.replace(['#', ':', '\n', '\r'], "_");
        lines.field(&format!("errorstat_{safe}"), format_args!("count={count}"));
    }
}

/// Percentiles of the commands' durations, in microseconds.
pub(super) fn write_latencies(lines: &mut Lines, moment: &Moment<'_>) {
    for command in table().iter() {
        let durations = moment.shared.engine.statistics.durations(command.id);
        if durations.total() == 0 {
            continue;
        }
        let shares = &moment.config.latency_tracking_info_percentiles;
        let percentile =
            |share: &f64| format!("p{share}={:.3}", durations.percentile(*share) as f64 / 1000.0);
        let shown: Vec<String> = shares.iter().map(percentile).collect();
        lines.field(&format!("latency_percentiles_usec_{}", command.full_name), shown.join(","));
    }
}
