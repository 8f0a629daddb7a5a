//! The reply writer: appends RESP2 or RESP3 values to one contiguous buffer, which becomes one write to the socket.
//!
//! Command handlers and the dispatcher call it; the event loop owns one per connection and drains `buf`.
//! Always: each method appends one whole value or header; headers announce the elements that the caller appends next, so the
//! buffer is well formed when the caller keeps its counts. While `suppressed` (CLIENT REPLY OFF and SKIP) nothing is appended.
//!
//! | method   | RESP2          | RESP3        |
//! |----------|----------------|--------------|
//! | `null`   | `$-1`          | `_`          |
//! | `map(n)` | `*2n`          | `%n`         |
//! | `set(n)` | `*n`           | `~n`         |
//! | `push(n)`| `*n`           | `>n`         |
//! | `double` | bulk           | `,`          |
//! | `bool`   | `:1` or `:0`   | `#t` or `#f` |
//! | `verbatim`| bulk          | `=`          |
//! | `big_number`| bulk        | `(`          |

use crate::base::double::write_double;

/// The bytes of an integer in decimal, at most 20 of them, plus a type byte and CRLF.
const HEADER_BYTES_MAX: usize = 23;

/// One connection's replies, in order, not yet written to the socket.
#[derive(Debug, Default)]
pub struct Reply {
    /// The encoded replies. Public so that the event loop can write and drain it, and tests can compare it.
    pub buf: Vec<u8>,
    resp3: bool,
    suppressed: bool,
    /// Beyond so many bytes in the buffer the connection is closed anyway; 0 is no limit.
    limit: usize,
}

/// The place where a value of yet unknown length begins: from [`Reply::begin`] to one of the `end_` methods.
/// Marks nest; the inner one ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a mark without its end leaves the elements without a header"]
pub struct Mark(usize);

impl Reply {
    /// An empty RESP2 reply; allocates nothing until the first value.
    pub fn new() -> Reply {
        Reply::default()
    }

    /// An empty reply in RESP3 if `resp3`.
    pub fn with_protocol(resp3: bool) -> Reply {
        Reply { resp3, ..Reply::default() }
    }

    /// Does this connection speak RESP3 (HELLO 3)?
    #[inline]
    pub fn resp3(&self) -> bool {
        self.resp3
    }

    /// Later values are encoded in RESP3 if `resp3`; what is already in the buffer stays as it is.
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// Are values being swallowed?
    #[inline]
    pub fn suppressed(&self) -> bool {
        self.suppressed
    }

    /// Swallows (or no longer swallows) the values to come.
    pub fn set_suppressed(&mut self, suppressed: bool) {
        self.suppressed = suppressed;
    }

    /// The length of the buffer from which on nobody will read the replies, because the connection is closed; 0 for none.
    #[inline]
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Is this longer than anybody will read? Whoever repeats values as often as a client says stops then, in the middle.
    #[inline]
    pub fn is_beyond_limit(&self) -> bool {
        self.limit > 0 && self.buf.len() > self.limit
    }

    /// Bytes in the buffer.
    #[inline]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// True if nothing waits to be written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Takes back everything after the first `len` bytes: undoes values appended since [`Reply::len`] was `len`.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string. `text` must hold no CR or LF.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.bytes().any(|b| b == b'\r' || b == b'\n'));
        self.line(b'+', text.as_bytes());
    }

    /// An error. `text` begins with the code (`ERR ...`, `WRONGTYPE ...`); CR and LF in it become spaces, as Redis does.
    #[cold]
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// As [`Reply::error`], for a text that quotes bytes of the client which need not be UTF-8.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        if self.suppressed {
            return;
        }
        let start = self.buf.len() + 1;
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.line(b'-', &text[..end]);
        let end = self.buf.len() - 2;
        for byte in &mut self.buf[start..end] {
            if matches!(*byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if self.suppressed {
            return;
        }
        self.header(b':', value);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        if self.suppressed {
            return;
        }
        self.buf.reserve(bytes.len() + HEADER_BYTES_MAX + 2);
        match bytes.len() {
            // A header of five bytes, appended as one word and cut to its length.
            len @ 10..100 => {
                let (tens, ones) = (b'0' + (len / 10) as u8, b'0' + (len % 10) as u8);
                let end = self.buf.len() + 5;
                self.buf.extend_from_slice(&[b'$', tens, ones, b'\r', b'\n', 0, 0, 0]);
                self.buf.truncate(end);
            }
            len => self.header(b'$', len as i64),
        }
        self.buf.extend_from_slice(bytes);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string: what GET answers for an int-encoded value.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// The null value.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null array, which only RESP2 tells apart from [`Reply::null`].
    #[inline]
    pub fn null_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array of `count` elements.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.aggregate(b'*', count);
    }

    /// The header of a map of `pairs` pairs: `2 * pairs` elements follow.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        self.aggregate(b'%', pairs);
    }

    /// The header of a set of `count` elements.
    #[inline]
    pub fn set(&mut self, count: usize) {
        self.aggregate(b'~', count);
    }

    /// The header of an out-of-band message of `count` elements.
    #[inline]
    pub fn push(&mut self, count: usize) {
        self.aggregate(b'>', count);
    }

    /// The header of `pairs` attribute pairs, which precede the value that they describe. Only RESP3 has them, so only a caller
    /// that checked [`Reply::resp3`] may use it.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.resp3);
        self.aggregate(b'|', pairs);
    }

    /// A double as `base::double` prints it; infinities are `inf` and `-inf`.
    pub fn double(&mut self, value: f64) {
        if self.suppressed {
            return;
        }
        let start = self.buf.len();
        if self.resp3 {
            self.buf.push(b',');
            write_double(&mut self.buf, value);
            self.buf.extend_from_slice(b"\r\n");
        } else {
            // The text goes first, because the header needs its length.
            write_double(&mut self.buf, value);
            let text_end = self.buf.len();
            self.header(b'$', (text_end - start) as i64);
            let header_len = self.buf.len() - text_end;
            self.buf[start..].rotate_right(header_len);
            self.buf.extend_from_slice(b"\r\n");
        }
    }

    /// A boolean.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.raw(match (self.resp3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// Text with a hint how to show it: `ext` is exactly three bytes, `txt` or `mkd`.
    pub fn verbatim(&mut self, ext: &str, text: &[u8]) {
        debug_assert_eq!(ext.len(), 3);
        if !self.resp3 {
            return self.bulk(text);
        }
        if self.suppressed {
            return;
        }
        self.header(b'=', (text.len() + ext.len() + 1) as i64);
        self.buf.extend_from_slice(ext.as_bytes());
        self.buf.push(b':');
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// An integer beyond 64 bits, given as its decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        if self.resp3 { self.line(b'(', digits.as_bytes()) } else { self.bulk(digits.as_bytes()) }
    }

    /// Bytes that are RESP already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        if self.suppressed {
            return;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// A push message that is encoded for RESP3 already, or a line of MONITOR. CLIENT REPLY does not silence it.
    pub fn pushed(&mut self, bytes: &[u8]) {
        let start = self.buf.len();
        self.buf.extend_from_slice(bytes);
        if !self.resp3 && bytes.first() == Some(&b'>') {
            self.buf[start] = b'*';
        }
    }

    /// Starts an aggregate whose length is known only when its elements have been appended.
    #[inline]
    pub fn begin(&mut self) -> Mark {
        Mark(self.buf.len())
    }

    /// What was appended since `mark` becomes an array of `count` elements. The elements move by the header's few bytes once.
    pub fn end_array(&mut self, mark: Mark, count: usize) {
        self.end(mark, b'*', count);
    }

    /// What was appended since `mark` becomes a map of `pairs` pairs.
    pub fn end_map(&mut self, mark: Mark, pairs: usize) {
        self.end(mark, b'%', pairs);
    }

    /// What was appended since `mark` becomes a set of `count` elements.
    pub fn end_set(&mut self, mark: Mark, count: usize) {
        self.end(mark, b'~', count);
    }

    fn end(&mut self, mark: Mark, kind: u8, count: usize) {
        if self.suppressed {
            return;
        }
        let body = self.buf.len();
        debug_assert!(mark.0 <= body, "a reply was truncated below an open mark");
        self.aggregate(kind, count);
        let header_len = self.buf.len() - body;
        self.buf[mark.0..].rotate_right(header_len);
    }

    #[inline]
    fn aggregate(&mut self, kind: u8, count: usize) {
        if self.suppressed {
            return;
        }
        match (kind, self.resp3) {
            (b'%', false) => self.header(b'*', count as i64 * 2),
            (b'~' | b'>', false) => self.header(b'*', count as i64),
            _ => self.header(kind, count as i64),
        }
    }

    /// `kind`, the number, CRLF. Numbers of one and two digits, nearly all of them, take no division loop.
    #[inline]
    fn header(&mut self, kind: u8, value: i64) {
        if (0..10).contains(&value) {
            self.buf.extend_from_slice(&[kind, b'0' + value as u8, b'\r', b'\n']);
        } else if (10..100).contains(&value) {
            let value = value as u8;
            self.buf.extend_from_slice(&[kind, b'0' + value / 10, b'0' + value % 10, b'\r', b'\n']);
        } else {
            self.long_header(kind, value);
        }
    }

    fn long_header(&mut self, kind: u8, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.line(kind, digits.format(value).as_bytes());
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        if self.suppressed {
            return;
        }
        self.buf.reserve(text.len() + 3);
        self.buf.push(kind);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `write` appends to a RESP2 and to a RESP3 reply; both must match.
    #[track_caller]
    fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
        for (is_resp3, expected) in [(false, resp2), (true, resp3)] {
            let mut reply = Reply::with_protocol(is_resp3);
            write(&mut reply);
            assert_eq!(String::from_utf8_lossy(&reply.buf), expected, "resp3: {is_resp3}");
            let mut silent = Reply::with_protocol(is_resp3);
            silent.set_suppressed(true);
            write(&mut silent);
            assert!(silent.is_empty(), "a suppressed reply appended bytes");
        }
    }

    #[test]
    fn values_that_both_protocols_share() {
        check(Reply::ok, "+OK\r\n", "+OK\r\n");
        check(|r| r.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
        check(|r| r.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
        check(|r| r.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
        check(|r| r.bulk_int(-12), "$3\r\n-12\r\n", "$3\r\n-12\r\n");
        check(|r| r.array(123), "*123\r\n", "*123\r\n");
        check(|r| r.raw(b"+X\r\n"), "+X\r\n", "+X\r\n");
    }

    #[test]
    fn integers_of_every_width() {
        for value in [0, 1, 9, 10, 42, 99, 100, -1, -10, i64::MIN, i64::MAX] {
            let expected = format!(":{value}\r\n");
            check(|r| r.int(value), &expected, &expected);
        }
    }

    #[test]
    fn values_that_differ_between_the_protocols() {
        check(Reply::null, "$-1\r\n", "_\r\n");
        check(Reply::null_array, "*-1\r\n", "_\r\n");
        check(|r| r.map(3), "*6\r\n", "%3\r\n");
        check(|r| r.set(3), "*3\r\n", "~3\r\n");
        check(|r| r.push(3), "*3\r\n", ">3\r\n");
        check(|r| r.bool(true), ":1\r\n", "#t\r\n");
        check(|r| r.bool(false), ":0\r\n", "#f\r\n");
        check(|r| r.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(|r| r.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(|r| r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(|r| r.double(3.0), "$1\r\n3\r\n", ",3\r\n");
        check(|r| r.double(1e100), "$6\r\n1e+100\r\n", ",1e+100\r\n");
        check(|r| r.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    }

    #[test]
    fn an_error_is_one_line_whatever_its_text() {
        check(|r| r.error("ERR a\r\nb\n"), "-ERR a  b\r\n", "-ERR a  b\r\n");
        check(|r| r.error_bytes(b"ERR x"), "-ERR x\r\n", "-ERR x\r\n");
    }

    #[test]
    fn deferred_lengths_nest() {
        let write = |r: &mut Reply| {
            let outer = r.begin();
            r.int(1);
            let inner = r.begin();
            r.bulk(b"k");
            r.bulk(b"v");
            r.end_map(inner, 1);
            r.end_array(outer, 2);
        };
        check(write, "*2\r\n:1\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n", "*2\r\n:1\r\n%1\r\n$1\r\nk\r\n$1\r\nv\r\n");
    }

    #[test]
    fn truncate_takes_values_back() {
        let mut reply = Reply::new();
        reply.ok();
        let len = reply.len();
        reply.int(7);
        reply.truncate(len);
        assert_eq!(reply.buf, b"+OK\r\n");
    }
}
