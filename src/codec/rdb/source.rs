//! Where RDB bytes come from. Decoders are written against [`Source`]; behind it is a slice (DUMP payloads) or
//! any `std::io::Read` (a file, a socket that blocks until its bytes arrive) with a buffer and a checksum.
//!
//! Always: no more memory is taken than bytes have arrived, plus one step. A header that promises 512 MB in a
//! file of twenty bytes costs nothing but an error.

use std::io::Read;

use crate::codec::crc64::Crc64;
use crate::codec::rdb::RdbError;

/// Long strings are read in steps of this size; each must have arrived before room for the next is made.
const STEP_BYTES: usize = 1 << 20;
/// Read-ahead of a stream.
const BUFFER_BYTES: usize = 64 << 10;

/// A place to read RDB bytes from, in order.
pub trait Source {
    /// Fills `into` or fails with [`RdbError::Truncated`].
    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), RdbError>;

    fn read_u8(&mut self) -> Result<u8, RdbError> {
        let mut byte = [0];
        self.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads `len` bytes, however long that claims to be, making room only as they arrive.
    fn read_vec(&mut self, len: usize) -> Result<Vec<u8>, RdbError> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let start = bytes.len();
            let step = (len - start).min(STEP_BYTES);
            if start == 0 {
                bytes.reserve_exact(step);
            }
            bytes.resize(start + step, 0);
            self.read_exact(&mut bytes[start..])?;
        }
        Ok(bytes)
    }
}

/// Bytes that are all there.
impl Source for &[u8] {
    #[inline]
    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), RdbError> {
        let (head, tail) = self.split_at_checked(into.len()).ok_or(RdbError::Truncated)?;
        into.copy_from_slice(head);
        *self = tail;
        Ok(())
    }

    fn read_vec(&mut self, len: usize) -> Result<Vec<u8>, RdbError> {
        let (head, tail) = self.split_at_checked(len).ok_or(RdbError::Truncated)?;
        *self = tail;
        Ok(head.to_vec())
    }
}

/// A buffered stream that hashes what it hands out.
///
///     buffer:  | handed out, hashed | handed out | not yet handed out |
///              0                 hashed         at                   end
///
/// Hashing happens in large pieces: when the buffer is refilled and when the checksum is asked for.
pub struct StreamSource<R> {
    reader: R,
    buffer: Box<[u8]>,
    hashed: usize,
    at: usize,
    end: usize,
    checksum: Crc64,
    /// Bytes that have left the buffer for good, or never were in it.
    passed: u64,
}

impl<R: Read> StreamSource<R> {
    pub fn new(reader: R) -> StreamSource<R> {
        StreamSource {
            reader,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            hashed: 0,
            at: 0,
            end: 0,
            checksum: Crc64::new(),
            passed: 0,
        }
    }

    /// The checksum of everything handed out so far.
    pub fn checksum(&mut self) -> u64 {
        self.hash_handed_out();
        self.checksum.value()
    }

    /// How many bytes have been handed out.
    pub fn position(&self) -> u64 {
        self.passed + self.at as u64
    }

    /// Ends reading: the reader, and the bytes that were read from it but not handed out.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.reader, self.buffer[self.at..self.end].to_vec())
    }

    fn hash_handed_out(&mut self) {
        self.checksum.update(&self.buffer[self.hashed..self.at]);
        self.hashed = self.at;
    }

    /// Fills the empty buffer with whatever comes next, at least one byte.
    fn refill(&mut self) -> Result<(), RdbError> {
        debug_assert_eq!(self.at, self.end);
        self.hash_handed_out();
        self.passed += self.at as u64;
        (self.hashed, self.at, self.end) = (0, 0, 0);
        self.end = read_some(&mut self.reader, &mut self.buffer)?;
        Ok(())
    }

    #[cold]
    fn read_beyond_buffer(&mut self, mut into: &mut [u8]) -> Result<(), RdbError> {
        loop {
            let step = into.len().min(self.end - self.at);
            let (now, later) = into.split_at_mut(step);
            now.copy_from_slice(&self.buffer[self.at..self.at + step]);
            self.at += step;
            into = later;
            if into.is_empty() {
                return Ok(());
            }
            if into.len() < BUFFER_BYTES {
                self.refill()?;
                continue;
            }
            // A long string goes past the buffer.
            self.hash_handed_out();
            let count = read_some(&mut self.reader, into)?;
            let (now, later) = into.split_at_mut(count);
            self.checksum.update(now);
            self.passed += count as u64;
            into = later;
        }
    }
}

impl<R: Read> Source for StreamSource<R> {
    #[inline]
    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), RdbError> {
        if let Some(ready) = self.buffer[self.at..self.end].get(..into.len()) {
            into.copy_from_slice(ready);
            self.at += into.len();
            return Ok(());
        }
        self.read_beyond_buffer(into)
    }
}

fn read_some(reader: &mut impl Read, into: &mut [u8]) -> Result<usize, RdbError> {
    loop {
        match reader.read(into) {
            Ok(0) => return Err(RdbError::Truncated),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
