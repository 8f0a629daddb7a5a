//! A replica made of a few lines: does the handshake, takes the snapshot, then does whatever the test wants (nothing, for example).
//!
//!     PING, REPLCONF, PSYNC ? -1  ->  +FULLRESYNC id offset, $EOF:<mark> or $<length>, the RDB, then the stream
//!
//! Used by the scenarios about replicas that misbehave, and to get the RDB that a real primary would send.

use std::io;

use crate::client::Client;

const MARK_LENGTH: usize = 40;

/// A connection that a primary takes for a replica.
pub struct FakeReplica {
    pub client: Client,
}

impl FakeReplica {
    /// Does the handshake up to the line `+FULLRESYNC`; the snapshot is not read yet.
    pub fn attach(port: u16) -> FakeReplica {
        let mut client = Client::connect(port).expect("the primary listens");
        for line in ["PING", "REPLCONF listening-port 1", "REPLCONF capa eof capa psync2"] {
            let reply = client.ok(line);
            assert!(matches!(reply.text().as_str(), "PONG" | "OK"), "{line}: {reply:?}");
        }
        client.send(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n").expect("the primary listens");
        let mut reply = String::new();
        while reply.is_empty() {
            reply = client.read_line().expect("an answer to PSYNC");
        }
        assert!(reply.starts_with("+FULLRESYNC "), "PSYNC: {reply}");
        FakeReplica { client }
    }

    /// Reads the snapshot in either framing and returns the RDB.
    pub fn take_snapshot(&mut self) -> io::Result<Vec<u8>> {
        let mut header = String::new();
        while header.is_empty() {
            header = self.client.read_line()?;
        }
        let Some(mark) = header.strip_prefix("$EOF:") else {
            let length =
                header.trim_start_matches('$').parse().map_err(|_| io::Error::other(header.clone()))?;
            return self.client.read_exact(length);
        };
        let mark = mark.as_bytes().to_vec();
        assert_eq!(mark.len(), MARK_LENGTH, "the end mark of {header}");
        let mut rdb = Vec::new();
        while !rdb.ends_with(&mark) {
            rdb.extend(self.client.read_exact(1)?);
        }
        rdb.truncate(rdb.len() - MARK_LENGTH);
        Ok(rdb)
    }
}
