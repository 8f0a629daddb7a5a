//! The command line as Redis reads it: a configuration file, then directives, which become lines of text.
//!
//! ```text
//!   conf --port 7000 --save 3600 1 --save ""   ->   file conf, lines  port "7000"
//!                                                                     save "3600" "1"
//!                                                                     save ""
//! ```
//!
//! Called by the loader, which reads the lines after those of the file, so that the command line has the last word.
//! Values are quoted: nothing in them can become a second line.
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::line;

/// A command line taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// The first argument, if it does not start with `-`.
    pub file: Option<PathBuf>,
    /// A lone `-` as the first or last argument.
    pub stdin: bool,
    /// The directives as configuration text.
    pub lines: Vec<u8>,
}

/// Takes the arguments after the program's name apart, by the rules of redis-server 7.0.15.
///
/// A word with `--` starts a directive, except right after a directive's name: there it is the value, so that a
/// value may start with `--`. Only `--save` may go without one.
pub(super) fn parse(arguments: &[OsString]) -> CommandLine {
    let mut result = CommandLine::default();
    let mut rest = arguments;
    if let Some((first, tail)) = arguments.split_first()
        && !first.as_bytes().starts_with(b"-")
    {
        result.file = Some(PathBuf::from(first));
        rest = tail;
    }
    let mut name_needs_value = false;
    for (at, argument) in rest.iter().enumerate() {
        let argument = argument.as_bytes();
        let (is_first, next) = (at == 0 && result.file.is_none(), rest.get(at + 1));
        if argument == b"-" && (is_first || next.is_none()) {
            result.stdin = true;
        } else if !name_needs_value && argument.starts_with(b"--") {
            if !result.lines.is_empty() {
                result.lines.push(b'\n');
            }
            result.lines.extend(&argument[2..]);
            result.lines.push(b' ');
            let has_value = line::split(argument).is_none_or(|words| words.len() != 1);
            let next_is_name = next.is_none_or(|next| next.as_bytes().starts_with(b"--"));
            let empty_save = !has_value && next_is_name && argument.eq_ignore_ascii_case(b"--save");
            if empty_save {
                result.lines.extend(b"\"\"");
            }
            name_needs_value = !has_value && !empty_save;
        } else {
            line::quote(argument, &mut result.lines);
            result.lines.push(b' ');
            name_needs_value = false;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], file: Option<&str>, stdin: bool, lines: &[&str]) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let parsed = parse(&arguments);
        let text = String::from_utf8_lossy(&parsed.lines).into_owned();
        let found: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(found, lines, "{arguments:?}");
        assert_eq!((parsed.file, parsed.stdin), (file.map(PathBuf::from), stdin), "{arguments:?}");
    }

    #[test]
    fn arguments_become_the_lines_that_redis_makes_of_them() {
        check(&[], None, false, &[]);
        check(&["a.conf"], Some("a.conf"), false, &[]);
        check(&["-"], None, true, &[]);
        check(&["a.conf", "--port", "1", "-"], Some("a.conf"), true, &["port \"1\""]);
        check(&["--port", "-", "--hz", "1"], None, false, &["port \"-\"", "hz \"1\""]);
        check(
            &["--port", "7000", "--save", "3600", "1", "--save", ""],
            None,
            false,
            &["port \"7000\"", "save \"3600\" \"1\"", "save \"\""],
        );
        check(&["--port"], None, false, &["port"]);
        check(&["--port", "--loglevel", "verbose"], None, false, &["port \"--loglevel\" \"verbose\""]);
        check(&["--port 6380", "--loglevel verbose"], None, false, &["port 6380", "loglevel verbose"]);
        check(&["--save", "--hz", "1", "--save"], None, false, &["save \"\"", "hz \"1\"", "save \"\""]);
        check(&["--replicaof", "h", "1"], None, false, &["replicaof \"h\" \"1\""]);
        check(&["--replicaof", "h 1"], None, false, &["replicaof \"h 1\""]);
        check(&["--replicaof", "--h", "--1"], None, false, &["replicaof \"--h\"", "1"]);
        check(&["a.conf", "loglevel", "debug"], Some("a.conf"), false, &["\"loglevel\" \"debug\""]);
        check(&["--a", "x\ny"], None, false, &["a \"x\\ny\""]);
    }
}
