//! What a request may claim, and the errors for one that claims more or is not RESP at all.
//!
//! The event loop makes the limits from the configuration and the session for every parse; the parser enforces them.
//! Always: an error is final for its connection, because nobody knows where the next request would begin.

use std::fmt;

/// `proto-max-bulk-len` as Redis ships it.
pub const MAX_BULK_DEFAULT: u64 = 512 * 1024 * 1024;
/// A request header may announce this many arguments at most (Redis: `INT_MAX`). The arguments themselves must still arrive, and
/// are bounded by `client-query-buffer-limit`.
pub const MAX_ARGS_DEFAULT: i64 = i32::MAX as i64;
/// The longest line without its end: an inline request, or a length that never ends. (Redis: 64 KiB.)
pub const MAX_INLINE_DEFAULT: usize = 64 * 1024;
/// What a connection that must authenticate first may send in one request: enough for AUTH and HELLO.
pub const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
/// The longest argument of a connection that must authenticate first, in bytes.
pub const UNAUTHENTICATED_BULK_MAX: u64 = 16 * 1024;

/// The limits of one connection at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `proto-max-bulk-len`, in bytes. A replica's link passes `u64::MAX`: what a primary accepted is not refused later.
    pub max_bulk: u64,
    /// The most arguments that one request may announce.
    pub max_args: i64,
    /// The longest line, in bytes.
    pub max_inline: usize,
    /// False until the client has given the password that the configuration asks for. Requests are then parsed one at a time,
    /// so that what follows a successful AUTH in the same pipeline is judged by the full limits.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_bulk: MAX_BULK_DEFAULT,
            max_args: MAX_ARGS_DEFAULT,
            max_inline: MAX_INLINE_DEFAULT,
            authenticated: true,
        }
    }
}

/// Why the bytes of a connection cannot be read any further. The texts are Redis'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// `*` is followed by no number, or by one above the limit.
    InvalidMultibulkLength,
    /// More than [`UNAUTHENTICATED_ARGS_MAX`] arguments before authentication.
    UnauthenticatedMultibulkLength,
    /// An argument begins with this byte in place of `$`.
    ExpectedDollar(u8),
    /// `$` is followed by no number, a negative one or one above `proto-max-bulk-len`.
    InvalidBulkLength,
    /// An argument longer than [`UNAUTHENTICATED_BULK_MAX`] before authentication.
    UnauthenticatedBulkLength,
    /// The line after `*` does not end.
    TooBigMultibulkCount,
    /// The line after `$` does not end.
    TooBigBulkCount,
    /// An inline request does not end.
    TooBigInline,
    /// An inline request ends inside quotes, or has text right after a closing quote.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The text of the error reply, code first, as bytes because it may quote one that is not UTF-8.
    pub fn reply(self) -> Vec<u8> {
        match self {
            ProtocolError::ExpectedDollar(got) => {
                [b"ERR Protocol error: expected '$', got '".as_slice(), &[got], b"'"].concat()
            }
            other => format!("ERR Protocol error: {other}").into_bytes(),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::ExpectedDollar(got) => {
                return write!(f, "expected '$', got '{}'", got.escape_ascii());
            }
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
            ProtocolError::TooBigMultibulkCount => "too big mbulk count string",
            ProtocolError::TooBigBulkCount => "too big bulk count string",
            ProtocolError::TooBigInline => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
        };
        f.write_str(text)
    }
}
