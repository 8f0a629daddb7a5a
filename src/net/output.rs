//! Replies of a connection on their way to the socket: one contiguous buffer, one write per turn.
//!
//!     reply.buf   |  written  |  pending  |
//!                 0        written       len
//!
//! The event loop owns one per connection and lends `reply` to the service. Always: bytes leave in the order of their
//! commands, and while the socket is full nothing is tried until the kernel says that it is not.

use super::service::BufferLimits;
use super::socket::Socket;
use crate::resp::reply::Reply;
use crate::session::traffic::REPLY_ROOM;
use std::io;

/// Memory that an idle connection may keep.
const KEPT_BYTES_MAX: usize = 16 * 1024;
/// Memory beyond this goes back as soon as the buffer is empty.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// The same while memory is scarce.
const HELD_BYTES_MAX_SCARCE: usize = 1024;
/// What a client gets beyond the soft limit's seconds. Redis counts whole ones, which is up to one more; none at all, and a client
/// that keeps to the time by its own clock may be closed a little early.
const SOFT_GRACE_MS: u64 = 250;
/// Written bytes up to this stay in front.
const COMPACT_BYTES_MIN: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) reply: Reply,
    written: usize,
    /// The socket is full: wait for it to become writable.
    pub(super) full: bool,
    /// Since when the soft limit has been exceeded, monotonic.
    soft_since_ms: Option<u64>,
}

impl Output {
    pub(super) fn pending(&self) -> usize {
        self.reply.len() - self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    pub(super) fn capacity(&self) -> usize {
        self.reply.buf.capacity()
    }

    /// Nothing beyond so many pending bytes will be written; 0 is no limit.
    pub(super) fn limit(&mut self, hard_bytes: usize) {
        self.reply.set_limit(if hard_bytes == 0 { 0 } else { self.written + hard_bytes });
    }

    /// Writes once; something must be pending. Returns the bytes written; sets `full` if some are left.
    pub(super) fn write(&mut self, socket: &mut Socket) -> io::Result<usize> {
        let count = loop {
            match socket.write(&self.reply.buf[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(error) => return Err(error),
            }
        };
        self.written += count;
        self.full = self.written < self.reply.len();
        if !self.full {
            self.reply.buf.clear();
            self.written = 0;
            if self.capacity() > HELD_BYTES_MAX && REPLY_ROOM.shrinks() {
                self.reply.buf = Vec::new();
            }
        } else if self.written > COMPACT_BYTES_MIN && self.written > self.reply.len() / 2 {
            self.reply.buf.drain(..self.written);
            self.written = 0;
        }
        Ok(count)
    }

    /// Is more pending than `limits` allow, now or for too long? Called whenever something is pending.
    pub(super) fn exceeds(&mut self, limits: &BufferLimits, now_ms: u64) -> bool {
        let pending = self.pending();
        if limits.output_hard_bytes > 0 && pending > limits.output_hard_bytes {
            return true;
        }
        if limits.output_soft_bytes == 0 || pending <= limits.output_soft_bytes {
            self.soft_since_ms = None;
            return false;
        }
        let since = *self.soft_since_ms.get_or_insert(now_ms);
        let allowed_ms = limits.output_soft_seconds.saturating_mul(1000).saturating_add(SOFT_GRACE_MS);
        now_ms.saturating_sub(since) > allowed_ms
    }

    /// Nothing is pending any more, so the soft limit's clock starts anew.
    pub(super) fn forgive(&mut self) {
        self.soft_since_ms = None;
    }

    /// Memory is scarce: is there some to be given back?
    #[inline]
    pub(super) fn is_loose(&self) -> bool {
        self.is_empty() && self.capacity() > HELD_BYTES_MAX_SCARCE
    }

    #[cold]
    pub(super) fn tighten(&mut self) {
        if self.is_loose() {
            self.reply.buf = Vec::new();
        }
    }

    pub(super) fn relax(&mut self) {
        if self.is_empty() && self.capacity() > KEPT_BYTES_MAX {
            self.reply.buf = Vec::new();
        }
    }

    /// The pending bytes, for whoever takes the connection over.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.reply.buf);
        bytes.drain(..self.written);
        self.written = 0;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(bytes: usize) -> Output {
        let mut output = Output::default();
        output.reply.raw(&vec![b'x'; bytes]);
        output
    }

    #[test]
    fn the_hard_limit_counts_at_once_and_the_soft_one_after_its_time() {
        let limits = BufferLimits {
            output_hard_bytes: 100,
            output_soft_bytes: 50,
            output_soft_seconds: 2,
            ..Default::default()
        };
        assert!(!output(100).exceeds(&limits, 0) && output(101).exceeds(&limits, 0));
        let mut slow = output(60);
        assert!(!slow.exceeds(&limits, 1000) && !slow.exceeds(&limits, 3250) && slow.exceeds(&limits, 3251));
        slow.reply.truncate(50);
        assert!(!slow.exceeds(&limits, 3252), "a break");
        slow.reply.raw(b"x");
        assert!(!slow.exceeds(&limits, 3253), "the clock starts anew");
        assert!(!output(1 << 20).exceeds(&BufferLimits::default(), 0), "zero is no limit");
    }

    #[test]
    fn a_partial_write_goes_on_where_it_stopped() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("a socket");
        let mut socket = Socket::Unix(mio::net::UnixStream::from_std(ours));
        let expected: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
        let mut output = Output::default();
        output.reply.raw(&expected);
        let mut received = Vec::new();
        while received.len() < expected.len() {
            if !output.is_empty() {
                output.write(&mut socket).expect("the peer is there");
            }
            let mut piece = vec![0; 64 * 1024];
            let count = std::io::Read::read(&mut theirs, &mut piece).expect("bytes");
            received.extend_from_slice(&piece[..count]);
        }
        assert!(received == expected && output.is_empty() && !output.full && output.capacity() == 0);
    }
}
