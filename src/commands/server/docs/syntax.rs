//! The notation in which the tables hold a command's arguments, and how COMMAND DOCS tells them.
//!
//! ```text
//!  key:k#0 value condition:o@2.6.12?(nx:t='NX' xx:t='XX') get:t='GET'@6.2.0?
//!
//!  name  then in any number   :k type (k key, i integer, d double, p pattern, u unix-time, t pure-token, o oneof, b block;
//!                             a string without)     ~text what to display, if not the name, in quotes if it has marks in it     #0 key spec     ='TOKEN'
//!                             @6.2.0 since     !6.2.0 deprecated since     ? optional     * multiple     + with its token
//!                             (...) arguments of its own, the last thing
//! ```
//!
//! Called by `docs`. Always: texts are constants of this program, and a test reads all of them; a text that cannot be read is a
//! bug, and what was read until there is told.

use crate::resp::reply::Reply;

#[derive(Default)]
struct Argument<'a> {
    name: &'a str,
    kind: u8,
    display: Option<&'a str>,
    key_spec: Option<i64>,
    token: Option<&'a str>,
    since: Option<&'a str>,
    deprecated_since: Option<&'a str>,
    flags: Vec<&'static str>,
    arguments: Option<Vec<Argument<'a>>>,
}

/// Answers the arguments that `text` tells, as an array of maps.
pub(super) fn write(reply: &mut Reply, text: &str) {
    let (arguments, _) = parse(text);
    write_all(reply, &arguments);
}

/// The arguments up to the end or a closing bracket, and what is left behind it.
fn parse(text: &str) -> (Vec<Argument<'_>>, &str) {
    let (mut arguments, mut rest) = (Vec::new(), text);
    while !rest.is_empty() && !rest.starts_with(')') {
        let (argument, behind) = parse_one(rest.trim_start_matches(' '));
        arguments.push(argument);
        rest = behind.trim_start_matches(' ');
    }
    (arguments, rest.strip_prefix(')').unwrap_or(rest))
}

fn parse_one(text: &str) -> (Argument<'_>, &str) {
    let (name, mut rest) = word(text);
    let mut argument = Argument { name, ..Argument::default() };
    while let Some(mark) = rest.bytes().next().filter(|mark| !matches!(mark, b' ' | b')')) {
        let behind = &rest[1..];
        let (text, after) = word(behind);
        rest = after;
        match mark {
            b':' => argument.kind = text.bytes().next().unwrap_or_default(),
            b'~' if behind.starts_with('\'') => (argument.display, rest) = quoted(behind),
            b'~' => argument.display = Some(text),
            b'#' => argument.key_spec = text.parse().ok(),
            b'@' => argument.since = Some(text),
            b'!' => argument.deprecated_since = Some(text),
            b'=' => (argument.token, rest) = quoted(behind),
            b'(' => {
                let (arguments, after) = parse(behind);
                (argument.arguments, rest) = (Some(arguments), after);
            }
            flag => {
                argument.flags.extend(flag_name(flag));
                rest = behind;
            }
        }
    }
    (argument, rest)
}

/// A text in single quotes, and what follows.
fn quoted(text: &str) -> (Option<&str>, &str) {
    let inner = text.strip_prefix('\'').unwrap_or(text);
    let (token, after) = inner.split_once('\'').unwrap_or((inner, ""));
    (Some(token), after)
}

/// A text up to the next mark, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(
        text.find([':', '~', '#', '=', '@', '!', '?', '*', '+', '(', ')', ' ']).unwrap_or(text.len()),
    )
}

fn flag_name(flag: u8) -> Option<&'static str> {
    match flag {
        b'?' => Some("optional"),
        b'*' => Some("multiple"),
        b'+' => Some("multiple_token"),
        _ => None,
    }
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        b'k' => "key",
        b'i' => "integer",
        b'd' => "double",
        b'p' => "pattern",
        b'u' => "unix-time",
        b't' => "pure-token",
        b'o' => "oneof",
        b'b' => "block",
        _ => "string",
    }
}

fn write_all(reply: &mut Reply, arguments: &[Argument<'_>]) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| write_one(reply, argument));
}

fn write_one(reply: &mut Reply, argument: &Argument<'_>) {
    let is_group = matches!(argument.kind, b'o' | b'b');
    let display = argument.display.or((!is_group).then_some(argument.name));
    let texts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ];
    let mark = reply.begin();
    let mut fields = 0;
    let mut text = |reply: &mut Reply, name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
        fields += 1;
    };
    text(reply, "name", argument.name);
    text(reply, "type", kind_name(argument.kind));
    if let Some(display) = display {
        text(reply, "display_text", display);
    }
    if let Some(index) = argument.key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(index);
        fields += 1;
    }
    for (name, value) in texts {
        if let Some(value) = value {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
            fields += 1;
        }
    }
    if !argument.flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(argument.flags.len());
        argument.flags.iter().for_each(|flag| reply.simple(flag));
        fields += 1;
    }
    if let Some(arguments) = &argument.arguments {
        reply.bulk(b"arguments");
        write_all(reply, arguments);
        fields += 1;
    }
    reply.end_map(mark, fields);
}

#[cfg(test)]
mod tests {
    use super::{kind_name, parse};

    #[test]
    fn the_notation_is_read_to_its_end() {
        let (arguments, rest) = parse(
            "key:k#0 condition:o@2.6.12?(nx:t='NX' xx:t='XX') data:b*(field value~v) threshold='~'? old!7.0.0",
        );
        assert_eq!(rest, "");
        let names: Vec<&str> = arguments.iter().map(|argument| argument.name).collect();
        assert_eq!(names, ["key", "condition", "data", "threshold", "old"]);
        let condition = &arguments[1];
        assert_eq!((kind_name(condition.kind), condition.since), ("oneof", Some("2.6.12")));
        assert_eq!(condition.flags, ["optional"]);
        let tokens: Vec<_> = condition.arguments.iter().flatten().map(|argument| argument.token).collect();
        assert_eq!(tokens, [Some("NX"), Some("XX")]);
        assert_eq!(arguments[2].arguments.as_ref().map(|inner| inner[1].display), Some(Some("v")));
        assert_eq!(arguments[3].token, Some("~"));
        assert_eq!(arguments[4].deprecated_since, Some("7.0.0"));
        assert_eq!(arguments[0].key_spec, Some(0));
    }
}
