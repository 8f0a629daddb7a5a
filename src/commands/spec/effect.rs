//! Effect: what a command that has run means to those who follow: replicas and the append-only file.
//!
//! A handler returns one; the dispatcher commits it to the backlog under the same locks (`exec::commit`).
//! Always: an effect is deterministic: absolute times, no conditions, no randomness. Replaying the stream on an equal
//! data set gives an equal data set.

/// What goes into the stream.
#[derive(Debug)]
pub enum Effect {
    /// Nothing changed.
    None,
    /// The request's own words.
    Verbatim,
    /// Other commands; more than one are wrapped in MULTI and EXEC.
    Rewritten(Rewrite),
}

impl Effect {
    /// One command instead of the request.
    pub fn rewritten(words: &[&[u8]]) -> Effect {
        let mut rewrite = Rewrite::default();
        rewrite.push(words);
        Effect::Rewritten(rewrite)
    }

    /// As `rewritten`, unless nobody follows (`Surroundings::is_followed`): then it is enough that something changed.
    #[inline]
    pub fn rewritten_for(is_followed: bool, words: &[&[u8]]) -> Effect {
        if is_followed { Effect::rewritten(words) } else { Effect::Verbatim }
    }

    /// The request verbatim if something changed.
    pub fn verbatim_if(changed: bool) -> Effect {
        if changed { Effect::Verbatim } else { Effect::None }
    }
}

/// Room for the header of a word and what ends it: a word of ten digits' length has 15.
const HEADER_BYTES: usize = 15;

/// Encoded commands, in order.
#[derive(Debug, Default)]
pub struct Rewrite {
    /// RESP arrays of bulk strings, back to back.
    pub bytes: Vec<u8>,
    /// Those that must be applied in one step.
    pub commands: usize,
}

impl Rewrite {
    pub fn push(&mut self, words: &[&[u8]]) {
        self.bytes.reserve(words.iter().map(|word| word.len() + HEADER_BYTES).sum::<usize>() + HEADER_BYTES);
        encode(&mut self.bytes, words.len(), words.iter().copied());
        self.commands += 1;
    }

    /// Adds a command that need not happen in one step with the one before it: alone it is no reason for MULTI. A replica
    /// that does not know it refuses it, and keeps the one before.
    pub fn push_beside(&mut self, words: &[&[u8]]) {
        debug_assert!(!self.is_empty());
        encode(&mut self.bytes, words.len(), words.iter().copied());
    }

    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }
}

/// Appends one command in the only form that the stream knows: a RESP array of bulk strings.
pub fn encode<'a>(out: &mut Vec<u8>, count: usize, words: impl Iterator<Item = &'a [u8]>) {
    let mut digits = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(digits.format(count).as_bytes());
    out.extend_from_slice(b"\r\n");
    for word in words {
        out.push(b'$');
        out.extend_from_slice(digits.format(word.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::Rewrite;

    #[test]
    fn commands_are_encoded_as_arrays_of_bulk_strings() {
        let mut rewrite = Rewrite::default();
        rewrite.push(&[b"SET", b"k", b""]);
        rewrite.push(&[b"DEL", b"k"]);
        assert_eq!(rewrite.bytes, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
        assert_eq!(rewrite.commands, 2);
    }
}
