//! What INFO and ROLE say about replication, field for field as Redis 7.2 does: Sentinel and tools read it.
//!
//! Called by the INFO and ROLE commands through the host. Always: one look at each part; the parts may be of slightly
//! different moments.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::ids::UnixMs;
use crate::replication::identity::psync_offset;
use crate::replication::primary::follower::FollowerState;
use crate::replication::role::{LinkState, LinkStatus, Role};
use crate::replication::state::Replication;
use crate::resp::reply::Reply;

/// The lines of `# Replication`, without the heading.
pub fn section(replication: &Replication, now: UnixMs) -> String {
    let mut text = String::with_capacity(1024);
    // Writing to a String does not fail.
    let _ = write_section(&mut text, replication, now);
    text
}

fn write_section(text: &mut String, replication: &Replication, now: UnixMs) -> std::fmt::Result {
    let config = replication.engine().config.load().clone();
    match replication.role() {
        Role::Primary => text.push_str("role:master\r\n"),
        Role::Replica(link) => {
            text.push_str("role:slave\r\n");
            write_link(text, &link, now)?;
            write!(
                text,
                "slave_priority:{}\r\nslave_read_only:{}\r\nreplica_announced:{}\r\n",
                config.replica_priority,
                u8::from(config.replica_read_only),
                u8::from(config.replica_announced)
            )?;
        }
    }
    let followers = replication.primary.followers.list();
    write!(text, "connected_slaves:{}\r\n", followers.len())?;
    if config.min_replicas_to_write > 0 && config.min_replicas_max_lag > 0 {
        let good = replication.engine().good_replicas.load(Relaxed);
        write!(text, "min_slaves_good_slaves:{good}\r\n")?;
    }
    // As long as the snapshot is being made a replica is shown to wait for it, as Redis does while its child writes.
    let is_walking = replication.snapshots().replicas_fed() > 0;
    for (number, follower) in followers.iter().enumerate() {
        let shown = match follower.state() {
            FollowerState::Loading if is_walking => FollowerState::Waiting,
            state @ (FollowerState::Waiting | FollowerState::Loading | FollowerState::Online) => state,
        };
        let lag = match follower.state() {
            FollowerState::Online => follower.lag_seconds(now),
            FollowerState::Waiting | FollowerState::Loading => 0,
        };
        write!(
            text,
            "slave{number}:ip={},port={},state={},offset={},lag={lag}\r\n",
            follower.ip,
            follower.port,
            shown.word(),
            follower.acked()
        )?;
    }
    let identity = replication.identity();
    write!(
        text,
        "master_failover_state:{}\r\nmaster_replid:{}\r\nmaster_replid2:{}\r\nmaster_repl_offset:{}\r\n\
         second_repl_offset:{}\r\n",
        replication.failover.phase().word(),
        identity.id,
        identity.second,
        replication.offset(),
        identity.second_offset
    )?;
    let backlog = replication.engine().backlog();
    let (first_byte, bytes) = backlog.as_ref().map_or((0, 0), |backlog| {
        let first = backlog.first_offset();
        (psync_offset(first), backlog.reserved().bytes_since(first))
    });
    write!(
        text,
        "repl_backlog_active:{}\r\nrepl_backlog_size:{}\r\nrepl_backlog_first_byte_offset:{first_byte}\r\n\
         repl_backlog_histlen:{bytes}\r\n",
        u8::from(backlog.is_some()),
        replication.backlog_size()
    )
}

fn write_link(text: &mut String, link: &LinkStatus, now: UnixMs) -> std::fmt::Result {
    let seconds_since = |at: i64| now.0.saturating_sub(at).max(0) / 1000;
    let last_io = match link.last_io.load(Relaxed) {
        at if at >= 0 => seconds_since(at),
        _ => -1,
    };
    let state = link.state();
    write!(
        text,
        "master_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\nmaster_last_io_seconds_ago:{last_io}\r\n\
         master_sync_in_progress:{}\r\nslave_read_repl_offset:{}\r\nslave_repl_offset:{}\r\n",
        link.host,
        link.port,
        if link.is_up() { "up" } else { "down" },
        u8::from(state == LinkState::Transfer),
        link.read_offset.load(Relaxed),
        link.applied_offset.load(Relaxed)
    )?;
    if state == LinkState::Transfer {
        let (total, read) = (link.sync_total_bytes.load(Relaxed), link.sync_read_bytes.load(Relaxed));
        let percent = if total > 0 { read as f64 / total as f64 * 100.0 } else { 0.0 };
        write!(
            text,
            "master_sync_total_bytes:{total}\r\nmaster_sync_read_bytes:{read}\r\nmaster_sync_left_bytes:{}\r\n\
             master_sync_perc:{percent:.2}\r\nmaster_sync_last_io_seconds_ago:{}\r\n",
            total - read,
            seconds_since(link.sync_last_io.load(Relaxed))
        )?;
    }
    if !link.is_up() {
        let down = match link.down_since.load(Relaxed) {
            0 => -1,
            at => seconds_since(at),
        };
        write!(text, "master_link_down_since_seconds:{down}\r\n")?;
    }
    Ok(())
}

/// The reply to ROLE.
pub fn write_role(replication: &Replication, reply: &mut Reply) {
    match replication.role() {
        Role::Primary => {
            let mut followers = replication.primary.followers.list();
            followers.retain(|follower| follower.state() == FollowerState::Online);
            reply.array(3);
            reply.bulk(b"master");
            reply.int(i64::try_from(replication.offset().0).unwrap_or(i64::MAX));
            reply.array(followers.len());
            for follower in followers {
                reply.array(3);
                reply.bulk(follower.ip.as_bytes());
                reply.bulk_int(i64::from(follower.port));
                reply.bulk_int(i64::try_from(follower.acked()).unwrap_or(i64::MAX));
            }
        }
        Role::Replica(link) => {
            reply.array(5);
            reply.bulk(b"slave");
            reply.bulk(link.host.as_bytes());
            reply.int(i64::from(link.port));
            reply.bulk(link.state().word().as_bytes());
            // Redis knows an offset only while it is connected.
            reply.int(if link.is_up() { link.applied_offset.load(Relaxed) } else { -1 });
        }
    }
}
