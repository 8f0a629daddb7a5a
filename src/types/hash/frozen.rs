//! A large hash as it was at one moment (`types::frozen`).
//!
//! Made by `Hash::freeze`. Always: its fields stand where they stood in the table; the view keeps their blocks.

use std::mem::ManuallyDrop;
use std::ops::Deref;

use crate::codec::lzf;
use crate::codec::rdb::Dialect;
use crate::types::frozen::{AHEAD, View};
use crate::types::hash::field::Field;
use crate::types::hash::rdb::Shape;
use crate::types::hash::table::Table;

/// The fields of a hash at one moment.
pub struct Frozen {
    fields: Vec<ManuallyDrop<Field>>,
    shape: Shape,
    /// The next field; none has been written before `earliest` is known.
    next: usize,
    earliest: Option<i64>,
    _view: View<Field>,
}

impl Frozen {
    pub(super) fn new(table: &mut Table, dialect: Dialect) -> Frozen {
        let shape = Shape::of(dialect, table.timed());
        let (fields, view) = table.freeze();
        Frozen { fields, shape, next: 0, earliest: None, _view: view }
    }

    /// Appends fields until `out` has `enough` bytes. True when all are written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        enough: usize,
        mut compressor: Option<&mut lzf::Compressor>,
    ) -> bool {
        let Frozen { fields, shape, next, earliest, .. } = self;
        let earliest =
            *earliest.get_or_insert_with(|| shape.write_start(out, fields.iter().map(Deref::deref)));
        while *next < fields.len() && out.len() < enough {
            if let Some(later) = fields.get(*next + AHEAD) {
                later.prefetch();
            }
            shape.write_field(out, &fields[*next], earliest, compressor.as_deref_mut());
            *next += 1;
        }
        *next == fields.len()
    }

    pub fn bytes(&self) -> usize {
        self.fields.len() * size_of::<Field>()
    }
}
