//! HELP subcommands: a usage text as an array of lines, in the form that Redis gives all of them.
//!
//! Called by the HELP handler of every container. Always: the last two lines explain HELP itself.

use crate::resp::reply::Reply;

/// Answers `<container> HELP`. `lines` are a subcommand with its arguments, then its explanation indented by four spaces.
pub fn help(reply: &mut Reply, container: &str, lines: &[&str]) {
    reply.array(lines.len() + 3);
    let name = container.to_ascii_uppercase();
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.simple(line));
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}
