//! Messages as clients see them, encoded once for all who get them.
//!
//! ```text
//!  >3 message channel payload        >3 smessage channel payload        >4 pmessage pattern channel payload
//! ```
//!
//! Called by the registry and by client tracking. Always: encoded for RESP3; the RESP2 form differs in the first byte alone.

use std::sync::Arc;

use crate::pubsub::Kind;
use crate::resp::reply::Reply;

/// What a subscriber of the channel gets. `kind` tells `message` from `smessage`.
pub fn message(kind: Kind, channel: &[u8], payload: &[u8]) -> Arc<[u8]> {
    let word: &[u8] = match kind {
        Kind::Channel | Kind::Pattern => b"message",
        Kind::Shard => b"smessage",
    };
    encode(&[word, channel, payload])
}

/// What a subscriber of a pattern gets.
pub fn pattern_message(pattern: &[u8], channel: &[u8], payload: &[u8]) -> Arc<[u8]> {
    encode(&[b"pmessage", pattern, channel, payload])
}

fn encode(words: &[&[u8]]) -> Arc<[u8]> {
    let mut reply = Reply::with_protocol(true);
    reply.push(words.len());
    words.iter().for_each(|word| reply.bulk(word));
    reply.buf.into()
}

#[cfg(test)]
mod tests {
    use super::{message, pattern_message};
    use crate::pubsub::Kind;

    #[test]
    fn messages_have_the_forms_of_redis() {
        assert_eq!(&*message(Kind::Channel, b"c", b"hi"), b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
        assert_eq!(&*message(Kind::Shard, b"c", b""), b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$0\r\n\r\n");
        let expected = b">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$2\r\nhi\r\n";
        assert_eq!(&*pattern_message(b"*", b"c", b"hi"), expected);
    }
}
