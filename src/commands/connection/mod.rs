//! Connection commands: who a client is, which database and protocol it uses, and who else is connected.
//!
//! Called through their rows, with the session in their hands and no key.
//! Always: they change the session that called, or another client by way of the host, and never the data.

pub mod client;
pub mod client_list;
mod client_pause;
mod client_tracking;
pub mod handshake;
