//! A setting between its text and its field: the untyped `Value` that rows pass around, and the traits that
//! turn a field of [`Config`](super::Config) into one and back.
//!
//! `kind.rs` makes values from text and text from values; rows move them in and out of fields. A value that
//! has left `kind.rs` has passed its checks.
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// One checked setting. Two values of one row are equal exactly if the server would behave the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    /// Wide enough for both i64 and u64 fields.
    Int(i128),
    /// A share of `maxmemory`, 0 to 100.
    Percent(u8),
    /// A word of the row's closed set, in the row's spelling.
    Word(&'static str),
    /// Words of the row's closed set, in the row's order.
    Words(Vec<&'static str>),
    /// Text, paths, secrets. Empty also stands for "not set".
    Bytes(Vec<u8>),
    Addresses(Vec<String>),
    Integers(Vec<i64>),
    Percentiles(Vec<f64>),
    Save(Vec<SavePoint>),
    Limits(OutputLimits),
    Primary(Option<PrimaryAddress>),
}

/// Save a snapshot once `seconds` have passed and at least `changes` keys were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

/// A size, or a share of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrShare {
    Bytes(u64),
    /// 0 to 100.
    Percent(u8),
}

/// How much a client may leave unread before it is cut off. A limit of 0 means "no limit".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Cut off at once above this.
    pub hard_bytes: u64,
    /// Cut off after `soft_seconds` spent above this.
    pub soft_bytes: u64,
    pub soft_seconds: u64,
}

/// The three classes of clients that `client-output-buffer-limit` tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

/// Where the primary of a replica listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    pub host: String,
    pub port: u16,
}

/// A type that a field of `Config` may have.
pub(super) trait Setting: Sized {
    fn to_value(&self) -> Value;
    /// None if the value is of another sort, or does not fit: then the row's kind contradicts its field.
    fn from_value(value: Value) -> Option<Self>;
}

impl Setting for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bool(it) = value { Some(it) } else { None }
    }
}

macro_rules! integer_settings {
    ($($int:ty)+) => {$(
        impl Setting for $int {
            fn to_value(&self) -> Value {
                Value::Int(*self as i128)
            }

            fn from_value(value: Value) -> Option<Self> {
                if let Value::Int(it) = value { it.try_into().ok() } else { None }
            }
        }
    )+};
}
integer_settings!(u16 u32 u64 usize i32 i64);

impl Default for MemoryOrShare {
    fn default() -> Self {
        MemoryOrShare::Bytes(0)
    }
}

impl Setting for MemoryOrShare {
    fn to_value(&self) -> Value {
        match self {
            MemoryOrShare::Bytes(bytes) => Value::Int((*bytes).into()),
            MemoryOrShare::Percent(share) => Value::Percent(*share),
        }
    }

    fn from_value(value: Value) -> Option<Self> {
        if let Value::Percent(share) = value {
            return Some(MemoryOrShare::Percent(share));
        }
        u64::from_value(value).map(MemoryOrShare::Bytes)
    }
}

/// Fields whose text form is plain bytes; `Option` of one is `None` when the bytes are empty.
pub(super) trait Text: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

impl Text for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

impl Text for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok()
    }
}

impl Text for PathBuf {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_os_str().as_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(OsString::from_vec(bytes).into())
    }
}

macro_rules! text_settings {
    ($($text:ty)+) => {$(
        impl Setting for $text {
            fn to_value(&self) -> Value {
                Value::Bytes(self.to_bytes())
            }

            fn from_value(value: Value) -> Option<Self> {
                if let Value::Bytes(it) = value { Self::from_bytes(it) } else { None }
            }
        }
    )+};
}
text_settings!(String PathBuf);

impl<T: Text> Setting for Option<T> {
    fn to_value(&self) -> Value {
        Value::Bytes(self.as_ref().map(Text::to_bytes).unwrap_or_default())
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Bytes(bytes) = value else { return None };
        if bytes.is_empty() { Some(None) } else { T::from_bytes(bytes).map(Some) }
    }
}

/// Fields that are stored as they travel.
macro_rules! carried_settings {
    ($($field:ty => $variant:ident,)+) => {$(
        impl Setting for $field {
            fn to_value(&self) -> Value {
                Value::$variant(self.clone())
            }

            fn from_value(value: Value) -> Option<Self> {
                if let Value::$variant(it) = value { Some(it) } else { None }
            }
        }
    )+};
}
carried_settings! {
    Vec<String> => Addresses,
    Vec<SavePoint> => Save,
    Vec<f64> => Percentiles,
    OutputLimits => Limits,
    Option<PrimaryAddress> => Primary,
}
