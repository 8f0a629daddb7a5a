//! CONFIG: GET, SET, REWRITE, RESETSTAT, HELP. The words of a user on one side, `config::Live` on the other.
//!
//! Called through its rows. Always: what a setting is called, may hold and does is the configuration table's business;
//! nothing is known of any single one here.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};
use crate::config::Asker;

const BASE: Row = Row {
    flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    group: Group::Server,
    since: "2.0.0",
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "config",
    arity: -2,
    flags: Flags(0),
    summary: "A container for server configuration commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "get",
        arity: -3,
        summary: "Returns the effective values of configuration parameters.",
        complexity: "O(N) when N is the number of configuration parameters provided",
        run: Run::Control(get),
        ..BASE
    },
    Row {
        name: "set",
        arity: -4,
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Sets configuration parameters in-flight.",
        complexity: "O(N) when N is the number of configuration parameters provided",
        run: Run::Control(set),
        ..BASE
    },
    Row {
        name: "rewrite",
        arity: 2,
        since: "2.8.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Persists the effective configuration to file.",
        run: Run::Control(rewrite),
        ..BASE
    },
    Row {
        name: "resetstat",
        arity: 2,
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Resets the server's statistics.",
        run: Run::Control(reset_statistics),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(config_help),
        ..BASE
    },
];

fn get(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let patterns: Vec<&[u8]> = args.from(2).collect();
    let found = control.host.config().get(&patterns);
    control.reply.map(found.len());
    for (name, value) in found {
        control.reply.bulk(name.as_bytes());
        control.reply.bulk(&value);
    }
    Ok(())
}

fn set(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if !args.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> =
        (2..args.len()).step_by(2).map(|at| (args.get(at), args.get(at + 1))).collect();
    let asker = Asker { local: control.session.client.is_local(), loading: control.host.is_loading() };
    control.host.set_config(asker, &pairs)?;
    control.reply.ok();
    Ok(())
}

fn rewrite(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.config().rewrite().map_err(|error| {
        log::warn!("CONFIG REWRITE failed: {error}");
        Failure::new(format!("ERR {error}"))
    })?;
    log::info!("CONFIG REWRITE executed with success.");
    control.reply.ok();
    Ok(())
}

fn reset_statistics(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.reset_statistics();
    control.reply.ok();
    Ok(())
}

fn config_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "config",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    );
    Ok(())
}
