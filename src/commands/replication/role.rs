//! REPLICAOF, SLAVEOF and ROLE: whom we follow.
//!
//! Called through their rows. Always: REPLICAOF returns when the role has changed; the link then connects on its own.

use crate::commands::spec::host::Replicaof;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

const FLAGS: Flags = flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::STALE, Flags::NO_ASYNC_LOADING]);

pub const ROWS: &[Row] = &[
    Row {
        name: "replicaof",
        arity: 3,
        flags: FLAGS,
        group: Group::Server,
        since: "5.0.0",
        summary: "Configures a server as replica of another, or promotes it to a master.",
        run: Run::Control(replicaof),
        ..Row::BASE
    },
    Row {
        name: "slaveof",
        arity: 3,
        flags: FLAGS,
        group: Group::Server,
        summary: "Sets a Redis server as a replica of another, or promotes it to being a master.",
        run: Run::Control(replicaof),
        ..Row::BASE
    },
    Row {
        name: "role",
        arity: 1,
        flags: flags(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST]),
        categories: &["admin", "dangerous"],
        group: Group::Server,
        since: "2.8.12",
        summary: "Returns the replication role.",
        run: Run::Control(role),
        ..Row::BASE
    },
];

fn replicaof(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let primary = if args.is(1, "no") && args.is(2, "one") {
        None
    } else {
        let port = args.int(2).ok().and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or(Failure::text("ERR Invalid master port"))?;
        let host = std::str::from_utf8(args.get(1)).map_err(|_| Failure::text("ERR Invalid master host"))?;
        Some((host, port))
    };
    match control.host.replicaof(primary, control.session)? {
        Replicaof::Changed => control.reply.ok(),
        Replicaof::AlreadyThere => control.reply.simple("OK Already connected to specified master"),
    }
    Ok(())
}

fn role(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.write_role(control.reply);
    Ok(())
}
