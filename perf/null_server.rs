//! The null server: the floor that the kernel sets. One thread of epoll that counts `*` in what it reads and writes as many
//! canned replies; it parses nothing and stores nothing.
//!
//!     cargo run --release --example null_server -- PORT [ok|value]
//!
//! `perf/` runs it beside the real servers under the same load: `ok` answers `+OK`, `value` a bulk of 64 bytes, what SET and GET
//! of the benchmark get. Payloads must hold no `*` (those of redis-benchmark do not). It shares no code with the server on
//! purpose: a measure must not move with what it measures.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

const LISTENER: Token = Token(0);
const READ_BYTES: usize = 128 * 1024;

struct Client {
    stream: TcpStream,
    /// Replies that the socket did not take yet.
    unsent: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok());
    let reply = match arguments.next().as_deref() {
        None | Some("ok") => Some(b"+OK\r\n".to_vec()),
        Some("value") => Some(format!("$64\r\n{}\r\n", "x".repeat(64)).into_bytes()),
        Some(_) => None,
    };
    match (port, reply) {
        (Some(port), Some(reply)) => serve(SocketAddr::from(([127, 0, 0, 1], port)), &reply),
        _ => {
            eprintln!("usage: null_server PORT [ok|value]");
            std::process::exit(1);
        }
    }
}

fn serve(address: SocketAddr, reply: &[u8]) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut next = 1;
    let mut read_buf = vec![0; READ_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(next), both)?;
                    clients.insert(Token(next), Client { stream, unsent: Vec::new() });
                    next += 1;
                }
            } else if let Some(client) = clients.get_mut(&event.token())
                && !answer(client, event.is_read_closed(), &mut read_buf, reply)
            {
                clients.remove(&event.token());
            }
        }
    }
}

/// Reads until drained (or, once the peer has ended, until that shows) and answers. False when the client is gone.
fn answer(client: &mut Client, ended: bool, read_buf: &mut [u8], reply: &[u8]) -> bool {
    loop {
        let count = match client.stream.read(read_buf) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        };
        let requests = memchr::memchr_iter(b'*', &read_buf[..count]).count();
        for _ in 0..requests {
            client.unsent.extend_from_slice(reply);
        }
        if !client.unsent.is_empty() {
            match client.stream.write(&client.unsent) {
                Ok(sent) if sent == client.unsent.len() => client.unsent.clear(),
                Ok(sent) => drop(client.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        if count < read_buf.len() && !ended {
            return true;
        }
    }
}
