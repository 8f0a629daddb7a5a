//! The options that SET and GETEX share, and expiry times as clients write them.
//!
//! ```text
//!  SET   key value [NX | XX | IFEQ comparison] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
//!  GETEX key                       [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
//! ```
//!
//! Called by `get_set` and `getex`. Always: a deadline that comes out of here is positive, absolute and in
//! milliseconds; options may come in any order and more than once, those of one bracket exclude each other.

use crate::base::ids::UnixMs;
use crate::commands::spec::{Args, Ctx, Failure};

/// When SET sets at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    Always,
    /// NX
    IfMissing,
    /// XX
    IfPresent,
    /// IFEQ, as in Valkey: the value is the argument at `at`.
    IfEqual {
        at: usize,
    },
}

/// How an expiry time is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// EX
    Seconds,
    /// PX
    Milliseconds,
    /// EXAT
    UnixSeconds,
    /// PXAT
    UnixMilliseconds,
}

impl Unit {
    fn is_absolute(self) -> bool {
        match self {
            Unit::UnixSeconds | Unit::UnixMilliseconds => true,
            Unit::Seconds | Unit::Milliseconds => false,
        }
    }
}

/// What becomes of the deadline that the key has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ttl {
    /// Nothing was said: SET drops it, GETEX leaves it.
    Default,
    /// KEEPTTL
    Keep,
    /// PERSIST
    Persist,
    /// The argument at `at` is the new one.
    New { unit: Unit, at: usize },
}

/// The options of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub condition: Condition,
    /// SET answers the old value.
    pub get: bool,
    pub ttl: Ttl,
}

/// Whose options they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    Set,
    GetEx,
}

impl Options {
    /// Reads the arguments from `first` on.
    ///
    /// # Errors
    /// A syntax error for an unknown word, a missing time, and options that exclude each other.
    pub fn parse(args: &Args<'_>, first: usize, of: Of) -> Result<Options, Failure> {
        let mut options = Options { condition: Condition::Always, get: false, ttl: Ttl::Default };
        let mut index = first;
        while index < args.len() {
            let unit = unit(args.get(index));
            if let Some(unit) = unit {
                index += 1;
                if index == args.len() || !options.ttl.allows(unit) {
                    return Err(Failure::SYNTAX);
                }
                options.ttl = Ttl::New { unit, at: index };
            } else if of == Of::Set && args.is(index, "ifeq") {
                index += 1;
                if index == args.len() || options.condition != Condition::Always {
                    return Err(Failure::SYNTAX);
                }
                options.condition = Condition::IfEqual { at: index };
            } else {
                match of {
                    Of::Set => options.set_word(args.get(index))?,
                    Of::GetEx => options.getex_word(args.get(index))?,
                }
            }
            index += 1;
        }
        Ok(options)
    }

    fn set_word(&mut self, word: &[u8]) -> Result<(), Failure> {
        if word.eq_ignore_ascii_case(b"nx")
            && matches!(self.condition, Condition::Always | Condition::IfMissing)
        {
            self.condition = Condition::IfMissing;
        } else if word.eq_ignore_ascii_case(b"xx")
            && matches!(self.condition, Condition::Always | Condition::IfPresent)
        {
            self.condition = Condition::IfPresent;
        } else if word.eq_ignore_ascii_case(b"get") {
            self.get = true;
        } else if word.eq_ignore_ascii_case(b"keepttl") && matches!(self.ttl, Ttl::Default | Ttl::Keep) {
            self.ttl = Ttl::Keep;
        } else {
            return Err(Failure::SYNTAX);
        }
        Ok(())
    }

    fn getex_word(&mut self, word: &[u8]) -> Result<(), Failure> {
        if !word.eq_ignore_ascii_case(b"persist") || !matches!(self.ttl, Ttl::Default | Ttl::Persist) {
            return Err(Failure::SYNTAX);
        }
        self.ttl = Ttl::Persist;
        Ok(())
    }
}

impl Ttl {
    /// A time may be given again in the same unit: then the last one counts.
    fn allows(self, unit: Unit) -> bool {
        match self {
            Ttl::Default => true,
            Ttl::Keep | Ttl::Persist => false,
            Ttl::New { unit: earlier, .. } => earlier == unit,
        }
    }
}

fn unit(word: &[u8]) -> Option<Unit> {
    let units: [(&[u8], Unit); 4] = [
        (b"ex", Unit::Seconds),
        (b"px", Unit::Milliseconds),
        (b"exat", Unit::UnixSeconds),
        (b"pxat", Unit::UnixMilliseconds),
    ];
    units.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, unit)| unit)
}

/// The absolute time that the argument at `at` means.
///
/// # Errors
/// No integer, not positive, or beyond the last millisecond that 64 bits can name.
pub fn deadline(ctx: &Ctx<'_, '_>, unit: Unit, at: usize) -> Result<UnixMs, Failure> {
    let time = ctx.args.int(at)?;
    let in_milliseconds = match unit {
        Unit::Seconds | Unit::UnixSeconds => time.checked_mul(1000),
        Unit::Milliseconds | Unit::UnixMilliseconds => Some(time),
    };
    let start = if unit.is_absolute() { 0 } else { ctx.now().0 };
    in_milliseconds
        .filter(|time| *time > 0)
        .and_then(|time| time.checked_add(start))
        .map(UnixMs)
        .ok_or_else(|| Failure::invalid_expire(ctx.full_name))
}

#[cfg(test)]
mod tests {
    use super::{Of, Options};
    use crate::commands::spec::Args;

    /// A readable form of what was understood.
    fn read(of: Of, words: &str) -> String {
        let words: Vec<&[u8]> = words.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
        match Options::parse(&Args::borrowed(&words, None), 0, of) {
            Ok(options) => format!("{:?} {} {:?}", options.condition, options.get, options.ttl),
            Err(failure) => failure.0.into_owned(),
        }
    }

    #[test]
    fn options_of_one_bracket_exclude_each_other() {
        let fine = [
            (Of::Set, "", "Always false Default"),
            (Of::Set, "nx NX get", "IfMissing true Default"),
            (Of::Set, "XX keepttl KeepTTL", "IfPresent false Keep"),
            (Of::Set, "ex 10 get", "Always true New { unit: Seconds, at: 1 }"),
            (Of::Set, "IfEq nx get", "IfEqual { at: 1 } true Default"),
            (Of::Set, "ex ex", "Always false New { unit: Seconds, at: 1 }"),
            (Of::Set, "px 1 PX 2", "Always false New { unit: Milliseconds, at: 3 }"),
            (Of::GetEx, "persist persist", "Always false Persist"),
            (Of::GetEx, "pxat 5", "Always false New { unit: UnixMilliseconds, at: 1 }"),
        ];
        for (of, words, expected) in fine {
            assert_eq!(read(of, words), expected, "{words}");
        }
        let wrong = [
            (Of::Set, "nx xx"),
            (Of::Set, "xx nx"),
            (Of::Set, "ifeq"),
            (Of::Set, "ifeq a nx"),
            (Of::Set, "xx ifeq a"),
            (Of::Set, "ifeq a ifeq a"),
            (Of::GetEx, "ifeq a"),
            (Of::Set, "ex"),
            (Of::Set, "ex 1 px 1"),
            (Of::Set, "ex 1 exat 1"),
            (Of::Set, "ex 1 keepttl"),
            (Of::Set, "keepttl pxat 1"),
            (Of::Set, "persist"),
            (Of::Set, "foo"),
            (Of::Set, "\0"),
            (Of::GetEx, "nx"),
            (Of::GetEx, "get"),
            (Of::GetEx, "keepttl"),
            (Of::GetEx, "persist ex 1"),
            (Of::GetEx, "ex 1 persist"),
            (Of::GetEx, "exat"),
        ];
        for (of, words) in wrong {
            assert_eq!(read(of, words), "ERR syntax error", "{words}");
        }
    }
}
