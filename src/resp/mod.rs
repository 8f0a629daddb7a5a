//! RESP, the protocol that clients and replication peers speak: the request parser and the reply writer.
//!
//!     socket bytes --parser--> Batch of Commands (ranges into the bytes)      Reply --> bytes for the socket
//!
//! Used by the event loop (`net`), by the replica link, which decodes a primary's stream with the same parser, and by every
//! command handler, which writes into a [`reply::Reply`]. Nothing here knows a socket, a session or a key.
pub mod limits;
pub mod batch;
pub mod parser;
pub mod inline;
pub mod reply;
