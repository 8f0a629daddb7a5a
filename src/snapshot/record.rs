//! A record: one key with its deadline and value, in the form that it has in an RDB.
//!
//! ```text
//!  writer, under the shard's lock:   Entry --encode_entry--> bytes of a pre-image (never compressed: it must be quick)
//!  walker, under the shard's lock:   Entry --Slice::copy---> plain copies of a few hundred entries
//!  either, of a large collection:    Entry --Large::of-----> its pointers (`types::frozen`)
//!  walker, without any lock:         Slice::encode, Large::encode -> bytes of a chunk (compressed if so configured)
//! ```
//!
//! Called by `pre_images` and `walker`. Always: both ways give the same record but for compression; compressing, the
//! slow part, never happens under a lock.

use crate::base::ids::UnixMs;
use crate::codec::lzf;
use crate::codec::rdb::Dialect;
use crate::codec::rdb::encode::{
    write_expire_ms, write_frequency, write_idle_seconds, write_integer, write_string,
};
use crate::each_collection;
use crate::keyspace::entry::Entry;
use crate::keyspace::eviction::{Note, Usage};
use crate::types::{Collection, Frozen, Str, rdb};

/// What a record has at most before its value, but for the key.
const HEAD_BYTES: usize = 32;

/// Appends an entry as it is now, uncompressed.
pub fn encode_entry(out: &mut Vec<u8>, entry: &Entry, dialect: Dialect, usage: Usage) {
    let value = entry.value();
    write_before(out, entry.deadline(), usage.note(entry.clock()));
    write_head(out, rdb::type_of(value, dialect), entry.key(), None);
    rdb::encode(out, value, dialect, None);
}

/// A large collection that was frozen under its shard's lock, and is encoded part by part without it.
pub struct Large {
    /// The record up to its value.
    head: Vec<u8>,
    value: Frozen,
}

impl Large {
    /// `None`: the entry's value is not so large that it pays.
    pub fn of(entry: &mut Entry, dialect: Dialect, usage: Usage) -> Option<Large> {
        let value = entry.freeze(dialect)?;
        let kind = rdb::type_of(entry.value(), dialect);
        let mut head = Vec::with_capacity(entry.key().len() + HEAD_BYTES);
        write_before(&mut head, entry.deadline(), usage.note(entry.clock()));
        write_head(&mut head, kind, entry.key(), None);
        Some(Large { head, value })
    }

    /// Bytes that it takes until it is encoded.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.value.bytes()
    }

    /// Appends its next part, about `bytes` of it. True when that was the last.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        bytes: usize,
        compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        out.append(&mut self.head);
        self.value.encode(out, bytes, compressor)
    }
}

/// What stands before a record, in Redis' order.
#[inline]
fn write_before(out: &mut Vec<u8>, deadline: Option<UnixMs>, note: Option<Note>) {
    if let Some(deadline) = deadline {
        write_expire_ms(out, deadline.0);
    }
    match note {
        Some(Note::Idle(seconds)) => write_idle_seconds(out, u64::from(seconds)),
        Some(Note::Frequency(counter)) => write_frequency(out, counter),
        None => {}
    }
}

/// What stands before a value.
#[inline]
fn write_head(out: &mut Vec<u8>, kind: u8, key: &[u8], compressor: Option<&mut lzf::Compressor>) {
    out.push(kind);
    write_string(out, key, compressor);
}

/// What a record's value is, and how many bytes of it stand behind the key.
#[derive(Clone, Copy)]
enum Value {
    Int(i64),
    /// One string.
    Blob(usize),
    /// Already in the form that it has in an RDB.
    Encoded(usize),
}

#[derive(Clone, Copy)]
struct Raw {
    deadline: Option<UnixMs>,
    note: Option<Note>,
    /// The value's type byte.
    kind: u8,
    key_len: usize,
    value: Value,
}

/// Plain copies of entries, back to back.
#[derive(Default)]
pub struct Slice {
    /// Key, then value, of one record after the other.
    bytes: Vec<u8>,
    records: Vec<Raw>,
    large: Vec<Large>,
    large_bytes: usize,
}

impl Slice {
    pub fn copy(&mut self, entry: &mut Entry, dialect: Dialect, usage: Usage) {
        if let Some(large) = Large::of(entry, dialect, usage) {
            self.large_bytes += large.bytes();
            return self.large.push(large);
        }
        let key = entry.key();
        self.bytes.extend_from_slice(key);
        let value = entry.value();
        let kind = rdb::type_of(value, dialect);
        let value = each_collection!(value,
        string => match string {
            Str::Int(number) => Value::Int(number),
            Str::Bytes(bytes) => self.blob(bytes),
        },
        collection => match collection.blob() {
            Some(bytes) => self.blob(bytes),
            None => {
                let before = self.bytes.len();
                collection.encode_in(dialect, &mut self.bytes, None);
                Value::Encoded(self.bytes.len() - before)
            }
        });
        let note = usage.note(entry.clock());
        self.records.push(Raw { deadline: entry.deadline(), note, kind, key_len: key.len(), value });
    }

    fn blob(&mut self, bytes: &[u8]) -> Value {
        self.bytes.extend_from_slice(bytes);
        Value::Blob(bytes.len())
    }

    pub fn len(&self) -> usize {
        self.records.len() + self.large.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that were copied.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.large_bytes
    }

    /// Hands over the large collections among the entries.
    pub fn take_large(&mut self) -> Vec<Large> {
        self.large_bytes = 0;
        std::mem::take(&mut self.large)
    }

    /// Gives each record but the large ones in RDB form to `sink`, which appends it where it wants by calling what it is given.
    pub fn encode<E>(
        &self,
        mut compressor: Option<&mut lzf::Compressor>,
        mut sink: impl FnMut(&mut dyn FnMut(&mut Vec<u8>)) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = self.bytes.as_slice();
        for raw in &self.records {
            let (key, behind) = rest.split_at(raw.key_len);
            let value_len = match raw.value {
                Value::Int(_) => 0,
                Value::Blob(len) | Value::Encoded(len) => len,
            };
            let (bytes, next) = behind.split_at(value_len);
            sink(&mut |out| {
                write_before(out, raw.deadline, raw.note);
                write_head(out, raw.kind, key, compressor.as_deref_mut());
                match raw.value {
                    Value::Int(number) => write_integer(out, number),
                    Value::Blob(_) => write_string(out, bytes, compressor.as_deref_mut()),
                    Value::Encoded(_) => out.extend_from_slice(bytes),
                }
            })?;
            rest = next;
        }
        Ok(())
    }

    /// Empties it, keeping memory for slices of the usual size.
    pub fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep_bytes);
        self.records.clear();
    }
}
