//! A large set as it was at one moment (`types::frozen`).
//!
//! Made by `Set::freeze`. Always: its members stand where they stood in the table.

use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::dense::DenseView;
use crate::types::set::member::Member;
use crate::types::set::table::Table;

/// The members of a set at one moment.
pub struct Frozen {
    members: DenseView<Member>,
    next: usize,
    has_begun: bool,
}

impl Frozen {
    pub(super) fn new(table: &mut Table) -> Frozen {
        Frozen { members: table.freeze(), next: 0, has_begun: false }
    }

    /// Appends members until `out` has `enough` bytes. True when all are written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        if !std::mem::replace(&mut self.has_begun, true) {
            write_length(out, self.members.len() as u64);
        }
        while out.len() < enough
            && let Some(member) = self.members.get(self.next)
        {
            write_string(out, member.bytes(), compressor.as_deref_mut());
            self.next += 1;
        }
        self.next == self.members.len()
    }

    pub fn bytes(&self) -> usize {
        self.members.bytes()
    }
}
