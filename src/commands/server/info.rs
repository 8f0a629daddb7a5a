//! INFO and TIME: what the server tells of itself, and what time it is there.
//!
//! Called through their rows; the text of INFO is made by `server::info`, behind the host.
//! Always: both read, and change nothing.

use crate::base::clock;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

const BASE: Row = Row { group: Group::Server, ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "info",
        arity: -1,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        categories: &["dangerous"],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        summary: "Returns information and statistics about the server.",
        run: Run::Control(info),
        ..BASE
    },
    Row {
        name: "time",
        arity: 1,
        flags: flags(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
        since: "2.6.0",
        tips: &["nondeterministic_output"],
        summary: "Returns the server time.",
        run: Run::Control(time),
        ..BASE
    },
];

fn info(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let sections: Vec<&[u8]> = args.from(1).collect();
    let text = control.host.info(&sections, control.now);
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Read anew: a batch's time would stand still for pipelined requests.
fn time(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let micros = clock::now_us();
    control.reply.array(2);
    control.reply.bulk_int(micros.div_euclid(1_000_000));
    control.reply.bulk_int(micros.rem_euclid(1_000_000));
    Ok(())
}
