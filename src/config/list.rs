//! The directives that take several words: save points, addresses, client classes, the primary, flags.
//!
//! Called by `kind.rs` only, which hands over the words after the name. A list is taken as a whole or refused as
//! a whole, with the reason in Redis' words.
use std::fmt::Display;

use super::kind::one_of;
use super::units;
use super::value::{OutputLimit, OutputLimits, PrimaryAddress, SavePoint, Value};

/// As many as Redis takes.
pub(super) const ADDRESSES_MAX: usize = 16;
/// Every class of keyspace events, in the order of Redis' error text.
pub(super) const EVENT_CLASSES: &str = "Ag$lshzxeKEtmdn";
/// The classes that `A` stands for, in the order in which they are shown.
const EVENTS_IN_ALL: &str = "g$lshzxetd";

pub(super) fn flags(words: &[&[u8]], allowed: &'static [&'static str]) -> Result<Value, String> {
    if words.is_empty() {
        one_of(b"", allowed)?;
    }
    let chosen = words.iter().map(|word| one_of(word, allowed)).collect::<Result<Vec<_>, _>>()?;
    if chosen.contains(&"save") && chosen.contains(&"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    // The first word of the set says "none of the others", so it only stays when it is alone.
    let others: Vec<&str> = allowed.iter().skip(1).copied().filter(|word| chosen.contains(word)).collect();
    Ok(Value::Words(if others.is_empty() { vec![allowed[0]] } else { others }))
}

pub(super) fn addresses(words: &[&[u8]]) -> Result<Value, String> {
    if words.len() > ADDRESSES_MAX {
        return Err("Too many bind addresses specified.".into());
    }
    if let [b""] = words {
        return Ok(Value::Addresses(Vec::new()));
    }
    let address = |word: &&[u8]| match std::str::from_utf8(word) {
        Ok(text) if !text.is_empty() => Ok(text.to_string()),
        _ => Err("Invalid bind address".to_string()),
    };
    words.iter().map(address).collect::<Result<_, _>>().map(Value::Addresses)
}

pub(super) fn save_points(words: &[&[u8]]) -> Result<Value, String> {
    let words = if let [b""] = words { &[] } else { words };
    let point = |pair: &[&[u8]]| match pair {
        [seconds, changes] => {
            let seconds = units::integer(seconds).and_then(|it| u64::try_from(it).ok())?;
            let changes = units::integer(changes).and_then(|it| u64::try_from(it).ok())?;
            (seconds >= 1).then_some(SavePoint { seconds, changes })
        }
        _ => None,
    };
    let points: Option<Vec<_>> = words.chunks(2).map(point).collect();
    points.map(Value::Save).ok_or_else(|| "Invalid save parameters".into())
}

/// Changes only the classes that are named.
pub(super) fn output_limits(words: &[&[u8]], old: &Value) -> Result<Value, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = if let Value::Limits(old) = old { *old } else { OutputLimits::default() };
    for group in words.chunks(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => &mut limits.normal,
            b"replica" | b"slave" => &mut limits.replica,
            b"pubsub" => &mut limits.pubsub,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        *class = output_limit(group)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(Value::Limits(limits))
}

fn output_limit(group: &[&[u8]]) -> Option<OutputLimit> {
    Some(OutputLimit {
        hard_bytes: units::memory(group[1])?,
        soft_bytes: units::memory(group[2])?,
        soft_seconds: units::integer(group[3])?.try_into().ok()?,
    })
}

pub(super) fn primary(words: &[&[u8]]) -> Result<Value, String> {
    let [host, port] = words else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::Primary(None));
    }
    let port = units::integer(port).and_then(|port| port.try_into().ok()).ok_or("Invalid master port")?;
    match std::str::from_utf8(host) {
        Ok(host) if !host.is_empty() => {
            Ok(Value::Primary(Some(PrimaryAddress { host: host.to_string(), port })))
        }
        _ => Err("Invalid master host".into()),
    }
}

pub(super) fn percentiles(words: &[&[u8]]) -> Result<Value, String> {
    let words = if let [b""] = words { &[] } else { words };
    let share = |word: &&[u8]| {
        let share: Option<f64> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
        match share.filter(|share| share.is_finite()) {
            None => Err("Invalid latency-tracking-info-percentiles parameters".to_string()),
            Some(share) if (0.0..=100.0).contains(&share) => Ok(share),
            Some(_) => {
                Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into())
            }
        }
    };
    words.iter().map(share).collect::<Result<_, _>>().map(Value::Percentiles)
}

pub(super) fn integers(words: &[&[u8]], count: usize, min: i64, max: i64) -> Result<Value, String> {
    if words.len() != count {
        return Err("wrong number of arguments".into());
    }
    let number = |word: &&[u8]| units::integer(word).filter(|number| (min..=max).contains(number));
    let numbers: Option<Vec<_>> = words.iter().map(number).collect();
    numbers
        .map(Value::Integers)
        .ok_or_else(|| format!("Invalid oom-score-adj-values, elements must be between {min} and {max}."))
}

/// Brings the letters into the order in which Redis shows them, with `A` for all the classes that it covers.
pub(super) fn events(word: &[u8]) -> Result<Value, String> {
    if !word.iter().all(|letter| EVENT_CLASSES.as_bytes().contains(letter)) {
        return Err(format!("Invalid event class character. Use '{EVENT_CLASSES}'."));
    }
    let has = |letter: u8| {
        word.contains(&letter) || (word.contains(&b'A') && EVENTS_IN_ALL.as_bytes().contains(&letter))
    };
    let mut shown: Vec<u8> = EVENTS_IN_ALL.bytes().filter(|letter| has(*letter)).collect();
    if shown.len() == EVENTS_IN_ALL.len() {
        shown = vec![b'A'];
    }
    shown.extend(b"nKEm".iter().filter(|letter| has(**letter)));
    Ok(Value::Bytes(shown))
}

pub(super) fn joined<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// Up to six decimals, none of them a trailing zero.
pub(super) fn show_percentiles(shares: &[f64]) -> String {
    let short = |share: &f64| format!("{share:.6}").trim_end_matches('0').trim_end_matches('.').to_string();
    shares.iter().map(short).collect::<Vec<_>>().join(" ")
}

pub(super) fn show_save(points: &[SavePoint]) -> String {
    points.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect::<Vec<_>>().join(" ")
}

pub(super) fn write_save(points: &[SavePoint]) -> Vec<Vec<u8>> {
    points.iter().map(|point| format!("{} {}", point.seconds, point.changes).into()).collect()
}

/// Clients parse the old word here, so CONFIG GET says `slave`.
pub(super) fn show_limits(limits: &OutputLimits) -> String {
    let class = |name: &str, it: OutputLimit| {
        format!("{name} {} {} {}", it.hard_bytes, it.soft_bytes, it.soft_seconds)
    };
    [class("normal", limits.normal), class("slave", limits.replica), class("pubsub", limits.pubsub)].join(" ")
}

/// One line for each class, with units.
pub(super) fn write_limits(limits: &OutputLimits) -> Vec<Vec<u8>> {
    let class = |name: &str, it: OutputLimit| {
        let (hard, soft) = (units::format_memory(it.hard_bytes), units::format_memory(it.soft_bytes));
        format!("{name} {hard} {soft} {}", it.soft_seconds).into()
    };
    vec![class("normal", limits.normal), class("replica", limits.replica), class("pubsub", limits.pubsub)]
}

pub(super) fn show_primary(primary: Option<&PrimaryAddress>) -> String {
    primary.map_or(String::new(), |it| format!("{} {}", it.host, it.port))
}
