//! Replies of either protocol, and what it means that two of them agree.
//!
//! Read from a raw socket, so that nothing is lost: kinds, nulls, the order of elements. Used by `pair`.
//! Always: `Exact` is equality of every byte; the other comparisons are for what chance, time or a table's order decide.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::encode;

/// Longest wait for a reply.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Milliseconds, or seconds, by which times may differ.
const SLACK: i64 = 3000;

/// One reply with all that the wire says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Kind and text: `+ - : _ , # (`
    Line(u8, Vec<u8>),
    /// Kind and bytes: `$ =`; null if none.
    Bulk(u8, Option<Vec<u8>>),
    /// Kind and elements: `* ~ % >`; null if none. A map's pairs are flat.
    Many(u8, Option<Vec<Value>>),
}

/// When two replies agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    Exact,
    /// The elements in any order.
    Unordered,
    /// Pairs of elements in any order.
    Pairs,
    /// `[cursor, elements]` with the elements in any order; both are done.
    Scan,
    /// As `Scan`, the elements being pairs.
    ScanPairs,
    /// Of the same kind, with as many elements.
    Shape,
    /// Numbers that are close: times.
    Near,
}

pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        Connection { reader: BufReader::new(stream) }
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<()> {
        self.reader.get_mut().write_all(&encode(words))
    }

    pub fn run<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Value> {
        self.send(words)?;
        self.read()
    }

    /// A command given as words apart by blanks.
    pub fn line(&mut self, line: &str) -> Value {
        self.run(&line.split(' ').collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    pub fn read(&mut self) -> io::Result<Value> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if line.len() < 3 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (kind, rest) = (line[0], &line[1..line.len() - 2]);
        let count = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        Ok(match kind {
            b'$' | b'=' if count() < 0 => Value::Bulk(kind, None),
            b'$' | b'=' => {
                let mut bytes = vec![0; count() as usize + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Value::Bulk(kind, Some(bytes))
            }
            b'*' | b'~' | b'>' | b'%' if count() < 0 => Value::Many(kind, None),
            b'*' | b'~' | b'>' | b'%' => {
                let elements = count() * if kind == b'%' { 2 } else { 1 };
                let elements = (0..elements).map(|_| self.read()).collect::<io::Result<_>>()?;
                Value::Many(kind, Some(elements))
            }
            _ => Value::Line(kind, rest.to_vec()),
        })
    }
}

impl Value {
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Line(b'-', _))
    }

    /// Kind of reply and, of an error, its text: what tells kinds of findings apart.
    pub fn class(&self) -> String {
        match self {
            Value::Line(b'-', text) => format!("-{}", String::from_utf8_lossy(text)),
            Value::Line(kind, _) | Value::Bulk(kind, _) | Value::Many(kind, _) => {
                char::from(*kind).to_string()
            }
        }
    }

    /// The bytes of a bulk or simple string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bulk(_, Some(bytes)) | Value::Line(b'+', bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Is it an array or a set without elements?
    pub fn is_empty(&self) -> bool {
        self.elements().is_some_and(<[Value]>::is_empty)
    }

    /// Is one of the elements a null?
    pub fn has_null(&self) -> bool {
        let is_null = |value: &Value| match value {
            Value::Line(kind, _) => *kind == b'_',
            Value::Bulk(_, bytes) => bytes.is_none(),
            Value::Many(_, elements) => elements.is_none(),
        };
        self.elements().is_some_and(|elements| elements.iter().any(is_null))
    }

    fn number(&self) -> Option<i64> {
        match self {
            Value::Line(b':', text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    fn elements(&self) -> Option<&[Value]> {
        match self {
            Value::Many(_, Some(elements)) => Some(elements),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Line(kind, _) | Value::Bulk(kind, _) | Value::Many(kind, _) => *kind,
        }
    }
}

fn sorted(elements: &[Value], step: usize) -> Vec<Vec<Value>> {
    let mut groups: Vec<Vec<Value>> = elements.chunks(step).map(<[Value]>::to_vec).collect();
    groups.sort();
    groups
}

fn same_elements(ours: &Value, theirs: &Value, step: usize) -> bool {
    match (ours.elements(), theirs.elements()) {
        (Some(a), Some(b)) => ours.kind() == theirs.kind() && sorted(a, step) == sorted(b, step),
        _ => ours == theirs,
    }
}

fn same_scan(ours: &Value, theirs: &Value, step: usize) -> bool {
    match (ours.elements(), theirs.elements()) {
        (Some([cursor, a]), Some([other, b])) => {
            // Without a COUNT that is large enough, each shows other parts.
            let done = |cursor: &Value| cursor.bytes() == Some(b"0");
            if done(cursor) && done(other) { same_elements(a, b, step) } else { a.kind() == b.kind() }
        }
        _ => ours == theirs,
    }
}

/// Do they agree?
pub fn agree(compare: Compare, ours: &Value, theirs: &Value) -> bool {
    match compare {
        Compare::Exact => ours == theirs,
        Compare::Unordered => same_elements(ours, theirs, 1),
        // A map's pairs are flat as well.
        Compare::Pairs => same_elements(ours, theirs, 2),
        Compare::Scan => same_scan(ours, theirs, 1),
        Compare::ScanPairs => same_scan(ours, theirs, 2),
        Compare::Shape => match (ours.elements(), theirs.elements()) {
            (Some(a), Some(b)) => ours.kind() == theirs.kind() && a.len() == b.len(),
            _ if ours.is_error() || theirs.is_error() => ours == theirs,
            _ => ours.kind() == theirs.kind(),
        },
        Compare::Near => match (ours.number(), theirs.number()) {
            (Some(a), Some(b)) => a == b || (a >= 0 && b >= 0 && a.abs_diff(b) <= SLACK as u64),
            _ => ours == theirs,
        },
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        match self {
            Value::Line(kind, bytes) => write!(f, "{}{}", char::from(*kind), text(bytes)),
            Value::Bulk(b'$', Some(bytes)) => write!(f, "\"{}\"", text(bytes)),
            Value::Bulk(kind, Some(bytes)) => write!(f, "{}\"{}\"", char::from(*kind), text(bytes)),
            Value::Bulk(..) => write!(f, "$-1"),
            Value::Many(kind, Some(elements)) => {
                write!(f, "{}", char::from(*kind))?;
                f.debug_list().entries(elements).finish()
            }
            Value::Many(kind, None) => write!(f, "{}-1", char::from(*kind)),
        }
    }
}
