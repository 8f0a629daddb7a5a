//! A small blocking RESP2 client that hides nothing: what was sent is what the test wrote, what came back is a `Reply`.
//!
//! Used by every scenario for one command at a time and by `traffic` for pipelines. Any failure of the connection panics, which is the
//! right thing in a test; `try_command` is for connections that are expected to break.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest time a single reply may take: full syncs and slow machines fit in, a hung server does not.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// One RESP2 reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a simple string, an error or a bulk; an empty string for nil.
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(text) | Reply::Error(text) => text.clone(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Reply::Int(number) => number.to_string(),
            Reply::Nil => String::new(),
            Reply::Array(items) => items.iter().map(Reply::text).collect::<Vec<_>>().join(" "),
        }
    }

    /// The number of an integer reply; panics on any other.
    pub fn int(&self) -> i64 {
        match self {
            Reply::Int(number) => *number,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// The bytes of a bulk reply; panics on any other.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bulk(bytes) => bytes,
            other => panic!("expected a bulk string, got {other:?}"),
        }
    }
}

/// A connection to one server.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Client { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Runs a command given as words, e.g. `run("SET key value")`.
    pub fn run(&mut self, line: &str) -> Reply {
        self.command(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command whose arguments may hold any bytes.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        self.try_command(arguments).unwrap_or_else(|error| panic!("{}: {error}", printable(arguments)))
    }

    /// Runs a command and asserts that it is not answered by an error.
    pub fn ok(&mut self, line: &str) -> Reply {
        match self.run(line) {
            Reply::Error(text) => panic!("{line}: {text}"),
            reply => reply,
        }
    }

    /// Like `command`, with the connection's failure as a value.
    pub fn try_command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        self.send(&encode(arguments))?;
        self.read_reply()
    }

    /// Sends raw bytes, RESP or not.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads one reply of any depth.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let line = self.read_line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| bad("an empty line"))?;
        let number = || rest.parse::<i64>().map_err(|_| bad(&line));
        Ok(match kind {
            "+" => Reply::Simple(rest.to_string()),
            "-" => Reply::Error(rest.to_string()),
            ":" => Reply::Int(number()?),
            "$" if number()? < 0 => Reply::Nil,
            "$" => Reply::Bulk(self.read_bulk(number()? as usize)?),
            "*" if number()? < 0 => Reply::Nil,
            "*" => Reply::Array((0..number()?).map(|_| self.read_reply()).collect::<io::Result<_>>()?),
            _ => return Err(bad(&line)),
        })
    }

    /// Reads a line and drops its CRLF (or LF).
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while line.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r') {
            line.pop();
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Reads exactly `length` bytes, without a line end behind them.
    pub fn read_exact(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The socket, for tests that half-close it or change its buffers.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    fn read_bulk(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read_exact(length + 2)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// A command as RESP, ready to send.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let bytes = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn printable<A: AsRef<[u8]>>(arguments: &[A]) -> String {
    let words: Vec<_> =
        arguments.iter().map(|word| String::from_utf8_lossy(word.as_ref()).into_owned()).collect();
    words.join(" ").chars().take(200).collect()
}

fn bad(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP2: {line:?}"))
}
