//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites: one confirmation per name, as a push message.
//!
//! ```text
//!  SUBSCRIBE a b    ->  >3 subscribe a 1    >3 subscribe b 2          (an array in RESP2)
//!  UNSUBSCRIBE      ->  the same for everything that was subscribed to, or one with a null if that was nothing
//! ```
//!
//! Called through their rows. Always: the session's book and the registry change together (`Session::subscribe`), and
//! confirmations come even if CLIENT REPLY silences replies.

use crate::commands::spec::{Args, Control, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::pubsub::Kind;

const BASE: Row = Row {
    arity: -2,
    flags: flags(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    group: Group::Pubsub,
    since: "2.0.0",
    ..Row::BASE
};

const SHARD: Row =
    Row { keys: Keys::Range { first: 1, last: -1, step: 1 }, access: &["not_key"], since: "7.0.0", ..BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "subscribe",
        summary: "Listens for messages published to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        run: Run::Control(|args, control| subscribe(args, control, &CHANNEL)),
        ..BASE
    },
    Row {
        name: "unsubscribe",
        arity: -1,
        summary: "Stops listening to messages posted to channels.",
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        run: Run::Control(|args, control| unsubscribe(args, control, &CHANNEL)),
        ..BASE
    },
    Row {
        name: "psubscribe",
        summary: "Listens for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        run: Run::Control(|args, control| subscribe(args, control, &PATTERN)),
        ..BASE
    },
    Row {
        name: "punsubscribe",
        arity: -1,
        summary: "Stops listening to messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        run: Run::Control(|args, control| unsubscribe(args, control, &PATTERN)),
        ..BASE
    },
    Row {
        name: "ssubscribe",
        summary: "Listens for messages published to shard channels.",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        run: Run::Control(|args, control| {
            if control.session.is_executing {
                return Err(Failure::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
            }
            subscribe(args, control, &SHARD_CHANNEL)
        }),
        ..SHARD
    },
    Row {
        name: "sunsubscribe",
        arity: -1,
        summary: "Stops listening to messages posted to shard channels.",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        run: Run::Control(|args, control| unsubscribe(args, control, &SHARD_CHANNEL)),
        ..SHARD
    },
];

/// A kind of subscription with the words of its confirmations.
struct Wording {
    kind: Kind,
    begun: &'static str,
    ended: &'static str,
}

const CHANNEL: Wording = Wording { kind: Kind::Channel, begun: "subscribe", ended: "unsubscribe" };
const PATTERN: Wording = Wording { kind: Kind::Pattern, begun: "psubscribe", ended: "punsubscribe" };
const SHARD_CHANNEL: Wording = Wording { kind: Kind::Shard, begun: "ssubscribe", ended: "sunsubscribe" };

fn subscribe(args: &Args<'_>, control: &mut Control<'_>, wording: &Wording) -> Result<(), Failure> {
    for name in args.from(1) {
        let count = control.session.subscribe(control.host.pubsub(), wording.kind, name);
        confirm(control, wording.begun, Some(name), count);
    }
    Ok(())
}

fn unsubscribe(args: &Args<'_>, control: &mut Control<'_>, wording: &Wording) -> Result<(), Failure> {
    if args.len() > 1 {
        for name in args.from(1) {
            end_one(control, wording, name);
        }
        return Ok(());
    }
    let names = control.session.subscriptions.as_mut().map(|all| all.names(wording.kind)).unwrap_or_default();
    names.iter().for_each(|name| end_one(control, wording, name));
    if names.is_empty() {
        let left = control.session.subscriptions.as_ref().map_or(0, |all| all.shown_count(wording.kind));
        confirm(control, wording.ended, None, left);
    }
    Ok(())
}

fn end_one(control: &mut Control<'_>, wording: &Wording, name: &[u8]) {
    let count = control.session.unsubscribe(control.host.pubsub(), wording.kind, name);
    confirm(control, wording.ended, Some(name), count);
}

fn confirm(control: &mut Control<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    let reply = &mut *control.reply;
    let was_suppressed = reply.suppressed();
    reply.set_suppressed(false);
    reply.push(3);
    reply.bulk(word.as_bytes());
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.int(count as i64);
    reply.set_suppressed(was_suppressed);
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn every_name_is_confirmed_with_the_number_of_subscriptions() {
        let mut h = Harness::new();
        h.reads("subscribe a b a", "*3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2 *3 $9 subscribe $1 a :2");
        h.reads("psubscribe c*", "*3 $10 psubscribe $2 c* :3");
        h.reads("ssubscribe s", "*3 $10 ssubscribe $1 s :1");
        h.reads("unsubscribe a nothing", "*3 $11 unsubscribe $1 a :2 *3 $11 unsubscribe $7 nothing :2");
        h.reads("unsubscribe", "*3 $11 unsubscribe $1 b :1");
        h.reads("unsubscribe", "*3 $11 unsubscribe $-1 :1");
        h.reads("punsubscribe", "*3 $12 punsubscribe $2 c* :0");
        h.reads("punsubscribe", "*3 $12 punsubscribe $-1 :0");
        assert!(h.session.is_subscriber_mode());
        h.reads("sunsubscribe", "*3 $12 sunsubscribe $1 s :0");
        assert!(h.session.subscriptions.is_none());
    }

    #[test]
    fn confirmations_are_push_messages_in_resp3_and_never_silenced() {
        let mut h = Harness::new();
        h.session.resp3 = true;
        h.reads("subscribe a", ">3 $9 subscribe $1 a :1");
        h.reads("unsubscribe a", ">3 $11 unsubscribe $1 a :0");
        h.reads("unsubscribe", ">3 $11 unsubscribe _ :0");
    }

    #[test]
    fn reset_ends_all_subscriptions() {
        let mut h = Harness::new();
        h.run("subscribe a");
        h.run("psubscribe a");
        h.reads("ping", "*2 $4 pong $0");
        h.reads("reset", "+RESET");
        h.check("publish a x", ":0", "publish a x");
    }
}
