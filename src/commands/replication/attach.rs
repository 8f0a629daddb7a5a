//! REPLCONF, PSYNC and SYNC: a replica introduces itself, and its socket leaves for a sender.
//!
//! ```text
//!   REPLCONF listening-port .. capa ..  -> ReplicaTraits of the session
//!   PSYNC replid offset | SYNC          -> checked here, decided by `replication::primary::psync`
//! ```
//!
//! Called through their rows. Always: exactly one line answers each REPLCONF but ACK and GETACK, which get none, for
//! replicas send several in one go and count the lines.

use crate::base::number::parse_i64;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run, flags};
use crate::session::{ReplicaTraits, SyncRequest};

const ADMIN: Flags = flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::NO_ASYNC_LOADING, Flags::NO_MULTI]);

pub const ROWS: &[Row] = &[
    Row {
        name: "psync",
        arity: -3,
        flags: ADMIN,
        group: Group::Server,
        since: "2.8.0",
        summary: "An internal command used in replication.",
        complexity: "",
        run: Run::Control(psync),
        ..Row::BASE
    },
    Row {
        name: "replconf",
        arity: -1,
        flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::ALLOW_BUSY]),
        group: Group::Server,
        since: "3.0.0",
        summary: "An internal command for configuring the replication stream.",
        run: Run::Control(replconf),
        ..Row::BASE
    },
    Row {
        name: "sync",
        arity: 1,
        flags: ADMIN,
        group: Group::Server,
        summary: "An internal command used in replication.",
        complexity: "",
        run: Run::Control(sync),
        ..Row::BASE
    },
];

/// Redis' limit for a host's name.
const HOST_BYTES_MAX: usize = 255;

fn psync(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let is_failover = args.opt(3).is_some_and(|word| word.eq_ignore_ascii_case(b"failover"));
    control.host.admit_replica(control.session, is_failover.then(|| args.get(1)))?;
    let offset = args.int(2).inspect_err(|_| {
        let address = &control.session.client.addr;
        log::warn!("Replica {address} asks for synchronization but with a wrong offset");
    })?;
    leave(control, SyncRequest::Psync { replid: args.get(1).to_vec(), offset })
}

fn sync(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.admit_replica(control.session, None)?;
    leave(control, SyncRequest::Sync)
}

fn leave(control: &mut Control<'_>, request: SyncRequest) -> Result<(), Failure> {
    control.session.replica.get_or_insert_default().request = Some(request);
    control.next = Next::BecomeReplica;
    Ok(())
}

fn replconf(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    let traits = control.session.replica.get_or_insert_default();
    for index in (1..args.len()).step_by(2) {
        match note(traits, args.get(index), args.get(index + 1))? {
            Noted::Yes => {}
            Noted::Silently => return Ok(()),
        }
    }
    control.reply.ok();
    Ok(())
}

enum Noted {
    Yes,
    /// No reply, and the rest of the pairs is ignored (as Redis).
    Silently,
}

fn note(traits: &mut ReplicaTraits, option: &[u8], value: &[u8]) -> Result<Noted, Failure> {
    let number = || parse_i64(value).ok_or(Failure::NOT_AN_INTEGER);
    match option.to_ascii_lowercase().as_slice() {
        b"listening-port" => traits.listening_port = u16::try_from(number()?).unwrap_or(0),
        b"ip-address" if value.len() > HOST_BYTES_MAX => {
            let len = value.len();
            return Err(Failure::new(format!(
                "ERR REPLCONF ip-address provided by replica instance is too long: {len} bytes"
            )));
        }
        b"ip-address" => traits.ip_address = value.to_vec(),
        // A capability that is not known is none that we shall use.
        b"capa" => match value.to_ascii_lowercase().as_slice() {
            b"eof" => traits.eof = true,
            b"psync2" => traits.psync2 = true,
            b"rdb-channel-repl" => traits.rdb_channel = true,
            _ => {}
        },
        b"version" => traits.version = version(value),
        b"rdb-only" => match number()? {
            0 => traits.rdb_only = false,
            1 => traits.rdb_only = true,
            _ => return Err(Failure::OUT_OF_RANGE),
        },
        // From replicas only, and those are not served by workers; from a primary, the link answers.
        b"ack" | b"getack" => return Ok(Noted::Silently),
        _ => {
            let option = String::from_utf8_lossy(option);
            return Err(Failure::new(format!("ERR Unrecognized REPLCONF option: {option}")));
        }
    }
    Ok(Noted::Yes)
}

/// `8.1.0` as `0x080100`; 0 if it is not three numbers.
fn version(text: &[u8]) -> u32 {
    let mut numbers =
        text.split(|byte| *byte == b'.').map(|part| parse_i64(part).filter(|n| (0..256).contains(n)));
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor), Some(patch)) => ((major << 16) | (minor << 8) | patch) as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{note, version};
    use crate::session::ReplicaTraits;

    #[test]
    fn a_replica_introduces_itself() {
        let mut traits = ReplicaTraits::default();
        for (option, value) in [
            ("listening-port", "7001"),
            ("ip-address", "10.0.0.1"),
            ("CAPA", "EOF"),
            ("capa", "psync2"),
            ("capa", "dual-channel"),
            ("version", "8.1.3"),
            ("rdb-only", "1"),
        ] {
            assert!(note(&mut traits, option.as_bytes(), value.as_bytes()).is_ok(), "{option} {value}");
        }
        assert_eq!(
            (traits.listening_port, traits.eof, traits.psync2, traits.rdb_only),
            (7001, true, true, true)
        );
        assert_eq!((traits.ip_address.as_slice(), traits.version), (b"10.0.0.1".as_slice(), 0x08_01_03));
    }

    #[test]
    fn what_is_not_understood_is_refused_in_redis_words() {
        for (option, value, error) in [
            ("listening-port", "x", "ERR value is not an integer or out of range"),
            ("nonsense", "1", "ERR Unrecognized REPLCONF option: nonsense"),
            ("rdb-only", "2", "ERR value is out of range"),
        ] {
            let failure = note(&mut ReplicaTraits::default(), option.as_bytes(), value.as_bytes()).err();
            assert_eq!(failure.map(|failure| failure.0.into_owned()).as_deref(), Some(error));
        }
        let long = "h".repeat(256);
        assert!(note(&mut ReplicaTraits::default(), b"ip-address", long.as_bytes()).is_err());
    }

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!(version(b"9.1.2"), 0x09_01_02);
        for wrong in ["", "9", "9.1", "a.b.c", "1.2.300"] {
            assert_eq!(version(wrong.as_bytes()), 0, "{wrong}");
        }
    }
}
