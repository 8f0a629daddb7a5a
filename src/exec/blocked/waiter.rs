//! A waiter: one blocked client, what it waits for, and who may end its wait.
//!
//! ```text
//!            begin (a key is ready)             finish (answered)
//!   Waiting ------------------------> Serving ---------------------> Ended
//!      ^  \                              |                             ^
//!      |   \---- rest (nothing found) <--/                             |
//!      \---------------- cancel: time, CLIENT UNBLOCK, gone, role -----/
//! ```
//!
//! Made by the worker of the client, shared with the registry and with whoever serves it.
//! Always: exactly one caller of `begin`..`finish` or `cancel` ends the wait, and that one answers the client. `cancel` waits
//! while the waiter is being served, which takes as long as one command; no shard lock is held meanwhile.

use std::sync::{Arc, Condvar, Mutex};

use crate::base::ids::{DbIndex, UnixMs};
use crate::base::sync::lock;
use crate::commands::spec::Answer;
use crate::commands::spec::KeyHandler;
use crate::commands::spec::table::Command;
use crate::resp::reply::Reply;
use crate::session::client::Client;
use crate::types::Kind;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    Serving,
    Ended,
}

/// One blocked client.
pub struct Waiter {
    pub client: Arc<Client>,
    pub db: DbIndex,
    pub command: &'static Command,
    pub(super) handler: KeyHandler,
    /// What runs again.
    pub words: Vec<Vec<u8>>,
    /// Indexes in `words` of the keys that it waits for, each key once.
    pub keys: Vec<usize>,
    pub kind: Kind,
    pub wakes_when_gone: bool,
    /// None waits for ever.
    pub deadline: Option<UnixMs>,
    pub resp3: bool,
    /// CLIENT REPLY OFF or SKIP: the answer is not sent.
    pub is_silent: bool,
    pub(super) state: WaitState,
}

/// See the drawing at the top of the file.
pub(super) struct WaitState {
    state: Mutex<State>,
    rested: Condvar,
}

impl WaitState {
    pub(super) fn new() -> WaitState {
        WaitState { state: Mutex::new(State::Waiting), rested: Condvar::new() }
    }
}

impl Waiter {
    /// The keys that it waits for.
    pub fn awaited(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|index| self.words[*index].as_slice())
    }

    /// From here on this thread alone may end the wait. False if somebody else has ended it, or is about to.
    pub(super) fn begin(&self) -> bool {
        let mut state = lock(&self.state.state);
        let is_mine = *state == State::Waiting;
        if is_mine {
            *state = State::Serving;
        }
        is_mine
    }

    /// Nothing was found: it goes on waiting.
    pub(super) fn rest(&self) {
        self.leave(State::Waiting);
    }

    /// It has been served.
    pub(super) fn finish(&self) {
        self.leave(State::Ended);
    }

    fn leave(&self, next: State) {
        let mut state = lock(&self.state.state);
        debug_assert_eq!(*state, State::Serving);
        *state = next;
        drop(state);
        self.state.rested.notify_all();
    }

    /// Ends the wait without service. False if it has ended already: then the client has its answer, or is about to get it.
    /// No shard lock may be held.
    pub(super) fn cancel(&self) -> bool {
        let mut state = lock(&self.state.state);
        while *state == State::Serving {
            state = self.state.rested.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let is_mine = *state == State::Waiting;
        *state = State::Ended;
        is_mine
    }

    pub(super) fn has_ended(&self) -> bool {
        *lock(&self.state.state) == State::Ended
    }

    /// An empty reply of the client's protocol.
    pub fn reply(&self) -> Reply {
        let mut reply = Reply::with_protocol(self.resp3);
        reply.set_suppressed(self.is_silent);
        reply
    }

    /// What a client gets whose time is over.
    pub fn timed_out(&self) -> Answer {
        let mut reply = self.reply();
        reply.null_array();
        Answer { reply: reply.buf, ..Answer::default() }
    }

    /// What a client gets whose wait is ended by force.
    pub fn refused(&self, text: &str, closes: bool) -> Answer {
        let mut reply = self.reply();
        reply.error(text);
        Answer { reply: reply.buf, written: None, closes }
    }
}
