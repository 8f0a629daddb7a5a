//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: the rows, and the handlers that only touch the session.
//!
//! EXEC and WATCH need the locks of many keys at once, so `exec::transaction` runs them.
//! Always: outside of MULTI a session has no queue; EXEC and DISCARD end the queue and the watches together.

use std::sync::atomic::Ordering::Relaxed;

use crate::commands::spec::{Args, Control, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::session::Transaction;

const QUICK: Flags = flags(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::ALLOW_BUSY]);
const BASE: Row = Row { flags: QUICK, categories: &["transaction"], group: Group::Transactions, ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "multi",
        arity: 1,
        since: "1.2.0",
        summary: "Starts a transaction.",
        run: Run::Control(multi),
        ..BASE
    },
    Row {
        name: "exec",
        arity: 1,
        flags: flags(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::SKIP_SLOWLOG]),
        since: "1.2.0",
        summary: "Executes all commands in a transaction.",
        complexity: "Depends on commands in the transaction",
        run: Run::Exec,
        ..BASE
    },
    Row {
        name: "discard",
        arity: 1,
        since: "2.0.0",
        summary: "Discards a transaction.",
        complexity: "O(N), when N is the number of queued commands",
        run: Run::Control(discard),
        ..BASE
    },
    Row {
        name: "watch",
        arity: -2,
        keys: Keys::ALL,
        access: &["RO"],
        since: "2.2.0",
        summary: "Monitors changes to keys to determine the execution of a transaction.",
        complexity: "O(1) for every key.",
        run: Run::Watch,
        ..BASE
    },
    Row {
        name: "unwatch",
        arity: 1,
        since: "2.2.0",
        summary: "Forgets about watched keys of a transaction.",
        run: Run::Control(unwatch),
        ..BASE
    },
];

fn multi(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if control.session.in_transaction() {
        return Err(Failure::text("ERR MULTI calls can not be nested"));
    }
    control.session.transaction = Some(Box::new(Transaction::default()));
    control.session.client.queued.store(0, Relaxed);
    control.reply.ok();
    Ok(())
}

fn discard(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if control.session.transaction.take().is_none() {
        return Err(Failure::text("ERR DISCARD without MULTI"));
    }
    control.session.client.queued.store(-1, Relaxed);
    control.session.client.queued_bytes.store(0, Relaxed);
    control.host.unwatch(control.session);
    control.reply.ok();
    Ok(())
}

fn unwatch(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.unwatch(control.session);
    control.reply.ok();
    Ok(())
}
