//! CLIENT LIST and CLIENT INFO: one line per client, in the form that tools parse.
//!
//! Called through the rows in `client`. Always: fields and their order are those of Redis 7.2; what has no meaning here
//! (a client's private query buffer, for one: reads go through a buffer of the worker) is shown as what it really takes.

use std::fmt::Write as _;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::ids::UnixMs;
use crate::base::number::parse_i64;
use crate::commands::spec::table::{CommandId, table};
use crate::commands::spec::{Args, Control, Failure};
use crate::session::client::{BROADCASTS, Client, REDIRECT_BROKEN, TRACKS};

/// The types that LIST and KILL select by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Normal,
    Primary,
    Replica,
    Pubsub,
}

impl Class {
    pub(super) fn parse(word: &[u8]) -> Result<Class, Failure> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Class::Normal),
            b"master" | b"primary" => Ok(Class::Primary),
            b"slave" | b"replica" => Ok(Class::Replica),
            b"pubsub" => Ok(Class::Pubsub),
            _ => {
                let word = String::from_utf8_lossy(word).into_owned();
                Err(Failure::new(format!("ERR Unknown client type '{word}'")))
            }
        }
    }
}

pub(super) fn class_of(client: &Client) -> Class {
    if client.is_replica.load(Relaxed) {
        Class::Replica
    } else if client.is_subscriber() {
        Class::Pubsub
    } else {
        Class::Normal
    }
}

/// The command that shows it is the last one of its own client.
fn show_command(control: &Control<'_>) {
    if let Some(command) = table().iter().find(|command| command.full_name == control.full_name) {
        control.session.client.last_command.store(command.id.0, Relaxed);
    }
}

pub(super) fn info(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    show_command(control);
    let mut line = String::new();
    write_client(&mut line, &control.session.client, control.now);
    control.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

pub(super) fn list(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut class = None;
    let mut ids: Option<Vec<u64>> = None;
    if args.len() == 4 && args.is(2, "type") {
        class = Some(Class::parse(args.get(3))?);
    } else if args.len() > 3 && args.is(2, "id") {
        let id = |word| parse_i64(word).map(|id| id as u64).ok_or(Failure::text("ERR Invalid client ID"));
        ids = Some(args.from(3).map(id).collect::<Result<_, _>>()?);
    } else if args.len() != 2 {
        return Err(Failure::SYNTAX);
    }
    show_command(control);
    let mut lines = String::new();
    for client in control.host.roster().list() {
        let is_wanted = class.is_none_or(|class| class == class_of(&client))
            && ids.as_ref().is_none_or(|ids| ids.contains(&client.id));
        if is_wanted {
            write_client(&mut lines, &client, control.now);
        }
    }
    if class.is_none_or(|class| class == Class::Primary) && ids.is_none() {
        lines.push_str(&control.host.describe_link());
    }
    control.reply.verbatim("txt", lines.as_bytes());
    Ok(())
}

/// Redis keeps so many bytes of replies with the client itself, shown as `obl`; what is beyond is in blocks of this size, `oll` of
/// them, `omem` bytes. Here all of it is one buffer, shown in the same two parts.
const STATIC_REPLY_BYTES: u64 = 16 * 1024;

/// What kind of client it is and what it is doing, a letter each.
fn flags(client: &Client) -> String {
    let tracking = client.tracking.load(Relaxed);
    let letters = [
        (client.is_monitor.load(Relaxed), 'O'),
        (client.is_replica.load(Relaxed), 'S'),
        (client.is_subscriber(), 'P'),
        (client.queued.load(Relaxed) >= 0, 'x'),
        (client.is_blocked.load(Relaxed), 'b'),
        (tracking & TRACKS != 0, 't'),
        (tracking & REDIRECT_BROKEN != 0, 'R'),
        (tracking & BROADCASTS != 0, 'B'),
        (client.is_unix, 'U'),
        (client.is_no_evict.load(Relaxed), 'e'),
        (client.is_no_touch.load(Relaxed), 'T'),
    ];
    let shown: String = letters.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter).collect();
    if shown.is_empty() { "N".into() } else { shown }
}

fn write_client(out: &mut String, client: &Client, now: UnixMs) {
    let names = client.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let traffic = &client.traffic;
    let last = CommandId(client.last_command.load(Relaxed));
    let command = if last.0 == u16::MAX { "NULL" } else { table().get(last).full_name };
    let (query, query_room) = (traffic.query_bytes.load(Relaxed), traffic.query_capacity.load(Relaxed));
    let (pending, reply_room) = (traffic.pending_bytes.load(Relaxed), traffic.reply_capacity.load(Relaxed));
    let beyond = pending.saturating_sub(STATIC_REPLY_BYTES);
    let multi = client.queued_bytes.load(Relaxed);
    let seconds = |since: i64| (now.0 - since).max(0) / 1000;
    let name = String::from_utf8_lossy(&names.name);
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "id={} addr={} laddr={} fd={} name={name} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} ",
        client.id,
        client.addr,
        client.laddr,
        client.fd,
        seconds(client.created.0),
        seconds(client.last_request.load(Relaxed)),
        flags(client),
        client.db.load(Relaxed),
        client.channels.load(Relaxed),
        client.patterns.load(Relaxed),
        client.shard_channels.load(Relaxed),
        client.queued.load(Relaxed),
    );
    let _ = writeln!(
        out,
        "qbuf={query} qbuf-free={} argv-mem=0 multi-mem={multi} rbs={reply_room} rbp={reply_room} obl={} oll={} omem={beyond} \
         tot-mem={} events=r cmd={command} user={} redir={} resp={} lib-name={} lib-ver={}",
        query_room.saturating_sub(query),
        pending - beyond,
        beyond.div_ceil(STATIC_REPLY_BYTES),
        client.memory_bytes(),
        String::from_utf8_lossy(&names.user),
        client.redirect.load(Relaxed),
        if client.resp3.load(Relaxed) { 3 } else { 2 },
        String::from_utf8_lossy(&names.lib_name),
        String::from_utf8_lossy(&names.lib_ver),
    );
}
