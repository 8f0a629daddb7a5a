//! MONITOR: from here on the client sees every command that the server runs.
//!
//! Called through its row; lines are made by `exec::monitor`. Always: RESET and the end of the connection end it.

use std::sync::atomic::Ordering::Relaxed;

use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

pub const ROWS: &[Row] = &[Row {
    name: "monitor",
    arity: 1,
    flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    group: Group::Server,
    summary: "Listens for all requests received by the server in real-time.",
    complexity: "",
    run: Run::Control(monitor),
    ..Row::BASE
}];

fn monitor(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if control.session.is_executing {
        return Err(Failure::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    let client = control.session.client.clone();
    if client.is_replica.load(Relaxed) || control.session.is_monitor {
        return Ok(());
    }
    control.session.is_monitor = true;
    client.is_monitor.store(true, Relaxed);
    control.host.pubsub().monitor(client.worker, client.id);
    control.reply.ok();
    Ok(())
}
