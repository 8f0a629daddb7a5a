//! MEMORY STATS and DOCTOR: what memory went to, in figures and in words.
//!
//! Called through the rows in `memory`; the figures come from the host. Fields and their order are those of Redis 7.2, for
//! tools parse them. Always: figures are recent, not of one moment; a field whose matter does not exist here is 0.

use crate::commands::spec::host::MemoryFigures;
use crate::commands::spec::{Args, Control, Failure};
use crate::keyspace::db::Keyspace;
use crate::resp::reply::Reply;

/// `MEMORY STATS`
pub(super) fn stats(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let figures = control.host.memory();
    write_stats(control.reply, &figures, &control.host.keyspace());
    Ok(())
}

/// `MEMORY DOCTOR`
pub(super) fn doctor(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let text = diagnosis(&control.host.memory());
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// A figure of the reply.
enum Figure {
    Count(u64),
    Difference(i64),
    Ratio(f64),
}

use Figure::{Count, Difference, Ratio};

fn write_stats(reply: &mut Reply, figures: &MemoryFigures, keyspace: &Keyspace) {
    let (front, back) = (front(figures), back(figures, keyspace.keys() as u64));
    let tables: Vec<_> = keyspace.iter().filter(|(_, db)| !db.is_empty()).collect();
    reply.map(front.len() + tables.len() + back.len());
    write(reply, &front);
    for (index, db) in tables {
        reply.bulk(format!("db.{}", index.0).as_bytes());
        let overhead = [
            ("overhead.hashtable.main", Count(db.table_bytes() as u64)),
            ("overhead.hashtable.expires", Count(0)),
            ("overhead.hashtable.slot-to-keys", Count(0)),
        ];
        reply.map(overhead.len());
        write(reply, &overhead);
    }
    write(reply, &back);
}

fn write(reply: &mut Reply, fields: &[(&str, Figure)]) {
    for (name, figure) in fields {
        reply.bulk(name.as_bytes());
        match *figure {
            Count(value) => reply.int(i64::try_from(value).unwrap_or(i64::MAX)),
            Difference(value) => reply.int(value),
            Ratio(value) => reply.double(value),
        }
    }
}

/// The fields before those of the databases.
fn front(figures: &MemoryFigures) -> [(&'static str, Figure); 10] {
    [
        ("peak.allocated", Count(figures.peak)),
        ("total.allocated", Count(figures.used)),
        ("startup.allocated", Count(figures.startup)),
        ("replication.backlog", Count(figures.backlog)),
        ("clients.slaves", Count(figures.replicas)),
        ("clients.normal", Count(figures.clients)),
        ("cluster.links", Count(0)),
        ("aof.buffer", Count(0)),
        ("lua.caches", Count(0)),
        ("functions.caches", Count(0)),
    ]
}

/// The fields behind those of the databases. jemalloc keeps no statistics here, so the allocator has what the system gave us.
fn back(figures: &MemoryFigures, keys: u64) -> [(&'static str, Figure); 17] {
    let MemoryFigures { used, peak, resident, .. } = *figures;
    let excess = resident as i64 - used as i64;
    [
        ("overhead.total", Count(figures.overhead())),
        ("keys.count", Count(keys)),
        ("keys.bytes-per-key", Count(figures.beyond_startup().checked_div(keys).unwrap_or(0))),
        ("dataset.bytes", Count(figures.dataset())),
        ("dataset.percentage", Ratio(100.0 * ratio(figures.dataset(), figures.beyond_startup()))),
        ("peak.percentage", Ratio(100.0 * ratio(used, peak))),
        ("allocator.allocated", Count(used)),
        ("allocator.active", Count(resident)),
        ("allocator.resident", Count(resident)),
        ("allocator-fragmentation.ratio", Ratio(ratio(resident, used))),
        ("allocator-fragmentation.bytes", Difference(excess)),
        ("allocator-rss.ratio", Ratio(1.0)),
        ("allocator-rss.bytes", Difference(0)),
        ("rss-overhead.ratio", Ratio(1.0)),
        ("rss-overhead.bytes", Difference(0)),
        ("fragmentation", Ratio(ratio(resident, used))),
        ("fragmentation.bytes", Difference(excess)),
    ]
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Below this a server's own memory outweighs its data, and ratios say nothing. This and the limits below are Redis'.
const DIAGNOSED_FROM_BYTES: u64 = 5 << 20;
const FRAGMENTED_FROM_BYTES: u64 = 10 << 20;
const CLIENT_BYTES_MAX: u64 = 200 << 10;
const REPLICA_BYTES_MAX: u64 = 10 << 20;

fn diagnosis(figures: &MemoryFigures) -> String {
    let MemoryFigures { used, peak, resident, clients, client_count, replicas, replica_count, .. } = *figures;
    if used < DIAGNOSED_FROM_BYTES {
        return "The server uses too little memory for a diagnosis.\n".into();
    }
    let findings = [
        (
            ratio(peak, used) > 1.5,
            "Peak: once more than 150% of what is in use now was. The resident set may stay larger for it; MEMORY PURGE gives \
             unused pages back.",
        ),
        (
            ratio(resident, used) > 1.4 && resident - used > FRAGMENTED_FROM_BYTES,
            "Fragmentation: the resident set is more than 1.4 times as large as what is in use. After a peak this is normal; \
             else values of changing sizes leave holes.",
        ),
        (
            figures.backlog > used / 2,
            "Backlog: the replication backlog takes more than half of the memory. Look at repl-backlog-size, and for replicas \
             that lag.",
        ),
        (
            ratio(clients, client_count) > CLIENT_BYTES_MAX as f64,
            "Clients: their buffers take more than 200 kB each, on average. CLIENT LIST shows whose; see \
             client-output-buffer-limit and maxmemory-clients.",
        ),
        (
            ratio(replicas, replica_count) > REPLICA_BYTES_MAX as f64,
            "Replicas: their buffers take more than 10 MB each, on average. CLIENT LIST and INFO replication show who lags.",
        ),
    ];
    let holding = findings.iter().filter(|(holds, _)| *holds);
    let lines: Vec<String> = holding.map(|(_, text)| format!(" * {text}\n\n")).collect();
    match lines.is_empty() {
        true => "Nothing about the memory is remarkable.\n".into(),
        false => format!("What is remarkable about the memory:\n\n{}", lines.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryFigures, diagnosis};
    use crate::commands::harness::Harness;

    #[test]
    fn the_doctor_names_what_stands_out() {
        const MB: u64 = 1 << 20;
        let check = |figures: MemoryFigures, expected: &str| {
            let text = diagnosis(&figures);
            assert!(text.contains(expected), "{expected:?} in {text:?}");
            assert!(text.matches(" * ").count() <= 1, "one finding: {text:?}");
        };
        let sound = MemoryFigures {
            used: 100 * MB,
            peak: 120 * MB,
            resident: 110 * MB,
            client_count: 10,
            ..MemoryFigures::default()
        };
        check(sound, "Nothing");
        check(MemoryFigures { used: MB, ..sound }, "too little");
        check(MemoryFigures { peak: 200 * MB, ..sound }, "Peak:");
        check(MemoryFigures { resident: 200 * MB, ..sound }, "Fragmentation:");
        check(MemoryFigures { used: 6 * MB, peak: 6 * MB, resident: 12 * MB, ..sound }, "Nothing");
        check(MemoryFigures { backlog: 60 * MB, ..sound }, "Backlog:");
        check(MemoryFigures { clients: 3 * MB, ..sound }, "Clients:");
        check(MemoryFigures { replicas: 12 * MB, replica_count: 1, ..sound }, "Replicas:");
    }

    #[test]
    fn stats_have_a_map_for_each_database_with_keys() {
        let mut server = Harness::new();
        let reply =
            |server: &mut Harness| String::from_utf8_lossy(&server.run("memory stats").reply).into_owned();
        assert!(reply(&mut server).starts_with("*54\r\n$14\r\npeak.allocated\r\n:1000\r\n"));
        server.run("set key value");
        let text = reply(&mut server);
        assert!(text.starts_with("*56\r\n"), "{text}");
        assert!(text.contains("$4\r\ndb.0\r\n*6\r\n$23\r\noverhead.hashtable.main\r\n"), "{text}");
        assert!(text.contains("\r\nkeys.count\r\n:1\r\n"), "{text}");
        assert!(text.contains("\r\nfragmentation.bytes\r\n:900\r\n"), "{text}");
    }

    #[test]
    fn subcommands_take_no_arguments() {
        let mut server = Harness::new();
        server.reads("memory purge", "+OK");
        server.reads("memory stats x", "-ERR wrong number of arguments for 'memory|stats' command");
    }
}
