//! Equality of short byte strings: keys, names of commands.
//!
//! Called by whoever compares them on the hot path (`keyspace::shard`, `exec::prefetch`). Always: says what `==` says. It is here since
//! `==` on slices calls `memcmp`, which costs more than the comparison itself when both are a few bytes long.

/// `a == b`, without a call for up to 32 bytes.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Two pieces that overlap cover every length in between.
    match a.len() {
        16..=32 => a.first_chunk::<16>() == b.first_chunk() && a.last_chunk::<16>() == b.last_chunk(),
        8..16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
        4..8 => a.first_chunk::<4>() == b.first_chunk() && a.last_chunk::<4>() == b.last_chunk(),
        2..4 => a.first_chunk::<2>() == b.first_chunk() && a.last_chunk::<2>() == b.last_chunk(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn strings_of_every_length_are_the_same_only_if_every_byte_is() {
        for len in 0..80 {
            let text: Vec<u8> = (0..len as u8).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], b"x"].concat()));
            for changed in 0..len {
                let mut other = text.clone();
                other[changed] ^= 0x80;
                assert!(!same(&text, &other), "byte {changed} of {len}");
            }
        }
    }
}
