//! What a client sees after HELLO 3: every command whose reply RESP3 changes answers byte for byte as Redis 7.0.15 and Valkey 8.0 do.
//!
//!     the same requests, one after the other --> canonical text of each reply, pushes included: equal?
//!
//! Maps, sets, doubles, nulls, booleans, verbatim texts and pushes are told apart. Always: requests whose reply holds the time, chance
//! or the order of a hash table are not among these; `OLDER` is
//! compared with Redis alone, and `NEWER`, which came with 7.2, with Valkey alone.

use std::io;

use crate::client::{Client, Reply, encode};
use crate::server::{Product, Server, standing_in};

const DATA: &[&str] = &[
    "SET s hello",
    "SET n 10",
    "SET big 123456789012",
    "HSET h f v",
    "SADD set a",
    "SADD set2 a b",
    "ZADD z 1 a 2.5 b 3 c",
    "ZADD one 1 a",
    "RPUSH l a b c",
    "XADD x 1-1 a b",
    "XADD x 2-1 c d",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
    "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
];

const REQUESTS: &[&str] = &[
    // Maps
    "HGETALL h|HGETALL none|CONFIG GET maxmemory|CONFIG GET none|MULTI|HGETALL h|ZSCORE z a|GET none|EXEC",
    "XINFO STREAM x|XINFO GROUPS x|XREAD COUNT 1 STREAMS x 0|XREADGROUP GROUP g c COUNT 1 STREAMS x 0",
    "LCS s n IDX|LCS s big IDX WITHMATCHLEN|PUBSUB NUMSUB a b|PUBSUB SHARDNUMSUB a|CLIENT TRACKINGINFO|COMMAND INFO get none",
    "LATENCY HISTOGRAM none",
    // Sets
    "SMEMBERS set|SMEMBERS none|SINTER set set2|SUNION set|SDIFF set2 set|SPOP set2 0|SPOP none 2|COMMAND GETKEYSANDFLAGS get a",
    // Doubles, and pairs of a member and its score
    "ZSCORE z a|ZSCORE z b|ZMSCORE z a none|ZINCRBY z 1 a|ZADD z INCR 1 a|ZRANGE z 0 -1 WITHSCORES|ZRANGE z 0 -1",
    "ZREVRANGEBYSCORE z inf -inf WITHSCORES LIMIT 0 1|ZRANGEBYSCORE z -inf +inf WITHSCORES|ZREVRANGE z 0 0 WITHSCORES",
    "ZDIFF 1 one WITHSCORES|ZINTER 2 z one WITHSCORES|ZUNION 1 one WITHSCORES|ZUNION 1 none WITHSCORES",
    "ZRANDMEMBER one 1 WITHSCORES|ZRANDMEMBER one -2 WITHSCORES|ZRANDMEMBER none 1 WITHSCORES|ZSCAN one 0",
    "ZADD p 1 a 2 b 3 c 4 d 5 e 6 f|ZPOPMIN p|ZPOPMIN p 1|ZPOPMAX p 1|BZPOPMIN p 0|BZPOPMAX p 0|ZMPOP 1 p MIN|ZPOPMIN p 2",
    "HRANDFIELD h 1 WITHVALUES|HRANDFIELD h 1|HRANDFIELD none 1 WITHVALUES|GEODIST geo Palermo Catania|GEOPOS geo Palermo none",
    "GEOSEARCH geo FROMMEMBER Palermo BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH|HINCRBYFLOAT h n 1.5|INCRBYFLOAT n 1.5",
    // Nulls
    "GET none|GETDEL none|GETEX none|MGET s none|HGET h none|HMGET h f none|LPOP none|LPOP none 1|LPOP l 0|LPOS l none|LINDEX l 9",
    "RPOPLPUSH none a|LMPOP 1 none LEFT|BLPOP none 0.01|BLMPOP 0.01 1 none LEFT|BLMOVE none a LEFT LEFT 0.01|BRPOPLPUSH none a 0.01",
    "ZSCORE z none|ZRANK z none|ZADD z NX INCR 1 a|ZMPOP 1 none MIN|BZMPOP 0.01 1 none MIN|BZPOPMIN none 0.01|ZRANDMEMBER none",
    "SPOP none|SRANDMEMBER none|SRANDMEMBER none 2|HRANDFIELD none|GETSET new v|SET s y GET|SET s y NX|SET s y NX GET|DUMP none",
    "GEODIST geo Palermo none|GEOHASH geo Palermo none|OBJECT ENCODING none|MEMORY USAGE none|CLIENT GETNAME|XADD none NOMKSTREAM * a b",
    "XREAD COUNT 1 STREAMS x 100|XREAD BLOCK 10 STREAMS x $|XCLAIM x g c 0 1-1 JUSTID|XAUTOCLAIM x g c 0 5|SORT l BY none* GET none*",
    "BITFIELD s OVERFLOW FAIL INCRBY u2 0 10|WATCH s|MULTI|SET s z|EXEC|MULTI|DISCARD",
    // Every type by its name
    "DEBUG PROTOCOL string|DEBUG PROTOCOL integer|DEBUG PROTOCOL double|DEBUG PROTOCOL null|DEBUG PROTOCOL array|DEBUG PROTOCOL set",
    "DEBUG PROTOCOL map|DEBUG PROTOCOL attrib|DEBUG PROTOCOL verbatim|DEBUG PROTOCOL true|DEBUG PROTOCOL false",
    "DEBUG PROTOCOL bignum",
    // Pushes, and commands between them
    "SUBSCRIBE a b|PSUBSCRIBE c*|SSUBSCRIBE d|PING|PING x|GET none|UNSUBSCRIBE a|PUNSUBSCRIBE|SUNSUBSCRIBE|UNSUBSCRIBE",
    // Errors, and back to RESP2
    "HELLO 4|HELLO x|HELLO 3 none|HELLO 3 AUTH a|HELLO 3 SETNAME",
];

/// Up to 7.2: a push made by DEBUG goes before the reply, who is subscribed to nothing may unsubscribe, and the answer to a wrong
/// password in HELLO is not lost at times.
const OLDER: &[&str] = &["DEBUG PROTOCOL push", "UNSUBSCRIBE e f", "HELLO 3 AUTH a b"];

/// Since 7.2: a message to oneself follows the reply, ranks with their scores, consumers that tried without success.
const NEWER: &[&str] = &[
    "ZRANK z a WITHSCORE|ZREVRANK z none WITHSCORE|SUBSCRIBE a|PUBLISH a x|UNSUBSCRIBE|CLIENT NO-TOUCH ON|COMMAND DOCS none",
    "CLIENT TRACKING on|GET s|CLIENT TRACKINGINFO|CLIENT TRACKING off",
];

#[test]
fn replies_in_resp3_are_those_of_redis_and_valkey() {
    if standing_in() {
        return;
    }
    let ours = Server::start(Product::Starling);
    let check = |product, tables: &[&[&str]]| {
        let theirs = Server::start(product);
        ours.client().ok("FLUSHALL");
        for line in DATA {
            assert_eq!(ours.client().ok(line), theirs.client().ok(line), "{line}");
        }
        for line in tables.iter().copied().flatten() {
            let (mut ours, mut theirs) = (in_resp3(&ours), in_resp3(&theirs));
            assert_eq!(
                all_replies(&mut ours, line),
                all_replies(&mut theirs, line),
                "{line}, beside {product:?}"
            );
        }
    };
    check(Product::Redis7, &[REQUESTS, OLDER]);
    check(Product::Valkey8, &[REQUESTS, NEWER]);
}

#[test]
fn help_has_the_shape_that_redis_gives_it() {
    if standing_in() {
        return;
    }
    let (ours, theirs) = (Server::start(Product::Starling), Server::start(Product::Redis7));
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for container in [
        "CLIENT", "COMMAND", "CONFIG", "DEBUG", "LATENCY", "MEMORY", "OBJECT", "PUBSUB", "SLOWLOG", "XGROUP",
        "XINFO",
    ] {
        for question in ["", " HELP x", " none"] {
            let line = format!("{container}{question}");
            if line != "COMMAND" {
                assert_eq!(all_replies(&mut ours, &line), all_replies(&mut theirs, &line), "{line}");
            }
        }
        // The first line and the last two.
        let frame = |client: &mut Client| {
            let line = format!("{container} HELP");
            let help = client.ok(&line);
            let Reply::Array(lines) = help else { panic!("{line}: {help:?}") };
            (lines[0].clone(), lines[lines.len() - 2..].to_vec())
        };
        assert_eq!(frame(&mut ours), frame(&mut theirs), "{container} HELP");
    }
}

fn in_resp3(server: &Server) -> Client {
    let mut client = server.client();
    all_replies(&mut client, "HELLO 3");
    client
}

/// What comes until the server answers an ECHO behind the requests: their replies and all pushes, in order.
fn all_replies(client: &mut Client, requests: &str) -> Vec<String> {
    const END: &str = "that-was-all";
    for request in requests.split('|').chain(["ECHO that-was-all"]) {
        let words: Vec<&str> = request.split(' ').collect();
        client.send(&encode(&words)).expect("a server that listens");
    }
    let replies =
        std::iter::repeat_with(|| canonical(client).unwrap_or_else(|error| panic!("{requests}: {error}")));
    replies.take_while(|reply| !reply.ends_with(END)).collect()
}

/// One reply of any type as a line of text.
fn canonical(client: &mut Client) -> io::Result<String> {
    let line = client.read_line()?;
    let (kind, rest) = line.split_at(1);
    let length = || rest.parse::<usize>().unwrap_or(0);
    let parts = |client: &mut Client, count: usize| {
        let parts: io::Result<Vec<String>> = (0..count).map(|_| canonical(client)).collect();
        Ok(format!("{line}[{}]", parts?.join(" ")))
    };
    match kind {
        "$" | "=" if rest != "-1" => {
            let bytes = client.read_exact(length() + 2)?;
            Ok(format!("{kind}{}", String::from_utf8_lossy(&bytes[..length()])))
        }
        "*" | "~" | ">" => parts(client, length()),
        "%" | "|" => parts(client, 2 * length()),
        _ => Ok(line),
    }
}
