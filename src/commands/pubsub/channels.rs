//! PUBSUB: who listens to what, by numbers and names.
//!
//! Called through its rows. Always: patterns are counted apart from channels, and shard channels apart from both.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};
use crate::pubsub::Kind;

const BASE: Row = Row {
    flags: flags(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    group: Group::Pubsub,
    since: "2.8.0",
    ..Row::BASE
};

pub const ROWS: &[Row] = &[Row {
    name: "pubsub",
    arity: -2,
    flags: Flags(0),
    summary: "A container for Pub/Sub commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "channels",
        arity: -2,
        summary: "Returns the active channels.",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively \
                     short channels and patterns)",
        run: Run::Control(|args, control| names(args, control, Kind::Channel)),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(pubsub_help),
        ..BASE
    },
    Row {
        name: "numpat",
        arity: 2,
        summary: "Returns a count of unique pattern subscriptions.",
        run: Run::Control(|_, control| {
            control.reply.int(control.host.pubsub().topic_count(Kind::Pattern) as i64);
            Ok(())
        }),
        ..BASE
    },
    Row {
        name: "numsub",
        arity: -2,
        summary: "Returns a count of subscribers to channels.",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        run: Run::Control(|args, control| counts(args, control, Kind::Channel)),
        ..BASE
    },
    Row {
        name: "shardchannels",
        arity: -2,
        since: "7.0.0",
        summary: "Returns the active shard channels.",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
                     (relatively short shard channels).",
        run: Run::Control(|args, control| names(args, control, Kind::Shard)),
        ..BASE
    },
    Row {
        name: "shardnumsub",
        arity: -2,
        since: "7.0.0",
        summary: "Returns the count of subscribers of shard channels.",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        run: Run::Control(|args, control| counts(args, control, Kind::Shard)),
        ..BASE
    },
];

fn names(args: &Args<'_>, control: &mut Control<'_>, kind: Kind) -> Result<(), Failure> {
    if args.len() > 3 {
        let word = String::from_utf8_lossy(args.get(1));
        return Err(Failure::new(format!(
            "ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
        )));
    }
    let names = control.host.pubsub().names(kind, args.opt(2));
    control.reply.array(names.len());
    names.iter().for_each(|name| control.reply.bulk(name));
    Ok(())
}

fn counts(args: &Args<'_>, control: &mut Control<'_>, kind: Kind) -> Result<(), Failure> {
    control.reply.array((args.len() - 2) * 2);
    for name in args.from(2) {
        control.reply.bulk(name);
        control.reply.int(control.host.pubsub().subscribers(kind, name) as i64);
    }
    Ok(())
}

fn pubsub_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "pubsub",
        &[
            "CHANNELS [<pattern>]",
            "    List the channels with subscribers, all or those that match <pattern>.",
            "NUMPAT",
            "    Count the patterns that clients are subscribed to.",
            "NUMSUB [<channel> ...]",
            "    Count the subscribers of each channel; those of patterns are not in it.",
            "SHARDCHANNELS [<pattern>]",
            "    List the shard channels with subscribers, all or those that match <pattern>.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Count the subscribers of each shard channel.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn channels_patterns_and_shard_channels_are_told_apart() {
        let mut h = Harness::new();
        h.run("subscribe news");
        h.run("psubscribe n* *");
        h.run("ssubscribe shard");
        h.reads("pubsub channels", "*1 $4 news");
        h.reads("pubsub channels x*", "*0");
        h.reads("pubsub numsub news shard", "*4 $4 news :1 $5 shard :0");
        h.reads("pubsub numsub", "*0");
        h.reads("pubsub numpat", ":2");
        h.reads("pubsub shardchannels s*", "*1 $5 shard");
        h.reads("pubsub shardnumsub shard", "*2 $5 shard :1");
    }
}
