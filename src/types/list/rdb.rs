//! The list type in an RDB: which bytes stand for one.
//!
//! ```text
//!  LIST_QUICKLIST_2  count of nodes, for each: 1 and the element (plain), or 2 and a listpack as a string       written
//!  LIST_QUICKLIST    count of nodes, for each: a ziplist as a string
//!  LIST_ZIPLIST      a ziplist as a string                       LIST   count, then so many strings
//! ```
//!
//! Called by `types::rdb` for the type bytes of this type. Always: any bytes give a value or an error; a list without elements,
//! which old servers could write, comes out empty, and its key is then left out.

use crate::codec::listpack::Listpack;
use crate::codec::lzf;
use crate::codec::rdb::decode::{read_bytes, read_length};
use crate::codec::rdb::encode::{write_length, write_packed, write_string};
use crate::codec::rdb::source::Source;
use crate::codec::rdb::{RdbError, value_type};
use crate::codec::ziplist;
use crate::config::Config;
use crate::types::List;
use crate::types::list::node::{Data, Node};
use crate::types::list::quicklist::Quicklist;
use crate::types::list::{End, Limits, ListForm};
use crate::types::word::Large;

/// How a node of LIST_QUICKLIST_2 holds its elements.
const CONTAINER_PLAIN: u64 = 1;
const CONTAINER_PACKED: u64 = 2;

/// Reads the value behind `value_type`.
///
/// # Errors
/// The bytes are not such a value, or of a form that cannot be loaded.
pub fn decode(source: &mut impl Source, value_type: u8, config: &Config) -> Result<List, RdbError> {
    let limits = Limits::of(config);
    let mut list = Quicklist::new(limits);
    match value_type {
        value_type::LIST => {
            for _ in 0..read_length(source)? {
                list.push(End::Tail, &read_bytes(source)?);
            }
        }
        value_type::LIST_ZIPLIST => push_ziplist(&mut list, &read_bytes(source)?)?,
        value_type::LIST_QUICKLIST => {
            for _ in 0..read_length(source)? {
                push_ziplist(&mut list, &read_bytes(source)?)?;
            }
        }
        value_type::LIST_QUICKLIST_2 => {
            for _ in 0..read_length(source)? {
                list.push_node(read_node(source)?);
            }
        }
        other => return Err(RdbError::UnknownType(other)),
    }
    list.settle_all();
    if list.len == 0 {
        return Ok(List::default());
    }
    Ok(match list.take_loaded(limits) {
        Some(single) => single.into(),
        None => Large::new(list).into(),
    })
}

fn read_node(source: &mut impl Source) -> Result<Node, RdbError> {
    let container = read_length(source)?;
    let bytes = read_bytes(source)?;
    match container {
        CONTAINER_PLAIN if bytes.is_empty() => Err(RdbError::Corrupt("a list's node is empty")),
        CONTAINER_PLAIN => Ok(Node::plain(bytes.into())),
        CONTAINER_PACKED => {
            let list = Listpack::from_bytes(&bytes).map_err(|error| RdbError::Corrupt(error.text()))?;
            Ok(Node::packed(list))
        }
        _ => Err(RdbError::Corrupt("a list's node is neither plain nor packed")),
    }
}

fn push_ziplist(list: &mut Quicklist, bytes: &[u8]) -> Result<(), RdbError> {
    let packed = ziplist::to_listpack(bytes).map_err(|error| RdbError::Corrupt(error.text()))?;
    list.push_node(Node::packed(packed));
    Ok(())
}

/// Appends the value in the form of LIST_QUICKLIST_2.
pub(super) fn encode(list: &List, out: &mut Vec<u8>, mut compressor: Option<&mut lzf::Compressor>) {
    match list.form() {
        ListForm::Listpack(single) => {
            write_length(out, 1);
            write_length(out, CONTAINER_PACKED);
            write_string(out, single.as_bytes(), compressor);
        }
        ListForm::Quicklist(list) => {
            write_length(out, list.nodes.len() as u64);
            for node in &list.nodes {
                encode_node(node, out, compressor.as_deref_mut());
            }
        }
    }
}

pub(super) fn encode_node(node: &Node, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) {
    let is_plain = match &node.data {
        Data::Packed(_) => false,
        Data::Plain(_) => true,
        Data::Compressed(compressed) => compressed.is_plain,
    };
    write_length(out, if is_plain { CONTAINER_PLAIN } else { CONTAINER_PACKED });
    match &node.data {
        Data::Packed(list) => write_string(out, list.as_bytes(), compressor),
        Data::Plain(element) => write_string(out, element, compressor),
        Data::Compressed(compressed) => write_packed(out, &compressed.bytes, compressed.raw_len),
    }
}
