//! LOLWUT: a picture, different each time, and the version.
//!
//! Called through its row. A flock of starlings: birds as dots on a wave, drawn in Braille characters, 2 x 4 dots each.
//! Always: at most `COLUMNS_MAX` by `ROWS_MAX` characters, whatever is asked for.

use crate::base::random::Rng;
use crate::base::version::{REDIS_VERSION, STARLING_VERSION};
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

pub const ROWS: &[Row] = &[Row {
    name: "lolwut",
    arity: -1,
    flags: flags(&[Flags::READONLY, Flags::FAST]),
    group: Group::Server,
    since: "5.0.0",
    summary: "Displays computer art and the Redis version",
    complexity: "",
    run: Run::Control(lolwut),
    ..Row::BASE
}];

const COLUMNS_MAX: usize = 160;
const ROWS_MAX: usize = 60;

/// `LOLWUT [VERSION version] [columns [rows [birds]]]`
fn lolwut(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let first = if args.len() > 2 && args.is(1, "version") {
        args.int(2)?;
        3
    } else {
        1
    };
    let number = |at: usize, default: usize, max: usize| match args.opt(at) {
        None => Ok(default),
        Some(_) => args.int(at).map(|number| number.clamp(1, max as i64) as usize),
    };
    let (columns, rows) = (number(first, 66, COLUMNS_MAX)?, number(first + 1, 12, ROWS_MAX)?);
    let birds = number(first + 2, 400, 10_000)?;
    let mut text = murmuration(control.rng, columns, rows, birds);
    text.push_str(&format!("\nRedis ver. {REDIS_VERSION}, Starling {STARLING_VERSION}\n"));
    control.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Birds along a wave, thinning out from its middle.
fn murmuration(rng: &mut Rng, columns: usize, rows: usize, birds: usize) -> String {
    let (width, height) = (columns * 2, rows * 4);
    let mut cells = vec![0u8; columns * rows];
    let (phase, bend) = (rng.unit() * std::f64::consts::TAU, 1.0 + rng.unit() * 2.0);
    for _ in 0..birds {
        let along = rng.unit();
        let centre = 0.5 + 0.28 * (phase + along * bend * std::f64::consts::TAU).sin();
        // The sum of three chances lies near the middle more often than far from it.
        let off = (rng.unit() + rng.unit() + rng.unit() - 1.5) * 0.35 * (along * std::f64::consts::PI).sin();
        let (x, y) = ((along * width as f64) as usize, (centre + off).clamp(0.0, 0.999) * height as f64);
        let (x, y) = (x.min(width - 1), y as usize);
        cells[y / 4 * columns + x / 2] |= dot(x % 2, y % 4);
    }
    let mut out = String::new();
    for row in cells.chunks(columns) {
        let shown = row.iter().map(|dots| char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' '));
        out.extend(shown);
        out.push('\n');
    }
    out
}

/// The bit of a dot within a Braille character.
fn dot(x: usize, y: usize) -> u8 {
    const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    BITS[y][x]
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn a_picture_has_the_size_that_was_asked_for_within_reason() {
        let mut h = Harness::new();
        for (request, lines) in [("lolwut", 12), ("lolwut version 5 10 3 7", 3), ("lolwut 1 1000000000", 60)]
        {
            let reply = String::from_utf8(h.run(request).reply).expect("UTF-8");
            assert_eq!(reply.lines().count(), 1 + lines + 2 + 1, "{request}");
            assert!(reply.contains("Redis ver. "));
        }
        h.reads("lolwut x", "-ERR value is not an integer or out of range");
    }
}
