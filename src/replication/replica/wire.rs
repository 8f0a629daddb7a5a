//! Wire: one connection to a primary, as something that can be read in lines, in bytes or in batches.
//!
//! ```text
//!   socket --read--> input: | consumed | buffered | room |        output --flush--> socket
//! ```
//!
//! Owned by the link's thread for the life of a connection. The socket is non-blocking; whoever needs bytes waits in
//! `wait`, which every stop, cut and timeout ends. Always: nothing here holds a lock or a place at the barrier while it waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::replication::replica::control::{Control, SOCKET};

/// Bytes that one read may take. More would let the first command of a read wait for the last.
const READ_BYTES: usize = 256 * 1024;
/// The input buffer gives memory back above this, once it is empty.
const KEPT_INPUT_BYTES: usize = 1024 * 1024;
/// A line of the handshake that is longer is no handshake.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// So much may wait for a primary that does not read; acknowledgements beyond are left out.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// Why a connection ended, or was never made.
#[derive(Debug)]
pub enum Lost {
    /// This link is not wanted any more.
    Unwanted,
    /// CLIENT KILL.
    Cut,
    /// The primary closed it.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// The primary sent a line without an end.
    EndlessLine,
    Io(io::Error),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lost::Unwanted => f.write_str("replication was stopped"),
            Lost::Cut => f.write_str("the connection was killed"),
            Lost::Closed => f.write_str("connection lost"),
            Lost::Silent => f.write_str("timeout"),
            Lost::EndlessLine => f.write_str("a line has no end"),
            Lost::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        Lost::Io(error)
    }
}

/// Waits until `until`, or for an event. The caller looks at its socket afterwards: an event may be of no use to it.
pub fn wait(poll: &mut Poll, control: &Control, until: Instant) -> Result<(), Lost> {
    // All events are for one socket and one waker.
    let mut events = Events::with_capacity(4);
    match poll.poll(&mut events, Some(until.saturating_duration_since(Instant::now()))) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(error) => return Err(Lost::Io(error)),
    }
    if !control.is_wanted() {
        return Err(Lost::Unwanted);
    }
    if control.take_cut() {
        return Err(Lost::Cut);
    }
    Ok(())
}

/// One connection.
pub struct Wire<'l> {
    poll: &'l mut Poll,
    control: &'l Control,
    socket: TcpStream,
    input: Vec<u8>,
    /// `input[start..end]` is buffered.
    start: usize,
    end: usize,
    output: Vec<u8>,
    /// When the last byte came.
    pub last_io: Instant,
}

impl<'l> Wire<'l> {
    /// A connection over a socket that `connect_any` made.
    pub fn new(poll: &'l mut Poll, control: &'l Control, socket: TcpStream) -> Wire<'l> {
        let last_io = Instant::now();
        Wire { poll, control, socket, input: Vec::new(), start: 0, end: 0, output: Vec::new(), last_io }
    }

    /// Connects to the first address that answers, within `patience` for each, from one of our addresses `from` if one
    /// fits.
    ///
    /// # Errors
    /// Of the last one: nobody listens there, or nobody answered in time.
    pub fn connect_any(
        poll: &mut Poll,
        control: &Control,
        addresses: &[SocketAddr],
        from: &[IpAddr],
        patience: Duration,
    ) -> Result<TcpStream, Lost> {
        let mut last = Lost::Io(io::Error::new(ErrorKind::NotFound, "the name has no address"));
        for address in addresses {
            match connect(poll, control, *address, from, patience) {
                Ok(socket) => return Ok(socket),
                Err(Lost::Unwanted) => return Err(Lost::Unwanted),
                Err(lost) => last = lost,
            }
        }
        Err(last)
    }

    pub fn peer_address(&self) -> String {
        self.socket.peer_addr().map_or_else(|_| "?:0".to_owned(), |address| address.to_string())
    }

    pub fn local_address(&self) -> String {
        self.socket.local_addr().map_or_else(|_| "?:0".to_owned(), |address| address.to_string())
    }

    pub fn fd(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Sends `bytes` as far as the socket takes them; the rest follows while the link waits for something.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.output.extend_from_slice(bytes);
        self.flush()
    }

    /// As `send`, for what may be left out: a primary that does not read gets no more of it.
    pub fn send_if_room(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        if self.output.len() + bytes.len() <= OUTPUT_BYTES_MAX { self.send(bytes) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Lost> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Io(error)),
            }
        }
        Ok(())
    }

    /// Waits for an event, at most until `until`.
    pub fn wait(&mut self, until: Instant) -> Result<(), Lost> {
        self.flush()?;
        wait(self.poll, self.control, until)?;
        self.flush()
    }

    /// What has come and was not consumed.
    pub fn buffered(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.input.len() > KEPT_INPUT_BYTES {
                self.input = Vec::new();
            }
        }
    }

    /// Puts bytes back in front of everything else.
    pub fn give_back(&mut self, bytes: &[u8]) {
        let rest = self.buffered().to_vec();
        self.input = [bytes, &rest].concat();
        (self.start, self.end) = (0, self.input.len());
    }

    /// Reads what is there into the buffer: how many bytes, 0 if there are none for now.
    pub fn read(&mut self) -> Result<usize, Lost> {
        self.make_room();
        let count = read_now(&mut self.socket, &mut self.input[self.end..])?;
        self.end += count;
        self.note(count);
        Ok(count)
    }

    /// Reads what is there past the buffer, which must be empty.
    fn read_into(&mut self, into: &mut [u8]) -> Result<usize, Lost> {
        debug_assert!(self.buffered().is_empty());
        let count = read_now(&mut self.socket, into)?;
        self.note(count);
        Ok(count)
    }

    fn note(&mut self, count: usize) {
        if count > 0 {
            self.last_io = Instant::now();
            self.control.bytes_read.fetch_add(count as u64, Relaxed);
        }
    }

    /// Room for a good read behind what is buffered. The buffer doubles only when it is full, so it follows what came.
    fn make_room(&mut self) {
        if self.input.len() - self.end >= READ_BYTES / 4 {
            return;
        }
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.input.len() - self.end < READ_BYTES / 4 {
            let len = (self.input.len() * 2).max(READ_BYTES);
            self.input.resize(len, 0);
        }
    }

    /// Blocks until there is something to take, at most `patience` after the last byte: then how many bytes are in `into`.
    pub fn read_blocking(
        &mut self,
        into: &mut [u8],
        patience: Duration,
        mut each_turn: impl FnMut(&mut Self) -> Result<(), Lost>,
    ) -> Result<usize, Lost> {
        loop {
            each_turn(self)?;
            let buffered = self.buffered();
            if !buffered.is_empty() {
                let count = buffered.len().min(into.len());
                into[..count].copy_from_slice(&buffered[..count]);
                self.consume(count);
                return Ok(count);
            }
            let count = self.read_into(into)?;
            if count > 0 {
                return Ok(count);
            }
            self.wait_for_byte(patience)?;
        }
    }

    /// Waits for an event, at most a second, so that the caller can do what is due each second.
    fn wait_for_byte(&mut self, patience: Duration) -> Result<(), Lost> {
        let deadline = self.last_io + patience;
        if Instant::now() >= deadline {
            return Err(Lost::Silent);
        }
        self.wait(deadline.min(Instant::now() + Duration::from_secs(1)))
    }

    /// The next line without its end, at most `patience` after the last byte.
    pub fn line(&mut self, patience: Duration) -> Result<Vec<u8>, Lost> {
        let mut searched = 0;
        loop {
            let buffered = self.buffered();
            if let Some(found) = memchr::memchr(b'\n', &buffered[searched..]) {
                let end = searched + found;
                let line = buffered[..end].strip_suffix(b"\r").unwrap_or(&buffered[..end]).to_vec();
                self.consume(end + 1);
                return Ok(line);
            }
            searched = buffered.len();
            if searched > LINE_BYTES_MAX {
                return Err(Lost::EndlessLine);
            }
            if self.read()? == 0 {
                self.wait_for_byte(patience)?;
            }
        }
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        // Closing the socket would do it too.
        let _ = self.poll.registry().deregister(&mut self.socket);
        self.control.set_peer(None);
    }
}

/// Begins to connect from the first of our addresses that can be bound; none if there is no such, as Redis goes on without.
fn begin_from(address: SocketAddr, from: &[IpAddr]) -> Option<TcpStream> {
    let begin = |source: &IpAddr| -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(*source, 0).into())?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    };
    let mut fitting = from.iter().filter(|source| source.is_ipv4() == address.is_ipv4());
    fitting.find_map(|source| {
        begin(source).inspect_err(|error| log::warn!("Can't connect from {source}: {error}")).ok()
    })
}

fn connect(
    poll: &mut Poll,
    control: &Control,
    address: SocketAddr,
    from: &[IpAddr],
    patience: Duration,
) -> Result<TcpStream, Lost> {
    let mut socket = match begin_from(address, from) {
        Some(socket) => socket,
        None => TcpStream::connect(address)?,
    };
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
    let until = Instant::now() + patience;
    loop {
        wait(poll, control, until)?;
        if let Some(error) = socket.take_error()? {
            return Err(Lost::Io(error));
        }
        match socket.peer_addr() {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            Err(error) => return Err(Lost::Io(error)),
        }
        if Instant::now() >= until {
            return Err(Lost::Silent);
        }
    }
    // Acknowledgements are small and must not wait for each other.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// 0 if there is nothing for now.
fn read_now(socket: &mut TcpStream, into: &mut [u8]) -> Result<usize, Lost> {
    loop {
        return match socket.read(into) {
            Ok(0) => Err(Lost::Closed),
            Ok(count) => Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(Lost::Io(error)),
        };
    }
}
