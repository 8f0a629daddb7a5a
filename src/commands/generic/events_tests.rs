//! Tests of keyspace events: which command on keys and strings makes which, as Redis does.
//!
//! Run through the harness with every class on. Always: events are compared with their database and key, in order.

use crate::commands::harness::Harness;
use crate::keyspace::notify::Classes;

/// A harness that notes all events.
fn harness() -> Harness {
    let mut h = Harness::new();
    h.notify = Classes::parse(b"AKEmn");
    h
}

/// Runs a request and compares its events as `event key`, those of other databases with `@number`.
#[track_caller]
fn check(h: &mut Harness, request: &str, expected: &str) {
    let event = |event: &crate::keyspace::notify::Event| {
        let key = String::from_utf8_lossy(&event.key).into_owned();
        if event.db.0 == 0 {
            format!("{} {key}", event.name)
        } else {
            format!("{} {key}@{}", event.name, event.db.0)
        }
    };
    let events: Vec<String> = h.run(request).events.iter().map(event).collect();
    assert_eq!(events.join(", "), expected, "{request}");
}

#[test]
fn strings_tell_what_was_done_to_them() {
    let mut h = harness();
    check(&mut h, "set k v", "new k, set k");
    check(&mut h, "set k v ex 10", "set k, expire k");
    check(&mut h, "set k v keepttl", "set k");
    check(&mut h, "set k v nx", "");
    check(&mut h, "set k v xx get", "set k");
    check(&mut h, "setnx k v", "");
    check(&mut h, "setnx n v", "new n, set n");
    check(&mut h, "setex k 10 v", "set k, expire k");
    check(&mut h, "psetex k 10 v", "set k, expire k");
    check(&mut h, "getset k v", "set k");
    check(&mut h, "mset k v m v", "set k, new m, set m");
    check(&mut h, "msetnx k v", "");
    check(&mut h, "append k v", "append k");
    check(&mut h, "setrange k 0 \"\"", "");
    check(&mut h, "setrange k 0 x", "setrange k");
    check(&mut h, "incr i", "new i, incrby i");
    check(&mut h, "decrby i 5", "incrby i");
    check(&mut h, "incrbyfloat i 0.5", "incrbyfloat i");
    check(&mut h, "get missing", "keymiss missing");
    check(&mut h, "mget missing k", "keymiss missing");
    check(&mut h, "getex k ex 5", "expire k");
    check(&mut h, "getex k persist", "persist k");
    check(&mut h, "getex k persist", "");
    check(&mut h, "getex k pxat 1", "del k");
    check(&mut h, "getdel m", "del m");
    check(&mut h, "getdel m", "keymiss m");
}

#[test]
fn keys_tell_where_they_went_and_how_they_ended() {
    let mut h = harness();
    h.run("set k v");
    check(&mut h, "expire k 10", "expire k");
    check(&mut h, "expire k 10 nx", "");
    check(&mut h, "persist k", "persist k");
    check(&mut h, "persist k", "");
    check(&mut h, "rename k other", "new other, rename_from k, rename_to other");
    check(&mut h, "rename missing other", "");
    check(&mut h, "renamenx other k", "new k, rename_from other, rename_to k");
    check(&mut h, "copy k twin", "new twin, copy_to twin");
    check(&mut h, "copy k twin db 3", "new twin@3, copy_to twin@3");
    check(&mut h, "move k 2", "new k@2, move_from k, move_to k@2");
    check(&mut h, "exists k", "keymiss k");
    check(&mut h, "ttl k", "keymiss k");
    check(&mut h, "type k", "keymiss k");
    check(&mut h, "object encoding k", "");
    check(&mut h, "set k v px 5", "new k, set k, expire k");
    h.advance_ms(6);
    check(&mut h, "get k", "expired k, keymiss k");
    h.run("set k v");
    check(&mut h, "pexpireat k 1", "del k");
    check(&mut h, "del twin k", "del twin");
    h.run("set k v");
    check(&mut h, "unlink k k", "del k");
    h.run("set k v");
    let payload = h.run("dump k").reply;
    let body = payload.iter().position(|byte| *byte == b'\n').expect("a bulk") + 1;
    let words: [&[u8]; 5] = [b"restore", b"k", b"0", &payload[body..payload.len() - 2], b"replace"];
    let events: Vec<&str> = h.run_words(&words).events.iter().map(|event| event.name).collect();
    assert_eq!(events, ["new", "restore"]);
}

#[test]
fn nothing_is_noted_of_classes_that_nobody_wants() {
    let mut h = harness();
    h.notify = Classes::parse(b"Kx");
    check(&mut h, "set k v px 5", "");
    h.advance_ms(6);
    check(&mut h, "get k", "expired k");
}
