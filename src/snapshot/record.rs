//! A record: one key with its deadline and value, in the form that it has in an RDB.
//!
//! ```text
//!  writer, under the shard's lock:   Entry --encode_entry--> bytes of a pre-image (never compressed: it must be quick)
//!  walker, under the shard's lock:   Entry --Slice::copy---> plain copies of a few hundred entries
//!  walker, without any lock:         Slice::encode --------> bytes of a chunk (compressed if so configured)
//! ```
//!
//! Called by `pre_images` and `walker`. Always: both ways give the same record but for compression; compressing, the
//! slow part, never happens under a lock.

use crate::base::ids::UnixMs;
use crate::codec::lzf;
use crate::codec::rdb::encode::{write_expire_ms, write_integer, write_string};
use crate::codec::rdb::value_type;
use crate::keyspace::entry::Entry;
use crate::types::{Kind, Str};

/// Appends an entry as it is now, uncompressed.
pub fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    write_string_record(out, entry.deadline(), entry.key(), string_of(entry), None);
}

fn string_of(entry: &Entry) -> Str<'_> {
    match entry.kind() {
        Kind::String => entry.as_str().expect("an entry of kind string holds a string"),
    }
}

fn write_string_record(
    out: &mut Vec<u8>,
    deadline: Option<UnixMs>,
    key: &[u8],
    value: Str<'_>,
    mut compressor: Option<&mut lzf::Compressor>,
) {
    if let Some(deadline) = deadline {
        write_expire_ms(out, deadline.0);
    }
    out.push(value_type::STRING);
    write_string(out, key, compressor.as_deref_mut());
    match value {
        Str::Int(number) => write_integer(out, number),
        Str::Bytes(bytes) => write_string(out, bytes, compressor),
    }
}

/// Where a record's value is.
#[derive(Clone, Copy)]
enum Value {
    Int(i64),
    /// So many bytes behind the key.
    Bytes(usize),
}

#[derive(Clone, Copy)]
struct Raw {
    deadline: Option<UnixMs>,
    key_len: usize,
    value: Value,
}

/// Plain copies of entries, back to back.
#[derive(Default)]
pub struct Slice {
    /// Key, then value, of one record after the other.
    bytes: Vec<u8>,
    records: Vec<Raw>,
}

impl Slice {
    pub fn copy(&mut self, entry: &Entry) {
        let key = entry.key();
        self.bytes.extend_from_slice(key);
        let value = match string_of(entry) {
            Str::Int(number) => Value::Int(number),
            Str::Bytes(bytes) => {
                self.bytes.extend_from_slice(bytes);
                Value::Bytes(bytes.len())
            }
        };
        self.records.push(Raw { deadline: entry.deadline(), key_len: key.len(), value });
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes that were copied.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Gives each record in RDB form to `sink`, which appends it where it wants by calling what it is given.
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
                Value::Bytes(len) => len,
            };
            let (bytes, next) = behind.split_at(value_len);
            let value = match raw.value {
                Value::Int(number) => Str::Int(number),
                Value::Bytes(_) => Str::Bytes(bytes),
            };
            sink(&mut |out| write_string_record(out, raw.deadline, key, value, compressor.as_deref_mut()))?;
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
