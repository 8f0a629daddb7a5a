//! CLIENT: what a client says about itself, and what it does to others.
//!
//! Called through its rows; LIST and INFO are in `client_list`.
//! Always: another client is reached through its record in the roster and the host, never directly.

use std::sync::{Arc, PoisonError};

use crate::base::ids::UnixMs;
use crate::base::number::parse_i64;
use crate::commands::connection::{client_list, client_pause, client_tracking};
use crate::commands::spec::help::help;
use crate::commands::spec::host::Unblocking;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run, flags};
use crate::session::ReplyMode;
use crate::session::client::Client;

const QUIET: Flags = flags(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]);
const ADMIN: Flags = QUIET.and(Flags::ADMIN);
const BASE: Row = Row { flags: QUIET, categories: &["connection"], group: Group::Connection, ..Row::BASE };

pub const ROWS: &[Row] = &[Row {
    name: "client",
    arity: -2,
    flags: Flags(0),
    categories: &[],
    since: "2.4.0",
    summary: "A container for client connection commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "id",
        arity: 2,
        since: "5.0.0",
        summary: "Returns the unique client ID of the connection.",
        run: Run::Control(id),
        ..BASE
    },
    Row {
        name: "info",
        arity: 2,
        since: "6.2.0",
        summary: "Returns information about the connection.",
        tips: &["nondeterministic_output"],
        run: Run::Control(client_list::info),
        ..BASE
    },
    Row {
        name: "list",
        arity: -2,
        flags: ADMIN,
        since: "2.4.0",
        summary: "Lists open connections.",
        complexity: "O(N) where N is the number of client connections",
        tips: &["nondeterministic_output"],
        run: Run::Control(client_list::list),
        ..BASE
    },
    Row {
        name: "kill",
        arity: -3,
        flags: ADMIN,
        since: "2.4.0",
        summary: "Terminates open connections.",
        complexity: "O(N) where N is the number of client connections",
        run: Run::Control(kill),
        ..BASE
    },
    Row {
        name: "setname",
        arity: 3,
        since: "2.6.9",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Sets the connection name.",
        run: Run::Control(set_name),
        ..BASE
    },
    Row {
        name: "getname",
        arity: 2,
        since: "2.6.9",
        summary: "Returns the name of the connection.",
        run: Run::Control(get_name),
        ..BASE
    },
    Row {
        name: "setinfo",
        arity: 4,
        since: "7.2.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        summary: "Sets information specific to the client or connection.",
        run: Run::Control(set_info),
        ..BASE
    },
    Row {
        name: "caching",
        arity: 3,
        since: "6.0.0",
        summary: "Instructs the server whether to track the keys in the next request.",
        run: Run::Control(client_tracking::caching),
        ..BASE
    },
    Row {
        name: "getredir",
        arity: 2,
        since: "6.0.0",
        summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
        run: Run::Control(client_tracking::get_redirect),
        ..BASE
    },
    Row {
        name: "no-evict",
        arity: 3,
        flags: ADMIN,
        since: "7.0.0",
        summary: "Sets the client eviction mode of the connection.",
        run: Run::Control(client_pause::no_evict),
        ..BASE
    },
    Row {
        name: "no-touch",
        arity: 3,
        since: "7.2.0",
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
        run: Run::Control(client_pause::no_touch),
        ..BASE
    },
    Row {
        name: "pause",
        arity: -3,
        flags: ADMIN,
        since: "3.0.0",
        summary: "Suspends commands processing.",
        run: Run::Control(client_pause::pause),
        ..BASE
    },
    Row {
        name: "tracking",
        arity: -3,
        since: "6.0.0",
        summary: "Controls server-assisted client-side caching for the connection.",
        complexity: "O(1). Some options may introduce additional complexity.",
        run: Run::Control(client_tracking::tracking),
        ..BASE
    },
    Row {
        name: "trackinginfo",
        arity: 2,
        since: "6.2.0",
        summary: "Returns information about server-assisted client-side caching for the connection.",
        run: Run::Control(client_tracking::tracking_info),
        ..BASE
    },
    Row {
        name: "unpause",
        arity: 2,
        flags: ADMIN,
        since: "6.2.0",
        summary: "Resumes processing commands from paused clients.",
        complexity: "O(N) Where N is the number of paused clients",
        run: Run::Control(client_pause::unpause),
        ..BASE
    },
    Row {
        name: "reply",
        arity: 3,
        since: "3.2.0",
        summary: "Instructs the server whether to reply to commands.",
        run: Run::Control(reply_mode),
        ..BASE
    },
    Row {
        name: "unblock",
        arity: -3,
        flags: ADMIN,
        since: "5.0.0",
        summary: "Unblocks a client blocked by a blocking command from a different connection.",
        complexity: "O(log N) where N is the number of client connections",
        run: Run::Control(unblock),
        ..BASE
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(client_help),
        ..BASE
    },
];

pub(super) const BAD_NAME: Failure =
    Failure::text("ERR Client names cannot contain spaces, newlines or special characters.");

/// Names must be printable and without spaces, so that CLIENT LIST stays parsable.
pub(super) fn is_valid_name(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn id(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.int(control.session.client.id as i64);
    Ok(())
}

fn set_name(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let name = args.get(2);
    if !is_valid_name(name) {
        return Err(BAD_NAME);
    }
    control.session.client.set_name(name);
    control.reply.ok();
    Ok(())
}

fn get_name(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let names = control.session.client.names.lock().unwrap_or_else(PoisonError::into_inner);
    if names.name.is_empty() {
        control.reply.null();
    } else {
        control.reply.bulk(&names.name);
    }
    Ok(())
}

fn set_info(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let value = args.get(3);
    let mut names = control.session.client.names.lock().unwrap_or_else(PoisonError::into_inner);
    let (field, name) = if args.is(2, "lib-name") {
        (&mut names.lib_name, "lib-name")
    } else if args.is(2, "lib-ver") {
        (&mut names.lib_ver, "lib-ver")
    } else {
        let option = String::from_utf8_lossy(args.get(2)).into_owned();
        return Err(Failure::new(format!("ERR Unrecognized option '{option}'")));
    };
    if !is_valid_name(value) {
        return Err(Failure::new(format!(
            "ERR {name} cannot contain spaces, newlines or special characters."
        )));
    }
    *field = value.to_vec();
    drop(names);
    control.reply.ok();
    Ok(())
}

fn reply_mode(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.is(2, "on") {
        control.session.reply_mode = ReplyMode::On;
        control.reply.set_suppressed(false);
        control.reply.ok();
    } else if args.is(2, "off") {
        control.session.reply_mode = ReplyMode::Off;
    } else if args.is(2, "skip") {
        if control.session.reply_mode != ReplyMode::Off {
            control.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Failure::SYNTAX);
    }
    Ok(())
}

/// What CLIENT KILL and CLIENT LIST select by.
#[derive(Default)]
struct KillFilter<'a> {
    id: Option<u64>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    class: Option<client_list::Class>,
    user: Option<&'a [u8]>,
    /// Connected for at least so many seconds.
    age_seconds: Option<i64>,
    kills_itself: bool,
}

impl KillFilter<'_> {
    fn selects(&self, client: &Client, own_id: u64, now: UnixMs) -> bool {
        let names = client.names.lock().unwrap_or_else(PoisonError::into_inner);
        self.id.is_none_or(|id| id == client.id)
            && self.address.is_none_or(|address| address == client.addr.as_bytes())
            && self.local_address.is_none_or(|address| address == client.laddr.as_bytes())
            && self.class.is_none_or(|class| class == client_list::class_of(client))
            && self.user.is_none_or(|user| user == names.user)
            && self.age_seconds.is_none_or(|age| (now.0 - client.created.0) / 1000 >= age)
            && (self.kills_itself || client.id != own_id)
    }
}

fn kill(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.len() == 3 {
        let filter = KillFilter { address: Some(args.get(2)), kills_itself: true, ..KillFilter::default() };
        if kill_selected(control, &filter) + control.host.kill_link(args.get(2)) == 0 {
            return Err(Failure::text("ERR No such client"));
        }
        control.reply.ok();
        return Ok(());
    }
    let filter = parse_kill(args)?;
    let mut killed = kill_selected(control, &filter);
    let wants_link = filter.class == Some(client_list::Class::Primary)
        && filter.id.is_none()
        && filter.local_address.is_none()
        && filter.user.is_none();
    if let Some(address) = filter.address.filter(|_| filter.class.is_none()) {
        killed += control.host.kill_link(address);
    } else if wants_link {
        killed += control.host.kill_link(filter.address.unwrap_or_default());
    }
    control.reply.int(killed as i64);
    Ok(())
}

fn kill_selected(control: &mut Control<'_>, filter: &KillFilter<'_>) -> usize {
    let (own_id, now) = (control.session.client.id, control.now);
    let selected: Vec<Arc<Client>> = control
        .host
        .roster()
        .list()
        .into_iter()
        .filter(|client| filter.selects(client, own_id, now))
        .collect();
    for client in &selected {
        if client.id == own_id {
            // The reply to this very command still goes out.
            control.next = Next::Close;
        } else {
            control.host.kill(client);
        }
    }
    selected.len()
}

fn parse_kill<'a>(args: &Args<'a>) -> Result<KillFilter<'a>, Failure> {
    let mut filter = KillFilter::default();
    let mut at = 2;
    while at < args.len() {
        let Some(value) = args.opt(at + 1) else { return Err(Failure::SYNTAX) };
        if args.is(at, "id") {
            let id = parse_i64(value).filter(|id| *id > 0);
            filter.id = Some(id.ok_or(Failure::text("ERR client-id should be greater than 0"))? as u64);
        } else if args.is(at, "type") {
            filter.class = Some(client_list::Class::parse(value)?);
        } else if args.is(at, "addr") {
            filter.address = Some(value);
        } else if args.is(at, "laddr") {
            filter.local_address = Some(value);
        } else if args.is(at, "user") {
            if value != b"default" {
                let user = String::from_utf8_lossy(value).into_owned();
                return Err(Failure::new(format!("ERR No such user '{user}'")));
            }
            filter.user = Some(value);
        } else if args.is(at, "maxage") {
            let age = args.int(at + 1).ok().filter(|age| *age > 0);
            filter.age_seconds =
                Some(age.ok_or(Failure::text("ERR maxage is not an integer or out of range"))?);
        } else if args.is(at, "skipme") && args.is(at + 1, "yes") {
            filter.kills_itself = false;
        } else if args.is(at, "skipme") && args.is(at + 1, "no") {
            filter.kills_itself = true;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 2;
    }
    Ok(filter)
}

fn unblock(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let how = match args.opt(3) {
        None => Unblocking::TimeOut,
        Some(_) if args.len() > 4 => {
            return Err(Failure::text(
                "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
            ));
        }
        Some(word) if word.eq_ignore_ascii_case(b"timeout") => Unblocking::TimeOut,
        Some(word) if word.eq_ignore_ascii_case(b"error") => Unblocking::Error,
        Some(_) => return Err(Failure::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = args.int(2)?;
    let is_unblocked = u64::try_from(id).is_ok_and(|id| control.host.unblock_client(id, how));
    control.reply.int(i64::from(is_unblocked));
    Ok(())
}

fn client_help(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "client",
        &[
            "CACHING (YES|NO)",
            "    Say whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT.",
            "GETREDIR",
            "    Return the ID of the client that invalidations are redirected to, 0 or -1.",
            "GETNAME",
            "    Return the name of the current connection.",
            "ID",
            "    Return the ID of the current connection.",
            "INFO",
            "    Return information about the current client connection.",
            "KILL <ip:port>",
            "    Kill connection made from <ip:port>.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Kill connections. Options are:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made from the specified address",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made to specified local address",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Kill connections by type.",
            "    * USER <username>",
            "      Kill connections authenticated by <username>.",
            "    * SKIPME (YES|NO)",
            "      Skip killing current connection (default: yes).",
            "    * MAXAGE <seconds>",
            "      Kill connections that are at least this old.",
            "LIST [options ...]",
            "    Return information about client connections. Options:",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Return clients of specified type.",
            "NO-EVICT (ON|OFF)",
            "    Protect the current connection from being evicted.",
            "NO-TOUCH (ON|OFF)",
            "    Leave the access times of keys alone when this connection reads them.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Keep commands back for <timeout> milliseconds: all, or those that write.",
            "REPLY (ON|OFF|SKIP)",
            "    Control the replies sent to the current connection.",
            "SETNAME <name>",
            "    Assign the name <name> to the current connection.",
            "SETINFO <option> <value>",
            "    Set client meta attr. Options are:",
            "    * LIB-NAME: the client lib name.",
            "    * LIB-VER: the client lib version.",
            "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
            "    Have the server tell which cached keys have changed.",
            "TRACKINGINFO",
            "    Return how the current connection tracks keys.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    Unblock the specified blocked client.",
            "UNPAUSE",
            "    Let paused commands run.",
        ],
    );
    Ok(())
}
