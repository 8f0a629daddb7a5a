//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: the client's side of client-side caching.
//!
//! Called through the rows in `client`; what is remembered of keys is `pubsub::tracking`'s.
//! Always: a request that is refused leaves the client's tracking as it was.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use crate::commands::spec::{Args, Control, Failure};
use crate::pubsub::tracking::{Options, Tracker};
use crate::session::Session;
use crate::session::client::REDIRECT_BROKEN;

/// What a CLIENT TRACKING says.
#[derive(Default)]
struct Wish {
    options: Options,
    redirect: Option<(u64, usize)>,
    prefixes: Vec<Vec<u8>>,
}

/// `CLIENT TRACKING (ON|OFF) [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
pub(super) fn tracking(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let wish = parse(args, control)?;
    if args.is(2, "on") {
        check(&wish, control.session)?;
        let tracker = tracker(wish, control.session);
        control.session.track(control.host.tracking(), Some(tracker));
    } else if args.is(2, "off") {
        if control.session.tracking.is_some() {
            control.session.track(control.host.tracking(), None);
        }
    } else {
        return Err(Failure::SYNTAX);
    }
    control.reply.ok();
    Ok(())
}

fn parse(args: &Args<'_>, control: &Control<'_>) -> Result<Wish, Failure> {
    let mut wish = Wish::default();
    let mut at = 3;
    while at < args.len() {
        let has_more = at + 1 < args.len();
        if args.is(at, "redirect") && has_more {
            if wish.redirect.is_some() {
                return Err(Failure::text("ERR A client can only redirect to a single other client"));
            }
            let id = args.int(at + 1)?;
            let target = u64::try_from(id).ok().and_then(|id| control.host.roster().get(id));
            let target =
                target.ok_or(Failure::text("ERR The client ID you want redirect to does not exist"))?;
            wish.redirect = Some((target.id, target.worker));
            at += 1;
        } else if args.is(at, "prefix") && has_more {
            wish.prefixes.push(args.get(at + 1).to_vec());
            at += 1;
        } else if args.is(at, "bcast") {
            wish.options.is_broadcast = true;
        } else if args.is(at, "optin") {
            wish.options.is_optin = true;
        } else if args.is(at, "optout") {
            wish.options.is_optout = true;
        } else if args.is(at, "noloop") {
            wish.options.is_noloop = true;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 1;
    }
    Ok(wish)
}

/// Do the options go with each other, and with what the client does already?
fn check(wish: &Wish, session: &Session) -> Result<(), Failure> {
    let new = wish.options;
    if !new.is_broadcast && !wish.prefixes.is_empty() {
        return Err(Failure::text("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    let old = session.tracking.as_ref().map(|tracker| tracker.options);
    if old.is_some_and(|old| old.is_broadcast != new.is_broadcast) {
        return Err(Failure::text(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    if new.is_broadcast && (new.is_optin || new.is_optout) {
        return Err(Failure::text("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if new.is_optin && new.is_optout {
        return Err(Failure::text("ERR You can't specify both OPTIN mode and OPTOUT mode"));
    }
    if old.is_some_and(|old| (new.is_optin && old.is_optout) || (new.is_optout && old.is_optin)) {
        return Err(Failure::text(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    check_prefixes(wish, session)
}

/// Prefixes of one client must not overlap: a change would be told twice.
fn check_prefixes(wish: &Wish, session: &Session) -> Result<(), Failure> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let refuse = |new: &[u8], kind: &str, other: &[u8]| {
        Failure::new(format!(
            "ERR Prefix '{}' overlaps with {kind} prefix '{}'. Prefixes for a single client must not overlap.",
            String::from_utf8_lossy(new),
            String::from_utf8_lossy(other)
        ))
    };
    let present = session.tracking.as_ref().map(|tracker| &tracker.prefixes);
    for (index, new) in wish.prefixes.iter().enumerate() {
        if let Some(old) = present.iter().flat_map(|old| old.iter()).find(|old| overlap(old, new)) {
            return Err(refuse(new, "an existing", old));
        }
        if let Some(other) = wish.prefixes[index + 1..].iter().find(|other| overlap(other, new)) {
            return Err(refuse(new, "another provided", other));
        }
    }
    Ok(())
}

/// In BCAST mode prefixes add up; all else is as the last request says.
fn tracker(wish: Wish, session: &Session) -> Tracker {
    let mut prefixes: BTreeSet<Vec<u8>> = wish.prefixes.into_iter().collect();
    if wish.options.is_broadcast {
        if prefixes.is_empty() {
            prefixes.insert(Vec::new());
        }
        prefixes.extend(session.tracking.iter().flat_map(|old| old.prefixes.iter().cloned()));
    }
    let client = &session.client;
    Tracker {
        client: client.id,
        worker: client.worker,
        options: wish.options,
        redirect: wish.redirect,
        prefixes,
    }
}

/// `CLIENT CACHING (YES|NO)`
pub(super) fn caching(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let Some(tracker) = &control.session.tracking else {
        return Err(Failure::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    if args.is(2, "yes") {
        if !tracker.options.is_optin {
            return Err(Failure::text(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
    } else if args.is(2, "no") {
        if !tracker.options.is_optout {
            return Err(Failure::text(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
    } else {
        return Err(Failure::SYNTAX);
    }
    control.session.is_caching = true;
    control.reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR`
pub(super) fn get_redirect(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let redirect = control.session.client.redirect.load(Relaxed);
    control.reply.int(redirect);
    Ok(())
}

/// `CLIENT TRACKINGINFO`
pub(super) fn tracking_info(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let session = &*control.session;
    let options = session.tracking.as_ref().map(|tracker| tracker.options).unwrap_or_default();
    let is_broken = session.client.tracking.load(Relaxed) & REDIRECT_BROKEN != 0;
    let flags = [
        (true, if session.tracking.is_some() { "on" } else { "off" }),
        (options.is_broadcast, "bcast"),
        (options.is_optin, "optin"),
        (options.is_optin && session.is_caching, "caching-yes"),
        (options.is_optout, "optout"),
        (options.is_optout && session.is_caching, "caching-no"),
        (options.is_noloop, "noloop"),
        (is_broken, "broken_redirect"),
    ];
    let shown = flags.iter().filter(|(is_set, _)| *is_set);
    let reply = &mut *control.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(shown.clone().count());
    shown.for_each(|(_, word)| reply.bulk(word.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(session.client.redirect.load(Relaxed));
    reply.bulk(b"prefixes");
    let prefixes = session.tracking.as_ref().map(|tracker| &tracker.prefixes);
    reply.array(prefixes.map_or(0, BTreeSet::len));
    prefixes.iter().flat_map(|all| all.iter()).for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let mut h = Harness::new();
        h.reads("client tracking on prefix a", "-ERR PREFIX option requires BCAST mode to be enabled");
        h.reads("client tracking on bcast optin", "-ERR OPTIN and OPTOUT are not compatible with BCAST");
        h.reads("client tracking on optin optout", "-ERR You can't specify both OPTIN mode and OPTOUT mode");
        h.reads("client tracking on redirect 99", "-ERR The client ID you want redirect to does not exist");
        h.reads("client tracking maybe", "-ERR syntax error");
        h.reads("client caching yes", "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
        h.reads("client getredir", ":-1");
        h.reads("client trackinginfo", "*6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0");
    }

    #[test]
    fn prefixes_add_up_and_must_not_overlap() {
        let mut h = Harness::new();
        h.reads("client tracking on bcast prefix foo prefix bar", "+OK");
        h.reads("client tracking on bcast prefix c", "+OK");
        h.reads(
            "client tracking on bcast prefix fo",
            "-ERR Prefix 'fo' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.",
        );
        h.reads(
            "client trackinginfo",
            "*6 $5 flags *2 $2 on $5 bcast $8 redirect :0 $8 prefixes *3 $3 bar $1 c $3 foo",
        );
        h.reads("client tracking off", "+OK");
        assert_eq!(h.host.tracking.counts().2, 0);
        h.reads("client tracking on optin", "+OK");
        h.reads("client caching yes", "+OK");
        h.reads("client getredir", ":0");
    }
}
