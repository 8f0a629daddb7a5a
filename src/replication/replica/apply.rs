//! Apply: the primary's stream, command by command, into our keyspace and byte for byte into our own backlog.
//!
//! ```text
//!   buffered bytes -> batch -> windows of commands -> executor (under the shards' locks)      then, before the next
//!         \----------------- the same bytes, in one append ------------------------------>    checkpoint: backlog
//!   MULTI ... EXEC: one unit, applied under all its locks and appended in one piece, when its EXEC has come
//! ```
//!
//! Driven by the link's thread, which is a running participant of the barrier around every `feed`. Always: at a checkpoint
//! the backlog ends where the data set stands, at the border of a command or unit. What cannot be applied is an error and
//! never skipped, for skipping is a silent divergence.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::base::clock;
use crate::base::ids::DbIndex;
use crate::base::number::parse_i64;
use crate::codec::rdb::STRING_LEN_MAX;
use crate::commands::spec::table::{Command, CommandId, table};
use crate::commands::spec::{Args, Run};
use crate::exec::apply::{FailedCommand, Placed, Standing};
use crate::exec::engine::Engine;
use crate::exec::executor::{Executor, Resolved};
use crate::exec::prefetch::WINDOW;
use crate::exec::stats::Count;
use crate::replication::replica::control::Control;
use crate::replication::replica::handshake::show;
use crate::resp::batch::Batch;
use crate::resp::limits::{Limits, ProtocolError};
use crate::resp::parser::Parser;
use crate::resp::reply::Reply;
use crate::session::Session;

/// Commands between two checkpoints: a cut waits for so many at most.
const COMMANDS_PER_FEED: usize = 512;
/// A unit longer than this is held to be an attack or a fault: nothing of it is applied.
const UNIT_BYTES_MAX: usize = 4 << 30;

/// Why the stream cannot be followed any further.
#[derive(Debug)]
pub enum ApplyError {
    /// The link is not wanted any more; not an error at all.
    Unwanted,
    Protocol(ProtocolError),
    /// Not a RESP array.
    Inline(String),
    Unknown(String),
    Arity(&'static str),
    /// A command that never occurs in a stream, or not there.
    Misplaced(String),
    /// SELECT of a database that this server does not have.
    Database(String),
    Failed {
        command: &'static str,
        error: String,
    },
    /// A transaction that does not end.
    EndlessUnit,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::Unwanted => f.write_str("replication was stopped"),
            ApplyError::Protocol(error) => {
                write!(f, "protocol error: {}", String::from_utf8_lossy(&error.reply()))
            }
            ApplyError::Inline(words) => write!(f, "this is no command of a stream: '{words}'"),
            ApplyError::Unknown(name) => write!(f, "unknown command '{name}'"),
            ApplyError::Arity(name) => write!(f, "wrong number of arguments for '{name}'"),
            ApplyError::Misplaced(name) => write!(f, "command '{name}' has no place there"),
            ApplyError::Database(index) => {
                write!(f, "database {index} does not exist here (see 'databases')")
            }
            ApplyError::Failed { command, error } => write!(f, "command '{command}' failed: {error}"),
            ApplyError::EndlessUnit => write!(f, "a transaction is longer than {UNIT_BYTES_MAX} bytes"),
        }
    }
}

/// What one `feed` did.
#[derive(Default)]
pub struct Fed {
    /// So many bytes are applied (or, of a unit that is not complete, copied).
    pub consumed: usize,
    /// The primary asked how far we are: offsets to acknowledge, each without the question itself.
    pub asked_at: Vec<u64>,
}

/// What a command of the stream is.
enum Verb {
    Data(&'static Command),
    Select(DbIndex),
    Multi,
    Exec,
    /// Changes nothing: PING.
    Nothing,
    GetAck,
}

/// The state of a stream that is being followed.
pub struct Applier {
    pub executor: Executor,
    control: Arc<Control>,
    session: Session,
    reply: Reply,
    parser: Parser,
    batch: Batch,
    resolved: Vec<Resolved>,
    ran: Vec<CommandId>,
    /// The database that the stream is in.
    db: DbIndex,
    /// The bytes of a transaction whose EXEC has not come yet, from its MULTI on.
    unit: Option<Vec<u8>>,
}

const LIMITS: Limits = Limits {
    max_bulk: STRING_LEN_MAX,
    max_args: i32::MAX as i64,
    max_inline: 64 * 1024,
    authenticated: true,
};

impl Applier {
    /// `session`: whom commands on the whole keyspace see as their client.
    pub fn new(engine: Arc<Engine>, control: Arc<Control>, session: Session) -> Applier {
        let mut reply = Reply::new();
        reply.set_suppressed(true);
        Applier {
            executor: Executor::for_link(engine),
            control,
            session,
            reply,
            parser: Parser::new(),
            batch: Batch::new(),
            resolved: Vec::with_capacity(WINDOW),
            ran: Vec::with_capacity(WINDOW),
            db: DbIndex(0),
            unit: None,
        }
    }

    /// A connection begins at the end of our backlog; what an earlier one has left incomplete comes again.
    pub fn begin(&mut self) {
        self.parser = Parser::new();
        self.unit = None;
        let backlog = self.executor.view().backlog.as_ref();
        self.db = backlog.and_then(|backlog| backlog.current_db()).unwrap_or_default();
    }

    /// The offset up to which everything is applied.
    pub fn offset(&self) -> u64 {
        self.executor.view().backlog.as_ref().map_or(0, |backlog| backlog.reserved().0)
    }

    /// Bytes that were consumed and belong to a unit which is not complete.
    pub fn held_bytes(&self) -> usize {
        self.unit.as_ref().map_or(0, Vec::len)
    }

    /// Applies commands from the start of `buf`. The caller drops what is consumed and comes again, after a checkpoint, until
    /// nothing is.
    ///
    /// # Errors
    /// See [`ApplyError`]. What came before has been applied and appended.
    pub fn feed(&mut self, buf: &[u8]) -> Result<Fed, ApplyError> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let progress = self.parser.parse(buf, &LIMITS, &mut batch, COMMANDS_PER_FEED);
        let mut fed = Fed { consumed: progress.consumed, asked_at: Vec::new() };
        self.executor.tick();
        let result = self.run(buf, &batch, &mut fed);
        self.batch = batch;
        result?;
        match progress.error {
            Some(error) => Err(ApplyError::Protocol(error)),
            None => Ok(fed),
        }
    }

    /// Walks a batch: plain commands in windows, transactions as units.
    fn run(&mut self, buf: &[u8], batch: &Batch, fed: &mut Fed) -> Result<(), ApplyError> {
        let (mut at, mut from) = (0, 0);
        if self.unit.is_some() {
            (at, from) = self.finish_unit(buf, batch, fed.consumed)?;
        }
        while at < batch.len() {
            let to = (at + WINDOW).min(batch.len());
            let multi = self.window(buf, batch, at..to, &mut from, fed)?;
            at = match multi {
                None => to,
                Some(index) => self.begin_unit(buf, batch, index, &mut from, fed.consumed)?,
            };
        }
        self.append(&buf[from..fed.consumed]);
        Ok(())
    }

    /// Runs plain commands up to a MULTI, whose index is returned. Bytes before `from` are in the backlog already.
    fn window(
        &mut self,
        buf: &[u8],
        batch: &Batch,
        range: Range<usize>,
        from: &mut usize,
        fed: &mut Fed,
    ) -> Result<Option<usize>, ApplyError> {
        let mut resolved = std::mem::take(&mut self.resolved);
        let requests = range.clone().map(|index| Args::parsed(batch.request(buf, index)));
        self.executor.resolve_window(self.db, requests, &mut resolved);
        let started = clock::monotonic_ns();
        let mut outcome = Ok(None);
        for index in range.clone() {
            match self.step(buf, batch, index, resolved[index - range.start], from, fed) {
                Ok(false) => {}
                Ok(true) => {
                    outcome = Ok(Some(index));
                    break;
                }
                Err(error) => {
                    // What is before the culprit is applied, and has to be in the stream.
                    let end = batch.commands[index].start.max(*from);
                    self.append(&buf[*from..end]);
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.resolved = resolved;
        self.account(clock::monotonic_ns() - started);
        outcome
    }

    /// Spreads a window's time over its commands.
    fn account(&mut self, nanos: u64) {
        if self.ran.is_empty() {
            return;
        }
        let each = nanos / self.ran.len() as u64;
        self.executor.counters.add(Count::Commands, self.ran.len() as u64);
        let tracks = self.executor.view().thresholds.tracks;
        for command in self.ran.drain(..) {
            self.executor.counters.called(command, each, tracks);
        }
    }

    /// One command outside of a transaction. True if it is MULTI.
    #[inline]
    fn step(
        &mut self,
        buf: &[u8],
        batch: &Batch,
        index: usize,
        resolved: Resolved,
        from: &mut usize,
        fed: &mut Fed,
    ) -> Result<bool, ApplyError> {
        let request = batch.request(buf, index);
        let args = Args::parsed(request);
        if let Some(command) = resolved.command
            && let Run::Keyed(handler) = command.row.run
            && command.row.accepts(args.len())
            && !request.is_inline()
        {
            self.ran.push(command.id);
            let result = self.executor.apply(self.db, command, handler, args, resolved.hash, &mut self.reply);
            return match result {
                Ok(()) => Ok(false),
                Err(failure) => self.judge(command, &failure.0).map(|()| false),
            };
        }
        let place = batch.commands[index];
        match classify(&args, request.is_inline(), self.executor.view().keyspace.databases())? {
            Verb::Data(command) => {
                self.append(&buf[*from..place.start]);
                *from = place.start;
                self.ran.push(command.id);
                self.unit_of(
                    &[Placed { db: self.db, command, args }],
                    self.db,
                    &buf[place.start..place.end],
                )?;
                *from = place.end;
            }
            Verb::Select(db) => self.db = db,
            Verb::Multi => return Ok(true),
            Verb::Exec => return Err(ApplyError::Misplaced("exec".into())),
            Verb::Nothing => {}
            Verb::GetAck => {
                self.append(&buf[*from..place.start]);
                *from = place.start;
                fed.asked_at.push(self.offset());
            }
        }
        Ok(false)
    }

    /// A MULTI at `index`: applies its unit if it is complete, else keeps it. The index and byte to go on from.
    fn begin_unit(
        &mut self,
        buf: &[u8],
        batch: &Batch,
        index: usize,
        from: &mut usize,
        consumed: usize,
    ) -> Result<usize, ApplyError> {
        let start = batch.commands[index].start;
        self.append(&buf[*from..start]);
        *from = start;
        match find_exec(buf, batch, index + 1) {
            Some(exec) => {
                let end = batch.commands[exec].end;
                self.run_unit(buf, batch, index + 1..exec, &buf[start..end])?;
                *from = end;
                Ok(exec + 1)
            }
            None => {
                self.unit = Some(buf[start..consumed].to_vec());
                *from = consumed;
                Ok(batch.len())
            }
        }
    }

    /// Goes on with a unit whose MULTI came earlier. The index and byte behind it.
    fn finish_unit(
        &mut self,
        buf: &[u8],
        batch: &Batch,
        consumed: usize,
    ) -> Result<(usize, usize), ApplyError> {
        let mut bytes = self.unit.take().unwrap_or_default();
        let exec = find_exec(buf, batch, 0);
        let end = exec.map_or(consumed, |exec| batch.commands[exec].end);
        if bytes.len() + end > UNIT_BYTES_MAX {
            return Err(ApplyError::EndlessUnit);
        }
        bytes.extend_from_slice(&buf[..end]);
        let Some(exec) = exec else {
            self.unit = Some(bytes);
            return Ok((batch.len(), consumed));
        };
        let mut whole = Batch::new();
        let progress = Parser::new().parse(&bytes, &LIMITS, &mut whole, usize::MAX);
        if let Some(error) = progress.error {
            return Err(ApplyError::Protocol(error));
        }
        self.run_unit(&bytes, &whole, 1..whole.len().saturating_sub(1), &bytes)?;
        Ok((exec + 1, end))
    }

    /// Applies the commands between MULTI and EXEC as one. `raw` are the bytes of all, both included.
    fn run_unit(
        &mut self,
        buf: &[u8],
        batch: &Batch,
        range: Range<usize>,
        raw: &[u8],
    ) -> Result<(), ApplyError> {
        let databases = self.executor.view().keyspace.databases();
        let mut db = self.db;
        let mut unit = Vec::with_capacity(range.len());
        for index in range {
            let request = batch.request(buf, index);
            let args = Args::parsed(request);
            match classify(&args, request.is_inline(), databases)? {
                Verb::Data(command) => unit.push(Placed { db, command, args }),
                Verb::Select(other) => db = other,
                Verb::Nothing => {}
                Verb::Multi | Verb::Exec | Verb::GetAck => {
                    return Err(ApplyError::Misplaced(show(request.name())));
                }
            }
        }
        self.ran.extend(unit.iter().map(|placed| placed.command.id));
        let started = clock::monotonic_ns();
        let result = self.unit_of(&unit, db, raw);
        self.account(clock::monotonic_ns() - started);
        result
    }

    /// Applies commands as one, and appends `raw`, after which the stream is in `db`.
    fn unit_of(&mut self, unit: &[Placed<'_>], db: DbIndex, raw: &[u8]) -> Result<(), ApplyError> {
        if !unit.iter().any(Placed::needs_whole) {
            if let Err(failed) = self.executor.apply_unit(unit, &mut self.reply) {
                return self.unit_failed(unit, &failed);
            }
            self.db = db;
            self.append(raw);
            return Ok(());
        }
        let control = self.control.clone();
        let standing = self.executor.apply_standing(
            &mut self.session,
            unit,
            &mut self.reply,
            || control.is_wanted(),
            |writer| {
                writer.append_verbatim(raw, Some(db));
            },
        );
        match standing {
            Standing::Applied => self.db = db,
            Standing::Unwanted => return Err(ApplyError::Unwanted),
            Standing::Failed(failed) => return self.unit_failed(unit, &failed),
        }
        // The world has gone on since.
        if self.control.is_wanted() { Ok(()) } else { Err(ApplyError::Unwanted) }
    }

    #[cold]
    fn unit_failed(&self, unit: &[Placed<'_>], failed: &FailedCommand) -> Result<(), ApplyError> {
        Err(ApplyError::Failed {
            command: unit[failed.index].command.full_name,
            error: failed.failure.0.clone().into_owned(),
        })
    }

    /// A command failed that did not fail on the primary. On a writable replica that may be the user's own doing, and he
    /// hears of it in the log, as with Redis; otherwise the data sets differ.
    #[cold]
    fn judge(&self, command: &'static Command, error: &str) -> Result<(), ApplyError> {
        if !self.executor.view().config.replica_read_only {
            log::warn!(
                "== CRITICAL == This replica is sending an error to its master: '{error}' after processing the \
                 command '{}'",
                command.full_name
            );
            return Ok(());
        }
        Err(ApplyError::Failed { command: command.full_name, error: error.to_owned() })
    }

    /// Puts applied bytes into our own stream.
    fn append(&mut self, bytes: &[u8]) {
        let db = self.db;
        if !bytes.is_empty()
            && let Some(writer) = self.executor.writer()
        {
            writer.append_verbatim(bytes, Some(db));
        }
    }
}

/// The first EXEC at or behind `from`.
fn find_exec(buf: &[u8], batch: &Batch, from: usize) -> Option<usize> {
    (from..batch.len()).find(|index| {
        let request = batch.request(buf, *index);
        request.argc() == 1 && request.name().eq_ignore_ascii_case(b"exec")
    })
}

/// What a command of the stream is, or why it cannot be one.
fn classify(args: &Args<'_>, is_inline: bool, databases: usize) -> Result<Verb, ApplyError> {
    let name = args.get(0);
    if is_inline {
        return Err(ApplyError::Inline(show(name)));
    }
    if args.is(0, "ping") {
        return Ok(Verb::Nothing);
    }
    if args.is(0, "multi") && args.len() == 1 {
        return Ok(Verb::Multi);
    }
    if args.is(0, "exec") && args.len() == 1 {
        return Ok(Verb::Exec);
    }
    if args.is(0, "select") && args.len() == 2 {
        let index = parse_i64(args.get(1)).filter(|index| (0..databases as i64).contains(index));
        return match index {
            Some(index) => Ok(Verb::Select(DbIndex(index as u16))),
            None => Err(ApplyError::Database(show(args.get(1)))),
        };
    }
    if args.is(0, "replconf") && args.len() == 3 && args.is(1, "getack") {
        return Ok(Verb::GetAck);
    }
    // A primary that renames commands sends them as its clients have called them.
    let known = table().lookup(name).or_else(|| table().original(name));
    let mut command = known.ok_or_else(|| ApplyError::Unknown(show(name)))?;
    if matches!(command.row.run, Run::Container) {
        let word = args.opt(1).ok_or(ApplyError::Arity(command.full_name))?;
        let unknown = || ApplyError::Unknown(format!("{} {}", command.full_name, show(word)));
        command = table().subcommand(command, word).ok_or_else(unknown)?;
    }
    if !command.row.accepts(args.len()) {
        return Err(ApplyError::Arity(command.full_name));
    }
    match command.row.run {
        Run::Keyed(_) | Run::Far { .. } | Run::Whole(_) => Ok(Verb::Data(command)),
        Run::Walk(_) | Run::Control(_) | Run::Exec | Run::Watch | Run::Container => {
            Err(ApplyError::Misplaced(command.full_name.to_owned()))
        }
    }
}
