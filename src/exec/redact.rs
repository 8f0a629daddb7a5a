//! Secrets: which words of a command are passwords, and are shown neither by MONITOR nor by the slow log.
//!
//! Called for every word that either shows. Always: in doubt a word is hidden.

use crate::commands::spec::Args;
use crate::commands::spec::table::Command;
use crate::config::find_row;

/// What is shown in the place of a secret.
pub(super) const REDACTED: &[u8] = b"(redacted)";

/// Is the word at `index` a secret?
pub(super) fn is_secret(command: &Command, args: &Args<'_>, index: usize) -> bool {
    match command.full_name {
        "auth" => index > 0,
        // HELLO version AUTH user password
        "hello" => index > 2 && (args.is(index - 1, "auth") || (index > 3 && args.is(index - 2, "auth"))),
        // MIGRATE host port key db timeout [AUTH password | AUTH2 user password]
        "migrate" => {
            index > 6
                && (args.is(index - 1, "auth")
                    || args.is(index - 1, "auth2")
                    || (index > 7 && args.is(index - 2, "auth2")))
        }
        "config|set" => {
            let names_a_secret = |at: usize| find_row(args.get(at)).is_some_and(|(row, _)| row.sensitive);
            index > 2 && index % 2 == 1 && names_a_secret(index - 1)
        }
        "acl|setuser" => index > 1,
        _ => false,
    }
}
