//! SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what they lead to.
//!
//! ```text
//!  key -> elements -> weights (the elements, or the keys that BY makes of them) -> order -> what GET makes of them -> reply or list
//! ```
//!
//! Called through their rows. Without patterns it runs on its own keys; BY and GET reach keys that only the elements name, so
//! then all other threads stand still. Always: replicas get the result of STORE as a list, not the question.

mod elements;
mod options;

use crate::codec::listpack::Item;
use crate::commands::generic::sort::elements::{Elements, Weights};
use crate::commands::generic::sort::options::{Get, Options, Pattern};
use crate::commands::spec::{Args, Ctx, Effect, Failure, Flags, Group, Keys, Rewrite, Row, Run, flags};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Space;
use crate::types::list::{End, Limits};
use crate::types::{Hash, Kind, List, Value};

const BASE: Row = Row {
    arity: -2,
    access: &["RO", "access"],
    categories: &["set", "sortedset", "list", "dangerous"],
    group: Group::Generic,
    complexity: "O(N+M*log(M)) where N is the number of elements and M how many of them are returned; O(N) if nothing is sorted.",
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "sort",
        flags: flags(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
        keys: Keys::Sort { stores: true },
        second_access: &["OW", "update"],
        summary: "Sorts the elements of a list, set or sorted set, and returns or stores them.",
        run: Run::Far { reach: |args| reach(args, true), handler: |ctx| sort(ctx, true) },
        ..BASE
    },
    Row {
        name: "sort_ro",
        flags: flags(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
        keys: Keys::Sort { stores: false },
        since: "7.0.0",
        summary: "Returns the sorted elements of a list, set or sorted set.",
        run: Run::Far { reach: |args| reach(args, false), handler: |ctx| sort(ctx, false) },
        ..BASE
    },
];

/// Options that make no sense reach nothing: the handler fails on them before it looks at a key.
fn reach(args: &Args<'_>, stores: bool) -> bool {
    Options::parse(args, stores).is_ok_and(|options| options.reach())
}

fn sort(ctx: &mut Ctx<'_, '_>, stores: bool) -> Result<Effect, Failure> {
    let args = ctx.args;
    let options = Options::parse(&args, stores)?;
    let (elements, order) = sorted(ctx.space, args.get(1), &options)?;
    match options.store {
        Some(destination) => Ok(store(ctx, &options, &elements, &order, destination)),
        None => {
            reply(ctx, &options, &elements, &order);
            Ok(Effect::None)
        }
    }
}

/// The elements, and the indexes of those that are wanted, in order.
fn sorted(
    space: &mut Space<'_>,
    key: &[u8],
    options: &Options<'_>,
) -> Result<(Elements, Vec<usize>), Failure> {
    let Some(entry) = space.read(key) else { return Ok((Elements::default(), Vec::new())) };
    let len = elements::count(entry)?;
    let window = options.window(len);
    let is_constant = matches!(options.by, Some(None));
    // A set has no order of its own: what is stored of it must not depend on how it is kept here.
    let must_sort = is_constant && options.store.is_some() && entry.kind() == Kind::Set;
    if is_constant && !must_sort {
        let elements = Elements::copy(entry, window, options.descends);
        let order = (0..elements.len()).collect();
        return Ok((elements, order));
    }
    let elements = Elements::copy(entry, 0..len, false);
    let weights = if must_sort { Weights::Own } else { weigh(space, &elements, options)? };
    let mut order = elements.order(&weights, options.descends, &window);
    order.drain(..window.start.min(order.len()));
    order.truncate(window.len());
    Ok((elements, order))
}

fn weigh(space: &mut Space<'_>, elements: &Elements, options: &Options<'_>) -> Result<Weights, Failure> {
    match (&options.by, options.alpha) {
        (Some(Some(pattern)), true) => {
            let weight = |element| look_up(space, pattern, element, |value| value.map(<[u8]>::to_vec));
            Ok(Weights::Bytes(elements.iter().map(weight).collect()))
        }
        (Some(Some(pattern)), false) => {
            let weight =
                |element| look_up(space, pattern, element, |value| value.map_or(Ok(0.0), elements::number));
            Ok(Weights::Numbers(elements.iter().map(weight).collect::<Result<_, _>>()?))
        }
        (_, true) => Ok(Weights::Own),
        (_, false) => Ok(Weights::Numbers(elements.iter().map(elements::number).collect::<Result<_, _>>()?)),
    }
}

/// Calls `read` with the string or hash field that a pattern leads to, `None` if there is none.
fn look_up<R>(
    space: &mut Space<'_>,
    pattern: &Pattern<'_>,
    element: &[u8],
    read: impl FnOnce(Option<&[u8]>) -> R,
) -> R {
    let now = space.now();
    let Some(entry) = space.read(&pattern.key(element)) else { return read(None) };
    let mut digits = itoa::Buffer::new();
    match pattern.field {
        None => read(entry.as_str().as_ref().map(|value| value.bytes(&mut digits))),
        Some(field) => {
            let value = entry.get::<Hash>().and_then(|hash| hash.get(field, now));
            read(value.map(|value: Item<'_>| value.bytes(&mut digits)))
        }
    }
}

/// Calls `show` with what is to be answered for an element: itself, or what each GET leads to.
fn results(
    space: &mut Space<'_>,
    options: &Options<'_>,
    element: &[u8],
    mut show: impl FnMut(Option<&[u8]>),
) {
    if options.get.is_empty() {
        return show(Some(element));
    }
    for get in &options.get {
        match get {
            Get::Element => show(Some(element)),
            Get::Nothing => show(None),
            Get::Value(pattern) => look_up(space, pattern, element, &mut show),
        }
    }
}

fn reply(ctx: &mut Ctx<'_, '_>, options: &Options<'_>, elements: &Elements, order: &[usize]) {
    ctx.reply.array(order.len() * options.get.len().max(1));
    for index in order {
        results(ctx.space, options, elements.get(*index), |result| match result {
            Some(bytes) => ctx.reply.bulk(bytes),
            None => ctx.reply.null(),
        });
    }
}

/// Elements in one RPUSH of the stream.
const RPUSH_ELEMENTS_MAX: usize = 1024;

fn store(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
    elements: &Elements,
    order: &[usize],
    destination: &[u8],
) -> Effect {
    // What leads nowhere is stored as an empty string.
    let mut stored: Vec<Vec<u8>> = Vec::with_capacity(order.len());
    for index in order {
        results(ctx.space, options, elements.get(*index), |result| {
            stored.push(result.unwrap_or_default().to_vec());
        });
    }
    ctx.reply.int(stored.len() as i64);
    let mut rewrite = Rewrite::default();
    if ctx.space.peek(destination).is_some() {
        rewrite.push(&[b"DEL", destination]);
    }
    if stored.is_empty() {
        if ctx.space.delete(destination) {
            ctx.space.notify(Classes::GENERIC, "del", destination);
        }
    } else {
        let limits = Limits::of(ctx.config);
        let mut list = List::default();
        list.expect(stored.iter().map(Vec::len).sum(), stored.len(), limits);
        stored.iter().for_each(|element| list.push(End::Tail, element));
        ctx.space.put_value(destination, Value::List(list), None);
        ctx.space.notify(Classes::LIST, "sortstore", destination);
    }
    for some in stored.chunks(RPUSH_ELEMENTS_MAX) {
        let words: Vec<&[u8]> =
            [b"RPUSH".as_slice(), destination].into_iter().chain(some.iter().map(Vec::as_slice)).collect();
        rewrite.push(&words);
    }
    if rewrite.is_empty() { Effect::None } else { Effect::Rewritten(rewrite) }
}

#[cfg(test)]
mod tests;
