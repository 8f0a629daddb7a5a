//! A large hash as it was at one moment (`types::frozen`).
//!
//! Made by `Hash::freeze`. Always: its fields stand where they stood in the table.

use crate::codec::lzf;
use crate::codec::rdb::Dialect;
use crate::types::dense::DenseView;
use crate::types::frozen::{AHEAD, Frozen, Parts};
use crate::types::hash::field::Field;
use crate::types::hash::rdb::Shape;
use crate::types::hash::table::Table;

/// The fields of a hash at one moment.
struct Fields {
    fields: DenseView<Field>,
    shape: Shape,
    next: usize,
    /// As `Shape::write_start` gave it.
    earliest: i64,
}

pub(super) fn freeze(table: &mut Table, dialect: Dialect) -> Frozen {
    let shape = Shape::of(dialect, table.timed());
    let fields = table.freeze();
    let bytes = fields.bytes();
    Frozen::new(Fields { fields, shape, next: 0, earliest: 0 }, bytes)
}

impl Parts for Fields {
    fn write_head(&mut self, out: &mut Vec<u8>) {
        self.earliest = self.shape.write_start(out, self.fields.iter());
    }

    fn write_next(&mut self, out: &mut Vec<u8>, compressor: Option<&mut lzf::Compressor>) -> bool {
        let Some(field) = self.fields.get(self.next) else { return false };
        if let Some(later) = self.fields.get(self.next + AHEAD) {
            later.prefetch();
        }
        self.shape.write_field(out, field, self.earliest, compressor);
        self.next += 1;
        true
    }
}
