//! The handshake: what a replica says before a primary lets it follow, as Redis 7 says it, and with the version that Valkey 8 adds.
//!
//! ```text
//!   PING -> +PONG    then in one go: [AUTH] REPLCONF listening-port [ip-address] capa version
//!   one line of reply for each      then PSYNC replid offset -> Continue | Full | refused -> SYNC | not now
//! ```
//!
//! Called by the link on a fresh connection. Always: it reads exactly one line for each command, changes nothing on this
//! server, and whatever a primary answers, the outcome is an [`Agreed`] or a logged reason to try again later.

use std::time::Duration;

use crate::backlog::Offset;
use crate::base::version::VALKEY_VERSION;
use crate::commands::spec::effect::encode;
use crate::config::Config;
use crate::replication::identity::{ReplId, psync_offset};
use crate::replication::replica::wire::{Lost, Wire};

/// What the primary is willing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreed {
    /// The stream goes on where we stand, under the name `id` if it names one.
    Continue { id: Option<ReplId> },
    /// A snapshot comes, and the stream behind `offset` of history `id`.
    Full { id: ReplId, offset: Offset },
    /// A snapshot comes, from a primary that knows no offsets.
    FullWithoutPsync,
}

/// Why there is no agreement. The text is for the log.
#[derive(Debug)]
pub enum Refusal {
    Lost(Lost),
    /// The primary said no, or something that makes no sense.
    Refused(String),
    /// The primary says that it cannot serve us yet.
    NotYet(String),
}

impl From<Lost> for Refusal {
    fn from(lost: Lost) -> Refusal {
        Refusal::Lost(lost)
    }
}

/// What we tell about ourselves.
pub struct Introduction {
    pub user: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
    pub port: u16,
    pub ip: Option<String>,
}

impl Introduction {
    pub fn of(config: &Config) -> Introduction {
        let port = match config.replica_announce_port {
            0 => config.port,
            announced => announced,
        };
        Introduction {
            user: config.masteruser.clone(),
            password: config.masterauth.clone(),
            port,
            ip: config.replica_announce_ip.clone(),
        }
    }
}

/// PING and everything up to the PSYNC.
///
/// # Errors
/// See [`Refusal`].
pub fn introduce(wire: &mut Wire<'_>, me: &Introduction, patience: Duration) -> Result<(), Refusal> {
    send(wire, &[b"PING"])?;
    let reply = wire.line(patience)?;
    let is_known_refusal = [b"-NOAUTH".as_slice(), b"-NOPERM", b"-ERR operation not permitted"]
        .iter()
        .any(|known| reply.starts_with(known));
    if !reply.starts_with(b"+") && !is_known_refusal {
        return Err(Refusal::Refused(format!("Error reply to PING from master: '{}'", show(&reply))));
    }
    log::info!("Master replied to PING, replication can continue...");

    let port = me.port.to_string();
    let auth: Option<Vec<&[u8]>> = match (&me.user, &me.password) {
        (Some(user), Some(password)) => Some(vec![b"AUTH", user, password]),
        (None, Some(password)) => Some(vec![b"AUTH", password]),
        (_, None) => None,
    };
    let ip = me.ip.as_ref().map(|ip| ["REPLCONF".as_bytes(), b"ip-address", ip.as_bytes()]);
    if let Some(auth) = &auth {
        send(wire, auth)?;
    }
    send(wire, &[b"REPLCONF", b"listening-port", port.as_bytes()])?;
    if let Some(ip) = &ip {
        send(wire, ip)?;
    }
    send(wire, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"])?;
    send(wire, &[b"REPLCONF", b"version", VALKEY_VERSION.as_bytes()])?;

    if auth.is_some() {
        let reply = wire.line(patience)?;
        if !reply.starts_with(b"+") {
            return Err(Refusal::Refused(format!("Unable to AUTH to MASTER: {}", show(&reply))));
        }
    }
    let asked = [Some("listening-port"), ip.as_ref().map(|_| "ip-address"), Some("capa"), Some("version")];
    for option in asked.into_iter().flatten() {
        let reply = wire.line(patience)?;
        match reply.first() {
            Some(b'+') => {}
            Some(b'-') => {
                log::info!("(Non critical) Master does not understand REPLCONF {option}: {}", show(&reply))
            }
            Some(_) | None => {
                let reply = show(&reply);
                return Err(Refusal::Refused(format!(
                    "Unexpected reply to REPLCONF {option} from master: '{reply}'"
                )));
            }
        }
    }
    Ok(())
}

/// PSYNC from `(id, offset)`, our place in history `id`, and SYNC for a primary that does not know it. A primary whose
/// history is another one answers with a full sync. `hands_over`: it is a replica of ours and is to become our primary.
///
/// # Errors
/// See [`Refusal`].
pub fn synchronize(
    wire: &mut Wire<'_>,
    (id, offset): (ReplId, Offset),
    hands_over: bool,
    patience: Duration,
) -> Result<Agreed, Refusal> {
    let offset = psync_offset(offset).to_string();
    log::info!("Trying a partial resynchronization (request {id}:{offset}).");
    let words = [b"PSYNC", id.as_bytes(), offset.as_bytes(), b"FAILOVER"];
    send(wire, if hands_over { &words } else { &words[..3] })?;
    let reply = loop {
        // An empty line: the primary is busy with us, but there.
        let line = wire.line(patience)?;
        if !line.is_empty() {
            break line;
        }
    };
    match parse_reply(&reply) {
        PsyncReply::Full { id, offset } => {
            log::info!("Full resync from master: {id}:{offset}");
            Ok(Agreed::Full { id, offset })
        }
        PsyncReply::Continue { id } => {
            log::info!("Successful partial resynchronization with master.");
            Ok(Agreed::Continue { id })
        }
        PsyncReply::NotYet => Err(Refusal::NotYet(format!(
            "Master is currently unable to PSYNC but should be in the future: {}",
            show(&reply)
        ))),
        PsyncReply::Malformed => {
            Err(Refusal::Refused(format!("Unexpected reply to PSYNC from master: '{}'", show(&reply))))
        }
        // A plain SYNC would not make it a primary.
        PsyncReply::Unsupported if hands_over => {
            Err(Refusal::Refused(format!("Unexpected reply to PSYNC FAILOVER: {}", show(&reply))))
        }
        PsyncReply::Unsupported => {
            log::info!("Master does not support PSYNC or is in error state (reply: {})", show(&reply));
            log::info!("Retrying with SYNC...");
            wire.send(b"SYNC\r\n")?;
            Ok(Agreed::FullWithoutPsync)
        }
    }
}

#[derive(PartialEq, Eq, Debug)]
enum PsyncReply {
    Full { id: ReplId, offset: Offset },
    Continue { id: Option<ReplId> },
    NotYet,
    Unsupported,
    Malformed,
}

fn parse_reply(line: &[u8]) -> PsyncReply {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    match words.as_slice() {
        [b"+FULLRESYNC", id, offset] => {
            let offset = std::str::from_utf8(offset).ok().and_then(|offset| offset.parse::<i64>().ok());
            match (parse_id(id), offset.and_then(|offset| u64::try_from(offset).ok())) {
                (Some(id), Some(offset)) => PsyncReply::Full { id, offset: Offset(offset) },
                (_, _) => PsyncReply::Malformed,
            }
        }
        [b"+CONTINUE"] => PsyncReply::Continue { id: None },
        [b"+CONTINUE", id] => match parse_id(id) {
            Some(id) => PsyncReply::Continue { id: Some(id) },
            None => PsyncReply::Malformed,
        },
        [b"-NOMASTERLINK" | b"-LOADING", ..] => PsyncReply::NotYet,
        _ if line.starts_with(b"-") => PsyncReply::Unsupported,
        _ => PsyncReply::Malformed,
    }
}

/// Forty digits and nothing else: the name goes into files and other servers' handshakes.
fn parse_id(bytes: &[u8]) -> Option<ReplId> {
    ReplId::parse(bytes).filter(|_| bytes.iter().all(u8::is_ascii_alphanumeric))
}

fn send(wire: &mut Wire<'_>, words: &[&[u8]]) -> Result<(), Lost> {
    let mut bytes = Vec::new();
    encode(&mut bytes, words.len(), words.iter().copied());
    wire.send(&bytes)
}

/// A primary's words for the log, whatever bytes they are.
pub fn show(line: &[u8]) -> String {
    const SHOWN_MAX: usize = 256;
    line[..line.len().min(SHOWN_MAX)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::{PsyncReply, parse_reply};
    use crate::backlog::Offset;
    use crate::replication::identity::ReplId;

    #[test]
    fn replies_to_psync_are_understood_or_refused() {
        let id = ReplId::new([b'a'; 40]);
        let name = "a".repeat(40);
        for (line, expected) in [
            (format!("+FULLRESYNC {name} 0"), PsyncReply::Full { id, offset: Offset(0) }),
            (format!("+FULLRESYNC {name} -1"), PsyncReply::Malformed),
            (format!("+FULLRESYNC {name}"), PsyncReply::Malformed),
            (format!("+FULLRESYNC {} 7", "a".repeat(39)), PsyncReply::Malformed),
            (format!("+FULLRESYNC {} 7", "\u{1}".repeat(40)), PsyncReply::Malformed),
            (format!("+CONTINUE {name}"), PsyncReply::Continue { id: Some(id) }),
            ("+CONTINUE".into(), PsyncReply::Continue { id: None }),
            ("+CONTINUE x".into(), PsyncReply::Malformed),
            ("-NOMASTERLINK Can't SYNC".into(), PsyncReply::NotYet),
            ("-LOADING Redis is".into(), PsyncReply::NotYet),
            ("-ERR unknown command".into(), PsyncReply::Unsupported),
            ("HTTP/1.1 400 Bad Request".into(), PsyncReply::Malformed),
        ] {
            assert_eq!(parse_reply(line.as_bytes()), expected, "{line}");
        }
    }
}
