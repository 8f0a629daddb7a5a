//! The program's arguments from outside: what the shell sees of `--help`, `--version` and a wrong configuration.
//!
//! No case here starts a server. What directives mean is tested beside the parameter table.
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs the program with these arguments and this standard input; returns exit code, standard output and error.
fn run(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_starling-server"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The program may have ended without reading its input.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn help_and_version_answer_and_succeed() {
    for argument in ["--version", "-v"] {
        let (code, out, _) = run(&[argument], "");
        assert_eq!((code, out.trim()), (0, concat!("starling-server ", env!("CARGO_PKG_VERSION"))));
    }
    for argument in ["--help", "-h"] {
        let (code, out, _) = run(&[argument], "");
        assert!(code == 0 && out.contains("Usage: starling-server"), "{out}");
    }
}

#[test]
fn a_wrong_configuration_is_explained_and_exits_with_1() {
    for (arguments, stdin, expected) in [
        (&["--port", "abc"][..], "", "'port' takes an integer from 0 to 65535"),
        (&["-"], "port 1\nprot 2\n", "On standard input, line 2: there is no directive 'prot'"),
        (
            &["/no/such/file.conf"],
            "",
            "can't open config file '/no/such/file.conf': No such file or directory",
        ),
        (&["-x"], "", "there is no directive '-x'"),
        (&["--port", "7000", "--version"], "", "Bad directive or wrong number of arguments"),
        (&["--rename-command", "no-such", "x"], "", "No such command in rename-command"),
        (&["-"], "port 1\nrename-command get del\n", "Target command name already exists"),
        (&["--appendonly", "yes"], "", "not supported yet, only 'no' is allowed"),
        (&["-"], "tls-port 0\ntls-port 6380\n", "TLS is not supported by Starling, 'tls-port' takes only 0"),
        (&["-"], "user alice on >x ~* +@all\n", "'user' is not supported by Starling"),
        (&["--loadmodule", "/x.so"], "", "there are no modules"),
    ] {
        let (code, _, error) = run(arguments, stdin);
        assert_eq!(code, 1, "{arguments:?}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
