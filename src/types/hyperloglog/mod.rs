//! HyperLogLog: how many different elements were added, estimated from 16,384 registers of 6 bits, kept in a string.
//!
//! ```text
//!  0      4          5         8                        16
//!  "HYLL" | encoding | 0 0 0   | cardinality, LE        | registers
//!           0 dense              high bit: out of date    dense: 12,288 bytes, see `dense`
//!           1 sparse                                      sparse: run lengths, see `sparse`
//! ```
//!
//! Called by the PF commands on the bytes of string values. The format is Redis', byte for byte after the same
//! additions. Always: every byte comes from clients (SET, RESTORE), so nothing here trusts a length; registers that do
//! not add up to 16,384 are `Corrupt`.

pub mod dense;
mod estimate;
mod hash;
pub mod sparse;

pub use hash::Pattern;

/// How many registers there are.
pub const REGISTERS: usize = 1 << 14;
/// Magic, encoding and cached cardinality, in bytes.
pub const HEADER_BYTES: usize = 16;
/// The whole string in the dense form.
pub const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;

const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY_AT: usize = 8;
/// Set in the last byte of the cardinality while it is out of date.
const STALE: u8 = 0x80;

/// The runs of a sparse sketch do not cover exactly all registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

/// What a run of values behind the last register of a sparse sketch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excess {
    /// A sign of corruption, as in the servers of today.
    Corrupt,
    /// The end of the sketch, as in Redis up to 7.2.9 and Valkey up to 8.0.3.
    Ignored,
}

/// How the registers are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Dense,
    Sparse,
}

/// One value per register, for merging.
pub type Registers = [u8; REGISTERS];

/// The form of a sketch; None if `bytes` are none.
pub fn form(bytes: &[u8]) -> Option<Form> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return None;
    }
    match bytes[ENCODING_AT] {
        0 if bytes.len() == DENSE_BYTES => Some(Form::Dense),
        1 => Some(Form::Sparse),
        _ => None,
    }
}

/// A sketch to which nothing was added.
pub fn empty() -> Vec<u8> {
    let mut bytes = header(Form::Sparse);
    sparse::push_zeros(&mut bytes, REGISTERS);
    bytes
}

fn header(form: Form) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = match form {
        Form::Dense => 0,
        Form::Sparse => 1,
    };
    bytes
}

/// Adds a pattern to a sketch of the given form. True if a register grew; the form may be another one then. A sparse
/// sketch that would grow beyond `sparse_max` bytes becomes dense.
///
/// # Errors
/// A corrupt sketch, which may have been changed.
pub fn add(
    bytes: &mut Vec<u8>,
    form: Form,
    pattern: Pattern,
    sparse_max: usize,
    excess: Excess,
) -> Result<bool, Corrupt> {
    match form {
        Form::Dense => Ok(dense::raise(&mut bytes[HEADER_BYTES..], pattern)),
        Form::Sparse => match sparse::raise(bytes, pattern, sparse_max)? {
            sparse::Raised::No => Ok(false),
            sparse::Raised::Yes => Ok(true),
            sparse::Raised::TooLarge => {
                *bytes = to_dense(bytes, excess)?;
                Ok(dense::raise(&mut bytes[HEADER_BYTES..], pattern))
            }
        },
    }
}

/// The dense form of a sparse sketch.
///
/// # Errors
/// The runs do not cover exactly all registers.
pub fn to_dense(bytes: &[u8], excess: Excess) -> Result<Vec<u8>, Corrupt> {
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER_BYTES].copy_from_slice(&bytes[..HEADER_BYTES]);
    dense[ENCODING_AT] = 0;
    let registers = &mut dense[HEADER_BYTES..];
    sparse::each_value(&bytes[HEADER_BYTES..], excess, |range, value| {
        range.for_each(|index| dense::set(registers, index, value));
    })?;
    Ok(dense)
}

/// Raises `max` to the registers of a sketch.
///
/// # Errors
/// A corrupt sketch; `max` may have been raised.
pub fn merge(max: &mut Registers, bytes: &[u8], form: Form, excess: Excess) -> Result<(), Corrupt> {
    let registers = &bytes[HEADER_BYTES..];
    match form {
        Form::Dense => {
            max.iter_mut().zip(dense::values(registers)).for_each(|(max, value)| *max = value.max(*max));
            Ok(())
        }
        Form::Sparse => sparse::each_value(registers, excess, |range, value| {
            max[range].iter_mut().for_each(|max| *max = value.max(*max));
        }),
    }
}

/// How many different elements were added, as the registers tell.
///
/// # Errors
/// A corrupt sketch.
pub fn count(bytes: &[u8], form: Form) -> Result<u64, Corrupt> {
    let registers = &bytes[HEADER_BYTES..];
    let mut histogram = [0u32; 64];
    match form {
        Form::Dense => dense::values(registers).for_each(|value| histogram[usize::from(value)] += 1),
        Form::Sparse => {
            histogram[0] = REGISTERS as u32;
            sparse::each_value(registers, Excess::Corrupt, |range, value| {
                histogram[usize::from(value)] += range.len() as u32;
                histogram[0] -= range.len() as u32;
            })?;
        }
    }
    Ok(estimate::cardinality(&histogram))
}

/// As `count`, of merged registers.
pub fn count_registers(registers: &Registers) -> u64 {
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|value| histogram[usize::from(*value & 63)] += 1);
    estimate::cardinality(&histogram)
}

/// The cardinality that the header remembers, unless it is out of date.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cardinality = bytes[CARDINALITY_AT..HEADER_BYTES].try_into().expect("eight bytes");
    (bytes[HEADER_BYTES - 1] & STALE == 0).then(|| u64::from_le_bytes(cardinality))
}

pub fn set_cached(bytes: &mut [u8], cardinality: u64) {
    bytes[CARDINALITY_AT..HEADER_BYTES].copy_from_slice(&cardinality.to_le_bytes());
}

/// The cardinality that the header remembers is out of date.
pub fn forget_cached(bytes: &mut [u8]) {
    bytes[HEADER_BYTES - 1] |= STALE;
}

#[cfg(test)]
mod tests;
