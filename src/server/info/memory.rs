//! `# Memory`: what our allocator has handed out, what the system has given us, and what it went to.
//!
//! Called by INFO and MEMORY. Always: `used_memory` is our own exact count (`base::alloc`), the resident set is the kernel's. jemalloc is
//! built without statistics of its own, which cost time in every allocation; so the allocator's fields show these two.

use std::sync::atomic::Ordering::Relaxed;

use tikv_jemalloc_ctl::version;

use crate::base::alloc::{Purpose, set_aside, used_memory};
use crate::commands::spec::host::MemoryFigures;
use crate::config::find_row;
use crate::server::info::{Lines, Moment, human};
use crate::server::shared::Shared;

/// Counts of the allocator, taken together: what is made of them afterwards does not count.
#[derive(Clone, Copy)]
pub struct Counted {
    used: u64,
    stream: u64,
    snapshot: u64,
}

impl Counted {
    pub fn now() -> Counted {
        Counted {
            used: used_memory(),
            stream: set_aside(Purpose::Stream),
            snapshot: set_aside(Purpose::Snapshot),
        }
    }
}

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    let figures = figures(moment.shared, moment.counted);
    let MemoryFigures { used, peak, startup, resident, backlog, replicas, clients, .. } = figures;
    let (system, dataset) = (system_bytes(), figures.dataset());
    bytes(lines, "used_memory", used);
    bytes(lines, "used_memory_rss", resident);
    bytes(lines, "used_memory_peak", peak);
    lines.field("used_memory_peak_perc", percent(used, peak));
    lines.field("used_memory_overhead", figures.overhead());
    lines.field("used_memory_startup", startup);
    lines.field("used_memory_dataset", dataset);
    lines.field("used_memory_dataset_perc", percent(dataset, figures.beyond_startup()));
    lines.field("allocator_allocated", used);
    lines.fields(&["allocator_active", "allocator_resident"], resident);
    bytes(lines, "total_system_memory", system);
    write_scripts(lines);
    bytes(lines, "maxmemory", moment.config.maxmemory);
    let policy = find_row(b"maxmemory-policy").map(|(row, _)| row.show(&moment.config)).unwrap_or_default();
    lines.field("maxmemory_policy", String::from_utf8_lossy(&policy));
    excess(lines, "allocator_frag_ratio", "allocator_frag_bytes", resident, used);
    excess(lines, "allocator_rss_ratio", "allocator_rss_bytes", resident, resident);
    excess(lines, "rss_overhead_ratio", "rss_overhead_bytes", resident, resident);
    excess(lines, "mem_fragmentation_ratio", "mem_fragmentation_bytes", resident, used);
    let Counted { stream, snapshot, .. } = moment.counted;
    lines.field(
        "mem_not_counted_for_evict",
        stream.saturating_sub(moment.config.repl_backlog_size) + snapshot,
    );
    lines.field("mem_replication_backlog", backlog);
    lines.field("mem_total_replication_buffers", stream);
    lines.field("mem_clients_slaves", replicas);
    lines.field("mem_clients_normal", clients);
    lines.fields(&["mem_cluster_links", "mem_aof_buffer"], 0);
    lines.field("mem_allocator", allocator_name());
    lines.field("active_defrag_running", 0);
    lines.field("lazyfree_pending_objects", moment.shared.engine.lazy_free.pending());
    lines.field("lazyfreed_objects", moment.shared.engine.lazy_free.freed());
}

/// There are no scripts here, and no functions.
fn write_scripts(lines: &mut Lines) {
    lines.fields(&["used_memory_lua", "used_memory_vm_eval"], 0);
    lines.field("used_memory_lua_human", "0B");
    lines.field("used_memory_scripts_eval", 0);
    lines.fields(&["number_of_cached_scripts", "number_of_functions", "number_of_libraries"], 0);
    lines.fields(&["used_memory_vm_functions", "used_memory_vm_total"], 0);
    lines.field("used_memory_vm_total_human", "0B");
    lines.fields(&["used_memory_functions", "used_memory_scripts"], 0);
    lines.field("used_memory_scripts_human", "0B");
}

/// What memory went to at this moment.
pub fn figures(shared: &Shared, counted: Counted) -> MemoryFigures {
    let Counted { used, stream, .. } = counted;
    // Replicas have no buffers of their own: what the backlog holds beyond its size is kept for those that lag.
    let has_replicas = !shared.replication().primary.followers.list().is_empty();
    let size = shared.engine.config.load().repl_backlog_size;
    let for_replicas = if has_replicas { stream.saturating_sub(size) } else { 0 };
    let mut figures = MemoryFigures {
        used,
        peak: shared.meters.peak_memory().max(used),
        startup: shared.meters.startup_memory,
        resident: resident_bytes(),
        backlog: stream - for_replicas,
        replicas: for_replicas,
        tables: shared.engine.keyspace().iter().map(|(_, db)| db.table_bytes() as u64).sum(),
        ..MemoryFigures::default()
    };
    for client in shared.engine.roster.list() {
        let (bytes, count) = match client.is_replica.load(Relaxed) {
            true => (&mut figures.replicas, &mut figures.replica_count),
            false => (&mut figures.clients, &mut figures.client_count),
        };
        *bytes += client.memory_bytes();
        *count += 1;
    }
    figures
}

fn bytes(lines: &mut Lines, name: &str, value: u64) {
    lines.field(name, value);
    lines.field(&format!("{name}_human"), human(value));
}

fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    format!("{percent:.2}%")
}

/// How much `outer` exceeds `inner`, as a ratio and in bytes.
fn excess(lines: &mut Lines, ratio: &str, difference: &str, outer: u64, inner: u64) {
    let value = if inner == 0 { 0.0 } else { outer as f64 / inner as f64 };
    lines.field(ratio, format_args!("{value:.2}"));
    lines.field(difference, outer as i64 - inner as i64);
}

/// `jemalloc-5.3.0`, without the build's suffix.
fn allocator_name() -> String {
    let full = version::read().unwrap_or("unknown");
    format!("jemalloc-{}", full.split('-').next().unwrap_or(full))
}

/// The resident set in bytes, from the kernel; 0 if it does not tell.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * system_value(libc::_SC_PAGESIZE)
}

fn system_bytes() -> u64 {
    system_value(libc::_SC_PHYS_PAGES) * system_value(libc::_SC_PAGESIZE)
}

fn system_value(name: libc::c_int) -> u64 {
    // SAFETY: a plain query without pointers.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}
