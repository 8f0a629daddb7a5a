//! Bitmap commands: strings as arrays of bits and of small integers.
//!
//! Called through their rows; the bits themselves are handled in `types::bitmap`.
//! Always: a string never grows beyond `proto-max-bulk-len`, except where a primary says so, and what changes no bit
//! counts as no change.

pub mod bit;
pub mod count;
pub mod field;
pub mod operation;

use crate::base::number::parse_i64;
use crate::commands::spec::{Ctx, Failure, Group, Keys, Row};

/// What the rows of this group share.
pub(super) const BITMAP: Row =
    Row { keys: Keys::ONE, categories: &["bitmap"], group: Group::Bitmap, since: "2.2.0", ..Row::BASE };

const BAD_OFFSET: Failure = Failure::text("ERR bit offset is not an integer or out of range");

/// The bit offset at argument `at`. For a field of `bits` bits, `#n` means the `n`th field of that width.
fn offset(ctx: &Ctx<'_, '_>, at: usize, bits: Option<u32>) -> Result<u64, Failure> {
    let word = ctx.args.get(at);
    let offset = match (word.split_first(), bits) {
        (Some((b'#', number)), Some(bits)) => {
            parse_i64(number).and_then(|number| number.checked_mul(i64::from(bits)))
        }
        _ => parse_i64(word),
    };
    let offset = offset.and_then(|offset| u64::try_from(offset).ok()).ok_or(BAD_OFFSET)?;
    let is_within = ctx.from_primary || offset / 8 < ctx.config.proto_max_bulk_len as u64;
    if is_within { Ok(offset) } else { Err(BAD_OFFSET) }
}

/// How many bytes hold all bits up to the one at `offset`.
fn bytes_for(offset: u64) -> usize {
    (offset / 8) as usize + 1
}
