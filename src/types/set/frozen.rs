//! A large set as it was at one moment (`types::frozen`).
//!
//! Made by `Set::freeze`. Always: its members stand where they stood in the table.

use crate::codec::lzf;
use crate::codec::rdb::encode::{write_length, write_string};
use crate::types::dense::DenseView;
use crate::types::frozen::{Frozen, Parts};
use crate::types::set::member::Member;
use crate::types::set::table::Table;

/// The members of a set at one moment.
struct Members {
    members: DenseView<Member>,
    next: usize,
}

pub(super) fn freeze(table: &mut Table) -> Frozen {
    let members = table.freeze();
    let bytes = members.bytes();
    Frozen::new(Members { members, next: 0 }, bytes)
}

impl Parts for Members {
    fn write_head(&mut self, out: &mut Vec<u8>) {
        write_length(out, self.members.iter().len() as u64);
    }

    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool {
        let Some(member) = self.members.get(self.next) else { return false };
        write_string(out, member.bytes(), compressor);
        self.next += 1;
        true
    }
}
