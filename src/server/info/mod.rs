//! INFO: the server's state as text, in sections; field names and order are those of Redis 7.2, for tools parse them.
//!
//! ```text
//!  INFO [section ...] -> which sections? -> one writer per section -> "# Server\r\nredis_version:...\r\n\r\n# Clients..."
//! ```
//!
//! Called by the INFO command through the host. A section is a file here; a field is a line in it.
//! Always: figures are recent, not of one moment; a field whose matter does not exist here shows the value that Redis
//! shows when that matter is not in use.

mod clients;
mod commandstats;
mod cpu;
mod keyspace;
mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use std::sync::Arc;

use crate::base::ids::UnixMs;
use crate::config::Config;
use crate::exec::stats::Totals;
use crate::server::shared::Shared;

pub use memory::Counted;
pub use memory::figures as memory_figures;

/// What all sections are written from.
struct Moment<'a> {
    shared: &'a Shared,
    config: Arc<Config>,
    totals: Totals,
    /// Asked for first: what the text takes does not count.
    counted: Counted,
    now: UnixMs,
}

/// One section. `write` appends whole lines with their line ends.
struct Section {
    name: &'static str,
    heading: &'static str,
    is_default: bool,
    write: fn(&mut Lines, &Moment<'_>),
}

const fn section(
    name: &'static str,
    heading: &'static str,
    is_default: bool,
    write: fn(&mut Lines, &Moment<'_>),
) -> Section {
    Section { name, heading, is_default, write }
}

const SECTIONS: &[Section] = &[
    section("server", "Server", true, server::write),
    section("clients", "Clients", true, clients::write),
    section("memory", "Memory", true, memory::write),
    section("persistence", "Persistence", true, persistence::write),
    section("stats", "Stats", true, stats::write),
    section("replication", "Replication", true, replication::write),
    section("cpu", "CPU", true, cpu::write),
    section("modules", "Modules", true, |_, _| {}),
    section("commandstats", "Commandstats", false, commandstats::write_commands),
    section("errorstats", "Errorstats", true, commandstats::write_errors),
    section("latencystats", "Latencystats", false, commandstats::write_latencies),
    section("cluster", "Cluster", true, |lines, _| lines.field("cluster_enabled", 0)),
    section("keyspace", "Keyspace", true, keyspace::write),
];

/// Lines of `name:value`.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        // Writing into a String cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// The same value for all names.
    fn fields(&mut self, names: &[&str], value: impl std::fmt::Display + Copy) {
        names.iter().for_each(|name| self.field(name, value));
    }

    fn text(&mut self, lines: &str) {
        self.0.push_str(lines);
    }
}

/// The text for the sections that `asked` names; for the default ones if it names none.
pub fn text(shared: &Shared, asked: &[&[u8]], now: UnixMs) -> String {
    let moment = Moment {
        shared,
        counted: Counted::now(),
        config: shared.engine.config.load().clone(),
        totals: shared.engine.statistics.totals(),
        now,
    };
    let mut lines = Lines::default();
    for section in SECTIONS.iter().filter(|section| is_wanted(section, asked)) {
        if !lines.0.is_empty() {
            lines.text("\r\n");
        }
        lines.text("# ");
        lines.text(section.heading);
        lines.text("\r\n");
        (section.write)(&mut lines, &moment);
    }
    lines.0
}

fn is_wanted(section: &Section, asked: &[&[u8]]) -> bool {
    let asks = |word: &[u8]| {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        is("all")
            || is("everything")
            || is(section.name)
            || (is("default") && section.is_default)
            || (section.name == "modules" && is("module_list"))
    };
    (asked.is_empty() && section.is_default) || asked.iter().any(|word| asks(word))
}

/// A number of bytes for people: `894.91K`.
fn human(bytes: u64) -> String {
    const UNITS: [(&str, u32); 5] = [("B", 0), ("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let (unit, shift) = UNITS.into_iter().rev().find(|(_, shift)| bytes >= 1 << shift).unwrap_or(("B", 0));
    match shift {
        0 => format!("{bytes}B"),
        shift => format!("{:.2}{unit}", bytes as f64 / (1u64 << shift) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::{SECTIONS, human, is_wanted};

    #[test]
    fn sections_are_chosen_by_name_in_any_case() {
        let chosen = |asked: &[&str]| {
            let asked: Vec<&[u8]> = asked.iter().map(|word| word.as_bytes()).collect();
            let wanted = SECTIONS.iter().filter(|section| is_wanted(section, &asked));
            wanted.map(|section| section.name).collect::<Vec<_>>().join(" ")
        };
        let default =
            "server clients memory persistence stats replication cpu modules errorstats cluster keyspace";
        let all = "server clients memory persistence stats replication cpu modules commandstats errorstats \
                   latencystats cluster keyspace";
        assert_eq!(chosen(&[]), default);
        assert_eq!(chosen(&["default"]), default);
        assert_eq!(chosen(&["ALL"]), all);
        assert_eq!(chosen(&["everything"]), all);
        assert_eq!(chosen(&["Replication", "commandstats"]), "replication commandstats");
        assert_eq!(chosen(&["nonsense"]), "");
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (916_392, "894.91K"), (5 << 30, "5.00G")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
