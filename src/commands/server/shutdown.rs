//! SHUTDOWN: the wish to stop, with its conditions. The main thread fulfils it.
//!
//! ```text
//!  handler: parse, block the client -> host -> main thread: replicas, save -> stop everything (the connection just closes)
//!                                                           `-> failed, or ABORT: the client gets the error and goes on
//! ```
//!
//! Called through its row. Always: the client gets no reply unless the shutdown fails, as in Redis.

use crate::commands::spec::host::Shutdown;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run, flags};

pub const ROWS: &[Row] = &[Row {
    name: "shutdown",
    arity: -1,
    flags: flags(&[
        Flags::ADMIN,
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::NO_MULTI,
        Flags::ALLOW_BUSY,
    ]),
    group: Group::Server,
    summary: "Synchronously saves the database(s) to disk and shuts down the Redis server.",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, \
                 otherwise O(1)",
    run: Run::Control(shutdown),
    ..Row::BASE
}];

fn shutdown(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut wish = Shutdown { client: control.session.client.id, ..Shutdown::default() };
    let mut is_abort = false;
    for at in 1..args.len() {
        if args.is(at, "save") && wish.saves != Some(false) {
            wish.saves = Some(true);
        } else if args.is(at, "nosave") && wish.saves != Some(true) {
            wish.saves = Some(false);
        } else if args.is(at, "now") {
            wish.is_now = true;
        } else if args.is(at, "force") {
            wish.is_forced = true;
        } else if args.is(at, "abort") && args.len() == 2 {
            is_abort = true;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if is_abort {
        if !control.host.abort_shutdown() {
            return Err(Failure::text("ERR No shutdown in progress."));
        }
        control.reply.ok();
        return Ok(());
    }
    control.session.client.is_blocked.store(true, std::sync::atomic::Ordering::Relaxed);
    control.host.shutdown(wish);
    control.next = Next::Block;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::commands::spec::Next;

    #[test]
    fn a_wish_that_contradicts_itself_is_refused() {
        let mut h = Harness::new();
        for request in ["shutdown save nosave", "shutdown nosave save", "shutdown abort now", "shutdown x"] {
            h.reads(request, "-ERR syntax error");
        }
        h.reads("shutdown abort", "-ERR No shutdown in progress.");
        let outcome = h.run("shutdown nosave now force");
        assert!(outcome.reply.is_empty() && outcome.next == Next::Block);
    }
}
