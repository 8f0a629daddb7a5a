//! SLOWLOG: the last slow commands.
//!
//! Called through its rows; the log is `watching::slow_log`. Always: the newest entry comes first.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

const BASE: Row = Row {
    flags: flags(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    group: Group::Server,
    since: "2.2.12",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "slowlog",
    arity: -2,
    flags: Flags(0),
    tips: &[],
    summary: "A container for slow log commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "get",
        arity: -2,
        summary: "Returns the slow log's entries.",
        complexity: "O(N) where N is the number of entries returned",
        run: Run::Control(get),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        since: "6.2.0",
        tips: &[],
        summary: "Show helpful text about the different subcommands",
        run: Run::Control(slowlog_help),
        ..BASE
    },
    Row {
        name: "len",
        arity: 2,
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        summary: "Returns the number of entries in the slow log.",
        run: Run::Control(len),
        ..BASE
    },
    Row {
        name: "reset",
        arity: 2,
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Clears all entries from the slow log.",
        complexity: "O(N) where N is the number of entries in the slowlog",
        run: Run::Control(reset),
        ..BASE
    },
];

/// How many entries GET answers without a number.
const COUNT_DEFAULT: usize = 10;

fn get(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let count = match args.len() {
        2 => COUNT_DEFAULT,
        3 => match args.int(2)? {
            -1 => usize::MAX,
            count => usize::try_from(count)
                .map_err(|_| Failure::text("ERR count should be greater than or equal to -1"))?,
        },
        _ => return Err(Failure::wrong_arity(control.full_name)),
    };
    let entries = control.host.slow_log().newest(count);
    let reply = &mut *control.reply;
    reply.array(entries.len());
    for entry in &entries {
        reply.array(6);
        reply.int(entry.id as i64);
        reply.int(entry.at.0.div_euclid(1000));
        reply.int(entry.micros as i64);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(())
}

fn len(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.int(control.host.slow_log().len() as i64);
    Ok(())
}

fn reset(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.slow_log().clear();
    control.reply.ok();
    Ok(())
}

fn slowlog_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "slowlog",
        &[
            "GET [<count>]",
            "    Return the newest <count> entries, 10 if not said, all for -1. An entry is its id, time and duration in",
            "    microseconds, the command, and the address and name of the client.",
            "LEN",
            "    Return the number of entries.",
            "RESET",
            "    Forget all entries.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::base::ids::UnixMs;
    use crate::commands::harness::Harness;
    use crate::watching::slow_log::Entry;

    #[test]
    fn entries_are_shown_with_all_that_is_known_of_them() {
        let mut h = Harness::new();
        let entry = Entry {
            id: 0,
            at: UnixMs(5000),
            micros: 7,
            words: vec![b"keys".to_vec(), b"*".to_vec()],
            address: "127.0.0.1:9".into(),
            name: b"me".to_vec(),
        };
        h.host.slow_log.push(entry, 10);
        h.reads("slowlog get", "*1 *6 :0 :5 :7 *2 $4 keys $1 * $11 127.0.0.1:9 $2 me");
        h.reads("slowlog get 0", "*0");
        h.reads("slowlog get -2", "-ERR count should be greater than or equal to -1");
        h.reads("slowlog len", ":1");
        h.reads("slowlog reset", "+OK");
        h.reads("slowlog len", ":0");
    }
}
