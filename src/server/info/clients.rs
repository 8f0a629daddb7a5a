//! `# Clients`: who is connected. Replicas are counted in `# Replication`, as in Redis.
//!
//! Called by INFO. Always: one pass over the roster, without a lock that a command waits for.

use std::sync::atomic::Ordering::Relaxed;

use crate::server::info::{Lines, Moment};

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    let clients = moment.shared.engine.roster.list();
    let (mut normal, mut blocked, mut watching, mut subscribed) = (0, 0, 0, 0);
    let (mut input, mut output) = (0, 0);
    for client in clients.iter().filter(|client| !client.is_replica.load(Relaxed)) {
        normal += 1;
        blocked += usize::from(client.is_blocked.load(Relaxed));
        watching += usize::from(client.watching.load(Relaxed) > 0);
        subscribed += usize::from(client.is_subscriber());
        input = input.max(client.traffic.query_bytes.load(Relaxed));
        output = output.max(client.traffic.pending_bytes.load(Relaxed));
    }
    lines.field("connected_clients", normal);
    lines.field("cluster_connections", 0);
    lines.field("maxclients", moment.config.maxclients);
    lines.field("client_recent_max_input_buffer", input);
    lines.field("client_recent_max_output_buffer", output);
    lines.field("blocked_clients", blocked);
    lines.field("tracking_clients", moment.shared.engine.tracking.tracked.count());
    lines.field("pubsub_clients", subscribed);
    lines.field("watching_clients", watching);
    let waits = &moment.shared.engine.blocked;
    let (keys, keys_when_gone) = waits.key_counts();
    lines.field("clients_in_timeout_table", waits.timed_clients());
    lines.field("total_blocking_keys", keys);
    lines.field("total_blocking_keys_on_nokey", keys_when_gone);
}
