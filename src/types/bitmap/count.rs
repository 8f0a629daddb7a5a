//! Counting bits, and finding the first one of a kind, within ranges of bits.
//!
//! Called by BITCOUNT and BITPOS. Whole bytes go through loops over words; the bits of the first and the last byte that
//! lie outside of a range are masked away.
//! Always: ranges are half open and lie within the bytes.

use std::ops::Range;

/// Set bits in `range`, in bits.
pub fn ones(bytes: &[u8], range: Range<u64>) -> u64 {
    let (head, body, tail) = split(bytes, &range);
    popcount(body) + edge(head, 0) + edge(tail, 0)
}

/// The first bit in `range` that is `wanted`, counted from the start of `bytes`.
pub fn first(bytes: &[u8], range: Range<u64>, wanted: bool) -> Option<u64> {
    // Looking for a 0 is looking for a 1 in the inverse.
    let flip = if wanted { 0 } else { 0xff };
    let (head, body, tail) = split(bytes, &range);
    let head_bytes = u64::from(head.is_some());
    let body_start = range.start / 8 + head_bytes;
    let in_edge = |part: Option<(u8, u8)>, byte_index: u64| {
        let (byte, mask) = part?;
        let hits = (byte ^ flip) & mask;
        (hits != 0).then(|| byte_index * 8 + u64::from(hits.leading_zeros()))
    };
    in_edge(head, range.start / 8)
        .or_else(|| {
            let at = body_position(body, flip)?;
            let hits = body[at] ^ flip;
            Some((body_start + at as u64) * 8 + u64::from(hits.leading_zeros()))
        })
        .or_else(|| in_edge(tail, body_start + body.len() as u64))
}

/// A byte that is only partly in the range: its value and the mask of the bits that are.
type Edge = Option<(u8, u8)>;

/// Cuts a range of bits into a partial first byte, whole bytes, and a partial last byte.
fn split<'b>(bytes: &'b [u8], range: &Range<u64>) -> (Edge, &'b [u8], Edge) {
    if range.is_empty() {
        return (None, &[], None);
    }
    let (first, last) = ((range.start / 8) as usize, ((range.end - 1) / 8) as usize);
    let head_mask = 0xffu8 >> (range.start % 8);
    let tail_mask = !(0x7fu8 >> ((range.end - 1) % 8));
    if first == last {
        let mask = head_mask & tail_mask;
        return if mask == 0xff {
            (None, &bytes[first..=last], None)
        } else {
            (Some((bytes[first], mask)), &[], None)
        };
    }
    let (mut start, mut end) = (first, last + 1);
    let head = (head_mask != 0xff).then(|| {
        start += 1;
        (bytes[first], head_mask)
    });
    let tail = (tail_mask != 0xff).then(|| {
        end -= 1;
        (bytes[last], tail_mask)
    });
    (head, &bytes[start..end], tail)
}

fn edge(edge: Edge, flip: u8) -> u64 {
    edge.map_or(0, |(byte, mask)| u64::from(((byte ^ flip) & mask).count_ones()))
}

/// Set bits in whole bytes.
fn popcount(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        return unsafe { popcount_avx2(bytes) };
    }
    popcount_plain(bytes)
}

/// The plain loop once more, compiled for AVX2, where the compiler turns it into shuffles over 32 bytes at a time.
///
/// # Safety
/// The processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn popcount_avx2(bytes: &[u8]) -> u64 {
    popcount_plain(bytes)
}

#[inline(always)]
fn popcount_plain(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The first byte that differs from `flip`.
fn body_position(bytes: &[u8], flip: u8) -> Option<usize> {
    let nothing = u64::from_le_bytes([flip; 8]);
    let (words, _) = bytes.as_chunks::<8>();
    let skipped = words.iter().take_while(|word| u64::from_le_bytes(**word) == nothing).count() * 8;
    bytes[skipped..].iter().position(|byte| *byte != flip).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use super::{first, ones};
    use crate::types::bitmap::bit;
    use proptest::prelude::{any, prop, proptest};

    proptest! {
        #[test]
        fn counting_and_finding_agree_with_looking_at_every_bit(
            bytes in prop::collection::vec(prop::sample::select(vec![0u8, 0xff, 0x10, 0xfe]), 0..40),
            a in any::<u64>(), b in any::<u64>(), wanted in any::<bool>(),
        ) {
            let bits = bytes.len() as u64 * 8;
            let (a, b) = (a % (bits + 1), b % (bits + 1));
            let range = a.min(b)..a.max(b);
            let slow = range.clone().filter(|at| bit(&bytes, *at)).count() as u64;
            assert_eq!(ones(&bytes, range.clone()), slow, "{range:?}");
            let slow = range.clone().find(|at| bit(&bytes, *at) == wanted);
            assert_eq!(first(&bytes, range.clone(), wanted), slow, "{range:?} {wanted}");
        }
    }
}
