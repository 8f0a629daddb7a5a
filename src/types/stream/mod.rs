//! The stream type: a log of entries, each an id and fields with values, and groups of consumers who share reading it.
//!
//! ```text
//!  Stream -> Body   log      (`log`, `node`, `range`)   entries in listpacks, by id (`id`)
//!                   groups   (`group`)                  name -> last id, consumers, what is pending
//! ```
//!
//! Called by the keyspace and by the handlers of its commands; `rdb` has its form in files and DUMP. Always: eight bytes in
//! its entry; the listpacks are Redis' own, so that they travel as they are; a stream without entries still exists.

mod frozen;
pub mod group;
pub mod id;
pub mod log;
mod node;
pub mod range;
pub mod rdb;

pub use group::{Consumer, Group, Nack, Name};
pub use id::{IdText, StreamId, WantedId};
pub use log::{Keep, Limits, Log, Refusal, Trim};
pub use node::Pairs;
pub use range::{Entry, Range};

use std::collections::{BTreeMap, btree_map};

use crate::base::digest::Digest;
use crate::codec::lzf;
use crate::codec::rdb::{Dialect, value_type};
use crate::types::frozen::LEN_MIN;
use crate::types::{Collection, Encoding, Frozen, Kind, Value};

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream(Box<Body>);

const _: () = assert!(size_of::<Stream>() == 8);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Body {
    log: Log,
    groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    pub fn new() -> Stream {
        Stream::default()
    }

    pub fn log(&self) -> &Log {
        &self.0.log
    }

    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.0.log
    }

    /// In the order of names, as bytes.
    pub fn groups(&self) -> btree_map::Iter<'_, Box<[u8]>, Group> {
        self.0.groups.iter()
    }

    pub fn group_count(&self) -> usize {
        self.0.groups.len()
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// A group to be changed, beside the entries that it refers to.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<(&Log, &mut Group)> {
        let Body { log, groups } = &mut *self.0;
        Some((log, groups.get_mut(name)?))
    }

    /// Makes a group; false if there is one of this name.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        if self.0.groups.contains_key(name) {
            return false;
        }
        self.0.groups.insert(Box::from(name), group);
        true
    }

    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        self.0.groups.remove(name).is_some()
    }
}

impl Collection for Stream {
    const KIND: Kind = Kind::Stream;
    const MAY_BE_EMPTY: bool = true;

    fn len(&self) -> usize {
        self.0.log.len() as usize
    }

    fn encoding(&self) -> Encoding {
        Encoding::Stream
    }

    fn heap_bytes(&self) -> usize {
        let groups = self.groups().map(|(name, group)| name.len() + size_of::<Group>() + group.heap_bytes());
        size_of::<Body>() + self.0.log.heap_bytes() + groups.sum::<usize>()
    }

    fn rdb_type(&self) -> u8 {
        value_type::STREAM_LISTPACKS_2
    }

    fn blob(&self) -> Option<&[u8]> {
        None
    }

    fn encode(&self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
        rdb::encode(self, out, compressor);
    }

    fn freeze(&mut self, _dialect: Dialect) -> Option<Frozen> {
        (self.len() >= LEN_MIN).then(|| frozen::freeze(self))
    }

    fn digest(&self, digest: &mut Digest) {
        let mut digits = itoa::Buffer::new();
        for Entry { id, pairs } in self.0.log.all() {
            digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
            for (field, value) in pairs {
                digest.mix(field.bytes(&mut digits));
                digest.mix(value.bytes(&mut digits));
            }
        }
    }
}

impl From<Stream> for Value {
    fn from(value: Stream) -> Value {
        Value::Stream(value)
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
