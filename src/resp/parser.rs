//! The request parser: turns whatever bytes have arrived into a batch of commands, and remembers where it stopped.
//!
//! The event loop calls it after every read, the replica link for its primary's stream. `buf` always starts at the first byte
//! that no complete command has used; after a call the caller drops `consumed` bytes and later calls again with more behind
//! the rest:
//!
//!     call 1   [cmd][cmd][half a co        consumed = two commands; position inside the third is kept, relative to its start
//!     call 2             [half a command][cmd]
//!
//! Always: no byte is looked at more than twice however small the pieces are, memory grows with the bytes that came and never
//! with what a header claims, and arbitrary bytes give commands or a [`ProtocolError`].

use super::batch::{Arg, Batch, Command};
use super::inline;
use super::limits::{Limits, ProtocolError, UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_MAX};

/// Above this the arguments' memory of an interrupted command is given back when the command is complete.
const KEPT_PENDING_ARGS_MAX: usize = 1024;

/// What one call found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of complete commands (and of empty lines and empty arrays around them): drop them before the next call.
    pub consumed: usize,
    /// How many bytes the argument being received lacks at least; 0 when that is not known. A hint for buffers, bounded only
    /// by `proto-max-bulk-len`: reserve as bytes come, not at once.
    pub wanted: usize,
    /// Set when the connection cannot be read further. The commands in the batch came before the error.
    pub error: Option<ProtocolError>,
}

/// The parsing state of one connection.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments that the interrupted command still lacks; 0 at a command boundary.
    args_left: i64,
    /// Where to go on, in bytes from the start of the interrupted command.
    at: usize,
    /// Length of the argument that starts at `at`, when its header has been read.
    bulk_len: Option<usize>,
    /// Bytes from `at` on that were already searched for the line's end.
    scanned: usize,
    /// The interrupted command's arguments so far, relative to its start.
    args: Vec<Arg>,
}

/// Outcome of looking for one element at the present position.
enum Step {
    /// The request ends before this position; it may have had no arguments.
    Complete(usize),
    /// The bytes end first; so many more are needed at least, 0 if unknown.
    More(usize),
    Error(ProtocolError),
}

impl Parser {
    /// A parser at a command boundary.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Has the last call stopped after the beginning of a command? (A lone NUL or the first byte of an inline request do not
    /// count: nothing is kept for them.)
    pub fn is_inside_command(&self) -> bool {
        self.args_left > 0 || self.scanned > 0
    }

    /// Appends the commands of `buf` to `batch` until it holds `max_commands` or the bytes end. An unauthenticated connection
    /// gets one command per call. After an error the parser must not be used again.
    pub fn parse(&mut self, buf: &[u8], limits: &Limits, batch: &mut Batch, max_commands: usize) -> Progress {
        let max_commands =
            if limits.authenticated { max_commands } else { max_commands.min(batch.len() + 1) };
        let mut progress = Progress::default();
        while progress.consumed < buf.len() && batch.commands.len() < max_commands {
            let start = progress.consumed;
            let inside = self.is_inside_command();
            if !inside && let Some(end) = whole_command(buf, start, limits, batch) {
                progress.consumed = end;
                continue;
            }
            let step = match buf[start] {
                b'*' => self.multibulk(&buf[start..], start, limits, batch),
                _ => self.inline(&buf[start..], start, limits, batch),
            };
            match step {
                Step::Complete(len) => {
                    self.restart();
                    progress.consumed = start + len;
                }
                Step::More(wanted) => {
                    progress.wanted = wanted;
                    return progress;
                }
                Step::Error(error) => {
                    progress.error = Some(error);
                    return progress;
                }
            }
        }
        progress
    }

    /// Forgets the command that was interrupted: the next call starts at a command boundary. For a caller that did not use all
    /// commands of the last batch and parses the rest again later.
    pub fn restart(&mut self) {
        self.args_left = 0;
        self.at = 0;
        self.bulk_len = None;
        self.scanned = 0;
        self.args.clear();
        if self.args.capacity() > KEPT_PENDING_ARGS_MAX {
            self.args = Vec::new();
        }
    }

    /// Goes on with the array at the start of `bytes`, which is at `start` of the caller's buffer. Every rare case ends here:
    /// interruptions, empty arrays, long numbers, errors.
    #[cold]
    fn multibulk(&mut self, bytes: &[u8], start: usize, limits: &Limits, batch: &mut Batch) -> Step {
        if self.args_left == 0 {
            let Some(line) = self.line(bytes) else {
                return self.more_of_line(bytes, limits, ProtocolError::TooBigMultibulkCount);
            };
            match checked_count(line, limits) {
                Err(error) => return Step::Error(error),
                Ok(count) if count <= 0 => return Step::Complete(line.len() + 2),
                Ok(count) => self.args_left = count,
            }
            self.pass_line(line.len());
        }
        while self.args_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => {
                    let Some(line) = self.line(bytes) else {
                        return self.more_of_line(bytes, limits, ProtocolError::TooBigBulkCount);
                    };
                    match checked_bulk_len(line, limits) {
                        Err(error) => return Step::Error(error),
                        Ok(len) => {
                            self.pass_line(line.len());
                            self.bulk_len = Some(len);
                            len
                        }
                    }
                }
            };
            let missing = (len + 2).saturating_sub(bytes.len() - self.at);
            if missing > 0 {
                return Step::More(missing);
            }
            self.args.push(Arg { start: self.at, len });
            self.at += len + 2;
            self.bulk_len = None;
            self.args_left -= 1;
        }
        let command = Command {
            first_arg: batch.args.len() as u32,
            argc: self.args.len() as u32,
            start,
            end: start + self.at,
            inline: false,
        };
        batch.args.extend(self.args.iter().map(|arg| Arg { start: arg.start + start, len: arg.len }));
        batch.commands.push(command);
        Step::Complete(self.at)
    }

    /// The line at `at` without its end, if it and the byte after its CR (which nobody checks, as in Redis) have arrived.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let rest = &bytes[self.at..];
        match memchr::memchr(b'\r', &rest[self.scanned..]) {
            Some(found) if self.scanned + found + 1 < rest.len() => Some(&rest[..self.scanned + found]),
            Some(found) => {
                self.scanned += found;
                None
            }
            None => {
                self.scanned = rest.len();
                None
            }
        }
    }

    fn pass_line(&mut self, len: usize) {
        self.at += len + 2;
        self.scanned = 0;
    }

    /// The line at `at` has no end yet: wait, unless `too_long` already.
    fn more_of_line(&self, bytes: &[u8], limits: &Limits, too_long: ProtocolError) -> Step {
        let searched_all = self.at + self.scanned == bytes.len();
        if searched_all && self.scanned > limits.max_inline { Step::Error(too_long) } else { Step::More(0) }
    }

    /// A line of words. As in Redis a NUL byte hides the line's end, so that binary rubbish runs into the limit and closes the
    /// connection in place of being taken for commands.
    #[cold]
    fn inline(&mut self, bytes: &[u8], start: usize, limits: &Limits, batch: &mut Batch) -> Step {
        let end = match memchr::memchr2(b'\n', 0, &bytes[self.scanned..]) {
            Some(found) if bytes[self.scanned + found] == b'\n' => self.scanned + found,
            Some(found) => {
                self.scanned += found;
                return self.more_of_inline(bytes, limits);
            }
            None => {
                self.scanned = bytes.len();
                return self.more_of_inline(bytes, limits);
            }
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let first_arg = batch.args.len() as u32;
        match inline::split(line, &mut batch.args, &mut batch.inline_bytes) {
            Err(error) => Step::Error(error),
            Ok(0) => Step::Complete(end + 1),
            Ok(argc) => {
                let argc = argc as u32;
                batch.commands.push(Command { first_arg, argc, start, end: start + end + 1, inline: true });
                Step::Complete(end + 1)
            }
        }
    }

    fn more_of_inline(&self, bytes: &[u8], limits: &Limits) -> Step {
        if bytes.len() > limits.max_inline { Step::Error(ProtocolError::TooBigInline) } else { Step::More(0) }
    }
}

/// The common case, at the cost of a few comparisons: an array of bulks that is entirely in the buffer, with short numbers.
/// Anything else leaves the batch unchanged and is `None`; the careful path then looks again.
#[inline]
fn whole_command(buf: &[u8], start: usize, limits: &Limits, batch: &mut Batch) -> Option<usize> {
    let (count, mut at) = short_number(buf, start, b'*')?;
    if count == 0 || count > limits.max_args as usize || !limits.authenticated {
        return None;
    }
    let first_arg = batch.args.len();
    for _ in 0..count {
        match whole_bulk(buf, at, limits) {
            Some(arg) => {
                batch.args.push(arg);
                at = arg.start + arg.len + 2;
            }
            None => {
                batch.args.truncate(first_arg);
                return None;
            }
        }
    }
    batch.commands.push(Command {
        first_arg: first_arg as u32,
        argc: count as u32,
        start,
        end: at,
        inline: false,
    });
    Some(at)
}

#[inline]
fn whole_bulk(buf: &[u8], at: usize, limits: &Limits) -> Option<Arg> {
    let (len, start) = short_number(buf, at, b'$')?;
    let fits = len as u64 <= limits.max_bulk && len + 2 <= buf.len() - start;
    fits.then_some(Arg { start, len })
}

/// Reads `kind`, a number of one to eight digits without a leading zero, and CRLF. Returns the number and the position behind.
/// One or two digits, nearly always, are looked at in one word: `$16\r\n...` is 0x..0A_0D_36_31_24, least byte first.
#[inline(always)]
fn short_number(buf: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let Some((word, _)) = buf.get(at..).and_then(<[u8]>::split_first_chunk::<8>) else {
        return careful_number(buf, at, kind);
    };
    let word = u64::from_le_bytes(*word);
    let digit = |index: u32| ((word >> (8 * index)) as u8).wrapping_sub(b'0');
    let is_end = |index: u32| (word >> (8 * index)) as u8 == b'\r';
    if word as u8 != kind || digit(1) > 9 {
        return None;
    }
    if is_end(2) {
        return Some((digit(1) as usize, at + 4));
    }
    if is_end(3) && digit(2) <= 9 && digit(1) != 0 {
        return Some((digit(1) as usize * 10 + digit(2) as usize, at + 5));
    }
    careful_number(buf, at, kind)
}

/// As [`short_number`], byte by byte: longer numbers, and the last bytes of the buffer.
fn careful_number(buf: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let (first, line) = buf.get(at..)?.split_first()?;
    let mut value = 0;
    for (index, byte) in line.iter().take(9).enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + (byte - b'0') as usize,
            b'\r' => {
                let is_plain = index == 1 || (index > 1 && line[0] != b'0');
                let is_whole = index + 1 < line.len();
                return (*first == kind && is_plain && is_whole).then_some((value, at + index + 3));
            }
            _ => return None,
        }
    }
    None
}

fn checked_count(line: &[u8], limits: &Limits) -> Result<i64, ProtocolError> {
    let count = strict_number(&line[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?;
    if count > limits.max_args {
        Err(ProtocolError::InvalidMultibulkLength)
    } else if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
        Err(ProtocolError::UnauthenticatedMultibulkLength)
    } else {
        Ok(count)
    }
}

fn checked_bulk_len(line: &[u8], limits: &Limits) -> Result<usize, ProtocolError> {
    let digits = match line {
        [b'$', digits @ ..] => digits,
        [other, ..] => return Err(ProtocolError::ExpectedDollar(*other)),
        [] => return Err(ProtocolError::ExpectedDollar(b'\r')),
    };
    // The sum of a position and a length must not wrap, whatever proto-max-bulk-len says.
    let len = strict_number(digits)
        .and_then(|len| u64::try_from(len).ok())
        .filter(|len| *len <= limits.max_bulk.min(i64::MAX as u64 / 2))
        .ok_or(ProtocolError::InvalidBulkLength)?;
    if len > UNAUTHENTICATED_BULK_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength);
    }
    Ok(len as usize)
}

/// A decimal number as Redis' `string2ll` reads it: an optional minus, no plus, no leading zero, no blanks, 64 bits.
fn strict_number(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => {}
        _ => return None,
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
