//! LATENCY: what took long, when, and how durations of commands are distributed.
//!
//! Called through its rows; samples are `watching::latency`'s, histograms those of the executors.
//! Always: times are Unix seconds, latencies milliseconds, histograms microseconds.

use std::fmt::Write as _;

use crate::base::histogram::Distribution;
use crate::commands::spec::help::help;
use crate::commands::spec::table::{Command, table};
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};
use crate::watching::latency::Series;
use crate::watching::sparkline::{COLUMNS, draw};

const BASE: Row = Row {
    flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    group: Group::Server,
    since: "2.8.13",
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "latency",
    arity: -2,
    flags: Flags(0),
    tips: &[],
    summary: "A container for latency diagnostics commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "doctor",
        arity: 2,
        summary: "Returns a human-readable latency analysis report.",
        run: Run::Control(doctor),
        ..BASE
    },
    Row {
        name: "graph",
        arity: 3,
        summary: "Returns a latency graph for an event.",
        run: Run::Control(graph),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        tips: &[],
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(latency_help),
        ..BASE
    },
    Row {
        name: "histogram",
        arity: -2,
        since: "7.0.0",
        summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
        complexity: "O(N) where N is the number of commands with latency information being retrieved.",
        run: Run::Control(histogram),
        ..BASE
    },
    Row {
        name: "history",
        arity: 3,
        summary: "Returns timestamp-latency samples for an event.",
        run: Run::Control(history),
        ..BASE
    },
    Row {
        name: "latest",
        arity: 2,
        summary: "Returns the latest latency samples for all events.",
        run: Run::Control(latest),
        ..BASE
    },
    Row {
        name: "reset",
        arity: -2,
        tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
        summary: "Resets the latency data for one or more events.",
        run: Run::Control(reset),
        ..BASE
    },
];

fn history(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let series = control.host.latency().get(args.get(2)).map(|(_, series)| series).unwrap_or_default();
    control.reply.array(series.samples.len());
    for sample in &series.samples {
        control.reply.array(2);
        control.reply.int(sample.second);
        control.reply.int(sample.ms as i64);
    }
    Ok(())
}

fn latest(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let all = control.host.latency().all();
    control.reply.array(all.len());
    for (event, series) in &all {
        let last = series.samples.back();
        control.reply.array(4);
        control.reply.bulk(event.as_bytes());
        control.reply.int(last.map_or(0, |sample| sample.second));
        control.reply.int(last.map_or(0, |sample| sample.ms as i64));
        control.reply.int(series.max_ms as i64);
    }
    Ok(())
}

fn reset(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let latency = control.host.latency();
    let count = match args.len() {
        2 => latency.reset(None),
        _ => args.from(2).map(|event| latency.reset(Some(event))).sum(),
    };
    control.reply.int(count as i64);
    Ok(())
}

fn graph(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let event = args.get(2);
    let Some((name, series)) = control.host.latency().get(event) else {
        let event = String::from_utf8_lossy(event).into_owned();
        return Err(Failure::new(format!("ERR No samples available for event '{event}'")));
    };
    let text = draw_series(name, &series, control.now.0.div_euclid(1000));
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn draw_series(name: &str, series: &Series, now_second: i64) -> String {
    let high = series.samples.iter().map(|sample| sample.ms).max().unwrap_or(0);
    let low = series.samples.iter().map(|sample| sample.ms).min().unwrap_or(0);
    let mut out = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", series.max_ms);
    out.push_str(&"-".repeat(COLUMNS));
    out.push('\n');
    let values: Vec<(u64, String)> =
        series.samples.iter().map(|sample| (sample.ms, ago(now_second - sample.second))).collect();
    out.push_str(&draw(&values));
    out
}

/// A span of time in its largest unit.
fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        86400.. => format!("{}d", seconds / 86400),
    }
}

fn doctor(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let config = control.host.config().load();
    let all = control.host.latency().all();
    let mut out = String::new();
    if all.is_empty() && config.latency_monitor_threshold == 0 {
        out.push_str(
            "The latency monitor is off, so there is nothing to look at. Switch it on with \"CONFIG SET \
             latency-monitor-threshold <milliseconds>\".\n",
        );
    } else if all.is_empty() {
        out.push_str("No event has exceeded latency-monitor-threshold: everything is fine.\n");
    } else {
        out.push_str("Some events took longer than latency-monitor-threshold:\n\n");
        for (number, (event, series)) in all.iter().enumerate() {
            describe(&mut out, number + 1, event, series, control.now.0.div_euclid(1000));
        }
        out.push_str("\nWhat may help:\n\n");
        for (event, _) in &all {
            let _ = writeln!(out, "- {}", advice(event, config.slowlog_log_slower_than < 0));
        }
    }
    control.reply.verbatim("txt", out.as_bytes());
    Ok(())
}

fn describe(out: &mut String, number: usize, event: &str, series: &Series, now_second: i64) {
    let Some(summary) = series.summary(now_second) else { return };
    let period = summary.period_seconds as f64 / summary.count as f64;
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{number}. {event}: {} latency spikes (average {}ms, mean deviation {}ms, period {period:.2} sec). Worst all time \
         event {}ms.",
        summary.count, summary.mean_ms, summary.mean_deviation_ms, series.max_ms
    );
}

fn advice(event: &str, has_no_slow_log: bool) -> &'static str {
    match event {
        "command" if has_no_slow_log => {
            "command: switch the slow log on (slowlog-log-slower-than) to see which commands are slow."
        }
        "command" => {
            "command: SLOWLOG GET shows which commands are slow; look for those that walk over many elements."
        }
        "fast-command" => {
            "fast-command: commands that are quick by their nature took long: look for a machine without free cores, for \
             swapping, and for very large values."
        }
        "expire-cycle" => {
            "expire-cycle: many keys, or very large ones, expire at the same time: spread their deadlines."
        }
        _ => "other events: look at what the server was doing at these times in its log.",
    }
}

fn histogram(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut wanted: Vec<&'static Command> = Vec::new();
    if args.len() == 2 {
        wanted.extend(table().iter());
    }
    for name in args.from(2) {
        match table().find(name) {
            Some(command) if command.subcommands.is_empty() => wanted.push(command),
            Some(container) => {
                wanted.push(container);
                wanted.extend(container.subcommands.iter().map(|id| table().get(*id)));
            }
            None => {}
        }
    }
    let measured: Vec<(&Command, Distribution)> = wanted
        .into_iter()
        .map(|command| (command, control.host.durations(command.id)))
        .filter(|(_, durations)| durations.total() > 0)
        .collect();
    control.reply.map(measured.len());
    for (command, durations) in &measured {
        let steps = durations.cumulative_micros();
        let reply = &mut *control.reply;
        reply.bulk(command.full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.int(durations.total() as i64);
        reply.bulk(b"histogram_usec");
        reply.map(steps.len());
        for (micros, count) in steps {
            reply.int(micros as i64);
            reply.int(count as i64);
        }
    }
    Ok(())
}

fn latency_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "latency",
        &[
            "DOCTOR",
            "    Return a report for people.",
            "GRAPH <event>",
            "    Return a graph of an event's latencies in plain characters.",
            "HISTORY <event>",
            "    Return an event's samples: time and latency.",
            "LATEST",
            "    Return the last sample of every event, and its worst.",
            "RESET [<event> ...]",
            "    Forget the samples of these events, or of all.",
            "HISTOGRAM [<command> ...]",
            "    Return how the durations of these commands, or of all, are distributed.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ago;
    use crate::commands::harness::{Harness, NOW};

    #[test]
    fn samples_are_shown_and_forgotten_by_event() {
        let mut h = Harness::new();
        h.reads("latency latest", "*0");
        h.reads("latency history command", "*0");
        h.reads("latency graph command", "-ERR No samples available for event 'command'");
        h.host.latency.add("command", NOW / 1000 - 5, 300);
        h.host.latency.add("command", NOW / 1000, 100);
        let (first, second) = (NOW / 1000 - 5, NOW / 1000);
        h.reads("latency history command", &format!("*2 *2 :{first} :300 *2 :{second} :100"));
        h.reads("latency latest", &format!("*1 *4 $7 command :{second} :100 :300"));
        let graph = h.run("latency graph command").reply_text();
        assert!(graph.contains("command - high 300 ms, low 100 ms (all time high 300 ms)"), "{graph}");
        assert!(h.run("latency doctor").reply_text().contains("command: 2 latency spikes (average 200ms"));
        h.reads("latency reset nothing", ":0");
        h.reads("latency reset", ":1");
        assert!(h.run("latency doctor").reply_text().contains("is off"));
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (3600, "1h"), (90_000, "1d")] {
            assert_eq!(ago(seconds), text);
        }
    }
}
