//! Arguments of the commands on strings, bitmaps, HyperLogLogs and positions, as COMMAND DOCS tells them.
//!
//! Read by `docs`. The notation stands in `syntax`. Always: in the order of the names, each command once.

pub(super) const SYNTAX: &[(&str, &str)] = &[
    ("append", "key:k#0 value"),
    ("bitcount", "key:k#0 range:b?(start:i end:i unit:o@7.0.0?(byte:t='BYTE' bit:t='BIT'))"),
    (
        "bitfield",
        "key:k#0 operation:o?*(get-block:b='GET'(encoding offset:i) write:b(overflow-block:o='OVERFLOW'?(wrap:t='WRAP' sat:t='SAT' fail:t='FAIL') write-operation:o(set-block:b='SET'(encoding offset:i value:i) incrby-block:b='INCRBY'(encoding offset:i increment:i))))",
    ),
    ("bitfield_ro", "key:k#0 get-block:b='GET'?*+(encoding offset:i)"),
    ("bitop", "operation:o(and:t='AND' or:t='OR' xor:t='XOR' not:t='NOT') destkey:k#0 key:k#1*"),
    (
        "bitpos",
        "key:k#0 bit:i range:b?(start:i end-unit-block:b?(end:i unit:o@7.0.0?(byte:t='BYTE' bit:t='BIT')))",
    ),
    ("decr", "key:k#0"),
    ("decrby", "key:k#0 decrement:i"),
    ("delifeq", "key:k#0 value"),
    (
        "geoadd",
        "key:k#0 condition:o@6.2.0?(nx:t='NX' xx:t='XX') change:t='CH'@6.2.0? data:b*(longitude:d latitude:d member)",
    ),
    ("geodist", "key:k#0 member1 member2 unit:o?(m:t='M' km:t='KM' ft:t='FT' mi:t='MI')"),
    ("geohash", "key:k#0 member?*"),
    ("geopos", "key:k#0 member?*"),
    (
        "georadius",
        "key:k#0 longitude:d latitude:d radius:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI') withcoord:t='WITHCOORD'? withdist:t='WITHDIST'? withhash:t='WITHHASH'? count-block:b?(count:i='COUNT' any:t='ANY'@6.2.0?) order:o?(asc:t='ASC' desc:t='DESC') store:o?(storekey:k~key#1='STORE' storedistkey:k~key#2='STOREDIST')",
    ),
    (
        "georadius_ro",
        "key:k#0 longitude:d latitude:d radius:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI') withcoord:t='WITHCOORD'? withdist:t='WITHDIST'? withhash:t='WITHHASH'? count-block:b?(count:i='COUNT' any:t='ANY'@6.2.0?) order:o?(asc:t='ASC' desc:t='DESC')",
    ),
    (
        "georadiusbymember",
        "key:k#0 member radius:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI') withcoord:t='WITHCOORD'? withdist:t='WITHDIST'? withhash:t='WITHHASH'? count-block:b?(count:i='COUNT' any:t='ANY'?) order:o?(asc:t='ASC' desc:t='DESC') store:o?(storekey:k~key#1='STORE' storedistkey:k~key#2='STOREDIST')",
    ),
    (
        "georadiusbymember_ro",
        "key:k#0 member radius:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI') withcoord:t='WITHCOORD'? withdist:t='WITHDIST'? withhash:t='WITHHASH'? count-block:b?(count:i='COUNT' any:t='ANY'?) order:o?(asc:t='ASC' desc:t='DESC')",
    ),
    (
        "geosearch",
        "key:k#0 from:o(member='FROMMEMBER' fromlonlat:b='FROMLONLAT'(longitude:d latitude:d)) by:o(circle:b(radius:d='BYRADIUS' unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI')) box:b(width:d='BYBOX' height:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI'))) order:o?(asc:t='ASC' desc:t='DESC') count-block:b?(count:i='COUNT' any:t='ANY'?) withcoord:t='WITHCOORD'? withdist:t='WITHDIST'? withhash:t='WITHHASH'?",
    ),
    (
        "geosearchstore",
        "destination:k#0 source:k#1 from:o(member='FROMMEMBER' fromlonlat:b='FROMLONLAT'(longitude:d latitude:d)) by:o(circle:b(radius:d='BYRADIUS' unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI')) box:b(width:d='BYBOX' height:d unit:o(m:t='M' km:t='KM' ft:t='FT' mi:t='MI'))) order:o?(asc:t='ASC' desc:t='DESC') count-block:b?(count:i='COUNT' any:t='ANY'?) storedist:t='STOREDIST'?",
    ),
    ("get", "key:k#0"),
    ("getbit", "key:k#0 offset:i"),
    ("getdel", "key:k#0"),
    (
        "getex",
        "key:k#0 expiration:o?(seconds:i='EX' milliseconds:i='PX' unix-time-seconds:u='EXAT' unix-time-milliseconds:u='PXAT' persist:t='PERSIST')",
    ),
    ("getrange", "key:k#0 start:i end:i"),
    ("getset", "key:k#0 value"),
    ("incr", "key:k#0"),
    ("incrby", "key:k#0 increment:i"),
    ("incrbyfloat", "key:k#0 increment:d"),
    (
        "lcs",
        "key1:k#0 key2:k#0 len:t='LEN'? idx:t='IDX'? min-match-len:i='MINMATCHLEN'? withmatchlen:t='WITHMATCHLEN'?",
    ),
    ("mget", "key:k#0*"),
    ("mset", "data:b*(key:k#0 value)"),
    ("msetnx", "data:b*(key:k#0 value)"),
    ("pfadd", "key:k#0 element?*"),
    ("pfcount", "key:k#0*"),
    ("pfdebug", "subcommand key:k#0"),
    ("pfmerge", "destkey:k#0 sourcekey:k#1?*"),
    ("psetex", "key:k#0 milliseconds:i value"),
    (
        "set",
        "key:k#0 value condition:o@2.6.12?(nx:t='NX' xx:t='XX' comparison-value='IFEQ'@8.1.0) get:t='GET'@6.2.0? expiration:o?(seconds:i='EX'@2.6.12 milliseconds:i='PX'@2.6.12 unix-time-seconds:u='EXAT'@6.2.0 unix-time-milliseconds:u='PXAT'@6.2.0 keepttl:t='KEEPTTL'@6.0.0)",
    ),
    ("setbit", "key:k#0 offset:i value:i"),
    ("setex", "key:k#0 seconds:i value"),
    ("setnx", "key:k#0 value"),
    ("setrange", "key:k#0 offset:i value"),
    ("strlen", "key:k#0"),
    ("substr", "key:k#0 start:i end:i"),
];
