//! The connections of one worker, by place, and the queue of those that need another turn.
//!
//!     slots   [gen 4 | connection]  [gen 9 | free]  [gen 0 | connection] ...      key = place and generation
//!
//! The event loop takes a connection out, works on it and puts it back, so that the service can be lent parts of it meanwhile;
//! the service reaches the others through [`Peers`]. Always: a key of a connection that is gone finds nothing.

use super::connection::{Connection, State};
use super::service::{CloseReason, ConnectionKey, Peers};
use crate::resp::reply::Reply;
use mio::Token;
use std::collections::VecDeque;

struct Slot<S> {
    generation: u32,
    connection: Option<Box<Connection<S>>>,
}

pub(super) struct Pool<S> {
    slots: Vec<Slot<S>>,
    free: Vec<u32>,
    len: usize,
    queue: VecDeque<ConnectionKey>,
    /// Where the next [`Pool::look`] begins.
    look_at: usize,
}

impl ConnectionKey {
    pub(super) fn token(self) -> Token {
        Token(self.slot as usize | (self.generation as usize) << 32)
    }

    pub(super) fn from_token(token: Token) -> ConnectionKey {
        ConnectionKey { slot: token.0 as u32, generation: (token.0 >> 32) as u32 }
    }
}

impl<S> Pool<S> {
    pub(super) fn new() -> Self {
        Pool { slots: Vec::new(), free: Vec::new(), len: 0, queue: VecDeque::new(), look_at: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A place for a new connection; [`Pool::put`] fills it, [`Pool::vacate`] gives it back.
    pub(super) fn reserve(&mut self) -> ConnectionKey {
        self.len += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, connection: None });
            (self.slots.len() - 1) as u32
        });
        ConnectionKey { slot, generation: self.slots[slot as usize].generation }
    }

    pub(super) fn take(&mut self, key: ConnectionKey) -> Option<Box<Connection<S>>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        slot.connection.take()
    }

    /// Puts a connection where it belongs, and in the queue if it wants another turn.
    pub(super) fn put(&mut self, mut connection: Box<Connection<S>>) {
        if connection.wants_turn() && !connection.queued {
            connection.queued = true;
            self.queue.push_back(connection.key);
        }
        let slot = &mut self.slots[connection.key.slot as usize];
        debug_assert!(slot.generation == connection.key.generation && slot.connection.is_none());
        slot.connection = Some(connection);
    }

    /// The place of a connection that was taken out is free for another.
    pub(super) fn vacate(&mut self, key: ConnectionKey) {
        let slot = &mut self.slots[key.slot as usize];
        debug_assert!(slot.generation == key.generation && slot.connection.is_none());
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        self.len -= 1;
    }

    /// Has a connection asked for a turn?
    pub(super) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many turns are asked for now.
    pub(super) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// The connection whose turn is next.
    pub(super) fn take_queued(&mut self) -> Option<Box<Connection<S>>> {
        loop {
            let key = self.queue.pop_front()?;
            if let Some(mut connection) = self.take(key) {
                connection.queued = false;
                return Some(connection);
            }
        }
    }

    /// The keys of the connections in the next of `parts` parts of the places, going round, at least `least` places.
    pub(super) fn look(&mut self, parts: usize, least: usize, keys: &mut Vec<ConnectionKey>) {
        for _ in 0..self.slots.len().div_ceil(parts).max(least).min(self.slots.len()) {
            self.look_at = if self.look_at + 1 < self.slots.len() { self.look_at + 1 } else { 0 };
            let slot = &self.slots[self.look_at];
            if slot.connection.is_some() {
                keys.push(ConnectionKey { slot: self.look_at as u32, generation: slot.generation });
            }
        }
    }

    /// Every connection's key.
    pub(super) fn keys(&self) -> Vec<ConnectionKey> {
        let held = |(slot, held): (usize, &Slot<S>)| {
            let generation = held.generation;
            held.connection.as_ref().map(|_| ConnectionKey { slot: slot as u32, generation })
        };
        self.slots.iter().enumerate().filter_map(held).collect()
    }

    fn find(&mut self, key: ConnectionKey) -> Option<&mut Connection<S>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        slot.connection.as_deref_mut().filter(|connection| !connection.is_closing())
    }

    fn enqueue(queue: &mut VecDeque<ConnectionKey>, connection: &mut Connection<S>) {
        if !connection.queued {
            connection.queued = true;
            queue.push_back(connection.key);
        }
    }

    /// As `find`, and the connection gets a turn.
    fn touch(&mut self, key: ConnectionKey) -> Option<&mut Connection<S>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let connection = slot.connection.as_deref_mut().filter(|connection| !connection.is_closing())?;
        Self::enqueue(&mut self.queue, connection);
        Some(connection)
    }
}

impl<S> Peers<S> for Pool<S> {
    fn get(&mut self, key: ConnectionKey) -> Option<(&mut S, &mut Reply)> {
        self.touch(key).map(|connection| (&mut connection.session, &mut connection.output.reply))
    }

    fn resume(&mut self, key: ConnectionKey) -> bool {
        match self.touch(key) {
            Some(connection) if connection.state == State::Blocked => {
                connection.state = State::Open;
                connection.runnable = !connection.input.is_empty();
                true
            }
            Some(_) | None => false,
        }
    }

    fn close(&mut self, key: ConnectionKey, now: bool) -> bool {
        match self.touch(key) {
            Some(connection) if now => connection.doom(CloseReason::Requested),
            Some(connection) => connection.finish(CloseReason::Requested),
            None => return false,
        }
        true
    }

    fn for_each(&mut self, visit: &mut dyn FnMut(ConnectionKey, &mut S, &mut Reply)) {
        for key in self.keys() {
            let Some(connection) = self.find(key) else { continue };
            let before = connection.output.reply.len();
            visit(key, &mut connection.session, &mut connection.output.reply);
            if connection.output.reply.len() != before {
                self.touch(key);
            }
        }
    }
}
