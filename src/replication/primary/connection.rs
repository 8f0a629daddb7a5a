//! A connection: one replica's socket, and what it gets next.
//!
//! ```text
//!   Waiting --cut--> Feeding (chunks, then the end mark) --> Holding --first ACK--> Streaming
//!      |    \------> Spooling --length is known--> File (length, then bytes) ------^
//!      \-- rdb-only: after the snapshot --> Finishing                 +CONTINUE ---^
//! ```
//!
//! Owned by one sender thread, which pumps it whenever the socket or the source may have room or bytes.
//! Always: `head` goes out before anything of the stage; stream bytes come straight from the backlog's segments; after an
//! end mark not one byte goes out before the replica has acknowledged (a replica that loads from disk looks for the mark
//! at the end of what it has read).

use std::any::Any;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::backlog::{Gone, Reader};
use crate::base::ids::UnixMs;
use crate::replication::primary::follower::Follower;
use crate::replication::primary::incoming::Incoming;
use crate::snapshot::{Chunk, Piece, SnapshotError, Subscription};

/// One vectored write takes at most this much: more than a socket buffer usually holds.
const WRITE_BYTES_MAX: usize = 1024 * 1024;
/// A spooled snapshot is read in such pieces.
const FILE_BYTES: usize = 256 * 1024;
/// The end mark of a snapshot without a length: forty bytes that nobody can guess.
pub const MARK_BYTES: usize = 40;

/// Why a connection ends.
#[derive(Debug)]
pub enum Loss {
    /// The replica closed it, or the network did.
    Io(io::Error),
    /// The replica closed its end.
    Closed,
    /// The stream went on without it.
    Gone(Gone),
    Snapshot(SnapshotError),
    /// The spool file could not be read.
    Spool(io::Error),
    /// It got the snapshot, which was all that it wanted.
    Done,
}

/// How far a pump came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pumped {
    /// The budget is used up; there is more, and room for it.
    More,
    /// The socket takes no more for now.
    Full,
    /// Nothing to send for now.
    Idle,
}

/// A snapshot on its way from the walk to the socket.
pub struct Feeding {
    subscription: Subscription,
    chunk: Option<(Chunk, usize)>,
    mark: [u8; MARK_BYTES],
}

/// A spooled snapshot on its way to the socket.
pub struct Spooled {
    file: Arc<File>,
    len: u64,
    /// Where in the file `piece` ends.
    at: u64,
    piece: Vec<u8>,
    piece_at: usize,
}

/// See the top of the file.
pub enum Stage {
    Waiting,
    Spooling,
    Feeding(Feeding),
    File(Spooled),
    Holding,
    Streaming,
    Finishing,
}

impl Stage {
    /// Is it one in which the replica is kept patient with newlines?
    fn is_patient(&self) -> bool {
        match self {
            Stage::Waiting | Stage::Spooling => true,
            Stage::Feeding(_) | Stage::File(_) | Stage::Holding | Stage::Streaming | Stage::Finishing => {
                false
            }
        }
    }

    /// Does the snapshot flow?
    pub fn is_bulk(&self) -> bool {
        match self {
            Stage::Feeding(_) | Stage::File(_) => true,
            Stage::Waiting | Stage::Spooling | Stage::Holding | Stage::Streaming | Stage::Finishing => false,
        }
    }
}

/// One replica's connection.
pub struct Connection {
    pub follower: Arc<Follower>,
    pub socket: TcpStream,
    pub incoming: Incoming,
    pub stage: Stage,
    /// Its place in the stream, from the cut or the partial resync on.
    pub reader: Option<Reader>,
    /// The last write left bytes over; the event loop says when there is room again.
    pub is_full: bool,
    /// Since when it has kept more than the soft limit allows.
    pub soft_since: Option<UnixMs>,
    /// When it last took bytes.
    pub last_write: UnixMs,
    pub bytes_sent: u64,
    /// Short texts that go first: replies, newlines, lengths, marks.
    head: Vec<u8>,
    /// Its place among the server's clients, given back when this is dropped.
    _ticket: Box<dyn Any + Send>,
}

impl Connection {
    /// `head`: what was left over from the time as a client, and the reply to PSYNC if it is known already.
    pub fn new(
        follower: Arc<Follower>,
        socket: TcpStream,
        head: Vec<u8>,
        reader: Option<Reader>,
        ticket: Box<dyn Any + Send>,
        now: UnixMs,
    ) -> Connection {
        let stage = if reader.is_some() { Stage::Streaming } else { Stage::Waiting };
        Connection {
            follower,
            socket,
            incoming: Incoming::default(),
            stage,
            reader,
            is_full: false,
            soft_since: None,
            last_write: now,
            bytes_sent: 0,
            head,
            _ticket: ticket,
        }
    }

    /// The cut is taken: the reply to PSYNC, if it is to have one, and the snapshot without a length in front.
    pub fn feed(&mut self, reply: &str, subscription: Subscription, mark: [u8; MARK_BYTES], reader: Reader) {
        self.head.extend_from_slice(reply.as_bytes());
        self.head.extend_from_slice(b"$EOF:");
        self.head.extend_from_slice(&mark);
        self.head.extend_from_slice(b"\r\n");
        self.stage = Stage::Feeding(Feeding { subscription, chunk: None, mark });
        self.reader = Some(reader);
    }

    /// The same for a replica that has to know the length first.
    pub fn await_spool(&mut self, reply: &str, reader: Reader) {
        self.head.extend_from_slice(reply.as_bytes());
        self.stage = Stage::Spooling;
        self.reader = Some(reader);
    }

    /// The length is known.
    pub fn send_file(&mut self, file: Arc<File>, len: u64) {
        self.head.extend_from_slice(format!("${len}\r\n").as_bytes());
        self.stage = Stage::File(Spooled { file, len, at: 0, piece: Vec::new(), piece_at: 0 });
    }

    /// Once a second: a replica that waits hears that we are still there.
    pub fn keep_patient(&mut self) {
        if self.stage.is_patient() && self.head.is_empty() {
            self.head.push(b'\n');
        }
    }

    /// The replica has loaded and acknowledged. True if it had been waited for.
    pub fn release(&mut self) -> bool {
        // What is said before the mark is out was said about something else.
        let is_held = matches!(self.stage, Stage::Holding) && self.head.is_empty();
        if is_held {
            self.stage = Stage::Streaming;
        }
        is_held
    }

    /// Bytes that are in memory for it.
    pub fn unsent_bytes(&self) -> u64 {
        let chunks = match &self.stage {
            Stage::Feeding(feeding) => feeding.subscription.bytes_behind(),
            Stage::Waiting
            | Stage::Spooling
            | Stage::File(_)
            | Stage::Holding
            | Stage::Streaming
            | Stage::Finishing => 0,
        };
        self.head.len() as u64 + chunks + self.reader.as_ref().map_or(0, Reader::lag_bytes)
    }

    /// Sends what there is, at most about `budget` bytes.
    pub fn pump(&mut self, budget: usize, now: UnixMs) -> Result<Pumped, Loss> {
        let before = self.bytes_sent;
        let result = self.pump_stage(budget);
        if self.bytes_sent > before {
            self.last_write = now;
        }
        self.is_full = matches!(result, Ok(Pumped::Full));
        result
    }

    fn pump_stage(&mut self, budget: usize) -> Result<Pumped, Loss> {
        let enough = self.bytes_sent + budget as u64;
        loop {
            if !self.write_head()? {
                return Ok(Pumped::Full);
            }
            if self.bytes_sent >= enough {
                return Ok(Pumped::More);
            }
            let step = match &mut self.stage {
                Stage::Waiting | Stage::Spooling | Stage::Holding => Step::Idle,
                Stage::Finishing => return Err(Loss::Done),
                Stage::Feeding(feeding) => feed_step(&mut self.socket, feeding, &mut self.bytes_sent)?,
                Stage::File(spooled) => file_step(&mut self.socket, spooled, &mut self.bytes_sent)?,
                Stage::Streaming => match &mut self.reader {
                    Some(reader) => stream_step(&mut self.socket, reader, &mut self.bytes_sent)?,
                    None => Step::Idle,
                },
            };
            match step {
                Step::Wrote => {}
                Step::Full => return Ok(Pumped::Full),
                Step::Idle => return Ok(Pumped::Idle),
                Step::SnapshotSent(mark) => self.conclude(mark),
            }
        }
    }

    /// The snapshot is out but for its end mark.
    fn conclude(&mut self, mark: Option<[u8; MARK_BYTES]>) {
        let has_mark = mark.is_some();
        self.head.extend(mark.into_iter().flatten());
        self.stage = match (self.follower.rdb_only, has_mark) {
            (true, _) => Stage::Finishing,
            (false, true) => Stage::Holding,
            (false, false) => Stage::Streaming,
        };
    }

    /// True when nothing of it is left.
    fn write_head(&mut self) -> Result<bool, Loss> {
        while !self.head.is_empty() {
            match write(&mut self.socket, &self.head)? {
                Some(count) => {
                    self.head.drain(..count);
                    self.bytes_sent += count as u64;
                }
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads what the replica sends into `buffer`. None if there is nothing for now.
    pub fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Loss> {
        loop {
            return match self.socket.read(buffer) {
                Ok(0) => Err(Loss::Closed),
                Ok(count) => Ok(Some(&buffer[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(Loss::Io(error)),
            };
        }
    }
}

enum Step {
    Wrote,
    Full,
    Idle,
    SnapshotSent(Option<[u8; MARK_BYTES]>),
}

/// None if the socket takes nothing now.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> Result<Option<usize>, Loss> {
    settle(|| socket.write(bytes))
}

fn settle(mut write: impl FnMut() -> io::Result<usize>) -> Result<Option<usize>, Loss> {
    loop {
        return match write() {
            Ok(0) => Err(Loss::Closed),
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(Loss::Io(error)),
        };
    }
}

fn feed_step(socket: &mut TcpStream, feeding: &mut Feeding, sent: &mut u64) -> Result<Step, Loss> {
    if feeding.chunk.is_none() {
        match feeding.subscription.try_next().map_err(Loss::Snapshot)? {
            Piece::Chunk(chunk) => feeding.chunk = Some((chunk, 0)),
            Piece::NotYet => return Ok(Step::Idle),
            Piece::End => return Ok(Step::SnapshotSent(Some(feeding.mark))),
        }
    }
    let Some((chunk, at)) = &mut feeding.chunk else { return Ok(Step::Idle) };
    if *at < chunk.len() {
        let Some(count) = write(socket, &chunk[*at..])? else { return Ok(Step::Full) };
        *at += count;
        *sent += count as u64;
    }
    if *at >= chunk.len() {
        feeding.chunk = None;
    }
    Ok(Step::Wrote)
}

fn file_step(socket: &mut TcpStream, spooled: &mut Spooled, sent: &mut u64) -> Result<Step, Loss> {
    if spooled.piece_at == spooled.piece.len() {
        let left = spooled.len - spooled.at;
        if left == 0 {
            return Ok(Step::SnapshotSent(None));
        }
        let len = left.min(FILE_BYTES as u64) as usize;
        spooled.piece.resize(len, 0);
        spooled.file.read_exact_at(&mut spooled.piece, spooled.at).map_err(Loss::Spool)?;
        spooled.at += len as u64;
        spooled.piece_at = 0;
    }
    let Some(count) = write(socket, &spooled.piece[spooled.piece_at..])? else { return Ok(Step::Full) };
    spooled.piece_at += count;
    *sent += count as u64;
    Ok(Step::Wrote)
}

fn stream_step(socket: &mut TcpStream, reader: &mut Reader, sent: &mut u64) -> Result<Step, Loss> {
    let slices = reader.slices(WRITE_BYTES_MAX).map_err(Loss::Gone)?;
    if slices.is_empty() {
        return Ok(Step::Idle);
    }
    let Some(count) = settle(|| socket.write_vectored(&slices))? else { return Ok(Step::Full) };
    reader.advance(count);
    *sent += count as u64;
    Ok(Step::Wrote)
}
