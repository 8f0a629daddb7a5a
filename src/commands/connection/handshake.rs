//! PING, ECHO, SELECT, AUTH, HELLO, QUIT, RESET: how a connection begins, identifies itself and ends.
//!
//! Called through their rows. Always: a password is compared in time that does not depend on where it differs.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::ids::DbIndex;
use crate::base::version::REDIS_VERSION;
use crate::commands::connection::client::is_valid_name;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Next, Row, Run, flags};
use crate::session::{ReplyMode, Session};

const OPEN: Flags =
    flags(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::NO_AUTH, Flags::ALLOW_BUSY]);

const BASE: Row = Row { categories: &["connection"], group: Group::Connection, ..Row::BASE };

pub const ROWS: &[Row] = &[
    Row {
        name: "ping",
        arity: -1,
        flags: Flags::FAST,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        summary: "Returns the server's liveliness response.",
        run: Run::Control(ping),
        ..BASE
    },
    Row {
        name: "echo",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
        summary: "Returns the given string.",
        run: Run::Control(echo),
        ..BASE
    },
    Row {
        name: "select",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
        summary: "Changes the selected database.",
        run: Run::Control(select),
        ..BASE
    },
    Row {
        name: "auth",
        arity: -2,
        flags: OPEN,
        summary: "Authenticates the connection.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        run: Run::Control(auth),
        ..BASE
    },
    Row {
        name: "hello",
        arity: -1,
        flags: OPEN,
        since: "6.0.0",
        summary: "Handshakes with the Redis server.",
        run: Run::Control(hello),
        ..BASE
    },
    Row {
        name: "quit",
        arity: -1,
        flags: OPEN,
        summary: "Closes the connection.",
        run: Run::Control(quit),
        ..BASE
    },
    Row {
        name: "reset",
        arity: 1,
        flags: OPEN,
        since: "6.2.0",
        summary: "Resets the connection.",
        run: Run::Control(reset),
        ..BASE
    },
];

fn ping(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    match args.len() {
        1 | 2 if control.session.is_subscriber_mode() => {
            control.reply.array(2);
            control.reply.bulk(b"pong");
            control.reply.bulk(args.opt(1).unwrap_or_default());
        }
        1 => control.reply.simple("PONG"),
        2 => control.reply.bulk(args.get(1)),
        _ => return Err(Failure::wrong_arity("ping")),
    }
    Ok(())
}

fn echo(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.bulk(args.get(1));
    Ok(())
}

fn select(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let number = args.int32(1)?;
    if !(0..control.host.keyspace().databases() as i32).contains(&number) {
        return Err(Failure::DB_OUT_OF_RANGE);
    }
    set_db(control.session, DbIndex(number as u16));
    control.reply.ok();
    Ok(())
}

fn set_db(session: &mut Session, db: DbIndex) {
    session.db = db;
    session.client.db.store(db.0, Relaxed);
}

const WRONG_PASSWORD: Failure =
    Failure::text("WRONGPASS invalid username-password pair or user is disabled.");

fn auth(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let (user, password) = match args.len() {
        2 => {
            if control.host.config().load().requirepass.is_none() {
                return Err(Failure::text(
                    "ERR AUTH <password> called without any password configured for the default user. \
                     Are you sure your configuration is correct?",
                ));
            }
            (b"default".as_slice(), args.get(1))
        }
        3 => (args.get(1), args.get(2)),
        _ => return Err(Failure::SYNTAX),
    };
    authenticate(control, user, password)?;
    control.reply.ok();
    Ok(())
}

/// There is one user, `default`; without a password anything lets it in, as with Redis' `nopass`.
fn authenticate(control: &mut Control<'_>, user: &[u8], password: &[u8]) -> Result<(), Failure> {
    let config = control.host.config().load();
    let is_right =
        user == b"default" && config.requirepass.as_ref().is_none_or(|expected| is_equal(expected, password));
    if !is_right {
        return Err(WRONG_PASSWORD);
    }
    control.session.authenticated = true;
    Ok(())
}

/// Compares without stopping at the first difference, so that timing tells nothing about the password.
fn is_equal(expected: &[u8], given: &[u8]) -> bool {
    let differences = (0..given.len())
        .fold(0, |sum, at| sum | (given[at] ^ expected.get(at).copied().unwrap_or(!given[at])));
    differences == 0 && expected.len() == given.len()
}

fn hello(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let mut version = if control.session.resp3 { 3 } else { 2 };
    if args.len() > 1 {
        version = args
            .int(1)
            .map_err(|_| Failure::text("ERR Protocol version is not an integer or out of range"))?;
        if !(2..=3).contains(&version) {
            return Err(Failure::text("NOPROTO unsupported protocol version"));
        }
    }
    let mut name = None;
    let mut at = 2;
    while at < args.len() {
        let more = args.len() - at - 1;
        if args.is(at, "auth") && more >= 2 {
            authenticate(control, args.get(at + 1), args.get(at + 2))?;
            at += 3;
        } else if args.is(at, "setname") && more >= 1 {
            name = Some(args.get(at + 1));
            if !is_valid_name(args.get(at + 1)) {
                return Err(crate::commands::connection::client::BAD_NAME);
            }
            at += 2;
        } else {
            let option = String::from_utf8_lossy(args.get(at)).into_owned();
            return Err(Failure::new(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if !control.session.authenticated {
        return Err(Failure::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
             the same time",
        ));
    }
    if let Some(name) = name {
        control.session.client.set_name(name);
    }
    set_protocol(control, version == 3);
    greet(control, version);
    Ok(())
}

fn set_protocol(control: &mut Control<'_>, resp3: bool) {
    control.session.resp3 = resp3;
    control.session.client.resp3.store(resp3, Relaxed);
    control.reply.set_resp3(resp3);
}

fn greet(control: &mut Control<'_>, version: i64) {
    let role = if control.host.is_replica() { "replica" } else { "master" };
    let reply = &mut *control.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(version);
    reply.bulk(b"id");
    reply.int(control.session.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(role.as_bytes());
    reply.bulk(b"modules");
    reply.array(0);
}

fn quit(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.reply.ok();
    control.next = Next::Close;
    Ok(())
}

fn reset(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.unwatch(control.session);
    control.session.unsubscribe_all(control.host.pubsub());
    control.session.unmonitor(control.host.pubsub());
    if control.session.tracking.is_some() {
        control.session.track(control.host.tracking(), None);
    }
    let needs_password = control.host.config().load().requirepass.is_some();
    let session = &mut *control.session;
    session.transaction = None;
    session.client.queued.store(-1, Relaxed);
    session.client.queued_bytes.store(0, Relaxed);
    session.reply_mode = ReplyMode::On;
    session.authenticated = !needs_password;
    session.client.set_name(b"");
    session.client.is_no_evict.store(false, Relaxed);
    session.client.is_no_touch.store(false, Relaxed);
    session.is_no_touch = false;
    set_db(session, DbIndex(0));
    control.reply.set_suppressed(false);
    set_protocol(control, false);
    control.reply.simple("RESET");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_equal;

    #[test]
    fn passwords_are_equal_only_to_themselves() {
        assert!(is_equal(b"", b""));
        assert!(is_equal(b"abc\0def", b"abc\0def"));
        for (expected, given) in [("abc", "abd"), ("abc", "ab"), ("ab", "abc"), ("", "a"), ("a", "")] {
            assert!(!is_equal(expected.as_bytes(), given.as_bytes()), "{expected} {given}");
        }
    }
}
