//! What has changed about commands since they came, as COMMAND DOCS tells it under `history`.
//!
//! ```text
//!  HISTORY: (name, [(version, change), ...])
//! ```
//!
//! Read by `docs`. The versions are facts and the same as those of Redis and Valkey (an interop test compares them); the changes are
//! told in our own words. Always: in the order of the names, each command once, versions in the order in which they came.

/// Changes of one command, the oldest first.
pub(super) type History = &'static [(&'static str, &'static str)];

const DOUBLE_TIMEOUT: History = &[("6.0.0", "The timeout may have a fraction.")];
const EXPIRE_CONDITIONS: History = &[("7.0.0", "The options `NX`, `XX`, `GT` and `LT`.")];
const RADIUS: History = &[("6.2.0", "The option `ANY` behind `COUNT`."), ("7.0.0", "Units in upper case.")];

const HISTORY: &[(&str, History)] = &[
    ("auth", &[("6.0.0", "Takes the name of a user in front of the password.")]),
    ("bgsave", &[("3.2.2", "The option `SCHEDULE`.")]),
    ("bitcount", &[("7.0.0", "The options `BYTE` and `BIT`.")]),
    ("bitpos", &[("7.0.0", "The options `BYTE` and `BIT`.")]),
    ("blpop", DOUBLE_TIMEOUT),
    ("brpop", DOUBLE_TIMEOUT),
    ("brpoplpush", DOUBLE_TIMEOUT),
    ("bzpopmax", DOUBLE_TIMEOUT),
    ("bzpopmin", DOUBLE_TIMEOUT),
    (
        "client|kill",
        &[
            ("2.8.12", "Filters given by name."),
            ("2.8.12", "The filter `ID`."),
            ("3.2.0", "`master` as a `TYPE`."),
            ("5.0.0", "`replica` as a `TYPE`; `slave` still means the same."),
            ("6.2.0", "The filter `LADDR`."),
            ("8.0.0", "`primary` as a `TYPE`; `master` still means the same."),
            ("8.0.0", "The filter `MAXAGE`."),
        ],
    ),
    (
        "client|list",
        &[
            ("2.8.12", "The field `id`."),
            ("5.0.0", "The filter `TYPE`."),
            ("6.0.0", "The field `user`."),
            ("6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and the filter `ID`."),
            ("7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "The field `ssub`."),
            ("8.0.0", "`primary` as a `TYPE`; `master` still means the same."),
        ],
    ),
    ("client|pause", &[("6.2.0", "The modes `WRITE` and `ALL`.")]),
    ("command|info", &[("7.0.0", "Without names: all commands.")]),
    ("config|get", &[("7.0.0", "Takes several patterns.")]),
    ("config|set", &[("7.0.0", "Takes several parameters.")]),
    ("exists", &[("3.0.3", "Takes several keys.")]),
    ("expire", EXPIRE_CONDITIONS),
    ("expireat", EXPIRE_CONDITIONS),
    ("flushall", &[("4.0.0", "The option `ASYNC`."), ("6.2.0", "The option `SYNC`.")]),
    ("flushdb", &[("4.0.0", "The option `ASYNC`."), ("6.2.0", "The option `SYNC`.")]),
    ("geoadd", &[("6.2.0", "The options `CH`, `NX` and `XX`.")]),
    ("georadius", RADIUS),
    ("georadius_ro", RADIUS),
    ("georadiusbymember", RADIUS),
    ("georadiusbymember_ro", RADIUS),
    ("geosearch", &[("7.0.0", "Units in upper case.")]),
    ("geosearchstore", &[("7.0.0", "Units in upper case.")]),
    ("hdel", &[("2.4.0", "Takes several fields.")]),
    ("hello", &[("6.2.0", "Without a version it tells about the connection as it is.")]),
    ("hset", &[("4.0.0", "Takes several fields with their values.")]),
    ("info", &[("7.0.0", "Takes several sections.")]),
    ("lpop", &[("6.2.0", "The argument `count`.")]),
    ("lpush", &[("2.4.0", "Takes several elements.")]),
    ("lpushx", &[("4.0.0", "Takes several elements.")]),
    (
        "migrate",
        &[
            ("3.0.0", "The options `COPY` and `REPLACE`."),
            ("3.0.6", "The option `KEYS`."),
            ("4.0.7", "The option `AUTH`."),
            ("6.0.0", "The option `AUTH2`."),
        ],
    ),
    ("pexpire", EXPIRE_CONDITIONS),
    ("pexpireat", EXPIRE_CONDITIONS),
    ("pttl", &[("2.8.0", "Answers -2 if the key does not exist.")]),
    ("renamenx", &[("3.2.0", "Both names may be the same.")]),
    (
        "restore",
        &[
            ("3.0.0", "The option `REPLACE`."),
            ("5.0.0", "The option `ABSTTL`."),
            ("5.0.0", "The options `IDLETIME` and `FREQ`."),
        ],
    ),
    ("rpop", &[("6.2.0", "The argument `count`.")]),
    ("rpush", &[("2.4.0", "Takes several elements.")]),
    ("rpushx", &[("4.0.0", "Takes several elements.")]),
    ("sadd", &[("2.4.0", "Takes several members.")]),
    ("scan", &[("6.0.0", "The option `TYPE`.")]),
    (
        "set",
        &[
            ("2.6.12", "The options `EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "The option `KEEPTTL`."),
            ("6.2.0", "The options `GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` can be combined."),
            ("8.1.0", "The option `IFEQ`."),
        ],
    ),
    ("shutdown", &[("7.0.0", "The options `NOW`, `FORCE` and `ABORT`.")]),
    ("slowlog|get", &[("4.0.0", "Tells the client's address and name.")]),
    ("spop", &[("3.2.0", "The argument `count`.")]),
    ("srandmember", &[("2.6.0", "The argument `count`.")]),
    ("srem", &[("2.4.0", "Takes several members.")]),
    ("ttl", &[("2.8.0", "Answers -2 if the key does not exist.")]),
    (
        "xadd",
        &[
            ("6.2.0", "The options `NOMKSTREAM`, `MINID` and `LIMIT`."),
            ("7.0.0", "Ids of the form `<ms>-*`."),
        ],
    ),
    ("xautoclaim", &[("7.0.0", "Tells which deleted entries it has dropped from the pending ones.")]),
    ("xgroup|create", &[("7.0.0", "The option `ENTRIESREAD`.")]),
    ("xgroup|setid", &[("7.0.0", "The option `ENTRIESREAD`.")]),
    ("xinfo|consumers", &[("7.2.0", "The field `inactive`; `idle` counts from the last attempt.")]),
    ("xinfo|groups", &[("7.0.0", "The fields `entries-read` and `lag`.")]),
    (
        "xinfo|stream",
        &[
            ("6.0.0", "The option `FULL`."),
            (
                "7.0.0",
                "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.",
            ),
            ("7.2.0", "The field `active-time`; `seen-time` is that of the last attempt."),
        ],
    ),
    ("xpending", &[("6.2.0", "The option `IDLE`, and ranges without their ends.")]),
    ("xrange", &[("6.2.0", "Ranges without their ends.")]),
    ("xrevrange", &[("6.2.0", "Ranges without their ends.")]),
    ("xsetid", &[("7.0.0", "The options `ENTRIESADDED` and `MAXDELETEDID`.")]),
    ("xtrim", &[("6.2.0", "The strategy `MINID` and the option `LIMIT`.")]),
    (
        "zadd",
        &[
            ("2.4.0", "Takes several members."),
            ("3.0.2", "The options `XX`, `NX`, `CH` and `INCR`."),
            ("6.2.0", "The options `GT` and `LT`."),
        ],
    ),
    ("zrange", &[("6.2.0", "The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")]),
    ("zrangebyscore", &[("2.0.0", "The option `WITHSCORES`.")]),
    ("zrank", &[("7.2.0", "The option `WITHSCORE`.")]),
    ("zrem", &[("2.4.0", "Takes several members.")]),
    ("zrevrangebyscore", &[("2.1.6", "Ranges without their ends.")]),
    ("zrevrank", &[("7.2.0", "The option `WITHSCORE`.")]),
    ("zscan", &[("8.0.0", "The option `NOSCORES`.")]),
];

/// The history of a command; empty if it is as it always was.
pub(super) fn of(name: &str) -> History {
    HISTORY.binary_search_by_key(&name, |(known, _)| known).map_or(&[], |at| HISTORY[at].1)
}

#[cfg(test)]
mod tests {
    use super::HISTORY;
    use crate::commands::spec::table::table;

    #[test]
    fn the_histories_are_in_order_and_of_commands_that_exist() {
        assert!(HISTORY.is_sorted_by_key(|(name, _)| name));
        for (name, changes) in HISTORY {
            assert!(table().find(name.as_bytes()).is_some(), "{name}");
            assert!(!changes.is_empty(), "{name}");
        }
    }
}
