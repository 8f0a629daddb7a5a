//! Loading: an RDB, from a file or a socket, becomes a keyspace.
//!
//! ```text
//!  bytes -> RdbReader -> events -> records, a window at a time -> hash, prefetch, insert
//! ```
//!
//! Called at start, by DEBUG RELOAD and by the link to a primary (full sync).
//! Always: the keyspace is new and nobody else sees it; whoever called makes it the current one, or drops it. Arbitrary
//! bytes give an error, never a panic, and memory grows with what has arrived.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::hash::hash_key;
use crate::base::ids::{DbIndex, UnixMs};
use crate::base::number::parse_i64;
use crate::base::pace::Pace;
use crate::codec::rdb::reader::{Event, KeyHead, RdbReader};
use crate::codec::rdb::{Format, RdbError, value_type};
use crate::config::Config;
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Entry;
use crate::keyspace::eviction::LoadedUsage;
use crate::types::{Value, rdb};

/// Records are inserted in windows of this many, so that the memory of one can be fetched while another is decoded.
const WINDOW: usize = 64;

/// The caller is told about progress every so many windows.
const PROGRESS_WINDOWS: u64 = 16;

/// AUX fields that are remembered; a file with more has been made to annoy.
const AUX_FIELDS_MAX: usize = 1000;

/// What becomes of keys whose deadline has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expired {
    /// A primary that loads its own file drops them.
    Drop,
    /// The same at its start: the report lists them if the file names a history, for replicas that resume hold them too.
    Report,
    /// A replica keeps what its primary sends and waits for the primary's DEL.
    Keep,
}

/// How far a load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub bytes: u64,
    pub keys: u64,
    /// What the RDB says that its data took in memory, in bytes; 0 if it says nothing.
    pub memory_bytes: u64,
}

/// How to load. `on_progress` is called about every thousand keys; `Break` ends the load with [`LoadError::Cancelled`].
pub struct LoadOptions<'a> {
    /// Number of databases; keys of others are an error.
    pub databases: usize,
    pub now: UnixMs,
    pub expired: Expired,
    /// `rdbchecksum`: compare the checksum at the end.
    pub verify_checksum: bool,
    /// The thresholds at which collections change their encoding.
    pub config: &'a Config,
    /// `key-load-delay`: microseconds to sleep after each key; -n sleeps one microsecond every n keys.
    pub key_load_delay: i32,
    /// While this machine serves clients.
    pub pace: Option<Pace>,
    pub on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

/// Why nothing was loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The bytes are not what they should be, or did not come.
    Rdb(RdbError),
    /// The file cannot be opened.
    Open(std::io::Error),
    /// A key of a database that this server does not have.
    Database {
        number: u64,
        databases: usize,
    },
    DuplicateKey {
        db: DbIndex,
        key: Vec<u8>,
    },
    /// A key's value is of a type that cannot be loaded.
    ValueType {
        number: u8,
        key: Vec<u8>,
    },
    /// A function library.
    Function,
    /// Data of a module that is not here.
    Module(String),
    /// `on_progress` said so.
    Cancelled,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Rdb(error) => error.fmt(f),
            LoadError::Open(error) => write!(f, "the file can't be opened: {error}"),
            LoadError::Database { number, databases } => {
                write!(f, "the RDB has keys in database {number}, but only {databases} are configured")
            }
            LoadError::DuplicateKey { db, key } => {
                write!(f, "the RDB has key '{}' of database {db} twice", key.escape_ascii())
            }
            LoadError::ValueType { number, key } => {
                let (name, key) = (type_name(*number), key.escape_ascii());
                write!(f, "key '{key}' has a value of type {number} ({name}), which can't be loaded")
            }
            LoadError::Function => write!(f, "the RDB has a function library, which can't be loaded"),
            LoadError::Module(name) => write!(f, "the RDB has data of module '{name}', which is not loaded"),
            LoadError::Cancelled => write!(f, "loading was cancelled"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<RdbError> for LoadError {
    fn from(error: RdbError) -> LoadError {
        LoadError::Rdb(error)
    }
}

/// What a value type is called, for error texts.
fn type_name(number: u8) -> &'static str {
    match number {
        value_type::STRING => "string",
        value_type::LIST
        | value_type::LIST_ZIPLIST
        | value_type::LIST_QUICKLIST
        | value_type::LIST_QUICKLIST_2 => "list",
        value_type::SET | value_type::SET_INTSET | value_type::SET_LISTPACK => "set",
        value_type::ZSET | value_type::ZSET_2 | value_type::ZSET_ZIPLIST | value_type::ZSET_LISTPACK => {
            "sorted set"
        }
        value_type::HASH
        | value_type::HASH_ZIPMAP
        | value_type::HASH_ZIPLIST
        | value_type::HASH_LISTPACK
        | value_type::VALKEY_HASH_2
        | value_type::HASH_METADATA
        | value_type::HASH_LISTPACK_EX => "hash",
        value_type::STREAM_LISTPACKS
        | value_type::STREAM_LISTPACKS_2
        | value_type::STREAM_LISTPACKS_3
        | value_type::STREAM_LISTPACKS_4 => "stream",
        value_type::MODULE_PRE_GA | value_type::MODULE_2 => "module",
        _ => "unknown",
    }
}

/// What was found.
#[derive(Debug)]
pub struct LoadReport {
    pub format: Format,
    /// Keys in the new keyspace.
    pub keys: u64,
    /// Keys dropped because their deadline had passed.
    pub expired: u64,
    /// Which ones, if that was asked for.
    pub dropped: Vec<(DbIndex, Vec<u8>)>,
    /// Keys left out because their collection had no elements.
    pub empty: u64,
    /// Length of the RDB.
    pub bytes: u64,
    /// All AUX fields in their order.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// `repl-id`, forty hexadecimal digits.
    pub replid: Option<String>,
    /// `repl-offset`.
    pub offset: Option<u64>,
    /// `repl-stream-db`: the database in which the stream behind this RDB goes on.
    pub stream_db: Option<DbIndex>,
    /// Bytes that were read behind the end of the RDB: the beginning of what follows it in the stream.
    pub rest: Vec<u8>,
}

/// A data set that nobody uses yet.
pub struct Loaded {
    pub keyspace: Keyspace,
    pub report: LoadReport,
}

/// Loads the file at `path`. `Ok(None)` if there is none.
///
/// # Errors
/// Anything else that keeps the whole data set from being loaded.
pub fn load_file(path: &Path, options: LoadOptions<'_>) -> Result<Option<Loaded>, LoadError> {
    match File::open(path) {
        Ok(file) => load(file, options).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LoadError::Open(error)),
    }
}

/// Loads a whole RDB, up to and including its checksum. The keys are stamped 0, older than any snapshot.
///
/// # Errors
/// See [`LoadError`]; nothing was changed then.
pub fn load<R: Read>(reader: R, options: LoadOptions<'_>) -> Result<Loaded, LoadError> {
    let mut reader = RdbReader::new(reader)?;
    reader.set_verify_checksum(options.verify_checksum);
    let mut loader = Loader::new(options);
    loop {
        match reader.next_event()? {
            Event::Key(head) => {
                let value = read_value(&mut reader, &head, loader.options.config)?;
                loader.take(head, value, || reader.position())?;
            }
            Event::SelectDb(number) => loader.select(number)?,
            Event::Aux { name, value } => loader.note(name, value),
            Event::ResizeDb { .. } | Event::SlotInfo { .. } => {}
            Event::Function(_) => return Err(LoadError::Function),
            Event::ModuleAux { module } => return Err(LoadError::Module(module.name())),
            Event::Eof { .. } => break,
        }
    }
    loader.finish(reader)
}

fn read_value<R: Read>(
    reader: &mut RdbReader<R>,
    head: &KeyHead,
    config: &Config,
) -> Result<Value, LoadError> {
    rdb::decode(reader, head.value_type, config).map_err(|error| match error {
        RdbError::UnknownType(number) => LoadError::ValueType { number, key: head.key.clone() },
        error => LoadError::Rdb(error),
    })
}

struct Record {
    hash: u64,
    db: DbIndex,
    key: Vec<u8>,
    value: Value,
    deadline: Option<UnixMs>,
    clock: u32,
}

struct Loader<'a> {
    options: LoadOptions<'a>,
    keyspace: Keyspace,
    window: Vec<Record>,
    windows: u64,
    db: DbIndex,
    usage: LoadedUsage,
    keys: u64,
    expired: u64,
    dropped: Vec<(DbIndex, Vec<u8>)>,
    empty: u64,
    memory_bytes: u64,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Loader<'a> {
    fn new(options: LoadOptions<'a>) -> Loader<'a> {
        Loader {
            keyspace: Keyspace::new(options.databases),
            window: Vec::with_capacity(WINDOW),
            windows: 0,
            db: DbIndex(0),
            usage: LoadedUsage::of(options.config, options.now),
            keys: 0,
            expired: 0,
            dropped: Vec::new(),
            empty: 0,
            memory_bytes: 0,
            aux: Vec::new(),
            options,
        }
    }

    fn select(&mut self, number: u64) -> Result<(), LoadError> {
        let databases = self.options.databases;
        if number >= databases as u64 {
            return Err(LoadError::Database { number, databases });
        }
        self.db = DbIndex(number as u16);
        Ok(())
    }

    fn note(&mut self, name: Vec<u8>, value: Vec<u8>) {
        if name == b"used-mem" {
            self.memory_bytes = parse_i64(&value).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        }
        if self.aux.len() < AUX_FIELDS_MAX {
            self.aux.push((name, value));
        }
    }

    fn take(&mut self, head: KeyHead, value: Value, position: impl Fn() -> u64) -> Result<(), LoadError> {
        let deadline = head.expire_at_ms.map(UnixMs);
        let is_past = deadline.is_some_and(|deadline| deadline < self.options.now);
        if is_past && self.drops_expired(&head.key) {
            return Ok(());
        }
        // Redis leaves such keys out as well.
        if value.is_empty_collection() {
            log::info!("RDB load: skipping empty key: {}", head.key.escape_ascii());
            self.empty += 1;
            return Ok(());
        }
        let hash = hash_key(&head.key);
        let db = self.keyspace.db(self.db);
        db.prefetch_shard(db.shard_of(hash));
        let clock = self.usage.clock(head.idle_seconds, head.frequency);
        self.window.push(Record { hash, db: self.db, key: head.key, value, deadline, clock });
        if self.options.key_load_delay != 0 {
            self.dawdle(position())?;
        }
        if self.window.len() == WINDOW {
            self.insert_window()?;
            if let Some(pace) = &mut self.options.pace {
                pace.breathe();
            }
            self.windows += 1;
            if self.windows.is_multiple_of(PROGRESS_WINDOWS) {
                self.report_progress(position())?;
            }
        }
        Ok(())
    }

    /// What becomes of a key whose deadline has passed.
    #[cold]
    fn drops_expired(&mut self, key: &[u8]) -> bool {
        match self.options.expired {
            Expired::Keep => return false,
            Expired::Report if self.aux(b"repl-id").is_some() => self.dropped.push((self.db, key.to_vec())),
            Expired::Report | Expired::Drop => {}
        }
        self.expired += 1;
        true
    }

    fn insert_window(&mut self) -> Result<(), LoadError> {
        for record in &self.window {
            let db = self.keyspace.db(record.db);
            db.lock(db.shard_of(record.hash)).prefetch_table(record.hash);
        }
        for record in self.window.drain(..) {
            let db = self.keyspace.db(record.db);
            let mut guard = db.lock(db.shard_of(record.hash));
            if guard.find(record.hash, &record.key).is_some() {
                return Err(LoadError::DuplicateKey { db: record.db, key: record.key });
            }
            let entry = Entry::new(&record.key, record.value, record.deadline, 0, record.clock);
            guard.insert(record.hash, entry);
            self.keys += 1;
        }
        Ok(())
    }

    fn report_progress(&mut self, bytes: u64) -> Result<(), LoadError> {
        match (self.options.on_progress)(Progress { bytes, keys: self.keys, memory_bytes: self.memory_bytes })
        {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(LoadError::Cancelled),
        }
    }

    /// `key-load-delay`. Long sleeps are taken in short ones, so that the load can still be cancelled.
    #[cold]
    fn dawdle(&mut self, bytes: u64) -> Result<(), LoadError> {
        const STEP: Duration = Duration::from_millis(20);
        let delay = self.options.key_load_delay;
        let taken = self.keys + self.window.len() as u64;
        let micros = match u64::try_from(delay) {
            Ok(micros) => micros,
            Err(_) => u64::from(taken.is_multiple_of(u64::from(delay.unsigned_abs()))),
        };
        let until = Instant::now() + Duration::from_micros(micros);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STEP));
            self.report_progress(bytes)?;
        }
    }

    fn aux(&self, name: &[u8]) -> Option<&[u8]> {
        self.aux.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    fn finish<R: Read>(mut self, reader: RdbReader<R>) -> Result<Loaded, LoadError> {
        self.insert_window()?;
        self.report_progress(reader.position())?;
        let dropped = std::mem::take(&mut self.dropped);
        let replid = self.aux(b"repl-id").filter(|id| id.len() == 40 && id.iter().all(u8::is_ascii_hexdigit));
        let number = |name: &[u8]| self.aux(name).and_then(parse_i64);
        let stream_db = number(b"repl-stream-db").and_then(|number| u16::try_from(number).ok());
        let report = LoadReport {
            format: reader.format(),
            keys: self.keys,
            expired: self.expired,
            dropped,
            empty: self.empty,
            bytes: reader.position(),
            replid: replid.map(|id| String::from_utf8_lossy(id).into_owned()),
            offset: number(b"repl-offset").and_then(|offset| u64::try_from(offset).ok()),
            stream_db: stream_db.filter(|db| usize::from(*db) < self.options.databases).map(DbIndex),
            rest: reader.into_parts().1,
            aux: self.aux,
        };
        Ok(Loaded { keyspace: self.keyspace, report })
    }
}
