//! What a key can hold, apart from any key, client or deadline.
//!
//! A short string lives inside its entry's block (`keyspace::entry`); everything that does not fit there, or that is
//! changed in place, is a boxed `Value`. Called by the keyspace, which owns the boxes, and by the command handlers.
//! Always: a `Value` knows how large it is and how to be read, and nothing about where it is stored.

pub mod string;

pub use string::Str;

/// The kinds of value that clients can tell apart with `TYPE`. The numbers are stored in entry headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    String = 0,
}

impl Kind {
    /// The word that `TYPE` answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }
}

/// A value too large, or too mutable, to be embedded in its entry's block.
#[derive(Debug)]
pub enum Value {
    /// A string that grows in place (APPEND, SETRANGE) or that is larger than the embedding limit.
    Bytes(Vec<u8>),
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::Bytes(_) => Kind::String,
        }
    }
}
