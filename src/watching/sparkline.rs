//! A graph of numbers in plain characters, as LATENCY GRAPH draws it: four rows of columns, labels written downwards below.
//!
//! ```text
//!   .#|#.
//!
//!   11s9      each column is one number; `_`, `o`, `#` are a third, two thirds and all of a row, `|` what is below the top
//! ```
//!
//! Called by LATENCY GRAPH. Always: at most `COLUMNS` columns beside each other, further ones in another block below.

/// The width of a block.
pub const COLUMNS: usize = 80;
const ROWS: usize = 4;
const FILLS: [char; 3] = ['_', 'o', '#'];

/// Draws values with their labels.
pub fn draw(values: &[(u64, String)]) -> String {
    let low = values.iter().map(|(value, _)| *value).min().unwrap_or(0);
    let high = values.iter().map(|(value, _)| *value).max().unwrap_or(0);
    let blocks: Vec<String> = values.chunks(COLUMNS).map(|block| draw_block(block, low, high)).collect();
    blocks.join("\n")
}

fn draw_block(values: &[(u64, String)], low: u64, high: u64) -> String {
    let steps = FILLS.len() * ROWS;
    let span = (high - low).max(1);
    let level = |value: u64| (((value - low) as usize * steps) / span as usize).min(steps - 1);
    let mut out = String::new();
    for row in (0..ROWS).rev() {
        out.extend(values.iter().map(|(value, _)| match level(*value).checked_sub(row * FILLS.len()) {
            None => ' ',
            Some(above) => FILLS.get(above).copied().unwrap_or('|'),
        }));
        out.push('\n');
    }
    let blank = " ".repeat(values.len());
    out.push_str(&blank);
    out.push('\n');
    let depth = values.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    for row in 0..depth {
        out.extend(values.iter().map(|(_, label)| label.chars().nth(row).unwrap_or(' ')));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, draw};

    #[test]
    fn the_lowest_value_has_a_line_and_the_highest_all_rows() {
        let values = [(10, "3s".to_owned()), (60, "12s".to_owned()), (110, "1m".to_owned())];
        let lines: Vec<String> = draw(&values).lines().map(str::to_owned).collect();
        assert_eq!(lines, ["  #", " _|", " ||", "_||", "   ", "311", "s2m", " s "]);
    }

    #[test]
    fn many_values_are_drawn_in_blocks() {
        let values: Vec<(u64, String)> = (0..COLUMNS as u64 + 1).map(|n| (n, "x".to_owned())).collect();
        assert_eq!(draw(&values).lines().count(), 2 * 6 + 1);
        assert_eq!(draw(&[]), "");
    }
}
