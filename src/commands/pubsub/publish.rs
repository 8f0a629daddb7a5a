//! PUBLISH and SPUBLISH: a message passes through to the replicas.
//!
//! Called through their rows, mostly by the link: a primary's stream carries what its clients publish. Subscriptions
//! are not served here, so nobody receives the message on this server, and the reply says so: 0.
//! Always: the request goes into the stream as it came, whether or not anybody listens, as in Redis without a cluster.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};

const PUBLISH: Row = Row {
    arity: 3,
    flags: flags(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE, Flags::FAST]),
    group: Group::Pubsub,
    run: Run::Keyed(publish),
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "publish",
        since: "2.0.0",
        summary: "Sends a message to the subscribers of a channel.",
        complexity: "O(N+M) where N is the number of subscribers of the channel and M that of subscribed patterns.",
        ..PUBLISH
    },
    Row {
        name: "spublish",
        keys: Keys::ONE,
        access: &["not_key"],
        since: "7.0.0",
        summary: "Sends a message to the subscribers of a shard channel.",
        complexity: "O(N) where N is the number of subscribers of the shard channel.",
        ..PUBLISH
    },
];

fn publish(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    ctx.reply.int(0);
    Ok(Effect::Verbatim)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn a_message_reaches_nobody_here_and_goes_on_to_the_replicas() {
        let mut h = Harness::new();
        h.check("publish channel hello", ":0", "publish channel hello");
        h.check("SPUBLISH channel hello", ":0", "SPUBLISH channel hello");
        h.reads("publish channel", "-ERR wrong number of arguments for 'publish' command");
        assert_eq!(h.run("publish channel hello").tally.dirty, 0);
    }
}
