//! LPOS: where elements are.
//!
//! Called through its row. Always: indexes are counted from the head, also when the search begins at the tail.

use crate::commands::list::LIST;
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Row, Run};
use crate::types::list::End;
use crate::types::{Collection, List};

pub const ROWS: &[Row] = &[Row {
    name: "lpos",
    arity: -3,
    flags: Flags::READONLY,
    access: &["RO", "access"],
    since: "6.0.6",
    summary: "Returns the index of elements of a list that match.",
    complexity: "O(N) where N is the number of elements compared.",
    run: Run::Keyed(lpos),
    ..LIST
}];

struct Options {
    from: End,
    /// So many matches are passed over.
    passed: u64,
    /// How many matches are wanted, as an array; 0 for all. None: the first one, alone.
    count: Option<usize>,
    /// So many elements are compared; 0 for all.
    compared_max: usize,
}

fn parse(args: &Args<'_>) -> Result<Options, Failure> {
    const RANK_ZERO: Failure = Failure::text(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from \
         the end of the list",
    );
    const RANK_RANGE: Failure = Failure::text(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    let mut options = Options { from: End::Head, passed: 0, count: None, compared_max: 0 };
    let natural = |at: usize| args.int(at).ok().and_then(|number| usize::try_from(number).ok());
    let mut at = 3;
    while at < args.len() {
        if at + 1 == args.len() {
            return Err(Failure::SYNTAX);
        }
        if args.is(at, "rank") {
            let rank = args.int(at + 1)?;
            match rank {
                0 => return Err(RANK_ZERO),
                i64::MIN => return Err(RANK_RANGE),
                _ => {}
            }
            options.from = if rank < 0 { End::Tail } else { End::Head };
            options.passed = rank.unsigned_abs() - 1;
        } else if args.is(at, "count") {
            let count = natural(at + 1).ok_or(Failure::text("ERR COUNT can't be negative"))?;
            options.count = Some(count);
        } else if args.is(at, "maxlen") {
            options.compared_max = natural(at + 1).ok_or(Failure::text("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 2;
    }
    Ok(options)
}

fn lpos(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = parse(&ctx.args)?;
    let list = ctx.space.read_as::<List>(ctx.args.get(1))?;
    let wanted = options.count.unwrap_or(1);
    let mut found: Vec<usize> = Vec::new();
    if let Some(list) = list {
        let (len, element) = (list.len(), ctx.args.get(2));
        let mut passed = options.passed;
        let mut compared = 0;
        list.visit(options.from, 0, |item| {
            if item.eq_bytes(element) {
                if passed > 0 {
                    passed -= 1;
                } else {
                    found.push(match options.from {
                        End::Head => compared,
                        End::Tail => len - 1 - compared,
                    });
                }
            }
            compared += 1;
            (wanted == 0 || found.len() < wanted) && compared != options.compared_max
        });
    }
    match (options.count, found.first()) {
        (Some(_), _) => {
            ctx.reply.array(found.len());
            found.iter().for_each(|index| ctx.reply.int(*index as i64));
        }
        (None, Some(index)) => ctx.reply.int(*index as i64),
        (None, None) => ctx.reply.null(),
    }
    Ok(Effect::None)
}
