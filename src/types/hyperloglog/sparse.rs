//! The sparse form: registers as runs, for sketches that hold little.
//!
//! ```text
//!  00xxxxxx            ZERO   x+1 registers (1 to 64) are 0
//!  01xxxxxx yyyyyyyy   XZERO  xy+1 registers (1 to 16,384) are 0
//!  1vvvvvxx            VAL    x+1 registers (1 to 4) are v+1 (1 to 32)
//! ```
//!
//! Called by `hyperloglog`. Raising a register splits the run that covers it and then merges neighbours as far as Redis
//! does, not further: the bytes have to be the same. Always: a run may claim anything; what it covers is checked.

use std::ops::Range;

use crate::types::hyperloglog::{Corrupt, Excess, HEADER_BYTES, Pattern, REGISTERS, forget_cached};

const ZERO_MAX: usize = 64;
const VALUE_MAX: u8 = 32;
const VALUE_RUN_MAX: usize = 4;
/// After a change, so many runs are looked at for neighbours to merge, from the one before the change on.
const MERGE_LOOK: usize = 5;

/// One run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    Zero(usize),
    LongZero(usize),
    Value { value: u8, len: usize },
}

impl Run {
    /// The run that begins at `at`, which is not behind the end.
    fn read(runs: &[u8], at: usize) -> Run {
        let byte = runs[at];
        let low = usize::from(byte & 0x3f);
        match byte >> 6 {
            0 => Run::Zero(low + 1),
            // A cut second byte counts as 0, as it does for Redis, whose strings end in one.
            1 => Run::LongZero((low << 8 | usize::from(runs.get(at + 1).copied().unwrap_or(0))) + 1),
            _ => Run::Value { value: (byte >> 2 & 0x1f) + 1, len: usize::from(byte & 3) + 1 },
        }
    }

    /// How many registers it covers.
    pub fn len(self) -> usize {
        match self {
            Run::Zero(len) | Run::LongZero(len) | Run::Value { len, .. } => len,
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many bytes it takes.
    fn size(self) -> usize {
        match self {
            Run::Zero(_) | Run::Value { .. } => 1,
            Run::LongZero(_) => 2,
        }
    }

    fn zeros(len: usize) -> Run {
        if len > ZERO_MAX { Run::LongZero(len) } else { Run::Zero(len) }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Run::Zero(len) => out.push((len - 1) as u8),
            Run::LongZero(len) => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
            Run::Value { value, len } => out.push(value_byte(value, len)),
        }
    }
}

fn value_byte(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// All runs in order.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let run = (at < bytes.len()).then(|| Run::read(bytes, at))?;
        at += run.size();
        Some(run)
    })
}

/// Appends a run of at most all registers, all 0.
pub(super) fn push_zeros(bytes: &mut Vec<u8>, len: usize) {
    Run::LongZero(len).write(bytes);
}

/// Calls `found` for every run of registers that are not 0.
///
/// # Errors
/// The runs do not cover exactly all registers; `found` may have been called.
pub(super) fn each_value(
    bytes: &[u8],
    excess: Excess,
    mut found: impl FnMut(Range<usize>, u8),
) -> Result<(), Corrupt> {
    let mut index = 0usize;
    for run in runs(bytes) {
        let end = index + run.len();
        match run {
            Run::Value { .. } if end > REGISTERS && excess == Excess::Ignored => break,
            Run::Value { .. } | Run::Zero(_) | Run::LongZero(_) if end > REGISTERS => return Err(Corrupt),
            Run::Value { value, .. } => found(index..end, value),
            Run::Zero(_) | Run::LongZero(_) => {}
        }
        index = end;
    }
    if index == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// What became of an attempt to raise a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Raised {
    /// It was as high already.
    No,
    Yes,
    /// The sparse form cannot hold it, and is unchanged.
    TooLarge,
}

/// Where a register's run stands in the string.
struct Place {
    /// The run before it.
    previous: Option<usize>,
    at: usize,
    run: Run,
    /// Its first register.
    first: usize,
}

/// Raises a register of a whole sketch, header included.
///
/// # Errors
/// No run covers the register.
pub(super) fn raise(bytes: &mut Vec<u8>, pattern: Pattern, size_max: usize) -> Result<Raised, Corrupt> {
    if pattern.value > VALUE_MAX {
        return Ok(Raised::TooLarge);
    }
    let place = find(bytes, pattern.register).ok_or(Corrupt)?;
    let whole = Run::Value { value: pattern.value, len: 1 };
    match place.run {
        Run::Value { value, .. } if value >= pattern.value => return Ok(Raised::No),
        Run::Value { len: 1, .. } | Run::Zero(1) => {
            bytes[place.at] = value_byte(pattern.value, 1);
        }
        Run::Value { .. } | Run::Zero(_) | Run::LongZero(_) => {
            let mut split = Vec::with_capacity(5);
            let before = pattern.register - place.first;
            let behind = place.run.len() - before - 1;
            let rest = |len| match place.run {
                Run::Zero(_) | Run::LongZero(_) => Run::zeros(len),
                Run::Value { value, .. } => Run::Value { value, len },
            };
            if before > 0 {
                rest(before).write(&mut split);
            }
            whole.write(&mut split);
            if behind > 0 {
                rest(behind).write(&mut split);
            }
            let old = place.run.size();
            let grown = bytes.len() + split.len() - old;
            if split.len() > old && grown > size_max {
                return Ok(Raised::TooLarge);
            }
            bytes.splice(place.at..place.at + old, split);
        }
    }
    merge_neighbours(bytes, place.previous.unwrap_or(HEADER_BYTES));
    forget_cached(bytes);
    Ok(Raised::Yes)
}

fn find(bytes: &[u8], register: usize) -> Option<Place> {
    let (mut previous, mut at, mut first) = (None, HEADER_BYTES, 0);
    while at < bytes.len() {
        let run = Run::read(bytes, at);
        if register < first + run.len() {
            // A run whose second byte is missing cannot be split.
            return (at + run.size() <= bytes.len()).then_some(Place { previous, at, run, first });
        }
        previous = Some(at);
        at += run.size();
        first += run.len();
    }
    None
}

/// Joins neighbouring runs of the same value, where one byte can hold them.
fn merge_neighbours(bytes: &mut Vec<u8>, from: usize) {
    let mut at = from;
    for _ in 0..MERGE_LOOK {
        if at >= bytes.len() {
            break;
        }
        let run = Run::read(bytes, at);
        if let Run::Value { value, len } = run
            && at + 1 < bytes.len()
            && let Run::Value { value: next, len: more } = Run::read(bytes, at + 1)
            && value == next
            && len + more <= VALUE_RUN_MAX
        {
            bytes[at] = value_byte(value, len + more);
            bytes.remove(at + 1);
            // The joined run may join the one behind it as well.
            continue;
        }
        at += run.size();
    }
}
