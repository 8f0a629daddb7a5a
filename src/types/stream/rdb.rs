//! The stream type in an RDB and in DUMP: which bytes stand for one.
//!
//! ```text
//!  nodes     count, then each: master id (a string of 16 bytes) | listpack (a string)
//!  log       length | last id | first id* | highest deleted id* | entries added*
//!  groups    count, then each: name | last id | entries read* |
//!              pending    count, then each: id (16 bytes) | delivered at (8) | deliveries
//!              consumers  count, then each: name | seen at (8) | active at (8)** |
//!                           count, then each: id (16 bytes), one of the pending ones
//! ```
//!
//! Lengths and ids are RDB lengths where nothing else is said. Type 15 lacks what has a star, 15 and 19 what has two.
//! `encode` writes 19, for RDB version 10; `decode` is called by `types::rdb`. Always: what is decoded satisfies what `log` and
//! `group` promise, whatever the bytes were; nothing is allocated ahead of the bytes that justify it.

use std::collections::BTreeMap;

use crate::codec::listpack::Listpack;
use crate::codec::lzf;
use crate::codec::rdb::decode::{read_bytes, read_length, read_ms};
use crate::codec::rdb::encode::{write_length, write_string};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{RdbError, value_type};
use crate::config::Config;
use crate::types::Stream;
use crate::types::stream::group::{Group, Name};
use crate::types::stream::id::StreamId;
use crate::types::stream::log::Log;
use crate::types::stream::node;

/// What stands for a count of entries read that is not known: Redis' -1.
const UNKNOWN: u64 = u64::MAX;

/// Appends the value behind its type byte.
pub fn encode(stream: &Stream, out: &mut Vec<u8>, mut compressor: Option<&mut lzf::Compressor>) {
    let log = stream.log();
    write_length(out, log.nodes.len() as u64);
    for (master, listpack) in &log.nodes {
        encode_node(*master, listpack, out, compressor.as_deref_mut());
    }
    encode_rest(stream, out);
}

pub(super) fn encode_node(
    master: StreamId,
    listpack: &Listpack,
    out: &mut Vec<u8>,
    compressor: Option<&mut lzf::Compressor>,
) {
    write_string(out, &master.to_bytes(), None);
    write_string(out, listpack.as_bytes(), compressor);
}

/// What stands behind the nodes.
pub(super) fn encode_rest(stream: &Stream, out: &mut Vec<u8>) {
    let log = stream.log();
    write_length(out, log.len);
    write_id(out, log.last_id);
    write_id(out, log.first_id);
    write_id(out, log.max_deleted_id);
    write_length(out, log.entries_added);
    write_length(out, stream.group_count() as u64);
    for (name, group) in stream.groups() {
        write_string(out, name, None);
        encode_group(group, out);
    }
}

fn encode_group(group: &Group, out: &mut Vec<u8>) {
    write_id(out, group.last_id);
    write_length(out, group.entries_read.unwrap_or(UNKNOWN));
    write_length(out, group.pending().len() as u64);
    for (id, nack) in group.pending() {
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&nack.delivered_at.to_le_bytes());
        write_length(out, nack.deliveries);
    }
    write_length(out, group.consumer_count() as u64);
    for (name, consumer) in group.consumers() {
        write_string(out, name, None);
        out.extend_from_slice(&consumer.seen_at.to_le_bytes());
        write_length(out, consumer.pending().len() as u64);
        consumer.pending().iter().for_each(|id| out.extend_from_slice(&id.to_bytes()));
    }
}

fn write_id(out: &mut Vec<u8>, id: StreamId) {
    write_length(out, id.ms);
    write_length(out, id.seq);
}

/// Reads the value behind `value_type`.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded (26, of Redis 8.6).
pub fn decode(source: &mut impl Source, value_type: u8, _config: &Config) -> Result<Stream, RdbError> {
    let version = match value_type {
        value_type::STREAM_LISTPACKS => 1,
        value_type::STREAM_LISTPACKS_2 => 2,
        value_type::STREAM_LISTPACKS_3 => 3,
        other => return Err(RdbError::UnknownType(other)),
    };
    let mut stream = Stream::new();
    *stream.log_mut() = decode_log(source, version)?;
    for _ in 0..read_length(source)? {
        let name = read_bytes(source)?;
        let group = decode_group(source, version, stream.log())?;
        if !stream.create_group(&name, group) {
            return Err(RdbError::Corrupt("a stream has two groups of one name"));
        }
    }
    Ok(stream)
}

fn decode_log(source: &mut impl Source, version: u8) -> Result<Log, RdbError> {
    let mut log = Log::default();
    let (mut live, mut newest) = (0, None);
    for _ in 0..read_length(source)? {
        let (master, listpack, count) = decode_node(source, &mut newest, &mut log.first_id)?;
        live += count;
        // Redis may keep a node whose entries are all deleted; there is nothing in it.
        if count > 0 && log.nodes.insert(master, listpack.into()).is_some() {
            return Err(RdbError::Corrupt("a stream has two nodes of one id"));
        }
    }
    log.len = read_length(source)?;
    if log.len != live {
        return Err(RdbError::Corrupt("a stream has another length than its nodes"));
    }
    log.last_id = read_id(source)?;
    if newest.is_some_and(|newest| newest > log.last_id) {
        return Err(RdbError::Corrupt("a stream has an entry above its last id"));
    }
    log.entries_added = log.len;
    if version >= 2 {
        // The entries themselves say which one is the first.
        read_id(source)?;
        log.max_deleted_id = read_id(source)?;
        log.entries_added = read_length(source)?;
    }
    if log.entries_added < log.len {
        return Err(RdbError::Corrupt("a stream has had fewer entries than it has"));
    }
    Ok(log)
}

/// One node. `newest` is the newest live entry so far, `first` becomes the first one's id.
fn decode_node(
    source: &mut impl Source,
    newest: &mut Option<StreamId>,
    first: &mut StreamId,
) -> Result<(StreamId, Listpack, u64), RdbError> {
    let master: [u8; 16] = read_bytes(source)?
        .try_into()
        .map_err(|_| RdbError::Corrupt("a stream's node has a key that is no id"))?;
    let master = StreamId::from_bytes(master);
    let listpack = Listpack::from_bytes(&read_bytes(source)?)
        .map_err(|_| RdbError::Corrupt("a stream's node is no listpack"))?;
    // The map finds the node of an id by its master id, so what came before must be below it.
    if newest.is_some_and(|newest| master <= newest) {
        return Err(RdbError::Corrupt("the nodes of a stream are out of order"));
    }
    let count = node::check(&listpack, master, |id| {
        if id == StreamId::MIN || id < master || newest.is_some_and(|newest| id <= newest) {
            return Err("the entries of a stream are out of order");
        }
        if newest.is_none() {
            *first = id;
        }
        *newest = Some(id);
        Ok(())
    });
    count.map(|count| (master, listpack, count)).map_err(RdbError::Corrupt)
}

fn decode_group(source: &mut impl Source, version: u8, log: &Log) -> Result<Group, RdbError> {
    let last_id = read_id(source)?;
    let entries_read = match version {
        1 => log.count_up_to(last_id),
        _ => Some(read_length(source)?).filter(|count| *count != UNKNOWN),
    };
    let mut group = Group::new(last_id, entries_read);
    let mut unowned = BTreeMap::new();
    for _ in 0..read_length(source)? {
        let id = StreamId::from_bytes(source.read_array()?);
        if unowned.insert(id, (read_ms(source)?, read_length(source)?)).is_some() {
            return Err(RdbError::Corrupt("an entry is pending twice in a stream's group"));
        }
    }
    for _ in 0..read_length(source)? {
        decode_consumer(source, version, &mut group, &mut unowned)?;
    }
    if !unowned.is_empty() {
        return Err(RdbError::Corrupt("an entry is pending for none of a stream's consumers"));
    }
    Ok(group)
}

/// One consumer: takes what is pending for it out of `unowned`, so that no other can have it.
fn decode_consumer(
    source: &mut impl Source,
    version: u8,
    group: &mut Group,
    unowned: &mut BTreeMap<StreamId, (i64, u64)>,
) -> Result<(), RdbError> {
    let name = Name::from(read_bytes(source)?);
    let seen_at = read_ms(source)?;
    let active_at = if version >= 3 { read_ms(source)? } else { seen_at };
    if !group.create_consumer(&name, seen_at) {
        return Err(RdbError::Corrupt("a stream's group has two consumers of one name"));
    }
    let name = group.shared_name(&name).expect("just created");
    group.consumer_mut(&name).expect("just created").active_at = active_at;
    for _ in 0..read_length(source)? {
        let id = StreamId::from_bytes(source.read_array()?);
        let (delivered_at, deliveries) = unowned
            .remove(&id)
            .ok_or(RdbError::Corrupt("an entry is pending for a consumer and not for its group, or twice"))?;
        group.assign(id, &name, delivered_at, deliveries);
    }
    Ok(())
}

fn read_id(source: &mut impl Source) -> Result<StreamId, RdbError> {
    Ok(StreamId { ms: read_length(source)?, seq: read_length(source)? })
}
