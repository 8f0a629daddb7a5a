//! The string type: bytes, or a 64-bit integer stored as one.
//!
//! `Str` is how a string travels between entries, handlers, snapshot and RDB. It borrows; it never allocates.
//! Always: `Str::Int(n)` and the decimal digits of `n` are the same string to a client.

/// A borrowed string value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Str<'a> {
    /// Reported as encoding `int`.
    Int(i64),
    Bytes(&'a [u8]),
}

/// Redis tries the integer encoding only for strings of at most this many bytes (the digits of `i64::MIN`).
const INT_DIGITS_MAX: usize = 20;

impl<'a> Str<'a> {
    /// Chooses the encoding as Redis does on SET: an integer if the bytes are exactly its decimal form.
    #[inline]
    pub fn encode(bytes: &'a [u8]) -> Str<'a> {
        match bytes.first() {
            Some(b'0'..=b'9' | b'-') if bytes.len() <= INT_DIGITS_MAX => {
                crate::base::number::parse_i64(bytes).map_or(Str::Bytes(bytes), Str::Int)
            }
            _ => Str::Bytes(bytes),
        }
    }

    /// The bytes a client sees; `digits` lends the room in which an integer is printed.
    #[inline]
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Str::Int(n) => digits.format(*n).as_bytes(),
            Str::Bytes(bytes) => bytes,
        }
    }

    /// Length in bytes as STRLEN reports it.
    pub fn len(&self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Str::Bytes([]))
    }

    /// The value as an integer, if its bytes are one in the strict decimal form.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Str::Int(n) => Some(*n),
            Str::Bytes(bytes) => crate::base::number::parse_i64(bytes),
        }
    }

    /// An owned copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::Str;

    #[test]
    fn only_the_exact_decimal_form_is_an_integer() {
        let check = |bytes: &'static [u8], is_int: bool| {
            assert_eq!(matches!(Str::encode(bytes), Str::Int(_)), is_int, "{:?}", bytes);
            assert_eq!(Str::encode(bytes).to_vec(), bytes);
        };
        check(b"0", true);
        check(b"-1", true);
        check(b"9223372036854775807", true);
        check(b"-9223372036854775808", true);
        check(b"9223372036854775808", false);
        check(b"00", false);
        check(b"-0", false);
        check(b"+1", false);
        check(b" 1", false);
        check(b"", false);
        check(b"1.0", false);
    }
}
