//! A large hash as it was at one moment (`types::frozen`).
//!
//! Made by `Hash::freeze`. Always: its fields stand where they stood in the table.

use crate::codec::lzf;
use crate::codec::rdb::Dialect;
use crate::types::dense::DenseView;
use crate::types::frozen::AHEAD;
use crate::types::hash::field::Field;
use crate::types::hash::rdb::Shape;
use crate::types::hash::table::Table;

/// The fields of a hash at one moment.
pub struct Frozen {
    fields: DenseView<Field>,
    shape: Shape,
    /// The next field; none has been written before `earliest` is known.
    next: usize,
    earliest: Option<i64>,
}

impl Frozen {
    pub(super) fn new(table: &mut Table, dialect: Dialect) -> Frozen {
        let shape = Shape::of(dialect, table.timed());
        Frozen { fields: table.freeze(), shape, next: 0, earliest: None }
    }

    /// Appends fields until `out` has `enough` bytes. True when all are written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        let Frozen { fields, shape, next, earliest, .. } = self;
        let earliest = *earliest.get_or_insert_with(|| shape.write_start(out, fields.iter()));
        while out.len() < enough
            && let Some(field) = fields.get(*next)
        {
            if let Some(later) = fields.get(*next + AHEAD) {
                later.prefetch();
            }
            shape.write_field(out, field, earliest, compressor.as_deref_mut());
            *next += 1;
        }
        *next == fields.len()
    }

    pub fn bytes(&self) -> usize {
        self.fields.bytes()
    }
}
