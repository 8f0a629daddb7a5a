//! Tests of SORT: orders, limits, patterns, STORE and its effect.
//!
//! Expected replies are those of redis-server 7.0.15. Always: run in the harness, one client, no threads.

use crate::commands::harness::Harness;

fn with_data() -> Harness {
    let mut h = Harness::new();
    h.run("rpush l 3 10 1");
    h.run("rpush words b a C");
    h.run("sadd s 3 10 1");
    h.run("zadd z 1 c 2 a 3 b");
    h.run("mset w_3 30 w_10 10 w_1 20 w_a x w_b y");
    h.run("hset h_3 name three n 1");
    h.run("hset h_10 name ten n 3");
    h.run("hset h_1 n 2");
    h
}

#[test]
fn elements_come_in_the_order_that_was_asked_for() {
    let mut h = with_data();
    h.reads("sort l", "*3 $1 1 $1 3 $2 10");
    h.reads("sort l desc", "*3 $2 10 $1 3 $1 1");
    h.reads("sort l alpha", "*3 $1 1 $2 10 $1 3");
    h.reads("sort s", "*3 $1 1 $1 3 $2 10");
    h.reads("sort words alpha", "*3 $1 C $1 a $1 b");
    h.reads("sort z alpha desc", "*3 $1 c $1 b $1 a");
    h.reads("sort words", "-ERR One or more scores can't be converted into double");
    h.reads("sort none", "*0");
    h.reads("sort w_1", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    h.reads("sort_ro l limit 1 1", "*1 $1 3");
    h.reads("sort l limit 1 -1", "*2 $1 3 $2 10");
    h.reads("sort l limit 7 1", "*0");
    h.reads("sort l desc limit 0 2", "*2 $2 10 $1 3");
}

#[test]
fn a_constant_pattern_keeps_the_order_of_the_key() {
    let mut h = with_data();
    h.reads("sort l by nosort", "*3 $1 3 $2 10 $1 1");
    h.reads("sort l by nosort desc", "*3 $1 1 $2 10 $1 3");
    h.reads("sort z by nosort", "*3 $1 c $1 a $1 b");
    h.reads("sort z by nosort desc limit 0 2", "*2 $1 b $1 a");
    h.reads("sort z by nosort limit 1 1", "*1 $1 a");
    // A stored set is sorted all the same.
    h.check("sort s by nosort store d", ":3", "RPUSH d 1 10 3");
}

#[test]
fn patterns_lead_to_strings_and_fields() {
    let mut h = with_data();
    h.reads("sort l by w_*", "*3 $2 10 $1 1 $1 3");
    h.reads("sort l by h_*->n get # get h_*->name", "*6 $1 3 $5 three $1 1 $-1 $2 10 $3 ten");
    h.reads("sort l get w_* get const", "*6 $2 20 $-1 $2 30 $-1 $2 10 $-1");
    h.reads("sort words by w_* alpha", "*3 $1 C $1 a $1 b");
    // A missing weight is zero, a key of another type is missing; equal weights go by the elements' bytes.
    h.reads("sort l by none_*", "*3 $1 1 $2 10 $1 3");
    h.reads("sort l by h_*", "*3 $1 1 $2 10 $1 3");
    h.reads("sort words by w_*", "-ERR One or more scores can't be converted into double");
}

#[test]
fn a_result_is_stored_and_sent_as_a_list() {
    let mut h = with_data();
    h.check("sort l store d", ":3", "RPUSH d 1 3 10");
    h.reads("lrange d 0 -1", "*3 $1 1 $1 3 $2 10");
    h.check("sort l get h_*->name store d", ":3", "DEL d; RPUSH d  three ten");
    h.check("sort none store d", ":0", "DEL d");
    h.check("sort none store d", ":0", "");
    h.check("sort l limit 0 1 store l", ":1", "DEL l; RPUSH l 1");
    h.reads("lrange l 0 -1", "*1 $1 1");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let mut h = with_data();
    let syntax = "-ERR syntax error";
    ["sort l limit 1", "sort l by", "sort l get", "sort l store", "sort l upward", "sort_ro l store d"]
        .iter()
        .for_each(|request| h.reads(request, syntax));
    h.reads("sort l limit x 1", "-ERR value is not an integer or out of range");
}
