//! Directives that have no row: what to do with a line that was written for a server that can more, or that is misspelt.
//!
//! ```text
//!   asks for nothing that matters (tls-port 0)            passed over
//!   prepares for what is not used then (tls-cert-file)    passed over, and named in the log at start
//!   promises something (tls-port 6380, user, aclfile)     the server does not start, and says why
//! ```
//!
//! Called by the loader and by CONFIG REWRITE, which keeps what is passed over. Always: a line that would protect data or restrict
//! somebody is never passed over, since whoever wrote it relies on it.
use super::rows;

/// Names of older versions that are taken without a word if they have one value.
const FORGOTTEN: &[&str] = &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// Names whose lines are refused, with the reason.
const MISSING: &[(&str, &str)] = &[
    ("user", "there is one user, the default one, whose password is 'requirepass'"),
    ("loadmodule", "there are no modules"),
    ("sentinel", "a Sentinel is another program"),
];

/// What becomes of a line.
pub(super) enum Verdict {
    Harmless,
    /// Harmless too, but the log should name it.
    Ignored(String),
    /// The hint for whoever wrote the line.
    Refused(String),
}

/// Judges a directive that has no row.
pub(super) fn judge(name: &[u8], values: &[&[u8]]) -> Verdict {
    let shown = String::from_utf8_lossy(name).to_ascii_lowercase();
    let is_off = |off: &str| values.len() == 1 && values[0].eq_ignore_ascii_case(off.as_bytes());
    if values.len() == 1 && FORGOTTEN.contains(&shown.as_str()) {
        return Verdict::Harmless;
    }
    if let Some((_, reason)) = MISSING.iter().find(|(missing, _)| *missing == shown) {
        return Verdict::Refused(format!("'{shown}' is not supported by Starling: {reason}"));
    }
    let off = match shown.as_str() {
        "tls-port" => "0",
        "tls-replication" | "tls-cluster" => "no",
        tls if tls.starts_with("tls-") && !values.is_empty() => return Verdict::Ignored(shown),
        "rename-command" => {
            return Verdict::Refused("'rename-command' takes a command and its new name, or \"\"".into());
        }
        "include" => return Verdict::Refused("'include' takes one file name or pattern".into()),
        _ => return Verdict::Refused(unknown(name, &shown)),
    };
    if is_off(off) {
        return Verdict::Harmless;
    }
    Verdict::Refused(format!("TLS is not supported by Starling, '{shown}' takes only {off}"))
}

/// Would the loader pass over a line that begins like this?
pub(super) fn is_passed_over(name: &[u8], values: &[&[u8]]) -> bool {
    match judge(name, values) {
        Verdict::Harmless | Verdict::Ignored(_) => true,
        Verdict::Refused(_) => false,
    }
}

fn unknown(name: &[u8], shown: &str) -> String {
    match rows::closest(name) {
        Some(known) => format!("there is no directive '{shown}'; the closest name is '{known}'"),
        None => format!("there is no directive '{shown}'; docs/configuration.md lists them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};

    #[test]
    fn a_line_that_promises_something_is_refused_and_others_are_passed_over() {
        let check = |line: &str, expected: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let found = match judge(words[0], &words[1..]) {
                Verdict::Harmless => String::new(),
                Verdict::Ignored(name) => format!("ignored {name}"),
                Verdict::Refused(hint) => hint,
            };
            assert_eq!(found, expected, "{line}");
        };
        check("tls-port 0", "");
        check("TLS-Replication no", "");
        check("lua-replicate-commands yes", "");
        check("tls-cert-file redis.crt", "ignored tls-cert-file");
        check("tls-port 6380", "TLS is not supported by Starling, 'tls-port' takes only 0");
        check("tls-cluster yes", "TLS is not supported by Starling, 'tls-cluster' takes only no");
        check("loadmodule /x.so", "'loadmodule' is not supported by Starling: there are no modules");
        check("prot 1", "there is no directive 'prot'; the closest name is 'port'");
    }
}
