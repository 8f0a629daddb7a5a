//! One client's connection: its socket, the bytes on both sides, and where it is in its life.
//!
//! ```text
//!            After::Blocked             After::Close, protocol error
//!     Blocked <---------- Open ---------------------------> Closing --replies written--> gone
//!        |  Peers::resume  ^                                   ^
//!        +-----------------+                                   |
//!        +------------------- Peers::close --------------------+      any state --failure, limit--> gone
//! ```
//!
//! The event loop drives it. Always: a connection that is not `Open` runs no command; a `Closing` one reads nothing more.

use super::admission::Ticket;
use super::gather::Round;
use super::input::Input;
use super::output::Output;
use super::service::{CloseReason, ConnectionKey};
use super::socket::Socket;
use crate::resp::parser::Parser;
use crate::session::traffic::ConnectionCounters;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Commands run as they come.
    Open,
    /// A command waits; bytes are read, within the limit, and kept.
    Blocked,
    /// The replies so far are written, then the connection ends for this reason.
    Closing(CloseReason),
}

pub(super) struct Connection<S> {
    pub(super) key: ConnectionKey,
    pub(super) socket: Socket,
    pub(super) session: S,
    pub(super) parser: Parser,
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) state: State,
    /// The peer has said that it sends nothing more, and all that it sent has been read.
    pub(super) ended: bool,
    /// The kernel has reported the peer's end: read on until it shows, because no further event will come.
    pub(super) end_reported: bool,
    /// There may be more to read without a new event.
    pub(super) unread: bool,
    /// `input` may hold whole commands that have not run.
    pub(super) runnable: bool,
    /// In the queue of connections that need another turn.
    pub(super) queued: bool,
    /// Is the socket registered for writability as well?
    pub(super) watches_writable: bool,
    /// When it was last read from.
    pub(super) read_in: Round,
    /// How many bytes the argument that is being received lacks at least.
    pub(super) wanted: usize,
    /// Ends at once, for this reason, whatever waits.
    pub(super) doomed: Option<CloseReason>,
    pub(super) counters: Arc<ConnectionCounters>,
    pub(super) ticket: Ticket,
}

impl<S> Connection<S> {
    pub(super) fn new(
        key: ConnectionKey,
        socket: Socket,
        session: S,
        counters: Arc<ConnectionCounters>,
        ticket: Ticket,
    ) -> Self {
        Connection {
            key,
            socket,
            session,
            parser: Parser::new(),
            input: Input::default(),
            output: Output::default(),
            state: State::Open,
            ended: false,
            end_reported: false,
            unread: false,
            runnable: false,
            queued: false,
            watches_writable: false,
            read_in: Round::default(),
            wanted: 0,
            doomed: None,
            counters,
            ticket,
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.doomed.is_some() || matches!(self.state, State::Closing(_))
    }

    /// No command runs any more; the connection ends when its replies are written.
    pub(super) fn finish(&mut self, reason: CloseReason) {
        if !self.is_closing() {
            self.state = State::Closing(reason);
        }
        self.input.clear();
        self.unread = false;
        self.runnable = false;
    }

    /// The connection ends at the end of this turn. The first reason stands.
    pub(super) fn doom(&mut self, reason: CloseReason) {
        self.doomed.get_or_insert(reason);
    }

    /// Why the connection must end now, if it must.
    pub(super) fn fate(&self) -> Option<CloseReason> {
        if self.doomed.is_some() {
            return self.doomed;
        }
        match self.state {
            State::Closing(reason) => self.output.is_empty().then_some(reason),
            State::Blocked => self.ended.then_some(CloseReason::PeerClosed),
            State::Open => {
                (self.ended && self.output.is_empty() && !self.runnable).then_some(CloseReason::PeerClosed)
            }
        }
    }

    /// Does it need another turn without a new event?
    pub(super) fn wants_turn(&self) -> bool {
        match self.state {
            State::Open => self.unread || self.runnable,
            State::Blocked => self.unread,
            State::Closing(_) => false,
        }
    }

    /// Shows everybody what is held.
    pub(super) fn publish_sizes(&self) {
        let counters = &self.counters;
        counters.query_bytes.store(self.input.len() as u64, Ordering::Relaxed);
        counters.query_capacity.store(self.input.capacity() as u64, Ordering::Relaxed);
        counters.pending_bytes.store(self.output.pending() as u64, Ordering::Relaxed);
        counters.reply_capacity.store(self.output.capacity() as u64, Ordering::Relaxed);
    }
}
