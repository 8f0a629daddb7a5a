//! Blocked clients: they wait for a key, first come first served, whichever thread makes it ready.
//!
//! ```text
//!  BLPOP k 0, nothing there                                       RPUSH k x, on any thread
//!    locks of its keys -> handler blocks -> Registry::enter         lock of k -> insert -> k is noted as ready -> unlock
//!    unlock -> Next::Block                                          Executor::serve(k):
//!                                                                     first waiter of k -> locks of *its* keys -> its handler
//!         Message::Answer <------- reply, in its protocol ----------  -> commit (LPOP k) -> off the registry -> unlock
//! ```
//!
//! How an author of commands uses it stands in `commands::spec::blocking`. The files here: `waiter`, one blocked client and who
//! may end its wait; `registry`, the lines before the keys; `serve`, the two halves of the picture above as an executor runs them.
//! The worker (`server::blocking`) watches the deadlines of its own clients; the host does CLIENT UNBLOCK.
//!
//! Always:
//! 1. *No lost wake-up.* Who begins to wait enters under the locks of its keys, after its handler found nothing; a change of a
//!    key asks whether anybody waits under the lock of that key.
//! 2. *Ended once.* A wait ends by service, time, CLIENT UNBLOCK, disconnection or a change of role. Each of them has to win the
//!    waiter's state first.
//! 3. *First come, first served.* The first waiter of a key is judged under the lock of that key and leaves the line under
//!    it. A command that could block does not overtake those who wait for its keys already.
//! 4. *Service is a command.* It runs through the handler, locks, lazy expiry and commit that any command has, after the commit
//!    of what made the key ready; what it makes ready in turn is served next (BLMOVE chains).
//!
//! Between the unlock of a push and the service, a *non-blocking* pop on another core may take the element. The waiter then
//! goes on waiting, in its place. Streams are read and not emptied, so all who wait for one have a look, in order; if two threads
//! serve one stream at once, a later reader of a group may get what came between two looks.

mod registry;
mod serve;
#[cfg(test)]
mod tests;
mod waiter;

pub use registry::Registry;
pub use waiter::Waiter;
