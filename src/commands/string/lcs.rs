//! LCS: the longest common subsequence of two strings, as text, length or matching ranges.
//!
//! ```text
//!            b = "y  e  s"      cell (i, j) = length of the LCS of the first i bytes of a and the first j bytes of b.
//!          0  0  0  0           The walk from the last cell back to the edge passes the bytes in common, last first;
//!   a = e  0  0  1  1           bytes that lie next to each other in both strings make up one match.
//!       s  0  0  1  2
//! ```
//!
//! Called through its row. Always: the table is smaller than `proto-max-bulk-len`, as in Redis, and so is the time that
//! the keys stay locked.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::commands::string::get_set::STRING;

pub const ROWS: &[Row] = &[Row {
    name: "lcs",
    arity: -3,
    flags: flags(&[Flags::READONLY]),
    keys: Keys::TWO,
    access: &["RO", "access"],
    since: "7.0.0",
    summary: "Finds the longest subsequence that two strings have in common.",
    complexity: "O(N*M) where N and M are the lengths of the strings.",
    run: Run::Keyed(lcs),
    ..STRING
}];

#[derive(Default)]
struct Options {
    /// LEN
    length_only: bool,
    /// IDX
    ranges: bool,
    /// WITHMATCHLEN
    with_length: bool,
    /// MINMATCHLEN; shorter matches are left out.
    length_min: i64,
}

fn lcs(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (a, b) = (text(ctx, 1), text(ctx, 2));
    let (Some(a), Some(b)) = (a, b) else {
        return Err(Failure::text("ERR The specified keys must contain string values"));
    };
    let options = parse(ctx)?;
    let table = Table::new(&a, &b, ctx.config.proto_max_bulk_len)?;
    let length = i64::from(table.at(a.len(), b.len()));
    if options.length_only {
        ctx.reply.int(length);
        return Ok(Effect::None);
    }
    let common = table.walk(&a, &b);
    if options.ranges {
        reply_ranges(ctx, &options, &common.matches, length);
    } else {
        ctx.reply.bulk(&common.text);
    }
    Ok(Effect::None)
}

/// The value of the key at argument `index`, empty if it is missing; `None` if it is no string.
fn text(ctx: &mut Ctx<'_, '_>, index: usize) -> Option<Vec<u8>> {
    match ctx.space.read(ctx.args.get(index)) {
        None => Some(Vec::new()),
        Some(entry) => entry.as_str().map(|value| value.to_vec()),
    }
}

fn parse(ctx: &Ctx<'_, '_>) -> Result<Options, Failure> {
    let args = &ctx.args;
    let mut options = Options::default();
    let mut index = 3;
    while index < args.len() {
        if args.is(index, "idx") {
            options.ranges = true;
        } else if args.is(index, "len") {
            options.length_only = true;
        } else if args.is(index, "withmatchlen") {
            options.with_length = true;
        } else if args.is(index, "minmatchlen") && index + 1 < args.len() {
            index += 1;
            options.length_min = args.int(index)?;
        } else {
            return Err(Failure::SYNTAX);
        }
        index += 1;
    }
    if options.ranges && options.length_only {
        return Err(Failure::text("ERR If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn reply_ranges(ctx: &mut Ctx<'_, '_>, options: &Options, matches: &[Match], length: i64) {
    let shown = || matches.iter().filter(|found| found.len as i64 >= options.length_min);
    ctx.reply.map(2);
    ctx.reply.bulk(b"matches");
    ctx.reply.array(shown().count());
    for found in shown() {
        ctx.reply.array(if options.with_length { 3 } else { 2 });
        for start in [found.a, found.b] {
            ctx.reply.array(2);
            ctx.reply.int(start as i64);
            ctx.reply.int((start + found.len - 1) as i64);
        }
        if options.with_length {
            ctx.reply.int(found.len as i64);
        }
    }
    ctx.reply.bulk(b"len");
    ctx.reply.int(length);
}

/// The lengths for all pairs of prefixes, row after row.
struct Table {
    cells: Vec<u32>,
    width: usize,
}

/// A stretch of `len` bytes that stands at `a` in the one and at `b` in the other string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

/// What two strings have in common.
#[derive(Default)]
struct Common {
    text: Vec<u8>,
    /// From the last to the first, as Redis lists them.
    matches: Vec<Match>,
}

impl Table {
    /// # Errors
    /// The table would take more than `bytes_max` bytes, or more than there are.
    fn new(a: &[u8], b: &[u8], bytes_max: usize) -> Result<Table, Failure> {
        if a.len().max(b.len()) >= u32::MAX as usize - 1 {
            return Err(Failure::text("ERR String too long for LCS"));
        }
        let width = b.len() + 1;
        let cells_wanted = (a.len() + 1) * width;
        if cells_wanted > bytes_max / size_of::<u32>() {
            return Err(Failure::text(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ));
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(cells_wanted).map_err(|_| {
            Failure::text("ERR Insufficient memory, failed allocating transient memory for LCS")
        })?;
        cells.resize(cells_wanted, 0);
        let mut table = Table { cells, width };
        table.fill(a, b);
        Ok(table)
    }

    fn fill(&mut self, a: &[u8], b: &[u8]) {
        for (i, byte) in a.iter().enumerate() {
            let (above, row) = self.cells[i * self.width..(i + 2) * self.width].split_at_mut(self.width);
            for (j, other) in b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// Follows one longest subsequence from its end. Of two equally long ways Redis goes on in `b`, and so do we.
    fn walk(&self, a: &[u8], b: &[u8]) -> Common {
        let mut common = Common::default();
        let (mut i, mut j) = (a.len(), b.len());
        let mut open: Option<Match> = None;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                common.text.push(a[i]);
                open = Some(Match { a: i, b: j, len: open.map_or(0, |found| found.len) + 1 });
            } else {
                common.matches.extend(open.take());
                if self.at(i - 1, j) > self.at(i, j - 1) { i -= 1 } else { j -= 1 }
            }
        }
        common.matches.extend(open);
        common.text.reverse();
        common
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn the_longest_subsequence_comes_as_text_length_or_ranges() {
        let mut h = Harness::new();
        h.run("mset a ohmytext b mynewtext");
        h.reads("lcs a b", "$6 mytext");
        h.reads("lcs a b len", ":6");
        h.reads("lcs a b idx", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6");
        h.reads(
            "lcs a b idx minmatchlen 4 withmatchlen",
            "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6",
        );
        h.reads("lcs a b IDX MINMATCHLEN 5", "*4 $7 matches *0 $3 len :6");
        h.reads(
            "lcs a b idx minmatchlen -5 minmatchlen 4",
            "*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6",
        );
        h.session.resp3 = true;
        h.reads("lcs a b idx minmatchlen 5", "%2 $7 matches *0 $3 len :6");
    }

    #[test]
    fn missing_keys_are_empty_strings() {
        let mut h = Harness::new();
        h.reads("lcs a b", "$0");
        h.reads("lcs a b len", ":0");
        h.reads("lcs a b idx", "*4 $7 matches *0 $3 len :0");
        h.run("set a 123");
        h.reads("lcs a a", "$3 123");
        h.reads("lcs a a idx", "*4 $7 matches *1 *2 *2 :0 :2 *2 :0 :2 $3 len :3");
    }

    #[test]
    fn wrong_options_and_large_tables_are_refused() {
        let mut h = Harness::new();
        h.run("mset a 12345 b 12345");
        h.reads("lcs a b foo", "-ERR syntax error");
        h.reads("lcs a b minmatchlen", "-ERR syntax error");
        h.reads("lcs a b minmatchlen x", "-ERR value is not an integer or out of range");
        h.reads("lcs a b len idx", "-ERR If you want both the length and indexes, please just use IDX.");
        h.configure(|config| config.proto_max_bulk_len = 36 * 4);
        h.reads("lcs a b len", ":5");
        h.configure(|config| config.proto_max_bulk_len = 36 * 4 - 1);
        h.reads(
            "lcs a b len",
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        );
    }
}
