//! What a key can hold, apart from any key, client or deadline.
//!
//! ```text
//!  String        types::Str, embedded in its entry's block, or `Value::Bytes` where it is large or changed in place
//!  collections   one folder each: its stored form of one word (`word`), its encodings, its `rdb.rs`
//! ```
//!
//! Called by the keyspace, which keeps values inside its entries, by the command handlers, which change them, and by
//! snapshot and RDB, which write and read them. Always: a value knows how large it is and how to be read and written, and
//! nothing about where it is stored.

pub mod bitmap;
pub mod dense;
pub mod encoding;
pub mod frozen;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod index;
pub mod list;
pub mod rdb;
pub mod scan;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod word;

pub use encoding::Encoding;
pub use frozen::Frozen;
pub use hash::Hash;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use string::Str;

use crate::base::digest::Digest;
use crate::base::ids::UnixMs;
use crate::codec::lzf;
use crate::codec::rdb::Dialect;

/// The kinds of value that clients can tell apart with `TYPE`. The numbers are stored in entry headers, and are those
/// that Redis folds into digests, except for `Stream`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    String = 0,
    List = 1,
    Set = 2,
    SortedSet = 3,
    Hash = 4,
    Stream = 5,
}

impl Kind {
    /// The word that `TYPE` answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
        }
    }

    /// The number under which `DEBUG DIGEST` of Redis knows the kind.
    pub fn digest_number(self) -> u32 {
        match self {
            Kind::Stream => 6,
            Kind::String | Kind::List | Kind::Set | Kind::SortedSet | Kind::Hash => u32::from(self as u8),
        }
    }

    /// Can a client wait for keys of this kind (BLPOP, BZPOPMIN, XREAD)?
    pub fn can_be_waited_for(self) -> bool {
        match self {
            Kind::List | Kind::SortedSet | Kind::Stream => true,
            Kind::String | Kind::Set | Kind::Hash => false,
        }
    }
}

/// The most that a collection's stored form may take in its entry; the rest of it is on the heap.
pub const HELD_BYTES: usize = 8;

/// A value of many elements, in the form in which it lies inside its key's entry.
pub trait Collection: Clone + Sized + Send + Into<Value> {
    const KIND: Kind;

    /// Checked where entries are built: a stored form must fit, with the entry's alignment.
    const FITS: () = assert!(size_of::<Self>() <= HELD_BYTES && align_of::<Self>() <= 8);

    /// Is there an empty stream? Every other empty collection is deleted with its last element.
    const MAY_BE_EMPTY: bool = false;

    /// Number of elements: of a hash, its fields; of a stream, its entries.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No element has to be taken out for its own deadline before this; `None` if none has one. A lower bound.
    #[inline]
    fn next_due(&self) -> Option<UnixMs> {
        None
    }

    /// What `OBJECT ENCODING` answers.
    fn encoding(&self) -> Encoding;

    /// Bytes of heap that it asked the allocator for, each block in its size class (`base::alloc::size_class`).
    fn heap_bytes(&self) -> usize;

    /// The type byte that stands before the value in an RDB of the version that we write.
    fn rdb_type(&self) -> u8;

    /// As `rdb_type`, in a dialect that may have another form for such a value.
    #[inline]
    fn rdb_type_in(&self, dialect: Dialect) -> u8 {
        match dialect {
            Dialect::Common | Dialect::Redis12 | Dialect::Valkey80 => self.rdb_type(),
        }
    }

    /// As `encode`, behind the type byte of `rdb_type_in`.
    #[inline]
    fn encode_in(&self, dialect: Dialect, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
        match dialect {
            Dialect::Common | Dialect::Redis12 | Dialect::Valkey80 => self.encode(out, compressor),
        }
    }

    /// The bytes, if the value in an RDB is one string of exactly these: a listpack, an intset. They can then be copied
    /// under the shard's lock and compressed outside of it.
    fn blob(&self) -> Option<&[u8]>;

    /// Appends the value as it stands behind its type byte in an RDB. Strings are compressed if a compressor is given.
    fn encode(&self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>);

    /// The value as it is now, to be encoded later without the shard's lock, in the form of `rdb_type_in`. `None`: it is of a form,
    /// or so small, that it is encoded at once.
    #[inline]
    fn freeze(&mut self, _dialect: Dialect) -> Option<Frozen> {
        None
    }

    /// Folds the elements in as Redis does for `DEBUG DIGEST`.
    fn digest(&self, digest: &mut Digest);
}

/// An owned value, on its way into an entry.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string that is an integer in decimal.
    Int(i64),
    /// Any other string.
    Bytes(Vec<u8>),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
    Hash(Hash),
    Stream(Stream),
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Value::Int(_) | Value::Bytes(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::SortedSet(_) => Kind::SortedSet,
            Value::Hash(_) => Kind::Hash,
            Value::Stream(_) => Kind::Stream,
        }
    }
}

impl Value {
    /// A collection without elements, of a type that does not exist so.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Value::Int(_) | Value::Bytes(_) | Value::Stream(_) => false,
            Value::List(value) => value.is_empty(),
            Value::Set(value) => value.is_empty(),
            Value::SortedSet(value) => value.is_empty(),
            Value::Hash(value) => value.is_empty(),
        }
    }
}

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    Str(Str<'a>),
    List(&'a List),
    Set(&'a Set),
    SortedSet(&'a SortedSet),
    Hash(&'a Hash),
    Stream(&'a Stream),
}

/// Runs the same expression on whichever collection a `ValueRef` is; strings have an arm of their own.
#[macro_export]
macro_rules! each_collection {
    ($value:expr, $string:ident => $on_string:expr, $collection:ident => $on_collection:expr) => {
        match $value {
            $crate::types::ValueRef::Str($string) => $on_string,
            $crate::types::ValueRef::List($collection) => $on_collection,
            $crate::types::ValueRef::Set($collection) => $on_collection,
            $crate::types::ValueRef::SortedSet($collection) => $on_collection,
            $crate::types::ValueRef::Hash($collection) => $on_collection,
            $crate::types::ValueRef::Stream($collection) => $on_collection,
        }
    };
}
