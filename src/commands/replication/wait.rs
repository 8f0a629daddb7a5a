//! WAIT: until enough replicas have acknowledged this client's last write.
//!
//! Called through its row. Always: it blocks nobody but its own client, and nobody at all inside a transaction.

use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run};

pub const ROWS: &[Row] = &[Row {
    name: "wait",
    arity: 3,
    flags: Flags::BLOCKING,
    categories: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    group: Group::Generic,
    since: "3.0.0",
    summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is \
              completed.",
    run: Run::Control(wait),
    ..Row::BASE
}];

fn wait(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let replicas = args.int(1)?;
    let timeout = args.int(2).map_err(|_| Failure::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Failure::text("ERR timeout is negative"));
    }
    let may_block = !control.session.is_executing;
    match control.host.wait(control.session, replicas, timeout, may_block)? {
        Some(have) => control.reply.int(have),
        None => control.next = Next::Block,
    }
    Ok(())
}
