//! The program: arguments to configuration, configuration to a running server, its verdict to the shell.
//!
//! Nothing else happens here. `--help` and `--version` are answered before any file is read; every other argument
//! goes to the configuration as it is, because redis-server's directives are an open set that may start with `-`.
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use starling::base::alloc::Counting;
use starling::commands::spec::table::rename_commands;
use starling::config::{ConfigError, Rename};
use starling::{config, server};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A Redis-compatible in-memory server whose heart is replication.
#[derive(Parser)]
#[command(
    name = "starling-server",
    version,
    disable_version_flag = true,
    override_usage = "starling-server [CONFIG_FILE | -] [--DIRECTIVE VALUE...]...",
    after_help = "Examples:\n  \
        starling-server                              port 6379, one worker per core\n  \
        starling-server /etc/starling.conf           a file in the syntax of redis.conf\n  \
        starling-server --port 7000 --threads 2      directives without a file\n  \
        starling-server my.conf --replicaof host 6379 --loglevel verbose\n  \
        echo 'maxclients 10' | starling-server -     directives from standard input\n\n\
        docs/configuration.md describes every directive."
)]
struct Arguments {
    /// Configuration file (`-` reads standard input), then directives, each with its values
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse().arguments;
    let read = config::from_args(&arguments).and_then(|(config, origin)| {
        name_commands(&origin.renames)?;
        Ok((config, origin))
    });
    match read {
        Ok((config, origin)) => server::boot(config, origin),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `rename-command`, before anybody looks a command up.
fn name_commands(renames: &[Rename]) -> Result<(), ConfigError> {
    if renames.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(&[u8], &[u8])> =
        renames.iter().map(|rename| (rename.from.as_slice(), rename.to.as_slice())).collect();
    rename_commands(&pairs).map_err(|(number, error)| renames[number].wrong(&error.to_string()))
}
