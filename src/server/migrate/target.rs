//! A target: one connection to the server that keys go to, and what is said on it.
//!
//! ```text
//!  ours    [AUTH ...] [SELECT db] RESTORE key ttl payload [REPLACE] ...      at once, in pieces of 64 KiB
//!  theirs  +OK        +OK         +OK or -BUSYKEY ...                        one line each
//! ```
//!
//! Owned by the thread of one migration at a time, kept by `cache` in between. Always: after a conversation that went well every
//! reply has been read; one that broke off is the end of its connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::base::ids::UnixMs;
use crate::commands::spec::effect::encode;
use crate::commands::spec::host::Migration;
use crate::exec::migration::Parcel;

/// Sent at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A reply is a status or an error, not more: of a longer line the connection is given up.
const LINE_BYTES_MAX: usize = 16 * 1024;
const READ_BYTES: usize = 4096;
/// So long a step may take if the client does not care: a date that the clock still has.
const TIMEOUT_MAX: Duration = Duration::from_secs(1 << 30);

/// At which step a conversation broke off, and whether for its time-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    Connecting,
    Writing { timed_out: bool },
    Reading { timed_out: bool },
}

impl Broken {
    /// Is it worth another attempt? A connection that was kept may have been closed meanwhile by the other end.
    pub fn is_worth_retrying(self) -> bool {
        match self {
            Broken::Connecting => false,
            Broken::Writing { timed_out } | Broken::Reading { timed_out } => !timed_out,
        }
    }

    /// As the client hears of it.
    pub fn text(self) -> &'static str {
        match self {
            Broken::Connecting => "IOERR error or timeout connecting to the client",
            Broken::Writing { .. } => "IOERR error or timeout writing to target instance",
            Broken::Reading { .. } => "IOERR error or timeout reading to target instance",
        }
    }
}

/// What a conversation came to.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// For each parcel that was answered: has the target got it?
    pub has_got: Vec<bool>,
    /// The first error that the target has answered, without its minus.
    pub refusal: Option<Vec<u8>>,
    pub broken: Option<Broken>,
}

pub struct Target {
    stream: TcpStream,
    /// The database that it works on; none if that is not known.
    db: Option<i64>,
    /// Bytes that were read and are behind the last line.
    input: Vec<u8>,
}

impl Target {
    /// # Errors
    /// Nobody is there under this name, or did not answer in time.
    pub fn connect(host: &str, port: &str, timeout: Duration) -> Result<Target, Broken> {
        let port: u16 = port.parse().map_err(|_| Broken::Connecting)?;
        let until = Instant::now() + timeout.min(TIMEOUT_MAX);
        let addresses = (host, port).to_socket_addrs().map_err(|_| Broken::Connecting)?;
        let mut broken = Broken::Connecting;
        for address in addresses {
            let Some(left) = left(until) else { break };
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    // Without it the last piece would wait for an acknowledgement.
                    let _ = stream.set_nodelay(true);
                    return Ok(Target { stream, db: None, input: Vec::new() });
                }
                // Redis notices only as it writes.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    broken = Broken::Writing { timed_out: false };
                }
                Err(_) => broken = Broken::Connecting,
            }
        }
        Err(broken)
    }

    /// Sends the parcels and reads what the target says to each.
    pub fn restore(&mut self, migration: &Migration, parcels: &[Parcel], now: UnixMs) -> Outcome {
        let selects = self.db != Some(migration.to_db);
        let mut outcome = Outcome::default();
        if let Err(timed_out) = self.send(migration, parcels, selects, now) {
            outcome.broken = Some(Broken::Writing { timed_out });
            return outcome;
        }
        let timeout = migration.timeout;
        // Without the first two the third is in vain: whatever is said to it is no acknowledgement.
        let mut preface_failed = false;
        for _ in 0..usize::from(!migration.credentials.is_empty()) + usize::from(selects) {
            match self.line(timeout) {
                Ok(line) => preface_failed |= outcome.note_refusal(&line),
                Err(timed_out) => {
                    return Outcome { broken: Some(Broken::Reading { timed_out }), ..Outcome::default() };
                }
            }
        }
        for _ in parcels {
            match self.line(timeout) {
                Ok(line) => {
                    let is_refused = outcome.note_refusal(&line);
                    outcome.has_got.push(!is_refused && !preface_failed);
                }
                Err(timed_out) => {
                    outcome.broken = Some(Broken::Reading { timed_out });
                    break;
                }
            }
        }
        self.db = outcome.refusal.is_none().then_some(migration.to_db);
        outcome
    }

    /// # Errors
    /// It could not be sent: was that for the time-out?
    fn send(
        &mut self,
        migration: &Migration,
        parcels: &[Parcel],
        selects: bool,
        now: UnixMs,
    ) -> Result<(), bool> {
        let mut pending = Vec::new();
        if !migration.credentials.is_empty() {
            let words =
                [b"AUTH".as_slice()].into_iter().chain(migration.credentials.iter().map(Vec::as_slice));
            encode(&mut pending, 1 + migration.credentials.len(), words);
        }
        if selects {
            let db = migration.to_db.to_string();
            encode(&mut pending, 2, [b"SELECT".as_slice(), db.as_bytes()].into_iter());
        }
        for parcel in parcels {
            // What is there has a moment left, even if it is over by now.
            let ttl = parcel.deadline.map_or(0, |at| (at.0 - now.0).max(1)).to_string();
            let words = [b"RESTORE".as_slice(), &parcel.key, ttl.as_bytes(), &parcel.payload, b"REPLACE"];
            let count = if migration.replaces { 5 } else { 4 };
            encode(&mut pending, count, words.into_iter().take(count));
            if pending.len() >= CHUNK_BYTES {
                self.write(&pending, migration.timeout)?;
                pending.clear();
            }
        }
        self.write(&pending, migration.timeout)
    }

    fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), bool> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let until = Instant::now() + timeout.min(TIMEOUT_MAX);
            let mut rest = chunk;
            while !rest.is_empty() {
                let left = left(until).ok_or(true)?;
                let written =
                    self.stream.set_write_timeout(Some(left)).and_then(|()| self.stream.write(rest));
                match written {
                    Ok(0) => return Err(false),
                    Ok(count) => rest = &rest[count..],
                    Err(error) => passing(&error)?,
                }
            }
        }
        Ok(())
    }

    /// The next line, without its end.
    fn line(&mut self, timeout: Duration) -> Result<Vec<u8>, bool> {
        let until = Instant::now() + timeout.min(TIMEOUT_MAX);
        let mut buffer = [0; READ_BYTES];
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return Ok(line);
            }
            if self.input.len() > LINE_BYTES_MAX {
                return Err(false);
            }
            let left = left(until).ok_or(true)?;
            let read = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => return Err(false),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) => passing(&error)?,
            }
        }
    }
}

impl Outcome {
    /// Is the line an error? The first one is the client's.
    fn note_refusal(&mut self, line: &[u8]) -> bool {
        let Some(error) = line.strip_prefix(b"-") else { return false };
        self.refusal.get_or_insert_with(|| error.to_vec());
        true
    }
}

/// What is left until then; none if nothing is.
fn left(until: Instant) -> Option<Duration> {
    Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}

/// An interruption, or the end of what a call was given, of which the loop around it sees whether it was all; anything else is
/// the end, but not for the time-out.
fn passing(error: &io::Error) -> Result<(), bool> {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
        _ => Err(false),
    }
}
