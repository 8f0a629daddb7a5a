//! A large sorted set as it was at one moment (`types::frozen`).
//!
//! Made by `SortedSet::freeze`. Always: the leaves, with the scores, are shared with the tree, which changes copies of them; the view
//! keeps the members' blocks, of which only the bytes are read.

use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::frozen::{AHEAD, View};
use crate::types::sorted_set::member::Owned;
use crate::types::sorted_set::ranked::Ranked;
use crate::types::sorted_set::tree::SharedLeaf;

/// The members of a sorted set at one moment.
pub struct Frozen {
    /// Ascending; those from the end on have been written and dropped.
    leaves: Vec<SharedLeaf>,
    /// Members in all.
    len: usize,
    /// Members of the last leaf that are still to be written; `None`: it has not been looked at.
    left: Option<usize>,
    has_begun: bool,
    _view: View<Owned>,
}

// SAFETY: holders of leaves are counted atomically, and a leaf is changed only while it has one. The members' blocks are alive, for the
// view keeps them, and nobody writes to the part of them that is read here.
unsafe impl Send for Frozen {}

impl Frozen {
    pub(super) fn new(ranked: &mut Ranked) -> Frozen {
        let len = ranked.len();
        let (leaves, view) = ranked.freeze();
        Frozen { leaves, len, left: None, has_begun: false, _view: view }
    }

    /// Appends members until `out` has `enough` bytes, from the highest score down. True when all are written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        if !std::mem::replace(&mut self.has_begun, true) {
            write_length(out, self.len as u64);
        }
        while let Some(leaf) = self.leaves.last()
            && out.len() < enough
        {
            let left = self.left.get_or_insert_with(|| {
                (0..leaf.len()).rev().take(AHEAD).for_each(|at| leaf.get(at).1.prefetch());
                leaf.len()
            });
            while *left > 0 && out.len() < enough {
                *left -= 1;
                if let Some(later) = left.checked_sub(AHEAD) {
                    leaf.get(later).1.prefetch();
                }
                let (score, member) = leaf.get(*left);
                // SAFETY: the view keeps the block.
                write_string(out, unsafe { member.bytes() }, compressor.as_deref_mut());
                out.extend_from_slice(&score.to_le_bytes());
            }
            if *left == 0 {
                self.leaves.pop();
                self.left = None;
            }
        }
        self.leaves.is_empty()
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.leaves.as_slice())
    }
}
