//! A large sorted set as it was at one moment (`types::frozen`).
//!
//! Made by `SortedSet::freeze`. Always: the leaves, with the scores, are shared with the tree, which changes copies of them; the view
//! keeps the members' blocks, of which only the bytes are read.

use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::frozen::{AHEAD, Frozen, Parts, View};
use crate::types::sorted_set::member::Owned;
use crate::types::sorted_set::ranked::Ranked;
use crate::types::sorted_set::tree::SharedLeaf;

/// The members of a sorted set at one moment.
struct Leaves {
    /// Ascending; those that have been written are gone.
    leaves: Vec<SharedLeaf>,
    /// Members in all.
    len: usize,
    /// Members of the last leaf that are still to be written.
    left: usize,
    _view: View<Owned>,
}

// SAFETY: holders of leaves are counted atomically, and a leaf is changed only while it has one. The members' blocks are alive, for the
// view keeps them, and nobody writes to the part of them that is read here.
unsafe impl Send for Leaves {}

pub(super) fn freeze(ranked: &mut Ranked) -> Frozen {
    let len = ranked.len();
    let (leaves, view) = ranked.freeze();
    let bytes = size_of_val(leaves.as_slice());
    let mut leaves = Leaves { leaves, len, left: 0, _view: view };
    leaves.open_last();
    Frozen::new(leaves, bytes)
}

impl Leaves {
    fn open_last(&mut self) {
        self.left = self.leaves.last().map_or(0, |leaf| leaf.len());
    }
}

impl Parts for Leaves {
    fn write_head(&mut self, out: &mut Vec<u8>) {
        write_length(out, self.len as u64);
    }

    /// From the highest score down.
    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool {
        let Some(leaf) = self.leaves.last() else { return false };
        self.left -= 1;
        match self.left.checked_sub(AHEAD) {
            Some(later) => leaf.get(later).1.prefetch(),
            None => self.prefetch_in_next(),
        }
        let (score, member) = leaf.get(self.left);
        // SAFETY: the view keeps the block.
        write_string(out, unsafe { member.bytes() }, compressor);
        out.extend_from_slice(&score.to_le_bytes());
        if self.left == 0 {
            self.leaves.pop();
            self.open_last();
        }
        true
    }
}

impl Leaves {
    /// The last leaf has fewer left than are fetched ahead: one of the next leaf.
    fn prefetch_in_next(&self) {
        let next = self.leaves.len().checked_sub(2).map(|at| &self.leaves[at]);
        if let Some(leaf) = next
            && let Some(at) = (leaf.len() + self.left).checked_sub(AHEAD)
        {
            leaf.get(at).1.prefetch();
        }
    }
}
