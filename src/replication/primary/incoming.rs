//! What a replica says while it follows: acknowledgements, newlines, and things that it should not say.
//!
//! Fed by a sender with what it reads from the socket. Always: bytes are consumed in whole commands; a replica that sends
//! what would need a reply is cut off, because a reply would stand in the middle of the stream.

use crate::base::number::parse_i64;
use crate::resp::batch::{Batch, Request};
use crate::resp::limits::{Limits, ProtocolError};
use crate::resp::parser::Parser;

/// A replica's commands are short: an acknowledgement has under a hundred bytes.
const ARGUMENT_BYTES_MAX: u64 = 64 * 1024;
/// Commands parsed at once.
const BATCH_COMMANDS_MAX: usize = 64;

/// A command of a replica.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// `REPLCONF ACK offset [FACK aof-offset]`.
    Acknowledged { offset: u64, aof: Option<u64> },
    /// Nothing to do and nothing to answer.
    Nothing,
    /// A command that would need a reply; its name.
    NeedsReply(String),
    /// QUIT: it wants to be rid of us.
    Quit,
}

/// The unparsed end of what was read from one replica.
#[derive(Default)]
pub struct Incoming {
    parser: Parser,
    rest: Vec<u8>,
}

impl Incoming {
    /// Begins with what was read before this connection became a replica's.
    pub fn with_rest(rest: Vec<u8>) -> Incoming {
        Incoming { parser: Parser::new(), rest }
    }

    /// Takes what was read and tells `hear` each command in it.
    ///
    /// # Errors
    /// The bytes are not RESP.
    pub fn take(
        &mut self,
        bytes: &[u8],
        batch: &mut Batch,
        mut hear: impl FnMut(Said),
    ) -> Result<(), ProtocolError> {
        self.rest.extend_from_slice(bytes);
        let limits = Limits { max_bulk: ARGUMENT_BYTES_MAX, ..Limits::default() };
        let mut used = 0;
        loop {
            batch.clear();
            let progress = self.parser.parse(&self.rest[used..], &limits, batch, BATCH_COMMANDS_MAX);
            batch.requests(&self.rest[used..]).for_each(|request| hear(understand(&request)));
            used += progress.consumed;
            if let Some(error) = progress.error {
                return Err(error);
            }
            if batch.is_empty() {
                break;
            }
        }
        self.rest.drain(..used);
        Ok(())
    }
}

fn understand(request: &Request<'_>) -> Said {
    let is = |index: usize, word: &str| {
        request.get(index).is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()))
    };
    let number = |index: usize| request.get(index).and_then(parse_i64).and_then(|n| u64::try_from(n).ok());
    if is(0, "replconf") {
        return match (is(1, "ack"), is(1, "getack")) {
            (true, _) => match number(2) {
                Some(offset) => {
                    let aof = if is(3, "fack") { number(4) } else { None };
                    Said::Acknowledged { offset, aof }
                }
                None => Said::Nothing,
            },
            // That is for a primary to ask.
            (false, true) => Said::Nothing,
            (false, false) => Said::NeedsReply("replconf".into()),
        };
    }
    // A second request to synchronise is ignored, as Redis does.
    if is(0, "psync") || is(0, "sync") {
        return Said::Nothing;
    }
    if is(0, "quit") {
        return Said::Quit;
    }
    Said::NeedsReply(request.name().to_ascii_lowercase().escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Said};
    use crate::resp::batch::Batch;

    fn hear(pieces: &[&[u8]]) -> Vec<Said> {
        let (mut incoming, mut batch, mut heard) = (Incoming::default(), Batch::new(), Vec::new());
        for piece in pieces {
            incoming.take(piece, &mut batch, |said| heard.push(said)).expect("it is RESP");
        }
        heard
    }

    #[test]
    fn acknowledgements_are_heard_in_any_fragmentation() {
        let bytes = b"\n*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$2\r\n42\r\n\n\
            *5\r\n$8\r\nreplconf\r\n$3\r\nack\r\n$2\r\n50\r\n$4\r\nFACK\r\n$1\r\n7\r\n";
        let expected =
            [Said::Acknowledged { offset: 42, aof: None }, Said::Acknowledged { offset: 50, aof: Some(7) }];
        assert_eq!(hear(&[bytes]), expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(hear(&single), expected);
    }

    #[test]
    fn what_would_need_a_reply_is_told_apart() {
        assert_eq!(hear(&[b"PING\r\n"]), [Said::NeedsReply("ping".into())]);
        assert_eq!(hear(&[b"REPLCONF capa eof\r\n"]), [Said::NeedsReply("replconf".into())]);
        assert_eq!(
            hear(&[b"REPLCONF ACK x\r\n", b"SYNC\r\nREPLCONF GETACK *\r\n"]),
            [Said::Nothing, Said::Nothing, Said::Nothing]
        );
        assert_eq!(hear(&[b"quit\r\n"]), [Said::Quit]);
    }

    #[test]
    fn rubbish_is_an_error() {
        let mut incoming = Incoming::default();
        assert!(incoming.take(b"*1\r\n+x\r\n", &mut Batch::new(), |_| {}).is_err());
    }
}
