//! Tests of the list commands: replies as Redis 7.2 gives them, and what replicas get to see.
//!
//! Always: a line is a request, its reply and its effect; requests that change nothing have none.

use crate::commands::harness::Harness;
use crate::keyspace::notify::Classes;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn pushes_and_pops() {
    let mut h = Harness::new();
    h.check("lpush l a b c", ":3", "lpush l a b c");
    h.check("rpush l 1", ":4", "rpush l 1");
    h.reads("lrange l 0 -1", "*4 $1 c $1 b $1 a $1 1");
    h.reads("lpushx none a", ":0");
    h.check("rpushx l z", ":5", "rpushx l z");
    h.check("lpop l", "$1 c", "lpop l");
    h.check("rpop l 2", "*2 $1 z $1 1", "rpop l 2");
    h.reads("lpop l 0", "*0");
    h.check("lpop l 9", "*2 $1 b $1 a", "lpop l 9");
    h.reads("exists l", ":0");
    h.reads("lpop l", "$-1");
    h.reads("lpop l 1", "*-1");
    h.reads("llen l", ":0");
    h.reads("lpop l -1", "-ERR value is out of range, must be positive");
    h.reads("lpop l 1 2", "-ERR wrong number of arguments for 'lpop' command");
    h.check("set s v", "+OK", "set s v");
    for request in ["lpush s a", "lpop s", "llen s", "lrange s 0 1", "lset s 0 a", "lmove s l left left"] {
        h.reads(request, WRONG_TYPE);
    }
}

#[test]
fn ranges_are_clipped_to_the_list() {
    let mut h = Harness::new();
    h.run("rpush l a b c d");
    let mut check = |range: &str, reply: &str| h.reads(&format!("lrange l {range}"), reply);
    check("0 -1", "*4 $1 a $1 b $1 c $1 d");
    check("-2 -1", "*2 $1 c $1 d");
    check("1 1", "*1 $1 b");
    check("-100 0", "*1 $1 a");
    check("3 100", "*1 $1 d");
    check("2 1", "*0");
    check("4 9", "*0");
    check("0 -100", "*0");
    check("-9223372036854775808 9223372036854775807", "*4 $1 a $1 b $1 c $1 d");
    check("x 1", "-ERR value is not an integer or out of range");
    h.reads("lindex l -1", "$1 d");
    h.reads("lindex l 4", "$-1");
    h.reads("lindex l -9223372036854775808", "$-1");
    h.check("ltrim l 1 -2", "+OK", "ltrim l 1 -2");
    h.reads("lrange l 0 -1", "*2 $1 b $1 c");
    h.reads("ltrim l 0 -1", "+OK");
    h.check("ltrim l 5 9", "+OK", "ltrim l 5 9");
    h.reads("exists l", ":0");
}

#[test]
fn elements_are_changed_by_index_and_by_value() {
    let mut h = Harness::new();
    h.run("rpush l a b a 10 a");
    h.check("lset l -1 z", "+OK", "lset l -1 z");
    h.reads("lset l 5 z", "-ERR index out of range");
    h.reads("lset none 0 z", "-ERR no such key");
    h.check("linsert l before b x", ":6", "linsert l before b x");
    h.check("linsert l AFTER z y", ":7", "linsert l AFTER z y");
    h.reads("linsert l before none x", ":-1");
    h.reads("linsert none before a x", ":0");
    h.reads("linsert l beside a x", "-ERR syntax error");
    h.reads("lrange l 0 -1", "*7 $1 a $1 x $1 b $1 a $2 10 $1 z $1 y");
    h.reads("lrem l 0 010", ":0");
    h.check("lrem l -1 a", ":1", "lrem l -1 a");
    h.check("lrem l 0 10", ":1", "lrem l 0 10");
    // A replica of Valkey refuses the smallest number.
    h.run("rpush m a b a");
    h.check("lrem m -9223372036854775808 a", ":2", "LREM m -9223372036854775807 a");
    h.reads("lrange l 0 -1", "*5 $1 a $1 x $1 b $1 z $1 y");
}

#[test]
fn positions_are_counted_from_the_head() {
    let mut h = Harness::new();
    h.run("rpush l a b c 1 2 3 c c");
    h.reads("lpos l c", ":2");
    h.reads("lpos l c rank 2", ":6");
    h.reads("lpos l c rank -1", ":7");
    h.reads("lpos l c count 0", "*3 :2 :6 :7");
    h.reads("lpos l c count 2 rank -1", "*2 :7 :6");
    h.reads("lpos l c maxlen 2", "$-1");
    h.reads("lpos l c count 0 maxlen 7", "*2 :2 :6");
    h.reads("lpos l none", "$-1");
    h.reads("lpos l none count 1", "*0");
    h.reads("lpos none a", "$-1");
    h.reads("lpos l c count -1", "-ERR COUNT can't be negative");
    h.reads("lpos l c rank", "-ERR syntax error");
}

#[test]
fn elements_move_and_the_stream_shows_what_does_not_block() {
    let mut h = Harness::new();
    h.run("rpush a 1 2 3");
    h.check("lmove a b left right", "$1 1", "lmove a b left right");
    h.check("rpoplpush a b", "$1 3", "rpoplpush a b");
    h.check("blmove a b right left 0", "$1 2", "LMOVE a b right left");
    h.reads("exists a", ":0");
    h.reads("lrange b 0 -1", "*3 $1 2 $1 3 $1 1");
    h.check("brpoplpush b b 0", "$1 1", "RPOPLPUSH b b");
    h.reads("lrange b 0 -1", "*3 $1 1 $1 2 $1 3");
    h.reads("lmove none b left left", "$-1");
    h.reads("lmove b b left up", "-ERR syntax error");
    h.check("blpop none b 0", "*2 $1 b $1 1", "LPOP b");
    h.check("brpop b none 0", "*2 $1 b $1 3", "RPOP b");
    h.check("lmpop 2 none b right count 10", "*2 $1 b *1 $1 2", "RPOP b 1");
    h.run("rpush b 1 2 3");
    h.check("blmpop 0 2 none b left count 2", "*2 $1 b *2 $1 1 $1 2", "LPOP b 2");
}

#[test]
fn a_command_that_may_not_wait_answers_as_if_its_time_were_over() {
    let mut h = Harness::new();
    h.reads("blpop a b 0", "*-1");
    h.reads("brpop a 0.5", "*-1");
    h.reads("blmpop 1 1 a left", "*-1");
    h.reads("lmpop 1 a left", "*-1");
    h.reads("blmove a b left left 0", "$-1");
    h.reads("brpoplpush a b 0", "$-1");
    h.reads("blpop a -1", "-ERR timeout is negative");
    h.reads("blpop a x", "-ERR timeout is not a float or out of range");
    h.reads("blpop a 99999999999999999999", "-ERR timeout is out of range");
    h.reads("lmpop 0 a left", "-ERR numkeys should be greater than 0");
    h.reads("lmpop 9223372036854775807 a left", "-ERR syntax error");
    h.reads("lmpop 1 a left count 0", "-ERR count should be greater than 0");
}

#[test]
fn events_of_the_push_come_before_those_of_the_pop() {
    let mut h = Harness::new();
    h.run("rpush a 1");
    h.notify = Classes(u16::MAX);
    let events = |h: &mut Harness, request: &str| {
        let events = h.run(request).events;
        events
            .iter()
            .map(|event| format!("{} {}", event.name, String::from_utf8_lossy(&event.key)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(events(&mut h, "lmove a b left right"), "new b, rpush b, lpop a, del a");
    assert_eq!(events(&mut h, "rpoplpush b b"), "lpush b, rpop b");
    assert_eq!(events(&mut h, "lset b 0 x"), "lset b");
    assert_eq!(events(&mut h, "linsert b after x y"), "linsert b");
    assert_eq!(events(&mut h, "lrem b 0 y"), "lrem b");
    assert_eq!(events(&mut h, "ltrim b 1 0"), "ltrim b, del b");
}
