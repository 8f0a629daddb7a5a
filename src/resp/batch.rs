//! A pipeline, parsed: the commands of one read as ranges into the bytes they came in, without a copy.
//!
//!     buf       *1 $4 PING  *2 $3 GET $1 k            (the caller's; line ends not drawn)
//!     commands  [start..end | first_arg 0, argc 1]  [start..end | first_arg 1, argc 2]
//!     args      [PING] [GET] [k]
//!
//! The parser fills it, the executor walks it with [`Batch::request`]. Always: the ranges hold for the very buffer that was
//! parsed. The arguments of an inline request are unquoted into `inline_bytes`, and its ranges point there.

/// Past this many arguments the memory of a batch is given back when it is cleared: one huge command must not stay for ever.
const KEPT_ARGS_MAX: usize = 64 * 1024;
/// The same for unquoted bytes of inline requests.
const KEPT_INLINE_BYTES_MAX: usize = 64 * 1024;

/// One argument: a range of the request's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Arg {
    /// The argument's bytes. `source` is what [`Request`] keeps beside its arguments.
    #[inline]
    pub fn of(self, source: &[u8]) -> &[u8] {
        &source[self.start..self.start + self.len]
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// True for the empty string.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One command of a batch; at least one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Index of its first argument in `Batch::args`.
    pub first_arg: u32,
    /// Number of arguments, the command's name included.
    pub argc: u32,
    /// The request's raw bytes are `start..end` of the buffer. Bytes between two commands, and before the first, are empty
    /// lines and empty arrays.
    pub start: usize,
    /// See `start`.
    pub end: usize,
    /// Was it an inline request? Its raw bytes are then no RESP.
    pub inline: bool,
}

/// The commands of one parse. Reusable: the caller clears it.
#[derive(Debug, Default)]
pub struct Batch {
    /// The arguments of all commands, in order.
    pub args: Vec<Arg>,
    /// The commands, in order.
    pub commands: Vec<Command>,
    /// The unquoted arguments of inline requests.
    pub(super) inline_bytes: Vec<u8>,
}

impl Batch {
    /// An empty batch; allocates on first use.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Forgets the commands, keeps ordinary amounts of memory.
    #[inline]
    pub fn clear(&mut self) {
        self.commands.clear();
        self.args.clear();
        self.inline_bytes.clear();
        if self.args.capacity() > KEPT_ARGS_MAX || self.inline_bytes.capacity() > KEPT_INLINE_BYTES_MAX {
            self.release();
        }
    }

    #[cold]
    fn release(&mut self) {
        *self = Batch::default();
    }

    /// Number of commands.
    #[inline]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// True without commands.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Command number `index` with its arguments; `buf` is the buffer that was parsed.
    #[inline]
    pub fn request<'a>(&'a self, buf: &'a [u8], index: usize) -> Request<'a> {
        let command = &self.commands[index];
        let first = command.first_arg as usize;
        Request {
            source: if command.inline { &self.inline_bytes } else { buf },
            args: &self.args[first..first + command.argc as usize],
            raw: &buf[command.start..command.end],
        }
    }

    /// All commands in order.
    pub fn requests<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = Request<'a>> {
        (0..self.len()).map(move |index| self.request(buf, index))
    }
}

/// A borrowed command: what a handler sees of the client's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    source: &'a [u8],
    args: &'a [Arg],
    /// The request as it came over the wire.
    pub raw: &'a [u8],
}

impl<'a> Request<'a> {
    /// Number of arguments, the command's name included; at least one.
    #[inline]
    pub fn argc(&self) -> usize {
        self.args.len()
    }

    /// Was it an inline request? Then `raw` is no RESP: it begins with anything but a star.
    #[inline]
    pub fn is_inline(&self) -> bool {
        self.raw.first() != Some(&b'*')
    }

    /// The command's name as the client spelt it.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.arg(0)
    }

    /// Argument number `index`; 0 is the name. Panics beyond `argc`.
    #[inline]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args[index].of(self.source)
    }

    /// Argument number `index` if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.args.get(index).map(|arg| arg.of(self.source))
    }

    /// All arguments, name first.
    #[inline]
    pub fn args(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let source = self.source;
        self.args.iter().map(move |arg| arg.of(source))
    }
}
