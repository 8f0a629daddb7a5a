//! The PSYNC decision: may a replica go on where it was, or does it need everything?
//!
//! ```text
//!       first                                 end          of what the backlog holds
//!    -----+------------------------------------+
//!          ^ asks for one of these: +CONTINUE  ^ or for the next byte to come
//! ```
//!
//! Called by `Replication::attach` for every PSYNC and SYNC, with everything that it depends on as arguments.
//! Always: a partial resync is granted only to a follower of our own history all of whose missing bytes are held.
//! Checklist: a new reason to refuse also needs its words in `Reason::text` and a case in the tests.

use crate::backlog::Offset;
use crate::replication::identity::{Identity, ReplId};
use crate::session::SyncRequest;

/// What the backlog holds: everything after `first`, up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub first: Offset,
    pub end: Offset,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lacks what comes after this offset, and we have it.
    Continue(Offset),
    Full(Reason),
}

/// Why it needs a full sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// SYNC: the protocol that knows no partial resync.
    OldProtocol,
    /// `PSYNC ? -1`: it has nothing.
    Asked,
    /// It follows another history.
    OtherHistory,
    /// It followed our old history further than we did.
    PastTheParting,
    /// What it lacks is not, or no longer, in the backlog.
    NotHeld,
    /// It is ahead of us.
    Ahead,
}

impl Reason {
    /// Does INFO count it as a partial resync that was refused (`sync_partial_err`)?
    pub fn is_refusal(self) -> bool {
        match self {
            Reason::OldProtocol | Reason::Asked => false,
            Reason::OtherHistory | Reason::PastTheParting | Reason::NotHeld | Reason::Ahead => true,
        }
    }

    /// For the log.
    pub fn text(self, name: &str, request: &SyncRequest, identity: &Identity) -> String {
        let (id, offset) = match request {
            SyncRequest::Sync => (String::new(), -1),
            SyncRequest::Psync { replid, offset } => (replid.escape_ascii().to_string(), *offset),
        };
        match self {
            Reason::OldProtocol | Reason::Asked => format!("Full resync requested by replica {name}"),
            Reason::OtherHistory => format!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{id}', my \
                 replication IDs are '{}' and '{}')",
                identity.id, identity.second
            ),
            Reason::PastTheParting => format!(
                "Partial resynchronization not accepted: Requested offset for second ID was {offset}, but I can \
                 reply up to {}",
                identity.second_offset
            ),
            Reason::NotHeld => format!(
                "Unable to partial resync with replica {name} for lack of backlog (Replica request was: {offset})."
            ),
            Reason::Ahead => format!(
                "Unable to partial resync with replica {name} for lack of backlog: it asks for {offset}, which is \
                 beyond our own replication offset."
            ),
        }
    }
}

/// Full or partial?
pub fn decide(request: &SyncRequest, identity: &Identity, held: Option<Held>) -> Verdict {
    let SyncRequest::Psync { replid, offset } = request else { return Verdict::Full(Reason::OldProtocol) };
    if replid.first() == Some(&b'?') {
        return Verdict::Full(Reason::Asked);
    }
    let Some(id) = ReplId::parse(replid) else { return Verdict::Full(Reason::OtherHistory) };
    if !identity.shares(id, *offset) {
        let reason = if identity.is_second(id) { Reason::PastTheParting } else { Reason::OtherHistory };
        return Verdict::Full(reason);
    }
    let Some(held) = held else { return Verdict::Full(Reason::NotHeld) };
    // The wire counts the byte that is wanted next, from 1.
    let Some(after) = u64::try_from(*offset).ok().and_then(|next| next.checked_sub(1)).map(Offset) else {
        return Verdict::Full(Reason::NotHeld);
    };
    if after > held.end {
        Verdict::Full(Reason::Ahead)
    } else if after < held.first {
        Verdict::Full(Reason::NotHeld)
    } else {
        Verdict::Continue(after)
    }
}

#[cfg(test)]
mod tests {
    use super::Reason::{Ahead, Asked, NotHeld, OldProtocol, OtherHistory, PastTheParting};
    use super::{Held, Verdict, decide};
    use crate::backlog::Offset;
    use crate::replication::identity::{Identity, ReplId};
    use crate::session::SyncRequest;

    const OURS: &[u8] = &[b'a'; 40];
    const BEFORE: &[u8] = &[b'b'; 40];

    fn identity() -> Identity {
        let mut identity = Identity::new(ReplId::parse(BEFORE).expect("forty"));
        identity.shift(ReplId::parse(OURS).expect("forty"), Offset(500));
        identity
    }

    fn check(replid: &[u8], offset: i64, held: Option<(u64, u64)>, expected: Verdict) {
        let request = SyncRequest::Psync { replid: replid.to_vec(), offset };
        let held = held.map(|(first, end)| Held { first: Offset(first), end: Offset(end) });
        assert_eq!(
            decide(&request, &identity(), held),
            expected,
            "{} {offset} {held:?}",
            replid.escape_ascii()
        );
    }

    #[test]
    fn a_follower_of_our_history_continues_within_the_backlog() {
        let held = Some((100, 1000));
        check(OURS, 101, held, Verdict::Continue(Offset(100)));
        check(OURS, 700, held, Verdict::Continue(Offset(699)));
        check(OURS, 1001, held, Verdict::Continue(Offset(1000)));
        check(OURS.to_ascii_uppercase().as_slice(), 700, held, Verdict::Continue(Offset(699)));
        check(OURS, 100, held, Verdict::Full(NotHeld));
        check(OURS, 1002, held, Verdict::Full(Ahead));
        check(OURS, i64::MAX, held, Verdict::Full(Ahead));
        for senseless in [0, -1, i64::MIN] {
            check(OURS, senseless, Some((0, 1000)), Verdict::Full(NotHeld));
        }
        check(OURS, 700, None, Verdict::Full(NotHeld));
    }

    #[test]
    fn an_old_sibling_continues_up_to_the_parting() {
        let held = Some((100, 1000));
        check(BEFORE, 501, held, Verdict::Continue(Offset(500)));
        check(BEFORE, 502, held, Verdict::Full(PastTheParting));
        check(BEFORE, 50, held, Verdict::Full(NotHeld));
    }

    #[test]
    fn strangers_get_everything() {
        let held = Some((0, 1000));
        check(b"?", -1, held, Verdict::Full(Asked));
        check(b"?", 700, held, Verdict::Full(Asked));
        check(&[b'c'; 40], 700, held, Verdict::Full(OtherHistory));
        check(b"short", 700, held, Verdict::Full(OtherHistory));
        check(b"", 700, held, Verdict::Full(OtherHistory));
        let verdict =
            decide(&SyncRequest::Sync, &identity(), Some(Held { first: Offset(0), end: Offset(9) }));
        assert_eq!(verdict, Verdict::Full(OldProtocol));
    }
}
