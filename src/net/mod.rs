//! The network: listening sockets, one event loop per core, connections. It moves bytes and knows no command.
//!
//!     acceptor thread --deals round robin--> worker 0: EventLoop<Service>    sockets -> Input -> parser -> Service::run
//!                                            worker 1: EventLoop<Service>                            Output <- replies
//!
//! The server's wiring starts it; the executor fills in [`service::Service`]. Always: a connection stays with its worker from
//! the first byte to the last, unless the service takes it away ([`service::After::Detach`]), and no thread but its worker
//! touches it: others post messages.
//!
//! In reading order:
pub mod service;
pub mod listener;
pub mod admission;
pub mod acceptor;
mod socket;
mod input;
mod output;
mod connection;
mod pool;
mod gather;
pub mod event_loop;

#[cfg(test)]
mod tests;
