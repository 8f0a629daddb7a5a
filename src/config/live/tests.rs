//! CONFIG GET and SET as a client sees them: names, patterns, all-or-nothing, error texts.
use super::*;

fn live(text: &str) -> Live {
    let arguments = ["-".into()];
    let (config, origin) =
        super::super::load::from_args_and_stdin(&arguments, &mut text.as_bytes()).expect("valid");
    Live::new(config, origin)
}

fn names(live: &Live, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    live.get(&patterns).into_iter().map(|(name, _)| name).collect()
}

fn value(live: &Live, name: &str) -> String {
    let found = live.get(&[name.as_bytes()]);
    String::from_utf8(found[0].1.clone()).expect("text")
}

/// Sets the pairs with an `apply` that refuses `refused`; returns the error text and the names applied.
fn set(live: &Live, asker: Asker, pairs: &[(&str, &str)], refused: &str) -> (String, Vec<String>) {
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    let mut applied = Vec::new();
    let mut apply = |new: &Config, old: &Config, changed: &[&'static str]| {
        let name = changed[0];
        if name == refused {
            return Err("No.".to_string());
        }
        let row = rows::find(name.as_bytes()).expect("a row").0;
        let (from, to) = (row.show(old), row.show(new));
        applied.push(format!("{name} {} {}", String::from_utf8_lossy(&from), String::from_utf8_lossy(&to)));
        Ok(())
    };
    let result = live.set_by(asker, &pairs, &mut apply);
    (result.err().map_or(String::new(), |error| error.to_string()), applied)
}

fn check_error(pairs: &[(&str, &str)], expected: &str) {
    let live = live("enable-protected-configs no");
    let before = Config::clone(&live.load());
    assert_eq!(set(&live, Asker::default(), pairs, "").0, expected, "{pairs:?}");
    assert_eq!(**live.load(), before, "{pairs:?} must change nothing");
}

#[test]
fn get_answers_names_as_typed_and_patterns_once() {
    let live = live("");
    assert_eq!(names(&live, &["PORT", "port", "no-such"]), ["PORT"]);
    assert_eq!(names(&live, &["*of", "slaveof"]), ["replicaof", "slaveof"]);
    assert_eq!(names(&live, &["maxmemory", "maxmemory*", "bind"]).len(), 6);
    assert_eq!(names(&live, &["repl-DISKLESS-lo?d"]), ["repl-diskless-load"]);
    assert!(names(&live, &["*"]).contains(&"threads".to_string()));
    assert!(names(&live, &[]).is_empty());
}

#[test]
fn hidden_directives_answer_only_to_their_name() {
    let live = live("");
    assert!(!names(&live, &["*"]).contains(&"key-load-delay".to_string()));
    assert_eq!(names(&live, &["key-load-delay"]), ["key-load-delay"]);
}

#[test]
fn set_applies_what_changes_in_the_order_asked() {
    let live = live("port 1");
    let (error, applied) = set(
        &live,
        Asker::default(),
        &[("hz", "10"), ("PORT", "2"), ("slave-read-only", "no"), ("save", "")],
        "",
    );
    assert_eq!(error, "");
    assert_eq!(applied, ["port 1 2", "replica-read-only yes no", "save 3600 1 300 100 60 10000 "]);
    assert_eq!(value(&live, "port"), "2");
    assert_eq!(value(&live, "replica-read-only"), "no");
    assert_eq!(value(&live, "save"), "");
}

#[test]
fn a_refused_change_undoes_those_before_it() {
    let live = live("port 1");
    let pairs = [("maxclients", "5"), ("timeout", "7"), ("port", "2"), ("hz", "50")];
    let (error, applied) = set(&live, Asker::default(), &pairs, "port");
    assert_eq!(error, "CONFIG SET failed (possibly related to argument 'port') - No.");
    assert_eq!(applied, ["maxclients 10000 5", "timeout 0 7", "timeout 7 0", "maxclients 5 10000"]);
    assert_eq!((value(&live, "port"), value(&live, "maxclients")), ("1".into(), "10000".into()));
}

#[test]
fn values_take_the_forms_of_redis() {
    for (name, set_to, shown) in [
        ("repl-backlog-size", "3mb", "3145728"),
        ("maxmemory", "1k", "1000"),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        (
            "client-output-buffer-limit",
            "replica 1mb 2k 3",
            "normal 0 0 0 slave 1048576 2000 3 pubsub 33554432 8388608 60",
        ),
        (
            "client-output-buffer-limit",
            "normal 1 2 3 pubsub 0 0 0",
            "normal 1 2 3 slave 268435456 67108864 60 pubsub 0 0 0",
        ),
        ("notify-keyspace-events", "xKEg$", "g$xKE"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "", ""),
        ("maxmemory-clients", "12%", "12%"),
        ("latency-tracking-info-percentiles", "50 99.90 100.0", "50 99.9 100"),
        ("shutdown-on-sigterm", "now nosave", "nosave now"),
        ("shutdown-on-sigterm", "default", "default"),
        ("LogLevel", "VERBOSE", "verbose"),
        ("save", "10 20 30 0", "10 20 30 0"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("requirepass", "a b", "a b"),
        ("lua-time-limit", "7", "7"),
    ] {
        let live = live("");
        assert_eq!(set(&live, Asker::default(), &[(name, set_to)], "").0, "", "{name} {set_to}");
        assert_eq!(value(&live, name), shown, "{name} {set_to}");
    }
}

#[test]
fn errors_are_those_of_redis_and_change_nothing() {
    for (pairs, expected) in [
        (&[("hz", "1"), ("foo", "1")][..], "Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (
            &[("hz", "5"), ("HZ", "6")],
            "CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter",
        ),
        (
            &[("daemonize", "yes")],
            "CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config",
        ),
        (
            &[("dir", ".")],
            "CONFIG SET failed (possibly related to argument 'dir') - can't set protected config",
        ),
        (
            &[("timeout", "1"), ("port", "x")],
            "CONFIG SET failed (possibly related to argument 'port') - argument couldn't be parsed into an integer",
        ),
        (
            &[("port", "65536")],
            "CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive",
        ),
        (
            &[("slave-read-only", "x")],
            "CONFIG SET failed (possibly related to argument 'slave-read-only') - argument must be 'yes' or 'no'",
        ),
        (
            &[("maxmemory", "-1")],
            "CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
        ),
        (
            &[("maxmemory-clients", "200%")],
            "CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less or equal to 100",
        ),
        (
            &[("maxmemory-clients", "x")],
            "CONFIG SET failed (possibly related to argument 'maxmemory-clients') - argument must be a memory or percent value",
        ),
        (
            &[("repl-diskless-load", "x")],
            "CONFIG SET failed (possibly related to argument 'repl-diskless-load') - argument(s) must be one of the following: disabled, on-empty-db, swapdb",
        ),
        (
            &[("save", "1")],
            "CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters",
        ),
        (
            &[("save", "0 1")],
            "CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters",
        ),
        (
            &[("client-output-buffer-limit", "normal 1 2")],
            "CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.",
        ),
        (
            &[("client-output-buffer-limit", "master 1 2 3")],
            "CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.",
        ),
        (
            &[("client-output-buffer-limit", "normal 1 x 3")],
            "CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            &[("notify-keyspace-events", "Q")],
            "CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        (
            &[("shutdown-on-sigint", "save nosave")],
            "CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            &[("appendonly", "yes")],
            "CONFIG SET failed (possibly related to argument 'appendonly') - the append-only file is not supported yet, only 'no' is allowed",
        ),
    ] {
        check_error(pairs, expected);
    }
}

#[test]
fn protected_and_loading_directives_depend_on_who_asks_and_when() {
    let local = Asker { local: true, loading: false };
    let loading = Asker { local: true, loading: true };
    let live = live("enable-protected-configs local");
    assert_ne!(set(&live, Asker::default(), &[("dbfilename", "x")], "").0, "");
    assert_eq!(set(&live, local, &[("dbfilename", "x")], "").0, "");
    assert_eq!(
        set(&live, local, &[("dbfilename", "a/b")], "").0,
        "CONFIG SET failed (possibly related to argument 'dbfilename') - dbfilename can't be a path, just a filename"
    );
    let (error, _) = set(&live, local, &[("dir", "no-such-directory")], "");
    assert!(error.ends_with("No such file or directory"), "{error}");
    assert_eq!(set(&live, loading, &[("loglevel", "debug")], "").0, "");
    assert_eq!(set(&live, loading, &[("dir", ".")], "").0, "Redis is loading the dataset in memory");
}

#[test]
fn readers_see_a_change_when_it_is_complete() {
    let live = live("port 1");
    let mut cache = live.cache();
    let mut apply = |_: &Config, _: &Config, _: &[&'static str]| {
        assert_eq!(live.load().port, 1);
        Ok(())
    };
    live.set(&[(b"port", b"2")], &mut apply).expect("set");
    assert_eq!((live.load().port, cache.load().port), (2, 2));
    live.update(|config| config.port = 3);
    assert_eq!(cache.load().port, 3);
}
