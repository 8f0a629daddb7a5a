//! `# Stats`: what has been counted since the start, or since CONFIG RESETSTAT.
//!
//! Called by INFO. Always: sums over all workers; what does not exist here (defragmentation) shows as 0.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::clock;
use crate::exec::stats::Count;
use crate::pubsub::Kind;
use crate::server::info::{Lines, Moment};
use crate::server::meters::Traffic;

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    let (shared, totals) = (moment.shared, &moment.totals);
    let traffic = shared.meters.traffic(Traffic::of(&shared.workers));
    let sync = &shared.replication().primary.counters;
    let rates = shared.meters.rates();
    lines.field("total_connections_received", shared.admission.accepted());
    lines.field("total_commands_processed", totals.get(Count::Commands));
    lines.field("instantaneous_ops_per_sec", rates.commands.round() as u64);
    lines.field("total_net_input_bytes", traffic.input_bytes);
    lines.field("total_net_output_bytes", traffic.output_bytes);
    lines.field("total_net_repl_input_bytes", shared.links().bytes_read());
    lines.field("total_net_repl_output_bytes", sync.bytes_sent.load(Relaxed));
    lines.field("instantaneous_input_kbps", format_args!("{:.2}", rates.input_bytes / 1024.0));
    lines.field("instantaneous_output_kbps", format_args!("{:.2}", rates.output_bytes / 1024.0));
    lines.fields(&["instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"], "0.00");
    lines.field("rejected_connections", shared.admission.rejected());
    lines.field("sync_full", sync.full.load(Relaxed));
    lines.field("sync_partial_ok", sync.partial_ok.load(Relaxed));
    lines.field("sync_partial_err", sync.partial_err.load(Relaxed));
    lines.field("expired_keys", totals.get(Count::Expired));
    lines.field("expired_fields", totals.get(Count::ExpiredFields));
    lines.field("expired_stale_perc", "0.00");
    lines.fields(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"], 0);
    lines.field("evicted_keys", totals.get(Count::Evicted));
    lines.field("evicted_clients", totals.get(Count::EvictedClients));
    let (exceeded, exceeded_now) = shared.engine.pressure.exceeded_ms(clock::monotonic_ns());
    lines.field("total_eviction_exceeded_time", exceeded);
    lines.field("current_eviction_exceeded_time", exceeded_now);
    lines.field("keyspace_hits", totals.get(Count::Hits));
    lines.field("keyspace_misses", totals.get(Count::Misses));
    let pubsub = &shared.engine.pubsub;
    lines.field("pubsub_channels", pubsub.topic_count(Kind::Channel));
    lines.field("pubsub_patterns", pubsub.topic_count(Kind::Pattern));
    lines.field("pubsubshard_channels", pubsub.topic_count(Kind::Shard));
    lines.fields(&["latest_fork_usec", "total_forks"], 0);
    lines.field("migrate_cached_sockets", shared.migrations.cached());
    lines.field("slave_expires_tracked_keys", 0);
    lines.fields(&["active_defrag_hits", "active_defrag_misses"], 0);
    lines.fields(&["active_defrag_key_hits", "active_defrag_key_misses"], 0);
    lines.fields(&["total_active_defrag_time", "current_active_defrag_time"], 0);
    let (keys, items, prefixes) = shared.engine.tracking.counts();
    lines.field("tracking_total_keys", keys);
    lines.field("tracking_total_items", items);
    lines.field("tracking_total_prefixes", prefixes);
    lines.field("unexpected_error_replies", 0);
    lines.field("total_error_replies", totals.get(Count::ErrorReplies));
    lines.field("dump_payload_sanitizations", 0);
    lines.field("total_reads_processed", traffic.reads);
    lines.field("total_writes_processed", traffic.writes);
    lines.fields(&["io_threaded_reads_processed", "io_threaded_writes_processed"], 0);
    lines.field("client_query_buffer_limit_disconnections", totals.get(Count::QueryLimitDisconnects));
    lines.field("client_output_buffer_limit_disconnections", totals.get(Count::OutputLimitDisconnects));
    lines.fields(&["reply_buffer_shrinks", "reply_buffer_expands"], 0);
    lines.fields(&["acl_access_denied_auth", "acl_access_denied_cmd"], 0);
    lines.fields(&["acl_access_denied_key", "acl_access_denied_channel"], 0);
}
