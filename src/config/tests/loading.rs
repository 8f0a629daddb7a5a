//! Files, standard input and command lines: what they set, how they are refused, and that no bytes can break it.
use std::fs;

use proptest::prelude::*;

use crate::config::error::ConfigError;
use crate::config::fields::Config;
use crate::config::load::{Origin, from_args_and_stdin};
use crate::config::rows;
use crate::config::value::{PrimaryAddress, SavePoint};
use crate::config::words::{LogLevel, Permission};

fn load(arguments: &[&str], stdin: &str) -> Result<(Config, Origin), ConfigError> {
    let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
    from_args_and_stdin(&arguments, &mut stdin.as_bytes())
}

fn text(stdin: &str) -> Config {
    load(&["-"], stdin).expect("a valid configuration").0
}

/// The whole message has these lines (after the empty one and the banner).
fn check_error(arguments: &[&str], stdin: &str, lines: &[&str]) {
    let message = load(arguments, stdin).expect_err("an error").to_string();
    let found: Vec<&str> = message.lines().collect();
    assert!(found[1].starts_with("*** FATAL CONFIG FILE ERROR (Starling "), "{message}");
    assert_eq!(found[2..], *lines, "{message}");
}

#[test]
fn a_file_in_redis_syntax_sets_the_fields() {
    let config = text(
        "# comment\n\n  port 7000  \r\nBIND 127.0.0.1 -::1\nsave 60 1\nsave 5 2\nloglevel warning\n\
         requirepass \"p\\x00\\xff\"\nslaveof example.org 6380\nmaxclients 5\nunixsocketperm 750\n\
         client-query-buffer-limit 2m\nlogfile ''\nenable-debug-command LOCAL\nhz 9999\nthreads 3\n",
    );
    assert_eq!(config.port, 7000);
    assert_eq!(config.bind, ["127.0.0.1", "-::1"]);
    assert_eq!(config.save, [SavePoint { seconds: 60, changes: 1 }, SavePoint { seconds: 5, changes: 2 }]);
    assert_eq!(config.loglevel, LogLevel::Warning);
    assert_eq!(config.requirepass.as_deref(), Some(&b"p\x00\xff"[..]));
    assert_eq!(config.replicaof, Some(PrimaryAddress { host: "example.org".into(), port: 6380 }));
    assert_eq!((config.maxclients, config.unixsocketperm, config.hz, config.threads), (5, 0o750, 500, 3));
    assert_eq!(config.client_query_buffer_limit, 2_000_000);
    assert_eq!(config.enable_debug_command, Permission::Local);
    assert!(config.dir.is_absolute());
}

#[test]
fn the_command_line_has_the_last_word_after_file_and_standard_input() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("s.conf");
    fs::write(&file, "port 1\nhz 20\nsave 900 1\ntimeout 4\n").expect("write");
    let file = file.to_str().expect("text");
    let (config, origin) =
        load(&[file, "--port", "3", "--save", "100", "100", "-"], "port 2\nhz 30\n").expect("valid");
    assert_eq!((config.port, config.hz, config.timeout), (3, 30, 4));
    assert_eq!(
        config.save,
        [SavePoint { seconds: 900, changes: 1 }, SavePoint { seconds: 100, changes: 100 }]
    );
    assert_eq!(origin.file.as_deref().and_then(|path| path.to_str()), Some(file));
    assert_eq!(load(&[file, "--save", ""], "").expect("valid").0.save, []);
}

#[test]
fn several_words_may_come_as_one_argument() {
    for arguments in [&["--replicaof", "h 1"][..], &["--replicaof", "h", "1"], &["--replicaof h 1"]] {
        let config = load(arguments, "").expect("valid").0;
        assert_eq!(config.replicaof, Some(PrimaryAddress { host: "h".into(), port: 1 }), "{arguments:?}");
    }
    assert_eq!(load(&["--replicaof", "no one"], "").expect("valid").0.replicaof, None);
    assert_eq!(load(&["--proc-title-template", "--x", "--port", "5"], "").expect("valid").0.port, 5);
}

#[test]
fn includes_are_read_where_they_stand() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).to_str().expect("text").to_string();
    fs::write(at("b.conf"), "port 2\nmaxclients 2\n").expect("write");
    fs::write(at("a.conf"), "port 1\ntimeout 1\n").expect("write");
    fs::write(at(".hidden.conf"), "port 9\n").expect("write");
    let config = text(&format!("port 7\ninclude {}\nmaxclients 3\n", at("*.conf")));
    assert_eq!((config.port, config.timeout, config.maxclients), (2, 1, 3));
    assert_eq!(text(&format!("include {}", at("none-*.conf"))).port, 6379);
    let missing = load(&["-"], &format!("include {}", at("none.conf"))).expect_err("missing").to_string();
    assert_eq!(
        missing,
        format!("Fatal error, can't open config file '{}': No such file or directory", at("none.conf"))
    );
    fs::write(at("bad.conf"), "\nport x\n").expect("write");
    check_error(
        &["-"],
        &format!("include {}", at("bad.conf")),
        &[
            "Reading the configuration file, at line 2",
            ">>> 'port x'",
            "argument couldn't be parsed into an integer",
            &format!("In {}, line 2: 'port' takes an integer from 0 to 65535.", at("bad.conf")),
        ],
    );
    fs::write(at("loop.conf"), format!("include {}", at("loop.conf"))).expect("write");
    check_error(
        &[&at("loop.conf")],
        "",
        &[
            "Reading the configuration file, at line 1",
            &format!(">>> 'include {}'", at("loop.conf")),
            "Files include each other more than 16 deep",
            &format!("In {}, line 1: a file seems to include itself.", at("loop.conf")),
        ],
    );
}

#[test]
fn a_wrong_line_is_named_with_its_place_and_what_is_allowed() {
    check_error(
        &["-"],
        "hz 1\nprot 1",
        &[
            "Reading the configuration file, at line 2",
            ">>> 'prot 1'",
            "Bad directive or wrong number of arguments",
            "On standard input, line 2: there is no directive 'prot'; the closest name is 'port'.",
        ],
    );
    check_error(
        &["--loglevel", "loud"],
        "",
        &[
            "Reading the configuration file, at line 1",
            ">>> 'loglevel \"loud\"'",
            "argument(s) must be one of the following: debug, verbose, notice, warning",
            "On the command line, line 1: 'loglevel' takes one of debug, verbose, notice, warning.",
        ],
    );
}

#[test]
fn reasons_are_those_of_redis() {
    for (arguments, line, reason) in [
        (&["--port"][..], "port", "wrong number of arguments"),
        (&["--port", "6379", "6380"], "port \"6379\" \"6380\"", "wrong number of arguments"),
        (
            &["--port", "--loglevel", "verbose"],
            "port \"--loglevel\" \"verbose\"",
            "wrong number of arguments",
        ),
        (&["--port", "--bla"], "port \"--bla\"", "argument couldn't be parsed into an integer"),
        (
            &["--shutdown-on-sigint"],
            "shutdown-on-sigint",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (&["--replicaof", "127.0.0.1", "abc"], "replicaof \"127.0.0.1\" \"abc\"", "Invalid master port"),
        (&["--replicaof", "--127.0.0.1", "--abc"], "replicaof \"--127.0.0.1\"", "wrong number of arguments"),
        (
            &["--unixsocketperm", "999"],
            "unixsocketperm \"999\"",
            "argument couldn't be parsed as an octal number",
        ),
        (
            &["--unixsocketperm", "1000"],
            "unixsocketperm \"1000\"",
            "argument must be between 0 and 777 inclusive",
        ),
        (&["--maxmemory", "1tb"], "maxmemory \"1tb\"", "argument must be a memory value"),
        (
            &["--repl-timeout", "0"],
            "repl-timeout \"0\"",
            "argument must be between 1 and 2147483647 inclusive",
        ),
        (&["--daemonize", "maybe"], "daemonize \"maybe\"", "argument must be 'yes' or 'no'"),
        (&["--save", "1"], "save \"1\"", "Invalid save parameters"),
        (&["--dir", "/no/such/place"], "dir \"/no/such/place\"", "No such file or directory"),
        (&["--dir", "/dev/null"], "dir \"/dev/null\"", "Not a directory"),
        (&["--hz 'x"], "hz 'x", "Unbalanced quotes in configuration line"),
        (
            &["--appendonly", "yes"],
            "appendonly \"yes\"",
            "the append-only file is not supported yet, only 'no' is allowed",
        ),
        (
            &["--cluster-enabled", "yes"],
            "cluster-enabled \"yes\"",
            "cluster mode is not supported yet, only 'no' is allowed",
        ),
        (&["--aclfile", "x"], "aclfile \"x\"", "ACL files are not supported yet, only \"\" is allowed"),
        (&["--dbfilename", "a/b"], "dbfilename \"a/b\"", "dbfilename can't be a path, just a filename"),
        (&["--rename-command", "a"], "rename-command \"a\"", "Bad directive or wrong number of arguments"),
    ] {
        let message = load(arguments, "").expect_err("an error").to_string();
        let found: Vec<&str> = message.lines().collect();
        assert_eq!((found[3], found[4]), (format!(">>> '{line}'").as_str(), reason), "{arguments:?}");
        assert_eq!(found.len(), 6, "{message}");
    }
}

#[test]
fn a_log_file_that_cannot_be_opened_is_an_error() {
    let error = load(&["--logfile", "/no/such/place/log"], "").expect_err("an error").to_string();
    assert!(error.ends_with("Can't open the log file: No such file or directory"), "{error}");
}

#[test]
fn the_stock_directives_of_a_redis_test_server_are_accepted() {
    let config = text(
        "always-show-logo yes\nnotify-keyspace-events KEA\ndaemonize no\npidfile /var/run/x.pid\nport 6379\ntimeout 0\n\
         bind 127.0.0.1\nloglevel verbose\nlogfile ''\ndatabases 16\nlatency-monitor-threshold 1\n\
         repl-diskless-sync-delay 0\nsave 900 1\nrdbcompression yes\ndbfilename dump.rdb\ndir ./\n\
         slave-serve-stale-data yes\nappendonly no\nappendfsync everysec\nno-appendfsync-on-rewrite no\n\
         activerehashing yes\nenable-protected-configs yes\nenable-debug-command yes\nenable-module-command yes\n\
         propagation-error-behavior panic\nlua-replicate-commands yes\n",
    );
    assert_eq!(config.repl_diskless_sync_delay, 0);
}

/// Lines that start like a directive and end anyhow. `logfile` is left out, because a log file gets created.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<&'static str> =
        rows::all().flat_map(|row| row.names()).filter(|name| *name != "logfile").collect();
    let word = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        "-?[0-9]{1,22}(k|mb|gb|%)?".prop_map(String::into_bytes),
        "(yes|no|\"\"|one|normal|replica|auto|\\*|[a-zA-Z\"'\\\\]{0,8})".prop_map(String::into_bytes),
    ];
    (proptest::sample::select(names), proptest::collection::vec(word, 0..5)).prop_map(|(name, words)| {
        let mut line = name.as_bytes().to_vec();
        for word in words {
            line.push(b' ');
            line.extend(word.into_iter().filter(|byte| *byte != b'\n'));
        }
        line
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_configuration_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let result = from_args_and_stdin(&["-".into()], &mut bytes.as_slice());
        if let Err(error) = result {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_words_after_a_name_are_taken_or_refused_and_read_back(line in line()) {
        let Ok((config, _)) = from_args_and_stdin(&["-".into()], &mut line.as_slice()) else { return Ok(()) };
        let name = line.split(|byte| *byte == b' ').next().expect("a name");
        let Some((row, _)) = rows::find(name) else { return Ok(()) };
        for written in row.kind.write(&row.get(&config)) {
            let again = [row.name.as_bytes(), b" ", &written].concat();
            let (again, _) = from_args_and_stdin(&["-".into()], &mut again.as_slice())
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            // Several lines add up, so only those values that fit into one line can be compared.
            if row.kind.write(&row.get(&config)).len() == 1 {
                prop_assert_eq!(row.get(&again), row.get(&config));
            }
        }
    }
}
