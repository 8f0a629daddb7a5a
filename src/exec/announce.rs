//! Announcing: what a command has done to its keys is told to those who want to hear of it.
//!
//! ```text
//!  changes.events   -> subscribers of keyspace notifications
//!  changes.touched  -> clients that have read the key (tracking), and those who follow its prefix (broadcast)
//! ```
//!
//! Called wherever a handler has run, while the shards of its keys are still locked. Always: the announcements of one key
//! keep the order of its changes; broadcasts go out where a command or a transaction ends, once each.

use crate::commands::spec::table::Command;
use crate::commands::spec::{Args, Flags, keys};
use crate::exec::engine::Engine;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Space;
use crate::pubsub::tracking::Tracker;
use crate::pubsub::{Kind, Publisher};
use crate::session::Session;

/// Publishes what has happened to keys, while their shards are still locked, so that events of one key keep the order of its
/// changes; and tells those who have read what has changed.
#[inline]
pub(super) fn publish_events(publisher: &mut Publisher, space: &mut Space<'_>) {
    if !space.changes.events.is_empty() {
        publish_some(publisher, space);
    }
    if !space.changes.touched.is_empty() {
        publisher.invalidate(std::mem::take(&mut space.changes.touched));
    }
}

/// As `publish_events`, where a command or a transaction ends.
#[inline]
pub(super) fn announce(publisher: &mut Publisher, space: &mut Space<'_>) {
    publish_events(publisher, space);
    publisher.broadcast();
}

/// A client that caches is noted as a reader of the keys of a command that reads. Under the locks of these keys.
#[inline]
pub(super) fn remember_keys(engine: &Engine, session: &Session, command: &Command, args: &Args<'_>) {
    if let Some(tracker) = &session.tracking
        && command.row.flags.has(Flags::READONLY)
    {
        remember_some(engine, session, tracker, command, args);
    }
}

#[cold]
fn remember_some(engine: &Engine, session: &Session, tracker: &Tracker, command: &Command, args: &Args<'_>) {
    let options = tracker.options;
    let is_left_out = (options.is_optin && !session.is_caching) || (options.is_optout && session.is_caching);
    if options.is_broadcast || is_left_out || command.row.flags.has(Flags::PUBSUB) {
        return;
    }
    for index in keys::positions(command.row.keys, args) {
        engine.tracking.remember(tracker.client, args.get(index));
    }
}

#[cold]
fn publish_some(publisher: &mut Publisher, space: &mut Space<'_>) {
    let wanted = space.around().notify;
    for event in space.changes.events.drain(..) {
        if wanted.has(Classes::KEYSPACE) {
            publisher.publish(Kind::Channel, &event.keyspace_channel(), event.name.as_bytes());
        }
        if wanted.has(Classes::KEYEVENT) {
            publisher.publish(Kind::Channel, &event.keyevent_channel(), &event.key);
        }
    }
}
