//! What sort of value a directive takes: how its text is read, checked, shown and described.
//!
//! ```text
//!   words of a line --parse--> Value --show--> what CONFIG GET prints
//!                                    --write-> what REWRITE puts into the file (list.rs: the kinds of several words)
//! ```
//!
//! Rows name a kind; nothing else knows the syntax. Always: `parse` returns a value that fits the row's field,
//! or the reason in Redis' words, and what `show` and `write` return can be parsed again to the same value.
use super::value::Value;
use super::{line, list, path, units};

/// The largest value of C's `int`, which bounds many directives of Redis.
pub(super) const INT_MAX: i128 = i32::MAX as i128;
/// The largest value of C's `long` and `long long`.
pub(super) const LONG_MAX: i128 = i64::MAX as i128;
/// More event loops than this only cost memory.
const THREADS_MAX: usize = 256;

/// The syntax of a directive's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Bool,
    /// A switch that cannot be turned on; holds what is missing, as the start of a sentence.
    OnlyNo(&'static str),
    Int {
        min: i128,
        max: i128,
    },
    /// Any non-negative integer is taken and moved to the nearest allowed one.
    Clamped {
        min: i128,
        max: i128,
    },
    /// A number, or `auto` for one per core.
    Threads,
    Octal {
        max: u32,
    },
    Memory {
        min: u64,
        max: u64,
    },
    /// Bytes, or a share of `maxmemory`.
    MemoryOrPercent,
    Word(&'static [&'static str]),
    Text(Rule),
    /// An existing directory, relative to the present one.
    Directory,
    // The kinds that take several words:
    Flags(&'static [&'static str]),
    Addresses,
    Save,
    Limits,
    Primary,
    Percentiles,
    Integers {
        count: usize,
        min: i64,
        max: i64,
    },
    /// One word whose letters are classes of events.
    Events,
}

/// What a text must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Any bytes: secrets, and paths, which need not be UTF-8.
    Bytes,
    Utf8,
    /// A file name without a directory; holds the directive and the noun for the error text.
    BaseName(&'static str, &'static str),
    /// Nothing yet: the feature does not exist. Holds its name.
    OnlyEmpty(&'static str),
}

impl Kind {
    pub fn takes_several(&self) -> bool {
        match self {
            Kind::Flags(_)
            | Kind::Addresses
            | Kind::Save
            | Kind::Limits
            | Kind::Primary
            | Kind::Percentiles
            | Kind::Integers { .. } => true,
            Kind::Bool
            | Kind::OnlyNo(_)
            | Kind::Int { .. }
            | Kind::Clamped { .. }
            | Kind::Threads
            | Kind::Octal { .. }
            | Kind::Memory { .. }
            | Kind::MemoryOrPercent
            | Kind::Word(_)
            | Kind::Text(_)
            | Kind::Directory
            | Kind::Events => false,
        }
    }

    /// Reads the words after the name. `old` is the present value, which some kinds only change in part.
    ///
    /// # Errors
    /// The reason, as Redis words it.
    pub fn parse(&self, words: &[&[u8]], old: &Value) -> Result<Value, String> {
        if !self.takes_several() && words.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        let word = words.first().copied().unwrap_or_default();
        match *self {
            Kind::Bool => boolean(word).map(Value::Bool),
            Kind::OnlyNo(missing) => match boolean(word)? {
                false => Ok(Value::Bool(false)),
                true => Err(format!("{missing} not supported yet, only 'no' is allowed")),
            },
            Kind::Int { min, max } => bounded(number(word)?, min, max).map(Value::Int),
            Kind::Clamped { min, max } => {
                bounded(number(word)?, 0, INT_MAX).map(|it| Value::Int(it.clamp(min, max)))
            }
            Kind::Threads => threads(word),
            Kind::Octal { max } => octal(word, max),
            Kind::Memory { min, max } => {
                let bytes = units::memory(word).ok_or("argument must be a memory value")?;
                bounded(bytes.into(), min.into(), max.into()).map(Value::Int)
            }
            Kind::MemoryOrPercent => memory_or_percent(word),
            Kind::Word(allowed) => one_of(word, allowed).map(Value::Word),
            Kind::Text(rule) => text(word, rule),
            Kind::Directory => path::directory(word, old),
            Kind::Flags(allowed) => list::flags(words, allowed),
            Kind::Addresses => list::addresses(words),
            Kind::Save => list::save_points(words),
            Kind::Limits => list::output_limits(words, old),
            Kind::Primary => list::primary(words),
            Kind::Percentiles => list::percentiles(words),
            Kind::Integers { count, min, max } => list::integers(words, count, min, max),
            Kind::Events => list::events(word),
        }
    }

    /// The value of a row's default text. Touches no file: the default directory stays relative.
    pub fn default_value(&self, text: &str) -> Value {
        if let Kind::Directory = self {
            return Value::Bytes(text.as_bytes().to_vec());
        }
        let words: Vec<&[u8]> = match self.takes_several() {
            true => text.split_ascii_whitespace().map(str::as_bytes).collect(),
            false => vec![text.as_bytes()],
        };
        self.parse(&words, &Value::Bool(false))
            .expect("the default of every row is valid: a test parses each one")
    }

    /// The value as CONFIG GET prints it: sizes in bytes, modes in octal, several words joined by a blank.
    pub fn show(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Bool(yes) => yes_no(*yes).into(),
            Value::Int(mode) if matches!(self, Kind::Octal { .. }) => format!("{mode:o}").into(),
            Value::Int(number) => number.to_string().into(),
            Value::Percent(share) => format!("{share}%").into(),
            Value::Word(word) => (*word).into(),
            Value::Words(words) => words.join(" ").into(),
            Value::Bytes(bytes) => bytes.clone(),
            Value::Addresses(addresses) => addresses.join(" ").into(),
            Value::Integers(numbers) => list::joined(numbers).into(),
            Value::Percentiles(shares) => list::show_percentiles(shares).into(),
            Value::Save(points) => list::show_save(points).into(),
            Value::Limits(limits) => list::show_limits(limits).into(),
            Value::Primary(primary) => list::show_primary(primary.as_ref()).into(),
        }
    }

    /// What REWRITE puts after the name: one entry for each line that the value needs.
    pub fn write(&self, value: &Value) -> Vec<Vec<u8>> {
        match value {
            Value::Int(bytes) if matches!(self, Kind::Memory { .. } | Kind::MemoryOrPercent) => {
                vec![u64::try_from(*bytes).map_or_else(|_| bytes.to_string(), units::format_memory).into()]
            }
            Value::Bytes(bytes) => {
                let mut quoted = Vec::new();
                line::quote(bytes, &mut quoted);
                vec![quoted]
            }
            Value::Save(points) if !points.is_empty() => list::write_save(points),
            Value::Limits(limits) => list::write_limits(limits),
            Value::Addresses(_) | Value::Save(_) | Value::Percentiles(_) => {
                let shown = self.show(value);
                vec![if shown.is_empty() { b"\"\"".to_vec() } else { shown }]
            }
            Value::Bool(_)
            | Value::Int(_)
            | Value::Percent(_)
            | Value::Word(_)
            | Value::Words(_)
            | Value::Integers(_)
            | Value::Primary(_) => vec![self.show(value)],
        }
    }

    /// What may be written after the name, for people.
    pub fn allowed(&self) -> String {
        match self {
            Kind::Bool => "yes or no".into(),
            Kind::OnlyNo(_) => "no".into(),
            Kind::Int { min, max } | Kind::Clamped { min, max } => integer_range(*min, *max),
            Kind::Threads => format!("an integer from 1 to {THREADS_MAX}, or auto (one per core)"),
            Kind::Octal { max } => format!("an octal number from 0 to {max:o}"),
            Kind::Memory { min, max } => memory_range(*min, *max),
            Kind::MemoryOrPercent => "a size such as 100mb, or a share of maxmemory from 0% to 100%".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Text(Rule::Bytes | Rule::Utf8) => "text".into(),
            Kind::Text(Rule::BaseName(..)) => "a file name without a directory".into(),
            Kind::Text(Rule::OnlyEmpty(_)) => "\"\"".into(),
            Kind::Directory => "an existing directory".into(),
            Kind::Flags(words) => format!("one or several of {}", words.join(", ")),
            Kind::Addresses => format!("up to {} addresses", list::ADDRESSES_MAX),
            Kind::Save => "pairs of seconds (1 or more) and changes (0 or more), or \"\" for none".into(),
            Kind::Limits => {
                "groups of class (normal, replica or pubsub), hard limit, soft limit, soft seconds".into()
            }
            Kind::Primary => "a host and a port, or no one".into(),
            Kind::Percentiles => "numbers from 0 to 100, or \"\" for none".into(),
            Kind::Integers { count, min, max } => format!("{count} integers from {min} to {max}"),
            Kind::Events => format!("letters out of {}, or \"\" for none", list::EVENT_CLASSES),
        }
    }
}

pub(super) fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn boolean(word: &[u8]) -> Result<bool, String> {
    match word {
        word if word.eq_ignore_ascii_case(b"yes") => Ok(true),
        word if word.eq_ignore_ascii_case(b"no") => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

fn number(word: &[u8]) -> Result<i128, String> {
    units::integer(word).map(i128::from).ok_or_else(|| "argument couldn't be parsed into an integer".into())
}

fn bounded(number: i128, min: i128, max: i128) -> Result<i128, String> {
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

fn threads(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"auto") {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        return Ok(Value::Int(cores.min(THREADS_MAX) as i128));
    }
    bounded(number(word)?, 1, THREADS_MAX as i128).map(Value::Int)
}

fn octal(word: &[u8], max: u32) -> Result<Value, String> {
    let mode = units::octal(word).ok_or("argument couldn't be parsed as an octal number")?;
    if mode > max {
        return Err(format!("argument must be between 0 and {max:o} inclusive"));
    }
    Ok(Value::Int(mode.into()))
}

fn memory_or_percent(word: &[u8]) -> Result<Value, String> {
    if let Some(bytes) = units::memory(word) {
        return bounded(bytes.into(), 0, LONG_MAX).map(Value::Int);
    }
    let share = word.strip_suffix(b"%").and_then(units::integer).filter(|share| *share >= 0);
    match share.map(u8::try_from) {
        None => Err("argument must be a memory or percent value".into()),
        Some(Ok(share)) if share <= 100 => Ok(Value::Percent(share)),
        Some(_) => Err("percentage argument must be less or equal to 100".into()),
    }
}

/// The row's spelling of `word`, or the error that lists all of them.
pub(super) fn one_of(word: &[u8], allowed: &'static [&'static str]) -> Result<&'static str, String> {
    allowed
        .iter()
        .copied()
        .find(|candidate| candidate.as_bytes().eq_ignore_ascii_case(word))
        .ok_or_else(|| format!("argument(s) must be one of the following: {}", allowed.join(", ")))
}

fn text(word: &[u8], rule: Rule) -> Result<Value, String> {
    match rule {
        Rule::Bytes => {}
        Rule::Utf8 if std::str::from_utf8(word).is_err() => return Err("argument must be valid UTF-8".into()),
        Rule::Utf8 => {}
        Rule::BaseName(directive, noun) => path::base_name(word, directive, noun)?,
        Rule::OnlyEmpty(feature) if !word.is_empty() => {
            return Err(format!("{feature} not supported yet, only \"\" is allowed"));
        }
        Rule::OnlyEmpty(_) => {}
    }
    Ok(Value::Bytes(word.to_vec()))
}

fn integer_range(min: i128, max: i128) -> String {
    match (min, max) {
        (_, INT_MAX | LONG_MAX) if min < -1 => "an integer".into(),
        (_, INT_MAX | LONG_MAX) => format!("an integer of at least {min}"),
        _ => format!("an integer from {min} to {max}"),
    }
}

fn memory_range(min: u64, max: u64) -> String {
    let example = "a size such as 1024, 100kb or 2gb";
    match (min, max) {
        (0, _) => example.into(),
        _ => format!("{example}, at least {}", units::format_memory(min)),
    }
}
