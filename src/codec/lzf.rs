//! LZF, the compression inside RDB strings. Snapshot encoding compresses, every RDB reader decompresses.
//!
//!     000lllll  literals...                       l + 1 literal bytes follow: 1 to 32
//!     lllooooo  oooooooo                          copy l + 2 bytes (l = 1..6: 3 to 8) from o + 1 back
//!     111ooooo  llllllll  oooooooo                copy l + 9 bytes (9 to 264)         from o + 1 back
//!
//! The offset o has 13 bits, its high five in the first byte. A copy may overlap what it writes.
//!
//! Always: what `Compressor` writes, Redis' own decoder reads; `decompress` takes any bytes without panicking and
//! answers exactly the expected length or an error.

/// Longest run of literals, longest copy, and farthest offset that the format can express.
const LITERALS_MAX: usize = 32;
const COPY_MIN: usize = 3;
const COPY_MAX: usize = 264;
const OFFSET_MAX: usize = 1 << 13;

/// Bytes of output that one byte of input can become at most: 264 from 3.
const EXPANSION_MAX: usize = 88;

/// 2^14 slots of 4 bytes: fits the second-level cache and covers the window of 8 KiB twice. A short input uses
/// only as many of them as it can fill, which then stay in the first-level cache.
const TABLE_BITS: u32 = 14;
const TABLE_BITS_MIN: u32 = 8;

/// Inputs this long are not compressed, so that positions fit the table with room for many calls.
const INPUT_LEN_LIMIT: usize = 1 << 30;

/// After this many misses in a row (as a power of two) the search strides by one more byte.
const STRIDE_SHIFT: u32 = 6;

/// The compressing side. Keep one per thread: its table has 64 KiB, and it keeps its output buffer.
pub struct Compressor {
    table: Table,
    packed: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor::new()
    }
}

impl Compressor {
    pub fn new() -> Compressor {
        // Base 1 makes the initial zeros invalid.
        Compressor { table: Table { slots: Box::new([0; 1 << TABLE_BITS]), base: 1 }, packed: Vec::new() }
    }

    /// The compressed form of `input`, or `None` if that would take more than `limit` bytes.
    pub fn compress(&mut self, input: &[u8], limit: usize) -> Option<&[u8]> {
        if input.is_empty() || input.len() >= INPUT_LEN_LIMIT {
            return None;
        }
        self.packed.clear();
        compress_within(&mut self.table, input, &mut self.packed, limit).then_some(&self.packed[..])
    }
}

/// Where each three-byte sequence was seen last. Reuse costs nothing, because entries of earlier inputs are told
/// by their number instead of being cleared.
///
///     slot = base of the input that wrote it + position in that input;  valid now: slot >= base
struct Table {
    slots: Box<[u32; 1 << TABLE_BITS]>,
    base: u32,
}

impl Table {
    /// Makes room for `len` positions that no older entry can be mistaken for; answers their base.
    fn reserve(&mut self, len: u32) -> u32 {
        if self.base.checked_add(len).is_none() {
            self.slots.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base += len;
        base
    }
}

fn compress_within(table: &mut Table, input: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
    let base = table.reserve(input.len() as u32);
    let shift = 32 - (input.len().ilog2() + 1).clamp(TABLE_BITS_MIN, TABLE_BITS);
    // Everything before `pending` is in `out` already.
    let (mut at, mut pending) = (0, 0);
    while let Some(&[a, b, c]) = input.get(at..at + COPY_MIN).and_then(<[u8]>::first_chunk) {
        let slot = &mut table.slots[slot_of(a, b, c, shift)];
        let seen = slot.checked_sub(base).map(|position| position as usize);
        *slot = base + at as u32;
        match seen {
            Some(seen) if at - seen <= OFFSET_MAX && input[seen..seen + COPY_MIN] == [a, b, c] => {
                let longest = (input.len() - at).min(COPY_MAX);
                let len = common_prefix(&input[seen..seen + longest], &input[at..at + longest]);
                push_literals(out, &input[pending..at]);
                push_copy(out, len, at - seen);
                remember_last(table, base, shift, input, at + len);
                at += len;
                pending = at;
            }
            _ => at += 1 + ((at - pending) >> STRIDE_SHIFT),
        }
        // Literals still pending count as well: incompressible input is given up in its first part.
        if out.len() + (at - pending) > limit {
            return false;
        }
    }
    push_literals(out, &input[pending..]);
    out.len() <= limit
}

/// Notes the last two sequences of a copy, so that what follows it can refer to them.
fn remember_last(table: &mut Table, base: u32, shift: u32, input: &[u8], copy_end: usize) {
    for position in [copy_end - 2, copy_end - 1] {
        if let Some(&[a, b, c]) = input.get(position..position + COPY_MIN).and_then(<[u8]>::first_chunk) {
            table.slots[slot_of(a, b, c, shift)] = base + position as u32;
        }
    }
}

/// Multiplicative hash of three bytes, its highest 32 - `shift` bits.
#[inline]
fn slot_of(a: u8, b: u8, c: u8, shift: u32) -> usize {
    let sequence = u32::from_le_bytes([a, b, c, 0]);
    // The mask changes nothing; it shows that the index is inside the table.
    (sequence.wrapping_mul(0x9e37_79b1) >> shift) as usize & ((1 << TABLE_BITS) - 1)
}

/// How many leading bytes two slices of the same length share.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    for (index, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return index * 8 + difference.trailing_zeros() as usize / 8;
        }
    }
    let done = a_words.len() * 8;
    done + a[done..].iter().zip(&b[done..]).take_while(|(x, y)| x == y).count()
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn push_copy(out: &mut Vec<u8>, len: usize, distance: usize) {
    debug_assert!((COPY_MIN..=COPY_MAX).contains(&len) && (1..=OFFSET_MAX).contains(&distance));
    let offset = distance - 1;
    let high = (offset >> 8) as u8;
    if len < 9 {
        out.push(high | ((len - 2) as u8) << 5);
    } else {
        out.push(high | 7 << 5);
        out.push((len - 9) as u8);
    }
    out.push(offset as u8);
}

/// Why compressed bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LzfError {
    /// The input ends within an instruction.
    Truncated,
    /// A copy refers to before the beginning.
    BadOffset,
    /// The output is not as long as announced, or could not be.
    WrongLength,
}

/// Appends the `expected_len` bytes that `input` stands for. On an error `out` is left as it was.
pub fn decompress(input: &[u8], expected_len: usize, out: &mut Vec<u8>) -> Result<(), LzfError> {
    // Checked before reserving: a lie about the length costs no memory.
    if expected_len > input.len().saturating_mul(EXPANSION_MAX) {
        return Err(LzfError::WrongLength);
    }
    let start = out.len();
    out.reserve(expected_len);
    let result = decompress_into(input, start, start + expected_len, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn decompress_into(mut input: &[u8], start: usize, end: usize, out: &mut Vec<u8>) -> Result<(), LzfError> {
    while let [control, rest @ ..] = input {
        let control = usize::from(*control);
        if control < LITERALS_MAX {
            let (literals, rest) = rest.split_at_checked(control + 1).ok_or(LzfError::Truncated)?;
            if literals.len() > end - out.len() {
                return Err(LzfError::WrongLength);
            }
            out.extend_from_slice(literals);
            input = rest;
            continue;
        }
        let (len, low, rest) = match (control >> 5, rest) {
            (7, [extra, low, rest @ ..]) => (usize::from(*extra) + 9, *low, rest),
            (short @ 1..7, [low, rest @ ..]) => (short + 2, *low, rest),
            _ => return Err(LzfError::Truncated),
        };
        let distance = ((control & 31) << 8 | usize::from(low)) + 1;
        if len > end - out.len() {
            return Err(LzfError::WrongLength);
        }
        if distance > out.len() - start {
            return Err(LzfError::BadOffset);
        }
        copy_back(out, distance, len);
        input = rest;
    }
    if out.len() == end { Ok(()) } else { Err(LzfError::WrongLength) }
}

/// Repeats what stands `distance` back; what was just written may be part of it.
#[inline]
fn copy_back(out: &mut Vec<u8>, distance: usize, len: usize) {
    let from = out.len() - distance;
    let mut left = len;
    while left > 0 {
        // Doubles with every turn when the copy overlaps itself.
        let step = left.min(out.len() - from);
        out.extend_from_within(from..from + step);
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_round_trip(compressor: &mut Compressor, input: &[u8]) -> Option<usize> {
        let packed = compressor.compress(input, input.len().saturating_sub(4))?;
        assert!(packed.len() <= input.len() - 4);
        let mut back = b"kept".to_vec();
        assert_eq!(decompress(packed, input.len(), &mut back), Ok(()));
        assert_eq!(back[..4], *b"kept");
        assert!(back[4..] == *input);
        for wrong in [input.len() - 1, input.len() + 1] {
            assert_eq!(decompress(packed, wrong, &mut back), Err(LzfError::WrongLength));
            assert_eq!(back.len(), 4 + input.len());
        }
        Some(packed.len())
    }

    #[test]
    fn repetition_shrinks_and_noise_is_left_alone() {
        let mut compressor = Compressor::new();
        assert_eq!(check_round_trip(&mut compressor, &[b'a'; 21]), Some(2 + 3));
        assert!(check_round_trip(&mut compressor, &vec![0; 100_000]).unwrap() < 1200);
        assert!(check_round_trip(&mut compressor, b"hello world, hello world, hello").unwrap() < 25);
        let mut rng = crate::base::random::Rng::from_seed(1);
        let noise: Vec<u8> = (0..10_000).map(|_| rng.next_u64() as u8).collect();
        assert_eq!(check_round_trip(&mut compressor, &noise), None);
        // A copy from the far edge of the window, and one that would have to come from beyond it.
        for (distance, within) in [(8000, true), (8191, true), (8192, true), (8193, false), (9000, false)] {
            let far = [&noise[..300], &vec![0; distance - 300], &noise[..300]].concat();
            let packed_len = check_round_trip(&mut compressor, &far).unwrap();
            assert_eq!(packed_len < 600, within, "{distance}: {packed_len}");
        }
        for short in [&b""[..], b"a", b"ab", b"abc", b"aaaa"] {
            assert_eq!(check_round_trip(&mut compressor, short), None);
        }
    }

    #[test]
    fn what_redis_compressed_is_read() {
        // The LZF string of `SET k aaaaaaaaaaaaaaaaaaaaaaaaa` (25 times a) as redis-server 7.0.15 dumps it.
        let mut out = Vec::new();
        assert_eq!(decompress(b"\x01aa\xe0\x0c\x00\x01aa", 25, &mut out), Ok(()));
        assert_eq!(out, [b'a'; 25]);
    }

    #[test]
    fn broken_input_is_an_error() {
        #[track_caller]
        fn check(input: &[u8], expected_len: usize, want: LzfError) {
            let mut out = Vec::new();
            assert_eq!(decompress(input, expected_len, &mut out), Err(want));
            assert!(out.is_empty());
        }
        check(b"", 1, LzfError::WrongLength);
        check(b"\x00", 1, LzfError::Truncated);
        check(b"\x05ab", 6, LzfError::Truncated);
        check(b"\x00a\x20", 4, LzfError::Truncated);
        check(b"\x00a\xe0\x00", 10, LzfError::Truncated);
        check(b"\x00a\x20\x01", 4, LzfError::BadOffset);
        check(b"\x20\x00", 3, LzfError::BadOffset);
        check(b"\x00a\x20\x00", 3, LzfError::WrongLength);
        check(b"\x00a\x20\x00", 5, LzfError::WrongLength);
        check(b"\x00a\x20\x00", usize::MAX, LzfError::WrongLength);
    }

    #[test]
    fn the_table_survives_running_out_of_numbers() {
        let mut compressor = Compressor::new();
        for base in [u32::MAX - 100, u32::MAX - 50, u32::MAX] {
            compressor.table.base = base;
            assert!(check_round_trip(&mut compressor, &b"abcdef".repeat(10)).is_some());
        }
    }

    proptest! {
        #[test]
        fn any_input_comes_back(inputs in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..300), 1..5)) {
            let mut compressor = Compressor::new();
            for input in inputs {
                check_round_trip(&mut compressor, &input);
            }
        }

        #[test]
        fn no_compressed_bytes_panic(input: Vec<u8>, expected_len in 0usize..1000) {
            decompress(&input, expected_len, &mut Vec::new()).ok();
        }
    }
}
