//! Gates: what can refuse a request before it runs, in the order in which Redis looks.
//!
//! Called by the executor for every request of a client; never for what comes from our primary.
//! Always: a refused request has changed nothing, and breaks the transaction that it would have been queued in.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use crate::commands::spec::table::{Command, table};
use crate::commands::spec::{Args, Failure, Flags, Run};
use crate::exec::engine::{Engine, View};
use crate::exec::transaction;
use crate::session::Session;

/// Redis quotes this many bytes of the name, and as many of all arguments together.
const QUOTED_BYTES_MAX: usize = 128;

const MISCONF: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

#[cold]
pub(super) fn unknown_command(args: &Args<'_>) -> Failure {
    let mut quoted = String::new();
    for word in args.from(1) {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        let room = QUOTED_BYTES_MAX - quoted.len();
        quoted.push_str(&format!("'{}' ", shown(word, room)));
    }
    let name = shown(args.get(0), QUOTED_BYTES_MAX);
    Failure::new(format!("ERR unknown command '{name}', with args beginning with: {quoted}"))
}

/// A word of a request as an error shows it: up to a zero byte, and so many bytes at most.
fn shown(word: &[u8], bytes_max: usize) -> Cow<'_, str> {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    String::from_utf8_lossy(&word[..end.min(bytes_max)])
}

/// The subcommand that a container's first argument names.
#[cold]
pub(super) fn subcommand(container: &'static Command, args: &Args<'_>) -> Result<&'static Command, Failure> {
    let Some(word) = args.opt(1) else {
        // COMMAND means something without a subcommand.
        let runs = !matches!(container.row.run, Run::Container);
        return if runs { Ok(container) } else { Err(Failure::wrong_arity(container.full_name)) };
    };
    table().subcommand(container, word).ok_or_else(|| {
        let word = shown(word, QUOTED_BYTES_MAX);
        let name = container.full_name.to_ascii_uppercase();
        Failure::new(format!("ERR unknown subcommand '{word}'. Try {name} HELP."))
    })
}

#[cold]
pub(super) fn authentication(command: &Command) -> Result<(), Failure> {
    if command.row.flags.has(Flags::NO_AUTH) {
        return Ok(());
    }
    Err(Failure::text("NOAUTH Authentication required."))
}

/// In RESP2, the commands that go with a connection which carries messages.
#[cold]
pub(super) fn subscriber(command: &Command) -> Result<(), Failure> {
    let name = command.row.name;
    let fits = matches!(
        name,
        "ping"
            | "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "quit"
            | "reset"
    );
    if fits && command.container.is_none() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.full_name
    )))
}

/// Refusals that depend on the server's role and state. `is_full`: memory is beyond its limit, and nothing may be given up.
#[cold]
pub(super) fn role(
    engine: &Engine,
    view: &View,
    session: &Session,
    command: &Command,
    is_full: bool,
) -> Result<(), Failure> {
    let flags = command.row.flags;
    let is_exec = matches!(command.row.run, Run::Exec);
    // EXEC is judged by what it would run.
    let of_queue = |wanted: fn(Flags) -> bool| {
        let queue = session.transaction.as_ref().filter(|_| is_exec).map(|transaction| &transaction.queue);
        queue.is_some_and(|queue| {
            queue.iter().any(|queued| {
                wanted(table().get(crate::commands::spec::table::CommandId(queued.command)).row.flags)
            })
        })
    };
    // Whatever is queued may run when there is still less room; EXEC looks again.
    let is_queued = session.in_transaction() && !transaction::runs_at_once(command);
    let may_grow = flags.has(Flags::DENYOOM) || is_queued || of_queue(|flags| flags.has(Flags::DENYOOM));
    if may_grow && is_full {
        return Err(Failure::text("OOM command not allowed when used memory > 'maxmemory'."));
    }
    let writes = flags.has(Flags::WRITE) || of_queue(|flags| flags.has(Flags::WRITE));
    if view.is_disk_failing && !view.is_replica && (writes || command.row.name == "ping") {
        return Err(Failure::text(MISCONF));
    }
    let min_good = view.config.min_replicas_to_write;
    let lacks_replicas = !view.is_replica
        && min_good > 0
        && view.config.min_replicas_max_lag > 0
        && engine.good_replicas.load(Relaxed) < min_good;
    if lacks_replicas && writes {
        return Err(Failure::text("NOREPLICAS Not enough good replicas to write."));
    }
    if view.is_replica && view.config.replica_read_only && writes {
        return Err(Failure::text("READONLY You can't write against a read only replica."));
    }
    if view.is_replica
        && view.is_link_down
        && !view.config.replica_serve_stale_data
        && (!flags.has(Flags::STALE) || of_queue(|flags| !flags.has(Flags::STALE)))
    {
        return Err(Failure::text(
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        ));
    }
    let waits_for_data = !flags.has(Flags::LOADING) || of_queue(|flags| !flags.has(Flags::LOADING));
    if view.is_loading && waits_for_data {
        return Err(Failure::LOADING);
    }
    Ok(())
}
