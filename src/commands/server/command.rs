//! COMMAND: the command table told to clients, straight from the rows.
//!
//! Called through its rows; the descriptions are written by `command_info`.
//! Always: nothing is known here that is not in a row, so a new command is described with its row alone.

use crate::base::glob::glob_match;
use crate::commands::server::command_info::{categories, write_flag_names, write_info};
use crate::commands::server::docs;
use crate::commands::spec::help::help;
use crate::commands::spec::keys::positions;
use crate::commands::spec::row::access_at;
use crate::commands::spec::table::{Command, table};
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Keys, Row, Run, flags};

const BASE: Row = Row {
    flags: flags(&[Flags::LOADING, Flags::STALE]),
    categories: &["connection"],
    group: Group::Server,
    since: "2.8.13",
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "command",
    arity: -1,
    tips: &["nondeterministic_output_order"],
    summary: "Returns detailed information about all commands.",
    complexity: "O(N) where N is the total number of Redis commands",
    subcommands: SUBCOMMANDS,
    run: Run::Control(all),
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "count",
        arity: 2,
        summary: "Returns a count of commands.",
        run: Run::Control(count),
        ..BASE
    },
    Row {
        name: "docs",
        arity: -2,
        since: "7.0.0",
        tips: &["nondeterministic_output_order"],
        summary: "Returns documentary information about one, multiple or all commands.",
        complexity: "O(N) where N is the number of commands to look up",
        run: Run::Control(tell_docs),
        ..BASE
    },
    Row {
        name: "getkeys",
        arity: -3,
        summary: "Extracts the key names from an arbitrary command.",
        complexity: "O(N) where N is the number of arguments to the command",
        run: Run::Control(get_keys),
        ..BASE
    },
    Row {
        name: "getkeysandflags",
        arity: -3,
        since: "7.0.0",
        summary: "Extracts the key names and access flags for an arbitrary command.",
        complexity: "O(N) where N is the number of arguments to the command",
        run: Run::Control(get_keys_and_flags),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(command_help),
        ..BASE
    },
    Row {
        name: "info",
        arity: -2,
        tips: &["nondeterministic_output_order"],
        summary: "Returns information about one, multiple or all commands.",
        complexity: "O(N) where N is the number of commands to look up",
        run: Run::Control(info),
        ..BASE
    },
    Row {
        name: "list",
        arity: -2,
        since: "7.0.0",
        tips: &["nondeterministic_output_order"],
        summary: "Returns a list of command names.",
        complexity: "O(N) where N is the total number of Redis commands",
        run: Run::Control(list),
        ..BASE
    },
];

fn top_level() -> impl Iterator<Item = &'static Command> {
    table().iter().filter(|command| command.container.is_none() && !command.is_removed)
}

fn all(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.array(top_level().count());
    top_level().for_each(|command| write_info(control.reply, command));
    Ok(())
}

fn count(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.int(top_level().count() as i64);
    Ok(())
}

fn info(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.len() == 2 {
        return all(args, control);
    }
    control.reply.array(args.len() - 2);
    for name in args.from(2) {
        match table().find(name) {
            Some(command) => write_info(control.reply, command),
            None => control.reply.null(),
        }
    }
    Ok(())
}

fn tell_docs(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let found: Vec<&Command> = if args.len() == 2 {
        top_level().collect()
    } else {
        args.from(2).filter_map(|name| table().find(name)).collect()
    };
    control.reply.map(found.len());
    for command in found {
        control.reply.bulk(command.full_name.as_bytes());
        docs::write(control.reply, command);
    }
    Ok(())
}

fn list(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let filter: Box<dyn Fn(&Command) -> bool> = match args.len() {
        2 => Box::new(|_| true),
        5 if args.is(2, "filterby") => {
            let value = args.get(4);
            if args.is(3, "pattern") {
                Box::new(move |command| glob_match(value, command.full_name.as_bytes(), true))
            } else if args.is(3, "aclcat") {
                Box::new(move |command| {
                    categories(command.row).any(|name| value.eq_ignore_ascii_case(name.as_bytes()))
                })
            } else if args.is(3, "module") {
                // There are no modules.
                Box::new(|_| false)
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let named = table().iter().filter(|command| !command.is_removed && filter(command));
    let names: Vec<&str> = named.map(|command| command.full_name).collect();
    control.reply.array(names.len());
    names.iter().for_each(|name| control.reply.bulk(name.as_bytes()));
    Ok(())
}

fn get_keys(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let request = request(args);
    let (_, keys) = keys_of(&request)?;
    control.reply.array(keys.len());
    keys.iter().for_each(|at| control.reply.bulk(request[*at]));
    Ok(())
}

fn get_keys_and_flags(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let request = request(args);
    let (command, keys) = keys_of(&request)?;
    control.reply.array(keys.len());
    for (number, at) in keys.iter().enumerate() {
        control.reply.array(2);
        control.reply.bulk(request[*at]);
        write_flag_names(control.reply, access_at(command.row, &Args::borrowed(&request, None), number));
    }
    Ok(())
}

/// The request that GETKEYS is asked about.
fn request<'a>(args: &Args<'a>) -> Vec<&'a [u8]> {
    args.from(2).collect()
}

fn keys_of(request: &[&[u8]]) -> Result<(&'static Command, Vec<usize>), Failure> {
    let command = table()
        .lookup(request[0])
        .and_then(|command| match request.get(1) {
            Some(word) if !command.subcommands.is_empty() => table().subcommand(command, word),
            Some(_) | None => Some(command),
        })
        .ok_or(Failure::text("ERR Invalid command specified"))?;
    // A channel that is routed like a key is none.
    if command.row.keys == Keys::None || command.row.access == ["not_key"] {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    if !command.row.accepts(request.len()) {
        return Err(Failure::text("ERR Invalid number of arguments specified for command"));
    }
    let keys = positions(command.row.keys, &Args::borrowed(request, None));
    if keys.is_empty() {
        return Err(Failure::text("ERR Invalid arguments specified for command"));
    }
    Ok((command, keys))
}

fn command_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "command",
        &[
            "(no subcommand)",
            "    Describe all commands.",
            "COUNT",
            "    Return the number of commands.",
            "DOCS [<command-name> ...]",
            "    Return the documentation of the named commands, or of all.",
            "GETKEYS <full-command>",
            "    Return the keys of a full command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys of a full command, with what it does to them.",
            "INFO [<command-name> ...]",
            "    Describe the named commands, or all.",
            "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
            "    Return the names of commands.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn keys_are_extracted_as_the_rows_say() {
        let mut h = Harness::new();
        h.reads("command getkeys get a", "*1 $1 a");
        h.reads("command getkeys mset a 1 b 2", "*2 $1 a $1 b");
        h.reads("command getkeys object encoding k", "*1 $1 k");
        h.reads("command getkeys ping x", "-ERR The command has no key arguments");
        h.reads("command getkeys nonsense x", "-ERR Invalid command specified");
        h.reads("command getkeys get a b", "-ERR Invalid number of arguments specified for command");
        h.reads("command getkeysandflags set a 1", "*1 *2 $1 a *2 +OW +update");
        h.reads("command getkeysandflags bitfield a get u8 0", "*1 *2 $1 a *2 +RO +access");
        h.reads("command getkeysandflags bitfield a set u8 0 1", "*1 *2 $1 a *3 +RW +access +update");
        h.reads("command getkeys ping", "-ERR The command has no key arguments");
        h.reads("command getkeys zunionstore d 9 a", "-ERR Invalid arguments specified for command");
        h.reads("command getkeysandflags set a 1 get", "*1 *2 $1 a *3 +RW +access +update");
        h.reads(
            "command getkeysandflags rename a b",
            "*2 *2 $1 a *3 +RW +access +delete *2 $1 b *2 +OW +update",
        );
    }

    #[test]
    fn lists_can_be_filtered() {
        let mut h = Harness::new();
        h.reads("command list filterby pattern getr*", "*1 $8 getrange");
        h.reads("command list filterby pattern config|res*", "*1 $16 config|resetstat");
        h.reads("command list filterby module x", "*0");
        h.reads("command list filterby aclcat nonsense", "*0");
        h.reads("command list x", "-ERR syntax error");
        h.reads("command info nonsense", "*1 $-1");
    }
}
