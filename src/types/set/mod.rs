//! The set type: its stored form.
//!
//! Called by the keyspace and by the handlers of its commands. Always: at most `types::HELD_BYTES` in its entry.
//! Nothing makes one yet: its encodings, its commands and its RDB form come together.

pub mod rdb;

use crate::base::alloc::size_class;
use crate::base::digest::Digest;
use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::{Collection, Encoding, Kind, Value};

/// A set.
#[derive(Clone, Debug, Default)]
pub struct Set(pub Box<Vec<Vec<u8>>>);

impl Collection for Set {
    const KIND: Kind = Kind::Set;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn encoding(&self) -> Encoding {
        Encoding::Hashtable
    }

    fn heap_bytes(&self) -> usize {
        self.0.iter().map(|element| size_class(element.len())).sum()
    }

    fn rdb_type(&self) -> u8 {
        2
    }

    fn blob(&self) -> Option<&[u8]> {
        None
    }

    fn encode(&self, out: &mut Vec<u8>, mut compressor: Option<&mut lzf::Compressor>) {
        write_length(out, self.0.len() as u64);
        self.0.iter().for_each(|element| write_string(out, element, compressor.as_deref_mut()));
    }

    fn digest(&self, digest: &mut Digest) {
        self.0.iter().for_each(|element| digest.mix(element));
    }
}

impl From<Set> for Value {
    fn from(value: Set) -> Value {
        Value::Set(value)
    }
}
