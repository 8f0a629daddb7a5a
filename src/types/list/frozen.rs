//! A long list as it was at one moment (`types::frozen`).
//!
//! Made by `List::freeze`. Always: its nodes are shared with the list, which changes copies of them.

use crate::codec::lzf;
use crate::codec::rdb::encode::write_length;
use crate::types::frozen::{Frozen, Parts};
use crate::types::list::node::SharedNode;
use crate::types::list::quicklist::Quicklist;
use crate::types::list::rdb::encode_node;

/// The nodes of a list at one moment, less those that have been written.
struct Nodes(std::vec::IntoIter<SharedNode>);

pub(super) fn freeze(list: &Quicklist) -> Frozen {
    let nodes: Vec<SharedNode> = list.nodes.iter().cloned().collect();
    let bytes = size_of_val(nodes.as_slice());
    Frozen::new(Nodes(nodes.into_iter()), bytes)
}

impl Parts for Nodes {
    fn write_head(&mut self, out: &mut Vec<u8>) {
        write_length(out, self.0.len() as u64);
    }

    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool {
        let node = self.0.next();
        node.inspect(|node| encode_node(node, out, compressor)).is_some()
    }
}
