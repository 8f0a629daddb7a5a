//! A large stream as it was at one moment (`types::frozen`).
//!
//! Made by `Stream::freeze`. Always: its nodes are shared with the stream, which changes copies of them; counters and groups are
//! encoded at once, for what is pending is little beside the entries.

use crate::codec::listpack::Listpack;
use crate::codec::lzf;
use crate::codec::rdb::encode::write_length;
use crate::types::frozen::{Frozen, Parts, Shared};
use crate::types::stream::id::StreamId;
use crate::types::stream::rdb::{encode_node, encode_rest};
use crate::types::stream::{Log, Stream};

/// The entries of a stream at one moment, less those that have been written, and what stands behind them.
struct Nodes {
    nodes: std::vec::IntoIter<(StreamId, Shared<Listpack>)>,
    rest: Vec<u8>,
}

pub(super) fn freeze(stream: &Stream) -> Frozen {
    let Log { nodes, .. } = stream.log();
    let nodes: Vec<_> = nodes.iter().map(|(master, listpack)| (*master, listpack.clone())).collect();
    let mut rest = Vec::new();
    encode_rest(stream, &mut rest);
    let bytes = size_of_val(nodes.as_slice()) + rest.len();
    Frozen::new(Nodes { nodes: nodes.into_iter(), rest }, bytes)
}

impl Parts for Nodes {
    fn write_head(&mut self, out: &mut Vec<u8>) {
        write_length(out, self.nodes.len() as u64);
    }

    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool {
        let Some((master, listpack)) = self.nodes.next() else {
            out.append(&mut self.rest);
            return false;
        };
        encode_node(master, &listpack, out, compressor);
        true
    }
}
