//! The templates of all commands that are compared, by how their replies are compared.
//!
//! Used by `pair`. A command that a peer does not know is left out beside that peer. Always: what chance or a table's order decides is
//! not compared exactly; a command that takes something by chance `forks` the two data sets, and its key is deleted on both.

use std::sync::LazyLock;

use crate::reply::Compare;
use crate::server::Product;

/// One line of `template`'s language.
pub struct Template {
    pub text: &'static str,
    pub compare: Compare,
    /// The data sets differ after it if the replies do.
    pub forks: bool,
    /// Only beside this peer.
    pub peer: Option<Product>,
}

/// Every template.
pub fn all() -> impl Iterator<Item = &'static Template> {
    static ALL: LazyLock<Vec<Template>> = LazyLock::new(|| {
        let of = |compare, forks, peer| move |text: &&'static str| Template { text, compare, forks, peer };
        let exact = [STRINGS, KEYS, LISTS, SETS, HASHES, SORTED_SETS, STREAMS, BITS, GEO, SORT];
        let mut all: Vec<Template> =
            exact.iter().flat_map(|texts| texts.iter().map(of(Compare::Exact, false, None))).collect();
        for (compare, texts) in LOOSE {
            all.extend(texts.iter().map(of(*compare, false, None)));
        }
        all.extend(FORKING.iter().map(of(Compare::Shape, true, None)));
        all.extend(VALKEY.iter().map(of(Compare::Exact, false, Some(Product::Valkey8))));
        all
    });
    ALL.iter()
}

const STRINGS: &[&str] = &[
    "SET {str} {value} [NX|XX] [GET] [EX {seconds}|PX {seconds}000|EXAT {moment}|PXAT {moment}000|KEEPTTL]",
    "SET {key} {value}",
    "GET {str}",
    "GETSET {str} {value}",
    "GETDEL {str}",
    "GETEX {str} [EX {seconds}|PXAT {moment}000|PERSIST]",
    "SETNX {str} {value}",
    "SETEX {str} {seconds} {value}",
    "PSETEX {str} {seconds}000 {value}",
    "APPEND {str} {value}",
    "STRLEN {str}",
    "SETRANGE {str} {offset} {value}",
    "GETRANGE {str} {int} {int}",
    "SUBSTR {str} {int} {int}",
    "INCR {str}",
    "DECR {str}",
    "INCRBY {str} {int}",
    "DECRBY {str} {int}",
    "INCRBYFLOAT {str} {float}",
    "MGET {key}+",
    "MSET ({str} {value})+",
    "MSETNX ({str} {value})+",
    "LCS {str} {str} [LEN] [IDX] [MINMATCHLEN {count}] [WITHMATCHLEN]",
    "PFADD {hll} {member}+",
    "PFCOUNT {hll}+",
    "PFMERGE {hll} {hll}+",
];

const KEYS: &[&str] = &[
    "DEL {key}+",
    "UNLINK {key}",
    "EXISTS {key}+",
    "TYPE {key}",
    "TOUCH {key}+",
    "RENAME {key} {key}",
    "RENAMENX {key} {key}",
    "COPY {key} {key} [REPLACE]",
    "EXPIRE {key} {seconds} [NX|XX|GT|LT]",
    "PEXPIRE {key} {seconds}000 [NX|XX|GT|LT]",
    "EXPIREAT {key} {moment} [NX|XX|GT|LT]",
    "PEXPIREAT {key} {moment}000 [NX|XX|GT|LT]",
    "PERSIST {key}",
    "OBJECT REFCOUNT nothing",
    "OBJECT FREQ {key}",
    "OBJECT nothing {key}",
    "RESTORE {key} 0 {value}",
    "EXPIRE {key} -1",
    "PEXPIREAT {key} 1",
    "DBSIZE",
    "SELECT {db}",
    "SELECT {db}",
    "MOVE {key} {db}",
    "MOVE {key} {db}",
    "SWAPDB {db} {db}",
    "COPY {key} {key} DB {db} [REPLACE]",
];

const LISTS: &[&str] = &[
    "LPUSH {list} {value}+",
    "RPUSH {list} {value}+",
    "RPUSH {list} {value}+",
    "LPUSHX {list} {value}+",
    "RPUSHX {list} {value}+",
    "LPOP {list} [{count}]",
    "RPOP {list} [{count}]",
    "LLEN {list}",
    "LINDEX {list} {int}",
    "LSET {list} {int} {value}",
    "LRANGE {list} {int} {int}",
    "LTRIM {list} {int} {int}",
    "LREM {list} {signed} {value}",
    "LINSERT {list} (BEFORE|AFTER) {value} {value}",
    "LPOS {list} {value} [RANK {signed}] [COUNT {count}] [MAXLEN {count}]",
    "LMOVE {list} {list} (LEFT|RIGHT) (LEFT|RIGHT)",
    "RPOPLPUSH {list} {list}",
    "LMPOP 1 {list} (LEFT|RIGHT) [COUNT {count}]",
    "LMPOP 2 {list} {list} (LEFT|RIGHT) [COUNT {small}]",
    "BLPOP {list} {list} 0.01",
    "BRPOP {list} 0.01",
    "BLMOVE {list} {list} (LEFT|RIGHT) (LEFT|RIGHT) 0.01",
    "BRPOPLPUSH {list} {list} 0.01",
    "BLMPOP 0.01 2 {list} {list} (LEFT|RIGHT) [COUNT {small}]",
];

const SETS: &[&str] = &[
    "SADD {set} {member}+",
    "SADD {set} {member}+",
    "SADD {set} {member}+",
    "SREM {set} {member}+",
    "SCARD {set}",
    "SISMEMBER {set} {member}",
    "SMISMEMBER {set} {member}+",
    "SMOVE {set} {set} {member}",
    "SINTERSTORE {set} {set}+",
    "SUNIONSTORE {set} {set}+",
    "SDIFFSTORE {set} {set}+",
    "SINTERCARD 1 {set} [LIMIT {count}]",
    "SINTERCARD 2 {set} {set} [LIMIT {count}]",
];

const HASHES: &[&str] = &[
    "HSET {hash} ({field} {value})+",
    "HSET {hash} ({field} {value})+",
    "HMSET {hash} ({field} {value})+",
    "HSETNX {hash} {field} {value}",
    "HGET {hash} {field}",
    "HMGET {hash} {field}+",
    "HDEL {hash} {field}+",
    "HLEN {hash}",
    "HSTRLEN {hash} {field}",
    "HEXISTS {hash} {field}",
    "HINCRBY {hash} {field} {int}",
    "HINCRBYFLOAT {hash} {field} {float}",
];

const SORTED_SETS: &[&str] = &[
    "ZADD {zset} ({score} {member})+",
    "ZADD {zset} ({score} {member})+",
    "ZADD {zset} [NX|XX] [GT|LT] [CH] [INCR] ({score} {member})+",
    "ZADD {lex} (0 {member})+",
    "ZREM {lex} {member}",
    "ZINCRBY {zset} {score} {member}",
    "ZREM {zset} {member}+",
    "ZCARD {zset}",
    "ZSCORE {zset} {member}",
    "ZMSCORE {zset} {member}+",
    "ZRANK {zset} {member}",
    "ZREVRANK {zset} {member}",
    "ZCOUNT {zset} {bound} {bound}",
    "ZLEXCOUNT {lex} {lex} {lex}",
    "ZRANGE {zset} {int} {int} [REV] [WITHSCORES]",
    "ZRANGE {zset} {bound} {bound} BYSCORE [REV] [LIMIT {count} {signed}] [WITHSCORES]",
    "ZRANGE {lex} {lex} {lex} BYLEX [REV] [LIMIT {count} {signed}]",
    "ZRANGESTORE {zset} {zset} {int} {int} [REV]",
    "ZRANGESTORE {zset} {zset} {bound} {bound} BYSCORE [REV] [LIMIT {count} {signed}]",
    "ZRANGESTORE {lex} {lex} {lex} {lex} BYLEX [LIMIT {count} {signed}]",
    "ZREVRANGE {zset} {int} {int} [WITHSCORES]",
    "ZRANGEBYSCORE {zset} {bound} {bound} [WITHSCORES] [LIMIT {count} {signed}]",
    "ZREVRANGEBYSCORE {zset} {bound} {bound} [WITHSCORES] [LIMIT {count} {signed}]",
    "ZRANGEBYLEX {lex} {lex} {lex} [LIMIT {count} {signed}]",
    "ZREVRANGEBYLEX {lex} {lex} {lex} [LIMIT {count} {signed}]",
    "ZREMRANGEBYRANK {zset} {int} {int}",
    "ZREMRANGEBYSCORE {zset} {bound} {bound}",
    "ZREMRANGEBYLEX {lex} {lex} {lex}",
    "ZPOPMIN {zset} [{count}]",
    "ZPOPMAX {zset} [{count}]",
    "ZMPOP 2 {zset} {zset} (MIN|MAX) [COUNT {small}]",
    "BZPOPMIN {zset} {zset} 0.01",
    "BZPOPMAX {zset} 0.01",
    "BZMPOP 0.01 1 {zset} (MIN|MAX) [COUNT {small}]",
    "ZUNION 2 {zset} {zset} [WEIGHTS {score} {score}] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
    "ZINTER 2 {zset} {zset} [WEIGHTS {score} {score}] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
    "ZINTER 2 {zset} {set} [WITHSCORES]",
    "ZDIFF 2 {zset} {zset} [WITHSCORES]",
    "ZUNIONSTORE {zset} 2 {zset} {set} [WEIGHTS {score} {score}] [AGGREGATE (SUM|MIN|MAX)]",
    "ZINTERSTORE {zset} 2 {zset} {zset} [WEIGHTS {score} {score}] [AGGREGATE (SUM|MIN|MAX)]",
    "ZDIFFSTORE {zset} 3 {zset} {zset} {set}",
    "ZINTERCARD 2 {zset} {zset} [LIMIT {count}]",
];

const STREAMS: &[&str] = &[
    "XADD {stream} [NOMKSTREAM] [MAXLEN [=] {count}|MINID [=] {newid}] {newid} ({field} {value})+",
    "XADD {stream} {newid} ({field} {value})+",
    "XADD {stream} {small}-* {field} {value}",
    "XLEN {stream}",
    "XRANGE {stream} {id} {id} [COUNT {count}]",
    "XREVRANGE {stream} {id} {id} [COUNT {count}]",
    "XDEL {stream} {newid}+",
    "XTRIM {stream} (MAXLEN|MINID) [=] {count}",
    "XSETID {stream} {newid} [ENTRIESADDED {count} MAXDELETEDID {newid}]",
    "XREAD [COUNT {small}] STREAMS {stream} {id}",
    "XREAD [COUNT {small}] STREAMS {stream} {stream} {id} {id}",
    "XREAD BLOCK 5 STREAMS {stream} $",
    "XGROUP CREATE {stream} {group} (0|$|{id}) [MKSTREAM] [ENTRIESREAD {count}]",
    "XGROUP CREATE {stream} {group} 0",
    "XGROUP SETID {stream} {group} {id} [ENTRIESREAD {count}]",
    "XGROUP DESTROY {stream} {group}",
    "XGROUP CREATECONSUMER {stream} {group} {consumer}",
    "XGROUP DELCONSUMER {stream} {group} {consumer}",
    "XREADGROUP GROUP {group} {consumer} [COUNT {small}] [NOACK] STREAMS {stream} >",
    "XREADGROUP GROUP {group} {consumer} [COUNT {small}] STREAMS {stream} (0|{id})",
    "XACK {stream} {group} {newid}+",
    "XPENDING {stream} {group}",
    "XCLAIM {stream} {group} {consumer} 0 {newid}+ [FORCE] [JUSTID] [RETRYCOUNT {count}] [LASTID {newid}]",
    "XAUTOCLAIM {stream} {group} {consumer} 0 {id} [COUNT {small}] [JUSTID]",
    "XINFO GROUPS {stream}",
    "XINFO STREAM nothing",
];

const BITS: &[&str] = &[
    "SETBIT {str} {bit} (0|1)",
    "GETBIT {str} {bit}",
    "BITCOUNT {str} [{int} {int} [BYTE|BIT]]",
    "BITPOS {str} (0|1) [{int} [{int} [BYTE|BIT]]]",
    "BITOP (AND|OR|XOR) {str} {str}+",
    "BITOP NOT {str} {str}",
    "BITFIELD {str} (GET (u8|i16|u63|i64|u1) (#1|{offset})|SET (u8|i5) {offset} {int}|OVERFLOW (WRAP|SAT|FAIL)|INCRBY (u4|i8) {offset} {int})+",
    "BITFIELD_RO {str} (GET (u8|i16|u64) (#1|{offset}))+",
];

const GEO: &[&str] = &[
    "GEOADD {geo} [NX|XX] [CH] ({longitude} {latitude} {member})+",
    "GEOPOS {geo} {member}+",
    "GEODIST {geo} {member} {member} [m|km|mi|ft]",
    "GEOHASH {geo} {member}+",
    "GEOSEARCH {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} km (ASC|DESC) [COUNT {small}] [WITHCOORD] [WITHDIST] [WITHHASH]",
    "GEOSEARCH {geo} FROMMEMBER {member} BYBOX {radius} {radius} km (ASC|DESC) [WITHDIST]",
    "GEOSEARCHSTORE {geo} {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} km (ASC|DESC)",
    "GEORADIUS {geo} {longitude} {latitude} {radius} km [WITHDIST] (ASC|DESC) [STORE {geo}]",
    "GEORADIUSBYMEMBER {geo} {member} {radius} km [WITHCOORD] [WITHHASH] (ASC|DESC)",
];

const SORT: &[&str] = &[
    "SORT {list} [LIMIT {count} {signed}] [ASC|DESC] [ALPHA]",
    "SORT {set} ALPHA [LIMIT {count} {signed}] [ASC|DESC]",
    "SORT {zset} ALPHA [DESC] [STORE {list}]",
    "SORT {list} BY nosort [DESC] [LIMIT {count} {signed}] [GET #] [GET str:*]",
    "SORT {zset} BY nosort [DESC] [LIMIT {count} {signed}]",
    "SORT {list} BY hash:*->f1 [DESC] [GET hash:*->f2] [GET #] [STORE {list}]",
    "SORT_RO {list} BY str:* [LIMIT {count} {signed}] [GET str:*]",
    "SORT {set} BY nosort STORE {list}",
    "SORT {list} BY hash:*->f1 GET hash:*->f2 GET # GET nothing",
];

/// Replies of which a part is up to a table's order, to time or to chance.
const LOOSE: &[(Compare, &[&str])] = &[
    (
        Compare::Unordered,
        &[
            "SMEMBERS {set}",
            "SINTER {set}+",
            "SUNION {set}+",
            "SDIFF {set}+",
            "HKEYS {hash}",
            "HVALS {hash}",
            "KEYS {pattern}",
        ],
    ),
    (Compare::Pairs, &["HGETALL {hash}"]),
    (
        Compare::Scan,
        &[
            "SSCAN {set} 0 [MATCH {pattern}] COUNT 10000",
            "SCAN 0 [MATCH {pattern}] COUNT 10000 [TYPE (list|set|zset)]",
        ],
    ),
    (
        Compare::ScanPairs,
        &["HSCAN {hash} 0 [MATCH {pattern}] COUNT 10000", "ZSCAN {zset} 0 [MATCH {pattern}] COUNT 10000"],
    ),
    (
        Compare::Shape,
        &[
            "DUMP {key}",
            "SRANDMEMBER {set} [{signed}]",
            "HRANDFIELD {hash} [{signed} [WITHVALUES]]",
            "ZRANDMEMBER {zset} [{signed} [WITHSCORES]]",
            "RANDOMKEY",
            "XPENDING {stream} {group} [IDLE 0] - + {small} [{consumer}]",
            "XINFO CONSUMERS {stream} {group}",
            "XINFO STREAM {stream} [FULL [COUNT {small}]]",
        ],
    ),
    (Compare::Near, &["TTL {key}", "PTTL {key}", "EXPIRETIME {key}", "PEXPIRETIME {key}"]),
];

/// What is taken is up to chance.
const FORKING: &[&str] = &["SPOP {set} [{count}]"];

/// What Redis 7.0 answers otherwise, or does not know.
const VALKEY: &[&str] = &[
    "ZRANK {zset} {member} [WITHSCORE]",
    "ZREVRANK {zset} {member} [WITHSCORE]",
    "OBJECT ENCODING {key}",
    "OBJECT ENCODING {set}",
    "OBJECT ENCODING {zset}",
    "OBJECT ENCODING {hash}",
    "OBJECT ENCODING {list}",
];
