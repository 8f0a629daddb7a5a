//! Failure: a client's mistake, as the error reply that it gets.
//!
//! Handlers return it with `?`; the dispatcher writes it as the command's only reply and counts it.
//! Always: the text is Redis' own where Redis has one, and a handler that fails has changed nothing.

use std::borrow::Cow;

use crate::keyspace::space::WrongType;

/// An error reply: its text with the code in front, without the leading minus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(pub Cow<'static, str>);

impl From<WrongType> for Failure {
    fn from(_: WrongType) -> Failure {
        Failure::WRONG_TYPE
    }
}

impl Failure {
    pub const SYNTAX: Failure = Failure::text("ERR syntax error");
    pub const NOT_AN_INTEGER: Failure = Failure::text("ERR value is not an integer or out of range");
    pub const NOT_A_FLOAT: Failure = Failure::text("ERR value is not a valid float");
    pub const WRONG_TYPE: Failure =
        Failure::text("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NO_SUCH_KEY: Failure = Failure::text("ERR no such key");
    pub const DB_OUT_OF_RANGE: Failure = Failure::text("ERR DB index is out of range");
    pub const OUT_OF_RANGE: Failure = Failure::text("ERR value is out of range");
    pub const BEYOND_32_BITS: Failure =
        Failure::text("ERR value is out of range, value must between -2147483648 and 2147483647");
    pub const OVERFLOW: Failure = Failure::text("ERR increment or decrement would overflow");
    pub const SAME_OBJECT: Failure = Failure::text("ERR source and destination objects are the same");
    pub const OFFSET_OUT_OF_RANGE: Failure = Failure::text("ERR offset is out of range");
    pub const TOO_LONG: Failure =
        Failure::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    pub const LOADING: Failure = Failure::text("LOADING Redis is loading the dataset in memory");

    /// A fixed text.
    pub const fn text(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text))
    }

    /// A text made up for the occasion, such as one that quotes the request.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(Cow::Owned(text.into()))
    }

    pub fn wrong_arity(full_name: &str) -> Failure {
        Failure::new(format!("ERR wrong number of arguments for '{full_name}' command"))
    }

    pub fn invalid_expire(command: &str) -> Failure {
        Failure::new(format!("ERR invalid expire time in '{command}' command"))
    }
}
