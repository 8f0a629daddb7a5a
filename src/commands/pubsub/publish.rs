//! PUBLISH and SPUBLISH: a message for whoever is subscribed, here and on the replicas.
//!
//! Called through their rows, by clients and by the link: a primary's stream carries what its clients publish.
//! Always: the request goes into the stream as it came, whether or not anybody listens, as in Redis without a cluster.

use crate::commands::spec::{Ctx, Effect, Failure, Flags, Group, Keys, Row, Run, flags};
use crate::pubsub::Kind;

const PUBLISH: Row = Row {
    arity: 3,
    flags: flags(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::MAY_REPLICATE]),
    group: Group::Pubsub,
    ..Row::BASE
};

pub const ROWS: &[Row] = &[
    Row {
        name: "publish",
        since: "2.0.0",
        summary: "Posts a message to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of \
                     subscribed patterns (by any client).",
        run: Run::Keyed(|ctx| publish(ctx, Kind::Channel)),
        ..PUBLISH
    },
    Row {
        name: "spublish",
        keys: Keys::ONE,
        access: &["not_key"],
        since: "7.0.0",
        summary: "Post a message to a shard channel",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        run: Run::Keyed(|ctx| publish(ctx, Kind::Shard)),
        ..PUBLISH
    },
];

fn publish(ctx: &mut Ctx<'_, '_>, kind: Kind) -> Result<Effect, Failure> {
    let receivers = ctx.publisher.publish(kind, ctx.args.get(1), ctx.args.get(2));
    ctx.reply.int(receivers as i64);
    Ok(Effect::Verbatim)
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn a_message_goes_on_to_the_replicas_whoever_listens() {
        let mut h = Harness::new();
        h.check("publish channel hello", ":0", "publish channel hello");
        h.check("SPUBLISH channel hello", ":0", "SPUBLISH channel hello");
        h.reads("publish channel", "-ERR wrong number of arguments for 'publish' command");
        assert_eq!(h.run("publish channel hello").tally.dirty, 0);
        h.run("psubscribe ch* *");
        h.check("publish channel hello", ":2", "publish channel hello");
        h.check("spublish channel hello", ":0", "spublish channel hello");
    }
}
