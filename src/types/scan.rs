//! Scanning by position: the cursor of HSCAN, and of any collection that is a vector in which the last element takes the
//! place of one that is removed.
//!
//! ```text
//!   positions   0 . . . . . . . cursor . . . . . len        the walk goes down; the cursor is how many are left
//!               to be shown     |  shown already
//! ```
//!
//! Called by the types. Always: whatever is there from the first call to the last is shown. An element only ever moves to a
//! lower position, hence never from "to be shown" past the cursor; new ones come in at the end. What moves down from behind
//! the cursor is shown twice, which SCAN may do.

/// The positions that this call shows, and the cursor for the next: 0 at first, and when all is done.
pub fn step(cursor: u64, count: usize, len: usize) -> (impl Iterator<Item = usize>, u64) {
    let end = match usize::try_from(cursor) {
        Ok(0) => len,
        Ok(left) => left.min(len),
        Err(_) => len,
    };
    let start = end.saturating_sub(count.max(1));
    ((start..end).rev(), start as u64)
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn a_walk_shows_every_position_once_while_nothing_changes() {
        for (len, count) in [(0, 1), (1, 1), (10, 3), (10, 5), (10, 100), (7, 0)] {
            let (mut cursor, mut shown) = (0, Vec::new());
            loop {
                let (positions, next) = step(cursor, count, len);
                shown.extend(positions);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(shown, (0..len).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_cursor_from_elsewhere_is_taken_for_the_whole() {
        let (positions, next) = step(u64::MAX, 2, 5);
        assert_eq!((positions.collect::<Vec<_>>(), next), (vec![4, 3], 3));
    }
}
