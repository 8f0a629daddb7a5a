//! What stream commands answer, and what exactly they tell replicas.

use crate::commands::harness::{Harness, NOW};

/// Entries 1-0 to `last`-0 in `s`, each with field f and value v.
fn with_entries(last: u64) -> Harness {
    let mut h = Harness::new();
    (1..=last).for_each(|ms| h.check(&format!("xadd s {ms}-0 f v"), &format!("$3 {ms}-0"), &added(ms)));
    h
}

fn added(ms: u64) -> String {
    format!("xadd s {ms}-0 f v")
}

#[test]
fn xadd_tells_replicas_the_id_and_how_far_it_trimmed() {
    let mut h = Harness::new();
    h.check("xadd s * f v", "$15 1700000000000-0", "xadd s 1700000000000-0 f v");
    h.check("xadd s * f v", "$15 1700000000000-1", "xadd s 1700000000000-1 f v");
    h.check("xadd s 1700000000000-* f v", "$15 1700000000000-2", "xadd s 1700000000000-2 f v");
    h.check("xadd s 1800000000000-1 f v", "$15 1800000000000-1", "xadd s 1800000000000-1 f v");
    h.check(
        "XADD s MAXLEN 2 1800000000000-2 f v",
        "$15 1800000000000-2",
        "XADD s MAXLEN 2 1800000000000-2 f v",
    );
    h.check(
        "xadd s maxlen ~ 1 limit 5 * f v",
        "$15 1800000000000-3",
        "xadd s maxlen = 3 limit 5 1800000000000-3 f v",
    );
    h.check(
        "xadd s minid ~ 1800000000000-2 1900000000000 f v",
        "$15 1900000000000-0",
        "xadd s minid = 1700000000000-0 1900000000000 f v",
    );
    h.check("xadd none nomkstream * f v", "$-1", "");
    h.reads("xlen s", ":4");
}

#[test]
fn xadd_refuses_what_redis_refuses() {
    let mut h = Harness::new();
    h.run("set string x");
    h.run("xadd s 5-5 f v");
    h.reads(
        "xadd s 5-5 f v",
        "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    h.reads("xadd new 0-0 f v", "-ERR The ID specified in XADD must be greater than 0-0");
    h.reads("xadd s * f v g", "-ERR wrong number of arguments for 'xadd' command");
    h.reads("xadd s maxlen 5 * f", "-ERR wrong number of arguments for 'xadd' command");
    h.reads(
        "xadd s maxlen 5 minid 1 * f v",
        "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
    );
    h.reads("xadd s maxlen -1 * f v", "-ERR The MAXLEN argument must be >= 0.");
    h.reads(
        "xadd s maxlen 1 limit 5 * f v",
        "-ERR syntax error, LIMIT cannot be used without the special ~ option",
    );
    h.reads(
        "xadd s limit 5 * f v",
        "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
    );
    h.reads("xadd s maxlen ~ 1 limit -5 * f v", "-ERR The LIMIT argument must be >= 0.");
    h.reads("xadd s - f v", "-ERR Invalid stream ID specified as stream command argument");
    h.reads("xadd string * f v", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    h.reads("exists new", ":0");
    h.run("xsetid s 18446744073709551615-18446744073709551615");
    h.reads("xadd s * f v", "-ERR The stream has exhausted the last possible ID, unable to add more items");
}

#[test]
fn a_replica_takes_its_primarys_limit_for_what_it_is() {
    let mut h = with_entries(4);
    h.from_primary = true;
    h.check("xadd s maxlen = 2 limit 1 5-0 f v", "$3 5-0", "xadd s maxlen = 2 limit 1 5-0 f v");
    h.reads("xlen s", ":2");
}

#[test]
fn xtrim_tells_replicas_what_is_left() {
    let mut h = with_entries(8);
    h.configure(|config| config.stream_node_max_entries = 3);
    h.check("xtrim s maxlen 8", ":0", "");
    h.check("xtrim s maxlen 7", ":1", "xtrim s maxlen 7");
    h.check("xtrim s minid = 3", ":1", "xtrim s minid = 3");
    h.check("xtrim s maxlen ~ 5", ":0", "");
    h.reads(
        "xtrim s limit 3",
        "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
    );
    h.reads("xtrim s maxlen", "-ERR wrong number of arguments for 'xtrim' command");
    h.reads("xtrim s what 1", "-ERR syntax error");
    let mut h = Harness::new();
    h.configure(|config| config.stream_node_max_entries = 3);
    (1..=8).for_each(|ms| drop(h.run(&format!("xadd s {ms}-0 f v"))));
    h.check("xtrim s maxlen ~ 4", ":3", "xtrim s maxlen = 5");
    h.check("xtrim s minid ~ 7", ":3", "xtrim s minid = 7-0");
    assert_eq!(h.run("xtrim s maxlen 0").tally.dirty, 2);
    h.reads("exists s", ":1");
}

#[test]
fn ranges_take_open_ends_and_counts() {
    let mut h = with_entries(3);
    let entry = |ms: u64| format!("*2 $3 {ms}-0 *2 $1 f $1 v");
    h.reads("xrange s - + count 2", &format!("*2 {} {}", entry(1), entry(2)));
    h.reads("xrange s (1 2", &format!("*1 {}", entry(2)));
    h.reads("xrevrange s + 2", &format!("*2 {} {}", entry(3), entry(2)));
    h.reads("xrange s 5 9", "*0");
    h.reads("xrange none - +", "*0");
    h.reads("xrange s - + count 0", "*-1");
    h.reads("xrange s - + count", "-ERR syntax error");
    h.reads("xrange s (+ +", "-ERR Invalid stream ID specified as stream command argument");
    h.reads("xrange s - (0-0", "-ERR invalid end ID for the interval");
}

#[test]
fn xdel_and_xsetid() {
    let mut h = with_entries(3);
    h.check("xdel s 2 2 9", ":1", "xdel s 2 2 9");
    h.check("xdel s 2", ":0", "");
    h.reads("xdel s 1 x", "-ERR Invalid stream ID specified as stream command argument");
    h.reads("xsetid s 2", "-ERR The ID specified in XSETID is smaller than the target stream top item");
    h.reads(
        "xsetid s 9 entriesadded 1",
        "-ERR The entries_added specified in XSETID is smaller than the target stream length",
    );
    h.reads(
        "xsetid s 9 maxdeletedid 10",
        "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
    );
    h.reads("xsetid none 9", "-ERR no such key");
    h.check("xsetid s 9 entriesadded 7 maxdeletedid 3", "+OK", "xsetid s 9 entriesadded 7 maxdeletedid 3");
    h.reads(
        "xinfo stream s",
        "*20 $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 9-0 \
         $20 max-deleted-entry-id $3 3-0 $13 entries-added :7 $23 recorded-first-entry-id $3 1-0 $6 groups :0 \
         $11 first-entry *2 $3 1-0 *2 $1 f $1 v $10 last-entry *2 $3 3-0 *2 $1 f $1 v",
    );
}

#[test]
fn xread_gives_what_is_behind_an_id() {
    let mut h = with_entries(2);
    h.reads("xread count 1 streams none s 0 0", "*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v");
    h.reads("xread streams s 2", "*-1");
    h.reads("xread block 0 streams s $", "*-1");
    h.reads("xread streams s +", "*1 *2 $1 s *1 *2 $3 2-0 *2 $1 f $1 v");
    h.reads("xread streams s >", "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
    h.reads("xread streams s", "-ERR wrong number of arguments for 'xread' command");
    h.reads(
        "xread streams s t 0",
        "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
    );
    h.reads(
        "xread group a b streams s 0",
        "-ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
    );
    h.reads("xread block -1 streams s 0", "-ERR timeout is negative");
    h.session.resp3 = true;
    h.reads("xread streams s 1", "%1 $1 s *1 *2 $3 2-0 *2 $1 f $1 v");
}

#[test]
fn deliveries_go_to_replicas_as_claims() {
    let mut h = with_entries(3);
    h.check("xgroup create s g 0", "+OK", "xgroup create s g 0");
    let claim = |consumer: &str, id: u64, last: u64, count: u64| {
        format!("XCLAIM s g {consumer} 0 {id}-0 TIME {NOW} RETRYCOUNT {count} FORCE JUSTID LASTID {last}-0")
    };
    h.check(
        "xreadgroup group g alice count 2 streams s >",
        "*1 *2 $1 s *2 *2 $3 1-0 *2 $1 f $1 v *2 $3 2-0 *2 $1 f $1 v",
        &format!("{}; {}", claim("alice", 1, 1, 1), claim("alice", 2, 2, 1)),
    );
    h.check("xreadgroup group g alice streams s 1", "*1 *2 $1 s *1 *2 $3 2-0 *2 $1 f $1 v", "");
    h.check(
        "xreadgroup group g bob noack streams s >",
        "*1 *2 $1 s *1 *2 $3 3-0 *2 $1 f $1 v",
        "XGROUP CREATECONSUMER s g bob; XGROUP SETID s g 3-0 ENTRIESREAD 3",
    );
    h.check("xreadgroup group g carol streams s >", "*-1", "XGROUP CREATECONSUMER s g carol");
    h.check("xreadgroup group g carol streams s >", "*-1", "");
    h.reads("xpending s g", "*4 :2 $3 1-0 $3 2-0 *1 *2 $5 alice $1 2");
    h.advance_ms(500);
    h.reads("xpending s g idle 400 - + 5", "*2 *4 $3 1-0 $5 alice :500 :1 *4 $3 2-0 $5 alice :500 :2");
    h.reads("xpending s g idle 600 - + 5", "*0");
    h.reads("xpending s g - + 5 nobody", "*0");
    h.check("xack s g 2 2", ":1", "xack s g 2 2");
    h.check("xack s none 1", ":0", "");
    h.reads("xpending s g", "*4 :1 $3 1-0 $3 1-0 *1 *2 $5 alice $1 1");
    h.reads("xinfo groups s", "*1 *12 $4 name $1 g $9 consumers :3 $7 pending :1 $17 last-delivered-id $3 3-0 $12 entries-read :3 $3 lag :0");
}

#[test]
fn claims_go_to_replicas_as_they_turned_out() {
    let mut h = with_entries(3);
    h.run("xgroup create s g 0");
    h.run("xreadgroup group g alice streams s >");
    h.advance_ms(100);
    h.check("xclaim s g bob 200 1", "*0", "XGROUP CREATECONSUMER s g bob");
    let later = NOW + 100;
    h.check(
        "xclaim s g bob 50 1 9 force",
        "*1 *2 $3 1-0 *2 $1 f $1 v",
        &format!("XCLAIM s g bob 0 1 TIME {later} RETRYCOUNT 2 FORCE JUSTID LASTID 3-0"),
    );
    h.run("xdel s 2");
    h.check(
        "xclaim s g bob 0 2-0 justid",
        "*0",
        &format!("XCLAIM s g alice 0 2-0 TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID 3-0"),
    );
    h.check(
        "xclaim s g bob 0 3 idle 30 retrycount 7 justid lastid 5-5",
        "*1 $3 3-0",
        &format!("XCLAIM s g bob 0 3 TIME {} RETRYCOUNT 7 FORCE JUSTID LASTID 5-5", later - 30),
    );
    h.check("xclaim s g bob 0 8 lastid 6", "*0", "XGROUP SETID s g 6-0 ENTRIESREAD 3");
    h.reads("xclaim s g bob 0 1 what", "-ERR Unrecognized XCLAIM option 'what'");
    h.reads("xclaim s none bob 0 1", "-NOGROUP No such key 's' or consumer group 'none'");
    h.reads("xinfo consumers s g", "*2 *8 $4 name $5 alice $7 pending :0 $4 idle :100 $8 inactive :100 *8 $4 name $3 bob $7 pending :2 $4 idle :0 $8 inactive :0");
}

#[test]
fn xautoclaim_goes_through_what_is_pending() {
    let mut h = with_entries(4);
    h.run("xgroup create s g 0");
    h.run("xreadgroup group g alice streams s >");
    h.run("xdel s 2");
    h.advance_ms(10);
    let at = NOW + 10;
    h.check(
        "xautoclaim s g bob 5 - count 2",
        "*3 $3 3-0 *1 *2 $3 1-0 *2 $1 f $1 v *1 $3 2-0",
        &format!(
            "XCLAIM s g bob 0 1-0 TIME {at} RETRYCOUNT 2 FORCE JUSTID LASTID 4-0; \
             XCLAIM s g alice 0 2-0 TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID 4-0"
        ),
    );
    h.check(
        "xautoclaim s g carol 5 3 justid",
        "*3 $3 0-0 *2 $3 3-0 $3 4-0 *0",
        &format!(
            "XCLAIM s g carol 0 3-0 TIME {at} RETRYCOUNT 1 FORCE JUSTID LASTID 4-0; \
             XCLAIM s g carol 0 4-0 TIME {at} RETRYCOUNT 1 FORCE JUSTID LASTID 4-0"
        ),
    );
    h.check("xautoclaim s g dave 99 -", "*3 $3 0-0 *0 *0", "XGROUP CREATECONSUMER s g dave");
    h.reads("xautoclaim s g dave 99 - count 0", "-ERR COUNT must be > 0");
}

#[test]
fn groups_are_made_moved_and_destroyed() {
    let mut h = with_entries(2);
    h.check("xgroup create s g $ entriesread 2", "+OK", "xgroup create s g $ entriesread 2");
    h.reads("xgroup create s g $", "-BUSYGROUP Consumer Group name already exists");
    assert!(h.run("xgroup create none g $").reply_text().starts_with("-ERR The XGROUP subcommand requires"));
    h.reads("exists none", ":0");
    h.check("xgroup create new g $ mkstream", "+OK", "xgroup create new g $ mkstream");
    h.reads("xlen new", ":0");
    h.check("xgroup createconsumer s g c", ":1", "xgroup createconsumer s g c");
    h.check("xgroup createconsumer s g c", ":0", "");
    h.reads("xgroup createconsumer s x c", "-NOGROUP No such consumer group 'x' for key name 's'");
    h.check("xgroup setid s g 0", "+OK", "xgroup setid s g 0");
    h.run("xreadgroup group g c streams s >");
    h.check("xgroup delconsumer s g c", ":2", "xgroup delconsumer s g c");
    h.check("xgroup delconsumer s g c", ":0", "");
    h.check("xgroup destroy s g", ":1", "xgroup destroy s g");
    h.check("xgroup destroy s g", ":0", "");
    h.reads(
        "xreadgroup group g c streams s >",
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
    );
    h.reads(
        "xgroup create s g $ what",
        "-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.",
    );
}

#[test]
fn counters_that_wrap_around_are_told_and_heard() {
    let mut h = with_entries(3);
    h.run("xgroup create s g 0 entriesread 9223372036854775807");
    let read = "xreadgroup group g c count 1 noack streams s >";
    h.check(
        read,
        "*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v",
        "XGROUP CREATECONSUMER s g c; XGROUP SETID s g 1-0 ENTRIESREAD 9223372036854775807",
    );
    let negative = "xgroup setid s g 0 entriesread -9223372036854775808";
    h.reads(negative, "-ERR value for ENTRIESREAD must be positive or -1");
    h.from_primary = true;
    h.check(negative, "+OK", negative);
    assert!(h.run("xinfo groups s").reply_text().contains("entries-read :-9223372036854775808"));
}

#[test]
fn xgroup_looks_at_the_key_before_it_counts_the_words() {
    let mut h = with_entries(1);
    h.run("set str v");
    const TWICE: &str = "entriesread 1 entriesread 2";
    const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let too_many = |name: &str| {
        format!("-ERR unknown subcommand or wrong number of arguments for '{name}'. Try XGROUP HELP.")
    };
    h.reads(&format!("xgroup create str g $ {TWICE}"), WRONG);
    h.reads(&format!("xgroup create s g $ {TWICE}"), &too_many("create"));
    h.reads(&format!("xgroup setid str g $ {TWICE}"), WRONG);
    h.reads(&format!("xgroup setid s g $ {TWICE}"), "-NOGROUP No such consumer group 'g' for key name 's'");
    h.run("xgroup create s g $");
    h.reads(&format!("xgroup setid s g $ {TWICE}"), &too_many("setid"));
    h.reads("xgroup setid str g $ what", &too_many("setid"));
}

#[test]
fn xinfo_full_shows_everything() {
    let mut h = with_entries(2);
    h.run("xgroup create s g 0");
    h.run("xreadgroup group g c count 1 streams s >");
    h.reads(
        "xinfo stream s full count 1",
        &format!(
            "*18 $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0 \
             $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0 \
             $7 entries *1 *2 $3 1-0 *2 $1 f $1 v $6 groups *1 *14 $4 name $1 g $17 last-delivered-id $3 1-0 \
             $12 entries-read :1 $3 lag :1 $9 pel-count :1 $7 pending *1 *4 $3 1-0 $1 c :{NOW} :1 \
             $9 consumers *1 *10 $4 name $1 c $9 seen-time :{NOW} $11 active-time :{NOW} $9 pel-count :1 \
             $7 pending *1 *3 $3 1-0 :{NOW} :1"
        ),
    );
}
