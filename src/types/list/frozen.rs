//! A long list as it was at one moment (`types::frozen`).
//!
//! Made by `List::freeze`. Always: its nodes are shared with the list, which changes copies of them.

use crate::codec::lzf;
use crate::codec::rdb::encode::write_length;
use crate::types::list::node::SharedNode;
use crate::types::list::quicklist::Quicklist;
use crate::types::list::rdb::encode_node;

/// The nodes of a list at one moment.
pub struct Frozen {
    nodes: std::vec::IntoIter<SharedNode>,
    has_begun: bool,
}

impl Frozen {
    pub(super) fn new(list: &Quicklist) -> Frozen {
        let nodes: Vec<SharedNode> = list.nodes.iter().cloned().collect();
        Frozen { nodes: nodes.into_iter(), has_begun: false }
    }

    /// Appends nodes until `out` has `enough` bytes. True when all are written.
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
            && let Some(node) = self.nodes.next()
        {
            encode_node(&node, out, compressor.as_deref_mut());
        }
        self.nodes.len() == 0
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice())
    }
}
