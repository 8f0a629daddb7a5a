//! A large set as it was at one moment (`types::frozen`).
//!
//! Made by `Set::freeze`. Always: its members stand where they stood in the table; the view keeps their blocks.

use std::mem::ManuallyDrop;

use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::frozen::View;
use crate::types::set::member::Member;
use crate::types::set::table::Table;

/// The members of a set at one moment.
pub struct Frozen {
    members: Vec<ManuallyDrop<Member>>,
    next: usize,
    has_begun: bool,
    _view: View<Member>,
}

impl Frozen {
    pub(super) fn new(table: &mut Table) -> Frozen {
        let (members, view) = table.freeze();
        Frozen { members, next: 0, has_begun: false, _view: view }
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
        while self.next < self.members.len() && out.len() < enough {
            write_string(out, self.members[self.next].bytes(), compressor.as_deref_mut());
            self.next += 1;
        }
        self.next == self.members.len()
    }

    pub fn bytes(&self) -> usize {
        self.members.len() * size_of::<Member>()
    }
}
