//! A large stream as it was at one moment (`types::frozen`).
//!
//! Made by `Stream::freeze`. Always: its nodes are shared with the stream, which changes copies of them; counters and groups are
//! encoded at once, for what is pending is little beside the entries.

use triomphe::Arc;

use crate::codec::listpack::Listpack;
use crate::codec::lzf;
use crate::codec::rdb::encode::write_length;
use crate::types::stream::id::StreamId;
use crate::types::stream::rdb::{encode_node, encode_rest};
use crate::types::stream::{Log, Stream};

/// The entries of a stream at one moment, and the rest of it.
pub struct Frozen {
    nodes: std::vec::IntoIter<(StreamId, Arc<Listpack>)>,
    has_begun: bool,
    rest: Vec<u8>,
}

impl Frozen {
    pub(super) fn new(stream: &Stream) -> Frozen {
        let Log { nodes, .. } = stream.log();
        let nodes: Vec<_> = nodes.iter().map(|(master, listpack)| (*master, listpack.clone())).collect();
        let mut rest = Vec::new();
        encode_rest(stream, &mut rest);
        Frozen { nodes: nodes.into_iter(), has_begun: false, rest }
    }

    /// Appends nodes until `out` has `enough` bytes, and then the rest. True when all is written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        if !std::mem::replace(&mut self.has_begun, true) {
            write_length(out, self.nodes.len() as u64);
        }
        while out.len() < enough
            && let Some((master, listpack)) = self.nodes.next()
        {
            encode_node(master, &listpack, out, compressor.as_deref_mut());
        }
        let is_done = self.nodes.len() == 0;
        if is_done {
            out.append(&mut self.rest);
        }
        is_done
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice()) + self.rest.len()
    }
}
