//! A row: everything that is fixed about one command, in one place.
//!
//! Rows are constants beside their handlers (`commands/<group>/`), gathered in `commands::ALL`. Dispatch, arity errors,
//! key extraction, COMMAND and its subcommands and the docs list all read the rows and nothing else.
//! Always: a handler touches only keys that its row's key specs name, for those are the ones that are locked.

use crate::commands::spec::{Args, Control, Ctx, Effect, Failure};

/// What a command is, as `COMMAND INFO` shows it and as the dispatcher's gates use it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(pub u32);

impl Flags {
    pub const WRITE: Flags = Flags(1);
    pub const READONLY: Flags = Flags(1 << 1);
    /// May grow memory: refused when out of memory.
    pub const DENYOOM: Flags = Flags(1 << 2);
    pub const ADMIN: Flags = Flags(1 << 3);
    pub const PUBSUB: Flags = Flags(1 << 4);
    pub const NOSCRIPT: Flags = Flags(1 << 5);
    pub const BLOCKING: Flags = Flags(1 << 6);
    /// Works while a data set is being loaded.
    pub const LOADING: Flags = Flags(1 << 7);
    /// Works on a replica that has lost its primary and must not serve stale data.
    pub const STALE: Flags = Flags(1 << 8);
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    pub const ASKING: Flags = Flags(1 << 11);
    pub const FAST: Flags = Flags(1 << 12);
    /// Works before AUTH.
    pub const NO_AUTH: Flags = Flags(1 << 13);
    pub const MAY_REPLICATE: Flags = Flags(1 << 14);
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 15);
    /// Refused inside MULTI.
    pub const NO_MULTI: Flags = Flags(1 << 16);
    pub const ALLOW_BUSY: Flags = Flags(1 << 17);
    /// The key positions cannot be read off the specs alone.
    pub const MOVABLE_KEYS: Flags = Flags(1 << 18);
    /// As `NO_MULTI`, which clients are not told of: Redis runs it inside MULTI.
    pub const ALONE: Flags = Flags(1 << 19);

    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    #[inline]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// `flags(&[Flags::WRITE, Flags::FAST])` in a constant.
pub const fn flags(list: &[Flags]) -> Flags {
    let mut all = 0;
    let mut i = 0;
    while i < list.len() {
        all |= list[i].0;
        i += 1;
    }
    Flags(all)
}

/// Where a command's keys are among its arguments (0 is the command's name).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    None,
    /// `last` counts from the end if negative (-1 is the last argument); every `step`th is a key.
    Range {
        first: usize,
        last: i32,
        step: usize,
    },
    /// The argument at `at` says how many keys follow it.
    Counted {
        at: usize,
    },
    /// A key in front, then as `Counted`: the destination and the sources of ZUNIONSTORE.
    FirstAndCounted {
        at: usize,
    },
    /// A key in front, and one behind each word STORE or STOREDIST from `from` on: GEORADIUS.
    FirstAndStored {
        from: usize,
    },
    /// A key in front, and, of a SORT that `stores`, the destination among its options.
    Sort {
        stores: bool,
    },
    /// The key at `first` (and the next one if `pair`), and possibly the same key in another database, named
    /// by the arguments: MOVE, COPY. See `commands::spec::keys`.
    OtherDb {
        pair: bool,
    },
    /// Behind the word STREAMS, which stands at `from` at the earliest: the first half of what follows it (XREAD).
    Streams {
        from: usize,
    },
    /// The key at 3, or, if that is the empty string, all behind the word KEYS: MIGRATE.
    Moved,
}

impl Keys {
    pub const ONE: Keys = Keys::Range { first: 1, last: 1, step: 1 };
    pub const TWO: Keys = Keys::Range { first: 1, last: 2, step: 1 };
    pub const ALL: Keys = Keys::Range { first: 1, last: -1, step: 1 };
    /// The argument index of the only key that such a command can have.
    #[inline]
    pub const fn single(self) -> Option<usize> {
        match self {
            Keys::Range { first, last, .. } if last == first as i32 => Some(first),
            Keys::Range { .. }
            | Keys::None
            | Keys::Counted { .. }
            | Keys::FirstAndCounted { .. }
            | Keys::FirstAndStored { .. }
            | Keys::OtherDb { .. }
            | Keys::Streams { .. }
            | Keys::Moved
            | Keys::Sort { .. } => None,
        }
    }

    pub const PAIRS: Keys = Keys::Range { first: 1, last: -1, step: 2 };
}

/// How a key spec of COMMAND INFO describes the access: flags such as `RO`, `access`, `update`, in Redis 7's words.
pub type KeyAccess = &'static [&'static str];

/// How a request accesses its key number `number` (from 0), for COMMAND GETKEYSANDFLAGS.
pub fn access_at(row: &Row, args: &Args<'_>, number: usize) -> KeyAccess {
    if number >= 1 && !row.second_access.is_empty() && row.keys != Keys::Moved {
        return row.second_access;
    }
    if !row.access.contains(&VARIABLE) {
        return row.access;
    }
    if row.name == "bitfield" {
        // It writes with SET and INCRBY alone.
        let writes = (2..args.len()).any(|at| args.is(at, "set") || args.is(at, "incrby"));
        return if writes { &["RW", "access", "update"] } else { &["RO", "access"] };
    }
    // SET reads its key with GET alone.
    let reads = (3..args.len()).any(|at| args.is(at, "get"));
    if reads { &["RW", "access", "update"] } else { &["OW", "update"] }
}

/// The access flag of a command whose arguments decide how it accesses its key.
const VARIABLE: &str = "variable_flags";

/// The groups of COMMAND DOCS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Bitmap,
    Connection,
    Generic,
    Geo,
    Hash,
    Hyperloglog,
    List,
    Pubsub,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::Hyperloglog => "hyperloglog",
            Group::List => "list",
            Group::Pubsub => "pubsub",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}

/// A handler on the whole keyspace and the server.
pub type WholeHandler = fn(&mut Ctx<'_, '_>, &mut Control<'_>) -> Result<Effect, Failure>;

/// A handler on keys.
pub type KeyHandler = fn(&mut Ctx<'_, '_>) -> Result<Effect, Failure>;

/// How a command runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// On its own keys, whose shards are locked.
    Keyed(KeyHandler),
    /// On its own keys, unless the arguments `reach` others, which only the data names (SORT with BY or GET): then on the whole
    /// keyspace, while all other threads stand still.
    Far { reach: fn(&Args<'_>) -> bool, handler: KeyHandler },
    /// On any keys, without a lock held at the start: walks shard by shard (KEYS, SCAN, DBSIZE, RANDOMKEY).
    Walk(KeyHandler),
    /// On the whole keyspace while all other threads stand still (FLUSHALL, SWAPDB).
    Whole(WholeHandler),
    /// On the session and the server, without the keyspace.
    Control(fn(&Args<'_>, &mut Control<'_>) -> Result<(), Failure>),
    /// EXEC itself: takes the locks of everything that is queued.
    Exec,
    /// WATCH: registers under the locks of its keys.
    Watch,
    /// Only its subcommands run.
    Container,
}

/// One command, or one subcommand of a container.
pub struct Row {
    /// In lower case, as COMMAND INFO shows it; a subcommand's own word only.
    pub name: &'static str,
    /// Number of arguments with the name; negative means at least that many. A subcommand counts its container's name too.
    pub arity: i32,
    pub flags: Flags,
    pub keys: Keys,
    pub access: KeyAccess,
    /// How the second key and those behind it are accessed, if not as the first; COMMAND INFO then shows a spec for each.
    pub second_access: KeyAccess,
    /// What COMMAND INFO adds to the first key spec for people.
    pub key_notes: &'static str,
    /// Categories of the access control list beyond those that the flags imply, without `@`.
    pub categories: &'static [&'static str],
    pub tips: &'static [&'static str],
    pub group: Group,
    /// First Redis version that has it.
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    pub subcommands: &'static [Row],
    pub run: Run,
}

impl Row {
    /// For struct update: a row names only what differs.
    pub const BASE: Row = Row {
        name: "",
        arity: 1,
        flags: Flags(0),
        keys: Keys::None,
        access: &[],
        second_access: &[],
        key_notes: "",
        categories: &[],
        tips: &[],
        group: Group::Generic,
        since: "1.0.0",
        summary: "",
        complexity: "O(1)",
        subcommands: &[],
        run: Run::Container,
    };

    pub fn accepts(&self, argc: usize) -> bool {
        let argc = argc as i64;
        let arity = i64::from(self.arity);
        if arity >= 0 { argc == arity } else { argc >= -arity }
    }
}
