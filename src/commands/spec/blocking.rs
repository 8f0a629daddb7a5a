//! Blocking: how a command on keys waits until one of them has something for it (BLPOP, BZPOPMIN, XREAD BLOCK).
//!
//! ```text
//!  handler, first run     finds nothing -> ctx.block(Wish) -> true:  says nothing and returns Effect::None; it waits
//!                                                          -> false: answers as if its time were over (in MULTI, for one)
//!  later, a key is ready  the handler runs again with the same words, by whoever made it ready: finds something, answers,
//!                         and returns the effect of its non-blocking twin; or finds nothing and blocks again
//! ```
//!
//! For the author of a blocking command: its row is `Run::Keyed` and carries `Flags::BLOCKING`. The handler first reads all
//! arguments, the deadline with `ctx.deadline_seconds(index)` or `ctx.deadline_ms(index)`, then looks for an element, and only
//! if there is none calls `ctx.block`. Everything else is done by `exec::blocked`: order of arrival, time-outs, CLIENT UNBLOCK,
//! replies in the client's protocol, commit. Keys become ready by themselves when one of the kinds that can be waited for is
//! inserted; only a stream that gets an entry while it exists has to say `ctx.space.signal_ready(key)`.
//! Always: a handler that has called `block` with success has changed nothing and written no reply.

use crate::base::double::parse_double;
use crate::base::ids::UnixMs;
use crate::base::long_double::LongDouble;
use crate::commands::spec::{Ctx, Failure};
use crate::types::Kind;

/// The keys that are waited for, among those that the row names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    All,
    /// BLMOVE: the second key is written to, not waited for.
    First,
}

/// What a blocking command waits for.
#[derive(Debug)]
pub struct Wish {
    /// Keys that hold another kind of value do not wake it.
    pub kind: Kind,
    /// None waits for ever.
    pub deadline: Option<UnixMs>,
    pub keys: Awaited,
    /// Runs again also when a key is deleted or replaced by another kind, to answer with an error (XREADGROUP).
    pub wakes_when_gone: bool,
    /// What runs again, if not the request's own words: XREAD with what `$` meant when it came. The keys stand where they stood.
    pub words: Option<Vec<Vec<u8>>>,
}

impl Wish {
    /// Waits for any key of the row to hold a value of this kind.
    pub fn new(kind: Kind, deadline: Option<UnixMs>) -> Wish {
        Wish { kind, deadline, keys: Awaited::All, wakes_when_gone: false, words: None }
    }
}

/// How a wait ends for the client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Encoded values; none for a client that wants no replies.
    pub reply: Vec<u8>,
    /// The stream's offset behind what was written on its behalf, for WAIT.
    pub written: Option<u64>,
    /// The connection closes after the reply.
    pub closes: bool,
}

/// May this run of a command block, and does it want to? The default may not.
#[derive(Default, Debug)]
pub struct Blocking {
    is_allowed: bool,
    is_again: bool,
    wish: Option<Box<Wish>>,
}

impl Blocking {
    /// For a run whose client can wait.
    pub fn allowed() -> Blocking {
        Blocking { is_allowed: true, ..Blocking::default() }
    }

    /// For the run of a command that has waited.
    pub fn again() -> Blocking {
        Blocking { is_again: true, ..Blocking::allowed() }
    }

    /// Has this command waited? Its keys may have gone meanwhile.
    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// What the handler waits for, if it called `Ctx::block`.
    pub fn take(&mut self) -> Option<Box<Wish>> {
        self.wish.take()
    }
}

impl Ctx<'_, '_> {
    /// The handler has found nothing and wants to run again when a key is ready. If this is false the client cannot wait: the
    /// handler then answers what it would after its time.
    pub fn block(&mut self, wish: Wish) -> bool {
        if self.blocking.is_allowed {
            self.blocking.wish = Some(Box::new(wish));
        }
        self.blocking.is_allowed
    }

    /// The moment that a time-out in seconds, with a fraction, means; none for 0, which waits for ever.
    ///
    /// # Errors
    /// Redis' for a time-out that is no number, negative, or beyond 64 bits of milliseconds.
    pub fn deadline_seconds(&self, index: usize) -> Result<Option<UnixMs>, Failure> {
        // What is beyond a double is a number all the same.
        let beyond =
            |text: &[u8]| LongDouble::parse(text).map(|_| if text[0] == b'-' { -1.0 } else { f64::INFINITY });
        let text = self.args.get(index);
        let seconds = parse_double(text).filter(|seconds| !seconds.is_nan()).or_else(|| beyond(text));
        let seconds = seconds.ok_or(Failure::text("ERR timeout is not a float or out of range"))?;
        let ms = (seconds * 1000.0).ceil();
        if ms >= i64::MAX as f64 {
            return Err(Failure::text("ERR timeout is out of range"));
        }
        self.deadline_after(ms as i64)
    }

    /// As `deadline_seconds`, for whole milliseconds.
    ///
    /// # Errors
    /// See there.
    pub fn deadline_ms(&self, index: usize) -> Result<Option<UnixMs>, Failure> {
        let ms = self
            .args
            .int(index)
            .map_err(|_| Failure::text("ERR timeout is not an integer or out of range"))?;
        self.deadline_after(ms)
    }

    fn deadline_after(&self, ms: i64) -> Result<Option<UnixMs>, Failure> {
        match ms {
            ..0 => Err(Failure::text("ERR timeout is negative")),
            0 => Ok(None),
            _ => match self.now().0.checked_add(ms) {
                Some(at) => Ok(Some(UnixMs(at))),
                None => Err(Failure::text("ERR timeout is out of range")),
            },
        }
    }
}
